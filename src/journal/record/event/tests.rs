//! Every event reads back as it was written, as a row and as JSON.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z/0-9]{1,12}", any::<String>()]
}

fn process() -> impl Strategy<Value = ProcessFacts> {
    let role = select(vec![Role::Sm, Role::Te]);
    let status = select(vec![
        Status::Down,
        Status::Starting,
        Status::Stopping,
        Status::Unknown,
        Status::Up,
    ]);
    let numbers = (any::<u32>(), any::<Option<u16>>(), any::<Option<u32>>());
    let start = proptest::option::of(text());
    (role, status, numbers, start, text()).prop_map(|(role, status, numbers, start, word)| {
        ProcessFacts {
            role,
            pid: numbers.0,
            port: numbers.1,
            node_id: numbers.2,
            start_id: start.map(|it| it.as_str().into()),
            status,
            status_word: word.into(),
        }
    })
}

pub(in crate::journal) fn any_event() -> impl Strategy<Value = Event> {
    let causes = vec![
        Cause::Exit,
        Cause::Overlap,
        Cause::Requested,
        Cause::StartFailed,
        Cause::Unknown,
        Cause::MinorityView,
        Cause::WithPeer,
    ];
    let cause = proptest::option::of(select(causes));
    let kind = select(Kind::ALL.to_vec());
    let texts = prop::collection::vec(proptest::option::of(text()), 6);
    let numbers = (any::<u64>(), any::<u64>(), any::<Option<u64>>());
    let flags = any::<(bool, bool)>();
    let process = proptest::option::of(process());
    (kind, cause, texts, numbers, flags, process).prop_map(
        |(kind, cause, texts, numbers, flags, process)| {
            let text = |at: usize| texts[at].as_deref();
            Event {
                time: Moment {
                    at: Timestamp::from_micros(numbers.0),
                    wall: WallTime::from_unix_micros(numbers.1),
                },
                domain: text(0).map(Into::into),
                kind,
                subject: Subject {
                    peer: text(1).map(Into::into),
                    agent_id: text(2).map(Into::into),
                    database: text(3).map(Into::into),
                    process,
                    slot: text(4).map(Into::into),
                },
                cause,
                text: text(5).map(Into::into),
                snapshot: flags.0,
                while_disconnected: flags.1,
                action: numbers.2.map(ActionId),
            }
        },
    )
}

proptest! {
    #[test]
    fn an_event_is_read_as_it_was_written(written in any_event(), seq in any::<u64>()) {
        prop_assert_eq!(&event(&cells(&written)).unwrap(), &written);
        let recorded = Recorded { epoch: 7, seq, event: written };
        prop_assert_eq!(&from_json(&to_json(&recorded)).unwrap(), &recorded);
    }
}

#[test]
fn nonsense_is_no_event() {
    let plain = Event::new(
        Moment::default(),
        None,
        Kind::DaemonStarted,
        Subject::default(),
    );
    let spoilt = |name: &str, cell: Cell<'static>| {
        let mut cells = cells(&plain);
        let at = COLUMNS.iter().position(|it| *it == name).unwrap();
        cells[at] = cell;
        event(&cells).unwrap_err().to_string()
    };
    assert!(spoilt("kind", Cell::Text("process_exploded")).contains("process_exploded"));
    assert!(spoilt("kind", Cell::Null).contains("missing"));
    assert!(spoilt("role", Cell::Text("TE")).contains("no pid"));
    assert!(spoilt("cause", Cell::Number(1)).contains("not text"));
    assert!(spoilt("snapshot", Cell::Number(2)).contains("neither 0 nor 1"));
    assert!(spoilt("at", Cell::Text("x")).contains("not a number"));
    for text in ["", "null", "{}", "[]", r#"{"epoch":1,"seq":1}"#] {
        from_json(text).unwrap_err();
    }
}
