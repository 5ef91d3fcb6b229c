//! The NuoDB management protocol, sans IO: no sockets, no clocks, no runtime.
//!
//! [`client`] and [`server`] are the two halves of one session, [`pilot`] is the conversation with
//! a whole domain; the rest is what they are made of. Bytes go in, bytes and messages come out.

pub mod cipher;
pub mod client;
pub mod frame;
pub mod interner;
pub mod message;
pub mod pilot;
pub mod server;
pub mod srp;
pub mod xml;
