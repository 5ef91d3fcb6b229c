//! Tells pluggable listeners what happened.
