//! Reads and checks the configuration, and reports every problem at once.
