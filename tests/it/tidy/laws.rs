//! The laws: who may import whom, what the core may not touch, and what a file looks like.
//!
//! A law reads one file and says where it is broken; it deliberately repairs nothing.

use super::lexer::{Kind, Token};
use super::source::{Source, end_of_item};

/// Who may import whom, from the inside out. A module may use itself and what is listed here.
const IMPORTS: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("transport", &[]),
    ("mutation", &[]),
    ("model", &["mutation", "time"]),
    ("exchange", &["model", "time"]),
    ("event", &["exchange", "model", "time"]),
    ("policy", &["exchange", "model", "time"]),
    (
        "supervisor",
        &["event", "exchange", "model", "mutation", "policy", "time"],
    ),
    ("view", &["exchange", "model", "supervisor", "time"]),
    (
        "warden",
        &[
            "event",
            "exchange",
            "model",
            "policy",
            "supervisor",
            "time",
            "view",
        ],
    ),
    (
        "replay",
        &[
            "event",
            "exchange",
            "model",
            "nuodb/pilot",
            "policy",
            "supervisor",
            "time",
            "warden",
        ],
    ),
    ("nuodb", &["time"]),
    (
        "nuodb/pilot",
        &["exchange", "model", "mutation", "nuodb", "time"],
    ),
    (
        "driver",
        &[
            "exchange",
            "model",
            "nuodb",
            "nuodb/pilot",
            "time",
            "transport",
        ],
    ),
    (
        "listener",
        &["event", "exchange", "model", "time", "transport"],
    ),
    (
        "journal",
        &[
            "event",
            "exchange",
            "listener",
            "model",
            "mutation",
            "policy",
            "supervisor",
            "time",
        ],
    ),
    ("telemetry", &["event"]),
    (
        "api",
        &[
            "event",
            "exchange",
            "journal",
            "listener",
            "model",
            "supervisor",
            "telemetry",
            "time",
            "transport",
            "view",
        ],
    ),
    ("config", BELOW_CONFIG),
    ("daemon", BELOW_DAEMON),
    (
        "sandbox",
        &["nuodb", "sandbox/serve", "sandbox/world", "transport", CORE],
    ),
    (
        "sandbox/serve",
        &["nuodb", "sandbox", "sandbox/world", "transport", CORE],
    ),
    ("sandbox/world", &[CORE]),
    ("cli", &[ALL]),
    ("lib", &[]),
    ("main", &["cli"]),
];

/// What a module's tests may import beyond what the module may.
const TEST_IMPORTS: &[(&str, &[&str])] = &[];

/// In a row of the table: every module of the core.
const CORE: &str = "the core";
/// In a row of the table: every module there is.
const ALL: &str = "all";

const BELOW_CONFIG: &[&str] = &[
    "api",
    "driver",
    "journal",
    "listener",
    "telemetry",
    "transport",
    CORE,
];
const BELOW_DAEMON: &[&str] = &[
    "api",
    "config",
    "driver",
    "journal",
    "listener",
    "telemetry",
    "transport",
    CORE,
];

/// The modules that think: no runtime, no clock, no entropy, no hash order, no floats.
const CORE_MODULES: &[&str] = &[
    "event",
    "exchange",
    "model",
    "mutation",
    "nuodb",
    "nuodb/pilot",
    "policy",
    "replay",
    "sandbox/world",
    "supervisor",
    "time",
    "view",
    "warden",
];

/// What the core may not name, and why. Beginnings of paths.
const BANNED_PATHS: &[(&str, &str)] = &[
    ("getrandom", "entropy is an argument"),
    ("rand", "entropy is an argument"),
    ("rustix", "the core does not touch the system"),
    ("socket2", "the core has no sockets"),
    ("std::*", "name what is used"),
    ("std::env", "settings are arguments"),
    ("std::fs", "the core has no files"),
    (
        "std::net",
        "the core has no sockets; only the address types are values",
    ),
    ("std::process", "the core starts nothing"),
    ("std::thread", "the core cannot wait"),
    ("tokio", "the core does not know that a runtime exists"),
    ("tokio_rustls", "the core has no sockets"),
];

