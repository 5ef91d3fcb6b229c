//! What the words mean in which an agent says that a start came to nothing.
//!
//! The domain knows no codes, so words are all there is. What nobody knows costs a try like any
//! failure.

/// What follows from a failed start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Meaning {
    /// Something left over holds the archive: trying again does not help.
    ArchiveInUse,
    /// The engine does not understand how it is started, anywhere.
    BadOption,
    /// It cannot run on that host.
    HostOut,
    /// The agent starts nothing just yet.
    NotReady,
    /// Nobody knows: it may be better elsewhere.
    Unknown,
}

/// Words, and what they mean.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reason {
    /// The words, somewhere in what the agent says; capitals do not matter.
    pub contains: String,
    /// What follows.
    pub means: Meaning,
}

/// What agents are known to say.
const KNOWN: [(&str, Meaning); 8] = [
    ("archive is already in use", Meaning::ArchiveInUse),
    ("processbarrier", Meaning::NotReady),
    ("waiting to be ready to start", Meaning::NotReady),
    ("permission denied", Meaning::HostOut),
    ("no such file or directory", Meaning::HostOut),
    ("unrecognized option", Meaning::BadOption),
    ("unknown option", Meaning::BadOption),
    ("invalid option", Meaning::BadOption),
];

impl Meaning {
    /// Every meaning.
    pub const ALL: [Self; 5] = [
        Self::ArchiveInUse,
        Self::BadOption,
        Self::HostOut,
        Self::NotReady,
        Self::Unknown,
    ];

    /// Returns the word that operators write.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ArchiveInUse => "archive-in-use",
            Self::BadOption => "bad-option",
            Self::HostOut => "host-out",
            Self::NotReady => "not-ready",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the meaning of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

    /// Returns what it means that a start failed with these words, by the first of `reasons` that
    /// occurs in them, or else by what agents are known to say.
    pub fn of(words: &str, reasons: &[Reason]) -> Self {
        let words = words.to_ascii_lowercase();
        let own = reasons.iter();
        let mut own = own.map(|it| (it.contains.to_ascii_lowercase(), it.means));
        if let Some((_, means)) = own.find(|(contains, _)| words.contains(contains)) {
            return means;
        }
        let known = KNOWN.into_iter().find(|(it, _)| words.contains(it));
        known.map_or(Self::Unknown, |(_, means)| means)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_what_the_configuration_says_and_else_what_is_known() {
        let says = "Unable to create archive directory: Permission denied";
        assert_eq!(Meaning::of(says, &[]), Meaning::HostOut);
        assert_eq!(Meaning::of("Killed", &[]), Meaning::Unknown);
        let own = [Reason {
            contains: "permission".to_owned(),
            means: Meaning::Unknown,
        }];
        assert_eq!(Meaning::of(says, &own), Meaning::Unknown);
        for meaning in Meaning::ALL {
            assert_eq!(Meaning::named(meaning.as_str()), Some(meaning));
        }
    }
}
