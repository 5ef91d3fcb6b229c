//! The keys of a policy.

use super::{Form, Key, Table};

pub(in crate::config) static POLICY: Table = Table {
    path: "policy",
    doc: "How lost processes are replaced. There may be several; for each database the first one \
          that applies counts. Without any, nothing is started.",
    keys: keys! {
        "domains" Default("[\"*\"]"),
            "The domains it applies to; * stands for any run of characters.";
        "databases" Default("[\"*\"]"),
            "The databases it applies to; * stands for any run of characters.";
        "roles" Default("[\"te\"]"),
            "What is healed: transaction engines (te), storage managers (sm), or both. For each \
             role of a database the first policy that applies counts.";
        "keep" Default("\"observed\""),
            "What is wanted: \"observed\" keeps what ran for min-uptime, and what `te` and `sm` \
             say; \"declared\" keeps what they say only.";
        "te" ExampleTable(&BOUNDS, "{ min = 2, max = 3 }"),
            "How many transaction engines each database has.";
        "sm" ExampleTable(&LEAST, "{ min = 1 }"),
            "How many storage managers each database has, of those whose archives are known.";
        "leftover" Default("\"hold\""),
            "What is done about a process that the domain forgot and that holds an archive: \
             \"hold\" waits for a person, \"kill\" ends it, if it is the one that sat there \
             last and another storage manager runs.";
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
        "barrier-pause" Default("\"10s\""),
            "An agent that says it is not ready to start anything is asked again after this time.";
        "strict-siblings" Default("false"),
            "Starts nothing elsewhere while the process it would replace may live on unseen.";
        "require" Example("{ region = \"eu\" }"),
            "Only peers with all of these labels are asked; see `labels` of a peer.";
        "prefer" Example("{ zone = \"a\" }"),
            "Peers with more of these labels are asked first, among those without a late failure.";
        "healthy-after" Default("\"10m\""),
            "A process that ran for this long has its failures forgotten.";
        "delay-first" Default("\"1s\""),
            "The pause after the first failed start.";
        "delay-factor" Default("2"),
            "What each further pause is multiplied by.";
        "delay-max" Default("\"5m\""),
            "The longest pause.";
        "last-pause" Default("\"10s\""),
            "The longest pause while no transaction engine of the database runs.";
        "ends-together" Default("\"5s\""),
            "Processes of a database that end so close together may have been ended by a person; \
             see confirm-for.";
        "failed-lately" Default("\"10m\""),
            "For so long a failure at a peer counts against it.";
        "late-for" Default("\"10m\""),
            "For so long a start of which nothing was heard may still come to life.";
        "check-for" Default("\"60s\""),
            "For so long a fresh picture is waited for before a start of which nothing was heard \
             is given up without one.";
        "ask-again" Default("\"10s\""),
            "An agent that answers us, though the domain lost it, is asked again after this time.";
        "blocked-after" Default("\"2m\""),
            "A slot for which nothing was done for so long is told of as blocked.";
        "request-patience" Default("\"10m\""),
            "So long what somebody asked for waits for its gates before it is given up.";
        "stuck-after" Default("\"10m\""),
            "A process that is starting and about which nothing changed for so long is told of as \
             stuck.";
        "held-again" Default("\"1h\""),
            "A held slot is told of again this often.";
    },
};

pub(in crate::config) static BOUNDS: Table = Table {
    path: "policy.te",
    doc: "",
    keys: keys! {
        "min" Example("2"),
            "So many are kept, whatever was observed.";
        "max" Example("3"),
            "So many may be asked for.";
        "per" Example("[{ labels = { region = \"eu\" }, min = 1 }]"),
            "So many of them (`min`) are kept at peers with certain labels (`labels`), whatever \
             was observed. There may be several; each engine counts for one.";
    },
};

pub(in crate::config) static SHARE: Table = Table {
    path: "policy.te.per",
    doc: "",
    keys: keys! {
        "labels" Required("{ region = \"eu\" }"), "All of these a peer must have.";
        "min" Required("1"), "So many are kept there, whatever was observed.";
    },
};

pub(in crate::config) static LEAST: Table = Table {
    path: "policy.sm",
    doc: "",
    keys: keys! {
        "min" Example("1"),
            "So many are kept, whatever was observed.";
    },
};

pub(in crate::config) static STAGE: Table = Table {
    path: "policy.stages",
    doc: "",
    keys: keys! {
        "where" Required("\"here\""), "On the peer it ran on (here) or on any other (elsewhere).";
        "tries" Example("2"), "How often.";
    },
};