/// What `std::net` offers that is a value and no socket.
const ADDRESSES: &[&str] = &["IpAddr", "Ipv4Addr", "Ipv6Addr"];

/// Names the core may not use, and why.
const BANNED_NAMES: &[(&str, &str)] = &[
    ("HashMap", "hash order is no order; use BTreeMap"),
    ("HashSet", "hash order is no order; use BTreeSet"),
    ("Instant", "time is an argument"),
    ("RandomState", "entropy is an argument"),
    ("SystemTime", "time is an argument"),
    ("f32", "the core computes with integers"),
    ("f64", "the core computes with integers"),
];

/// Macros the core may not use outside its tests.
const BANNED_PRINTS: &[&str] = &["eprint", "eprintln", "print", "println"];

/// Folders and files of these names hold what has no concept yet.
const NAMELESS: &[&str] = &[
    "common", "core", "helper", "helpers", "manager", "types", "util", "utils",
];

const COLUMNS: usize = 100;
const FILE_LINES: usize = 600;
const TEST_FILE_LINES: usize = 1_500;
const FUNCTION_LINES: usize = 70;

/// Collects what is broken, as `path:line: what`.
pub(crate) type Broken = Vec<String>;

/// Holds every law that looks at one file. `is_test` tells a file that only tests see.
pub(crate) fn check(source: &Source, is_test: bool) -> Broken {
    let mut broken = Broken::new();
    if source.module().is_some() {
        imports(source, is_test, &mut broken);
        core(source, is_test, &mut broken);
        product(source, &mut broken);
    }
    names(source, &mut broken);
    docs(source, &mut broken);
    leftovers(source, &mut broken);
    cases(source, &mut broken);
    columns(source, &mut broken);
    file_length(source, is_test, &mut broken);
    function_lengths(source, &mut broken);
    broken
}

fn say(broken: &mut Broken, source: &Source, line: usize, what: &str) {
    broken.push(format!("{}:{line}: {what}", source.path));
}

/// Returns the row of the table that a path inside the crate belongs to.
fn zone(module: &[String]) -> String {
    let first = module.first().map_or("", String::as_str);
    match (first, module.get(1).map(String::as_str)) {
        ("nuodb", Some(part)) if part.starts_with("pilot") => "nuodb/pilot".to_owned(),
        ("sandbox", Some(part @ ("serve" | "world"))) => format!("sandbox/{part}"),
        _ => first.to_owned(),
    }
}

fn zone_of(source: &Source) -> String {
    match source.path.as_str() {
        "src/lib.rs" => "lib".to_owned(),
        "src/main.rs" => "main".to_owned(),
        _ => zone(&source.module().unwrap_or_default()),
    }
}

fn may_import(rows: &[(&str, &[&str])], from: &str, to: &str) -> bool {
    let row = rows
        .iter()
        .find(|it| it.0 == from)
        .map_or(&[][..], |it| it.1);
    row.iter()
        .any(|it| *it == to || *it == ALL || (*it == CORE && CORE_MODULES.contains(&to)))
}

/// The import table, in `use` declarations and inline paths alike.
fn imports(source: &Source, is_test: bool, broken: &mut Broken) {
    let from = zone_of(source);
    if !IMPORTS.iter().any(|it| it.0 == from) {
        say(
            broken,
            source,
            1,
            &format!("module `{from}` is not in the table of imports"),
        );
        return;
    }
    for named in source.named() {
        if named.segments[0] != "crate" {
            continue;
        }
        let to = zone(&named.segments[1..]);
        let in_tests = is_test || named.is_test;
        if to == from
            || may_import(IMPORTS, &from, &to)
            || (in_tests && may_import(TEST_IMPORTS, &from, &to))
        {
            continue;
        }
        let path = named.segments.join("::");
        let what = if to.is_empty() || to == "*" {
            format!("`{from}` names the whole crate; name the module")
        } else if IMPORTS.iter().any(|it| it.0 == to) {
            format!("`{from}` may not import `{to}` (`{path}`)")
        } else {
            format!("`{path}` is in no module of the table of imports")
        };
        say(broken, source, named.line, &what);
    }
}

