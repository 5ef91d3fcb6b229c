//! Dialogues of a server with clients it did not expect.
