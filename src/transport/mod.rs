//! Dials peers and moves bytes, over TCP and TLS; knows no message.
