//! What a process does: the roles that NuoDB has, and room for those of other kinds of domains.
//!
//! What a role means for healing is told by a doctrine, not here.

use std::fmt;

/// What a process does in its database.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// Storage manager: keeps an archive.
    Sm,
    /// Transaction engine: serves SQL from memory.
    Te,
    /// A role of another kind of domain, or several in one process.
    Named(RoleName),
}

/// The longest name of a role, in bytes.
const LENGTH: usize = 30;

/// The name of a role, short and held in place.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RoleName {
    bytes: [u8; LENGTH],
    length: u8,
}

impl RoleName {
    /// Returns a name of 1 to 30 letters, digits, hyphens and plus signs, or nothing if it is none.
    pub const fn new(text: &str) -> Option<Self> {
        let given = text.as_bytes();
        if given.is_empty() || given.len() > LENGTH {
            return None;
        }
        let mut name = Self {
            bytes: [0; LENGTH],
            length: 0,
        };
        let mut index = 0;
        while index < given.len() {
            let byte = given[index];
            if !byte.is_ascii_alphanumeric() && byte != b'-' && byte != b'+' {
                return None;
            }
            name.bytes[index] = byte;
            name.length += 1;
            index += 1;
        }
        Some(name)
    }

    /// Returns the name as text.
    ///
    /// # Panics
    ///
    /// Never: it was made of ASCII.
    pub fn as_str(&self) -> &str {
        let bytes = &self.bytes[..usize::from(self.length)];
        std::str::from_utf8(bytes).expect("a name is made of ASCII only")
    }
}

impl fmt::Debug for RoleName {
    /// Writes the name alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Role {
    /// Returns the role as operators write it, such as `SM` or `TE`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sm => "SM",
            Self::Te => "TE",
            Self::Named(name) => name.as_str(),
        }
    }

    /// Returns the role of that name: `SM`, `TE`, or one of another kind of domain in lower case.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "SM" => Some(Self::Sm),
            "TE" => Some(Self::Te),
            _ if name.bytes().any(|it| it.is_ascii_uppercase()) => None,
            _ => RoleName::new(name).map(Self::Named),
        }
    }

    /// Returns the role in lower case, as seats are named by it: `te` in `te/1`.
    pub fn word(&self) -> &str {
        match self {
            Self::Sm => "sm",
            Self::Te => "te",
            Self::Named(name) => name.as_str(),
        }
    }

    /// Returns what a process of this role counts for: the role itself, and each of several that
    /// it has in one process, whose names a plus sign joins.
    pub fn parts(self) -> impl Iterator<Item = Self> {
        let several = match self {
            Self::Named(name) if name.as_str().contains('+') => Some(name),
            Self::Sm | Self::Te | Self::Named(_) => None,
        };
        let count = several.map_or(0, |name| name.as_str().split('+').count());
        let part = move |at: usize| {
            let name = several?;
            let part = name.as_str().split('+').nth(at)?;
            RoleName::new(part).map(Self::Named)
        };
        std::iter::once(self).chain((0..count).filter_map(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_known_by_its_name() {
        for name in ["SM", "TE", "press", "press+feeder", "a1-b"] {
            let role = Role::named(name).unwrap();
            assert_eq!(role.as_str(), name);
        }
        for name in ["", "XX", "Te", "a b", "näh", &"x".repeat(31)] {
            assert_eq!(Role::named(name), None, "{name}");
        }
    }

    #[test]
    fn a_process_of_several_roles_counts_for_each() {
        let words = |name| -> Vec<String> {
            let parts = Role::named(name).unwrap().parts();
            parts.map(|it| it.word().to_owned()).collect()
        };
        assert_eq!(words("TE"), ["te"]);
        assert_eq!(words("press"), ["press"]);
        assert_eq!(words("press+feeder"), ["press+feeder", "press", "feeder"]);
    }
}
