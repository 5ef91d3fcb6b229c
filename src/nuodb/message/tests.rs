//! What the messages look like, and what is forgiven.

use proptest::prelude::*;

use super::*;
use crate::nuodb::xml;

fn read(document: &str) -> Result<Monitored, MessageError> {
    Decoder::default().read(document)
}

fn event(document: &str) -> Event {
    match read(document) {
        Ok(Monitored::Event(event)) => event,
        other => panic!("{document}: {other:?}"),
    }
}

fn status(document: &str) -> Status {
    match read(document) {
        Ok(Monitored::Status(status)) => *status,
        other => panic!("{document}: {other:?}"),
    }
}

fn broker(agent_id: &str) -> BrokerElement {
    BrokerElement {
        agent_id: agent_id.into(),
        address: None,
        port: None,
        is_broker: false,
        hostname: "".into(),
        version: "".into(),
    }
}

fn process(agent_id: &str, pid: u32) -> ProcessElement {
    ProcessElement {
        agent_id: agent_id.into(),
        database: "".into(),
        pid,
        port: None,
        is_transaction_engine: false,
        state: None,
        hostname: "".into(),
        version: "".into(),
        node_id: None,
        start_id: None,
    }
}

#[test]
fn a_snapshot_has_the_entry_peer_the_others_and_the_processes_of_each_database() {
    let status = status(
        r#"<?xml version="1.0"?>
        <Status Domain="prod" AgentId="a" Role="Broker" Hostname="db1" Version="2.4" New="x">
          <Broker AgentId="b" Address="10.0.0.2" Port="48004" Role="Broker" Hostname="db2"
              Version="2.4"/>
          <Broker AgentId="c" Address="10.0.0.3" Port="48005" Role="Agent"/>
          <Database Name="teas">
            <Process AgentId="a" ProcessId="7" Port="48006" NodeType="1" State="RUNNING" NodeId="2"
                Hostname="db1" Version="2.4"><Unknown ProcessId="9"><Process/></Unknown></Process>
            <Process AgentId="b" ProcessId="8" NodeType="2"></Process>
          </Database>
          <Database Name="empty"/>
          <Process AgentId="c" ProcessId="9" Database="loose"/>
          <Something><Broker/></Something>
        </Status>"#,
    );
    assert_eq!(&*status.domain, "prod");
    assert_eq!(
        status.entry,
        BrokerElement {
            is_broker: true,
            hostname: "db1".into(),
            version: "2.4".into(),
            ..broker("a")
        }
    );
    assert_eq!(
        status.peers,
        [
            BrokerElement {
                address: Some("10.0.0.2".into()),
                port: Some(48004),
                is_broker: true,
                hostname: "db2".into(),
                version: "2.4".into(),
                ..broker("b")
            },
            BrokerElement {
                address: Some("10.0.0.3".into()),
                port: Some(48005),
                ..broker("c")
            }
        ]
    );
    let first = ProcessElement {
        database: "teas".into(),
        port: Some(48006),
        is_transaction_engine: true,
        state: Some("RUNNING".into()),
        hostname: "db1".into(),
        version: "2.4".into(),
        node_id: Some(2),
        ..process("a", 7)
    };
    let second = ProcessElement {
        database: "teas".into(),
        ..process("b", 8)
    };
    let third = ProcessElement {
        database: "loose".into(),
        ..process("c", 9)
    };
    assert_eq!(status.processes, [first, second, third]);
}

#[test]
fn every_event_is_read_with_what_belongs_to_it() {
    let process_7 = ProcessElement {
        database: "teas".into(),
        ..process("a", 7)
    };
    assert_eq!(
        event("<Event Type='NewBroker'><Broker AgentId='b' Role='Broker'/></Event>"),
        Event::NewBroker(BrokerElement {
            is_broker: true,
            ..broker("b")
        })
    );
    assert_eq!(
        event("<Event Type='BrokerExit'><Broker AgentId='b'/></Event>"),
        Event::BrokerExit(broker("b"))
    );
    assert_eq!(
        event(
            "<Event Type='NewProcess'>\
             <Process AgentId='a' Database='teas' ProcessId='7' StartId='674'/></Event>"
        ),
        Event::NewProcess(ProcessElement {
            start_id: Some("674".into()),
            ..process_7.clone()
        })
    );
    assert_eq!(
        event(
            "<Event Type='StatusChanged' Status='RUNNING'>\
             <Process AgentId='a' Database='teas' ProcessId='7'/></Event>"
        ),
        Event::StatusChanged {
            status: "RUNNING".into(),
            process: process_7.clone()
        }
    );
    assert_eq!(
        event(
            "<Event Type='ProcessExit'>\
             <Process AgentId='a' Database='teas' ProcessId='7'/></Event>"
        ),
        Event::ProcessExit(process_7)
    );
    assert_eq!(
        event(
            "<Event Type='ProcessFailed' StartId='674' Reason=' Archive is in use: /a&#10;&#10;'>\
             <Broker AgentId='b'/></Event>"
        ),
        Event::ProcessFailed {
            start_id: Some("674".into()),
            reason: "Archive is in use: /a".into(),
            broker: broker("b")
        }
    );
}

