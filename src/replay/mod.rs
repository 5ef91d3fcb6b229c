//! A recorded past against a policy: what the healer would have done, and for how long each
//! database would have been without a transaction engine.
//!
//! It reads no files: lines and inputs are handed in. What a start would have come to nobody knows,
//! so that each past is lived through twice, in a kind and in a harsh bound. It foretells nothing.

mod again;
mod fate;
mod inputs;
mod line;
mod log;
mod node;
mod past;
mod rethink;
mod service;
mod stamp;

pub use again::{Bound, Replay, Retold};
pub use line::{Line, Said, read};
pub use log::{Log, Stranger};
pub use node::{Node, PeerName};
pub use past::Past;
pub use rethink::{Rethink, Rethought};
pub use service::Figures;
