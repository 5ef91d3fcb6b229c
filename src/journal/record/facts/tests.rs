//! Every fact survives being written down, whatever stands in it.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::{at, from_json, to_json};
use crate::event::Kind;
use crate::exchange::{ActionId, EngineOption, LossClass, Managed, Place};
use crate::model::{
    Address, KnownDatabase, KnownDomain, KnownDoubt, KnownPeer, KnownProcess, PeerPresence,
    Presence, Role, Status,
};
use crate::supervisor::{
    ActionFact, ActionStage, AgentFact, Archive, ArchiveFact, ColdFact, DatabaseFact, Decision,
    DecisionStep, DecisionsFact, DomainFact, EvidenceFact, Extent, Fact, FactKind, FailureFact,
    Foreign, Gate, HoldReason, LapsedFact, OrderFact, OrderKind, PhaseFact, ProcessFact, Ran,
    SlotFact, Starting, Storm, Unresponsive, VacancyFact, WishFact,
};
use crate::time::{Moment, Timestamp, WallTime};

/// Text as a domain may name things, and worse.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9.:/-]{0,12}", any::<String>()]
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(at)
}

fn moment() -> impl Strategy<Value = Moment> {
    (time(), any::<u64>()).prop_map(|(at, wall)| Moment {
        at,
        wall: WallTime::from_unix_micros(wall),
    })
}

fn address() -> impl Strategy<Value = Address> {
    (text(), any::<u16>()).prop_map(|(host, port)| Address::new(host, port))
}

fn doubt() -> impl Strategy<Value = KnownDoubt> {
    of((time(), of(text()))).prop_map(|first| KnownDoubt {
        first: first.map(|(at, by)| (at, by.map(|it| it.as_str().into()))),
    })
}

fn domain() -> impl Strategy<Value = Fact> {
    let class = prop::sample::select(vec![
        LossClass::Connection,
        LossClass::Denied,
        LossClass::Protocol,
    ]);
    let known = (
        of(text()),
        any::<bool>(),
        of(text()),
        (any::<bool>(), any::<u64>()),
        vec((text(), text()), 0..3),
    );
    let said = (of(class), prop::sample::subsequence(&Gate::ALL[..], 0..5));
    let storm = (time(), of(time()), time(), of(time()));
    let storm = storm.prop_map(|(began, quiet_at, slow_until, last_start)| Storm {
        began,
        quiet_at,
        slow_until,
        last_start,
    });
    let rest = (
        any::<bool>(),
        (
            of(time()),
            of(time()),
            of(storm),
            vec(moment(), 0..3),
            vec(managed(), 0..3),
        ),
        any::<u64>(),
        any::<u64>(),
        any::<u64>(),
    );
    (known, said, rest).prop_map(|(known, (told_loss, told_closed), rest)| {
        let (name, was_synced, entry, lives, starts) = known;
        let (
            memory_lost,
            (recovered_until, minority_since, storm, spent, managed),
            last_action,
            seed,
            generation,
        ) = rest;
        let starts = starts.into_iter();
        let starts = starts.map(|(agent, start)| (agent.as_str().into(), start.as_str().into()));
        Fact::Domain(DomainFact {
            known: KnownDomain {
                name: name.map(Into::into),
                was_synced,
                entry: entry.map(|it| it.as_str().into()),
                is_minority: lives.0,
                lives: lives.1,
                failed_starts: starts.collect(),
            },
            told_loss,
            told_closed,
            memory_lost,
            recovered_until,
            minority_since,
            storm,
            managed,
            spent,
            last_action: ActionId(last_action),
            seed,
            generation,
        })
    })
}

fn managed() -> impl Strategy<Value = Managed> {
    (text(), text()).prop_map(|(database, status)| Managed {
        database: database.as_str().into(),
        status: status.into(),
    })
}

fn peer() -> impl Strategy<Value = Fact> {
    let presence = prop_oneof![
        time().prop_map(|since| PeerPresence::Connected { since }),
        time().prop_map(|since| PeerPresence::Unreachable { since }),
    ];
    let names = (text(), any::<u32>(), text(), vec(text(), 0..3));
    let places = (address(), vec(address(), 0..3), text(), text());
    let lost = (of(time()), any::<bool>(), of(doubt()));
    (names, places, any::<bool>(), presence, lost).prop_map(
        |(names, places, is_broker, presence, lost)| {
            let (name, number, agent, agents) = names;
            let (address, addresses, hostname, version) = places;
            Fact::Peer(KnownPeer {
                name: name.as_str().into(),
                number,
                agent_id: agent.as_str().into(),
                agents: agents.iter().map(|it| it.as_str().into()).collect(),
                address,
                addresses,
                is_broker,
                hostname: hostname.into(),
                version: version.into(),
                presence,
                lost: lost.0,
                is_retired: lost.1,
                doubt: lost.2,
            })
        },
    )
}

