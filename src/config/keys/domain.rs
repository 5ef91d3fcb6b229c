//! The keys of a domain, its databases and its peers.

use super::{Form, Key, Table};

pub(in crate::config) static DOMAIN: Table = Table {
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
        "settle-max" Default("\"10s\""),
            "After connecting that quiet is waited for at most so long.";
        "clock-jump" Default("\"5s\""),
            "A clock that jumps, a turn of the daemon that is late or a machine that sleeps by \
             more than this: nothing is started before a fresh picture of the domain has settled.";
        "look-again" Default("\"1m\""),
            "Such a picture is asked for again when it does not come within this time.";
        "report-slack" Default("\"5s\""),
            "How much longer than `dial-timeout` or `start-timeout` the outcome of a start may \
             take to be told before it is looked for without.";
        "retire-brokers-after" Default("\"24h\""),
            "A broker that was lost so long ago does not count any more when it is asked whether \
             most brokers are in view.";
        "announced-for" Default("\"1m\""),
            "An end that somebody announced is as asked for if it comes within this time.";
        "maintenance-notice" Default("\"5m\""),
            "So long before the end of a maintenance it is told that it will end.";
        "storm"
            DefaultTable(&STORM, "{ percent = 30, peers = 2, quiet = \"60s\", pace = \"10s\", \
                                  slow-for = \"10m\" }"),
            "Nothing is started while so many peers were lost at once.";
        "max-actions" Default("20"),
            "So many starts at most, whatever they are for, are begun in `action-window`.";
        "action-window" Default("\"10m\""),
            "The time in which `max-actions` counts, by the slower of both clocks.";
        "healer-starts" Default("2"),
            "When starts of somebody else filled so many missed seats of a database within \
             `healer-window`, the database is left alone for that time.";
        "healer-window" Default("\"10m\""),
            "See `healer-starts`.";
        "lease" ExampleTable(&LEASE, "{ path = \"/shared/prod.lease\", ttl = \"30s\" }"),
            "Where several daemons watch the domain: only the one that has this lease starts \
             anything.";
        "process-probe"
            ExampleTable(&PROBE, "{ every = \"30s\", timeout = \"5s\", misses = 3, \
                                  answer = \"accept\" }"),
            "Tries the port of each process that runs, and tells of one that does not answer: \
             process_unresponsive. Nothing else is done about it. Without this table no port is \
             tried; an empty one, {}, is this one.";
        "observe" Default("[]"),
            "Databases that are watched and left alone, whatever the policies say, since somebody \
             else heals them; * stands for any run of characters.";
        "leave-managed" Default("true"),
            "Leaves alone, too, the databases that the domain manages itself by descriptions, as \
             NuoDB up to 2.x does. false if its enforcer is switched off for good.";
        "ask-descriptions" Default("\"1m\""),
            "How often a broker is asked which those are, besides at login.";
        "experimental" Default("[]"),
            "What rests on a protocol that nobody confirmed, and is off unless it is named here. \
             \"archive-history\": before a cold start the agents are asked which archive was used \
             last, and that one is started first.";
        "reason" Sections(&REASON), "";
        "database" Sections(&DATABASE), "";
        "peer" Sections(&PEER), "";
    },
};

