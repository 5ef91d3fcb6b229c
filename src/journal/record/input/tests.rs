//! Every input reads back as it was written.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::exchange::{
    EngineOption, Finding, Loss, LossClass, Managed, Outcome, Place, Probed, Wish, Word,
};
use crate::model::{
    self, Address, DatabaseName, Life, PeerSeen, PeerSettings, ProcessSeen, Role, Status,
    StatusSeen,
};
use crate::policy::{
    self, AfterStages, Backoff, Bounds, DomainWaits, Leftover, Meaning, NUODB, Pattern, Policy,
    Reason, Share, Stage, Waits,
};
use crate::supervisor::{
    Accepted, Archive, Budget, Experiment, HealerLimits, Lease, LeaseTerms, Mode, ProbeTerms,
    Settings, SignOfLife, StormLimits,
};
use crate::time::ClockTrouble;

fn text() -> BoxedStrategy<String> {
    prop_oneof![Just(String::new()), "[a-z/0-9]{1,12}", any::<String>()].boxed()
}

fn address() -> BoxedStrategy<Address> {
    (text(), any::<u16>())
        .prop_map(|(host, port)| Address::new(host, port))
        .boxed()
}

fn peer() -> BoxedStrategy<PeerSeen> {
    (text(), address(), any::<bool>(), text(), text())
        .prop_map(|(agent, address, is_broker, hostname, version)| PeerSeen {
            agent_id: agent.as_str().into(),
            address,
            is_broker,
            hostname: hostname.into(),
            version: version.into(),
        })
        .boxed()
}

fn process() -> BoxedStrategy<ProcessSeen> {
    let role = select(vec![Role::Sm, Role::Te]);
    let status = select(vec![
        Status::Down,
        Status::Starting,
        Status::Stopping,
        Status::Unknown,
        Status::Up,
    ]);
    let status = proptest::option::of((status, text()));
    let numbers = (any::<u32>(), any::<Option<u16>>(), any::<Option<u32>>());
    let texts = (text(), text(), text(), text(), proptest::option::of(text()));
    (role, status, numbers, texts)
        .prop_map(|(role, status, numbers, texts)| ProcessSeen {
            agent_id: texts.0.as_str().into(),
            database: texts.1.as_str().into(),
            pid: numbers.0,
            port: numbers.1,
            role,
            status: status.map(|(status, word)| StatusSeen {
                status,
                word: word.into(),
            }),
            hostname: texts.2.into(),
            version: texts.3.into(),
            node_id: numbers.2,
            start_id: texts.4.map(|it| it.as_str().into()),
        })
        .boxed()
}

fn loss() -> BoxedStrategy<Loss> {
    let class = select(vec![
        LossClass::Connection,
        LossClass::Denied,
        LossClass::Protocol,
    ]);
    (address(), class, text())
        .prop_map(|(address, class, reason)| Loss {
            address,
            class,
            reason: reason.into(),
        })
        .boxed()
}

fn sighting() -> BoxedStrategy<Sighting> {
    let start_failed = (text(), proptest::option::of(text()), text());
    prop_oneof![
        peer().prop_map(Sighting::PeerJoined),
        peer().prop_map(Sighting::PeerLost),
        process().prop_map(Sighting::ProcessGone),
        process().prop_map(Sighting::ProcessJoined),
        process().prop_map(Sighting::StatusChanged),
        start_failed.prop_map(|(agent, start, reason)| Sighting::StartFailed {
            agent_id: agent.as_str().into(),
            start_id: start.map(|it| it.as_str().into()),
            reason: reason.into(),
        }),
    ]
    .boxed()
}

