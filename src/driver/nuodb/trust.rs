//! The files of TLS: read at the start, and again when they have changed.
//!
//! Certificates are renewed while a daemon runs. Files that cannot be used are told of once and
//! change nothing: whoever renews them may be in the middle of it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::nuodb::pilot::sentence;
use crate::transport::{TlsClient, TlsClientSettings, TransportError};

/// What tells one version of a file from another: device and inode, size, time of change.
type Version = Option<(u64, u64, u64, i64, i64)>;

/// What we trust and show, as the files have it.
#[derive(Debug)]
pub(super) struct Trust {
    settings: TlsClientSettings,
    client: TlsClient,
    versions: [Version; 3],
}

impl Trust {
    pub(super) fn load(settings: TlsClientSettings) -> Result<Self, TransportError> {
        // Looked at before they are read, so that no change is missed.
        let versions = versions(&settings);
        Ok(Self {
            client: TlsClient::load(&settings)?,
            settings,
            versions,
        })
    }

    /// Returns the client's side of TLS for the next connection.
    pub(super) fn client(&mut self) -> TlsClient {
        let versions = versions(&self.settings);
        if versions != self.versions {
            self.versions = versions;
            match TlsClient::load(&self.settings) {
                Ok(client) => {
                    self.client = client;
                    tracing::info!("the files for TLS have changed and were read again");
                }
                Err(error) => {
                    let error = sentence(&error);
                    tracing::warn!(error, "the files for TLS have changed and cannot be used");
                }
            }
        }
        self.client.clone()
    }
}

fn versions(settings: &TlsClientSettings) -> [Version; 3] {
    [&settings.ca, &settings.cert, &settings.key].map(|path| {
        let file = fs::metadata(path.as_ref()?).ok()?;
        Some((
            file.dev(),
            file.ino(),
            file.size(),
            file.mtime(),
            file.mtime_nsec(),
        ))
    })
}