pub(in crate::config) static PASSWORD: Table = Table {
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

pub(in crate::config) static TLS: Table = Table {
    path: "domain.tls",
    doc: "",
    keys: TLS_KEYS,
};

pub(super) const TLS_KEYS: &[Key] = keys! {
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

pub(in crate::config) static DATABASE: Table = Table {
    path: "domain.database",
    doc: "A database of the domain just above, as far as there is something to say about it.",
    keys: keys! {
        "name" Required("\"teas\""),
            "What the database is called in its domain.";
        "te-options" Example("[[\"--mem\", \"2g\"], [\"--verbose\", \"info\"]]"),
            "With which options transaction engines are started: each an option with its value, \
             or an option alone. The value of a password may come from elsewhere: { file = ... }, \
             { credential = ... } or { env = ... }. Where this is not known, a start is only \
             suggested; [] is an answer.";
        "archives" Example("[{ peer = \"db1:48004\", path = \"/data/teas\" }]"),
            "Where its archives are, and how storage managers are started on them: each has a \
             `peer` (the name of a [[domain.peer]], or an address) and a `path`, and may have a \
             `journal` (where its journal is, if not in it), `options` (further ones, as in \
             te-options) and a `group` (archives of one group keep the same data; those without \
             one are a group too). A storage manager is started there only, and only if all of \
             this is known.";
    },
};

pub(in crate::config) static ARCHIVE: Table = Table {
    path: "domain.database.archives",
    doc: "",
    keys: keys! {
        "peer" Required("\"db1:48004\""),
            "The peer that has it: the name of a [[domain.peer]], or an address.";
        "path" Required("\"/data/teas\""), "Where it is there.";
        "journal" Example("\"/journal/teas\""), "Where its journal is, if not in it.";
        "options" Example("[[\"--mem\", \"2g\"]]"),
            "Further options, as in te-options.";
        "group" Example("\"cold\""),
            "Archives of one group keep the same data; those without a name are one.";
    },
};

pub(in crate::config) static OPTION_SECRET: Table = Table {
    path: "domain.database.options",
    doc: "",
    keys: keys! {
        "file" Example("\"/etc/dbwarden/teas.password\""), "A file that only its owner may read.";
        "credential" Example("\"teas\""), "A credential that the service manager hands out.";
        "env" Example("\"TEAS_PASSWORD\""), "An environment variable of the daemon.";
    },
};

pub(in crate::config) static PEER: Table = Table {
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

pub(in crate::config) static STORM: Table = Table {
    path: "domain.storm",
    doc: "",
    keys: keys! {
        "percent" Default("30"),
            "More than this share of the peers, of a hundred,";
        "peers" Default("2"),
            "and at least so many of them, lost within `quiet`, are a storm.";
        "quiet" Default("\"60s\""),
            "A storm is over when no peer was lost for so long.";
        "pace" Default("\"10s\""),
            "After a storm there is one start in this time.";
        "slow-for" Default("\"10m\""),
            "That is so until all its peers are back, and for so long at most.";
    },
};

pub(in crate::config) static LEASE: Table = Table {
    path: "domain.lease",
    doc: "",
    keys: keys! {
        "path" Required("\"/shared/prod.lease\""),
            "A file on a disk that all of them reach, and whose locks all of them see.";
        "ttl" Default("\"30s\""),
            "A lease that was not renewed for so long is lost.";
    },
};

pub(in crate::config) static PROBE: Table = Table {
    path: "domain.process-probe",
    doc: "",
    keys: keys! {
        "every" Default("\"30s\""),
            "How often each port is tried. They are tried one after the other, spread over this \
             time.";
        "timeout" Default("\"5s\""),
            "How long an answer may take; no longer than `every`.";
        "misses" Default("3"),
            "So many tries in a row without an answer are told of.";
        "answer" Default("\"accept\""),
            "What counts as an answer. \"accept\": the port takes a connection, which is closed at \
             once. \"close\": besides, the process closes it when we have, which one that hangs \
             does not. Nothing is sent in either case.";
    },
};

pub(in crate::config) static REASON: Table = Table {
    path: "domain.reason",
    doc: "What agents say when a start comes to nothing, and what it means. The first that applies \
          counts, before what agents are known to say.",
    keys: keys! {
        "contains" Required("\"cannot allocate memory\""),
            "These words, somewhere in what the agent says; capitals do not matter.";
        "means" Required("\"host-out\""),
            "\"host-out\": not on that host again before its agent was away. \"not-ready\": again \
             after barrier-pause, and it was no try. \"bad-option\" and \"archive-in-use\": held \
             for a person. \"unknown\": a try like any other.";
    },
};
