//! Every query of docs/journal.md, over a journal that a daemon has open.

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use rustix::process::{Signal, kill_process};

use crate::daemon::{Daemon, ELSEWHERE_AT_ONCE, pid, running_te, teas};
use crate::sandbox::outside::{Running, eventually};

/// A listener that wants nothing to do with failures, and one that is told everything.
const LISTENERS: &str = "
    [[listener]]
    name = \"stubborn\"
    kind = \"exec\"
    command = [\"/bin/sh\", \"-c\", \"exit 65\"]
    events = [\"process_failed\"]
    on-connect = \"changes\"

    [[listener]]
    name = \"log\"
    kind = \"log\"
";

/// The statements of the page, without comments.
fn statements() -> Vec<&'static str> {
    let page = include_str!("../../../docs/journal.md");
    let blocks = page.split("```sql\n").skip(1);
    blocks.filter_map(|it| it.split("```").next()).collect()
}

/// Returns how many rows there are, each with a value for its first column.
fn rows(journal: &Connection, statement: &str) -> usize {
    let prepared = journal.prepare(statement);
    let mut prepared = prepared.unwrap_or_else(|error| panic!("{error}: {statement}"));
    assert!(prepared.readonly(), "{statement}");
    let rows = prepared.query_map([], |row| row.get::<_, Value>(0));
    rows.unwrap()
        .map(|it| assert_ne!(it.unwrap(), Value::Null, "{statement}"))
        .count()
}

#[test]
fn every_query_of_the_page_finds_something_where_something_happened() {
    let sandbox = Running::start(&["--database", "teas", "--te", "1", "--sm", "1"]);
    let daemon = Daemon::start(&format!("{}{ELSEWHERE_AT_ONCE}{LISTENERS}", teas(&sandbox)));
    daemon.says(&["domain_thawed"]);
    eventually("the engine is wanted", || {
        daemon.status()["domains"][0]["slots"][0]["wanted"] == true
    });
    let victim = running_te(&sandbox)[0];
    kill_process(pid(victim), Signal::KILL).unwrap();
    daemon.says(&["action_succeeded"]);
    daemon.says(&["event_dead_lettered"]);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let path = daemon.path("state/prod/journal.sqlite");
    let journal = Connection::open_with_flags(path, flags).unwrap();
    let statements = statements();
    assert!(statements.len() >= 10, "{statements:?}");
    for statement in statements {
        assert!(rows(&journal, statement) > 0, "{statement}");
    }
    let until = "SELECT count(*) FROM actions WHERE outcome = 'succeeded'";
    assert_eq!(rows(&journal, until), 1);
    drop(journal);
    daemon.end();
}

#[test]
fn every_table_and_view_is_explained() {
    let page = include_str!("../../../docs/journal.md");
    let first = include_str!("../../../src/journal/store/1.sql").lines();
    let names = first.chain(include_str!("../../../src/journal/store/2.sql").lines());
    let names = names.filter_map(|line| {
        let rest = line.strip_prefix("CREATE TABLE ");
        let rest = rest.or_else(|| line.strip_prefix("CREATE VIEW "))?;
        rest.split(' ').next()
    });
    let names: Vec<&str> = names.collect();
    assert!(names.contains(&"event") && names.contains(&"deliveries"));
    for name in names {
        assert!(
            page.contains(&format!("| `{name}` |")),
            "nothing on `{name}`"
        );
    }
}