fn outcome() -> BoxedStrategy<Outcome> {
    let pairs = vec((text(), text()), 0..3);
    prop_oneof![
        pairs.prop_map(Outcome::Answered),
        loss().prop_map(Outcome::NotSent),
        Just(Outcome::Ready),
        text().prop_map(|it| Outcome::Refused(it.into())),
        any::<u32>().prop_map(|pid| Outcome::Registered { pid }),
        text().prop_map(|it| Outcome::StartFailed(it.into())),
        proptest::option::of(text())
            .prop_map(|it| Outcome::Started(it.map(|it| it.as_str().into()))),
        any::<Option<i32>>().prop_map(|exit_code| Outcome::Stopped { exit_code }),
        loss().prop_map(Outcome::Unanswered),
        Just(Outcome::Withdrawn),
    ]
    .boxed()
}

fn word() -> BoxedStrategy<Word> {
    let plain = vec![
        Word::Announce,
        Word::ConfirmDead,
        Word::EndMaintenance,
        Word::Forget,
        Word::Hold,
        Word::Release,
        Word::Retry,
        Word::Want,
    ];
    prop_oneof![
        select(plain),
        vec(text(), 0..3).prop_map(|it| Word::ColdStart {
            accept_loss: it.iter().map(|it| it.as_str().into()).collect(),
        }),
        duration().prop_map(|lasts| Word::Maintain { lasts }),
        any::<u32>().prop_map(|count| Word::Scale { count }),
        (text(), duration()).prop_map(|(gate, lasts)| Word::Thaw {
            gate: gate.into(),
            lasts,
        }),
    ]
    .boxed()
}

fn request() -> BoxedStrategy<Request> {
    let place = prop_oneof![
        Just(Place::Anywhere),
        Just(Place::Elsewhere),
        text().prop_map(|it| Place::On(it.as_str().into())),
    ];
    let by = (text(), proptest::option::of(text()));
    let start = (text(), place).prop_map(|(database, place)| Wish::StartTe {
        database: database.as_str().into(),
        place,
    });
    let person = (word(), text()).prop_map(|(word, target)| Wish::Person {
        word,
        target: target.into(),
    });
    (any::<u64>(), by, prop_oneof![start, person])
        .prop_map(|(id, (by, reason), wish)| Request {
            id: RequestId(id),
            by: by.into(),
            reason: reason.map(Into::into),
            wish,
        })
        .boxed()
}

fn option() -> BoxedStrategy<EngineOption> {
    (text(), proptest::option::of(text()))
        .prop_filter("its value is not written", |(name, _)| {
            !name.contains("password")
        })
        .prop_map(|(name, value)| EngineOption { name, value })
        .boxed()
}

fn duration() -> BoxedStrategy<Duration> {
    (0..=u64::MAX).prop_map(Duration::from_micros).boxed()
}

fn policy() -> BoxedStrategy<Policy> {
    let names = || vec(text().prop_map(|it| Pattern::from(&*it)), 0..3);
    let bounds = (any::<u32>(), any::<Option<u32>>()).prop_map(|(min, max)| Bounds { min, max });
    let stage = (any::<bool>(), any::<Option<u32>>()).prop_map(|(is_here, tries)| Stage {
        place: if is_here {
            policy::Place::Here
        } else {
            policy::Place::Elsewhere
        },
        tries,
    });
    let stages = (
        vec(stage, 0..3),
        proptest::option::of(duration().prop_map(AfterStages::Slow)),
    );
    let backoff = (duration(), any::<u32>(), duration());
    let labels = || btree_map(text(), text(), 0..3);
    let share = (labels(), any::<u32>()).prop_map(|(labels, min)| Share { labels, min });
    let labels = (labels(), labels(), vec(share, 0..3));
    let names = (names(), names(), any::<bool>(), any::<bool>(), labels);
    let roles = select(vec![
        vec![Role::Te],
        vec![Role::Te, Role::Sm],
        vec![Role::Sm],
    ]);
    (
        names,
        (proptest::option::of(bounds), roles),
        stages,
        backoff,
        vec(duration(), 7 + Waits::default().each().len()),
    )
        .prop_map(
            |(names, (te, roles), stages, (first, factor, max), durations)| Policy {
                domains: names.0,
                databases: names.1,
                roles,
                keep_observed: names.2,
                strict_siblings: names.3,
                require: names.4.0,
                prefer: names.4.1,
                te,
                te_per: names.4.2,
                sm: te,
                leftover: if names.2 {
                    Leftover::Kill
                } else {
                    Leftover::Hold
                },
                stages: stages.0,
                after_stages: stages.1.unwrap_or(AfterStages::Hold),
                backoff: Backoff { first, factor, max },
                min_uptime: durations[0],
                healthy_after: durations[1],
                start_timeout: durations[2],
                return_grace: durations[3],
                unreachable_grace: durations[4],
                confirm_for: durations[5],
                barrier_pause: durations[6],
                waits: waits(&durations[7..]),
            },
        )
        .boxed()
}

