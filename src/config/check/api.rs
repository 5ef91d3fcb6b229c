//! The API over TCP: where it is served, and who is let in.

use std::net::SocketAddr;

use zeroize::Zeroizing;

use super::password::read_from;
use crate::api::{Role, TcpSettings, Token};
use crate::config::file::Node;
use crate::config::keys;
use crate::config::section::{Report, Section, Wrong};
use crate::config::value;
use crate::transport::{TlsServer, TlsServerSettings};

/// Checks the table, if there is one.
pub(super) fn check(
    report: &mut Report,
    top: &Section<'_>,
    variable: &dyn Fn(&str) -> Option<String>,
    withhold: &mut Vec<String>,
) -> Option<TcpSettings> {
    let section = top.table(report, "api", &keys::API)?;
    let listen = section.required(report, "listen", address);
    let (tls, certificates) = check_tls(report, &section);
    let sections = section.tables(report, "token", &keys::API_TOKEN);
    let names = super::check_names(report, &sections, value::own_name);
    let tokens = sections.iter().zip(&names);
    let tokens: Vec<Token> = tokens
        .filter_map(|(it, name)| check_token(report, it, name, variable, withhold))
        .collect();
    let hosts = section.list(report, "hosts", value::own_name);
    let listen = listen?;
    let asks = tls.as_ref().is_some_and(|it| it.client_ca.is_some());
    if !listen.ip().is_loopback() {
        if sections.is_empty() && !asks {
            let problem = "is not on loopback, and nobody could be let in there";
            let advice = "add an [[api.token]], or `client-ca` to `tls`";
            section.complain(report, "listen", Wrong::new(problem, advice));
        }
        if tls.is_none() {
            let problem = "is not on loopback, and tokens travel there in the clear";
            let advice = "add `tls`, unless something else protects them";
            section.doubt(report, "listen", Wrong::new(problem, advice));
        }
    }
    Some(TcpSettings {
        listen,
        tls,
        certificates,
        hosts: hosts.unwrap_or_default(),
        tokens,
    })
}

fn address(node: &Node) -> Result<SocketAddr, Wrong> {
    let text = value::text(node)?;
    text.parse().map_err(|_| {
        let advice = "write an address and a port, such as \"127.0.0.1:8674\" or \"[::1]:8674\"";
        Wrong::new(format!("`{text}` is no address of a socket"), advice)
    })
}

fn role(node: &Node) -> Result<Role, Wrong> {
    let roles = Role::ALL.map(|it| (it.as_str(), it));
    value::choice(&roles)(node)
}

fn check_tls(report: &mut Report, parent: &Section<'_>) -> (Option<TlsServerSettings>, Role) {
    let mut certificates = Role::Viewer;
    let Some(section) = parent.table(report, "tls", &keys::API_TLS) else {
        return (None, certificates);
    };
    let before = report.len();
    let cert = section.required(report, "cert", value::path);
    let key = section.required(report, "key", value::path);
    let client_ca = section.optional(report, "client-ca", value::path);
    section.set(report, "client-role", &mut certificates, role);
    if section.node("client-role").is_some() && section.node("client-ca").is_none() {
        let problem = "says what clients with a certificate may do, and none is asked for";
        let advice = "add `client-ca`, or leave it out";
        section.complain(report, "client-role", Wrong::new(problem, advice));
    }
    let tls = cert.zip(key).map(|(cert, key)| TlsServerSettings {
        cert,
        key,
        client_ca,
    });
    if report.len() == before
        && let Some(tls) = &tls
        && let Err(error) = TlsServer::load(tls)
    {
        parent.complain(report, "tls", Wrong::of(&error));
    }
    (tls, certificates)
}

fn check_token(
    report: &mut Report,
    section: &Section<'_>,
    name: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    withhold: &mut Vec<String>,
) -> Option<Token> {
    let role = section.required(report, "role", role);
    let secret = section.demand(report, "secret").then_some(section);
    let secret = secret.and_then(|it| it.table(report, "secret", &keys::API_SECRET));
    let secret = secret.and_then(|it| read_from(report, &it, "the token", variable, withhold));
    let (role, secret) = role.zip(secret)?;
    let token = Token::new(name, role, &Zeroizing::new(secret));
    if token.is_none() {
        let advice = "write 16 bytes or more, such as `openssl rand -hex 32` makes";
        let wrong = Wrong::new("has a token that can be guessed", advice);
        section.complain(report, "secret", wrong);
    }
    token
}
