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
    /// The files could not be used when last tried. They are tried at each connection then: what
    /// is wrong need not be in them, but in who may read them.
    is_refused: bool,
}

impl Trust {
    pub(super) fn load(settings: TlsClientSettings) -> Result<Self, TransportError> {
        // Looked at before they are read, so that no change is missed.
        let versions = versions(&settings);
        Ok(Self {
            client: TlsClient::load(&settings)?,
            settings,
            versions,
            is_refused: false,
        })
    }

    /// Returns the client's side of TLS for the next connection.
    pub(super) fn client(&mut self) -> TlsClient {
        let versions = versions(&self.settings);
        let is_news = versions != self.versions;
        if is_news || self.is_refused {
            self.versions = versions;
            match TlsClient::load(&self.settings) {
                Ok(client) => {
                    self.client = client;
                    self.is_refused = false;
                    tracing::info!("the files for TLS have changed and were read again");
                }
                Err(error) => {
                    self.is_refused = true;
                    if is_news {
                        let error = sentence(&error);
                        tracing::warn!(error, "the files for TLS have changed and cannot be used");
                    }
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    fn write(path: &Path, text: &str, mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_key_that_was_open_to_others_is_used_once_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let [cert, key] = ["cert.pem", "key.pem"].map(|it| dir.path().join(it));
        let renew = |mode| {
            let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
            write(&cert, &made.cert.pem(), 0o644);
            write(&key, &made.signing_key.serialize_pem(), mode);
        };
        renew(0o600);
        let mut trust = Trust::load(TlsClientSettings {
            ca: Some(cert.clone()),
            cert: Some(cert.clone()),
            key: Some(key.clone()),
            verify_name: true,
        })
        .unwrap();
        renew(0o644);
        trust.client();
        assert!(trust.is_refused, "others can read the key");
        // Changes neither what is in the file nor when that was changed.
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        trust.client();
        assert!(!trust.is_refused);
    }
}
