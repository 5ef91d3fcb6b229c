//! Holds what the daemon did against the sandbox's own records, and against what it had been told.
//!
//! What it had been told is what a twin knows that is fed with the inputs on record, up to the very
//! moment at which a request left.

use std::collections::{BTreeMap, BTreeSet};

use dbwarden::event::Kind;
use dbwarden::exchange::{ActionId, Deed, EngineOption, Outcome};
use dbwarden::model::{Presence, Role};
use dbwarden::sandbox::world::{Asker, PeerNumber, StartRecord};
use dbwarden::supervisor::{Effect, Input};
use dbwarden::warden::Warden;
use serde_json::Value;

use super::stage::{Excuse, Stage};

/// One process, as everybody names it.
type Name = (PeerNumber, u32);

/// A request that left, and what was known then.
#[derive(Debug)]
struct Commit {
    action: ActionId,
    peer: PeerNumber,
    database: String,
    role: Role,
    /// On which archive, if it was to be a storage manager.
    archive: Option<String>,
    /// The engines of that role of the database that were there, by all that was told.
    live: BTreeSet<Name>,
    /// Those that were out of reach.
    away: BTreeSet<Name>,
    /// Other starts of the database whose requests had left.
    open: usize,
    /// The most engines of the database that were ever known at a time.
    peak: usize,
}

/// All that the daemon did, as its journal has it.
#[derive(Debug, Default)]
struct Past {
    commits: Vec<Commit>,
    start_ids: BTreeMap<String, ActionId>,
    peak: BTreeMap<String, usize>,
}

/// What was found of a round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Verdict {
    /// Requests of the daemon's that arrived.
    pub(super) starts: usize,
    /// How many of them were of storage managers.
    pub(super) managers: usize,
    pub(super) succeeded: usize,
    pub(super) failed: usize,
    /// Starts beside which another engine of the same seat lived on unseen.
    pub(super) overlaps: usize,
    pub(super) surplus: usize,
    pub(super) foreign: usize,
    pub(super) held: usize,
    pub(super) blocked: usize,
}

macro_rules! ensure {
    ($holds:expr, $($text:tt)*) => {
        if !$holds {
            return Err(format!($($text)*));
        }
    };
}

impl Past {
    async fn recall(stage: &Stage) -> Self {
        let settings = stage.house.settings();
        let left = stage.house.left("prod");
        let mut twin = Warden::new(settings.model, settings.supervisor);
        let mut past = Self::default();
        let mut starts = BTreeMap::new();
        let mut effects = Vec::new();
        for (now, input) in left.inputs(&mut 0).await {
            if let Input::Reported { action, outcome } = &input
                && let Outcome::Started(Some(start_id)) = outcome
            {
                past.start_ids.insert(start_id.to_string(), *action);
            }
            twin.handle(now, input, &mut effects);
            past.note_peak(&twin);
            for effect in effects.drain(..) {
                match effect {
                    Effect::Do(Deed::Prepare { action, start, .. }) => {
                        starts.insert(action, start);
                    }
                    Effect::Do(Deed::Commit { action }) => {
                        let start = &starts[&action];
                        let database = start.database.to_string();
                        let peer = number_of(stage, start.target.address.port);
                        let view = twin.view(now);
                        let others = view.actions.iter().filter(|it| {
                            it.action != action
                                && it.database == start.database
                                && it.stage != "preparing"
                                && it.slot.starts_with(start.role.word())
                        });
                        let (live, away) = engines(stage, &twin, &database, start.role);
                        let is_path = |it: &&EngineOption| it.name == "--archive";
                        let archive = start.options.iter().find(is_path);
                        let peak = past.peak.get(&database).copied().unwrap_or_default();
                        past.commits.push(Commit {
                            action,
                            peer,
                            database,
                            role: start.role,
                            archive: archive.and_then(|it| it.value.clone()),
                            live,
                            away,
                            open: others.count(),
                            peak,
                        });
                    }
                    Effect::Answer { .. } | Effect::Do(_) | Effect::Raise(_) => (),
                }
            }
        }
        past
    }

    fn note_peak(&mut self, twin: &Warden) {
        for (_, database) in twin.model().databases() {
            let of = |it: &dbwarden::model::Process| {
                it.role == Role::Te && twin.model().database(it.database).name == database.name
            };
            let count = twin.model().processes().filter(|(_, it)| of(it)).count();
            let peak = self.peak.entry(database.name.to_string()).or_default();
            *peak = (*peak).max(count);
        }
    }

