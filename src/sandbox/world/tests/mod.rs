//! Stories of the world: what happens on the left, what the clients are told on the right.
//!
//! Peers 1 and 2 are brokers, peer 3 is an agent. Times are milliseconds.

use std::fmt::Write as _;
use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;
use crate::model::{Address, Role};
use crate::nuodb::message::{Element, Event, ProcessElement, Request, Status, Style};

/// Tells the world the story and compares what it did. The only place that knows the interface.
#[expect(
    clippy::needless_pass_by_value,
    reason = "`expect![]` is meant to be handed over"
)]
fn check(script: &str, expected: Expect) {
    expected.assert_eq(&tell(script, Pace::REAL));
}

fn tell(script: &str, pace: Pace) -> String {
    let mut world = three_peers(pace);
    let mut told = String::new();
    for line in script.lines().filter(|it| !it.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let now = millis(
            words[0]
                .parse()
                .expect("a story begins its lines with a time"),
        );
        run_until(&mut world, now, &mut told);
        for input in inputs(&words[1..]) {
            world.handle(now, input);
            drain(&mut world, now, &mut told);
        }
    }
    run_until(&mut world, millis(60_000), &mut told);
    assert_eq!(world.next_timeout(), None, "the world never comes to rest");
    told
}

/// Tells a world a story up to a moment.
fn play(world: &mut World, script: &str, until: u64) -> String {
    let mut told = String::new();
    for line in script.lines().filter(|it| !it.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let now = millis(words[0].parse().unwrap());
        run_until(world, now, &mut told);
        for input in inputs(&words[1..]) {
            world.handle(now, input);
            drain(world, now, &mut told);
        }
    }
    run_until(world, millis(until), &mut told);
    told
}

fn three_peers(pace: Pace) -> World {
    let peers = (1..=3).map(|it| PeerSettings {
        address: Address::new("127.0.0.1", 4_000 + it),
        hostname: format!("host{it}").into(),
        is_broker: it < 3,
    });
    World::new(Settings {
        domain: "test".into(),
        peers: peers.collect(),
        pace,
        seed: 0,
    })
}

fn millis(millis: u64) -> Timestamp {
    Timestamp::from_micros(millis * 1_000)
}

fn run_until(world: &mut World, until: Timestamp, told: &mut String) {
    while let Some(due) = world.next_timeout().filter(|it| *it <= until) {
        world.handle(due, Input::Timeout);
        drain(world, due, told);
    }
}

fn drain(world: &mut World, now: Timestamp, told: &mut String) {
    while let Some(effect) = world.poll() {
        let at = now.as_micros() / 1_000;
        // Agent ids begin with the seed of the world, which is 0 here.
        let shown = show(&effect).replace("00000000-", "");
        writeln!(told, "{at:<5} {shown}").unwrap();
    }
}

fn inputs(words: &[&str]) -> Vec<Input> {
    let number = |at: usize| words[at].parse::<u64>().expect("a number stands here");
    let peer = |at: usize| PeerNumber(number(at).try_into().unwrap());
    let engine = || EngineId(number(1));
    if let Some(fault) = fault(words) {
        let ticket = Ticket(7);
        return vec![Input::Fault { ticket, fault }];
    }
    match words[0] {
        "begin" => vec![Input::Begin {
            peer: peer(1),
            start: Start {
                database: words[3].into(),
                role: if words[2] == "SM" { Role::Sm } else { Role::Te },
                archive: words.get(4).map(|it| (*it).into()),
                initialize: false,
                has_dba: true,
            },
        }],
        "up" => vec![
            Input::EngineSpawned {
                engine: engine(),
                pid: number(2).try_into().unwrap(),
            },
            Input::EngineReady {
                engine: engine(),
                port: 5_000,
            },
        ],
        "failed" => vec![Input::EngineFailed {
            engine: engine(),
            reason: words[2..].join(" ").into(),
        }],
        "exited" => vec![Input::EngineExited {
            engine: engine(),
            code: words[2].parse().unwrap(),
        }],
        "closed" => vec![Input::Closed {
            session: SessionId(number(1)),
        }],
        // session peer shutdown agent-id pid
        "shutdown" => vec![Input::Document {
            session: SessionId(number(1)),
            document: Element::new("ManagementRequest")
                .with("AgentId", words[2])
                .with("ProcessId", words[3])
                .child(
                    Element::new("Request")
                        .with("Service", "Admin")
                        .with("Type", "Shutdown")
                        .with("WaitTime", "0"),
                ),
        }],
        session => vec![opened(session, peer(1), &words[2..])],
    }
}

