//! What a warden works by, as JSON: the accepted configuration of one domain.
//!
//! It is written when a daemon begins and when it takes over another one, so that what was decided
//! can be decided again. The values of secret options are left out.

mod policy;
mod probe;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exchange::EngineOption;
use crate::model::{self, Address, DatabaseName, DomainName, PeerName, PeerSettings};
use crate::mutation::Planted;
use crate::policy::{DomainWaits, Meaning, Pattern, Reason};
use crate::supervisor::{
    Accepted, Archive, Budget, Experiment, HealerLimits, LeaseTerms, Mode, Settings, StormLimits,
};

use super::is_false;
use policy::PolicyRecord;
use probe::ProbeRecord;

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
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    archives: BTreeMap<String, Vec<ArchiveRecord>>,
    settle: u64,
    #[serde(default = "settle_max")]
    settle_max: u64,
    prepare_timeout: u64,
    #[serde(default = "clock_jump")]
    clock_jump: u64,
    /// By key; what is not there is as by default.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    waits: BTreeMap<String, u64>,
    #[serde(default)]
    storm: StormRecord,
    #[serde(default)]
    healer: HealerRecord,
    /// A path, and for how long it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<(String, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    probe: Option<ProbeRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    observe: Vec<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    heal_managed: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    experiments: Vec<ExperimentRecord>,
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
#[serde(rename_all = "kebab-case")]
enum ExperimentRecord {
    ArchiveHistory,
}

impl From<Experiment> for ExperimentRecord {
    fn from(experiment: Experiment) -> Self {
        match experiment {
            Experiment::ArchiveHistory => Self::ArchiveHistory,
        }
    }
}

impl From<ExperimentRecord> for Experiment {
    fn from(record: ExperimentRecord) -> Self {
        match record {
            ExperimentRecord::ArchiveHistory => Self::ArchiveHistory,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct StormRecord {
    percent: u32,
    peers: u32,
    quiet: u64,
    pace: u64,
    #[serde(default = "slow_for")]
    slow_for: u64,
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
struct ArchiveRecord {
    peer: String,
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    journal: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    options: Vec<OptionRecord>,
}

impl From<&Archive> for ArchiveRecord {
    fn from(archive: &Archive) -> Self {
        Self {
            peer: archive.peer.as_str().to_owned(),
            path: archive.path.to_string(),
            journal: archive.journal.as_deref().map(ToOwned::to_owned),
            group: archive.group.as_deref().map(ToOwned::to_owned),
            options: archive.options.iter().map(Into::into).collect(),
        }
    }
}

impl From<ArchiveRecord> for Archive {
    fn from(it: ArchiveRecord) -> Self {
        Self {
            peer: PeerName::from(&*it.peer),
            path: it.path.into(),
            journal: it.journal.map(Into::into),
            group: it.group.map(Into::into),
            options: it.options.into_iter().map(Into::into).collect(),
        }
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ModelRecord {
    exit_settle: u64,
    return_grace: u64,
    settle: u64,
    #[serde(default = "retire_after")]
    retire_after: u64,
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

/// What older records meant.
fn settle_max() -> u64 {
    micros(Settings::new(DomainName::from("")).settle_max)
}

/// What older records meant.
fn slow_for() -> u64 {
    micros(StormLimits::default().slow_for)
}

/// What older records meant.
fn retire_after() -> u64 {
    micros(model::Settings::default().retire_after)
}

/// Returns durations by their keys.
fn waits_record(waits: Vec<(&'static str, Duration)>) -> BTreeMap<String, u64> {
    let waits = waits.into_iter();
    waits
        .map(|(key, it)| (key.to_owned(), micros(it)))
        .collect()
}

/// Reads durations by their keys.
fn read_waits(record: &BTreeMap<String, u64>, waits: Vec<(&'static str, &mut Duration)>) {
    for (key, it) in waits {
        if let Some(read) = record.get(key) {
            *it = Duration::from_micros(*read);
        }
    }
}

/// What older records meant.
fn clock_jump() -> u64 {
    micros(Settings::new(DomainName::from("")).clock_jump)
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
            archives,
            settle,
            settle_max,
            prepare_timeout,
            clock_jump,
            waits,
            storm,
            healer,
            lease,
            probe,
            observe,
            leave_managed,
            experiments,
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
            archives: archives
                .iter()
                .map(|(database, it)| {
                    let archives = it.iter().map(Into::into).collect();
                    (database.as_str().to_owned(), archives)
                })
                .collect(),
            settle: micros(*settle),
            settle_max: micros(*settle_max),
            prepare_timeout: micros(*prepare_timeout),
            clock_jump: micros(*clock_jump),
            waits: waits_record(waits.each()),
            storm: storm.into(),
            healer: healer.into(),
            lease: lease
                .as_ref()
                .map(|it| (it.path.to_string(), micros(it.ttl))),
            probe: probe.as_ref().map(Into::into),
            observe: observe.iter().map(Pattern::to_string).collect(),
            heal_managed: !leave_managed,
            experiments: experiments.iter().copied().map(Into::into).collect(),
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
            archives: it
                .archives
                .into_iter()
                .map(|(database, it)| {
                    let archives = it.into_iter().map(Into::into).collect();
                    (DatabaseName::from(&*database), archives)
                })
                .collect(),
            settle: Duration::from_micros(it.settle),
            settle_max: Duration::from_micros(it.settle_max),
            prepare_timeout: Duration::from_micros(it.prepare_timeout),
            clock_jump: Duration::from_micros(it.clock_jump),
            waits: {
                let mut waits = DomainWaits::default();
                read_waits(&it.waits, waits.each_mut());
                waits
            },
            storm: it.storm.into(),
            healer: it.healer.into(),
            lease: it.lease.map(|(path, ttl)| LeaseTerms {
                path: path.into(),
                ttl: Duration::from_micros(ttl),
            }),
            probe: it.probe.map(Into::into),
            observe: it.observe.iter().map(|it| Pattern::from(&**it)).collect(),
            leave_managed: !it.heal_managed,
            experiments: it.experiments.into_iter().map(Into::into).collect(),
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
            slow_for,
        } = limits;
        Self {
            percent: *percent,
            peers: *peers,
            quiet: micros(*quiet),
            pace: micros(*pace),
            slow_for: micros(*slow_for),
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
            slow_for: Duration::from_micros(it.slow_for),
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
            retire_after,
            peers,
            planted: _,
        } = settings;
        Self {
            exit_settle: micros(*exit_settle),
            return_grace: micros(*return_grace),
            settle: micros(*settle),
            retire_after: micros(*retire_after),
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
            retire_after: Duration::from_micros(it.retire_after),
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

/// A configuration has no duration that this does not hold.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