/// What the core may not touch.
fn core(source: &Source, is_test: bool, broken: &mut Broken) {
    let zone = zone_of(source);
    if !CORE_MODULES.contains(&zone.as_str()) {
        return;
    }
    for named in source.named() {
        let mut segments = named.segments.clone();
        if segments[0] == "core" {
            "std".clone_into(&mut segments[0]);
        }
        let path = segments.join("::");
        let is_address = segments.starts_with(&["std".to_owned(), "net".to_owned()])
            && segments
                .get(2)
                .is_some_and(|it| ADDRESSES.contains(&it.as_str()));
        let banned = BANNED_PATHS
            .iter()
            .find(|it| path == it.0 || path.strip_prefix(it.0).is_some_and(|r| r.starts_with(':')));
        if let (Some((_, why)), false) = (banned, is_address) {
            say(
                broken,
                source,
                named.line,
                &format!("`{path}` in `{zone}`: {why}"),
            );
        } else if path == "std" {
            say(
                broken,
                source,
                named.line,
                &format!("`std` renamed in `{zone}`"),
            );
        }
    }
    for (at, token) in source.tokens.iter().enumerate() {
        let text = token.text.as_str();
        if let Some((_, why)) = BANNED_NAMES.iter().find(|it| token.is(it.0)) {
            say(
                broken,
                source,
                token.line,
                &format!("`{text}` in `{zone}`: {why}"),
            );
        } else if is_float(token) {
            let what = format!("`{text}` in `{zone}`: the core computes with integers");
            say(broken, source, token.line, &what);
        } else if BANNED_PRINTS.contains(&text)
            && follows(source, at, "!")
            && !(is_test || source.is_test(at))
        {
            let what = format!("`{text}!` in `{zone}`: the core tells, it does not print");
            say(broken, source, token.line, &what);
        }
    }
}

fn is_float(token: &Token) -> bool {
    let text = token.text.as_str();
    if token.kind != Kind::Number || text.starts_with("0x") {
        return false;
    }
    text.contains('.') || text.ends_with("f32") || text.ends_with("f64") || {
        let digits = text.trim_start_matches(|it: char| it.is_ascii_digit() || it == '_');
        digits.starts_with(['e', 'E'])
    }
}

/// Returns whether the name stands behind `owner::`.
fn is_of(source: &Source, at: usize, owner: &str) -> bool {
    at > 1 && source.tokens[at - 1].is("::") && source.tokens[at - 2].is(owner)
}

fn follows(source: &Source, at: usize, text: &str) -> bool {
    source.tokens.get(at + 1).is_some_and(|it| it.is(text))
}

/// What holds for all of the product's code: who names the parser, no back doors past the laws.
fn product(source: &Source, broken: &mut Broken) {
    let may_parse = source.path.starts_with("src/nuodb/xml");
    let may_look_up = ["src/nuodb/srp", "src/sandbox/world"]
        .iter()
        .any(|it| source.path.starts_with(it));
    let may_plant = ["src/mutation.rs", "src/sandbox/world", "src/cli/simulate"]
        .iter()
        .any(|it| source.path.starts_with(it));
    for (at, token) in source.tokens.iter().enumerate() {
        let opens_attribute = at > 0 && source.tokens[at - 1].is("[");
        let what = match token.text.as_str() {
            "quick_xml" if !may_parse => "only `src/nuodb/xml*` names `quick_xml`",
            "allow" if opens_attribute && follows(source, at, "(") => {
                "a deviation is an `expect` with its reason"
            }
            "path" if opens_attribute && follows(source, at, "=") => {
                "a module lies where its name says"
            }
            "include" if follows(source, at, "!") => "code is a module, never included",
            "extern" if follows(source, at, "crate") => "a crate is named by its name",
            "plant" if is_of(source, at, "Planted") && !may_plant => {
                "a mistake is planted by simulations alone"
            }
            "Known" if is_of(source, at, "Agreement") && !may_look_up => {
                "a known agreement is for simulations: only `src/sandbox/world` makes one"
            }
            _ => continue,
        };
        say(broken, source, token.line, what);
    }
    if source.path == "src/lib.rs" {
        for (at, token) in source.tokens.iter().enumerate() {
            let is_map = matches!(token.text.as_str(), "pub" | "mod" | ";")
                || (at > 0 && source.tokens[at - 1].is("mod"));
            if !is_map {
                say(
                    broken,
                    source,
                    token.line,
                    "`lib.rs` is the map of modules and has no items",
                );
                break;
            }
        }
    }
}