#[test]
fn what_nobody_knows_is_passed_over() {
    assert_eq!(
        event("<Event Type='Weather' Sky='blue'><Cloud><Process/></Cloud></Event>"),
        Event::Unknown("Weather".into())
    );
    assert_eq!(event("<Event/>"), Event::Unknown("".into()));
    assert_eq!(
        event(
            "<Event Type='ProcessExit' Extra='1'><Extra/>\
             <Process AgentId='a' ProcessId='7' Extra='2'>text<Extra/></Process>\
             <Process AgentId='b' ProcessId='8'/></Event>"
        ),
        Event::ProcessExit(process("a", 7))
    );
    assert_eq!(
        event("<Event Type='StatusChanged'><Process AgentId='a' ProcessId='7'/></Event>"),
        Event::StatusChanged {
            status: "UNKNOWN".into(),
            process: process("a", 7)
        }
    );
    assert_eq!(read("<Success/>"), Ok(Monitored::Other));
}

#[test]
fn a_number_that_says_nothing_is_none() {
    let read = |attributes: &str| {
        let process = format!("<Process AgentId='a' ProcessId='7' {attributes}/>");
        let mut status = status(&format!("<Status AgentId='a'>{process}</Status>"));
        status.processes.remove(0)
    };
    for attributes in ["", "NodeId=''", "NodeId='-1'", "NodeId='?'"] {
        assert_eq!(read(attributes).node_id, None, "{attributes}");
    }
    assert_eq!(read("NodeId='0'").node_id, Some(0));
    for attributes in ["", "Port=''", "Port='0'", "Port='-1'", "Port='70000'"] {
        assert_eq!(read(attributes).port, None, "{attributes}");
    }
    for attributes in ["", "NodeType='2'", "NodeType='3'", "NodeType='SSM'"] {
        assert!(!read(attributes).is_transaction_engine, "{attributes}");
    }
    assert!(read("NodeType='1'").is_transaction_engine);
    assert_eq!(read("StartId=''").start_id, None);
    assert_eq!(read("State=''").state.as_deref(), Some(""));
}

#[test]
fn what_a_message_cannot_do_without_must_be_there() {
    for (document, missing) in [
        ("<Event Type='NewBroker'/>", "Broker"),
        ("<Event Type='ProcessFailed' StartId='1'/>", "Broker"),
        (
            "<Event Type='NewProcess'><Broker AgentId='a'/></Event>",
            "Process",
        ),
        ("<Event Type='NewBroker'><Broker/></Event>", "AgentId"),
        (
            "<Event Type='NewBroker'><Broker AgentId=''/></Event>",
            "AgentId",
        ),
        (
            "<Event Type='ProcessExit'><Process ProcessId='1'/></Event>",
            "AgentId",
        ),
        (
            "<Event Type='ProcessExit'><Process AgentId='a'/></Event>",
            "ProcessId",
        ),
        (
            "<Event Type='ProcessExit'><Process AgentId='a' ProcessId='-1'/></Event>",
            "ProcessId",
        ),
        ("<Status Domain='d'/>", "AgentId"),
        ("<Status AgentId='a'><Database/></Status>", "Name"),
    ] {
        assert_eq!(
            read(document),
            Err(MessageError::Missing(missing)),
            "{document}"
        );
    }
}