fn fault(words: &[&str]) -> Option<Fault> {
    let number = |at: usize| words[at].parse::<u64>().expect("a number stands here");
    let peer = |at: usize| PeerNumber(number(at).try_into().unwrap());
    Some(match words[0] {
        "lose" => Fault::Lose {
            peer: peer(1),
            exits_first: words.get(2) == Some(&"exits-first"),
        },
        "return" => Fault::Return { peer: peer(1) },
        "drop" => Fault::Drop { peer: peer(1) },
        "drop-session" => Fault::DropSession {
            session: SessionId(number(1)),
        },
        "isolate" => Fault::Isolate { peer: peer(1) },
        "rejoin" => Fault::Rejoin { peer: peer(1) },
        "mute-session" => Fault::MuteSession {
            session: SessionId(number(1)),
        },
        "mute" => Fault::Mute { peer: peer(1) },
        "unmute" => Fault::Unmute { peer: peer(1) },
        "delay" => Fault::Delay {
            peer: peer(1),
            by: Duration::from_millis(number(2)),
        },
        "crash" => Fault::Crash {
            pid: number(1).try_into().unwrap(),
        },
        "lie" => Fault::Lie {
            peer: peer(1),
            lie: match words[2] {
                "invent" => Lie::Invent {
                    database: words[3].into(),
                },
                "last-used" => Lie::LastUsed {
                    at: words[3].into(),
                },
                "omit" => Lie::Omit {
                    pid: number(3).try_into().unwrap(),
                },
                _ => Lie::NoMore,
            },
        },
        "forgive" => Fault::Forgive { peer: peer(1) },
        "hang" => Fault::Hang {
            pid: number(1).try_into().unwrap(),
        },
        "orphan" => Fault::Orphan {
            pid: number(1).try_into().unwrap(),
        },
        "fail-next" => Fault::FailNext {
            peer: peer(1),
            how: match words[2] {
                "crash" => NextStart::Crash {
                    after: Duration::from_millis(number(3)),
                },
                "invented" => NextStart::Invented,
                "silent" => NextStart::Silent,
                "late" => NextStart::Late {
                    by: Duration::from_millis(number(3)),
                },
                _ => NextStart::Fail {
                    reason: words[2..].join(" ").into(),
                },
            },
        },
        _ => return None,
    })
}

/// `s1 2 Service Name=value ... +Tag:Key=value,...`; a service with `!` comes unauthorised.
fn opened(session: &str, peer: PeerNumber, words: &[&str]) -> Input {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    let attributes = words[1..].iter().filter(|it| !it.starts_with(['+', '-']));
    let tags = words[1..].iter().filter_map(|it| it.strip_prefix('+'));
    let options = words[1..].iter().filter(|it| it.starts_with('-'));
    let tag = |text: &str| {
        let (key, value) = pair(text);
        let tag = Element::new("Tag").with("Key", key);
        if value.is_empty() {
            tag
        } else {
            tag.with("Value", value)
        }
    };
    let option = |text: &&str| {
        let (name, value) = pair(text);
        let option = Element::new("Option").with("option", name);
        if value.is_empty() {
            option
        } else {
            option.with("value", value)
        }
    };
    let request = Request {
        service: words[0].trim_start_matches('!').to_owned(),
        style: Style::Request,
        attributes: attributes.map(|it| pair(it)).collect(),
        children: tags.map(tag).chain(options.map(option)).collect(),
        text: String::new(),
    };
    let number = session.strip_prefix('s').expect("a verb or a session");
    Input::Opened {
        session: SessionId(number.parse().unwrap()),
        peer,
        request,
        authorised: !words[0].starts_with('!'),
    }
}

