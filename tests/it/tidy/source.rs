//! One source file as the laws see it: its module, its tokens, and which of them are tests.
//!
//! It deliberately knows no law; it answers what is named where.

use super::lexer::{Kind, Token, tokens};

/// A source file.
pub(crate) struct Source {
    /// Where it lies, from the root of the repository, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
    /// For each token, whether it belongs to an item under `#[cfg(test)]`.
    is_test: Vec<bool>,
}

/// A path of names as it stands in the code, with its head resolved.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Named {
    /// `crate`, or a name that is not ours, and what follows.
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    pub(crate) is_test: bool,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let tokens = tokens(text);
        let mut is_test = vec![false; tokens.len()];
        for at in 0..tokens.len() {
            if let Some(item) = after_test_attribute(&tokens, at) {
                let end = end_of_item(&tokens, item);
                is_test[at..end].fill(true);
            }
        }
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens,
            is_test,
        }
    }

    /// Returns the module the file holds, from the crate's root; `None` outside `src`.
    pub(crate) fn module(&self) -> Option<Vec<String>> {
        let inside = self.path.strip_prefix("src/")?.strip_suffix(".rs")?;
        let mut module: Vec<String> = inside.split('/').map(str::to_owned).collect();
        let is_root = module.len() == 1 && matches!(inside, "lib" | "main");
        if is_root || module.last().is_some_and(|it| it == "mod") {
            module.pop();
        }
        Some(module)
    }

    /// Returns the modules the file declares without a body, and whether each is for tests only.
    pub(crate) fn declared(&self) -> Vec<(String, bool)> {
        let found = self.tokens.windows(3).enumerate();
        found
            .filter(|(_, it)| it[0].is("mod") && it[1].kind == Kind::Ident && it[2].is(";"))
            .map(|(at, it)| (it[1].text.clone(), self.is_test[at]))
            .collect()
    }

    /// Returns the lines that belong to tests.
    pub(crate) fn test_lines(&self) -> Vec<usize> {
        let mut lines = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let end = (at..self.tokens.len()).find(|it| !self.is_test[*it]);
            let end = end.unwrap_or(self.tokens.len());
            if end > at {
                lines.extend(self.tokens[at].line..=self.tokens[end - 1].last_line);
            }
            at = end + 1;
        }
        lines
    }

    pub(crate) fn is_test(&self, at: usize) -> bool {
        self.is_test[at]
    }

    /// Returns every path the code names, in `use` declarations and inline, groups taken apart.
    pub(crate) fn named(&self) -> Vec<Named> {
        let mut module = self.module().unwrap_or_default();
        // One entry per open brace: whether an inline module begins there.
        let mut braces = Vec::new();
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let token = &self.tokens[at];
            let mut paths = Vec::new();
            let mut end = at + 1;
            if token.is("{") {
                let is_module = at > 1 && self.tokens[at - 2].is("mod");
                if is_module {
                    module.push(self.tokens[at - 1].text.clone());
                }
                braces.push(is_module);
            } else if token.is("}") {
                if braces.pop() == Some(true) {
                    module.pop();
                }
            } else if token.is("use") && self.text_at(at + 1) != Some("<") {
                end = self.use_tree(at + 1, &[], &mut paths);
            } else if token.kind == Kind::Ident && (at == 0 || !self.tokens[at - 1].is("::")) {
                let (path, next) = self.inline(at);
                end = next;
                if path.len() > 1 {
                    paths.push((path, token.line));
                }
            }
            for (path, line) in paths {
                let segments = resolved(&module, path);
                found.push(Named {
                    segments,
                    line,
                    is_test: self.is_test[at],
                });
            }
            at = end;
        }
        found
    }

    fn text_at(&self, at: usize) -> Option<&str> {
        self.tokens.get(at).map(|it| it.text.as_str())
    }

    /// Reads names with `::` between them; returns them and where they end.
    fn inline(&self, mut at: usize) -> (Vec<String>, usize) {
        let mut path = vec![self.tokens[at].text.clone()];
        at += 1;
        while self.text_at(at) == Some("::")
            && self
                .tokens
                .get(at + 1)
                .is_some_and(|it| it.kind == Kind::Ident)
        {
            path.push(self.tokens[at + 1].text.clone());
            at += 2;
        }
        (path, at)
    }

    /// Reads one tree of a `use` declaration into its paths; returns where it ends.
    fn use_tree(
        &self,
        mut at: usize,
        prefix: &[String],
        paths: &mut Vec<(Vec<String>, usize)>,
    ) -> usize {
        let mut path = prefix.to_vec();
        while let Some(token) = self.tokens.get(at) {
            match token.text.as_str() {
                "::" | "$" => at += 1,
                "{" => {
                    at += 1;
                    while !matches!(self.text_at(at), None | Some("}" | ";")) {
                        at = self.use_tree(at, &path, paths);
                        at += usize::from(self.text_at(at) == Some(","));
                    }
                    return at + 1;
                }
                "," | ";" | "}" => break,
                "as" => at += 2,
                _ => {
                    path.push(token.text.clone());
                    at += 1;
                }
            }
        }
        let line = self
            .tokens
            .get(at.saturating_sub(1))
            .map_or(0, |it| it.line);
        paths.push((path, line));
        at
    }
}

/// Replaces `self`, `super` and `dbwarden` at the head by the way from the crate's root.
fn resolved(module: &[String], path: Vec<String>) -> Vec<String> {
    let mut base = module.to_vec();
    let mut rest = path.as_slice();
    let mut is_ours = false;
    while let Some((head, tail)) = rest.split_first() {
        match head.as_str() {
            "crate" | "dbwarden" if !is_ours => base.clear(),
            "self" => {}
            "super" => {
                base.pop();
            }
            _ => break,
        }
        is_ours = true;
        rest = tail;
    }
    if !is_ours {
        return path;
    }
    let mut whole = vec!["crate".to_owned()];
    whole.extend(base);
    whole.extend(rest.iter().filter(|it| *it != "self").cloned());
    whole
}

/// Returns where the item begins if an attribute `#[cfg(test)]` stands at `at`.
fn after_test_attribute(tokens: &[Token], at: usize) -> Option<usize> {
    let head = ["#", "[", "cfg", "("];
    let is_cfg = (0..head.len()).all(|it| tokens.get(at + it).is_some_and(|t| t.is(head[it])));
    if !is_cfg {
        return None;
    }
    let end = closing(tokens, at + 1);
    let condition = &tokens[at..end];
    let names_test = condition.iter().any(|it| it.is("test"));
    let is_turned = condition.iter().any(|it| it.is("not") || it.is("any"));
    (names_test && !is_turned).then_some(end)
}

/// Returns one past the bracket that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// Returns one past the end of the item that begins at `at`: its `;` or its closing brace.
pub(crate) fn end_of_item(tokens: &[Token], mut at: usize) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            ";" => return at + 1,
            "{" => return closing(tokens, at),
            "(" | "[" => at = closing(tokens, at),
            _ => at += 1,
        }
    }
    tokens.len()
}
