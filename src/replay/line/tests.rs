//! Every documented form once, in lines of our own.

use super::*;

/// Lines of a form, without their beginning.
const KNOWN: &[&str] = &[
    "Alarm id=7 entity=[te] def=[Alarm Definition [slow]: type=T dimension=D entity=* (Warning)]",
    "Converting to LEADER (term=3, index=12) (leader=x)",
    "Converting to FOLLOWER (term=3, index=12)",
    "Database [teas] has become active",
    "Database [teas] has become inactive, was previously active for 0:15:52.667",
    "Enforcing database cold-restart [teas]",
    "Failed to enforce database [teas]: no host",
    "Joined Domain",
    "Marking process with node object [Node TE db=[teas] pid=9 id=2 req=TEs (local)] for reaping",
    "No response for 30 seconds from [Peer 10.0.0.2:48004 (broker)]",
    "No response for 30 seconds from process: 4711",
    "Node failed peer=[Peer 10.0.0.2:48004] startId=[12]: no such archive",
    "Node joined: [Node SM db=[teas] pid=8 id=-1 req=SMs (Peer 10.0.0.2:48004 (broker))]",
    "Node joined: [Node TE db=[a [b] c] pid=8,804 id=3 req=TEs (local)]",
    "Node left (observed): [Node TE db=[teas] pid=9 id=2 req=TEs (local)]",
    "Node left: [Node TE db=[teas] pid=9 id=2 req=TEs (Peer db2:48004)]",
    "Node setId=2 [Node TE db=[teas] pid=9 id=-1 req=TEs (local)]",
    "Node state changed to RUNNING [Node TE db=[teas] pid=9 id=2 req=TEs (local)]",
    "NuoAgent version: 2.4.1-2",
    "Peer joined: [Peer 10.0.0.2:48004 (broker)]",
    "Peer left: [Peer 10.0.0.2:48004]",
    "Property altAddr=",
    "Reaping process with pid 8,804 and exit code 5",
    "Skip due to backoff ProcessSpec[teas, TE, req=TEs, peer=[x]] Stats uptime=24 retryCount=1/9",
    "Starting ProcessSpec[teas, SM, req=SMs, peer=[x]], archive=/a",
    "cleaning up pid 22554 with exit code 134",
    "cleaning up pid=22554 with exit code=-9",
    "startup completed; agent is ready",
];

const BEGINNING: &str = "2016-04-21T12:42:06.466+0000 INFO Some$Class.method (thread-1) ";

#[test]
fn every_documented_form_is_known() {
    for text in KNOWN {
        let line = format!("{BEGINNING}{text}");
        let read = read(&line);
        assert!(matches!(read[..], [Line::Form { .. }]), "{read:?}");
    }
    for (form, ..) in FORMS {
        assert!(
            KNOWN.iter().any(|it| it.starts_with(form)),
            "no line for `{form}`"
        );
    }
}

#[test]
fn what_begins_like_a_form_and_goes_on_otherwise_is_unknown() {
    for text in [
        "Peer joined: 10.0.0.2",
        "Node joined: [Node XE db=[teas] pid=9 id=2 req=TEs (local)]",
        "Node left (guessed): [Node TE db=[teas] pid=9 id=2 req=TEs (local)]",
        "Database [teas] has become angry",
        "Converting to OBSERVER (term=1)",
        "cleaning up pid x with exit code 1",
        "Node setId= [Node TE db=[teas] pid=9 id=2 req=TEs (local)]",
    ] {
        let line = format!("{BEGINNING}{text}");
        let read = read(&line);
        assert!(matches!(read[..], [Line::Unknown { .. }]), "{read:?}");
    }
}

#[test]
fn what_engines_write_and_what_has_no_form_is_passed_over() {
    for line in [
        "-----",
        "Thu Apr 21 12:42:05 UTC 2016: Starting NuoDB agent",
        "21837\tnuodb\t12:42\t1.0G",
        "\tat java.lang.Thread.run(Thread.java:745)",
        "2016-04-21T12:43:47.593+0000 [22537] Node joined: [nothing of ours]",
        &format!("{BEGINNING}Database [teas] is not known"),
        &format!("{BEGINNING}Node Node SM db=[tiny] pid=22537 id=-1 req=SMs (local) is initial"),
    ] {
        let read = read(line);
        assert!(matches!(read[..], [Line::Other { .. }]), "{read:?}");
    }
}

#[test]
fn lines_that_are_glued_together_are_read_one_by_one() {
    let line = format!("{BEGINNING}Joined Domain{BEGINNING}Peer left: [Peer a:1]trace");
    let glued = format!("2016-04-21T12:43:47.593+0000 [22] oops {line}");
    let read = read(&glued);
    let [Line::Other { .. }, first, second] = &read[..] else {
        panic!("{read:?}");
    };
    assert!(matches!(
        first,
        Line::Form {
            said: Said::Nothing,
            ..
        }
    ));
    assert!(matches!(
        second,
        Line::Form {
            said: Said::PeerLeft(_),
            ..
        }
    ));
}

#[test]
fn the_agent_that_writes_says_where_it_is() {
    let text = "peer unstableId=[x], peer=[10.0.0.1], port=48004, raft=true, \
                address=[db1.example/10.0.0.1:48004], addrToAdvertise=[null]";
    let line = format!("{BEGINNING}{text}");
    let read = read(&line);
    let [Line::Form { said, .. }] = &read[..] else {
        panic!("{read:?}");
    };
    let address = Address::new("10.0.0.1", 48_004);
    assert_eq!(*said, Said::Local(address, "db1.example".to_owned()));
}