fn show(effect: &Effect) -> String {
    match effect {
        Effect::Answer { result, .. } => match result {
            Ok(()) => "answer: done".to_owned(),
            Err(error) => format!("answer: {error}"),
        },
        Effect::Close { session } => format!("close s{}", session.0),
        Effect::Cut { session } => format!("cut s{}", session.0),
        Effect::CutPeer { peer } => format!("cut all at {peer}"),
        Effect::Done { session } => format!("done s{}", session.0),
        Effect::Event { session, event } => format!("s{} {}", session.0, show_event(event)),
        Effect::Hang { engine } => format!("hang e{}", engine.0),
        Effect::Kill { engine } => format!("kill e{}", engine.0),
        Effect::Link { peer, muted, delay } => {
            format!("link {peer} muted={muted} delay={}", delay.as_millis())
        }
        Effect::Listen { peer, listening } => format!("listen {peer} {listening}"),
        Effect::Reply { session, document } => {
            format!("s{} {}", session.0, show_element(document))
        }
        Effect::Spawn {
            engine,
            peer,
            start,
        } => {
            let (role, database) = (start.role.as_str(), &start.database);
            let archive = start.archive.as_deref().unwrap_or("-");
            let new = if start.initialize { " new" } else { "" };
            format!(
                "spawn e{} at {peer} {role} {database} {archive}{new}",
                engine.0
            )
        }
        Effect::Status { session, status } => format!("s{} {}", session.0, show_status(status)),
        Effect::Stop { engine } => format!("stop e{}", engine.0),
    }
}

fn show_element(it: &Element) -> String {
    let said = |name: &str| !matches!(name, "Hostname" | "Version");
    let mut text = it.name.clone();
    for (name, value) in it.attributes.iter().filter(|(name, _)| said(name)) {
        write!(text, " {name}={value}").unwrap();
    }
    if !it.text.is_empty() {
        write!(text, ": {}", it.text).unwrap();
    }
    for child in &it.children {
        write!(text, "\n      {}", show_element(child)).unwrap();
    }
    text
}

fn show_status(status: &Status) -> String {
    let mut text = format!("Status {}", status.entry.agent_id);
    for it in &status.peers {
        let role = if it.is_broker { "broker" } else { "agent" };
        write!(text, "\n      {role} {}:{}", it.agent_id, it.port.unwrap()).unwrap();
    }
    for it in &status.processes {
        write!(text, "\n      {}", show_process(it)).unwrap();
    }
    text
}

fn show_process(it: &ProcessElement) -> String {
    let role = if it.is_transaction_engine { "TE" } else { "SM" };
    let mut text = format!("{role} {} {} at {}", it.database, it.pid, it.agent_id);
    if let Some(state) = &it.state {
        write!(text, " {state}").unwrap();
    }
    if let Some(node_id) = it.node_id {
        write!(text, " node={node_id}").unwrap();
    }
    if let Some(start_id) = &it.start_id {
        write!(text, " start={start_id}").unwrap();
    }
    text
}

fn show_event(event: &Event) -> String {
    match event {
        Event::BrokerExit(it) => format!("BrokerExit {}:{}", it.agent_id, it.port.unwrap()),
        Event::NewBroker(it) => format!("NewBroker {}:{}", it.agent_id, it.port.unwrap()),
        Event::NewProcess(it) => format!("NewProcess {}", show_process(it)),
        Event::ProcessExit(it) => format!("ProcessExit {}", show_process(it)),
        Event::ProcessFailed {
            start_id,
            reason,
            broker,
        } => {
            let start_id = start_id.as_deref().unwrap_or("-");
            format!(
                "ProcessFailed {start_id} at {}\n      {reason}",
                broker.agent_id
            )
        }
        Event::StatusChanged { status, process } => {
            format!("StatusChanged {status} {}", show_process(process))
        }
        Event::Unknown(kind) => format!("{kind}?"),
    }
}

