//! The keys of the API over TCP.

use super::{Form, Key, Table};

pub(in crate::config) static API: Table = Table {
    path: "api",
    doc: "The API over TCP, beside the daemon's socket. Without this table there is none.",
    keys: keys! {
        "listen" Required("\"127.0.0.1:8674\""),
            "Where: an address of this machine, and a port. Beyond loopback there must be tokens, \
             or client certificates.";
        "hosts" Example("[\"dbwarden.example.com\"]"),
            "On loopback: by which names it is reached beside localhost and its address, such as \
             that of a proxy. By these nobody may look without a token; what asks for any other \
             is refused.";
        "tls" ExampleTable(&API_TLS, "{ cert = \"api.pem\", key = \"api.key\" }"),
            "What is shown and asked for over TLS. Without this table it is in the clear.";
        "token" Sections(&API_TOKEN), "";
    },
};

pub(in crate::config) static API_TLS: Table = Table {
    path: "api.tls",
    doc: "",
    keys: keys! {
        "cert" Required("\"/etc/dbwarden/api.pem\""),
            "The certificate that is shown, and its intermediates, in PEM form.";
        "key" Required("\"/etc/dbwarden/api.key\""),
            "Its key, in a file that only its owner may read.";
        "client-ca" Example("\"/etc/dbwarden/clients.pem\""),
            "The certificates that sign clients. With it, nobody gets in without one of theirs.";
        "client-role" Default("\"viewer\""),
            "What a client may do that shows such a certificate and no token: \"viewer\" or \
             \"operator\".";
    },
};

pub(in crate::config) static API_TOKEN: Table = Table {
    path: "api.token",
    doc: "Somebody who is let in over TCP. There may be several, and none on loopback.",
    keys: keys! {
        "name" Required("\"ada\""),
            "Who has the token: what they ask for is on record under this name.";
        "role" Required("\"operator\""),
            "\"viewer\" may look, \"operator\" do what people may at the daemon's socket.";
        "secret" RequiredTable(&API_SECRET, "{ env = \"DBWARDEN_TOKEN\" }"),
            "The token, of 16 bytes or more. Where it comes from, exactly one of these.";
    },
};

pub(in crate::config) static API_SECRET: Table = Table {
    path: "api.token.secret",
    doc: "",
    keys: keys! {
        "file" Example("\"/etc/dbwarden/ada.token\""),
            "A file that only its owner may read; a line feed at its end does not count.";
        "credential" Example("\"ada\""),
            "A credential that the service manager hands out (LoadCredential= in the unit).";
        "env" Example("\"DBWARDEN_TOKEN\""),
            "An environment variable of the daemon; programs of listeners do not get it.";
    },
};
