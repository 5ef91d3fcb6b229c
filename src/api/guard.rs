//! Stands before every request over TCP: is it from where it seems, who asks, and may they.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, FORWARDED, HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::watch;

use super::access::{Role, TcpSettings, Token, find};
use super::asker::{LISTENER_HEADER, User};
use super::refusal::Refusal;

/// What anybody may ask.
const OPEN: &str = "/live";

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// What a proxy adds for whom it asks. Whoever is behind it may be anywhere.
const CARRIED: [HeaderName; 3] = [
    FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
];

/// By which names this machine is reached from itself.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// What the guard of one connection knows.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) settings: Arc<TcpSettings>,
    pub(super) tokens: watch::Receiver<Arc<[Token]>>,
    /// By what the certificate of the client is known, if it showed one.
    pub(super) certificate: Option<Arc<str>>,
    /// Whether the client is on this machine, and so are we.
    pub(super) is_local: bool,
}

/// Lets a request pass, or answers it.
pub(super) async fn guard(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    match guard.admit(request.method(), request.uri().path(), request.headers()) {
        Ok((name, role)) => {
            // A listener is a program of ours, and has the socket.
            request.headers_mut().remove(LISTENER_HEADER);
            request.extensions_mut().insert(User::Remote(name));
            request.extensions_mut().insert(role);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

impl Guard {
    /// Returns who asks, and what they may do, if they may ask this.
    fn admit(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<(Arc<str>, Role), Refusal> {
        self.check_place(headers)?;
        let is_ours = self.is_local && self.is_ours(host(headers)) && !is_carried(headers);
        let attempted = format!("answer `{path}`");
        let (name, role) = match self.asker(headers, &attempted)? {
            Some(known) => known,
            None if is_ours => ("anybody on this machine".into(), Role::Viewer),
            None if path == OPEN => ("anybody".into(), Role::Viewer),
            None => {
                let status = StatusCode::UNAUTHORIZED;
                let problem = "nobody is let in without a token";
                let advice = "send `Authorization: Bearer TOKEN` with one of the configuration";
                return Err(Refusal::new(status, attempted, problem, advice));
            }
        };
        let looks = [Method::GET, Method::HEAD].contains(method);
        match role {
            Role::Operator => Ok((name, role)),
            Role::Viewer if looks => Ok((name, role)),
            Role::Viewer => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                attempted,
                format!("{name} may look, and not change anything"),
                "show the token of an operator, or use the daemon's socket",
            )),
        }
    }

    /// Returns who asks, as far as they show it.
    fn asker(
        &self,
        headers: &HeaderMap,
        attempted: &str,
    ) -> Result<Option<(Arc<str>, Role)>, Refusal> {
        if let Some(shown) = headers.get(AUTHORIZATION) {
            let token = shown.as_bytes().split_at_checked("Bearer ".len());
            let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
            let tokens = self.tokens.borrow();
            let found = token.and_then(|(_, token)| find(&tokens, token));
            let found = found.map(|it| (Arc::from(it.name.as_str()), it.role));
            return found.map(Some).ok_or_else(|| {
                let status = StatusCode::UNAUTHORIZED;
                let advice = "send `Authorization: Bearer TOKEN` with one of the configuration";
                Refusal::new(status, attempted, "this is no token of ours", advice)
            });
        }
        let certificate = self.certificate.clone();
        Ok(certificate.map(|it| (it, self.settings.certificates)))
    }

    /// Refuses what a page from elsewhere has a browser on this machine send.
    fn check_place(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let text = |name: HeaderName| text(headers, &name);
        let host = host(headers);
        if self.is_local && !self.is_ours(host) && !self.is_known(host) {
            let problem = format!(
                "`{}` is not what this machine is called",
                host.escape_debug()
            );
            let advice = "ask for localhost, or add the name to `hosts` in [api]";
            return Err(elsewhere(problem, advice));
        }
        let from = text(ORIGIN).map(|it| it.split_once("://").map_or(it, |(_, host)| host));
        let is_foreign = text(FETCH_SITE).is_some_and(|it| it == "cross-site")
            && text(FETCH_MODE).is_none_or(|it| it != "navigate");
        if is_foreign || from.is_some_and(|it| !it.eq_ignore_ascii_case(host)) {
            let problem = "a page from elsewhere asks".to_owned();
            return Err(elsewhere(problem, "open the page of the daemon itself"));
        }
        Ok(())
    }

    /// Returns whether this is what a machine is called by itself.
    fn is_ours(&self, host: &str) -> bool {
        let listen = match self.settings.listen.ip() {
            IpAddr::V4(it) => it.to_string(),
            IpAddr::V6(it) => format!("[{it}]"),
        };
        let mut names = LOCAL_NAMES.into_iter().chain([listen.as_str()]);
        names.any(|it| it.eq_ignore_ascii_case(name_in(host)))
    }

    /// Returns whether this is what we are called by others, such as a proxy on this machine.
    fn is_known(&self, host: &str) -> bool {
        let mut names = self.settings.hosts.iter();
        names.any(|it| it.eq_ignore_ascii_case(name_in(host)))
    }
}

/// Returns whether a proxy says that it asks for somebody else.
fn is_carried(headers: &HeaderMap) -> bool {
    CARRIED.iter().any(|it| headers.contains_key(it))
}

/// Returns for whom the request is.
fn host(headers: &HeaderMap) -> &str {
    text(headers, &HOST).unwrap_or_default()
}

/// Returns a header; what is no text is nothing that is known.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|it| it.to_str().unwrap_or("?"))
}

/// Returns a host without its port.
fn name_in(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

fn elsewhere(problem: String, advice: &str) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "answer that", problem, advice)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use zeroize::Zeroizing;

    use super::*;

    const SECRET: &str = "0123456789abcdef";

    fn beyond_loopback(certificate: Option<&str>) -> Guard {
        let secret = Zeroizing::new(SECRET.to_owned());
        let token = Token::new("ada", Role::Operator, &secret).expect("it is long enough");
        let settings = TcpSettings {
            listen: ([192, 0, 2, 1], 443).into(),
            tls: None,
            certificates: Role::Viewer,
            hosts: Vec::new(),
            tokens: Vec::new(),
        };
        Guard {
            settings: Arc::new(settings),
            // Whoever sent them is gone, and the last ones count.
            tokens: watch::Sender::new(Arc::from([token])).subscribe(),
            certificate: certificate.map(Into::into),
            is_local: false,
        }
    }

    fn status(guard: &Guard, method: &Method, path: &str, headers: &HeaderMap) -> u16 {
        let admitted = guard.admit(method, path, headers);
        admitted.map_or_else(|it| it.into_response().status().as_u16(), |_| 200)
    }

    #[test]
    fn beyond_loopback_nothing_but_whether_it_lives_is_told_without_a_token() {
        let (guard, mut headers) = (beyond_loopback(None), HeaderMap::new());
        assert_eq!(status(&guard, &Method::GET, "/live", &headers), 200);
        assert_eq!(status(&guard, &Method::POST, "/live", &headers), 403);
        for path in [
            "/ready",
            "/metrics",
            "/api/v1/status",
            "/",
            "/live/",
            "//live",
        ] {
            assert_eq!(status(&guard, &Method::GET, path, &headers), 401, "{path}");
        }
        for (shown, expected) in [
            (format!("Bearer {SECRET}"), 200),
            (format!("bearer {SECRET}"), 200),
            (format!("Bearer {SECRET}x"), 401),
            (format!("Basic {SECRET}"), 401),
            (SECRET.to_owned(), 401),
            (String::new(), 401),
        ] {
            let shown = HeaderValue::from_str(&shown).unwrap();
            headers.insert(AUTHORIZATION, shown.clone());
            let status = status(&guard, &Method::POST, "/api/v1/log", &headers);
            assert_eq!(status, expected, "{shown:?}");
        }
    }

    #[test]
    fn who_shows_a_certificate_has_the_role_of_those_who_do() {
        let (guard, headers) = (beyond_loopback(Some("certificate ab")), HeaderMap::new());
        assert_eq!(status(&guard, &Method::GET, "/metrics", &headers), 200);
        assert_eq!(status(&guard, &Method::POST, "/api/v1/log", &headers), 403);
    }

    #[test]
    fn who_comes_by_a_proxy_on_this_machine_is_not_on_this_machine() {
        let mut guard = beyond_loopback(None);
        guard.is_local = true;
        let settings = Arc::get_mut(&mut guard.settings).unwrap();
        settings.listen = "[::1]:1".parse().unwrap();
        settings.hosts = vec!["warden.example.com".to_owned()];
        let headers = |them: &[(HeaderName, &'static str)]| {
            let them = them.iter().cloned();
            them.map(|(name, it)| (name, HeaderValue::from_static(it)))
                .collect::<HeaderMap>()
        };
        let ask = |path, them: &[(HeaderName, &'static str)]| {
            status(&guard, &Method::GET, path, &headers(them))
        };
        for (host, expected) in [
            ("localhost", 200),
            ("LOCALHOST:1", 200),
            ("[::1]:1", 200),
            ("[::1]", 200),
            ("warden.example.com", 401),
            ("Warden.Example.com:443", 401),
            ("[::2]:1", 403),
            ("", 403),
        ] {
            assert_eq!(ask("/metrics", &[(HOST, host)]), expected, "{host}");
            let live = if expected == 403 { 403 } else { 200 };
            assert_eq!(ask("/live", &[(HOST, host)]), live, "{host}");
        }
        for carried in CARRIED {
            let carried = (carried, "192.0.2.7");
            assert_eq!(ask("/metrics", &[(HOST, "localhost"), carried]), 401);
        }
        let shown = (AUTHORIZATION, "Bearer 0123456789abcdef");
        assert_eq!(ask("/metrics", &[(HOST, "warden.example.com"), shown]), 200);
    }
}
