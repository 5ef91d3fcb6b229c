//! Metrics: what is told of a domain in trouble, read by a parser; and whether documentation,
//! alerts and dashboard speak of what there is.

use std::collections::{BTreeMap, BTreeSet};

use dbwarden::model::{Role, Sighting};
use dbwarden::telemetry::{Metric, MetricKind};

use super::addresses::parts;
use super::hostile::say;
use super::prod;
use super::standin::{StandIn, process};

/// Samples by their name and labels, as they were written.
type Samples = BTreeMap<String, String>;

/// Reads the text as both formats have it, and fails on whatever they forbid.
fn parse(text: &str, is_open: bool) -> Samples {
    let (mut samples, mut family, mut seen) = (Samples::new(), String::new(), BTreeSet::new());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "# EOF" {
            assert!(is_open && lines.peek().is_none(), "{text}");
            return samples;
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            rest.split(' ').next().unwrap().clone_into(&mut family);
            assert!(seen.insert(family.clone()), "{family} comes twice");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, family);
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
        let name = sample.split('{').next().unwrap();
        assert!(name.starts_with(&family), "{line} is not of {family}");
        assert!(
            name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_'),
            "{line}"
        );
        if let Some(labels) = sample.strip_prefix(name).filter(|it| !it.is_empty()) {
            assert!(labels.starts_with('{') && labels.ends_with("\"}"), "{line}");
        }
        assert!(
            samples
                .insert(sample.to_owned(), value.to_owned())
                .is_none(),
            "{line} twice"
        );
    }
    assert!(!is_open, "it has no end");
    samples
}

