//! A domain: how it is reached, understood and healed.

use std::collections::BTreeSet;
use std::time::Duration;

use super::archive::Around;
use super::{archive, password, peer};
use crate::config::DomainSettings;
use crate::config::file::Node;
use crate::config::keys::{self, Table};
use crate::config::section::{Report, Section, Wrong};
use crate::config::value;
use crate::driver::nuodb::DriverSettings;
use crate::model::{self, DomainName};
use crate::nuodb::client::{self, Credentials};
use crate::nuodb::frame::{DEFAULT_LIMIT, LIMIT_BEFORE_AUTHENTICATION};
use crate::nuodb::pilot::{PilotSettings, Strategy};
use crate::nuodb::srp::Agreement;
use crate::policy::{Meaning, Pattern, Policy, Reason};
use crate::supervisor::{
    self, Budget, Experiment, HealerLimits, LeaseTerms, Mode, ProbeTerms, SignOfLife, StormLimits,
};
use crate::transport::{TlsClient, TlsClientSettings};

/// Lengths of messages have 31 bits; this is the largest round number of them.
const MAX_FRAME_LIMIT: usize = 1 << 30;

/// How often a broker is asked for descriptions.
const DESCRIPTIONS: Duration = Duration::from_secs(60);

/// What is known of a domain from elsewhere in the file.
pub(super) struct Given<'a> {
    pub(super) name: DomainName,
    pub(super) mode: Mode,
    pub(super) policies: &'a [Policy],
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
}

/// Reads when so many peers are lost that nothing is started.
fn check_storm(report: &mut Report, section: &Section<'_>, limits: &mut StormLimits) {
    if let Some(storm) = section.table(report, "storm", &keys::STORM) {
        storm.set(
            report,
            "percent",
            &mut limits.percent,
            value::number(0, 100),
        );
        storm.set(report, "peers", &mut limits.peers, value::number(1, 10_000));
        storm.set(report, "quiet", &mut limits.quiet, value::duration);
        storm.set(report, "pace", &mut limits.pace, value::duration);
        storm.set(report, "slow-for", &mut limits.slow_for, value::duration);
    }
}

/// Reads where the lease is that several daemons share.
fn check_lease(report: &mut Report, section: &Section<'_>) -> Option<LeaseTerms> {
    let lease = section.table(report, "lease", &keys::LEASE)?;
    let mut ttl = Duration::from_secs(30);
    lease.set(report, "ttl", &mut ttl, value::pause);
    let path = lease.required(report, "path", value::path)?;
    let Some(path) = path.to_str() else {
        let problem = "is no text, so it cannot be recorded";
        lease.complain(report, "path", Wrong::new(problem, "write another path"));
        return None;
    };
    let path = path.into();
    Some(LeaseTerms { path, ttl })
}

/// Reads how the ports of processes are tried.
fn check_probe(report: &mut Report, section: &Section<'_>) -> Option<ProbeTerms> {
    let probe = section.table(report, "process-probe", &keys::PROBE)?;
    let mut terms = ProbeTerms::default();
    probe.set(report, "every", &mut terms.every, value::pause);
    probe.set(report, "timeout", &mut terms.timeout, value::pause);
    probe.set(report, "misses", &mut terms.misses, value::number(1, 100));
    let signs = SignOfLife::ALL.map(|it| (it.as_str(), it));
    probe.set(report, "answer", &mut terms.answer, value::choice(&signs));
    let (timeout, every) = (("timeout", terms.timeout), ("every", terms.every));
    probe.check_order(report, timeout, every);
    Some(terms)
}

/// Reads what the words of agents mean.
fn check_reasons(report: &mut Report, section: &Section<'_>) -> Vec<Reason> {
    let meanings = Meaning::ALL.map(|it| (it.as_str(), it));
    let rows = section.tables(report, "reason", &keys::REASON);
    let rows = rows.iter().filter_map(|it| {
        let contains = it.required(report, "contains", value::text);
        let means = it.required(report, "means", value::choice(&meanings));
        let (contains, means) = contains.zip(means)?;
        Some(Reason { contains, means })
    });
    rows.collect()
}

/// Checks a domain.
pub(super) fn check(
    report: &mut Report,
    section: &Section<'_>,
    given: &Given<'_>,
    withhold: &mut Vec<String>,
) -> DomainSettings {
    let kinds = [("nuodb", ())];
    section.optional(report, "kind", value::choice(&kinds));
    let policies: Vec<Policy> = given
        .policies
        .iter()
        .filter(|policy| {
            policy
                .domains
                .iter()
                .any(|it| it.matches(given.name.as_str()))
        })
        .cloned()
        .collect();
    let longest = |pick: fn(&Policy) -> Duration| policies.iter().map(pick).max();

    let tls = check_tls(report, section, &keys::TLS);
    let mut pilot = check_pilot(report, section, given, withhold);
    pilot.client.inside_tls = tls.is_some();
    // The driver must not give a start up before the policy does.
    if let Some(timeout) = longest(|it| it.start_timeout) {
        pilot.start_timeout = timeout;
    }

    let mut model = model::Settings {
        peers: peer::check_peers(report, section),
        ..model::Settings::default()
    };
    pilot.dials = model::dials(&model.peers);
    section.set(
        report,
        "exit-settle",
        &mut model.exit_settle,
        value::duration,
    );
    let retire_after = &mut model.retire_after;
    section.set(report, "retire-brokers-after", retire_after, value::pause);
    if let Some(grace) = longest(|it| it.return_grace) {
        model.return_grace = grace;
    }

    let around = Around {
        peers: &model.peers,
        variable: given.variable,
        withhold,
    };
    let databases = archive::check(report, section, around);
    let mut supervisor = supervisor::Settings {
        mode: given.mode,
        policies,
        te_options: databases.te_options,
        archives: databases.archives,
        ..supervisor::Settings::new(given.name.clone())
    };
    check_limits(report, section, &mut supervisor);
    supervisor.prepare_timeout = pilot.dial_timeout + supervisor.waits.report_slack;
    model.settle = supervisor.settle;
    DomainSettings {
        name: given.name.clone(),
        driver: DriverSettings { pilot, tls },
        model,
        supervisor,
    }
}

