//! Tells pluggable listeners what happened.
//!
//! It does not know where events come from: it reads a [`Source`], which the journal is. Nothing a
//! listener does changes what the daemon does.

mod source;

pub use source::{Page, Source};
