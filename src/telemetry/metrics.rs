//! The one table of metric names, and the text in which Prometheus and `OpenMetrics` have them.
//!
//! It counts nothing itself: numbers are put here when somebody asks for them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::Shape;

/// What sort of number a metric is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetricKind {
    /// It only grows, until the daemon is started again.
    Counter,
    /// It is what it is now.
    Gauge,
    /// How often something took how long.
    Histogram,
}

impl MetricKind {
    /// Returns the sort as both formats name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Defines [`Metric`] from one table: variant, name, sort, labels, meaning.
macro_rules! metrics {
    ($($variant:ident $name:literal $kind:ident [$($label:literal)*] $help:literal,)*) => {
        /// A metric of the daemon.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Metric {
            $(#[doc = $help] $variant,)*
        }

        impl Metric {
            /// Every metric there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns its name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns what sort of number it is.
            pub const fn kind(self) -> MetricKind {
                match self { $(Self::$variant => MetricKind::$kind,)* }
            }

            /// Returns by what it is told apart.
            pub const fn labels(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($label),*],)* }
            }

            /// Returns what it means.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }
        }
    };
}

metrics! {
    Build "dbwarden_build_info" Gauge ["version"] "Which version runs: always 1",
    Started "dbwarden_start_time_seconds" Gauge [] "When the daemon began, since 1970",
    ConfigGeneration "dbwarden_config_generation" Gauge []
        "How many configurations took effect",
    ConfigRejected "dbwarden_config_rejected" Gauge []
        "1 if a later configuration was refused",
    LoopTurns "dbwarden_loop_turns_total" Counter ["domain"]
        "How often the event loop turned",
    LoopTurnAge "dbwarden_loop_turn_age_seconds" Gauge ["domain"]
        "How long ago the event loop turned last",
    LoopAnswers "dbwarden_loop_answers" Gauge ["domain"]
        "1 if the event loop answered this scrape; if not, what it knows is missing",
    ModelSynced "dbwarden_model_synced" Gauge ["domain"]
        "1 while a session tells what happens",
    ModelAge "dbwarden_model_age_seconds" Gauge ["domain"]
        "How old what is known is: 0 while a session tells; missing if there never was one",
    Sessions "dbwarden_sessions_total" Counter ["domain"]
        "How often a session came to stand: one more than the reconnects",
    Mode "dbwarden_mode" Gauge ["domain" "mode"] "1 for what the healer may do",
    Peers "dbwarden_peers" Gauge ["domain" "state"] "Peers: connected or unreachable",
    Processes "dbwarden_processes" Gauge ["domain" "role" "state"]
        "Processes by role and status; one whose peer is out of reach is unreachable",
    ProcessesUnresponsive "dbwarden_processes_unresponsive" Gauge ["domain"]
        "Processes that run and do not answer at their ports; 0 if those are not tried",
    Databases "dbwarden_databases" Gauge ["domain" "state"]
        "Databases: active, degraded or inactive",
    EnginesRunning "dbwarden_engines_running" Gauge ["domain" "database"]
        "Transaction engines that run and can be reached",
    EnginesWanted "dbwarden_engines_wanted" Gauge ["domain" "database"]
        "Transaction engines that would be missed",
    Slots "dbwarden_slots" Gauge ["domain" "phase"]
        "Seats: filled, empty, leaving, vacant, acting or held",
    SlotsBlocked "dbwarden_slots_blocked" Gauge ["domain"]
        "Missing processes that a gate keeps from being started",
    Gates "dbwarden_gate_closed" Gauge ["domain" "gate"] "1 if the gate is closed",
    Orders "dbwarden_orders" Gauge ["domain" "order"]
        "What people said that holds: holds, maintenances and their like",
    Actions "dbwarden_actions_open" Gauge ["domain"] "Starts that are under way",
    BudgetLeft "dbwarden_budget_left" Gauge ["domain"]
        "How many starts the domain has left in its window",
    Events "dbwarden_events_total" Counter ["domain" "event"] "Events that were recorded",
    ListenerLag "dbwarden_listener_lag_events" Gauge ["domain" "listener"]
        "Events that the listener is not done with",
    ListenerLagAge "dbwarden_listener_lag_seconds" Gauge ["domain" "listener"]
        "How old the oldest of them is",
    ListenerQueue "dbwarden_listener_queue_events" Gauge ["domain" "listener"]
        "Events that wait in memory for the listener",
    Decisions "dbwarden_decision_seconds" Histogram ["domain"]
        "How long the warden thought in a turn",
    Reactions "dbwarden_reaction_seconds" Histogram ["domain"]
        "From when a process was missing to when the request for another left",
    Commits "dbwarden_journal_commit_seconds" Histogram ["domain"]
        "From when something was written to when it was on the disk",
    JournalSize "dbwarden_journal_size_bytes" Gauge ["domain"]
        "What the files of the journal fill",
    JournalWritable "dbwarden_journal_writable" Gauge ["domain"]
        "1 while the journal can be written; nothing is started while not",
    JournalBacklog "dbwarden_journal_backlog" Gauge ["domain"]
        "Inputs and events that wait for the disk",
}

/// In which text metrics are told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetricFormat {
    /// Prometheus, version 0.0.4.
    Prometheus,
    /// `OpenMetrics`, version 1.0.0.
    OpenMetrics,
}

