//! Remembers events in order, and hands them out again by number.
