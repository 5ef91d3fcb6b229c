//! Every key there is, with what it means: the one table that the reference is generated from and
//! that unknown keys are found by.
//!
//! The defaults told here are told to people; a test shows that they are the ones in force.

/// Makes the keys of a table from `"name" Form(..), "what it means";`.
macro_rules! keys {
    ($($name:literal $form:ident($($argument:expr),*), $doc:literal;)*) => {
        &[$(Key { name: $name, doc: $doc, form: Form::$form($($argument),*) },)*]
    };
}

mod api;
mod domain;
mod listener;
mod policy;

pub(super) use api::{API, API_SECRET, API_TLS, API_TOKEN};
pub(super) use domain::{
    ARCHIVE, DATABASE, DOMAIN, LEASE, OPTION_SECRET, PASSWORD, PEER, PROBE, REASON, STORM, TLS,
};
pub(super) use listener::{
    LISTENER, LISTENER_HEADER, LISTENER_SECRET, LISTENER_TLS, LISTENER_URL, RETRY,
};
pub(super) use policy::{BOUNDS, LEAST, POLICY, SHARE, STAGE};

/// A table of the file.
#[derive(Debug)]
pub(super) struct Table {
    /// Where it stands, from the top of the file; empty for the top itself.
    pub(super) path: &'static str,
    /// What it is for.
    pub(super) doc: &'static str,
    /// What may stand in it, in the order of the reference.
    pub(super) keys: &'static [Key],
}

/// A key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) form: Form,
}

/// What stands at a key, in TOML.
#[derive(Debug)]
pub(super) enum Form {
    /// A value; this one if there is none.
    Default(&'static str),
    /// A table in braces; its keys have these values if there is none.
    DefaultTable(&'static Table, &'static str),
    /// A value such as this; there need not be one.
    Example(&'static str),
    /// A table in braces such as this; there need not be one.
    ExampleTable(&'static Table, &'static str),
    /// A value such as this; there must be one.
    Required(&'static str),
    /// A table in braces such as this; there must be one.
    RequiredTable(&'static Table, &'static str),
    /// A table of its own, with its name in brackets.
    Section(&'static Table),
    /// Any number of tables of their own, each with its name in double brackets.
    Sections(&'static Table),
}

impl Table {
    /// Returns the key of that name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|it| it.name == name)
    }

    /// Returns the names of all keys.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.keys.iter().map(|it| it.name).collect()
    }

    /// Returns where the key of that name stands, from the top of the file.
    pub(super) fn path_to(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

impl Key {
    /// Returns the default or an example, in TOML.
    pub(super) fn literal(&self) -> &'static str {
        match &self.form {
            Form::Default(literal)
            | Form::DefaultTable(_, literal)
            | Form::Example(literal)
            | Form::ExampleTable(_, literal)
            | Form::Required(literal)
            | Form::RequiredTable(_, literal) => literal,
            Form::Section(_) | Form::Sections(_) => "",
        }
    }
}

pub(super) static TOP: Table = Table {
    path: "",
    doc: "",
    keys: keys! {
        "daemon" Section(&DAEMON), "";
        "api" Section(&API), "";
        "domain" Sections(&DOMAIN), "";
        "policy" Sections(&POLICY), "";
        "listener" Sections(&LISTENER), "";
    },
};

pub(super) static DAEMON: Table = Table {
    path: "daemon",
    doc: "The daemon itself.",
    keys: keys! {
        "state-directory" Default("\"/var/lib/dbwarden\""),
            "Where the daemon keeps what it must not forget. A path here and elsewhere that is not \
             absolute begins at the directory of this file, even if it stands in a file of conf.d.";
        "socket" Default("\"/run/dbwarden/dbwarden.sock\""),
            "Where the daemon listens for `dbwarden status` and its like. Only the daemon's own \
             user gets in.";
        "mode" Default("\"heal\""),
            "What the healer may do: \"heal\" starts what is missing, \"suggest\" only says what \
             it would start, \"observe\" does neither.";
        "log" DefaultTable(&LOG, "{ format = \"auto\", filter = \"info\" }"),
            "How the daemon writes its log, which goes to standard error or to the journal of \
             systemd.";
        "stop-grace" Default("\"10s\""),
            "How long everything may take when the daemon stops: sessions to end, and listeners to \
             be told what they were not told yet. At a reload, what goes or changes has as long.";
        "journal" Section(&JOURNAL), "";
    },
};

pub(super) static JOURNAL: Table = Table {
    path: "daemon.journal",
    doc: "The journals: one of each domain, and one of the daemon. These are the limits of each.",
    keys: keys! {
        "retain-for" Default("\"30d\""),
            "What is older than this is forgotten.";
        "retain-size" Default("\"1GiB\""),
            "The oldest is forgotten while a journal is larger than this.";
        "lag-limit" Default("1000000"),
            "So many events are kept for a listener that was not told them yet, whatever their \
             age; beyond that it is told of a gap.";
        "backup-every" Default("\"10s\""),
            "How often what must not be forgotten is written a second time, to facts.bak.";
        "probe-every" Default("\"1s\""),
            "How often a journal that cannot be written is tried again.";
        "quota" Example("\"4GiB\""),
            "A journal never grows beyond this: before it does, the disk counts as full, and \
             nothing is started until there is room again.";
    },
};

pub(super) static LOG: Table = Table {
    path: "daemon.log",
    doc: "",
    keys: keys! {
        "format" Default("\"auto\""),
            "\"human\" for people, \"json\" for one object per line, \"journald\" for the journal \
             of systemd with each value in a field of its own, \"auto\" for that where standard \
             error leads there and for people elsewhere.";
        "filter" Default("\"info\""),
            "Which lines are written: a level, or directives such as \
             \"info,dbwarden::driver=debug\". RUST_LOG in the environment wins over it.";
    },
};