fn trouble() -> BoxedStrategy<ClockTrouble> {
    prop_oneof![
        (duration(), any::<bool>()).prop_map(|(by, back)| ClockTrouble::Jumped { by, back }),
        duration().prop_map(|by| ClockTrouble::Late { by }),
        duration().prop_map(|by| ClockTrouble::Slept { by }),
    ]
    .boxed()
}

fn waits(durations: &[Duration]) -> Waits {
    let mut waits = Waits::default();
    for ((_, it), duration) in waits.each_mut().into_iter().zip(durations) {
        *it = *duration;
    }
    waits
}

/// Returns an archive of each database, with the same options.
fn archives(
    te_options: &BTreeMap<DatabaseName, Vec<EngineOption>>,
) -> BTreeMap<DatabaseName, Vec<Archive>> {
    let archives = te_options.iter().map(|(database, options)| {
        let archive = Archive {
            peer: "db1:48004".into(),
            path: "/data".into(),
            journal: Some("/journal".into()),
            group: None,
            options: options.clone(),
        };
        (database.clone(), vec![archive])
    });
    archives.collect()
}

fn accepted() -> BoxedStrategy<Arc<Accepted>> {
    let peer = (
        text(),
        proptest::option::of(address()),
        vec(address(), 0..3),
        btree_map(text(), text(), 0..3),
    );
    let peer = peer.prop_map(|(name, dial, aliases, labels)| PeerSettings {
        name: name.as_str().into(),
        dial,
        aliases,
        labels,
    });
    let times = (duration(), duration(), duration(), duration());
    let model = (times, vec(peer, 0..3));
    let model = model.prop_map(
        |((exit_settle, return_grace, settle, retire_after), peers)| model::Settings {
            exit_settle,
            return_grace,
            settle,
            retire_after,
            peers,
            ..model::Settings::default()
        },
    );
    let mode = select(vec![Mode::Heal, Mode::Observe, Mode::Suggest]);
    let names = text().prop_map(|it| DatabaseName::from(&*it));
    let options = btree_map(names, vec(option(), 0..3), 0..3);
    let numbers = (duration(), duration(), any::<u64>(), any::<u64>());
    (
        model,
        text(),
        mode,
        vec(policy(), 0..3),
        options,
        numbers,
        limits(),
    )
        .prop_map(
            |(model, domain, mode, policies, te_options, numbers, limits)| {
                let (settle, prepare_timeout, seed, generation) = numbers;
                let supervisor = Settings {
                    domain: domain.as_str().into(),
                    doctrine: &NUODB,
                    mode,
                    policies,
                    archives: archives(&te_options),
                    te_options,
                    settle,
                    prepare_timeout,
                    seed,
                    generation,
                    ..limits
                };
                Arc::new(Accepted { model, supervisor })
            },
        )
        .boxed()
}

