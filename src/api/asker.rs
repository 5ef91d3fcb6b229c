//! Who asks: a listener that says so, or the user at the other end of the socket.
//!
//! It names whoever asks and permits nothing.

use std::convert::Infallible;
use std::fs;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

/// Names the listener that asks, if one does.
pub(super) const LISTENER_HEADER: &str = "dbwarden-listener";

/// Who asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Asker {
    Listener(String),
    /// A person; not known where the system does not say.
    Operator(Option<User>),
}

/// Who is at the other end of a connection, put to each request that comes by it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum User {
    /// A user of this machine, by number.
    Local(u32),
    /// Somebody who showed a token or a certificate.
    Remote(Arc<str>),
}

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(match parts.headers.get(LISTENER_HEADER) {
            Some(name) => Self::Listener(String::from_utf8_lossy(name.as_bytes()).into_owned()),
            None => Self::Operator(parts.extensions.get().cloned()),
        })
    }
}

impl User {
    /// Returns what the user is called, if this system knows.
    pub(super) fn name(&self) -> String {
        let uid = match self {
            Self::Local(uid) => *uid,
            Self::Remote(name) => return name.to_string(),
        };
        // Two users are let in, and people do not ask often: it is read anew each time.
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        name_in(&users, uid).map_or_else(|| format!("uid {uid}"), ToOwned::to_owned)
    }
}

/// Returns what a person is called in events: by the name they gave, or by that of their user. Of
/// one who is not on this machine it is told as well whose token it was.
pub(super) fn person(user: Option<&User>, owner: Option<&str>) -> Arc<str> {
    let name = match (user, owner) {
        (Some(User::Remote(token)), Some(owner)) => Some(format!("{owner} by {token}")),
        (_, Some(owner)) => Some(owner.to_owned()),
        (user, None) => user.map(User::name),
    };
    name.map_or_else(|| "operator".into(), |it| format!("operator {it}").into())
}

/// Returns the name of a user in the words of `/etc/passwd`.
fn name_in(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(uid) && !name.is_empty()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::{User, name_in, person};

    #[test]
    fn a_person_is_called_by_the_name_they_gave_or_by_that_of_their_user() {
        let users = "root:x:0:0:root:/root:/bin/sh\nbroken\nwarden:x:990:990::/:/bin/false\n";
        assert_eq!(name_in(users, 990), Some("warden"));
        assert_eq!(name_in(users, 99), None);
        let nobody = User::Local(4_294_967_000);
        assert_eq!(&*person(Some(&nobody), None), "operator uid 4294967000");
        assert_eq!(&*person(Some(&nobody), Some("ada")), "operator ada");
        let remote = User::Remote("ci".into());
        assert_eq!(&*person(Some(&remote), None), "operator ci");
        assert_eq!(&*person(Some(&remote), Some("ada")), "operator ada by ci");
        assert_eq!(&*person(None, None), "operator");
    }
}