#[test]
fn names_hold_no_control_characters() {
    for (document, what) in [
        (
            "<Event Type='NewBroker'><Broker AgentId='a&#10;b'/></Event>",
            "AgentId",
        ),
        (
            "<Event Type='NewBroker'><Broker AgentId='a' Hostname='\u{7F}'/></Event>",
            "Hostname",
        ),
        (
            "<Event Type='NewBroker'><Broker AgentId='a' Version='\u{85}'/></Event>",
            "Version",
        ),
        (
            "<Event Type='NewProcess'><Process AgentId='a' ProcessId='1' StartId='&#9;'/></Event>",
            "StartId",
        ),
        (
            "<Status AgentId='a'><Database Name='x&#13;'/></Status>",
            "Name",
        ),
    ] {
        let error = Err(MessageError::ControlCharacter(what));
        let mut decoder = Decoder::default();
        assert_eq!(decoder.read(document), error, "{document}");
        assert_eq!(decoder.read(document), error, "{document} once more");
    }
}

#[test]
fn a_message_is_not_believed_before_its_last_byte() {
    let whole = "<Event Type='ProcessExit'><Process AgentId='a' ProcessId='7'/></Event>";
    for end in 0..whole.len() {
        assert!(
            matches!(read(&whole[..end]), Err(MessageError::Xml(_))),
            "{}",
            &whole[..end]
        );
    }
    assert!(read(&format!("{whole}<b/>")).is_err());
}

#[test]
fn a_domain_has_a_bounded_size() {
    let mut decoder = Decoder::default();
    decoder.entity_limit = 3;
    let document = |brokers: usize| {
        let brokers = "<Broker AgentId='b'/>".repeat(brokers);
        format!("<Status AgentId='a'>{brokers}<Process AgentId='a' ProcessId='1'/></Status>")
    };
    assert!(decoder.read(&document(2)).is_ok());
    assert_eq!(
        decoder.read(&document(3)),
        Err(MessageError::TooManyEntities)
    );
}

#[test]
fn what_recurs_is_shared() {
    let mut decoder = Decoder::default();
    let mut agent_id = || {
        let status = decoder.read("<Status AgentId='a'/>");
        match status {
            Ok(Monitored::Status(status)) => status.entry.agent_id,
            Ok(Monitored::Event(_) | Monitored::Other) | Err(_) => panic!("{status:?}"),
        }
    };
    assert!(Arc::ptr_eq(&agent_id(), &agent_id()));
}

#[test]
fn of_a_reason_the_beginning_is_taken_in_and_no_name_is_endless() {
    let reason = "ö".repeat(REASON_LIMIT);
    let document = Element::new("Event")
        .with("Type", "ProcessFailed")
        .with("Reason", format!("x{reason}"))
        .child(Element::new("Broker").with("AgentId", "a"));
    let mut bytes = Vec::new();
    xml::write(&document, &mut bytes);
    let text = xml::decode(&bytes).unwrap();
    let Ok(Monitored::Event(Event::ProcessFailed { reason, .. })) = Decoder::default().read(&text)
    else {
        panic!("not a failure");
    };
    assert_eq!(reason.len(), REASON_LIMIT - 1, "no half of a character");
    let error = Element::error("x".repeat(1_000_000));
    assert_eq!(error.error_text().map(str::len), Some(REASON_LIMIT));

    let text = format!("<Status AgentId=\"{}\"/>", "x".repeat(100_000));
    let error = Err(MessageError::NameTooLong("AgentId"));
    assert_eq!(Decoder::default().read(&text), error);
    assert!(xml::read(&format!("<{}/>", "x".repeat(100_000))).is_err());
}

#[test]
fn a_request_is_an_element_and_back() {
    let request = Request::new("ProcessStart", Style::Request)
        .with("Process", "server")
        .child(
            Element::new("Option")
                .with("option", "--database")
                .with("value", "teas"),
        );
    let element = Element::from(request.clone());
    assert_eq!(element.name, "Request");
    assert_eq!(element.attribute("Service"), Some("ProcessStart"));
    assert_eq!(Request::try_from(element), Ok(request));
    for element in [
        Element::new("Status").with("Service", "x"),
        Element::new("Request"),
    ] {
        assert_eq!(Request::try_from(element.clone()), Err(element));
    }
}