/// Settings that differ in their limits alone.
fn limits() -> BoxedStrategy<Settings> {
    let storm = (any::<u32>(), any::<u32>(), vec(duration(), 3));
    let storm = storm.prop_map(|(percent, peers, times)| StormLimits {
        percent,
        peers,
        quiet: times[0],
        pace: times[1],
        slow_for: times[2],
    });
    let waits = vec(duration(), DomainWaits::default().each().len()).prop_map(|times| {
        let mut waits = DomainWaits::default();
        for ((_, it), time) in waits.each_mut().into_iter().zip(times) {
            *it = time;
        }
        waits
    });
    let reason = (text(), select(Meaning::ALL.to_vec()));
    let reason = reason.prop_map(|(contains, means)| Reason { contains, means });
    let budget = (any::<u32>(), duration());
    let budget = budget.prop_map(|(max_actions, window)| Budget {
        max_actions,
        window,
    });
    let healer = (any::<u32>(), duration());
    let healer = healer.prop_map(|(starts, window)| HealerLimits { starts, window });
    let observe = vec(text().prop_map(|it| Pattern::from(&*it)), 0..3);
    let lease = proptest::option::of((text(), duration()));
    let lease = lease.prop_map(|it| {
        it.map(|(path, ttl)| LeaseTerms {
            path: path.into(),
            ttl,
        })
    });
    let experiments = any::<bool>().prop_map(|it| {
        it.then_some(Experiment::ArchiveHistory)
            .into_iter()
            .collect()
    });
    let healer = (
        healer,
        observe,
        any::<bool>(),
        (lease, probe_terms()),
        experiments,
    );
    (
        duration(),
        duration(),
        (storm, waits),
        healer,
        budget,
        vec(reason, 0..3),
    )
        .prop_map(
            |(settle_max, clock_jump, (storm, waits), healer, budget, reasons)| Settings {
                settle_max,
                clock_jump,
                waits,
                storm,
                healer: healer.0,
                observe: healer.1,
                leave_managed: healer.2,
                lease: healer.3.0,
                probe: healer.3.1,
                experiments: healer.4,
                budget,
                reasons,
                ..Settings::new("".into())
            },
        )
        .boxed()
}

fn probe_terms() -> BoxedStrategy<Option<ProbeTerms>> {
    let sign = prop_oneof![Just(SignOfLife::Accept), Just(SignOfLife::Close)];
    let terms = (duration(), duration(), any::<u32>(), sign);
    let terms = terms.prop_map(|(every, timeout, misses, answer)| ProbeTerms {
        every,
        timeout,
        misses,
        answer,
    });
    proptest::option::of(terms).boxed()
}

fn managed() -> BoxedStrategy<Managed> {
    let both = (text(), text());
    both.prop_map(|(database, status)| Managed {
        database: database.as_str().into(),
        status: status.into(),
    })
    .boxed()
}

fn probed() -> BoxedStrategy<Probed> {
    let silent = (any::<u32>(), text()).prop_map(|(misses, reason)| Finding::Silent {
        misses,
        reason: reason.into(),
    });
    let finding = prop_oneof![Just(Finding::Answers), silent];
    (text(), any::<u32>(), any::<u64>(), finding)
        .prop_map(|(peer, pid, life, finding)| Probed {
            peer: peer.as_str().into(),
            pid,
            life: Life::of(life),
            finding,
        })
        .boxed()
}

