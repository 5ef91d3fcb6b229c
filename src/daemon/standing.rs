//! How the daemon stands, as a line for service managers.

use super::Daemon;

/// So many characters of a problem are said: it is one of many lines on a screen.
const FIRST_MAX: usize = 200;

impl Daemon {
    /// Says what it watches, and by which configuration.
    pub(super) fn standing(&self) -> String {
        let domains = self.watched.len();
        let noun = if domains == 1 { "domain" } else { "domains" };
        let generation = self.api.config.borrow().generation;
        format!("watching {domains} {noun} by configuration {generation}")
    }

    /// Says that it goes on as it was, and why.
    pub(super) fn refusal(&self, problems: &str) -> String {
        line(self.api.config.borrow().generation, problems)
    }
}

fn line(generation: u64, problems: &str) -> String {
    let first = problems.lines().next().unwrap_or_default();
    let others = problems.lines().count().saturating_sub(1);
    let more = if others == 0 {
        String::new()
    } else {
        format!(" (and {others} more)")
    };
    let mut first: String = first.chars().take(FIRST_MAX + 1).collect();
    if first.chars().count() > FIRST_MAX {
        first.pop();
        first.push_str("...");
    }
    format!("the new configuration is refused, {generation} stays: {first}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_however_many_problems_there_are() {
        let said = line(3, "a.toml:1:1: what: is this");
        let expected = "the new configuration is refused, 3 stays: a.toml:1:1: what: is this";
        assert_eq!(said, expected);
        assert_eq!(line(3, "one\ntwo\nthree").lines().count(), 1);
        assert!(line(3, "one\ntwo\nthree").ends_with("stays: one (and 2 more)"));
        let long = line(3, &"ä".repeat(FIRST_MAX + 1));
        assert!(long.ends_with("ä...") && long.matches('ä').count() == FIRST_MAX);
        assert!(line(3, &"ä".repeat(FIRST_MAX)).ends_with('ä'));
    }
}
