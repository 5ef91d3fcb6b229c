//! A policy, as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{micros, read_waits, waits_record};
use crate::model::Role;
use crate::policy::{
    AfterStages, Backoff, Bounds, Leftover, Pattern, Place, Policy, Share, Stage, Waits,
};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct PolicyRecord {
    domains: Vec<String>,
    databases: Vec<String>,
    /// Older records know of transaction engines only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
    keep_observed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    te: Option<BoundsRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    te_per: Vec<ShareRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sm: Option<BoundsRecord>,
    /// Whether leftovers are ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    kill_leftovers: bool,
    stages: Vec<StageRecord>,
    after_stages: AfterRecord,
    delay_first: u64,
    delay_factor: u32,
    delay_max: u64,
    min_uptime: u64,
    healthy_after: u64,
    start_timeout: u64,
    return_grace: u64,
    unreachable_grace: u64,
    confirm_for: u64,
    #[serde(default = "barrier_pause")]
    barrier_pause: u64,
    strict_siblings: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    require: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    prefer: BTreeMap<String, String>,
    /// By key; what is not there is as by default.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    waits: BTreeMap<String, u64>,
}

/// What older records meant.
fn barrier_pause() -> u64 {
    micros(Policy::default().barrier_pause)
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct BoundsRecord {
    min: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max: Option<u32>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ShareRecord {
    labels: BTreeMap<String, String>,
    min: u32,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct StageRecord {
    place: PlaceRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tries: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum PlaceRecord {
    Elsewhere,
    Here,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum AfterRecord {
    Hold,
    Slow(u64),
}

impl From<&Policy> for PolicyRecord {
    fn from(policy: &Policy) -> Self {
        let Policy {
            domains,
            databases,
            roles,
            keep_observed,
            te,
            te_per,
            sm,
            leftover,
            stages,
            after_stages,
            backoff: Backoff { first, factor, max },
            min_uptime,
            healthy_after,
            start_timeout,
            return_grace,
            unreachable_grace,
            confirm_for,
            barrier_pause,
            strict_siblings,
            require,
            prefer,
            waits,
        } = policy;
        let stage = |it: &Stage| StageRecord {
            place: match it.place {
                Place::Elsewhere => PlaceRecord::Elsewhere,
                Place::Here => PlaceRecord::Here,
            },
            tries: it.tries,
        };
        Self {
            domains: domains.iter().map(Pattern::to_string).collect(),
            databases: databases.iter().map(Pattern::to_string).collect(),
            roles: (*roles != [Role::Te])
                .then(|| roles.iter().map(|it| it.as_str().to_owned()).collect()),
            keep_observed: *keep_observed,
            te_per: te_per
                .iter()
                .map(|Share { labels, min }| ShareRecord {
                    labels: labels.clone(),
                    min: *min,
                })
                .collect(),
            te: te.map(|Bounds { min, max }| BoundsRecord { min, max }),
            sm: sm.map(|Bounds { min, max }| BoundsRecord { min, max }),
            kill_leftovers: *leftover == Leftover::Kill,
            stages: stages.iter().map(stage).collect(),
            after_stages: match after_stages {
                AfterStages::Hold => AfterRecord::Hold,
                AfterStages::Slow(interval) => AfterRecord::Slow(micros(*interval)),
            },
            delay_first: micros(*first),
            delay_factor: *factor,
            delay_max: micros(*max),
            min_uptime: micros(*min_uptime),
            healthy_after: micros(*healthy_after),
            start_timeout: micros(*start_timeout),
            return_grace: micros(*return_grace),
            unreachable_grace: micros(*unreachable_grace),
            confirm_for: micros(*confirm_for),
            barrier_pause: micros(*barrier_pause),
            strict_siblings: *strict_siblings,
            require: require.clone(),
            prefer: prefer.clone(),
            waits: waits_record(waits.each()),
        }
    }
}

impl From<PolicyRecord> for Policy {
    fn from(it: PolicyRecord) -> Self {
        let patterns = |it: Vec<String>| it.iter().map(|it| Pattern::from(&**it)).collect();
        let stage = |it: StageRecord| Stage {
            place: match it.place {
                PlaceRecord::Elsewhere => Place::Elsewhere,
                PlaceRecord::Here => Place::Here,
            },
            tries: it.tries,
        };
        Self {
            domains: patterns(it.domains),
            databases: patterns(it.databases),
            roles: it.roles.map_or_else(
                || vec![Role::Te],
                |it| it.iter().filter_map(|it| Role::named(it)).collect(),
            ),
            keep_observed: it.keep_observed,
            te_per: it
                .te_per
                .into_iter()
                .map(|ShareRecord { labels, min }| Share { labels, min })
                .collect(),
            te: it.te.map(|BoundsRecord { min, max }| Bounds { min, max }),
            sm: it.sm.map(|BoundsRecord { min, max }| Bounds { min, max }),
            leftover: if it.kill_leftovers {
                Leftover::Kill
            } else {
                Leftover::Hold
            },
            stages: it.stages.into_iter().map(stage).collect(),
            after_stages: match it.after_stages {
                AfterRecord::Hold => AfterStages::Hold,
                AfterRecord::Slow(interval) => AfterStages::Slow(Duration::from_micros(interval)),
            },
            backoff: Backoff {
                first: Duration::from_micros(it.delay_first),
                factor: it.delay_factor,
                max: Duration::from_micros(it.delay_max),
            },
            min_uptime: Duration::from_micros(it.min_uptime),
            healthy_after: Duration::from_micros(it.healthy_after),
            start_timeout: Duration::from_micros(it.start_timeout),
            return_grace: Duration::from_micros(it.return_grace),
            unreachable_grace: Duration::from_micros(it.unreachable_grace),
            confirm_for: Duration::from_micros(it.confirm_for),
            barrier_pause: Duration::from_micros(it.barrier_pause),
            strict_siblings: it.strict_siblings,
            require: it.require,
            prefer: it.prefer,
            waits: waits(&it.waits),
        }
    }
}

fn waits(record: &BTreeMap<String, u64>) -> Waits {
    let mut waits = Waits::default();
    read_waits(record, waits.each_mut());
    waits
}