    /// Finds the intent that each request came from: each came from one, and no two from the same.
    fn match_starts(&self, starts: &[&StartRecord]) -> Result<Vec<usize>, String> {
        let mut used = BTreeSet::new();
        let mut found = vec![usize::MAX; starts.len()];
        for is_named in [true, false] {
            for (index, start) in starts.iter().enumerate() {
                let named = start
                    .start_id
                    .as_deref()
                    .and_then(|it| self.start_ids.get(it));
                if named.is_some() != is_named {
                    continue;
                }
                let database = start.start.as_ref().map(|it| &*it.database);
                let role = start.start.as_ref().map(|it| it.role);
                let is_it = |(at, it): &(usize, &Commit)| match named {
                    Some(action) => it.action == *action,
                    None => {
                        it.peer == start.peer
                            && Some(it.database.as_str()) == database
                            && Some(it.role) == role
                            && !used.contains(at)
                            && !self.start_ids.values().any(|known| *known == it.action)
                    }
                };
                let commit = self.commits.iter().enumerate().find(is_it);
                let Some((commit, _)) = commit else {
                    return Err(format!("no intent is on record for {start:?}"));
                };
                ensure!(used.insert(commit), "sent twice: {start:?}");
                found[index] = commit;
            }
        }
        Ok(found)
    }
}

/// Returns the engines of a role that are there by all that was told, and those out of reach.
fn engines(
    stage: &Stage,
    twin: &Warden,
    database: &str,
    role: Role,
) -> (BTreeSet<Name>, BTreeSet<Name>) {
    let model = twin.model();
    let (mut live, mut away) = (BTreeSet::new(), BTreeSet::new());
    for (_, it) in model.processes() {
        if it.role != role || model.database(it.database).name.as_str() != database {
            continue;
        }
        let port = model.peer(it.peer).agent_address().port;
        let name = (number_of(stage, port), it.pid);
        match it.presence {
            Presence::Ending { .. } => (),
            Presence::Live => {
                live.insert(name);
            }
            Presence::Unreachable { .. } => {
                away.insert(name);
            }
        }
    }
    (live, away)
}

fn number_of(stage: &Stage, port: u16) -> PeerNumber {
    let mut peers = stage.sandbox.peers().iter();
    peers.find(|it| it.address.port() == port).unwrap().number
}

/// Judges a round that has come to rest, once the daemon has ended.
pub(super) async fn judge(
    stage: &Stage,
    excused: &[Excuse],
    status: &Value,
) -> Result<Verdict, String> {
    let records = stage.starts().await;
    let past = Past::recall(stage).await;
    let foreign = stage.foreign.lock().unwrap().clone();
    let is_foreign = |it: &StartRecord| {
        it.start_id
            .as_deref()
            .is_some_and(|id| foreign.contains(id))
    };
    let is_client = |it: &StartRecord| match it.asker {
        Asker::Client(_) => true,
        Asker::Enforcer | Asker::Nobody => false,
    };
    let ours: Vec<&StartRecord> = records
        .iter()
        .filter(|it| is_client(it) && !is_foreign(it))
        .collect();
    let matched = past.match_starts(&ours)?;
    let mut verdict = Verdict {
        starts: ours.len(),
        foreign: records.iter().filter(|it| is_foreign(it)).count(),
        ..Verdict::default()
    };
    for (start, commit) in ours.iter().zip(matched) {
        let commit = &past.commits[commit];
        if commit.role == Role::Sm {
            verdict.managers += 1;
            judge_manager(stage, start, commit)?;
            continue;
        }
        let limit = stage.plan.limit(commit.peak);
        let known = commit.live.len() + commit.open;
        ensure!(
            known < limit,
            "a double start, by all that was told: {start:?}\nknown: {commit:?}, at most {limit}"
        );
        // What the sandbox has on record as living then, started by nobody else.
        let lived: Vec<&StartRecord> = records
            .iter()
            .filter(|it| is_other_engine(it, start) && !is_foreign(it))
            .collect();
        let is_told = |it: &&&StartRecord| commit.live.contains(&(it.peer, it.pid.unwrap_or(0)));
        let told = lived.iter().filter(is_told).count();
        ensure!(
            told < limit,
            "a double start, by what lived: {start:?}\n{lived:?}"
        );
        let too_many = (lived.len() + 1).saturating_sub(limit);
        ensure!(
            too_many <= limit,
            "more than one overlap for a seat: {start:?}\n{lived:?}"
        );
        ensure!(
            too_many == 0 || !stage.plan.is_strict,
            "an overlap in spite of strict-siblings: {start:?}\n{lived:?}\nout of reach: {:?}",
            commit.away
        );
        verdict.overlaps += usize::from(too_many > 0);
    }
    judge_archives(&records)?;
    judge_told(stage, excused, status, &mut verdict).await?;
    Ok(verdict)
}

