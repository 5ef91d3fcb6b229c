//! Dialogues of a client with the server's half, and with peers that misbehave.

use super::*;
use crate::nuodb::server::{Server, ServerSettings};

mod dialogue;
mod foreign;

const CLIENT_ENTROPY: [u8; 32] = [0x5A; 32];
const SERVER_ENTROPY: [u8; 80] = [0xC3; 80];

fn settings() -> Settings {
    Settings {
        credentials: Credentials {
            user: "domain".to_owned(),
            password: Password::new("bird".to_owned()),
        },
        inside_tls: false,
        allow_legacy_ciphers: true,
        frame_limit: 1024 * 1024,
        agreement: Agreement::default(),
    }
}

fn server_settings(ciphers: &[CipherName]) -> ServerSettings {
    ServerSettings {
        user: "domain".to_owned(),
        password: Password::new("bird".to_owned()),
        ciphers: ciphers.to_vec(),
        frame_limit: 1024 * 1024,
        agreement: Agreement::default(),
    }
}