#[test]
fn no_formatting_shows_a_password() {
    let request = Request::new("ProcessStart", Style::Request)
        .with("DbaPassword", "s3cret")
        .child(
            Element::new("Option")
                .with("option", "--dba-password")
                .with("value", "s3cret"),
        )
        .child(
            Element::new("Option")
                .with("value", "s3cret")
                .with("option", "--dba-password"),
        )
        .child(Element {
            text: "s3cret".to_owned(),
            ..Element::new("Password")
        })
        .child(
            Element::new("Option")
                .with("option", "--mem")
                .with("value", "2g"),
        );
    let shown = format!("{request:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(shown.contains("--dba-password"), "{shown}");
    assert!(shown.contains("2g"), "{shown}");
}

#[test]
fn an_error_says_what_it_is_about() {
    assert_eq!(
        Element::error(" no such thing\n").error_text(),
        Some("no such thing")
    );
    let spelled_out = Element {
        text: "no such thing".to_owned(),
        ..Element::new("Error")
    };
    assert_eq!(spelled_out.error_text(), Some("no such thing"));
    assert_eq!(Element::new("Success").with("text", "x").error_text(), None);
}

/// A name as a domain may have it: anything but control characters.
fn name() -> impl Strategy<Value = Arc<str>> {
    "[^\\p{Cc}\u{FFFE}\u{FFFF}]{1,10}".prop_map(Arc::from)
}

fn any_broker() -> impl Strategy<Value = BrokerElement> {
    let port = prop::option::of(1..=u16::MAX);
    (
        name(),
        prop::option::of(name()),
        port,
        any::<bool>(),
        name(),
        name(),
    )
        .prop_map(
            |(agent_id, address, port, is_broker, hostname, version)| BrokerElement {
                agent_id,
                address,
                port,
                is_broker,
                hostname,
                version,
            },
        )
}

fn any_process() -> impl Strategy<Value = ProcessElement> {
    let names = (name(), name(), name(), name());
    let optional = (prop::option::of(name()), prop::option::of(name()));
    let numbers = (
        any::<u32>(),
        prop::option::of(1..=u16::MAX),
        prop::option::of(any::<u32>()),
    );
    (names, optional, numbers, any::<bool>()).prop_map(
        |(
            (agent_id, database, hostname, version),
            (state, start_id),
            (pid, port, node_id),
            is_te,
        )| {
            ProcessElement {
                agent_id,
                database,
                pid,
                port,
                is_transaction_engine: is_te,
                state,
                hostname,
                version,
                node_id,
                start_id,
            }
        },
    )
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        any_broker().prop_map(Event::NewBroker),
        any_broker().prop_map(Event::BrokerExit),
        any_process().prop_map(Event::NewProcess),
        any_process().prop_map(Event::ProcessExit),
        (name(), any_process())
            .prop_map(|(status, process)| Event::StatusChanged { status, process }),
        (prop::option::of(name()), name(), any_broker()).prop_map(|(start_id, reason, broker)| {
            Event::ProcessFailed {
                start_id,
                reason: Arc::from(reason.trim()),
                broker,
            }
        }),
    ]
}

fn any_status() -> impl Strategy<Value = Status> {
    let peers = prop::collection::vec(any_broker(), 0..4);
    let processes = prop::collection::vec(any_process(), 0..6);
    (name(), any_broker(), peers, processes).prop_map(|(domain, entry, peers, processes)| Status {
        domain,
        entry,
        peers,
        processes,
    })
}

proptest! {
    #[test]
    fn an_event_is_read_as_it_was_written(event in any_event()) {
        let mut document = Vec::new();
        event.write(&mut document);
        let text = xml::decode(&document).unwrap();
        prop_assert_eq!(read(&text), Ok(Monitored::Event(event)));
    }

    #[test]
    fn a_snapshot_is_read_as_it_was_written(status in any_status()) {
        let mut document = Vec::new();
        status.write(&mut document);
        let text = xml::decode(&document).unwrap();
        prop_assert_eq!(read(&text), Ok(Monitored::Status(Box::new(status))));
    }

    #[test]
    fn a_damaged_message_does_no_harm(
        event in any_event(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut document = Vec::new();
        event.write(&mut document);
        let at = at.index(document.len());
        document[at] = byte;
        if let Ok(text) = xml::decode(&document) {
            let is_message = read(&text).is_ok_and(|it| it != Monitored::Other);
            // Both readers agree on what is well-formed.
            prop_assert!(!is_message || xml::read(&text).is_ok());
        }
    }
}
