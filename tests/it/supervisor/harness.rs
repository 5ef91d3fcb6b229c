//! Reads stories and writes down what a warden makes of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use dbwarden::event::{Event, Group, Kind};
use dbwarden::exchange::{
    ActionId, Answer, Deed, EngineOption, Finding, Loss, LossClass, Managed, Observation, Outcome,
    Place, Probe, Probed, Question, Request, RequestId, Stop, Wish, Word,
};
use dbwarden::model::{
    self, Address, AgentId, PeerSeen, PeerSettings, ProcessSeen, Role, Sighting, Snapshot, Status,
    StatusSeen,
};
use dbwarden::policy::{Policy, Share};
use dbwarden::supervisor::{Accepted, Effect, Experiment, Input, Lease, Mode, Recovery, Settings};
use dbwarden::time::{ClockTrouble, Moment, Timestamp, WallTime};
use dbwarden::warden::{Parked, Waiting, Warden};

/// When a story begins.
const START: Timestamp = Timestamp::from_micros(3_600_000_000);

/// The settings a story starts from: the default policy, engines without options, no settling.
pub(crate) fn settings() -> Settings {
    let mut settings = Settings::new("prod".into());
    settings.policies = vec![Policy::default()];
    settings.te_options.insert("teas".into(), Vec::new());
    settings.settle = Duration::ZERO;
    settings
}

/// The default policy, for one database.
pub(crate) fn policy_of(database: &str) -> Policy {
    Policy {
        databases: vec![database.into()],
        ..Policy::default()
    }
}

/// Checks what the healer does with the default policy.
#[track_caller]
pub(crate) fn check(story: &str, expected: &str) {
    check_with(settings(), story, expected);
}

/// Checks what the healer does with these settings.
#[track_caller]
pub(crate) fn check_with(settings: Settings, story: &str, expected: &str) {
    check_labelled(settings, &[], story, expected);
}

/// Checks what the healer does where peers have labels, such as `region eu, zone a`.
#[track_caller]
pub(crate) fn check_labelled(
    settings: Settings,
    peers: &[(&str, &str)],
    story: &str,
    expected: &str,
) {
    let mut world = World::new(settings);
    world.model.peers = peers.iter().map(|(name, it)| labelled(name, it)).collect();
    world.warden = Warden::new(world.model.clone(), world.settings.clone());
    for line in lines(story) {
        world.line(line);
    }
    let told: Vec<String> = lines(&world.told).map(squeeze).collect();
    let expected: Vec<String> = lines(expected).map(squeeze).collect();
    let agrees = |(told, expected): (&String, &String)| match expected.strip_suffix(" ...") {
        Some(beginning) => told.starts_with(beginning),
        None => told == expected,
    };
    assert!(
        told.len() == expected.len() && told.iter().zip(&expected).all(agrees),
        "\n--- told\n{}\n--- expected\n{}\n",
        told.join("\n"),
        expected.join("\n"),
    );
}

/// Reads `last-used 70, in-use false`.
fn pairs(text: &str) -> Vec<(String, String)> {
    let all = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    let pair = |it: &str| {
        let (name, value) = it.split_once(' ').unwrap();
        (name.to_owned(), value.to_owned())
    };
    all.map(pair).collect()
}

/// Reads `teas ACTIVE, coffee`.
fn managed(text: &str) -> Vec<Managed> {
    let all = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    let all = all.map(|it| {
        let (database, status) = it.split_once(' ').unwrap_or((it, ""));
        Managed {
            database: database.into(),
            status: status.into(),
        }
    });
    all.collect()
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|it| !it.is_empty())
}

