//! The files of TLS: read at the start, and again when they have changed.

use crate::nuodb::pilot::sentence;
use crate::transport::{Renewal, Renewed, TlsClient, TlsClientSettings, TransportError};

/// What we trust and show, as the files have it.
#[derive(Debug)]
pub(super) struct Trust(Renewed<TlsClientSettings, TlsClient>);

impl Trust {
    pub(super) fn load(settings: TlsClientSettings) -> Result<Self, TransportError> {
        Ok(Self(Renewed::client(settings)?))
    }

    /// Returns the client's side of TLS for the next connection.
    pub(super) fn client(&mut self) -> TlsClient {
        let (client, renewal) = self.0.get();
        match renewal {
            Renewal::Done => tracing::info!("the files for TLS have changed and were read again"),
            Renewal::Failed(error) => {
                let error = sentence(&error);
                tracing::warn!(error, "the files for TLS have changed and cannot be used");
            }
            Renewal::None => (),
        }
        client
    }
}