fn database() -> impl Strategy<Value = Fact> {
    let foreign = (vec(time(), 0..3), time(), any::<bool>());
    let foreign = foreign.prop_map(|(starts, until, is_told)| Foreign {
        starts: starts.into(),
        until,
        is_told,
    });
    let said = (
        time(),
        any::<bool>(),
        any::<Option<bool>>(),
        foreign,
        of(time()),
    );
    let known = (text(), any::<u32>());
    let others = vec(role(), 0..2);
    (known, vec(time(), 0..3), said, others).prop_map(|(known, exits, said, others)| {
        let (name, number) = known;
        Fact::Database(DatabaseFact {
            known: KnownDatabase {
                name: name.as_str().into(),
                number,
            },
            exits,
            confirm_until: said.0,
            told_degraded: said.1,
            keeps_observed: said.2,
            seats_others: others,
            foreign: said.3,
            storage_lost: said.4,
            cold: ColdFact {
                is_under_way: said.1,
                begun_by: said.1.then_some(ActionId(7)),
                steps: vec![(Role::Sm, number)],
                is_asked_for: said.1,
                accepted: vec!["db1:48004".into()],
            },
        })
    })
}

fn role() -> impl Strategy<Value = Role> {
    prop::sample::select(vec![
        Role::Sm,
        Role::Te,
        Role::named("press+feeder").unwrap(),
    ])
}

fn process() -> impl Strategy<Value = Fact> {
    let role = role();
    let status = prop::sample::select(vec![
        Status::Down,
        Status::Starting,
        Status::Stopping,
        Status::Unknown,
        Status::Up,
    ]);
    let presence = prop_oneof![
        time().prop_map(|due| Presence::Ending { due }),
        Just(Presence::Live),
        any::<bool>().prop_map(|registered| Presence::Unreachable { registered }),
    ];
    let names = (text(), text(), text(), text(), text(), of(text()));
    let numbers = (
        any::<u32>(),
        any::<u64>(),
        of(any::<u16>()),
        of(any::<u32>()),
        (
            of(any::<u32>()),
            of((time(), any::<bool>())),
            of((time(), text())),
        ),
    );
    (names, numbers, role, status, presence, time(), of(doubt())).prop_map(
        |(names, numbers, role, status, presence, first_seen, doubt)| {
            let (peer, database, word, version, agent, start_id) = names;
            let (pid, life, port, node_id, (seat, starting, unresponsive)) = numbers;
            let known = KnownProcess {
                peer: peer.as_str().into(),
                pid,
                life,
                database: database.as_str().into(),
                port,
                role,
                status,
                status_word: word.into(),
                node_id,
                start_id: start_id.map(|it| it.as_str().into()),
                version: version.into(),
                agent_id: agent.as_str().into(),
                presence,
                first_seen,
                doubt,
            };
            let starting = starting.map(|(since, is_told)| Starting { since, is_told });
            let unresponsive = unresponsive.map(|(since, reason)| Unresponsive {
                since,
                reason: reason.into(),
            });
            Fact::Process(ProcessFact {
                known,
                seat,
                starting,
                unresponsive,
            })
        },
    )
}

fn vacancy() -> BoxedStrategy<VacancyFact> {
    let evidence = prop_oneof![
        Just(EvidenceFact::Declared),
        text().prop_map(|it| EvidenceFact::Exit {
            peer: it.as_str().into()
        }),
        (text(), any::<u64>()).prop_map(|(it, life)| EvidenceFact::Unreachable {
            peer: it.as_str().into(),
            life,
        }),
        text().prop_map(|it| EvidenceFact::Vanished {
            peer: it.as_str().into()
        }),
    ];
    let agent = prop_oneof![
        time().prop_map(|at| AgentFact::Answers { at }),
        Just(AgentFact::Silent),
        Just(AgentFact::Unasked),
    ];
    let place = prop_oneof![
        Just(Place::Anywhere),
        Just(Place::Elsewhere),
        text().prop_map(|it| Place::On(it.as_str().into())),
    ];
    let by = (text(), of(text()));
    let wish = (by, place, time()).prop_map(|((by, reason), place, until)| WishFact {
        by: by.into(),
        reason: reason.map(Into::into),
        place,
        until,
    });
    let times = (time(), time(), time());
    let told = (any::<bool>(), any::<bool>(), of(text()));
    (times, evidence, agent, told, of(wish))
        .prop_map(|(times, evidence, agent, told, wish)| VacancyFact {
            since: times.0,
            pause_from: times.1,
            pause_until: times.2,
            evidence,
            agent,
            told_blocked: told.0,
            told_suggested: told.1,
            not_ready_at: told.2.map(|it| it.as_str().into()),
            wish,
        })
        .boxed()
}

