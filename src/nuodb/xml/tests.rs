//! Documents that are read, and those that must be refused.
