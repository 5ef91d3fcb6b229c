//! Holds the documentation to the code: every kind of event, every key of a policy, every link.
//!
//! It does not read for sense; whether a page is true beyond that is for people to say.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use dbwarden::event::Kind;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the cells of the table row that begins with `name` as code.
fn row<'a>(page: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let begin = format!("| `{name}` |");
    let line = page.lines().find(|it| it.starts_with(&begin))?;
    Some(line.trim_matches('|').split('|').map(str::trim).collect())
}

#[test]
fn every_kind_of_event_is_told_of_with_its_severity_group_and_meaning() {
    let page = read("docs/events.md");
    for kind in Kind::ALL {
        let name = kind.as_str();
        let row = row(&page, name).unwrap_or_else(|| panic!("`{name}` has no row"));
        let expected = [
            kind.severity().as_str(),
            kind.group().as_str(),
            kind.meaning(),
        ];
        assert_eq!(row[1..4], expected, "the row of `{name}`");
        assert!(
            row.len() > 4 && !row[4].is_empty(),
            "when is `{name}` told?"
        );
    }
    let names: BTreeSet<&str> = Kind::ALL.iter().map(|it| it.as_str()).collect();
    let table = page
        .split("## Every kind")
        .nth(1)
        .expect("the table has its heading");
    let table = table.split("\n## ").next().unwrap_or_default();
    let told = table
        .lines()
        .filter_map(|it| it.strip_prefix("| `")?.split('`').next());
    for name in told {
        assert!(names.contains(name), "no event is called `{name}`");
    }
}

/// Returns the keys in `text`, those that are only an example included.
fn keys(text: &str) -> Vec<&str> {
    let lines = text.lines().filter_map(|line| {
        let (key, _) = line.strip_prefix("# ").unwrap_or(line).split_once(" = ")?;
        let is_key = !key.is_empty() && key.chars().all(|it| it.is_ascii_lowercase() || it == '-');
        is_key.then_some(key)
    });
    lines.collect()
}

#[test]
fn every_key_is_explained() {
    let reference = read("config/reference.toml");
    let (before, policy) = reference
        .split_once("\n[[policy]]")
        .expect("there is a policy");
    let (policy, behind) = policy.split_once("\n[[").expect("there is a listener");
    let rest = [keys(before), keys(behind)].concat();
    for (page, keys, known) in [
        ("docs/healing.md", keys(policy), "strict-siblings"),
        ("docs/configuration.md", rest, "retain-for"),
    ] {
        assert!(keys.contains(&known), "`{known}` was not found: {keys:?}");
        let text = read(page);
        for key in keys {
            let is_there = text.contains(&format!("`{key}`"));
            assert!(is_there, "{page} is silent on `{key}`");
        }
    }
}

#[test]
fn every_command_is_told_of() {
    let page = read("docs/cli.md");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_dbwarden"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let commands = help
        .lines()
        .skip_while(|it| *it != "Commands:")
        .skip(1)
        .take_while(|it| !it.is_empty());
    let names: Vec<&str> = commands
        .filter(|it| it.starts_with("  ") && !it.starts_with("   "))
        .filter_map(|it| it.split_whitespace().next())
        .filter(|it| *it != "help")
        .collect();
    assert!(
        names.contains(&"run") && names.contains(&"status"),
        "{help}"
    );
    for name in names {
        let is_there = page
            .split(|it: char| !it.is_ascii_alphanumeric() && it != '-')
            .any(|it| it == name);
        assert!(is_there, "docs/cli.md is silent on `{name}`");
    }
}

/// Appends every Markdown file below `folder` but what is built or hidden.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            pages(&path, found);
        } else if path.extension().is_some_and(|it| it == "md") {
            found.push(path);
        }
    }
}

/// Returns what the links of a page lead to, outside of code.
fn links(page: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut is_code = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        // Every second piece is between backticks.
        let prose: Vec<&str> = line.split('`').step_by(2).collect();
        let prose = prose.join("");
        for after in prose.split("](").skip(1) {
            links.extend(after.split(')').next().map(str::to_owned));
        }
    }
    links
}

