//! Carries pilots: sockets and timers, one folder per kind of domain. Decides nothing: what is
//! dialled, sent and given up is said by the pilot, what is started and stopped by the caller.

pub mod nuodb;
