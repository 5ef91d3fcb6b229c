//! Names and addresses: what things are called, by the domain and by us.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Defines a name: shared text of one meaning, cheap to copy, ordered by its characters.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<Arc<str>> for $name {
            fn from(text: Arc<str>) -> Self {
                Self(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// What an agent calls itself since it was last started; a restarted agent has a new one.
    AgentId
}
name! {
    /// What a database is called in its domain.
    DatabaseName
}
name! {
    /// What we call a domain: its name in the configuration.
    DomainName
}
name! {
    /// The stable name of a peer: configured, or the first address it was known under.
    PeerName
}
name! {
    /// What an agent calls one start it was asked for; opaque.
    StartId
}

/// Host and port of a peer.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Address {
    /// A name or an IP address, without brackets.
    pub host: Arc<str>,
    /// The TCP port.
    pub port: u16,
}

/// Why a text is no address.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("`{text}` {problem}; {advice}")]
pub struct AddressError {
    text: String,
    problem: &'static str,
    advice: &'static str,
}

/// What an address looks like.
const FORMS: &str = "write HOST, HOST:PORT or [IPV6]:PORT";

impl Address {
    /// Returns the address of these parts.
    pub fn new(host: impl Into<Arc<str>>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`; without a port it is `default_port`.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, AddressError> {
        let fail = |problem| AddressError {
            text: text.to_owned(),
            problem,
            advice: FORMS,
        };
        let trimmed = text.trim();
        let (host, port) = if let Some(rest) = trimmed.strip_prefix('[') {
            let (host, rest) = rest
                .split_once(']')
                .ok_or(fail("is no address: a bracket is open"))?;
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(fail(
                    "is no address: what stands in brackets is no IPv6 address",
                ));
            }
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => {
                    return Err(fail(
                        "is no address: something other than a port follows the bracket",
                    ));
                }
            }
        } else {
            match trimmed.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return Err(fail("is no address: an IPv6 address stands in brackets"));
                }
                Some((host, port)) => (host, Some(port)),
                None => (trimmed, None),
            }
        };
        if host.is_empty() {
            return Err(fail("is no address: the host is missing"));
        }
        let is_host_character =
            |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_' | ':' | '%');
        if !host.chars().all(is_host_character) {
            return Err(fail(
                "is no address: a host has letters, digits, dots and hyphens only",
            ));
        }
        let port = match port {
            None => default_port,
            Some(digits) if digits.bytes().all(|it| it.is_ascii_digit()) => digits
                .parse()
                .ok()
                .filter(|it| *it != 0)
                .ok_or(fail("is no address: a port is a number from 1 to 65535"))?,
            Some(_) => return Err(fail("is no address: a port is a number from 1 to 65535")),
        };
        Ok(Self::new(host, port))
    }

    /// Reads an address as [`parse`](Self::parse) does and adds it to `list`, in which none may
    /// stand twice.
    pub fn parse_into(
        list: &mut Vec<Self>,
        text: &str,
        default_port: u16,
    ) -> Result<(), AddressError> {
        let address = Self::parse(text, default_port)?;
        if list.iter().any(|it| it.is_same(&address)) {
            return Err(AddressError {
                text: text.trim().to_owned(),
                problem: "stands in the list already",
                advice: "write each address once",
            });
        }
        list.push(address);
        Ok(())
    }

    /// Returns the address as it is compared with others: in lower case.
    #[must_use]
    pub fn folded(&self) -> Self {
        let mut folded = self.clone();
        if folded.host.bytes().any(|it| it.is_ascii_uppercase()) {
            folded.host = folded.host.to_ascii_lowercase().into();
        }
        folded
    }

    /// Returns whether both are one: names of hosts are not told apart by their case.
    pub fn is_same(&self, other: &Self) -> bool {
        self.port == other.port && self.host.eq_ignore_ascii_case(&other.host)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_people_write_them() {
        for (text, shown) in [
            ("db1", "db1:48004"),
            (" db1:5 ", "db1:5"),
            ("10.0.0.1:48005", "10.0.0.1:48005"),
            ("[::1]", "[::1]:48004"),
            ("[fe80::1]:9", "[fe80::1]:9"),
        ] {
            assert_eq!(Address::parse(text, 48_004).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn a_list_has_each_address_once() {
        let mut list = Vec::new();
        Address::parse_into(&mut list, "db1, db2", 1).unwrap_err();
        for text in ["db1", " DB1:1", "", " ", "db1:2"] {
            // What is refused changes nothing.
            let _ = Address::parse_into(&mut list, text, 1);
        }
        let shown: Vec<_> = list.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["db1:1", "db1:2"]);
        assert_eq!(
            Address::parse_into(&mut list, "DB1:2", 1)
                .unwrap_err()
                .to_string(),
            "`DB1:2` stands in the list already; write each address once"
        );
    }

    #[test]
    fn nonsense_is_refused_with_what_is_wrong_and_what_would_be_right() {
        for text in [
            "",
            ":1",
            "db1:",
            "db1:0",
            "db1:65536",
            "db1:+1",
            "::1",
            "[::1",
            "[db1]:1",
            "[::1]x",
            "a b",
            "db1:1:2",
        ] {
            let error = Address::parse(text, 48_004).unwrap_err().to_string();
            assert!(error.contains("write HOST"), "{text}: {error}");
        }
    }
}
