//! Where a secret comes from: the password of a domain, or what a listener shows.

use std::path::Path;

use crate::config::keys;
use crate::config::section::{Report, Section, Wrong};
use crate::config::value;
use crate::nuodb::srp::Password;
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
    let password = read_from(report, &section, "the password", variable, withhold);
    // Who loads it asks for it, when all else is well.
    let is_typed = section.optional(report, "prompt", value::boolean);
    if is_typed == Some(false) {
        let wrong = Wrong::new("is false", "write true, or where else the password is");
        section.complain(report, "prompt", wrong);
    }
    password.map_or_else(nothing, Password::new)
}

/// Reads a secret from the one place that `section` gives; `what` it is goes into the advice.
///
/// If that is an environment variable, its name is added to `withhold`.
pub(super) fn read_from(
    report: &mut Report,
    section: &Section<'_>,
    what: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    withhold: &mut Vec<String>,
) -> Option<String> {
    let sources = section.names();
    let given = sources.iter().filter(|it| section.node(it).is_some());
    if given.count() != 1 {
        let advice = format!("write exactly one of `{}`", sources.join("`, `"));
        section.complain_whole(
            report,
            Wrong::new(format!("does not say where {what} is"), advice),
        );
        return None;
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
        let secret = variable(&name).filter(|it| !it.is_empty());
        withhold.push(name.clone());
        secret.ok_or_else(|| {
            let problem = format!("the environment has no variable `{name}`");
            Wrong::new(problem, format!("set it to {what}, or use `file`"))
        })
    });
    from_file.or(from_credential).or(from_variable)
}

fn read(path: &Path) -> Result<String, Wrong> {
    // What to do about it stands in the error.
    read_password(path).map_err(|error| Wrong::of(&error))
}
