//! Holds the house to its laws: imports, the core's purity, module docs, sizes, leftovers.
//!
//! It reads sources and deliberately runs none of them; what a compiler or clippy can say is left
//! to them. Each law is shown to bite by planting what it forbids.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use source::Source;

mod laws;
mod lexer;
mod source;

#[test]
fn the_house_keeps_its_laws() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "tests", "benches", "examples", "fuzz"] {
        read(root, &root.join(folder), &mut sources);
    }
    let paths: Vec<&str> = sources.iter().map(|it| it.path.as_str()).collect();
    for known in [
        "src/lib.rs",
        "src/main.rs",
        "src/nuodb/mod.rs",
        "tests/it/tidy.rs",
    ] {
        assert!(paths.contains(&known), "{known} was not read");
    }

    let broken = broken(&sources);
    assert!(
        broken.is_empty(),
        "{} broken laws:\n{}",
        broken.len(),
        broken.join("\n")
    );
}

/// Reads every Rust file below `folder`, in the order of their names.
fn read(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<_> = entries.map(|it| it.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read(root, &path, sources);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .replace('\\', "/");
            sources.push(Source::new(&name, &fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Holds all laws against all files, those included that need to see more than one.
fn broken(sources: &[Source]) -> Vec<String> {
    let declared = declared(sources);
    let mut broken = Vec::new();
    for source in sources {
        let module = source.module().unwrap_or_default();
        let is_test = (1..=module.len()).any(|it| declared.get(&module[..it]) == Some(&true));
        if !module.is_empty() && !declared.contains_key(&module) {
            broken.push(format!("{}:1: no `mod` declares this file", source.path));
        }
        broken.extend(laws::check(source, is_test));
    }
    broken
}

/// Returns every module that some file of the crate declares, and whether for tests only.
fn declared(sources: &[Source]) -> BTreeMap<Vec<String>, bool> {
    let mut declared = BTreeMap::new();
    for source in sources {
        let Some(module) = source.module() else {
            continue;
        };
        for (name, is_test) in source.declared() {
            let mut path = module.clone();
            path.push(name);
            declared.insert(path, is_test);
        }
    }
    declared
}

/// Plants `text` as the file `path` and checks that the laws find exactly `expected`, given as
/// `line: what`, where `what` may be the beginning only.
#[track_caller]
fn plant(path: &str, text: &str, expected: &[&str]) {
    let text = format!("//! Planted.\n{text}");
    let found = laws::check(&Source::new(path, &text), false);
    let found: Vec<&str> = found
        .iter()
        .map(|it| it.strip_prefix(path).unwrap())
        .collect();
    let matches = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(it, want)| it[1..].starts_with(want));
    assert!(
        matches,
        "planted in {path}:\n{text}\nexpected {expected:#?}\nfound {found:#?}"
    );
}

#[test]
fn an_import_past_the_table_is_found_however_it_is_written() {
    let no = "2: `model` may not import `driver`";
    for text in [
        "use crate::driver::Domain;",
        "use crate::{driver::Domain, time};",
        "use crate::{time, driver};",
        "use {std::fmt, crate::driver};",
        "use super::super::driver;",
        "use self::super::super::driver;",
        "use ::dbwarden::driver;",
        "pub(crate) use crate::driver as innocent;",
        "fn f() { crate::driver::run(); }",
        "fn f() { super::super::driver::run(); }",
        "fn f<T: crate::driver::Carry>() {}",
        "impl From<crate::driver::Mishap> for u8 {}",
        "macro_rules! m { () => { $crate::driver::run() }; }",
        "fn f() { use crate::driver; }",
        "mod a { mod b { use super::super::super::super::driver; } }",
        "#[cfg(test)] mod tests { use crate::driver; }",
        "#[derive(crate::driver::Carry)] struct S;",
    ] {
        plant("src/model/view.rs", text, &[no]);
    }
    plant("src/model/mod.rs", "use super::driver;", &[no]);
    let no = "4: `model` may not import `driver`";
    let text = "use crate::{\n    time,\n    driver::{self, Domain},\n};\n";
    plant("src/model/view.rs", text, &[no, no]);
}

#[test]
fn the_whole_crate_may_not_be_imported() {
    let no = "2: `model` names the whole crate";
    plant("src/model/mod.rs", "use super::*;\n", &[no]);
    plant("src/model/view.rs", "use crate::*;\n", &[no]);
    plant("src/model/view.rs", "use crate::{self as all};\n", &[no]);
    plant("src/model/view.rs", "use super::super as all;\n", &[no]);
    plant("src/model/view.rs", "use crate as all;\n", &[no]);
    plant(
        "src/model/view.rs",
        "extern crate dbwarden;\n",
        &["2: a crate is named by its name"],
    );
}

#[test]
fn an_import_of_the_table_passes() {
    plant(
        "src/model/view.rs",
        "use crate::time::Timestamp;\nuse super::ids::PeerName;\n",
        &[],
    );
    plant(
        "src/model/mod.rs",
        "mod ids;\npub use ids::PeerName;\npub use self::ids::*;\n",
        &[],
    );
    plant(
        "src/model/view.rs",
        "mod a {\n    use super::X;\n    use super::super::ids;\n}\n",
        &[],
    );
    plant("src/event.rs", "use crate::exchange::ActionId;\n", &[]);
    plant(
        "src/model/view.rs",
        "/// See [`crate::driver`].\nfn f() { g(\"crate::driver::x\") }\n",
        &[],
    );
    plant(
        "src/model/view.rs",
        "// use crate::driver;\n/* crate::driver /* deeper */ x::y */\n",
        &[],
    );
    plant(
        "src/model/view.rs",
        "pub(in crate::model) fn f() -> impl X + use<'_> { }\n",
        &[],
    );
    plant(
        "src/cli/run.rs",
        "use crate::{daemon, sandbox, nuodb::pilot};\nuse super::Exit;\n",
        &[],
    );
    plant("src/main.rs", "fn main() { dbwarden::cli::main() }\n", &[]);
}

#[test]
fn the_protocol_knows_the_model_in_its_pilot_only() {
    plant(
        "src/nuodb/pilot.rs",
        "use crate::{exchange::Deed, model, time};\n",
        &[],
    );
    plant(
        "src/nuodb/pilot/start.rs",
        "use crate::model;\nuse super::super::client;\n",
        &[],
    );
    plant(
        "src/nuodb/client.rs",
        "use crate::{exchange, model, time};\n",
        &[
            "2: `nuodb` may not import `exchange`",
            "2: `nuodb` may not import `model`",
        ],
    );
    plant(
        "src/nuodb/client.rs",
        "use super::pilot::Pilot;\n",
        &["2: `nuodb` may not import `nuodb/pilot`"],
    );
}

#[test]
fn the_world_of_the_sandbox_is_of_the_core() {
    plant(
        "src/sandbox/world/mod.rs",
        "use crate::{model, nuodb, warden};\n",
        &[],
    );
    plant(
        "src/sandbox/serve/mod.rs",
        "use crate::transport;\nuse super::world;\n",
        &[],
    );
    plant(
        "src/sandbox/world/mod.rs",
        "use super::serve;\nuse crate::transport;\n",
        &[
            "2: `sandbox/world` may not import `sandbox/serve`",
            "3: `sandbox/world` may not import `transport`",
        ],
    );
    plant(
        "src/sandbox/serve/mod.rs",
        "use crate::{daemon, driver};\n",
        &[
            "2: `sandbox/serve` may not import `daemon`",
            "2: `sandbox/serve` may not import `driver`",
        ],
    );
}

#[test]
fn a_leaf_stays_a_leaf() {
    plant(
        "src/listener/log.rs",
        "use crate::config::File;\n",
        &["2: `listener` may not import `config`"],
    );
    plant(
        "src/daemon/mod.rs",
        "use crate::config;\nuse crate::sandbox;\n",
        &["3: `daemon` may not import `sandbox`"],
    );
    plant(
        "src/main.rs",
        "fn main() { dbwarden::daemon::run() }\n",
        &["2: `main` may not import `daemon`"],
    );
    plant(
        "src/newcomer.rs",
        "",
        &["1: module `newcomer` is not in the table of imports"],
    );
    plant(
        "src/model/view.rs",
        "use crate::Everything;\n",
        &["2: `crate::Everything` is in no"],
    );
    plant(
        "src/lib.rs",
        "pub mod time;\npub fn f() {}\n",
        &["3: `lib.rs` is the map"],
    );
}

#[test]
fn the_core_has_no_runtime_no_clock_no_entropy_no_files() {
    let core = "src/supervisor/mod.rs";
    for (text, expected) in [
        (
            "use tokio::sync::mpsc;",
            "2: `tokio::sync::mpsc` in `supervisor`",
        ),
        (
            "async fn f() { tokio::task::yield_now().await }",
            "2: `tokio::task",
        ),
        (
            "use std::{fmt, net::TcpStream};",
            "2: `std::net::TcpStream`",
        ),
        (
            "use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};",
            "2: `std::net::SocketAddr`",
        ),
        ("use std::net;", "2: `std::net`"),
        ("use core::net::*;", "2: `std::net::*`"),
        ("use std as s;", "2: `std` renamed"),
        ("use std::*;", "2: `std::*`"),
        ("use std::{fmt, fs};", "2: `std::fs`"),
        ("use std::{env as e, fmt};", "2: `std::env`"),
        ("use std::thread;", "2: `std::thread`"),
        ("use std::process;", "2: `std::process`"),
        ("fn f() { let x = std::fs::read(p); }", "2: `std::fs::read`"),
        ("use std::time::{Duration, Instant};", "2: `Instant`"),
        ("fn f() { std::time::SystemTime::now() }", "2: `SystemTime`"),
        ("use std::collections::{BTreeMap, HashMap};", "2: `HashMap`"),
        ("fn f(it: HashSet<u8>) {}", "2: `HashSet`"),
        ("fn f() { getrandom::fill(&mut b) }", "2: `getrandom::fill`"),
        ("fn f() { rand::random() }", "2: `rand::random`"),
        ("fn f() { println!(\"x\") }", "2: `println!`"),
        (
            "#[cfg(not(test))] fn f() { println!(\"x\") }",
            "2: `println!`",
        ),
    ] {
        plant(core, text, &[expected]);
    }
    plant(
        core,
        "#[cfg(test)] mod tests { fn f() { println!(\"x\") } }",
        &[],
    );
    plant(
        "src/daemon/mod.rs",
        "use std::{fs, net, time::Instant};\nuse tokio::time;\n",
        &[],
    );
}

#[test]
fn the_core_computes_with_integers() {
    let core = "src/time.rs";
    plant(
        core,
        "fn f(it: f64) -> f32 { it }\n",
        &["2: `f64`", "2: `f32`"],
    );
    plant(
        core,
        "const A: X = 1.5;\nconst B: X = 2e3;\nconst C: X = 1f64;\n",
        &["2: `1.5`", "3: `2e3`", "4: `1f64`"],
    );
    plant(
        core,
        "fn f() { a.0.1; 0..5; 1..=2; 1.max(2); 0xe5; 0x1f32; 1_000u64; }\n",
        &[],
    );
}

#[test]
fn only_the_xml_module_names_the_parser() {
    plant("src/nuodb/xml.rs", "use quick_xml::Reader;\n", &[]);
    plant("src/nuodb/xml/write.rs", "use quick_xml::Writer;\n", &[]);
    plant(
        "src/nuodb/client.rs",
        "use quick_xml::Reader;\n",
        &["2: only `src/nuodb/xml*`"],
    );
    plant(
        "src/api/mod.rs",
        "fn f() { quick_xml::Reader::new() }\n",
        &["2: only `src/nuodb/xml*`"],
    );
}

#[test]
fn back_doors_and_leftovers_are_found() {
    let file = "src/daemon/mod.rs";
    plant(
        file,
        "#[path = \"../other.rs\"]\nmod a;\n",
        &["2: a module lies"],
    );
    plant(file, "include!(\"a.rs\");\n", &["2: code is a module"]);
    plant(file, "#![allow(dead_code)]\n", &["2: a deviation is"]);
    plant(file, "fn f() { todo!() }\n", &["2: `todo!` left over"]);
    plant(
        file,
        &format!("// {}: later\n", concat!("FIX", "ME")),
        &["2: `FIX"],
    );
    plant(
        file,
        &format!("// {} later\n", concat!("X", "XX")),
        &["2: `X"],
    );
    plant(
        "tests/it/a.rs",
        "#[ignore = \"flaky\"]\n#[test]\nfn f() {}\n",
        &["2: an ignored test"],
    );
    plant(
        file,
        "// a prefix of fixed XXXL shirts\nfn todo() { ignore() }\n",
        &[],
    );
    plant("src/daemon/util.rs", "", &["1: `util` is no name"]);
    plant("tests/it/common/mod.rs", "", &["1: `common` is no name"]);
    plant(file, "mod helpers {}\n", &["2: `helpers` is no name"]);
    let found = laws::check(&Source::new(file, "use std::fmt;\n"), false);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("src/daemon/mod.rs:1: a file begins with"),
        "{found:?}"
    );
}

#[test]
fn a_property_test_hears_how_many_cases_are_asked_for() {
    let file = "tests/it/a.rs";
    let no = "2: a number of cases";
    plant(file, "const A: X = ProptestConfig::with_cases(128);", &[no]);
    plant(
        file,
        "const A: X = ProptestConfig { cases: 500, ..b };",
        &[no],
    );
    let half = "const A: X = ProptestConfig::with_cases(ProptestConfig::default().cases / 2);";
    plant(file, half, &[]);
    let twice = "const A: X = ProptestConfig::with_cases(2 * ProptestConfig::default().cases);";
    plant(file, twice, &[]);
}

#[test]
fn sizes_have_limits() {
    let file = "src/daemon/mod.rs";
    plant(
        file,
        &format!("// {}\n", "x".repeat(98)),
        &["2: 101 columns"],
    );
    plant(file, &format!("// {}\n", "ü".repeat(97)), &[]);
    plant(file, &"// x\n".repeat(599), &[]);
    plant(file, &"// x\n".repeat(600), &["1: 601 lines"]);
    let tests = format!(
        "#[cfg(test)]\nmod tests {{\n{}}}\n",
        "    // x\n".repeat(600)
    );
    plant(file, &tests, &[]);
    plant("tests/it/a.rs", &"// x\n".repeat(1_499), &[]);
    plant("tests/it/a.rs", &"// x\n".repeat(1_500), &["1: 1501 lines"]);

    let body = |lines: usize| format!("fn f() {{\n    // x\n\n{}}}\n", "    g();\n".repeat(lines));
    plant(file, &body(70), &[]);
    plant(file, &body(71), &["2: `f` has 71 lines"]);
    let text = format!("fn f() {{\n    g(\"{}\");\n}}\n", "\n".repeat(70));
    plant(file, &text, &["2: `f` has 71 lines"]);
    plant(
        file,
        &format!(
            "trait T {{\n    fn f();\n{}}}\n",
            "    const A: u8;\n".repeat(80)
        ),
        &[],
    );
}

#[test]
fn a_file_that_no_module_declares_is_found() {
    let sources = [
        Source::new("src/lib.rs", "//! Planted.\npub mod model;\n"),
        Source::new(
            "src/model/mod.rs",
            "//! Planted.\n#[cfg(test)]\nmod tests;\n",
        ),
        Source::new(
            "src/model/tests.rs",
            &format!("//! Planted.\n{}", "// x\n".repeat(700)),
        ),
        Source::new("src/model/lost.rs", "//! Planted.\n"),
    ];
    assert_eq!(
        broken(&sources),
        ["src/model/lost.rs:1: no `mod` declares this file"]
    );
}
