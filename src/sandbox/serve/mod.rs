//! The world on real sockets with real child processes.
