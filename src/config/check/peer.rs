//! The peers of a domain: its brokers, and what there is to say about single ones.

use std::collections::BTreeMap;

use crate::config::file::{Node, Value};
use crate::config::keys;
use crate::config::problem::Place;
use crate::config::section::{Report, Section, Wrong};
use crate::config::value;
use crate::model::{Address, PeerName, PeerSettings};

/// Where agents listen unless told otherwise.
pub(super) const DEFAULT_PORT: u16 = 48_004;

/// Reads a list of addresses, or text with commas.
pub(super) fn check_brokers(report: &mut Report, section: &Section<'_>) -> Vec<Address> {
    let mut brokers: Vec<Address> = Vec::new();
    if !section.demand(report, "brokers") {
        return brokers;
    }
    if let Some(node) = section.node("brokers")
        && let Value::Text(text) = &node.value
    {
        let mut before = 0;
        for part in text.split(',') {
            let place = within(node, text, before + part.len() - part.trim_start().len());
            before += part.len() + 1;
            if let Err(wrong) = add(&mut brokers, part) {
                section.complain_at(report, "brokers", &place, wrong);
            }
        }
    } else {
        section.list(report, "brokers", |node| {
            add(&mut brokers, &value::text(node)?)
        });
        if section.is_empty_list("brokers") {
            let wrong = Wrong::new("is empty", "write at least one broker");
            section.complain(report, "brokers", wrong);
        }
    }
    brokers
}

/// Returns the place of a byte of a text, as far as the text stands in one line as it is.
fn within(node: &Node, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or_default();
    if text.chars().any(char::is_control) {
        return node.place.clone();
    }
    Place {
        column: node.place.column + 1 + before.chars().count(),
        ..node.place.clone()
    }
}

/// Reads an address into a list in which each stands once.
fn add(list: &mut Vec<Address>, text: &str) -> Result<(), Wrong> {
    if text.trim().is_empty() {
        let problem = "there is an empty address";
        return Err(Wrong::new(problem, "write HOST, HOST:PORT or [IPV6]:PORT"));
    }
    // What to do about it stands in the error.
    Address::parse_into(list, text.trim(), DEFAULT_PORT)
        .map_err(|error| Wrong::new(error.to_string(), ""))
}

/// Reads what is said of single peers.
pub(super) fn check_peers(report: &mut Report, domain: &Section<'_>) -> Vec<PeerSettings> {
    let sections = domain.tables(report, "peer", &keys::PEER);
    let names = super::check_names(report, &sections, value::name);
    let mut claimed: Vec<(Address, PeerName)> = Vec::new();
    let mut peers = Vec::new();
    for (section, name) in sections.iter().zip(names) {
        let name = PeerName::from(name.as_str());
        let mut claim = |address: &Address| match claimed.iter().find(|(it, _)| it.is_same(address))
        {
            Some((_, other)) if *other != name => {
                let problem = format!("{address} belongs to the peer `{other}` already");
                Err(Wrong::new(problem, "write each address once"))
            }
            Some(_) => Ok(()),
            None => {
                claimed.push((address.clone(), name.clone()));
                Ok(())
            }
        };
        let dial = section.optional(report, "dial", |node| {
            let mut list = Vec::new();
            add(&mut list, &value::text(node)?)?;
            let [address] = &list[..] else {
                unreachable!("one address was added")
            };
            claim(address).map(|()| address.clone())
        });
        let mut aliases = Vec::new();
        section.list(report, "aliases", |node| {
            add(&mut aliases, &value::text(node)?)?;
            aliases.last().map_or(Ok(()), &mut claim)
        });
        let labels = check_labels(report, section, "labels");
        peers.push(PeerSettings {
            name,
            dial,
            aliases,
            labels,
        });
    }
    peers
}

/// Reads labels, whose names are the operator's.
pub(super) fn check_labels(
    report: &mut Report,
    section: &Section<'_>,
    key: &str,
) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let Some(node) = section.node(key) else {
        return labels;
    };
    let advice = "write a table such as { region = \"eu\", zone = \"a\" }";
    let Value::Table(entries) = &node.value else {
        let problem = format!("is {}", node.value.noun());
        section.complain(report, key, Wrong::new(problem, advice));
        return labels;
    };
    for entry in entries {
        let is_name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
        if entry.name.is_empty() || !entry.name.chars().all(is_name) {
            let problem = format!("{:?} is no name of a label", entry.name);
            let wrong = Wrong::new(problem, "use letters, digits, `-`, `_` and `.`");
            section.complain_at(report, key, &entry.place, wrong);
        }
        match value::name(&entry.node) {
            Ok(value) => {
                labels.insert(entry.name.clone(), value);
            }
            Err(wrong) => section.complain_at(report, key, &entry.node.place, wrong),
        }
    }
    labels
}
