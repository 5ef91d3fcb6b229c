//! Decides what is started, when and where.
