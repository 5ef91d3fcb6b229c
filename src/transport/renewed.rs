//! What was made of files for TLS: made anew when they have changed.
//!
//! Certificates are renewed while a daemon runs. Files that cannot be used are told of once and
//! change nothing: whoever renews them may be in the middle of it.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::error::TransportError;
use super::tls::{TlsClient, TlsClientSettings, TlsServer, TlsServerSettings};

/// What tells one version of a file from another: device and inode, size, time of change.
type Version = Option<(u64, u64, u64, i64, i64)>;

/// The files that some settings name.
type Files<S> = fn(&S) -> [Option<&Path>; 3];

/// Something made of files.
pub struct Renewed<S, T> {
    settings: S,
    made: T,
    make: fn(&S) -> Result<T, TransportError>,
    files: Files<S>,
    versions: [Version; 3],
    /// The files could not be used when last tried. They are tried each time then: what is wrong
    /// need not be in them, but in who may read them.
    is_refused: bool,
}

/// What became of the files since somebody asked last.
#[derive(Debug)]
pub enum Renewal {
    /// They have changed and were read again.
    Done,
    /// They have changed and cannot be used.
    Failed(TransportError),
    /// Nothing that would be news.
    None,
}

impl<S: fmt::Debug, T: fmt::Debug> fmt::Debug for Renewed<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewed")
            .field("settings", &self.settings)
            .field("made", &self.made)
            .finish_non_exhaustive()
    }
}

impl Renewed<TlsClientSettings, TlsClient> {
    /// Reads the files of a client.
    ///
    /// # Errors
    ///
    /// Fails as [`TlsClient::load`] does.
    pub fn client(settings: TlsClientSettings) -> Result<Self, TransportError> {
        Self::new(settings, TlsClient::load, |it| {
            [&it.ca, &it.cert, &it.key].map(Option::as_deref)
        })
    }
}

impl Renewed<TlsServerSettings, TlsServer> {
    /// Reads the files of a server.
    ///
    /// # Errors
    ///
    /// Fails as [`TlsServer::load`] does.
    pub fn server(settings: TlsServerSettings) -> Result<Self, TransportError> {
        Self::new(settings, TlsServer::load, |it| {
            [Some(&it.cert), Some(&it.key), it.client_ca.as_ref()].map(|it| Some(it?.as_path()))
        })
    }
}

impl<S, T: Clone> Renewed<S, T> {
    fn new(
        settings: S,
        make: fn(&S) -> Result<T, TransportError>,
        files: Files<S>,
    ) -> Result<Self, TransportError> {
        // Looked at before they are read, so that no change is missed.
        let versions = versions(files(&settings));
        Ok(Self {
            made: make(&settings)?,
            settings,
            make,
            files,
            versions,
            is_refused: false,
        })
    }

    /// Returns what the files make now, or what they made when they were good.
    pub fn get(&mut self) -> (T, Renewal) {
        let versions = versions((self.files)(&self.settings));
        let is_news = versions != self.versions;
        let mut renewal = Renewal::None;
        if is_news || self.is_refused {
            self.versions = versions;
            match (self.make)(&self.settings) {
                Ok(made) => {
                    self.made = made;
                    self.is_refused = false;
                    renewal = Renewal::Done;
                }
                Err(error) => {
                    self.is_refused = true;
                    if is_news {
                        renewal = Renewal::Failed(error);
                    }
                }
            }
        }
        (self.made.clone(), renewal)
    }
}

fn versions(files: [Option<&Path>; 3]) -> [Version; 3] {
    files.map(|path| {
        let file = fs::metadata(path?).ok()?;
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
        let client = TlsClientSettings {
            ca: Some(cert.clone()),
            cert: Some(cert.clone()),
            key: Some(key.clone()),
            verify_name: true,
        };
        let server = TlsServerSettings {
            cert: cert.clone(),
            key: key.clone(),
            client_ca: Some(cert.clone()),
        };
        let mut client = Renewed::client(client).unwrap();
        let mut server = Renewed::server(server).unwrap();
        let mut both = || (client.get().1, server.get().1);
        assert!(matches!(both(), (Renewal::None, Renewal::None)));
        renew(0o644);
        let told = both();
        assert!(
            matches!(told, (Renewal::Failed(_), Renewal::Failed(_))),
            "others can read the key: {told:?}"
        );
        assert!(matches!(both(), (Renewal::None, Renewal::None)), "again");
        // Changes neither what is in the file nor when that was changed.
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(both(), (Renewal::Done, Renewal::Done)));
    }
}