fn any_input() -> BoxedStrategy<Input> {
    let snapshot = (text(), peer(), vec(peer(), 0..3), vec(process(), 0..3));
    let snapshot = snapshot.prop_map(|(domain, entry, peers, processes)| Snapshot {
        domain: domain.into(),
        entry,
        peers,
        processes,
    });
    prop_oneof![
        accepted().prop_map(Input::Began),
        accepted().prop_map(Input::Configured),
        trouble().prop_map(Input::Clock),
        Just(Input::JournalFailed),
        any::<bool>().prop_map(|taken_over| Input::Lease(Lease::Held { taken_over })),
        Just(Input::Lease(Lease::Lost)),
        loss().prop_map(|it| Input::Observed(Observation::Lost(it))),
        vec(managed(), 0..3).prop_map(|it| Input::Observed(Observation::Managed(it))),
        sighting().prop_map(|it| Input::Observed(Observation::Sighted(it))),
        snapshot.prop_map(|it| Input::Observed(Observation::Snapshot(it))),
        probed().prop_map(Input::Probed),
        Just(Input::Recovered(Recovery::Backup)),
        Just(Input::Recovered(Recovery::Lost)),
        (any::<u64>(), outcome()).prop_map(|(action, outcome)| Input::Reported {
            action: ActionId(action),
            outcome,
        }),
        request().prop_map(Input::Requested),
        text().prop_map(|by| Input::Resumed { by: by.into() }),
        Just(Input::Timeout),
    ]
    .boxed()
}

proptest! {
    #[test]
    fn inputs_are_read_as_they_were_written(
        written in vec(any_input().boxed(), 0..8),
    ) {
        let records: Vec<InputRecord<'_>> = written.iter().map(Into::into).collect();
        let json = serde_json::to_string(&records).unwrap();
        let records: Vec<InputRecord<'_>> = serde_json::from_str(&json).unwrap();
        let read: Vec<Input> = records.into_iter().map(|it| it.try_into().unwrap()).collect();
        prop_assert_eq!(read, written);
    }
}

#[test]
fn a_change_takes_few_bytes_and_reads_well() {
    let process = ProcessSeen {
        agent_id: "7c9e".into(),
        database: "teas".into(),
        pid: 4711,
        port: Some(48_005),
        role: Role::Te,
        status: None,
        hostname: "".into(),
        version: "".into(),
        node_id: None,
        start_id: None,
    };
    let input = Input::Observed(Observation::Sighted(Sighting::ProcessGone(process)));
    let json = serde_json::to_string(&InputRecord::from(&input)).unwrap();
    let expected = concat!(
        r#"{"process-gone":{"agent":"7c9e","database":"teas","pid":4711,"#,
        r#""port":48005,"role":"TE"}}"#
    );
    assert_eq!(json, expected);
}

#[test]
fn a_secret_option_is_written_without_its_value() {
    let mut settings = Settings::new("prod".into());
    let option = |name: &str, value: &str| EngineOption {
        name: name.to_owned(),
        value: Some(value.to_owned()),
    };
    let options = vec![option("--mem", "2g"), option("--dba-password", "bird")];
    settings.te_options.insert("teas".into(), options);
    let input = Input::Began(Arc::new(Accepted {
        model: model::Settings::default(),
        supervisor: settings,
    }));
    let json = serde_json::to_string(&InputRecord::from(&input)).unwrap();
    assert!(
        json.contains("--dba-password") && json.contains("2g"),
        "{json}"
    );
    assert!(!json.contains("bird"), "{json}");
    let record: InputRecord<'_> = serde_json::from_str(&json).unwrap();
    let Input::Began(read) = Input::try_from(record).unwrap() else {
        panic!("it reads as something else");
    };
    let options = &read.supervisor.te_options[&DatabaseName::from("teas")];
    assert_eq!(options[1].value.as_deref(), Some("***"));
}

#[test]
fn nonsense_is_no_input() {
    for json in [
        r#""sleep""#,
        r#"{"process-gone":{}}"#,
        r#"{"process-gone":{"agent":"a","database":"b","pid":1,"role":"TE","colour":"red"}}"#,
    ] {
        serde_json::from_str::<InputRecord<'_>>(json).unwrap_err();
    }
    for json in [
        r#"{"process-gone":{"agent":"a","database":"b","pid":1,"role":"XX"}}"#,
        r#"{"process-gone":{"agent":"a","database":"b","pid":1,"role":"TE","status":"up"}}"#,
    ] {
        let record: InputRecord<'_> = serde_json::from_str(json).unwrap();
        Input::try_from(record).unwrap_err();
    }
}
