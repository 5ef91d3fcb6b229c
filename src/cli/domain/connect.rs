//! The flags that say which domain is meant and how it is reached.

use std::path::PathBuf;
use std::time::Duration;

use super::Failure;
use super::secret::{self, Source};
use crate::driver::nuodb::DriverSettings;
use crate::exchange::LossClass;
use crate::model::Address;
use crate::nuodb::client::{Credentials, Settings};
use crate::nuodb::pilot::PilotSettings;
use crate::nuodb::srp::Agreement;
use crate::transport::TlsClientSettings;

/// The port of an agent.
const PORT: u16 = 48_004;
/// The longest message of a broker: the snapshot of a domain of a million processes.
const FRAME_LIMIT: usize = 256 << 20;
/// Where the password is, unless a file is named.
const PASSWORD_VARIABLE: &str = "DBWARDEN_PASSWORD";

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct ConnectArgs {
    /// A broker of the domain; several are tried in order
    #[arg(
        long,
        global = true,
        value_name = "HOST[:PORT]",
        value_delimiter = ',',
        default_value = "localhost:48004",
        value_parser = address
    )]
    broker: Vec<Address>,
    /// The account to log in with
    #[arg(long, global = true, value_name = "NAME", default_value = "domain")]
    user: String,
    /// A file with its password, that nobody else can read
    #[arg(long, global = true, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Speak TLS and trust the CA in FILE (PEM)
    #[arg(long, global = true, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// Speak TLS and trust what the system trusts
    #[arg(long, global = true, conflicts_with = "tls_ca")]
    tls: bool,
    /// Show the certificate in FILE (PEM)
    #[arg(long, global = true, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate, in a file that nobody else can read (PEM)
    #[arg(long, global = true, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Accept a certificate of the CA for whatever name
    #[arg(long, global = true)]
    no_verify_name: bool,
    /// Accept RC4 without TLS, as old agents need it; it protects from nobody
    #[arg(long, global = true)]
    allow_legacy_ciphers: bool,
    /// How long to wait for a peer: to connect and log in, and for each answer
    #[arg(long, global = true, value_name = "TIME", default_value = "10s", value_parser = timeout)]
    timeout: Duration,
}

impl ConnectArgs {
    /// Returns the settings of a driver that waits so long for what becomes of a start.
    pub(super) fn settings(&self, wait: Option<Duration>) -> Result<DriverSettings, Failure> {
        let tls = self.is_tls().then(|| TlsClientSettings {
            ca: self.tls_ca.clone(),
            cert: self.tls_cert.clone(),
            key: self.tls_key.clone(),
            verify_name: !self.no_verify_name,
        });
        if tls.is_none() && (self.tls_cert.is_some() || self.no_verify_name) {
            let text = "--tls-cert, --tls-key and --no-verify-name are about TLS; \
                        give --tls-ca FILE or --tls with them";
            return Err(Failure::Usage(text.to_owned()));
        }
        let password = secret::read(&Source {
            file: self.password_file.as_deref(),
            flag: "--password-file",
            variable: PASSWORD_VARIABLE,
            prompt: &format!("Password of {}: ", self.user),
        })?;
        let client = Settings {
            credentials: Credentials {
                user: self.user.clone(),
                password,
            },
            inside_tls: tls.is_some(),
            allow_legacy_ciphers: self.allow_legacy_ciphers,
            frame_limit: FRAME_LIMIT,
            agreement: Agreement::default(),
        };
        let defaults = PilotSettings::new(self.broker.clone(), client);
        let pilot = PilotSettings {
            dial_timeout: self.timeout,
            answer_timeout: self.timeout,
            start_timeout: wait.unwrap_or_default().max(self.timeout),
            ..defaults
        };
        Ok(DriverSettings { pilot, tls })
    }

    /// Returns the brokers as a list for people.
    pub(super) fn brokers(&self) -> String {
        let brokers: Vec<_> = self.broker.iter().map(ToString::to_string).collect();
        brokers.join(", ")
    }

    /// Returns what a person could do about such a failure.
    pub(super) fn advice(&self, class: Option<LossClass>) -> Option<&'static str> {
        Some(match (class?, self.is_tls()) {
            (LossClass::Connection, false) => {
                "is an agent running there, and does it want TLS (--tls-ca)?"
            }
            (LossClass::Connection, true) => "is an agent running there, and does it speak TLS?",
            (LossClass::Denied, false) if !self.allow_legacy_ciphers => {
                "check --user and the password; \
                 an old agent may need --allow-legacy-ciphers, or better TLS (--tls-ca)"
            }
            (LossClass::Denied, false) => "check --user and the password",
            (LossClass::Denied, true) => {
                "check --tls-ca, the name in --broker (--no-verify-name forgives another one), \
                 --user and the password"
            }
            (LossClass::Protocol, false) => {
                "is that the management port of an agent, and does it want TLS (--tls-ca)?"
            }
            (LossClass::Protocol, true) => {
                "is that the management port of an agent, and does it speak TLS?"
            }
        })
    }

    fn is_tls(&self) -> bool {
        self.tls || self.tls_ca.is_some()
    }
}

fn address(text: &str) -> Result<Address, String> {
    Address::parse(text, PORT).map_err(|it| it.to_string())
}

/// Reads a time that is not zero.
fn timeout(text: &str) -> Result<Duration, String> {
    let time = wait(text)?;
    if time.is_zero() {
        return Err("nothing answers in no time; write a time such as 10s".to_owned());
    }
    Ok(time)
}

/// Reads a time such as `30s` or `1m 30s`; `0` is one too.
pub(super) fn wait(text: &str) -> Result<Duration, String> {
    if text.trim() == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|it| format!("{it}; write a time such as 30s"))
}