fn names(source: &Source, broken: &mut Broken) {
    let inside = source.path.trim_end_matches(".rs");
    for part in inside.split('/').filter(|it| NAMELESS.contains(it)) {
        say(
            broken,
            source,
            1,
            &format!("`{part}` is no name of a concept"),
        );
    }
    for pair in source.tokens.windows(2) {
        if pair[0].is("mod") && NAMELESS.contains(&pair[1].text.as_str()) {
            let what = format!("`{}` is no name of a concept", pair[1].text);
            say(broken, source, pair[1].line, &what);
        }
    }
}

fn docs(source: &Source, broken: &mut Broken) {
    if !source.text.starts_with("//! ") {
        say(
            broken,
            source,
            1,
            "a file begins with `//!`: what it is for, and what it does not do",
        );
    }
}

fn leftovers(source: &Source, broken: &mut Broken) {
    // Put together here, so that this file does not break its own law.
    let words = [concat!("FIX", "ME"), concat!("X", "XX")];
    for (number, line) in source.text.lines().enumerate() {
        let is_word = |it: char| it.is_alphanumeric() || it == '_';
        for word in words {
            if line.split(|it| !is_word(it)).any(|it| it == word) {
                say(broken, source, number + 1, &format!("`{word}` left over"));
            }
        }
    }
    for (at, token) in source.tokens.iter().enumerate() {
        let text = token.text.as_str();
        if matches!(text, "todo" | "unimplemented" | "dbg") && follows(source, at, "!") {
            say(broken, source, token.line, &format!("`{text}!` left over"));
        }
        let is_attribute = at > 1 && source.tokens[at - 1].is("[") && source.tokens[at - 2].is("#");
        if text == "ignore" && is_attribute {
            say(broken, source, token.line, "an ignored test tests nothing");
        }
    }
}

/// A property test that names its number of cases does not hear `.ci/storm` ask for more.
fn cases(source: &Source, broken: &mut Broken) {
    for it in source.tokens.windows(4) {
        let names_cases =
            (it[0].is("with_cases") && it[1].is("(")) || (it[0].is("cases") && it[1].is(":"));
        if names_cases && it[2].kind == Kind::Number && !it[3].is("*") {
            let what = "a number of cases is a multiple of the default's";
            say(broken, source, it[2].line, what);
        }
    }
}

fn columns(source: &Source, broken: &mut Broken) {
    for (number, line) in source.text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > COLUMNS {
            say(
                broken,
                source,
                number + 1,
                &format!("{columns} columns, at most {COLUMNS}"),
            );
        }
    }
}

fn file_length(source: &Source, is_test: bool, broken: &mut Broken) {
    let lines = source.text.lines().count();
    let (lines, limit) = if is_test || source.module().is_none() {
        (lines, TEST_FILE_LINES)
    } else {
        (lines - source.test_lines().len(), FILE_LINES)
    };
    if lines > limit {
        say(
            broken,
            source,
            1,
            &format!("{lines} lines, at most {limit}"),
        );
    }
}

/// Counts as clippy does: the lines of the body that hold code.
fn function_lengths(source: &Source, broken: &mut Broken) {
    let tokens = &source.tokens;
    for at in 0..tokens.len() {
        let is_function =
            tokens[at].is("fn") && tokens.get(at + 1).is_some_and(|it| it.kind == Kind::Ident);
        if !is_function {
            continue;
        }
        let end = end_of_item(tokens, at);
        let Some(open) = (at..end).find(|it| tokens[*it].is("{")) else {
            continue;
        };
        let mut lines: Vec<usize> = tokens[open + 1..end - 1]
            .iter()
            .flat_map(|it| it.line..=it.last_line)
            .collect();
        lines.dedup();
        if lines.len() > FUNCTION_LINES {
            let what = format!(
                "`{}` has {} lines, at most {FUNCTION_LINES}",
                tokens[at + 1].text,
                lines.len()
            );
            say(broken, source, tokens[at].line, &what);
        }
    }
}