/// Returns the anchors that the headings of a page have.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|it| it.starts_with('#'));
    headings
        .map(|it| {
            let text = it.trim_start_matches('#').trim().to_lowercase();
            let kept = text
                .chars()
                .filter(|it| it.is_alphanumeric() || " -_".contains(*it));
            kept.map(|it| if it == ' ' { '-' } else { it }).collect()
        })
        .collect()
}

/// Returns what is wrong with a link of the page at `path`.
fn broken(path: &Path, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() {
        path.to_owned()
    } else {
        path.parent().unwrap_or(root()).join(file)
    };
    if !target.exists() {
        return Some(format!("{}: {link} leads nowhere", path.display()));
    }
    let is_there = anchor.is_empty()
        || fs::read_to_string(&target).is_ok_and(|it| anchors(&it).contains(anchor));
    (!is_there).then(|| format!("{}: {link}: there is no such heading", path.display()))
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut all = Vec::new();
    pages(root(), &mut all);
    assert!(all.contains(&root().join("docs/README.md")), "{all:?}");
    let broken: Vec<String> = all
        .iter()
        .flat_map(|path| {
            let links = links(&fs::read_to_string(path).unwrap());
            links.into_iter().filter_map(move |it| broken(path, &it))
        })
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_broken_link_is_found_and_code_is_no_link() {
    let page = "See [a](no.md), `[b](x)`, [c](http://x/).\n```\n[d](y)\n```\n[e](#here)\n# Here\n";
    let path = root().join("docs/planted.md");
    let links = links(page);
    assert_eq!(links, ["no.md", "http://x/", "#here"]);
    assert!(broken(&path, &links[0]).is_some());
    assert!(broken(&path, &links[1]).is_none());
    assert!(anchors(page).contains("here"));
    assert!(broken(&root().join("README.md"), "ARCHITECTURE.md#no-such").is_some());
    assert!(broken(&root().join("README.md"), "ARCHITECTURE.md#code-map").is_none());
}

#[test]
fn every_page_is_in_the_index() {
    let index = read("docs/README.md");
    let mut all = Vec::new();
    pages(&root().join("docs"), &mut all);
    for path in all {
        let name = path
            .strip_prefix(root().join("docs"))
            .unwrap()
            .to_str()
            .unwrap();
        let is_there = name == "README.md" || index.contains(&format!("]({name})"));
        assert!(is_there, "docs/README.md has no link to {name}");
    }
}

/// What examples that name no domain are tried with.
const DOMAIN: &str = "
[[domain]]
name = \"prod\"
brokers = [\"db1.example:48004\"]
user = \"domain\"
password = { env = \"DBWARDEN_PASSWORD\" }
";

/// Returns the blocks of a page that are TOML.
fn tomls(page: &str) -> Vec<&str> {
    let blocks = page.split("```toml\n").skip(1);
    blocks.filter_map(|it| it.split("\n```").next()).collect()
}

/// Returns what `dbwarden check` says against a configuration, or nothing.
fn problem_of(config: &str) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("dbwarden.toml");
    fs::write(&file, config).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_dbwarden"))
        .arg("check")
        .arg(&file)
        .env("DBWARDEN_PASSWORD", "sesame")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code() != Some(0)).then_some(said)
}

#[test]
fn every_policy_that_is_shown_is_one_that_the_daemon_takes() {
    let page = read("docs/policies.md");
    let blocks = tomls(&page);
    assert!(blocks.len() > 10, "{blocks:?}");
    for block in blocks {
        let is_whole = block.contains("[[domain]]");
        let config = if is_whole {
            block.to_owned()
        } else {
            format!("{DOMAIN}\n{block}\n")
        };
        if let Some(said) = problem_of(&config) {
            panic!("docs/policies.md shows\n{block}\nand check says\n{said}");
        }
    }
    let planted = format!("{DOMAIN}[[policy]]\nkeep = \"everything\"\n");
    assert!(
        problem_of(&planted).is_some(),
        "nothing is wrong with anything"
    );
}