/// Reads what limits the healer in the whole domain.
fn check_limits(report: &mut Report, section: &Section<'_>, supervisor: &mut supervisor::Settings) {
    section.set(report, "settle", &mut supervisor.settle, value::duration);
    let clock_jump = &mut supervisor.clock_jump;
    section.set(report, "clock-jump", clock_jump, value::pause);
    let settle_max = &mut supervisor.settle_max;
    section.set(report, "settle-max", settle_max, value::duration);
    for (key, target) in supervisor.waits.each_mut() {
        section.set(report, key, target, value::pause);
    }
    check_storm(report, section, &mut supervisor.storm);
    let Budget {
        max_actions,
        window,
    } = &mut supervisor.budget;
    section.set(report, "max-actions", max_actions, value::number(1, 1_000));
    section.set(report, "action-window", window, value::pause);
    let HealerLimits { starts, window } = &mut supervisor.healer;
    section.set(report, "healer-starts", starts, value::number(1, 1_000));
    section.set(report, "healer-window", window, value::pause);
    let pattern = |node: &Node| value::name(node).map(|it| Pattern::from(it.as_str()));
    supervisor.lease = check_lease(report, section);
    supervisor.probe = check_probe(report, section);
    supervisor.observe = section.list(report, "observe", pattern).unwrap_or_default();
    let leave_managed = &mut supervisor.leave_managed;
    section.set(report, "leave-managed", leave_managed, value::boolean);
    supervisor.reasons = check_reasons(report, section);
    supervisor.experiments = check_experiments(report, section);
}

/// Reads what rests on a protocol that nobody confirmed, and says so.
fn check_experiments(report: &mut Report, section: &Section<'_>) -> BTreeSet<Experiment> {
    let choices = Experiment::ALL.map(|it| (it.as_str(), it));
    let known = section.list(report, "experimental", value::choice(&choices));
    let known: BTreeSet<Experiment> = known.unwrap_or_default().into_iter().collect();
    for it in &known {
        let problem = format!(
            "has \"{}\", which rests on unconfirmed protocol",
            it.as_str()
        );
        let advice = "try it on a domain that nobody needs, or leave it out";
        section.doubt(report, "experimental", Wrong::new(problem, advice));
    }
    known
}

/// Checks everything that has to do with sessions.
fn check_pilot(
    report: &mut Report,
    section: &Section<'_>,
    given: &Given<'_>,
    withhold: &mut Vec<String>,
) -> PilotSettings {
    let brokers = peer::check_brokers(report, section);
    let user = section.required(report, "user", value::name);
    let password = password::check(report, section, given.variable, withhold);
    let mut client = client::Settings {
        credentials: Credentials {
            user: user.unwrap_or_default(),
            password,
        },
        inside_tls: false,
        allow_legacy_ciphers: false,
        frame_limit: DEFAULT_LIMIT,
        agreement: Agreement::default(),
    };
    let legacy = &mut client.allow_legacy_ciphers;
    section.set(report, "allow-legacy-ciphers", legacy, value::boolean);
    let size = value::size(LIMIT_BEFORE_AUTHENTICATION, MAX_FRAME_LIMIT);
    section.set(report, "frame-limit", &mut client.frame_limit, size);

    let mut pilot = PilotSettings::new(brokers, client);
    let strategies = [
        ("fallback", Strategy::Fallback),
        ("round-robin", Strategy::RoundRobin),
        ("random", Strategy::Random),
    ];
    let strategy = &mut pilot.strategy;
    section.set(report, "strategy", strategy, value::choice(&strategies));
    for (key, target) in [
        ("dial-timeout", &mut pilot.dial_timeout),
        ("probe-interval", &mut pilot.probe_interval),
        ("reconnect-first", &mut pilot.reconnect_first),
        ("reconnect-max", &mut pilot.reconnect_max),
    ] {
        section.set(report, key, target, value::pause);
    }
    let mut descriptions = DESCRIPTIONS;
    section.set(report, "ask-descriptions", &mut descriptions, value::pause);
    pilot.descriptions = Some(descriptions);
    let misses = &mut pilot.probe_misses;
    section.set(report, "probe-misses", misses, value::number(1, 100));
    section.check_order(
        report,
        ("reconnect-first", pilot.reconnect_first),
        ("reconnect-max", pilot.reconnect_max),
    );
    pilot
}

/// Reads the table of TLS and tries its files.
pub(super) fn check_tls(
    report: &mut Report,
    parent: &Section<'_>,
    table: &'static Table,
) -> Option<TlsClientSettings> {
    let section = parent.table(report, "tls", table)?;
    let before = report.len();
    let mut tls = TlsClientSettings {
        ca: section.optional(report, "ca", value::path),
        cert: section.optional(report, "cert", value::path),
        key: section.optional(report, "key", value::path),
        verify_name: true,
    };
    section.set(report, "verify-name", &mut tls.verify_name, value::boolean);
    if report.len() == before
        && let Err(error) = TlsClient::load(&tls)
    {
        parent.complain(report, "tls", Wrong::of(&error));
    }
    Some(tls)
}
