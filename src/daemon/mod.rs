//! Runs the daemon: builds it from a configuration, drives it, stops it in order.
