//! What is wanted and at which pace: arithmetic and matching, without state.
