//! How both sides come by their secret: computed, or looked up where thousands of sessions an
//! instant are simulated and their powers would cost more than all the rest.
//!
//! Nothing is weaker for those who compute: a table is made, never found on the wire.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use super::{ClientExchange, Password, ServerExchange, SessionSecret, SrpError};

/// How a session comes by its secret.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Agreement {
    /// By SRP, with fresh keys: the only way outside simulations.
    #[default]
    Computed,
    /// From agreements that were computed beforehand. Who knows the table knows every secret.
    Known(Arc<Table>),
}

/// Whole agreements between one account and its peers, computed once.
#[derive(Clone, Eq, PartialEq)]
pub struct Table {
    user: String,
    password: Password,
    rows: Vec<Row>,
    /// Which row has that key of a client.
    by_key: BTreeMap<String, usize>,
}

#[derive(Clone, Eq, PartialEq)]
struct Row {
    client_key: String,
    server_key: String,
    salt: String,
    secret: Zeroizing<Vec<u8>>,
}

impl Table {
    /// Computes `rows` agreements, the same ones for the same arguments.
    pub fn new(user: &str, password: &Password, seed: u64, rows: usize) -> Self {
        let rows: Vec<Row> = (0..rows as u64)
            .filter_map(|number| row(user, password, seed, number))
            .collect();
        let keys = rows.iter().enumerate();
        Self {
            user: user.to_owned(),
            password: password.clone(),
            by_key: keys.map(|(at, it)| (it.client_key.clone(), at)).collect(),
            rows,
        }
    }

    /// Returns the secret of a row as who has that password comes by it: another password comes
    /// by another one, as in life.
    fn secret(&self, row: usize, user: &str, password: &Password) -> SessionSecret {
        let secret = &self.rows[row].secret;
        if user == self.user && *password == self.password {
            return SessionSecret(secret.clone());
        }
        let digest = Sha1::new()
            .chain_update(user)
            .chain_update([0])
            .chain_update(password.reveal())
            .chain_update(secret.as_slice())
            .finalize();
        SessionSecret(Zeroizing::new(digest.to_vec()))
    }
}

impl fmt::Debug for Table {
    /// Says how large it is, and none of its secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({} rows)", self.rows.len())
    }
}

fn row(user: &str, password: &Password, seed: u64, number: u64) -> Option<Row> {
    let entropy = |side: u64| {
        let mut bytes = [0x5A; 32];
        for (at, part) in [seed, number, side].into_iter().enumerate() {
            bytes[8 * at..8 * at + 8].copy_from_slice(&part.to_be_bytes());
        }
        <[u8; 20]>::from(Sha1::digest(bytes))
    };
    let private = |side| {
        let mut bytes = [0; 32];
        bytes[..20].copy_from_slice(&entropy(side));
        bytes
    };
    let mut salt = [0; 16];
    salt.copy_from_slice(&entropy(2)[..16]);
    let client = ClientExchange::new(private(0));
    let server = ServerExchange::new(user, password, salt, private(1));
    // Of random keys none is a multiple of the modulus.
    let secret = server.agree(&client.public_key()).ok()?;
    Some(Row {
        client_key: client.public_key(),
        server_key: server.public_key(),
        salt: server.salt(),
        secret: secret.0,
    })
}

/// The client's side of an agreement.
#[derive(Debug)]
pub(in crate::nuodb) enum ClientSide {
    Computed(ClientExchange),
    Known { table: Arc<Table>, row: usize },
}

/// What a server answers to a client's key, and what both know then.
#[derive(Debug)]
pub(in crate::nuodb) struct ServerSide {
    pub(in crate::nuodb) salt: String,
    pub(in crate::nuodb) public_key: String,
    pub(in crate::nuodb) secret: SessionSecret,
}

impl Agreement {
    /// Begins an agreement with the private key `entropy`, which must be used only once.
    pub(in crate::nuodb) fn client(&self, entropy: [u8; 32]) -> ClientSide {
        match self {
            Self::Known(table) if !table.rows.is_empty() => {
                let row = usize::from(entropy[0]) << 8 | usize::from(entropy[1]);
                ClientSide::Known {
                    row: row % table.rows.len(),
                    table: table.clone(),
                }
            }
            Self::Computed | Self::Known(_) => ClientSide::Computed(ClientExchange::new(entropy)),
        }
    }

    /// Answers the key of a client who says to be `user`; `entropy` must be used only once.
    pub(in crate::nuodb) fn server(
        &self,
        (user, password): (&str, &Password),
        salt: [u8; 16],
        entropy: [u8; 32],
        client_key: &str,
    ) -> Result<ServerSide, SrpError> {
        if let Self::Known(table) = self
            && let Some(row) = table.by_key.get(client_key)
        {
            let Row {
                salt, server_key, ..
            } = &table.rows[*row];
            return Ok(ServerSide {
                salt: salt.clone(),
                public_key: server_key.clone(),
                secret: table.secret(*row, user, password),
            });
        }
        let exchange = ServerExchange::new(user, password, salt, entropy);
        Ok(ServerSide {
            salt: exchange.salt(),
            public_key: exchange.public_key(),
            secret: exchange.agree(client_key)?,
        })
    }
}

impl ClientSide {
    /// Returns the public key as it is sent.
    pub(in crate::nuodb) fn public_key(&self) -> String {
        match self {
            Self::Computed(exchange) => exchange.public_key(),
            Self::Known { table, row } => table.rows[*row].client_key.clone(),
        }
    }

    /// Returns the secret that follows from what the server answered.
    pub(in crate::nuodb) fn agree(
        &self,
        user: &str,
        password: &Password,
        salt: &str,
        server_key: &str,
    ) -> Result<SessionSecret, SrpError> {
        match self {
            Self::Computed(exchange) => exchange.agree(user, password, salt, server_key),
            Self::Known { table, row } => Ok(table.secret(*row, user, password)),
        }
    }
}
