//! One peer under many names.

use super::*;

const ADVERTISED: &str = "10.0.0.9";

/// The peer `db1`, as it tells of itself to those who dialled it by name.
fn dialled(agent: &str) -> PeerSeen {
    PeerSeen {
        address: Address::new("db1", 48_004),
        hostname: "db1".into(),
        ..peer(agent, 1)
    }
}

/// The same peer, as the others tell of it.
fn advertised(agent: &str) -> PeerSeen {
    PeerSeen {
        address: Address::new(ADVERTISED, 48_004),
        ..dialled(agent)
    }
}

fn other() -> PeerSeen {
    peer("b", 2)
}

fn view(entry: PeerSeen, others: Vec<PeerSeen>) -> Snapshot {
    Snapshot {
        domain: "domain".into(),
        entry,
        peers: others,
        processes: Vec::new(),
    }
}

/// A story that knows nothing yet but what the configuration says.
fn configured(peers: Vec<PeerSettings>) -> Story {
    let settings = Settings {
        peers,
        ..Settings::default()
    };
    Story {
        model: Model::new(settings),
        ..Story::new()
    }
}

fn rule(name: &str, dial: Option<Address>, aliases: &[Address]) -> PeerSettings {
    PeerSettings {
        name: name.into(),
        dial,
        aliases: aliases.to_vec(),
        labels: [("zone".to_owned(), "east".to_owned())].into(),
    }
}

fn names(story: &Story) -> Vec<String> {
    let peers = story.model.peers();
    peers.map(|(_, it)| it.name.to_string()).collect()
}

#[test]
fn an_entry_peer_is_the_same_under_its_advertised_address_with_a_new_agent_too() {
    let mut story = configured(Vec::new());
    story.snapshot_of(view(dialled("x"), vec![other()]));
    assert_eq!(story.told(), "db1:48004 joined; 10.0.0.1:2 joined");
    story.lose();
    // The session went over to `b`, and the agent was started again meanwhile.
    story.snapshot_of(view(other(), vec![advertised("x2")]));
    assert_eq!(story.told(), "db1:48004 unreachable; db1:48004 returned");
    // And back, with yet another agent.
    story.lose();
    story.snapshot_of(view(dialled("x3"), vec![other()]));
    assert_eq!(story.told(), "db1:48004 unreachable; db1:48004 returned");
    assert_eq!(names(&story), ["db1:48004", "10.0.0.1:2"]);
}

#[test]
fn a_peer_that_was_listed_first_is_the_same_when_it_is_dialled() {
    let mut story = configured(Vec::new());
    story.snapshot_of(view(other(), vec![advertised("x")]));
    story.told();
    story.lose();
    story.snapshot_of(view(dialled("x"), vec![other()]));
    assert_eq!(story.told(), "");
    story.lose();
    story.snapshot_of(view(other(), vec![advertised("x2")]));
    assert_eq!(
        story.told(),
        "10.0.0.9:48004 unreachable; 10.0.0.9:48004 returned"
    );
    assert_eq!(names(&story), ["10.0.0.1:2", "10.0.0.9:48004"]);
}

#[test]
fn its_processes_stay_with_it() {
    let mut story = configured(Vec::new());
    let running = |agent: &str| vec![running(agent, 7)];
    let mut first = view(dialled("x"), vec![other()]);
    first.processes = running("x");
    story.snapshot_of(first).told();
    story.lose();
    let mut second = view(other(), vec![advertised("x")]);
    second.processes = running("x");
    story.snapshot_of(second.clone());
    assert_eq!(story.told(), "");
    story.lose();
    second.peers = vec![advertised("x2")];
    second.processes = running("x2");
    story.snapshot_of(second);
    assert_eq!(
        story.told(),
        "db1:48004 unreachable; 7 unreachable; database inactive; db1:48004 returned; \
         7 returned; database active"
    );
}

#[test]
fn who_only_shares_a_host_name_does_not_take_the_place_of_another() {
    // Two sites call a host the same; the one that tells is the one we did not know yet.
    let mut story = configured(Vec::new());
    story.snapshot_of(view(other(), vec![advertised("x")]));
    story.told();
    story.lose();
    let namesake = PeerSeen {
        address: Address::new("172.16.0.9", 48_004),
        ..dialled("y")
    };
    story.snapshot_of(view(namesake, vec![other(), advertised("x")]));
    assert_eq!(story.told(), "172.16.0.9:48004 joined");
}

#[test]
fn an_address_that_passed_on_to_another_peer_does_not_take_its_name_along() {
    let mut story = configured(Vec::new());
    let moved = PeerSeen {
        address: Address::new("10.0.0.10", 48_004),
        hostname: "".into(),
        ..advertised("x")
    };
    let newcomer = PeerSeen {
        hostname: "db2".into(),
        ..advertised("y")
    };
    story.snapshot_of(view(other(), vec![advertised("x")]));
    story.lose();
    story.snapshot_of(view(other(), vec![moved, newcomer]));
    assert_eq!(
        names(&story),
        ["10.0.0.1:2", "10.0.0.9:48004", "10.0.0.9:48004#2"]
    );
    let all = story.model.peers().map(|(_, it)| it.agent_id.as_str());
    assert_eq!(all.collect::<Vec<_>>(), ["b", "x", "y"]);
}

#[test]
fn the_configuration_names_peers_and_says_where_they_are_dialled() {
    let dial = Address::new("gateway", 4_801);
    let aliases = [Address::new(ADVERTISED, 48_004)];
    let mut story = configured(vec![rule("first", Some(dial.clone()), &aliases)]);
    story.snapshot_of(view(other(), vec![advertised("x")]));
    assert_eq!(story.told(), "10.0.0.1:2 joined; first joined");
    let (id, known) = story.model.peers().last().unwrap();
    assert_eq!(known.agent_address(), &dial);
    assert_eq!(known.labels["zone"], "east");
    assert_eq!(story.model.peer_named(&"first".into()), Some(id));
}

#[test]
fn aliases_of_the_configuration_join_what_nothing_else_does() {
    // Dialled through a gateway, under a host name nobody advertises, with a new agent each time.
    let through = |agent: &str| PeerSeen {
        address: Address::new("Gateway", 4_801),
        hostname: "inside-1".into(),
        ..dialled(agent)
    };
    let aliases = [
        Address::new("gateway", 4_801),
        Address::new(ADVERTISED, 48_004),
    ];
    let outside = |agent: &str| PeerSeen {
        hostname: "outside-1".into(),
        ..advertised(agent)
    };
    for is_dialled_first in [true, false] {
        let mut story = configured(vec![rule("first", None, &aliases)]);
        for turn in 0..4 {
            let agent = format!("x{turn}");
            if (turn % 2 == 0) == is_dialled_first {
                story.snapshot_of(view(through(&agent), vec![other()]));
            } else {
                story.snapshot_of(view(other(), vec![outside(&agent)]));
            }
            story.lose();
        }
        let mut all = names(&story);
        all.sort();
        assert_eq!(all, ["10.0.0.1:2", "first"]);
    }
}

#[test]
fn a_name_that_is_an_address_is_an_alias() {
    let mut story = configured(vec![rule("db1:48004", None, &[])]);
    story.snapshot_of(view(other(), vec![advertised("x")]));
    story.lose();
    story.snapshot_of(view(dialled("x2"), vec![other()]));
    assert_eq!(names(&story), ["10.0.0.1:2", "db1:48004"]);
}
