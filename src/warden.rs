//! Model and supervisor of one domain as one machine.
