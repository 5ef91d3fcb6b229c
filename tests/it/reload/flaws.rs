//! What can be wrong with a configuration, planted one by one, each with what a refusal must say
//! of it.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use dbwarden::sandbox::world::history::Dice;

/// A mistake: what is written, in which line of it the mistake is told, and how.
struct Flaw {
    text: &'static str,
    line: usize,
    says: &'static str,
}

/// `DIR` is the daemon's directory, `N` the number of the mistake, `DOMAIN` the beginning of a good
/// domain, four lines, and `ACCOUNT` the end of one, two lines.
const FLAWS: [Flaw; 22] = [
    flaw(
        "[[listener]]\nname = \"flaw-N\"\nkind = \"log\"\nevnets = [\"*\"]",
        4,
        "listener.evnets: there is no such key; did you mean `events`?",
    ),
    flaw("[[policy]]\nkeep = 3", 2, "policy.keep: is a number"),
    flaw(
        "[[policy]]\nkeep = \"everything\"",
        2,
        "policy.keep: `everything` is unknown",
    ),
    flaw(
        "[[policy]]\nmin-uptime = \"soon\"",
        2,
        "policy.min-uptime: `soon` is no duration",
    ),
    flaw(
        "[[policy]]\nroles = [\"te\"]\nnonsense-N = true",
        3,
        "policy.nonsense-N: there is no such key",
    ),
    flaw(
        "[[domain]]\nname = \"flaw-N\"\nbrokers = []\nACCOUNT",
        3,
        "domain.brokers: is empty",
    ),
    flaw(
        "[[domain]]\nname = \"flaw-N\"\nbrokers = [\"a\", \"a:48004\"]\nACCOUNT",
        3,
        "domain.brokers: ",
    ),
    flaw(
        "DOMAINpassword = { file = \"DIR/missing-N\" }",
        5,
        "missing-N",
    ),
    flaw(
        "DOMAINpassword = { file = \"DIR/exposed\" }",
        5,
        "run chmod 600",
    ),
    flaw(
        "DOMAINpassword = { env = \"NOT_THERE_N\" }",
        5,
        "the environment has no variable `NOT_THERE_N`",
    ),
    flaw(
        "DOMAINpassword = { file = \"DIR/password\", env = \"X\" }",
        5,
        "write exactly one of",
    ),
    flaw(
        "[[domain]]\nname = \"prod\"\nbrokers = \"a\"\nACCOUNT",
        2,
        "domain.name: `prod` is the name of the one at ",
    ),
    flaw(
        "DOMAINpassword = { file = \"DIR/password\" }\ntls = { ca = \"DIR/missing-N.pem\" }",
        6,
        "missing-N.pem",
    ),
    flaw(
        "[[listener]]\nname = \"flaw-N\"\nkind = \"exec\"\ncommand = [\"page-N\"]",
        4,
        "listener.command: page-N is no absolute path",
    ),
    flaw(
        "[[listener]]\nname = \"flaw-N\"\nkind = \"exec\"\ncommand = [\"/missing-N\"]",
        4,
        "missing-N",
    ),
    flaw(
        "[[listener]]\nname = \"log\"\nkind = \"log\"",
        2,
        "listener.name: `log` is the name of the one at ",
    ),
    flaw(
        "[[listener]]\nname = \"flaw-N\"\nkind = \"log\"\nevents = [\"flood-N\"]",
        4,
        "`flood-N` is neither an event nor a group",
    ),
    flaw(
        "[[listener]]\nname = \"flaw-N\"\nkind = \"log\"\nretry = { first = \"2s\", max = \"1s\" }",
        4,
        "listener.retry.max: is shorter than first",
    ),
    flaw(
        "[[listener]]\nname = \"flaw-N\"\nkind = \"pager\"",
        3,
        "listener.kind: `pager` is unknown",
    ),
    flaw(
        "[[listener]]\nname = \"flaw-N\"\nkind = \"webhook\"\nurl = \"http://a:b@c\"",
        4,
        "has a user or a password in it",
    ),
    flaw("domain = 3", 1, "domain: is a number; write [[domain]]"),
    flaw("[[listener\nkind = \"log\"", 1, ""),
];

const DOMAIN: &str = "[[domain]]
name = \"flaw-N\"
brokers = \"a\"
user = \"u\"
";

const ACCOUNT: &str = "user = \"u\"
password = { file = \"DIR/password\" }";

const fn flaw(text: &'static str, line: usize, says: &'static str) -> Flaw {
    Flaw { text, line, says }
}

/// What is wrong with the file as a whole.
const WRITABLE: &str = "anybody can change it";

/// Mistakes that were planted: each has to be told, in a line that has all of this.
pub(super) type Planted = Vec<Vec<String>>;

/// Plants two to six mistakes, most of them in files of their own.
pub(super) fn plant(
    dice: &mut Dice,
    main: &mut String,
    apart: &mut BTreeMap<String, String>,
    dir: &Path,
) -> Planted {
    let exposed = dir.join("exposed");
    fs::write(&exposed, "bird").unwrap();
    fs::set_permissions(exposed, Permissions::from_mode(0o644)).unwrap();
    let mut planted = Planted::new();
    for number in 0..2 + dice.below(5) {
        let flaw = &FLAWS[dice.below(FLAWS.len())];
        let fill = |text: &str| {
            let text = text.replace("DOMAIN", DOMAIN).replace("ACCOUNT", ACCOUNT);
            let text = text.replace("-N", &format!("-{number}"));
            let text = text.replace("_N", &format!("_{number}"));
            text.replace("DIR", dir.to_str().unwrap())
        };
        let text = fill(flaw.text) + "\n";
        // What opens no table of its own would belong to the last one.
        let is_table = text.starts_with("[[") && !flaw.says.is_empty();
        let place = if is_table && dice.percent(40) {
            let line = main.matches('\n').count() + flaw.line;
            main.push_str(&text);
            format!("/config.toml:{line}:")
        } else {
            let name = format!("{}-flaw.toml", 70 + number);
            let place = format!("/{name}:{}:", flaw.line);
            apart.insert(name, text);
            place
        };
        planted.push(vec![place, fill(flaw.says)]);
    }
    if dice.percent(20) {
        let name = "90-open.toml".to_owned();
        planted.push(vec![format!("/{name}: "), WRITABLE.to_owned()]);
        apart.insert(name, "# Nothing.\n".to_owned());
    }
    planted
}

/// Returns the permissions that a file of `conf.d` shall have.
pub(super) fn mode(name: &str) -> u32 {
    if name == "90-open.toml" { 0o666 } else { 0o644 }
}
