//! A policy: what is wanted and how it is healed.

use super::peer::check_labels;
use crate::config::file::Node;
use crate::config::keys;
use crate::config::nearest::nearest;
use crate::config::section::{Report, Section, Wrong};
use crate::config::value;
use crate::model::Role;
use crate::policy::{AfterStages, Bounds, Leftover, Pattern, Place, Policy, Share, Stage};

/// More engines of one database than this are a slip of the keyboard.
const MAX_ENGINES: u32 = 1000;

/// Checks a policy; `domains` are the names of all domains.
pub(super) fn check(report: &mut Report, section: &Section<'_>, domains: &[String]) -> Policy {
    let mut policy = Policy::default();
    check_scope(report, section, domains, &mut policy);
    check_wanted(report, section, &mut policy);
    check_stages(report, section, &mut policy);
    for (key, target) in [
        ("return-grace", &mut policy.return_grace),
        ("unreachable-grace", &mut policy.unreachable_grace),
        ("confirm-for", &mut policy.confirm_for),
        ("healthy-after", &mut policy.healthy_after),
        ("min-uptime", &mut policy.min_uptime),
    ] {
        section.set(report, key, target, value::duration);
    }
    for (key, target) in [
        ("start-timeout", &mut policy.start_timeout),
        ("barrier-pause", &mut policy.barrier_pause),
        ("delay-first", &mut policy.backoff.first),
        ("delay-max", &mut policy.backoff.max),
    ] {
        section.set(report, key, target, value::pause);
    }
    policy.require = check_labels(report, section, "require");
    policy.prefer = check_labels(report, section, "prefer");
    for (key, target) in policy.waits.each_mut() {
        section.set(report, key, target, value::pause);
    }
    let factor = &mut policy.backoff.factor;
    section.set(report, "delay-factor", factor, value::number(1, 100));
    let strict = &mut policy.strict_siblings;
    section.set(report, "strict-siblings", strict, value::boolean);
    section.check_order(
        report,
        ("delay-first", policy.backoff.first),
        ("delay-max", policy.backoff.max),
    );
    policy
}

/// Reads what the policy applies to.
fn check_scope(
    report: &mut Report,
    section: &Section<'_>,
    domains: &[String],
    policy: &mut Policy,
) {
    let pattern = |node: &Node| value::name(node).map(|it| Pattern::from(it.as_str()));
    let known = |node: &Node| {
        let text = value::name(node)?;
        let pattern = Pattern::from(text.as_str());
        if domains.iter().any(|it| pattern.matches(it)) {
            return Ok(pattern);
        }
        let advice = match nearest(&text, domains.iter().map(String::as_str)) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => "write the name of a [[domain]], or \"*\"".to_owned(),
        };
        let problem = format!("no domain is called `{text}`");
        Err(Wrong::new(problem, advice))
    };
    if let Some(patterns) = section.list(report, "domains", known) {
        policy.domains = patterns;
    }
    if let Some(patterns) = section.list(report, "databases", pattern) {
        policy.databases = patterns;
    }
    let roles = value::choice(&[("te", Role::Te), ("sm", Role::Sm)]);
    if let Some(roles) = section.list(report, "roles", roles) {
        policy.roles = roles;
    }
    for key in ["domains", "databases", "roles"] {
        if section.is_empty_list(key) {
            let wrong = Wrong::new("is empty, so the policy never applies", "leave it out");
            section.complain(report, key, wrong);
        }
    }
}