fn squeeze(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A warden and the world as its story tells it.
struct World {
    warden: Warden,
    model: model::Settings,
    settings: Settings,
    now: Timestamp,
    /// By how many seconds the wall clock is ahead.
    ahead: i64,
    begun: bool,
    /// The agent of each peer, which changes when it returns.
    agents: BTreeMap<String, String>,
    requests: u64,
    /// What waits for the disk, and whether it takes its time.
    parked: Parked<()>,
    is_slow: bool,
    /// Whose ports were tried, the last at the end.
    knocked: Vec<Probe>,
    told: String,
}

impl World {
    fn new(settings: Settings) -> Self {
        Self {
            warden: Warden::new(model::Settings::default(), settings.clone()),
            model: model::Settings::default(),
            settings,
            now: START,
            ahead: 0,
            begun: false,
            agents: BTreeMap::new(),
            requests: 0,
            parked: Parked::default(),
            is_slow: false,
            knocked: Vec::new(),
            told: String::new(),
        }
    }

    fn line(&mut self, line: &str) {
        let (at, what) = line.split_once(char::is_whitespace).unwrap();
        let at = START + Duration::from_secs_f64(at.parse().unwrap());
        self.pass(at);
        let (verb, rest) = what.trim().split_once(' ').unwrap_or((what.trim(), ""));
        if verb == "first-up" {
            self.begun = true;
        }
        if verb == "up" && !self.begun {
            // Everything was there long before the story begins.
            self.begun = true;
            let snapshot = self.snapshot(rest);
            self.now = Timestamp::ZERO;
            self.handle(Input::Observed(Observation::Snapshot(snapshot)));
            self.pass(START);
            self.told.clear();
            self.now = at;
            return;
        }
        if verb == "why" {
            self.why(rest);
        } else if verb == "knock" {
            self.knock();
        } else if verb == "restart" {
            self.restart(rest);
        } else if verb == "reload" {
            self.reload(rest);
        } else if verb == "slow" {
            self.is_slow = true;
        } else if verb == "disk" {
            self.is_slow = false;
            self.leave();
        } else if let Some(input) = self.input(verb, rest) {
            self.handle(input);
        }
    }

    /// Asks why something is as it is, and writes down what is answered, with times as the story
    /// has them.
    fn why(&mut self, entity: &str) {
        let plain = |text: &str| text.replace(":1", "");
        let at = |time: Timestamp| time.since(START).as_secs_f64();
        let now = at(self.now);
        // Peers are called by one letter here.
        let entity = match entity.split_once('/') {
            Some((peer, pid)) if peer.len() == 1 => format!("{peer}:1/{pid}"),
            None if entity.len() == 1 => format!("{entity}:1"),
            Some(_) | None => entity.to_owned(),
        };
        let moment = self.moment();
        let Some(why) = self.warden.explain(moment, &entity) else {
            writeln!(self.told, "{now} nobody knows {}", plain(&entity)).unwrap();
            return;
        };
        let (about, says) = (plain(&why.about), plain(&why.says));
        writeln!(self.told, "{now} {about} {}: {says}", why.state).unwrap();
        for it in why.because {
            let since = it.since.map(|it| format!(", since {}", at(it)));
            let until = it.until.map(|it| format!(", until {}", at(it)));
            let lift = it.lift.map(|it| format!("; {it}"));
            let more = [since, until, lift].map(Option::unwrap_or_default).concat();
            writeln!(self.told, "- {}: {}{more}", it.rule, plain(&it.says)).unwrap();
        }
        for it in why.history {
            let action = it.action.map(|it| format!(" {it}")).unwrap_or_default();
            let gate = it.gate.map(|it| format!(" by {it}")).unwrap_or_default();
            let step = it.step.as_str();
            let process = it.process.map(|(peer, pid)| format!("{pid}@{peer} "));
            let process = plain(&process.unwrap_or_default());
            let says = plain(&it.says);
            let time = at(it.time.at);
            writeln!(self.told, "at {time} {step}{action}{gate}: {process}{says}").unwrap();
        }
    }

    /// Tries the ports of those whose port counts now, and writes down whose those are.
    fn knock(&mut self) {
        let probes = self.warden.probes();
        let now = self.now.since(START).as_secs_f64();
        let knocked = probes.iter().map(|it| {
            let known = if it.is_unresponsive { ", silent" } else { "" };
            format!(" {}@{}{known}", it.pid, it.address.host)
        });
        writeln!(self.told, "{now} knocks:{}", knocked.collect::<String>()).unwrap();
        self.knocked.extend(probes);
    }

    /// Reads `5@b`: whoever went by that when its port was tried last.
    fn knocked(&self, text: &str, finding: Finding) -> Input {
        let is_it = |it: &&Probe| format!("{}@{}", it.pid, it.address.host) == text;
        let probe = self.knocked.iter().rev().find(is_it).unwrap();
        Input::Probed(Probed {
            peer: probe.peer.clone(),
            pid: probe.pid,
            life: probe.life,
            finding,
        })
    }

    /// Kills the daemon and starts it again with what it remembered, and perhaps with another
    /// configuration.
    fn restart(&mut self, what: &str) {
        if !what.is_empty() {
            self.change(what);
        }
        let facts = self.warden.facts();
        let now = self.moment();
        let settings = self.settings.clone();
        let restored = Warden::restore(self.model.clone(), settings, now, facts);
        self.warden = restored.unwrap();
        self.handle(Input::Began(self.accepted()));
    }

    /// Reads the configuration again, in which this is different.
    fn reload(&mut self, what: &str) {
        self.change(what);
        self.handle(Input::Configured(self.accepted()));
    }

    /// Changes the configuration, which nobody reads yet.
    fn change(&mut self, what: &str) {
        match what {
            "off" => self.settings.policies.clear(),
            "on" => self.settings.policies = vec![Policy::default()],
            "on-sm" => {
                let roles = vec![Role::Te, Role::Sm];
                self.settings.policies = vec![Policy {
                    roles,
                    ..Policy::default()
                }];
            }
            "teas-only" => self.settings.policies = vec![policy_of("teas")],
            "suggest" => self.settings.mode = Mode::Suggest,
            "archive-history" => {
                self.settings.experiments = [Experiment::ArchiveHistory].into();
            }
            "no-experiments" => self.settings.experiments.clear(),
            "no-archives" => self.settings.archives.clear(),
            "heal-managed" => self.settings.leave_managed = false,
            "per-region" => {
                let share = |region: &str| Share {
                    labels: [("region".to_owned(), region.to_owned())].into(),
                    min: 1,
                };
                self.settings.policies[0].te_per = vec![share("eu"), share("us")];
            }
            "no-probe" => self.settings.probe = None,
            "no-options" => self.settings.te_options.clear(),
            "other-options" => {
                let option = EngineOption {
                    name: "--mem".to_owned(),
                    value: Some("2g".to_owned()),
                };
                self.settings.te_options.insert("teas".into(), vec![option]);
            }
            other => panic!("nothing can be reloaded as `{other}`"),
        }
        self.settings.generation += 1;
    }

    fn accepted(&self) -> Arc<Accepted> {
        Arc::new(Accepted {
            model: self.model.clone(),
            supervisor: self.settings.clone(),
        })
    }

    /// Lets time pass up to `at`, and handles what falls due at its own time.
    fn pass(&mut self, at: Timestamp) {
        let mut turns = 0;
        while let Some(due) = self.warden.next_timeout().filter(|due| *due <= at) {
            turns += 1;
            assert!(turns < 10_000, "a timeout at {due:?} never settles");
            self.now = due.max(self.now);
            self.handle(Input::Timeout);
        }
        self.now = at.max(self.now);
    }

    fn input(&mut self, verb: &str, rest: &str) -> Option<Input> {
        let (first, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let seen = |observation| Some(Input::Observed(observation));
        let sighted = |sighting| Some(Input::Observed(Observation::Sighted(sighting)));
        let loss = Loss {
            address: Address::new("a", 1),
            class: LossClass::Connection,
            reason: "closed".into(),
        };
        let outcome = match verb {
            "wait" => return None,
            "wall" => {
                self.ahead += first.parse::<i64>().unwrap();
                return Some(Input::Timeout);
            }
            "ask" => return Some(Input::Requested(self.request(rest))),
            "clock" => return Some(Input::Clock(trouble(first, text))),
            "say" => return Some(Input::Requested(self.saying(rest))),
            "lease" => {
                let lease = match first {
                    "had" => Lease::Held { taken_over: false },
                    "taken-over" => Lease::Held { taken_over: true },
                    "lost" => Lease::Lost,
                    other => panic!("no lease is `{other}`"),
                };
                return Some(Input::Lease(lease));
            }
            "heard" => return Some(self.knocked(first, Finding::Answers)),
            "silent" => {
                let reason = text.into();
                let finding = Finding::Silent { misses: 3, reason };
                return Some(self.knocked(first, finding));
            }
            "journal-failed" => return Some(Input::JournalFailed),
            "recovered-backup" => return Some(Input::Recovered(Recovery::Backup)),
            "recovered-lost" => return Some(Input::Recovered(Recovery::Lost)),
            "resume" => return Some(Input::Resumed { by: first.into() }),
            "up" | "first-up" => return seen(Observation::Snapshot(self.snapshot(rest))),
            "lost" => return seen(Observation::Lost(loss)),
            "managed" => return seen(Observation::Managed(managed(rest))),
            "lose" => return sighted(Sighting::PeerLost(self.peer(first))),
            "return" => {
                let agent = self.agents.get_mut(first).unwrap();
                agent.push('\'');
                return sighted(Sighting::PeerJoined(self.peer(first)));
            }
            "rejoin" => return sighted(Sighting::PeerJoined(self.peer(first))),
            "join" => return sighted(Sighting::ProcessJoined(self.process(rest, "RUNNING"))),
            "syncs" => return sighted(Sighting::ProcessJoined(self.process(rest, "SYNCING"))),
            "runs" => return sighted(Sighting::StatusChanged(self.process(rest, "RUNNING"))),
            "exit" => return sighted(Sighting::ProcessGone(self.process(rest, "RUNNING"))),
            "leaving" => {
                let process = self.process(rest, "SHUTTING_DOWN");
                return sighted(Sighting::StatusChanged(process));
            }
            "ready" => Outcome::Ready,
            "started" => Outcome::Started((!text.is_empty()).then(|| text.into())),
            "registered" => Outcome::Registered {
                pid: text.parse().unwrap(),
            },
            "failed" => Outcome::StartFailed(text.into()),
            "refused" => Outcome::Refused(text.into()),
            "not-sent" => Outcome::NotSent(loss),
            "unanswered" => Outcome::Unanswered(loss),
            "stopped" => Outcome::Stopped { exit_code: None },
            "answers" => Outcome::Answered(pairs(text)),
            other => panic!("no story has a line `{other}`"),
        };
        let action = ActionId(first.parse().unwrap());
        Some(Input::Reported { action, outcome })
    }

    /// Reads both clocks; the wall clock is a day ahead of the timeline, and what stories add.
    fn moment(&self) -> Moment {
        let ahead = u64::try_from(86_400 + self.ahead).unwrap();
        Moment {
            at: self.now,
            wall: WallTime::from_unix_micros((self.now + Duration::from_secs(ahead)).as_micros()),
        }
    }

    fn handle(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.warden.handle(self.moment(), input, &mut effects);
        if self.is_slow {
            let (events, waiting) = Waiting::part(effects);
            self.parked.park((), waiting);
            effects = events.into_iter().map(Effect::Raise).collect();
        }
        self.tell(effects);
    }

    /// What waited for the disk leaves.
    fn leave(&mut self) {
        let now = self.moment();
        while let Some(leaving) = self.parked.leave((), now, &self.warden) {
            self.tell(vec![match leaving.what {
                Waiting::Answer { request, answer } => Effect::Answer { request, answer },
                Waiting::Deed(deed) => Effect::Do(deed),
            }]);
            if let Some(report) = leaving.report {
                self.handle(report);
            }
        }
    }

    fn tell(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let line = match effect {
                Effect::Answer { answer, .. } => Some(answer_line(&answer)),
                Effect::Do(deed) => Some(deed_line(&deed)),
                Effect::Raise(event) => event_line(&event),
            };
            if let Some(line) = line {
                let millis = self.now.since(START).as_millis();
                let (seconds, rest) = (millis / 1_000, millis % 1_000);
                let fraction = format!("{rest:03}");
                let fraction = fraction.trim_end_matches('0');
                let dot = if fraction.is_empty() { "" } else { "." };
                writeln!(self.told, "{seconds}{dot}{fraction} {line}").unwrap();
            }
        }
    }

    /// Reads `BY DATABASE`, then nothing, `elsewhere` or `on PEER`, then perhaps `because REASON`.
    fn request(&mut self, text: &str) -> Request {
        let (text, reason) = match text.split_once(" because ") {
            Some((text, reason)) => (text, Some(reason.into())),
            None => (text, None),
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let place = match words[2..] {
            [] => Place::Anywhere,
            ["elsewhere"] => Place::Elsewhere,
            ["on", peer] => Place::On(format!("{peer}:1").as_str().into()),
            _ => panic!("no request `{text}`"),
        };
        self.requests += 1;
        Request {
            id: RequestId(self.requests),
            by: words[0].into(),
            reason,
            wish: Wish::StartTe {
                database: words[1].into(),
                place,
            },
        }
    }

    /// Reads `BY WORD TARGET`, perhaps more of the word, and perhaps `because REASON`.
    fn saying(&mut self, text: &str) -> Request {
        let (text, reason) = match text.split_once(" because ") {
            Some((text, reason)) => (text, Some(reason.into())),
            None => (text, None),
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let seconds = |it: &str| Duration::from_secs(it.parse().unwrap());
        let word = match (words[1], &words[3..]) {
            ("announce", []) => Word::Announce,
            ("cold-start", []) => Word::ColdStart {
                accept_loss: Vec::new(),
            },
            ("cold-start", ["losing", lost @ ..]) => Word::ColdStart {
                accept_loss: lost
                    .iter()
                    .map(|it| format!("{it}:1").as_str().into())
                    .collect(),
            },
            ("confirm-dead", []) => Word::ConfirmDead,
            ("end-maintenance", []) => Word::EndMaintenance,
            ("forget", []) => Word::Forget,
            ("hold", []) => Word::Hold,
            ("maintain", ["for", it]) => Word::Maintain { lasts: seconds(it) },
            ("release", []) => Word::Release,
            ("retry", []) => Word::Retry,
            ("scale", ["to", it]) => Word::Scale {
                count: it.parse().unwrap(),
            },
            ("thaw", [gate, "for", it]) => Word::Thaw {
                gate: (*gate).into(),
                lasts: seconds(it),
            },
            ("want", []) => Word::Want,
            _ => panic!("nobody says `{text}`"),
        };
        // Peers are written without their port.
        let target = match words[2].split_once('/') {
            _ if self.agents.contains_key(words[2]) => format!("{}:1", words[2]),
            Some((peer, pid)) if self.agents.contains_key(peer) => format!("{peer}:1/{pid}"),
            _ => words[2].to_owned(),
        };
        self.requests += 1;
        Request {
            id: RequestId(self.requests),
            by: words[0].into(),
            reason,
            wish: Wish::Person {
                word,
                target: target.into(),
            },
        }
    }

    /// Reads `a* b c: sm 1@a, te 2@b`.
    fn snapshot(&mut self, text: &str) -> Snapshot {
        let (peers, processes) = text.split_once(':').unwrap_or((text, ""));
        let mut entry = None;
        let mut others = Vec::new();
        for name in peers.split_whitespace() {
            let plain = name.trim_end_matches('*');
            self.agents
                .entry(plain.to_owned())
                .or_insert_with(|| plain.to_owned());
            if name.ends_with('*') {
                entry = Some(self.peer(plain));
            } else {
                others.push(self.peer(plain));
            }
        }
        Snapshot {
            domain: "domain".into(),
            entry: entry.unwrap(),
            peers: others,
            processes: processes
                .split(',')
                .map(str::trim)
                .filter(|it| !it.is_empty())
                .map(|it| match it.strip_suffix(" SYNCING") {
                    Some(it) => self.process(it, "SYNCING"),
                    None => self.process(it, "RUNNING"),
                })
                .collect(),
        }
    }

    fn peer(&self, name: &str) -> PeerSeen {
        PeerSeen {
            agent_id: self.agents[name].as_str().into(),
            address: Address::new(name, 1),
            is_broker: true,
            hostname: "".into(),
            version: "".into(),
        }
    }

    /// Reads `te 5@b`, or `te 5@b of coffee`.
    fn process(&self, text: &str, word: &str) -> ProcessSeen {
        let mut words = text.split_whitespace();
        let role = match words.next().unwrap() {
            "sm" => Role::Sm,
            "te" => Role::Te,
            other => panic!("no role `{other}`"),
        };
        let (pid, peer) = words.next().unwrap().split_once('@').unwrap();
        let database = words.nth(1).unwrap_or("teas");
        let status = match word {
            "RUNNING" => Status::Up,
            "SYNCING" => Status::Starting,
            _ => Status::Stopping,
        };
        ProcessSeen {
            agent_id: AgentId::from(self.agents[peer].as_str()),
            database: database.into(),
            pid: pid.parse().unwrap(),
            port: Some(48_005),
            role,
            status: Some(StatusSeen {
                status,
                word: word.into(),
            }),
            hostname: "".into(),
            version: "".into(),
            node_id: None,
            start_id: None,
        }
    }
}

/// Reads `region eu, zone a`.
fn labelled(name: &str, labels: &str) -> PeerSettings {
    let labels = labels
        .split(',')
        .map(|it| it.trim().split_once(' ').unwrap());
    PeerSettings {
        name: format!("{name}:1").as_str().into(),
        dial: None,
        aliases: vec![Address::new(name, 1)],
        labels: labels
            .map(|(name, it)| (name.to_owned(), it.to_owned()))
            .collect(),
    }
}

/// Reads `slept 60`, `late 6` or `jumped -60`.
fn trouble(word: &str, seconds: &str) -> ClockTrouble {
    let seconds: i64 = seconds.parse().unwrap();
    let (by, back) = (Duration::from_secs(seconds.unsigned_abs()), seconds < 0);
    match word {
        "jumped" => ClockTrouble::Jumped { by, back },
        "late" => ClockTrouble::Late { by },
        "slept" => ClockTrouble::Slept { by },
        other => panic!("clocks do not show `{other}`"),
    }
}

/// Returns a text in which peers stand without their port.
fn without_ports(text: &str) -> String {
    let peers = 'a'..='z';
    peers.fold(text.to_owned(), |text, it| {
        text.replace(&format!("{it}:1"), &it.to_string())
    })
}

fn answer_line(answer: &Answer) -> String {
    let line = match answer {
        Answer::Accepted { text, .. } => format!("accepted: {text}"),
        Answer::Refused { reason } => format!("refused: {reason}"),
    };
    without_ports(&line)
}

fn deed_line(deed: &Deed) -> String {
    let host = |peer: &dbwarden::exchange::Target| peer.address.host.to_string();
    match deed {
        Deed::Abandon { action } => format!("abandon {action}"),
        Deed::Ask { action, question } => match question {
            Question::History { target, archive } => {
                format!("ask {action} {} of {archive}", host(target))
            }
            Question::Identity(target) => format!("ask {action} whether {} answers", host(target)),
            Question::DeleteTags(..)
            | Question::Quiesce(_)
            | Question::SetTags(..)
            | Question::Tags(_)
            | Question::Unquiesce(_) => format!("ask {action} {question:?}"),
        },
        Deed::Commit { action } => format!("commit {action}"),
        Deed::Prepare { action, start, .. } => {
            let role = start.role.as_str().to_lowercase();
            let database = match start.database.as_str() {
                "teas" => String::new(),
                other => format!(" of {other}"),
            };
            let mut line = format!(
                "prepare {action} {role}{database} on {}",
                host(&start.target)
            );
            // Those of an engine stand in the settings; those of an archive are put together.
            let has_archive = start.role == Role::Sm;
            for option in start.options.iter().filter(|_| has_archive) {
                let value = option.value.as_deref().unwrap_or_default();
                write!(line, " {} {value}", option.name).unwrap();
            }
            line
        }
        Deed::Refresh => "refresh".to_owned(),
        Deed::Stop { pid, how, .. } => match how {
            Stop::Graceful => format!("stop {pid}"),
            Stop::Kill => format!("kill {pid}"),
        },
    }
}

/// Writes the events that concern healing: how processes end and come, and what the healer says.
fn event_line(event: &Event) -> Option<String> {
    let told = match event.kind.group() {
        Group::Healing | Group::Domain => true,
        Group::Process => {
            matches!(
                event.kind,
                Kind::ProcessFailed
                    | Kind::ProcessJoined
                    | Kind::ProcessLeft
                    | Kind::ProcessReturned
                    | Kind::ProcessStuck
                    | Kind::ProcessSurplus
                    | Kind::ProcessUnreachable
                    | Kind::ProcessUnresponsive
            ) || event.kind == Kind::ProcessStatusChanged && event.text.is_some()
        }
        Group::Database => {
            matches!(event.kind, Kind::DatabaseDegraded | Kind::DatabaseRestored)
        }
        Group::Daemon => matches!(
            event.kind,
            Kind::MaintenanceEnded
                | Kind::MaintenanceEnding
                | Kind::MaintenanceStarted
                | Kind::OperatorCommand
        ),
        Group::Peer => false,
    };
    if !told {
        return None;
    }
    let mut line = event.kind.as_str().to_owned();
    let subject = &event.subject;
    let peer = subject
        .peer
        .as_ref()
        .map(|it| it.as_str().trim_end_matches(":1"));
    if let Some(action) = event.action {
        write!(line, " {action}").unwrap();
    }
    if let Some(process) = &subject.process {
        let role = process.role.as_str().to_lowercase();
        write!(line, " {role} {}@{}", process.pid, peer.unwrap()).unwrap();
    } else if let Some(slot) = &subject.slot {
        write!(line, " {slot}").unwrap();
        if let Some(peer) = peer {
            write!(line, " on {peer}").unwrap();
        }
    } else if let Some(database) = &subject.database {
        write!(line, " {database}").unwrap();
    }
    if let Some(text) = &event.text
        && event.kind.group() != Group::Database
    {
        write!(line, ": {}", without_ports(text)).unwrap();
    }
    Some(line)
}