mod descriptions;
mod faults;
mod histories;
mod lies;
mod starts;

#[test]
fn each_broker_tells_of_all_the_others_and_never_of_itself() {
    check(
        "
        0  begin 3 SM teas /a
        0  up 1 100
        1  s1 1 Monitor
        1  s2 2 Monitor
        1  s3 3 Monitor
        ",
        expect![[r"
            0     spawn e1 at 3 SM teas /a
            1     s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  SM teas 100 at 3-1
            1     s2 Status 2-1
                  broker 1-1:4001
                  agent 3-1:4003
                  SM teas 100 at 3-1
            1     s3 Error text=Monitor is a service of brokers; this peer is an agent
            1     close s3
            150   s1 StatusChanged ACTIVE SM teas 100 at 3-1 ACTIVE node=1
            150   s2 StatusChanged ACTIVE SM teas 100 at 3-1 ACTIVE node=1
            160   s1 StatusChanged RUNNING SM teas 100 at 3-1 RUNNING node=1
            160   s2 StatusChanged RUNNING SM teas 100 at 3-1 RUNNING node=1
        "]],
    );
}

#[test]
fn a_snapshot_taken_between_two_events_joins_them_without_gap_or_overlap() {
    check(
        "
        0    begin 1 SM teas /a
        0    up 1 100
        155  s1 1 Monitor
        156  begin 2 TE teas
        157  s2 2 Monitor
        158  up 2 200
        159  s3 2 Monitor
        ",
        expect![[r"
            0     spawn e1 at 1 SM teas /a
            155   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  SM teas 100 at 1-1 ACTIVE node=1
            156   spawn e2 at 2 TE teas -
            157   s2 Status 2-1
                  broker 1-1:4001
                  agent 3-1:4003
                  SM teas 100 at 1-1 ACTIVE node=1
            158   s1 NewProcess TE teas 200 at 2-1
            158   s2 NewProcess TE teas 200 at 2-1
            159   s3 Status 2-1
                  broker 1-1:4001
                  agent 3-1:4003
                  SM teas 100 at 1-1 ACTIVE node=1
                  TE teas 200 at 2-1
            160   s1 StatusChanged RUNNING SM teas 100 at 1-1 RUNNING node=1
            160   s2 StatusChanged RUNNING SM teas 100 at 1-1 RUNNING node=1
            160   s3 StatusChanged RUNNING SM teas 100 at 1-1 RUNNING node=1
            308   s1 StatusChanged ACTIVE TE teas 200 at 2-1 ACTIVE node=2
            308   s2 StatusChanged ACTIVE TE teas 200 at 2-1 ACTIVE node=2
            308   s3 StatusChanged ACTIVE TE teas 200 at 2-1 ACTIVE node=2
            318   s1 StatusChanged RUNNING TE teas 200 at 2-1 RUNNING node=2
            318   s2 StatusChanged RUNNING TE teas 200 at 2-1 RUNNING node=2
            318   s3 StatusChanged RUNNING TE teas 200 at 2-1 RUNNING node=2
        "]],
    );
}

#[test]
fn identity_is_told_to_anyone_and_everything_else_to_the_authorised() {
    check(
        "
        0  s1 3 !Identity
        0  s2 3 Identity
        0  s3 1 !Monitor
        0  s4 1 !SQL2 Database=teas
        0  s5 1 Nonsense
        0  s6 1 License Action=GetCurrentLicense
        0  s7 3 License Action=GetCurrentLicense
        0  s8 3 State
        ",
        expect![[r"
            0     s1 Identity Domain=test AgentId=3-1 Role=Agent Address=127.0.0.1 Port=4003
            0     done s1
            0     s2 Identity Domain=test AgentId=3-1 Role=Agent Address=127.0.0.1 Port=4003
            0     done s2
            0     s3 Error text=Not authorised for service Monitor
            0     close s3
            0     s4 Error text=This is a sandbox: no engine here speaks SQL
            0     close s4
            0     s5 Error text=Unknown service: Nonsense
            0     close s5
            0     s6 Error text=The sandbox has no service License
            0     close s6
            0     s7 Error text=License is a service of brokers; this peer is an agent
            0     close s7
            0     s8 State Domain=test AgentId=3-1 Role=Agent
                  Broker AgentId=1-1 Role=Broker Address=127.0.0.1 Port=4001
                  Broker AgentId=2-1 Role=Broker Address=127.0.0.1 Port=4002
            0     done s8
        "]],
    );
}

#[test]
fn tags_belong_to_any_peer_and_survive_its_agent() {
    check(
        "
        0  s1 1 Tag Action=SetHostTags AgentId=00000000-3-1 +zone=b +rack=7
        1  s2 2 Tag Action=DeleteHostTags AgentId=00000000-3-1 +rack
        2  lose 3
        3  s3 1 Tag Action=GetHostTags AgentId=00000000-3-1
        4  return 3
        5  s4 1 Tag Action=GetHostTags AgentId=00000000-3-2
        6  s5 3 Tag Action=GetHostTags AgentId=00000000-3-2
        7  s6 1 Tag Action=Paint AgentId=00000000-3-2
        ",
        expect![[r"
            0     s1 Success
            0     done s1
            1     s2 Success
            1     done s2
            2     listen 3 false
            2     cut all at 3
            2     answer: done
            3     s3 Error text=Unknown peer: 3-1
            3     done s3
            4     listen 3 true
            4     answer: done
            5     s4 Tags
                  Tag Key=zone Value=b
            5     done s4
            6     s5 Error text=Tag is a service of brokers; this peer is an agent
            6     close s5
            7     s6 Error text=Unknown tag action: Paint
            7     done s6
        "]],
    );
}

#[test]
fn a_database_is_quiesced_and_back_and_so_is_each_of_its_processes() {
    check(
        "
        0    begin 1 SM teas /a
        0    begin 2 TE teas
        0    begin 3 TE other
        0    up 1 100
        0    up 2 200
        0    up 3 300
        500  s1 1 Monitor
        600  s2 1 ChorusManagement Database=teas Action=Quiesce
        700  s3 1 ChorusManagement Database=teas Action=Unquiesce
        800  s4 1 ChorusManagement Database=none Action=Quiesce
        800  s5 1 ChorusManagement Database=teas Action=EvictNodes
        800  s6 3 ChorusManagement Database=teas Action=Quiesce
        ",
        expect![[r"
            0     spawn e1 at 1 SM teas /a
            0     spawn e2 at 2 TE teas -
            0     spawn e3 at 3 TE other -
            500   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  TE other 300 at 3-1 RUNNING node=1
                  SM teas 100 at 1-1 RUNNING node=1
                  TE teas 200 at 2-1 RUNNING node=2
            600   s2 Success
            600   done s2
            600   s1 StatusChanged QUIESCING SM teas 100 at 1-1 QUIESCING node=1
            600   s1 StatusChanged QUIESCING TE teas 200 at 2-1 QUIESCING node=2
            650   s1 StatusChanged QUIESCED SM teas 100 at 1-1 QUIESCED node=1
            650   s1 StatusChanged QUIESCED TE teas 200 at 2-1 QUIESCED node=2
            700   s3 Success
            700   done s3
            700   s1 StatusChanged UNQUIESCING SM teas 100 at 1-1 UNQUIESCING node=1
            700   s1 StatusChanged UNQUIESCING TE teas 200 at 2-1 UNQUIESCING node=2
            750   s1 StatusChanged RUNNING SM teas 100 at 1-1 RUNNING node=1
            750   s1 StatusChanged RUNNING TE teas 200 at 2-1 RUNNING node=2
            800   s4 Error text=Unknown database: none
            800   done s4
            800   s5 Error text=The sandbox has no database action EvictNodes
            800   done s5
            800   s6 Error text=ChorusManagement is a service of brokers; this peer is an agent
            800   close s6
        "]],
    );
}