fn slot() -> impl Strategy<Value = Fact> {
    let reason = prop::sample::select(HoldReason::ALL.to_vec());
    let phase = prop_oneof![
        (any::<u64>(), vacancy()).prop_map(|(action, vacancy)| PhaseFact::Acting {
            action: ActionId(action),
            vacancy,
        }),
        Just(PhaseFact::Empty),
        (text(), any::<u32>()).prop_map(|(peer, pid)| PhaseFact::Filled {
            peer: peer.as_str().into(),
            pid,
        }),
        (reason, time(), of(vacancy())).prop_map(|(reason, again, vacancy)| PhaseFact::Held {
            reason,
            again,
            vacancy,
        }),
        (time(), text()).prop_map(|(until, peer)| PhaseFact::Leaving {
            until,
            peer: peer.as_str().into(),
        }),
        vacancy().prop_map(PhaseFact::Vacant),
    ];
    let numbers = (any::<u32>(), any::<u32>(), any::<bool>(), any::<u32>());
    let unproven = of((text(), time()));
    let given_up = of((prop::sample::select(HoldReason::ALL.to_vec()), time()));
    let kept = (unproven, given_up, of(any::<u64>()));
    let seat = (text(), role(), of(text()));
    let ran = of((time(), any::<bool>(), of(any::<u32>())));
    let last = (ran, kept);
    (seat, numbers, last, phase).prop_map(|(seat, numbers, (ran, kept), phase)| {
        let (unproven, given_up, clearing) = kept;
        let (database, role, home) = seat;
        Fact::Slot(SlotFact {
            database: database.as_str().into(),
            role,
            ordinal: numbers.0 % 1_000,
            home: home.map(|it| it.as_str().into()),
            number: numbers.1,
            observed: numbers.2,
            tries: numbers.3,
            ran: ran.map(|(until, is_stopped, pid)| Ran {
                until,
                is_stopped,
                pid,
                start_id: pid.map(|it| it.to_string().as_str().into()),
            }),
            unproven: unproven.map(|(peer, at)| (peer.as_str().into(), at)),
            given_up,
            clearing: clearing.map(ActionId),
            phase,
        })
    })
}

fn action() -> impl Strategy<Value = Fact> {
    let stage = prop_oneof![
        time().prop_map(|deadline| ActionStage::Checking { deadline }),
        time().prop_map(|deadline| ActionStage::Committed { deadline }),
        time().prop_map(|deadline| ActionStage::Preparing { deadline }),
        time().prop_map(|deadline| ActionStage::Registered { deadline }),
    ];
    let names = (text(), text(), of(text()), of(text()), of(text()));
    let seat = (role(), any::<u32>());
    (any::<u64>(), seat, names, stage).prop_map(|(action, (role, ordinal), names, stage)| {
        Fact::Action(ActionFact {
            action: ActionId(action),
            database: names.0.as_str().into(),
            role,
            ordinal,
            target: names.1.as_str().into(),
            stage,
            start_id: names.2.map(|it| it.as_str().into()),
            by: names.3.map(Into::into),
            agent: names.4.map(|it| it.as_str().into()),
        })
    })
}

fn decisions() -> impl Strategy<Value = Fact> {
    let step = prop_oneof![
        Just(DecisionStep::Blocked),
        Just(DecisionStep::Vacant),
        prop::sample::select(Kind::ALL.to_vec()).prop_map(DecisionStep::Told),
    ];
    let process = of((text(), any::<u32>()));
    let decision = (time(), step, of(text()), process, of(any::<u64>()), text()).prop_map(
        |(time, step, gate, process, action, says)| Decision {
            time: Moment::simulated(time),
            step,
            gate: gate.map(Into::into),
            process: process.map(|(peer, pid)| (peer.as_str().into(), pid)),
            action: action.map(ActionId),
            says: says.into(),
        },
    );
    let seat = (role(), any::<u32>());
    (text(), seat, vec(decision, 0..4)).prop_map(|(database, (role, ordinal), decisions)| {
        Fact::Decisions(DecisionsFact {
            database: database.as_str().into(),
            role,
            ordinal: ordinal % 1_000,
            decisions,
        })
    })
}

fn archive() -> impl Strategy<Value = Fact> {
    let option = (text(), of(text())).prop_map(|(name, value)| EngineOption {
        name: format!("--{}", name.replace("password", "")),
        value,
    });
    let names = (text(), text(), text(), of(text()), of(text()));
    (names, vec(option, 0..3)).prop_map(|((database, peer, path, journal, group), options)| {
        Fact::Archive(ArchiveFact {
            database: database.as_str().into(),
            archive: Archive {
                peer: peer.as_str().into(),
                path: path.into(),
                journal: journal.map(Into::into),
                group: group.map(Into::into),
                options,
            },
        })
    })
}

