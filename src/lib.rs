//! `dbwarden` watches database domains, tells listeners what happens in them, and starts failed
//! processes again by policy.
//!
//! Everything the daemon thinks is a deterministic machine fed with time and inputs that answers
//! with effects: [`model`], [`policy`], [`supervisor`], [`warden`] and the protocol in [`nuodb`];
//! [`replay`] feeds it with a recorded past.
//! Everything it does is a thin shell around it: [`transport`], [`driver`], [`journal`],
//! [`listener`], [`telemetry`], [`api`], [`config`] and [`daemon`]. [`sandbox`] is a domain to try
//! it on, and [`cli`] the command line. `ARCHITECTURE.md` has the map and the laws.

pub mod api;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod driver;
pub mod event;
pub mod exchange;
pub mod journal;
pub mod listener;
pub mod model;
pub mod mutation;
pub mod nuodb;
pub mod policy;
pub mod replay;
pub mod sandbox;
pub mod supervisor;
pub mod telemetry;
pub mod time;
pub mod transport;
pub mod view;
pub mod warden;
