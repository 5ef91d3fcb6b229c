//! Databases: how their engines are started, and where their archives are.

use std::collections::BTreeMap;

use super::password;
use super::peer::DEFAULT_PORT;
use crate::config::file::{Node, Value};
use crate::config::keys;
use crate::config::section::{Report, Section, Wrong};
use crate::config::value;
use crate::exchange::EngineOption;
use crate::model::{Address, DatabaseName, PeerName, PeerSettings};
use crate::supervisor::{Archive, is_for_once};

/// What is known of databases.
#[derive(Debug, Default)]
pub(super) struct Databases {
    /// How transaction engines are started.
    pub(super) te_options: BTreeMap<DatabaseName, Vec<EngineOption>>,
    /// Where storage managers belong.
    pub(super) archives: BTreeMap<DatabaseName, Vec<Archive>>,
}

/// What is known from elsewhere in the file.
pub(super) struct Around<'a> {
    pub(super) peers: &'a [PeerSettings],
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
    pub(super) withhold: &'a mut Vec<String>,
}

/// Checks the databases of a domain.
pub(super) fn check(
    report: &mut Report,
    domain: &Section<'_>,
    mut around: Around<'_>,
) -> Databases {
    let sections = domain.tables(report, "database", &keys::DATABASE);
    let names = super::check_names(report, &sections, value::name);
    let mut known = Databases::default();
    for (section, name) in sections.iter().zip(names) {
        let name = DatabaseName::from(name.as_str());
        if let Some(list) = options(report, section, "te-options", &mut around) {
            known.te_options.insert(name.clone(), list);
        }
        let archives = section.tables(report, "archives", &keys::ARCHIVE);
        let archives = archives
            .iter()
            .filter_map(|it| archive(report, it, &mut around));
        let archives: Vec<Archive> = archives.collect();
        for (at, it) in archives.iter().enumerate() {
            if archives[..at].iter().any(|other| other.peer == it.peer) {
                let problem = format!("{} has two archives of {name}", it.peer);
                let advice = "a host runs one storage manager of a database: leave one out";
                section.complain(report, "archives", Wrong::new(problem, advice));
            }
        }
        if !archives.is_empty() {
            known.archives.insert(name, archives);
        }
    }
    known
}

fn archive(report: &mut Report, section: &Section<'_>, around: &mut Around<'_>) -> Option<Archive> {
    let peers = around.peers;
    let peer = section.required(report, "peer", |node| {
        let text = value::name(node)?;
        if peers.iter().any(|it| it.name.as_str() == text) {
            return Ok(PeerName::from(text.as_str()));
        }
        let address = Address::parse(&text, DEFAULT_PORT).map_err(|error| Wrong::of(&error))?;
        Ok(PeerName::from(address.to_string().as_str()))
    });
    let path = section.required(report, "path", value::name);
    let journal = section.optional(report, "journal", value::name);
    let group = section.optional(report, "group", value::name);
    let options = options(report, section, "options", around).unwrap_or_default();
    for name in ["--archive", "--journal-dir"] {
        if options.iter().any(|it| it.name == name) {
            let problem = format!("`{name}` is given by the daemon");
            let advice = "write `path` and `journal`";
            section.complain(report, "options", Wrong::new(problem, advice));
        }
    }
    if let Some(it) = options.iter().find(|it| is_for_once(&it.name)) {
        let problem = format!(
            "`{}` is right when an archive is made, and never again",
            it.name
        );
        section.complain(report, "options", Wrong::new(problem, "leave it out"));
    }
    Some(Archive {
        peer: peer?,
        path: path?.into(),
        journal: journal.map(Into::into),
        group: group.map(Into::into),
        options,
    })
}

/// Reads the list of options at a key, if there is one.
fn options(
    report: &mut Report,
    section: &Section<'_>,
    key: &str,
    around: &mut Around<'_>,
) -> Option<Vec<EngineOption>> {
    let mut secrets: Vec<(usize, &Node)> = Vec::new();
    let node = section.node(key);
    if let Some(Value::Array(elements)) = node.map(|it| &it.value) {
        for (at, element) in elements.iter().enumerate() {
            if let Value::Array(parts) = &element.value
                && let [_, secret] = parts.as_slice()
                && matches!(secret.value, Value::Table(_))
            {
                secrets.push((at, secret));
            }
        }
    }
    let mut list = section.list(report, key, engine_option)?;
    for (at, node) in secrets {
        let what = "the value of the option";
        let secret = Section::open(report, node, &keys::OPTION_SECRET).and_then(|it| {
            password::read_from(report, &it, what, around.variable, around.withhold)
        });
        if let Some(option) = list.get_mut(at) {
            option.value = secret;
        }
    }
    Some(list)
}

/// Reads an option with its value, or an option alone.
fn engine_option(node: &Node) -> Result<EngineOption, Wrong> {
    let advice = "write a list such as [\"--mem\", \"2g\"] or [\"--flag\"]";
    let Value::Array(parts) = &node.value else {
        return Err(Wrong::new(
            format!("has {} in it", node.value.noun()),
            advice,
        ));
    };
    let (name, value) = match parts.as_slice() {
        [name] => (value::name(name)?, None),
        [name, secret] if matches!(secret.value, Value::Table(_)) => {
            let name = value::name(name)?;
            if !name.contains("password") {
                let problem =
                    format!("`{name}` is no password, and its value comes from elsewhere");
                return Err(Wrong::new(problem, "write its value"));
            }
            // It is read by whoever may report on it.
            (name, None)
        }
        [name, value] => (value::name(name)?, Some(value::text(value)?)),
        _ => return Err(Wrong::new("has an option of another length", advice)),
    };
    if !name.starts_with('-') || name.contains('=') {
        let problem = format!("`{name}` is no option");
        return Err(Wrong::new(problem, advice));
    }
    if name == "--database" {
        let problem = "`--database` is given by the daemon";
        return Err(Wrong::new(problem, "leave it out"));
    }
    Ok(EngineOption { name, value })
}
