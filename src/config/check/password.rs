//! Where the password of a domain comes from.

use std::path::Path;

use crate::config::keys;
use crate::config::section::{Report, Section, Wrong};
use crate::config::value;
use crate::nuodb::srp::Password;
use crate::telemetry::chain;
use crate::transport::read_password;

/// The variable in which the service manager says where credentials are.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// Reads the password of a domain from the one place that is given.
///
/// If that is an environment variable, its name is added to `withhold`.
pub(super) fn check(
    report: &mut Report,
    domain: &Section<'_>,
    variable: &dyn Fn(&str) -> Option<String>,
    withhold: &mut Vec<String>,
) -> Password {
    let nothing = || Password::new(String::new());
    if !domain.demand(report, "password") {
        return nothing();
    }
    let Some(section) = domain.table(report, "password", &keys::PASSWORD) else {
        return nothing();
    };
    let sources = ["file", "credential", "env"];
    let given = sources.iter().filter(|it| section.node(it).is_some());
    if given.count() != 1 {
        let advice = "write exactly one of `file`, `credential` and `env`";
        let wrong = Wrong::new("does not say where the password is", advice);
        domain.complain(report, "password", wrong);
        return nothing();
    }
    let from_file = section.optional(report, "file", |node| {
        let path = value::path(node)?;
        read(&path)
    });
    let from_credential = section.optional(report, "credential", |node| {
        let name = value::own_name(node)?;
        let directory = variable(CREDENTIALS_DIRECTORY).ok_or_else(|| {
            Wrong::new(
                format!("there are no credentials: ${CREDENTIALS_DIRECTORY} is not set"),
                "run it as a service with LoadCredential=, or use `file`",
            )
        })?;
        read(&Path::new(&directory).join(name))
    });
    let from_variable = section.optional(report, "env", |node| {
        let name = value::own_name(node)?;
        let password = variable(&name).filter(|it| !it.is_empty());
        withhold.push(name.clone());
        password.map(Password::new).ok_or_else(|| {
            let problem = format!("the environment has no variable `{name}`");
            Wrong::new(problem, "set it to the password, or use `file`")
        })
    });
    let password = from_file.or(from_credential).or(from_variable);
    password.unwrap_or_else(nothing)
}

fn read(path: &Path) -> Result<Password, Wrong> {
    // What to do about it stands in the error.
    let password = read_password(path).map_err(|error| Wrong::new(chain(&error), ""))?;
    Ok(Password::new(password))
}
