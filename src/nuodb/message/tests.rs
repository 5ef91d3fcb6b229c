//! What the messages look like, and what is forgiven.