/// Reads what the policy wants.
fn check_wanted(report: &mut Report, section: &Section<'_>, policy: &mut Policy) {
    let keeps = [("observed", true), ("declared", false)];
    let keep = &mut policy.keep_observed;
    section.set(report, "keep", keep, value::choice(&keeps));
    if let Some(bounds) = section.table(report, "te", &keys::BOUNDS) {
        let read = value::number(0, MAX_ENGINES);
        let min = bounds.optional(report, "min", &read).unwrap_or_default();
        let max = bounds.optional(report, "max", &read);
        if max.is_some_and(|max| max < min) {
            let wrong = Wrong::new("is less than min", format!("write {min} or more"));
            bounds.complain(report, "max", wrong);
        }
        policy.te = Some(Bounds { min, max });
        policy.te_per = check_shares(report, &bounds);
        let shares = policy.te_per.iter().map(|it| it.min);
        let shares = shares.fold(0, u32::saturating_add);
        if max.is_some_and(|max| max < shares) {
            let problem = format!("is less than what `per` keeps, {shares}");
            let wrong = Wrong::new(problem, format!("write {shares} or more"));
            bounds.complain(report, "max", wrong);
        }
    }
    if let Some(least) = section.table(report, "sm", &keys::LEAST) {
        let read = value::number(0, MAX_ENGINES);
        let min = least.optional(report, "min", &read).unwrap_or_default();
        policy.sm = Some(Bounds { min, max: None });
        if !policy.roles.contains(&Role::Sm) {
            let problem = "has no effect, since `roles` does not name \"sm\"";
            let advice = "write roles = [\"te\", \"sm\"]";
            section.doubt(report, "sm", Wrong::new(problem, advice));
        }
    }
    let leftovers = [("hold", Leftover::Hold), ("kill", Leftover::Kill)];
    let leftover = &mut policy.leftover;
    section.set(report, "leftover", leftover, value::choice(&leftovers));
    let declares = policy.min(Role::Te) + policy.min(Role::Sm);
    if !policy.keep_observed && declares == 0 {
        let problem = "\"declared\" keeps what `te` and `sm` say, and that is nothing";
        let advice = "write te = { min = 2 }, or keep = \"observed\"";
        section.complain(report, "keep", Wrong::new(problem, advice));
    }
}

/// Reads how many engines are kept at peers with certain labels.
fn check_shares(report: &mut Report, bounds: &Section<'_>) -> Vec<Share> {
    let shares = bounds.tables(report, "per", &keys::SHARE);
    let shares = shares.iter().filter_map(|it| {
        let labels = check_labels(report, it, "labels");
        if labels.is_empty() {
            let wrong = Wrong::new("names no label", "write labels = { region = \"eu\" }");
            it.complain(report, "labels", wrong);
        }
        let min = it.required(report, "min", value::number(1, MAX_ENGINES))?;
        Some(Share { labels, min })
    });
    shares.collect()
}

/// Reads where to try, and what comes then.
fn check_stages(report: &mut Report, section: &Section<'_>, policy: &mut Policy) {
    let stages = section.tables(report, "stages", &keys::STAGE);
    let places = [("here", Place::Here), ("elsewhere", Place::Elsewhere)];
    let stages: Vec<Stage> = stages
        .iter()
        .filter_map(|it| {
            let tries = it.optional(report, "tries", value::number(1, 1000));
            let place = it.required(report, "where", value::choice(&places))?;
            Some(Stage { place, tries })
        })
        .collect();
    if section.is_empty_list("stages") {
        let wrong = Wrong::new("is empty, so nothing is ever tried", "leave it out");
        section.complain(report, "stages", wrong);
    }
    if section.node("stages").is_some() {
        policy.stages = stages;
    }
    let AfterStages::Slow(mut interval) = policy.after_stages else {
        unreachable!("by default it goes on slowly")
    };
    section.set(report, "slow-interval", &mut interval, value::pause);
    let tails = [
        ("slow", AfterStages::Slow(interval)),
        ("hold", AfterStages::Hold),
    ];
    policy.after_stages = section
        .optional(report, "after-stages", value::choice(&tails))
        .unwrap_or(AfterStages::Slow(interval));
    if policy.after_stages == AfterStages::Hold && section.node("slow-interval").is_some() {
        let problem = "has no effect, since after-stages is \"hold\"";
        let wrong = Wrong::new(problem, "leave one of them out");
        section.complain(report, "slow-interval", wrong);
    }
}