fn failure() -> impl Strategy<Value = Fact> {
    (text(), role(), text(), time(), any::<bool>()).prop_map(
        |(database, role, peer, at, is_out)| {
            Fact::Failure(FailureFact {
                database: database.as_str().into(),
                role,
                peer: peer.as_str().into(),
                at,
                is_out,
            })
        },
    )
}

fn lapsed() -> impl Strategy<Value = Fact> {
    let names = (text(), text(), of(text()), of(text()));
    let seat = (role(), of(any::<u32>()));
    (any::<u64>(), seat, names, time()).prop_map(|(action, (role, ordinal), names, at)| {
        Fact::Lapsed(LapsedFact {
            action: ActionId(action),
            database: names.0.as_str().into(),
            role,
            ordinal,
            peer: names.1.as_str().into(),
            start_id: names.2.map(|it| it.as_str().into()),
            agent: names.3.map(|it| it.as_str().into()),
            at,
        })
    })
}

fn order() -> impl Strategy<Value = Fact> {
    let kind = prop_oneof![
        Just(OrderKind::Announced),
        Just(OrderKind::ColdStart),
        Just(OrderKind::Dead),
        Just(OrderKind::Hold),
        Just(OrderKind::Maintenance),
        any::<u32>().prop_map(OrderKind::Scale),
        prop::sample::select(Gate::ALL.to_vec()).prop_map(OrderKind::Thaw),
    ];
    let seat = of((text(), role(), any::<u32>()));
    let extent = prop_oneof![
        text().prop_map(|it| Extent::Database(it.as_str().into())),
        Just(Extent::Domain),
        text().prop_map(|it| Extent::Peer(it.as_str().into())),
        (text(), any::<u32>(), seat).prop_map(|(peer, pid, seat)| Extent::Process {
            peer: peer.as_str().into(),
            pid,
            seat: seat.map(|(name, role, ordinal)| (name.as_str().into(), role, ordinal)),
        }),
        (text(), role(), 0..1_000_u32).prop_map(|(it, role, at)| Extent::Slot(
            it.as_str().into(),
            role,
            at
        )),
    ];
    let wall = || any::<u64>().prop_map(WallTime::from_unix_micros);
    let said = (
        text(),
        of(text()),
        time(),
        wall(),
        of(wall()),
        any::<bool>(),
    );
    (kind, extent, said).prop_map(|(kind, extent, said)| {
        let (by, reason, at, wall, until, told_ending) = said;
        Fact::Order(OrderFact {
            kind,
            extent,
            by: by.into(),
            reason: reason.map(Into::into),
            since: Moment { at, wall },
            until,
            told_ending,
        })
    })
}

proptest! {
    #[test]
    fn a_fact_that_was_written_down_is_read_back(
        fact in prop_oneof![
            action().boxed(),
            archive().boxed(),
            database().boxed(),
            decisions().boxed(),
            domain().boxed(),
            failure().boxed(),
            lapsed().boxed(),
            order().boxed(),
            peer().boxed(),
            process().boxed(),
            slot().boxed(),
        ]
    ) {
        let kind = fact.key().kind;
        let json = to_json(&fact);
        prop_assert!(!json.contains('\n'), "{json}");
        prop_assert_eq!(from_json(kind, &json), Ok(fact));
    }

    #[test]
    fn what_is_no_fact_is_refused(json in any::<String>()) {
        for kind in FactKind::ALL {
            prop_assert!(from_json(kind, &json).is_err());
        }
    }
}

#[test]
fn a_word_nobody_knows_is_named() {
    let fact = Fact::Failure(FailureFact {
        database: "teas".into(),
        role: Role::Te,
        peer: "db1:48004".into(),
        at: at(7),
        is_out: false,
    });
    let json = to_json(&fact);
    assert_eq!(json, r#"{"database":"teas","peer":"db1:48004","at":7}"#);
    let error = from_json(FactKind::Slot, &json).unwrap_err().to_string();
    assert!(error.contains("unknown field `peer`"), "{error}");
    let held = r#"{"database":"d","ordinal":0,"number":0,"observed":true,"tries":1,
        "phase":{"held":{"reason":"spite","again":1}}}"#;
    let error = from_json(FactKind::Slot, held).unwrap_err().to_string();
    assert!(error.contains("reason to hold `spite`"), "{error}");
}

#[test]
fn what_an_older_daemon_wrote_is_read() {
    let json = r#"{"name":"teas","number":0,"exits":[],"confirm-until":7,"told-degraded":true}"#;
    let Ok(Fact::Database(read)) = from_json(FactKind::Database, json) else {
        panic!("it is not read");
    };
    assert_eq!((read.told_degraded, read.keeps_observed), (true, None));
}
