//! What a warden works by, as JSON: the accepted configuration of one domain.
//!
//! It is written when a daemon begins and when it takes over another one, so that what was decided
//! can be decided again. The values of secret options are left out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exchange::EngineOption;
use crate::model::{self, Address, DatabaseName, DomainName, PeerName, PeerSettings, Role};
use crate::mutation::Planted;
use crate::policy::{
    AfterStages, Backoff, Bounds, Meaning, Pattern, Place, Policy, Reason, Stage, Waits,
};
use crate::supervisor::{Accepted, Budget, HealerLimits, Mode, Settings, StormLimits};

/// Stands where a secret value was not written.
const HIDDEN: &str = "***";

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) struct AcceptedRecord {
    generation: u64,
    seed: u64,
    domain: String,
    mode: ModeRecord,
    policies: Vec<PolicyRecord>,
    te_options: BTreeMap<String, Vec<OptionRecord>>,
    settle: u64,
    #[serde(default = "settle_max")]
    settle_max: u64,
    prepare_timeout: u64,
    #[serde(default = "clock_jump")]
    clock_jump: u64,
    #[serde(default)]
    storm: StormRecord,
    #[serde(default)]
    healer: HealerRecord,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    observe: Vec<String>,
    #[serde(default)]
    budget: BudgetRecord,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<(String, MeaningRecord)>,
    model: ModelRecord,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum MeaningRecord {
    ArchiveInUse,
    BadOption,
    HostOut,
    NotReady,
    Unknown,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct StormRecord {
    percent: u32,
    peers: u32,
    quiet: u64,
    pace: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct HealerRecord {
    starts: u32,
    window: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct BudgetRecord {
    max_actions: u32,
    window: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum ModeRecord {
    Heal,
    Observe,
    Suggest,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct OptionRecord {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    hidden: bool,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ModelRecord {
    exit_settle: u64,
    return_grace: u64,
    settle: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    peers: Vec<PeerRecord>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct PeerRecord {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dial: Option<(String, u16)>,
    aliases: Vec<(String, u16)>,
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct PolicyRecord {
    domains: Vec<String>,
    databases: Vec<String>,
    /// Older records know of transaction engines only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
    keep_observed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    te: Option<BoundsRecord>,
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
fn settle_max() -> u64 {
    micros(Settings::new(DomainName::from("")).settle_max)
}

/// What older records meant.
fn clock_jump() -> u64 {
    micros(Settings::new(DomainName::from("")).clock_jump)
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

impl From<&Accepted> for AcceptedRecord {
    fn from(accepted: &Accepted) -> Self {
        let Accepted { model, supervisor } = accepted;
        let Settings {
            domain,
            // There is one kind that a configuration can name.
            doctrine: _,
            mode,
            policies,
            te_options,
            settle,
            settle_max,
            prepare_timeout,
            clock_jump,
            storm,
            healer,
            observe,
            budget,
            reasons,
            seed,
            generation,
            planted: _,
        } = supervisor;
        let options = |it: &Vec<EngineOption>| it.iter().map(Into::into).collect();
        let options = te_options
            .iter()
            .map(|(database, it)| (database.as_str().to_owned(), options(it)));
        Self {
            generation: *generation,
            seed: *seed,
            domain: domain.as_str().to_owned(),
            mode: match mode {
                Mode::Heal => ModeRecord::Heal,
                Mode::Observe => ModeRecord::Observe,
                Mode::Suggest => ModeRecord::Suggest,
            },
            policies: policies.iter().map(Into::into).collect(),
            te_options: options.collect(),
            settle: micros(*settle),
            settle_max: micros(*settle_max),
            prepare_timeout: micros(*prepare_timeout),
            clock_jump: micros(*clock_jump),
            storm: storm.into(),
            healer: healer.into(),
            observe: observe.iter().map(Pattern::to_string).collect(),
            budget: budget.into(),
            reasons: reasons.iter().map(reason_record).collect(),
            model: model.into(),
        }
    }
}

impl From<AcceptedRecord> for Accepted {
    fn from(it: AcceptedRecord) -> Self {
        let options = |it: Vec<OptionRecord>| it.into_iter().map(Into::into).collect();
        let te_options = it
            .te_options
            .into_iter()
            .map(|(database, it)| (DatabaseName::from(&*database), options(it)));
        let supervisor = Settings {
            mode: match it.mode {
                ModeRecord::Heal => Mode::Heal,
                ModeRecord::Observe => Mode::Observe,
                ModeRecord::Suggest => Mode::Suggest,
            },
            policies: it.policies.into_iter().map(Into::into).collect(),
            te_options: te_options.collect(),
            settle: Duration::from_micros(it.settle),
            settle_max: Duration::from_micros(it.settle_max),
            prepare_timeout: Duration::from_micros(it.prepare_timeout),
            clock_jump: Duration::from_micros(it.clock_jump),
            storm: it.storm.into(),
            healer: it.healer.into(),
            observe: it.observe.iter().map(|it| Pattern::from(&**it)).collect(),
            budget: it.budget.into(),
            reasons: it.reasons.into_iter().map(reason).collect(),
            seed: it.seed,
            generation: it.generation,
            ..Settings::new(DomainName::from(&*it.domain))
        };
        Self {
            model: it.model.into(),
            supervisor,
        }
    }
}

fn reason_record(reason: &Reason) -> (String, MeaningRecord) {
    let means = match reason.means {
        Meaning::ArchiveInUse => MeaningRecord::ArchiveInUse,
        Meaning::BadOption => MeaningRecord::BadOption,
        Meaning::HostOut => MeaningRecord::HostOut,
        Meaning::NotReady => MeaningRecord::NotReady,
        Meaning::Unknown => MeaningRecord::Unknown,
    };
    (reason.contains.clone(), means)
}

fn reason((contains, means): (String, MeaningRecord)) -> Reason {
    let means = match means {
        MeaningRecord::ArchiveInUse => Meaning::ArchiveInUse,
        MeaningRecord::BadOption => Meaning::BadOption,
        MeaningRecord::HostOut => Meaning::HostOut,
        MeaningRecord::NotReady => Meaning::NotReady,
        MeaningRecord::Unknown => Meaning::Unknown,
    };
    Reason { contains, means }
}

impl Default for StormRecord {
    fn default() -> Self {
        Self::from(&StormLimits::default())
    }
}

impl From<&StormLimits> for StormRecord {
    fn from(limits: &StormLimits) -> Self {
        let StormLimits {
            percent,
            peers,
            quiet,
            pace,
        } = limits;
        Self {
            percent: *percent,
            peers: *peers,
            quiet: micros(*quiet),
            pace: micros(*pace),
        }
    }
}

impl From<StormRecord> for StormLimits {
    fn from(it: StormRecord) -> Self {
        Self {
            percent: it.percent,
            peers: it.peers,
            quiet: Duration::from_micros(it.quiet),
            pace: Duration::from_micros(it.pace),
        }
    }
}

impl Default for HealerRecord {
    fn default() -> Self {
        Self::from(&HealerLimits::default())
    }
}

impl From<&HealerLimits> for HealerRecord {
    fn from(limits: &HealerLimits) -> Self {
        let HealerLimits { starts, window } = limits;
        Self {
            starts: *starts,
            window: micros(*window),
        }
    }
}

impl From<HealerRecord> for HealerLimits {
    fn from(it: HealerRecord) -> Self {
        Self {
            starts: it.starts,
            window: Duration::from_micros(it.window),
        }
    }
}

impl Default for BudgetRecord {
    fn default() -> Self {
        Self::from(&Budget::default())
    }
}

impl From<&Budget> for BudgetRecord {
    fn from(budget: &Budget) -> Self {
        let Budget {
            max_actions,
            window,
        } = budget;
        Self {
            max_actions: *max_actions,
            window: micros(*window),
        }
    }
}

impl From<BudgetRecord> for Budget {
    fn from(it: BudgetRecord) -> Self {
        Self {
            max_actions: it.max_actions,
            window: Duration::from_micros(it.window),
        }
    }
}

impl From<&EngineOption> for OptionRecord {
    fn from(option: &EngineOption) -> Self {
        let hidden = option.is_secret();
        Self {
            name: option.name.clone(),
            value: option.value.clone().filter(|_| !hidden),
            hidden,
        }
    }
}

impl From<OptionRecord> for EngineOption {
    fn from(it: OptionRecord) -> Self {
        Self {
            name: it.name,
            value: it.value.or(it.hidden.then(|| HIDDEN.to_owned())),
        }
    }
}

impl From<&model::Settings> for ModelRecord {
    fn from(settings: &model::Settings) -> Self {
        let model::Settings {
            exit_settle,
            return_grace,
            settle,
            peers,
            planted: _,
        } = settings;
        Self {
            exit_settle: micros(*exit_settle),
            return_grace: micros(*return_grace),
            settle: micros(*settle),
            peers: peers.iter().map(Into::into).collect(),
        }
    }
}

impl From<ModelRecord> for model::Settings {
    fn from(it: ModelRecord) -> Self {
        Self {
            exit_settle: Duration::from_micros(it.exit_settle),
            return_grace: Duration::from_micros(it.return_grace),
            settle: Duration::from_micros(it.settle),
            peers: it.peers.into_iter().map(Into::into).collect(),
            planted: Planted::default(),
        }
    }
}

impl From<&PeerSettings> for PeerRecord {
    fn from(settings: &PeerSettings) -> Self {
        let PeerSettings {
            name,
            dial,
            aliases,
            labels,
        } = settings;
        let pair = |it: &Address| (it.host.to_string(), it.port);
        Self {
            name: name.as_str().to_owned(),
            dial: dial.as_ref().map(pair),
            aliases: aliases.iter().map(pair).collect(),
            labels: labels.clone(),
        }
    }
}

impl From<PeerRecord> for PeerSettings {
    fn from(it: PeerRecord) -> Self {
        let address = |(host, port): (String, u16)| Address::new(&*host, port);
        Self {
            name: PeerName::from(&*it.name),
            dial: it.dial.map(address),
            aliases: it.aliases.into_iter().map(address).collect(),
            labels: it.labels,
        }
    }
}

impl From<&Policy> for PolicyRecord {
    fn from(policy: &Policy) -> Self {
        let Policy {
            domains,
            databases,
            roles,
            keep_observed,
            te,
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
            te: te.map(|Bounds { min, max }| BoundsRecord { min, max }),
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
            waits: waits_record(waits),
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
            te: it.te.map(|BoundsRecord { min, max }| Bounds { min, max }),
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

fn waits_record(waits: &Waits) -> BTreeMap<String, u64> {
    let waits = waits.each().into_iter();
    waits
        .map(|(key, it)| (key.to_owned(), micros(it)))
        .collect()
}

fn waits(record: &BTreeMap<String, u64>) -> Waits {
    let mut waits = Waits::default();
    for (key, it) in waits.each_mut() {
        if let Some(micros) = record.get(key) {
            *it = Duration::from_micros(*micros);
        }
    }
    waits
}

/// A configuration has no duration that this does not hold.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
