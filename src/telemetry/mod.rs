//! Writes what the daemon does to its log.