impl MetricFormat {
    /// Returns the format that a client prefers, by its `Accept`.
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Returns what the answer calls itself.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Numbers on their way into the text.
#[derive(Debug, Default)]
pub struct Exposition(BTreeMap<Metric, String>);

impl Exposition {
    /// Puts a number; the labels have the order of the table.
    pub fn put(&mut self, metric: Metric, labels: &[&str], value: u64) {
        self.line(metric, "", labels, None, &value.to_string());
    }

    /// Puts 1 or 0.
    pub fn put_whether(&mut self, metric: Metric, labels: &[&str], is_so: bool) {
        self.put(metric, labels, u64::from(is_so));
    }

    /// Puts a time in seconds.
    pub fn put_time(&mut self, metric: Metric, labels: &[&str], time: Duration) {
        self.line(metric, "", labels, None, &seconds(time));
    }

    /// Puts a histogram.
    pub fn put_shape(&mut self, metric: Metric, labels: &[&str], shape: &Shape) {
        for (end, count) in &shape.buckets {
            let (end, count) = (seconds(*end), count.to_string());
            self.line(metric, "_bucket", labels, Some(&end), &count);
        }
        let count = shape.count.to_string();
        self.line(metric, "_bucket", labels, Some("+Inf"), &count);
        self.line(metric, "_sum", labels, None, &seconds(shape.sum));
        self.line(metric, "_count", labels, None, &count);
    }

    fn line(
        &mut self,
        metric: Metric,
        suffix: &str,
        labels: &[&str],
        end: Option<&str>,
        value: &str,
    ) {
        debug_assert_eq!(metric.labels().len(), labels.len(), "{metric:?}");
        let names = metric.labels().iter().copied();
        let pairs: Vec<String> = names
            .zip(labels.iter().copied())
            .chain(end.map(|it| ("le", it)))
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        let pairs = if pairs.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", pairs.join(","))
        };
        let lines = self.0.entry(metric).or_default();
        let _ = writeln!(lines, "{}{suffix}{pairs} {value}", metric.as_str());
    }

    /// Returns the text.
    pub fn to_text(&self, format: MetricFormat) -> String {
        let mut text = String::new();
        for (metric, lines) in &self.0 {
            let (name, kind) = (metric.as_str(), metric.kind().as_str());
            let family = match format {
                // A family is called without what its samples end with.
                MetricFormat::OpenMetrics => name.strip_suffix("_total").unwrap_or(name),
                MetricFormat::Prometheus => name,
            };
            let _ = writeln!(text, "# HELP {family} {}", metric.help());
            let _ = writeln!(text, "# TYPE {family} {kind}");
            text.push_str(lines);
        }
        if format == MetricFormat::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }
}

/// Writes a time in seconds, without a float on the way.
fn seconds(time: Duration) -> String {
    let text = format!("{}.{:06}", time.as_secs(), time.subsec_micros());
    let text = text.trim_end_matches('0');
    // OpenMetrics wants to see that it is no integer.
    text.strip_suffix('.')
        .map_or(text.to_owned(), |it| format!("{it}.0"))
}

/// Writes a value as a label may have it.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Histogram;

    #[test]
    fn numbers_are_told_in_the_order_of_the_table_and_labels_are_escaped() {
        let mut page = Exposition::default();
        page.put(Metric::Events, &["prod", "gap"], 3);
        page.put_time(
            Metric::ModelAge,
            &["a\"b\\c\n"],
            Duration::from_millis(1_500),
        );
        page.put_time(Metric::Started, &[], Duration::from_secs(7));
        let text = page.to_text(MetricFormat::Prometheus);
        let lines: Vec<&str> = text.lines().filter(|it| !it.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                "dbwarden_start_time_seconds 7.0",
                r#"dbwarden_model_age_seconds{domain="a\"b\\c\n"} 1.5"#,
                r#"dbwarden_events_total{domain="prod",event="gap"} 3"#,
            ]
        );
        assert!(
            text.contains("# TYPE dbwarden_events_total counter\n"),
            "{text}"
        );
        let text = page.to_text(MetricFormat::OpenMetrics);
        assert!(text.contains("# TYPE dbwarden_events counter\n"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn a_histogram_ends_with_everything() {
        let histogram = Histogram::default();
        histogram.note(Duration::from_micros(300));
        histogram.note(Duration::from_secs(9_000));
        let mut page = Exposition::default();
        page.put_shape(Metric::Decisions, &["prod"], &histogram.shape());
        let text = page.to_text(MetricFormat::Prometheus);
        for line in [
            r#"dbwarden_decision_seconds_bucket{domain="prod",le="0.00025"} 0"#,
            r#"dbwarden_decision_seconds_bucket{domain="prod",le="0.001"} 1"#,
            r#"dbwarden_decision_seconds_bucket{domain="prod",le="1.0"} 1"#,
            r#"dbwarden_decision_seconds_bucket{domain="prod",le="+Inf"} 2"#,
            r#"dbwarden_decision_seconds_sum{domain="prod"} 9000.0003"#,
            r#"dbwarden_decision_seconds_count{domain="prod"} 2"#,
        ] {
            assert!(text.lines().any(|it| it == line), "{line}: {text}");
        }
    }

    #[test]
    fn names_say_what_they_are() {
        for metric in Metric::ALL {
            let name = metric.as_str();
            let is_counter = metric.kind() == MetricKind::Counter;
            assert_eq!(name.ends_with("_total"), is_counter, "{name}");
            assert!(name.starts_with("dbwarden_"), "{name}");
        }
    }
}
