//! What people say at the command line: put to a real warden, shown in the status, refused if it
//! is nonsense.

use super::{json, prod};

#[tokio::test(flavor = "multi_thread")]
async fn what_people_say_is_kept_with_who_and_why_and_is_in_the_status() {
    let standin = prod();
    let ran = standin.run(&["hold", "teas/te/1"]);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    let why = ["--reason", "a new disk", "--owner", "ada"];
    let ran = standin.run(&[&["hold", "teas/te/1"], &why[..]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let said = "nothing is started for teas/te/1 until it is released\n";
    assert_eq!(ran.out, said);
    let start = ["maintenance", "start", "teas", "--for", "2h"];
    let ran = standin.run(&[&start[..], &why[..]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = standin.run(&["scale", "teas", "te", "3", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(json(&ran.out)["text"].is_string(), "{ran:?}");

    let status = standin.run(&["status"]);
    for line in [
        "note     teas/te/1 is held",
        "note     teas is in maintenance",
        "by operator ada since ",
        "note     teas is scaled to 3 TE",
    ] {
        assert!(status.out.contains(line), "{line}: {}", status.out);
    }
    let status = json(&standin.run(&["status", "--json"]).out);
    let orders = status["domains"][0]["orders"].as_array().unwrap();
    let hold = orders.iter().find(|it| it["order"] == "hold").unwrap();
    assert_eq!(hold["on"], "teas/te/1");
    assert_eq!(hold["by"], "operator ada");
    assert_eq!(hold["reason"], "a new disk");
    let maintained = orders.iter().find(|it| it["order"] == "maintenance");
    assert!(maintained.unwrap()["until"].is_string(), "{orders:?}");

    for args in [
        &["release", "teas/te/1"][..],
        &["maintenance", "end", "teas"],
        &["forget", "teas"],
    ] {
        let ran = standin.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
    }
    let status = json(&standin.run(&["status", "--json"]).out);
    let orders = status["domains"][0]["orders"].as_array().unwrap();
    assert!(orders.is_empty(), "{orders:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_and_says_what_to_do() {
    let standin = prod();
    let why = ["--reason", "x"];
    for (args, says) in [
        (&["release", "teas"][..], "nobody holds teas"),
        (&["release", "milk"], "nothing called `milk` was ever seen"),
        (&["retry", "teas/te/7"], "there is no slot teas/te/7"),
        (&["forget", "teas/te/1"], "a process fills teas/te/1"),
        (&["scale", "teas", "te", "101"], "is not from 0 to 100"),
        (&["maintenance", "end", "teas"], "no maintenance of its own"),
        (
            &["thaw", "prod", "--gate", "storm", "--for", "1h"],
            "the gate storm is open",
        ),
        (
            &["thaw", "prod", "--gate", "journal", "--for", "1h"],
            "make room",
        ),
        (
            &["thaw", "prod", "--gate", "garden", "--for", "1h"],
            "there is no gate `garden`",
        ),
        (&["confirm-dead", "teas"], "is said of a peer"),
    ] {
        let ran = standin.run(&[args, &why].concat());
        assert_eq!(ran.code, Some(1), "{args:?}: {ran:?}");
        assert!(ran.err.contains(says), "{args:?}: {ran:?}");
    }
    for args in [
        &["maintenance", "start", "teas", "--reason", "x"][..],
        &[
            "maintenance",
            "start",
            "teas",
            "--for",
            "0s",
            "--reason",
            "x",
        ],
        &[
            "maintenance",
            "start",
            "teas",
            "--for",
            "400d",
            "--reason",
            "x",
        ],
        &["scale", "teas", "sm", "1"],
        &["hold", "te\nas", "--reason", "x"],
    ] {
        let ran = standin.run(args);
        assert_eq!(ran.code, Some(64), "{args:?}: {ran:?}");
    }
    let mut command = standin.command(&["hold", "teas", "--reason", "x"]);
    command.env("DBWARDEN_LISTENER", "page");
    let output = tokio::task::block_in_place(|| command.output().unwrap());
    assert_eq!(output.status.code(), Some(77), "{output:?}");
}
