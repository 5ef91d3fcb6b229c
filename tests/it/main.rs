//! Integration tests: one binary, one module per subject.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper may end the test, as the test itself may"
)]

mod announced;
mod api;
mod check;
mod connection;
mod daemon;
mod damaged;
mod demo;
mod docs;
mod doctrine;
mod domain;
mod driver;
mod enforcer;
mod follower;
mod healing;
mod histories;
mod journal;
mod killed;
mod lease;
mod lies;
mod managers;
mod manual;
mod notify;
mod package;
mod reload;
mod replay;
mod request;
mod restart;
mod sandbox;
mod status;
mod storm;
mod supervisor;
mod tidy;
mod unresponsive;
mod webhook;
