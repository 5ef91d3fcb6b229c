//! Loads the configuration of a daemon, again and again.
//!
//! A password that a person typed at the start is kept for as long as the daemon lives, as nobody
//! is there to type it when the configuration is read again. How it is asked for is not known here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::diff::elements;
use super::file::{Node, Value};
use super::problem::{Problem, Problems};
use super::{Config, Purpose, environment, sources, understand};
use crate::nuodb::srp::Password;
use crate::supervisor::Mode;

/// Asks a person for the password that the text is about; says why there is none.
pub type Ask<'a> = &'a mut dyn FnMut(&str) -> Result<Password, String>;

/// What a daemon keeps in order to read its configuration.
#[derive(Debug)]
pub struct Loader {
    path: PathBuf,
    mode: Option<Mode>,
    /// What was typed, by domain and user.
    typed: BTreeMap<(String, String), Password>,
}

impl Loader {
    /// Returns a loader of that file; a mode goes before what the file says.
    pub fn new(path: PathBuf, mode: Option<Mode>) -> Self {
        Self {
            path,
            mode,
            typed: BTreeMap::new(),
        }
    }

    /// Loads the configuration for the first time; `ask` is called if all else is well.
    ///
    /// # Errors
    ///
    /// Returns everything that is wrong with it.
    pub fn start(&mut self, ask: Ask<'_>) -> Result<Config, Problems> {
        self.load(Some(ask))
    }

    /// Loads the configuration again, secrets included, asking nobody.
    ///
    /// # Errors
    ///
    /// Returns everything that is wrong with it.
    pub fn reload(&mut self) -> Result<Config, Problems> {
        self.load(None)
    }

    fn load(&mut self, mut ask: Option<Ask<'_>>) -> Result<Config, Problems> {
        let sources = sources::read(&self.path);
        let root = sources.root.clone();
        let mut config = understand(sources, &environment, Purpose::Run)?;
        let mut problems = Vec::new();
        for (domain, node) in config.domains.iter_mut().zip(elements(&root, "domain")) {
            let Some(prompt) = prompt(node) else { continue };
            let credentials = &mut domain.driver.pilot.client.credentials;
            let key = (domain.name.to_string(), credentials.user.clone());
            if let Some(ask) = &mut ask
                && !self.typed.contains_key(&key)
            {
                let (domain, user) = &key;
                match ask(&format!("Password of {user} in the domain {domain}: ")) {
                    Ok(password) => drop(self.typed.insert(key.clone(), password)),
                    Err(why) => {
                        problems.push(problem(prompt, why, "use `file` where nobody is"));
                        continue;
                    }
                }
            }
            if let Some(password) = self.typed.get(&key) {
                credentials.password = password.clone();
            } else {
                let what = "no password was typed for this user when the daemon started";
                let advice = "restart the daemon on a terminal, or use `file`";
                problems.push(problem(prompt, what.to_owned(), advice));
            }
        }
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        if let Some(mode) = self.mode {
            config.override_mode(mode);
        }
        Ok(config)
    }
}

fn problem(prompt: &Node, problem: String, advice: &str) -> Problem {
    Problem {
        place: prompt.place.clone(),
        key: "domain.password.prompt".to_owned(),
        problem,
        advice: advice.to_owned(),
    }
}

/// Returns where a domain says that its password is typed.
fn prompt(domain: &Node) -> Option<&Node> {
    child(child(domain, "password")?, "prompt")
}

fn child<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    let Value::Table(entries) = &node.value else {
        return None;
    };
    entries.iter().find(|it| it.name == name).map(|it| &it.node)
}
