//! Every key there is, with what it means: the one table that the reference is generated from and
//! that unknown keys are found by.
//!
//! The defaults told here are told to people; a test shows that they are the ones in force.

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

/// Makes the keys of a table from `"name" Form(..), "what it means";`.
macro_rules! keys {
    ($($name:literal $form:ident($($argument:expr),*), $doc:literal;)*) => {
        &[$(Key { name: $name, doc: $doc, form: Form::$form($($argument),*) },)*]
    };
}

pub(super) static TOP: Table = Table {
    path: "",
    doc: "",
    keys: keys! {
        "daemon" Section(&DAEMON), "";
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
             be told what they were not told yet.";
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

pub(super) static DOMAIN: Table = Table {
    path: "domain",
    doc: "A domain to watch. There may be several.",
    keys: keys! {
        "name" Required("\"prod\""),
            "What the domain is called here: in events, logs and file names.";
        "kind" Default("\"nuodb\""),
            "Which protocol it speaks: \"nuodb\" is that of NuoDB's agents and brokers.";
        "brokers" Required("[\"db1:48004\", \"db2:48004\"]"),
            "The brokers to begin with: a list, or text with commas. The \
             port is 48004 if none is given; IPv6 addresses stand in brackets.";
        "strategy" Default("\"fallback\""),
            "Which broker is tried next: \"fallback\" tries them in their order, \"round-robin\" \
             goes on behind the last one, \"random\" takes any. Brokers that the domain tells of \
             come after these.";
        "user" Required("\"domain\""),
            "The account that the daemon logs in with.";
        "password" RequiredTable(&PASSWORD, "{ env = \"DBWARDEN_PASSWORD\" }"),
            "Where its password comes from: exactly one of these.";
        "tls" ExampleTable(&TLS, "{ ca = \"/etc/dbwarden/ca.pem\" }"),
            "Speaks TLS with the domain. Without this table there is none; an empty one, {}, \
             trusts what the system trusts.";
        "allow-legacy-ciphers" Default("false"),
            "Accepts RC4 without TLS, which old agents know only. It protects little.";
        "frame-limit" Default("\"256MiB\""),
            "The longest message that is accepted from the domain.";
        "dial-timeout" Default("\"10s\""),
            "How long a connection may take to stand, handshakes included.";
        "probe-interval" Default("\"10s\""),
            "How long the broker may be silent before it is asked whether it still lives.";
        "probe-misses" Default("3"),
            "So many unanswered questions in a row mean that the session is lost.";
        "reconnect-first" Default("\"500ms\""),
            "The pause before a lost session is tried again. It doubles with each failure.";
        "reconnect-max" Default("\"30s\""),
            "The longest such pause.";
        "exit-settle" Default("\"50ms\""),
            "How far apart the loss of a peer and the ends of its processes may be told and still \
             belong together.";
        "settle" Default("\"2s\""),
            "How long the membership of the domain must have been quiet after connecting before \
             anything is started.";
        "database" Sections(&DATABASE), "";
        "peer" Sections(&PEER), "";
    },
};

pub(super) static PASSWORD: Table = Table {
    path: "domain.password",
    doc: "",
    keys: keys! {
        "file" Example("\"/etc/dbwarden/prod.password\""),
            "A file that only its owner may read; a line feed at its end does not count.";
        "credential" Example("\"prod\""),
            "A credential that the service manager hands out (LoadCredential= in the unit).";
        "env" Example("\"DBWARDEN_PASSWORD\""),
            "An environment variable of the daemon; programs of listeners do not get it.";
        "prompt" Example("true"),
            "Asks for it on the terminal when the daemon starts; a reload keeps what was typed.";
    },
};

pub(super) static TLS: Table = Table {
    path: "domain.tls",
    doc: "",
    keys: TLS_KEYS,
};

const TLS_KEYS: &[Key] = keys! {
    "ca" Example("\"/etc/dbwarden/ca.pem\""),
        "The certificates to trust, in PEM form. Without it, those that the system trusts.";
    "cert" Example("\"client.pem\""),
        "Our own certificate, where the other side asks for one; goes together with `key`.";
    "key" Example("\"client.key\""),
        "Its key, in a file that only its owner may read.";
    "verify-name" Default("true"),
        "Whether a certificate must carry the name that was dialled. Where a whole domain \
         shares one certificate, it cannot.";
};

pub(super) static DATABASE: Table = Table {
    path: "domain.database",
    doc: "A database of the domain just above, as far as there is something to say about it.",
    keys: keys! {
        "name" Required("\"teas\""),
            "What the database is called in its domain.";
        "te-options" Example("[[\"--mem\", \"2g\"], [\"--verbose\", \"info\"]]"),
            "With which options transaction engines are started: each an option with its value, \
             or an option alone. Where this is not known, a start is only suggested; [] is an \
             answer.";
    },
};

pub(super) static PEER: Table = Table {
    path: "domain.peer",
    doc: "A peer of the domain just above, as far as there is something to say about it.",
    keys: keys! {
        "name" Required("\"db1\""),
            "What the peer is called here: in events, commands and the journal.";
        "dial" Example("\"10.0.0.1:48004\""),
            "Where its agent is dialled, whatever address the domain tells.";
        "aliases" Example("[\"db1.example:48004\", \"192.168.0.1\"]"),
            "The addresses under which it may be seen.";
        "labels" Example("{ region = \"eu\", zone = \"a\" }"),
            "What it is, for placement: any names and values.";
    },
};

pub(super) static POLICY: Table = Table {
    path: "policy",
    doc: "How lost processes are replaced. There may be several; for each database the first one \
          that applies counts. Without any, nothing is started.",
    keys: keys! {
        "domains" Default("[\"*\"]"),
            "The domains it applies to; * stands for any run of characters.";
        "databases" Default("[\"*\"]"),
            "The databases it applies to; * stands for any run of characters.";
        "roles" Default("[\"te\"]"),
            "What is healed: transaction engines. Storage managers are told of, not started.";
        "keep" Default("\"observed\""),
            "What is wanted: \"observed\" keeps what ran for min-uptime, and what `te` says; \
             \"declared\" keeps what `te` says only.";
        "te" ExampleTable(&BOUNDS, "{ min = 2, max = 3 }"),
            "How many transaction engines each database has.";
        "stages" Default("[{ where = \"here\", tries = 2 }, { where = \"elsewhere\" }]"),
            "Where a lost process is started again, one stage after the other: \"here\" is the \
             peer it ran on, \"elsewhere\" is any other. Without `tries` a stage has one try on \
             each peer that it allows.";
        "after-stages" Default("\"slow\""),
            "What comes after the last stage: \"slow\" goes on at long intervals, \"hold\" waits \
             for a person.";
        "slow-interval" Default("\"10m\""),
            "How long those intervals are.";
        "min-uptime" Default("\"30s\""),
            "A process that ran for this long is wanted, and its next start is not delayed.";
        "start-timeout" Default("\"30s\""),
            "Nothing heard of a start for this long means that it failed.";
        "return-grace" Default("\"20s\""),
            "How long a peer must have been there before anything is started on it, and how long \
             the processes of a returned peer have to show themselves.";
        "unreachable-grace" Default("\"30s\""),
            "How long a peer must be unreachable before what ran there is started elsewhere.";
        "confirm-for" Default("\"10s\""),
            "When several processes of a database end together it may be somebody's wish: so long \
             is waited to see.";
        "strict-siblings" Default("false"),
            "Starts nothing elsewhere while the process it would replace may live on unseen.";
        "healthy-after" Default("\"10m\""),
            "A process that ran for this long has its failures forgotten.";
        "delay-first" Default("\"1s\""),
            "The pause after the first failed start.";
        "delay-factor" Default("2"),
            "What each further pause is multiplied by.";
        "delay-max" Default("\"5m\""),
            "The longest pause.";
    },
};

pub(super) static BOUNDS: Table = Table {
    path: "policy.te",
    doc: "",
    keys: keys! {
        "min" Example("2"),
            "So many are kept, whatever was observed.";
        "max" Example("3"),
            "So many may be asked for.";
    },
};

pub(super) static STAGE: Table = Table {
    path: "policy.stages",
    doc: "",
    keys: keys! {
        "where" Required("\"here\""), "On the peer it ran on (here) or on any other (elsewhere).";
        "tries" Example("2"), "How often.";
    },
};

pub(super) static LISTENER: Table = Table {
    path: "listener",
    doc: "Somebody who is told what happens. There may be several. Without any, everything goes to \
          the log.",
    keys: keys! {
        "name" Required("\"log\""),
            "What the listener is called in the log.";
        "kind" Required("\"log\""),
            "\"log\" writes a line to the daemon's log; \"exec\" runs a program, with the event as \
             a line of JSON on its input and as DBWARDEN_* in its environment; \"pipe\" keeps a \
             program running, hands it such a line for each event and waits for its id; \
             \"webhook\" posts the JSON to an HTTP server; \"alertmanager\" keeps the alerts of \
             an Alertmanager.";
        "command" Example("[\"/usr/local/bin/page\", \"--team\", \"db\"]"),
            "For \"exec\" and \"pipe\": the program, by an absolute path, and its arguments. No \
             shell reads them. For \"exec\", exit code 0 means done, 64, 65, 77 and 78 mean \
             never, all else means try again. Others must not be able to change the program.";
        "may-request" Example("[\"start-te\"]"),
            "For \"exec\" and \"pipe\": what the program may ask for, by `dbwarden request` or in \
             its answer.";
        "url" Example("\"https://hooks.example.com/dbwarden\""),
            "For \"webhook\" and \"alertmanager\": the server, or where its address comes from if \
             there is a secret in it, such as { file = \"/etc/dbwarden/hook.url\" }. An \
             Alertmanager is named without the path of its interface.";
        "headers" Example("{ Authorization = { file = \"/etc/dbwarden/hook.token\" } }"),
            "For \"webhook\" and \"alertmanager\": headers to send along, each as text or as \
             where it comes from: a `file`, a `credential` or a variable in `env`. One that \
             carries a secret must come from there.";
        "tls" ExampleTable(&LISTENER_TLS, "{ ca = \"/etc/dbwarden/ca.pem\" }"),
            "For \"webhook\" and \"alertmanager\": what to trust and show where the address begins \
             with https. Without this table, what the system trusts.";
        "secret" ExampleTable(&LISTENER_SECRET, "{ file = \"/etc/dbwarden/hook.secret\" }"),
            "For \"webhook\": signs each body with HMAC-SHA256 in the header Dbwarden-Signature. \
             Where the secret comes from, exactly one of these.";
        "labels" Example("{ team = \"db\" }"),
            "For \"alertmanager\": labels that every alert has beside its own.";
        "resend-every" Example("\"1m\""),
            "For \"alertmanager\": how often alerts that fire are told again; without it, every \
             minute. It takes them for resolved when it has not heard of them for four times as \
             long.";
        "events" Default("[\"*\"]"),
            "Which events: by name, by group (peer, process, database, healing, domain, daemon), \
             or * for all.";
        "where" Example("'database == \"teas\" && !snapshot'"),
            "What else must be so of an event: an expression in CEL with the names of the JSON \
             form.";
        "severity" Default("\"info\""),
            "The least urgent events to tell: \"info\", \"warning\" or \"critical\".";
        "on-connect" Default("\"snapshot\""),
            "What to tell of the state that is found on connecting: \"snapshot\" tells all of it, \
             \"changes\" only what happens from then on.";
        "deliver" Default("\"every\""),
            "Which events about one database, peer or domain are told when several wait: \"every\" \
             one, in order, or only the \"latest\".";
        "timeout" Default("\"60s\""),
            "How long telling one event may take. A program is then asked to end, and killed two \
             seconds later, with all that it started.";
        "concurrency" Default("1"),
            "How many events may be told at once, never two about the same.";
        "batch" Example("256"),
            "For \"pipe\", \"webhook\" and \"alertmanager\": how many events are told together \
             at most. Without it, 256; for \"webhook\", 1; with more than that it is posted \
             lists.";
        "best-effort" Default("false"),
            "Whether it is also told, without a number and maybe in vain, while the journal cannot \
             be written.";
        "heartbeat" Example("\"1m\""),
            "How often it is told a `heartbeat` while the daemon is well, whatever `events` says.";
        "retry" DefaultTable(&RETRY, "{ tries = 10, first = \"1s\", max = \"5m\" }"),
            "What happens when telling fails.";
    },
};

/// Where a listener's secret comes from.
const SOURCES: &[Key] = keys! {
    "file" Example("\"/etc/dbwarden/hook.secret\""),
        "A file that only its owner may read; a line feed at its end does not count.";
    "credential" Example("\"hook\""),
        "A credential that the service manager hands out (LoadCredential= in the unit).";
    "env" Example("\"HOOK_SECRET\""),
        "An environment variable of the daemon; programs of listeners do not get it.";
};

pub(super) static LISTENER_URL: Table = Table {
    path: "listener.url",
    doc: "",
    keys: SOURCES,
};

pub(super) static LISTENER_HEADER: Table = Table {
    path: "listener.headers",
    doc: "",
    keys: SOURCES,
};

pub(super) static LISTENER_SECRET: Table = Table {
    path: "listener.secret",
    doc: "",
    keys: SOURCES,
};

pub(super) static LISTENER_TLS: Table = Table {
    path: "listener.tls",
    doc: "",
    keys: TLS_KEYS,
};

pub(super) static RETRY: Table = Table {
    path: "listener.retry",
    doc: "",
    keys: keys! {
        "tries" Default("10"),
            "How many tries an event gets.";
        "first" Default("\"1s\""),
            "The pause after the first failure; it doubles with each further one.";
        "max" Default("\"5m\""),
            "The longest pause.";
    },
};
