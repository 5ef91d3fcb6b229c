//! Carries a pilot: sockets and timers; decides nothing.