/// A storage manager is started where its archive is, and nowhere else, and not beside one that is
/// there by all that was told.
fn judge_manager(stage: &Stage, start: &StartRecord, commit: &Commit) -> Result<(), String> {
    let archive = stage.archive_at(&commit.database, commit.peer);
    ensure!(
        archive.is_some() && archive == commit.archive.as_deref(),
        "a storage manager that has no business there: {start:?}\n{commit:?}"
    );
    ensure!(
        commit.live.iter().all(|(peer, _)| *peer != commit.peer),
        "a second storage manager, by all that was told: {start:?}\n{commit:?}"
    );
    ensure!(
        stage.plan.heals_managers,
        "a storage manager that the daemon does not heal: {start:?}"
    );
    Ok(())
}

/// Returns whether it is another engine of the same database that lived when a start arrived, and
/// whose end nobody had told.
fn is_other_engine(it: &StartRecord, start: &StartRecord) -> bool {
    let what = |it: &StartRecord| {
        let start = it.start.as_ref()?;
        Some((start.database.clone(), start.role))
    };
    !std::ptr::eq(it, start)
        && what(it) == what(start)
        && it.registered.is_some_and(|at| at <= start.at)
        && it.lived_at(start.at)
        && it.disowned.is_none_or(|at| at > start.at)
}

/// Of each archive there was one holder at a time.
fn judge_archives(records: &[StartRecord]) -> Result<(), String> {
    for (index, one) in records.iter().enumerate() {
        let Some(archive) = one.registered.and_then(|at| one.held_at(at)) else {
            continue;
        };
        let at = one.registered.unwrap();
        let mut others = records.iter().enumerate().filter(|it| it.0 != index);
        let other = others.find(|(_, it)| it.held_at(at) == Some(archive));
        ensure!(other.is_none(), "two on one archive: {one:?}, {other:?}");
    }
    Ok(())
}

/// Whatever began has ended, and whatever is not as it should be was told.
async fn judge_told(
    stage: &Stage,
    excused: &[Excuse],
    status: &Value,
    verdict: &mut Verdict,
) -> Result<(), String> {
    let told = stage.house.left("prod").told().await;
    let of = |kind: Kind| told.iter().filter(move |it| it["event"] == kind.as_str());
    let mut open: BTreeSet<u64> = BTreeSet::new();
    for event in &told {
        let Some(action) = event["action"].as_u64() else {
            continue;
        };
        let kind = event["event"].as_str().and_then(Kind::named);
        match kind {
            Some(Kind::ActionStarted) => {
                ensure!(open.insert(action), "began twice: {event}");
            }
            Some(Kind::ActionFailed | Kind::ActionSucceeded) => {
                ensure!(open.remove(&action), "ended and had not begun: {event}");
            }
            _ => (),
        }
    }
    ensure!(open.is_empty(), "never ended: {open:?}");
    for excuse in excused {
        let kind = if excuse.is_held {
            verdict.held += 1;
            Kind::SlotHeld
        } else {
            verdict.blocked += 1;
            Kind::SlotBlocked
        };
        let mut all = of(kind);
        let is_it = |it: &Value| it["database"] == *excuse.database && it["slot"] == *excuse.slot;
        ensure!(all.any(is_it), "nobody was told of {excuse:?}");
    }
    // Who sits nowhere is more than is wanted, and was told of.
    let seats = status["slots"].as_array().cloned().unwrap_or_default();
    let seated: BTreeSet<u64> = seats.iter().filter_map(|it| it["pid"].as_u64()).collect();
    let processes = status["processes"].as_array().cloned().unwrap_or_default();
    for process in processes.iter().filter(|it| it["role"] == "TE") {
        let pid = process["pid"].as_u64().unwrap_or_default();
        let is_told = || of(Kind::ProcessSurplus).any(|it| it["pid"] == pid);
        ensure!(
            seated.contains(&pid) || is_told(),
            "nobody was told that it is too many: {process}"
        );
    }
    verdict.succeeded = of(Kind::ActionSucceeded).count();
    verdict.failed = of(Kind::ActionFailed).count();
    verdict.surplus = of(Kind::ProcessSurplus).count();
    Ok(())
}