async fn scrape(standin: &StandIn, accept: &str) -> (String, String) {
    let request = format!(
        "GET /metrics HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\nconnection: close\r\n\r\n"
    );
    let said = say(standin, &request).await;
    let (status, body) = parts(&said);
    assert_eq!(status, 200, "{said}");
    (said.to_lowercase(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_in_trouble_shows_in_its_numbers() {
    let standin = prod();
    let domain = &standin.domains[0];
    domain.sight(60, Sighting::ProcessGone(process(Role::Te, 3, "c")));
    domain.handle(70, dbwarden::supervisor::Input::Timeout);
    domain.handle(71, dbwarden::supervisor::Input::Timeout);
    domain.silence(71, 2);
    domain
        .figures
        .decisions
        .note(std::time::Duration::from_micros(42));
    let (head, text) = scrape(&standin, "text/plain").await;
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    let samples = parse(&text, false);
    let last = domain.journal.last_seq().to_string();
    for (sample, value) in [
        (r#"dbwarden_build_info{version="1.2.3"}"#, "1"),
        ("dbwarden_config_generation", "1"),
        (r#"dbwarden_loop_answers{domain="prod"}"#, "1"),
        (r#"dbwarden_loop_turn_age_seconds{domain="prod"}"#, "0.0"),
        (r#"dbwarden_model_synced{domain="prod"}"#, "1"),
        (r#"dbwarden_model_age_seconds{domain="prod"}"#, "0.0"),
        (r#"dbwarden_sessions_total{domain="prod"}"#, "1"),
        (r#"dbwarden_peers{domain="prod",state="connected"}"#, "3"),
        (r#"dbwarden_peers{domain="prod",state="unreachable"}"#, "0"),
        (
            r#"dbwarden_processes{domain="prod",role="TE",state="up"}"#,
            "1",
        ),
        (r#"dbwarden_processes_unresponsive{domain="prod"}"#, "1"),
        (
            r#"dbwarden_engines_running{domain="prod",database="teas"}"#,
            "1",
        ),
        (
            r#"dbwarden_engines_wanted{domain="prod",database="teas"}"#,
            "2",
        ),
        (r#"dbwarden_slots{domain="prod",phase="acting"}"#, "1"),
        (r#"dbwarden_slots{domain="prod",phase="held"}"#, "0"),
        (r#"dbwarden_slots_blocked{domain="prod"}"#, "0"),
        (r#"dbwarden_gate_closed{domain="prod",gate="storm"}"#, "0"),
        (r#"dbwarden_actions_open{domain="prod"}"#, "1"),
        (r#"dbwarden_budget_left{domain="prod"}"#, "20"),
        (
            r#"dbwarden_events_total{domain="prod",event="process_failed"}"#,
            "1",
        ),
        (
            r#"dbwarden_events_total{domain="-",event="daemon_started"}"#,
            "1",
        ),
        (
            r#"dbwarden_listener_lag_events{domain="prod",listener="page"}"#,
            last.as_str(),
        ),
        (r#"dbwarden_decision_seconds_count{domain="prod"}"#, "1"),
        (
            r#"dbwarden_decision_seconds_bucket{domain="prod",le="+Inf"}"#,
            "1",
        ),
        (r#"dbwarden_journal_writable{domain="prod"}"#, "1"),
    ] {
        assert_eq!(
            samples.get(sample).map(String::as_str),
            Some(value),
            "{sample}: {text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_formats_tell_the_same_and_a_loop_that_is_silent_is_told_of() {
    let mut standin = prod();
    let (_, text) = scrape(&standin, "*/*").await;
    let samples = parse(&text, false);
    let (head, open) = scrape(&standin, "application/openmetrics-text;version=1.0.0").await;
    assert!(
        head.contains("application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
    assert_eq!(parse(&open, true), samples);

    // One that does not answer is told of, and what it knew is not made up.
    standin.break_off();
    let (_, silent) = scrape(&standin, "*/*").await;
    let samples = parse(&silent, false);
    assert_eq!(samples[r#"dbwarden_loop_answers{domain="prod"}"#], "0");
    assert!(!silent.contains("dbwarden_model_synced{"), "{silent}");
}

fn read(path: &str) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_metric_is_documented_as_it_is() {
    let page = read("docs/metrics.md");
    for metric in Metric::ALL {
        let labels: Vec<String> = metric.labels().iter().map(|it| format!("`{it}`")).collect();
        let labels = if labels.is_empty() {
            "none".to_owned()
        } else {
            labels.join(", ")
        };
        let (name, kind) = (metric.as_str(), metric.kind().as_str());
        let row = format!("| `{name}` | {kind} | {labels} | {} |", metric.help());
        assert!(
            page.lines().any(|it| it == row),
            "docs/metrics.md has no row {row}"
        );
    }
    let rows = page
        .lines()
        .filter(|it| it.starts_with("| `dbwarden_"))
        .count();
    assert_eq!(
        rows,
        Metric::ALL.len(),
        "docs/metrics.md tells of one that is gone"
    );
}

/// Returns everything that looks like the name of a metric of ours.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    words.filter(|it| it.starts_with("dbwarden_")).collect()
}

#[test]
fn alerts_and_dashboard_speak_of_metrics_that_exist_and_each_alert_is_documented() {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for metric in Metric::ALL {
        let name = metric.as_str();
        match metric.kind() {
            MetricKind::Counter | MetricKind::Gauge => known.extend([name.to_owned()]),
            MetricKind::Histogram => {
                known.extend(["_bucket", "_sum", "_count"].map(|it| format!("{name}{it}")));
            }
        }
    }
    let rules = read("config/prometheus/rules.yml");
    let dashboard = read("config/grafana.json");
    for (path, text) in [("rules.yml", &rules), ("grafana.json", &dashboard)] {
        let names = named(text);
        assert!(names.len() > 10, "{path}: {names:?}");
        for name in names {
            assert!(
                known.contains(name),
                "{path} speaks of `{name}`, which does not exist"
            );
        }
    }
    super::json(&dashboard);
}

#[test]
fn every_alert_says_in_operations_what_to_do_and_links_there() {
    let rules = read("config/prometheus/rules.yml");
    let page = read("docs/operations.md");
    let rules: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    let alerts: Vec<&str> = rules.iter().filter_map(|it| it.lines().next()).collect();
    assert!(alerts.contains(&"DbwardenDeadMansSwitch") && alerts.contains(&"DbwardenSilentHealer"));
    for (alert, rule) in alerts.iter().zip(&rules) {
        let section = page.split(&format!("\n### {alert}\n")).nth(1);
        let section = section.unwrap_or_else(|| panic!("docs/operations.md: no {alert}"));
        let says = section.split("\n#").next().unwrap_or_default().trim();
        assert!(
            says.len() > 80,
            "docs/operations.md says little of {alert}: {says}"
        );
        let link = format!("/docs/operations.md#{}", alert.to_lowercase());
        let runbooks = rule
            .lines()
            .filter_map(|it| it.trim().strip_prefix("runbook_url: "));
        let runbooks: Vec<&str> = runbooks.collect();
        assert_eq!(runbooks.len(), 1, "the runbook of {alert}");
        assert!(
            runbooks[0].ends_with(&link),
            "{alert} links to {runbooks:?}"
        );
    }
    let told = page.lines().filter(|it| it.starts_with("### Dbwarden"));
    assert_eq!(
        told.count(),
        alerts.len(),
        "docs/operations.md tells of an alert that is gone"
    );
}
