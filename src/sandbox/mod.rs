//! A NuoDB-compatible domain on loopback, for demonstrations and tests.
//!
//! [`world`] decides what such a domain does and when; [`serve`] puts it on sockets, with real
//! processes for engines. Nothing here stores data or speaks SQL.

pub mod serve;
pub mod world;
