//! The keys of a listener.

use super::domain::TLS_KEYS;
use super::{Form, Key, Table};

pub(in crate::config) static LISTENER: Table = Table {
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

pub(in crate::config) static LISTENER_URL: Table = Table {
    path: "listener.url",
    doc: "",
    keys: SOURCES,
};

pub(in crate::config) static LISTENER_HEADER: Table = Table {
    path: "listener.headers",
    doc: "",
    keys: SOURCES,
};

pub(in crate::config) static LISTENER_SECRET: Table = Table {
    path: "listener.secret",
    doc: "",
    keys: SOURCES,
};

pub(in crate::config) static LISTENER_TLS: Table = Table {
    path: "listener.tls",
    doc: "",
    keys: TLS_KEYS,
};

pub(in crate::config) static RETRY: Table = Table {
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
