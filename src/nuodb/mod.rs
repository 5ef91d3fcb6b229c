//! The NuoDB management protocol, sans IO: no sockets, no clocks, no runtime.

pub mod message;
