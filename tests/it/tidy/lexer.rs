//! Cuts Rust source into tokens, so that the laws see code and neither comments nor strings.
//!
//! It deliberately does not parse: a law needs names, punctuation and matching braces, no more.

/// What a token is, as far as a law cares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// A name or a keyword.
    Ident,
    /// A lifetime or a label.
    Lifetime,
    /// A number, with its suffix.
    Number,
    /// One character of punctuation, or `::`.
    Punct,
    /// Any string, byte or character literal; its text is kept out of reach.
    Text,
}

/// One token and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// The text as written; empty for [`Kind::Text`].
    pub(crate) text: String,
    /// The line it begins on, from 1.
    pub(crate) line: usize,
    /// The line it ends on; another one for strings only.
    pub(crate) last_line: usize,
}

impl Token {
    /// Returns whether the token is this name or punctuation.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text
    }
}

/// Cuts `source` into its tokens.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        chars: source.chars().collect(),
        at: 0,
        line: 1,
        tokens: Vec::new(),
    };
    while lexer.at < lexer.chars.len() {
        lexer.step();
    }
    lexer.tokens
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn bump(&mut self) {
        if self.peek(0) == '\n' {
            self.line += 1;
        }
        self.at += 1;
    }

    fn push(&mut self, kind: Kind, text: String, line: usize) {
        self.tokens.push(Token {
            kind,
            text,
            line,
            last_line: self.line,
        });
    }

    /// Takes in one token, one comment or one blank.
    fn step(&mut self) {
        let (first, second) = (self.peek(0), self.peek(1));
        if first.is_whitespace() {
            self.bump();
        } else if first == '/' && second == '/' {
            while self.at < self.chars.len() && self.peek(0) != '\n' {
                self.bump();
            }
        } else if first == '/' && second == '*' {
            self.block_comment();
        } else if let Some(hashes) = self.raw_string() {
            self.raw_text(hashes);
        } else if first == '"' || (matches!(first, 'b' | 'c') && second == '"') {
            self.quoted('"');
        } else if first == 'b' && second == '\'' {
            self.quoted('\'');
        } else if first == '\'' {
            self.quote();
        } else if first.is_ascii_digit() {
            self.number();
        } else if first.is_alphabetic() || first == '_' {
            self.ident();
        } else if first == ':' && second == ':' {
            self.at += 2;
            self.push(Kind::Punct, "::".to_owned(), self.line);
        } else {
            self.at += 1;
            self.push(Kind::Punct, first.to_string(), self.line);
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => {
                    depth += 1;
                    self.at += 2;
                }
                ('*', '/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.bump(),
            }
        }
    }

    /// Returns how many hashes a raw string that begins here has, if one does.
    fn raw_string(&self) -> Option<usize> {
        let prefix = match (self.peek(0), self.peek(1)) {
            ('r', _) => 1,
            ('b' | 'c', 'r') => 2,
            _ => return None,
        };
        let mut hashes = 0;
        while self.peek(prefix + hashes) == '#' {
            hashes += 1;
        }
        (self.peek(prefix + hashes) == '"').then_some(hashes)
    }

    fn raw_text(&mut self, hashes: usize) {
        let line = self.line;
        while self.peek(0) != '"' {
            self.bump();
        }
        self.bump();
        while self.at < self.chars.len() {
            let closes = self.peek(0) == '"' && (1..=hashes).all(|it| self.peek(it) == '#');
            self.bump();
            if closes {
                self.at += hashes;
                break;
            }
        }
        self.push(Kind::Text, String::new(), line);
    }

    fn quoted(&mut self, quote: char) {
        let line = self.line;
        while self.peek(0) != quote {
            self.bump();
        }
        self.bump();
        while self.at < self.chars.len() && self.peek(0) != quote {
            if self.peek(0) == '\\' {
                self.bump();
            }
            self.bump();
        }
        self.bump();
        self.push(Kind::Text, String::new(), line);
    }

    /// Tells a character literal from a lifetime.
    fn quote(&mut self) {
        if self.peek(1) == '\\' || self.peek(2) == '\'' {
            self.quoted('\'');
            return;
        }
        self.at += 1;
        let from = self.at;
        self.name();
        self.push(
            Kind::Lifetime,
            self.chars[from..self.at].iter().collect(),
            self.line,
        );
    }

    fn name(&mut self) {
        while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
            self.at += 1;
        }
    }

    fn ident(&mut self) {
        if self.peek(0) == 'r' && self.peek(1) == '#' {
            self.at += 2;
        }
        let from = self.at;
        self.name();
        self.push(
            Kind::Ident,
            self.chars[from..self.at].iter().collect(),
            self.line,
        );
    }

    /// Takes in a number; a fraction only where no field and no range can be meant.
    fn number(&mut self) {
        let from = self.at;
        let is_field = self.tokens.last().is_some_and(|it| it.is("."));
        self.name();
        let next = self.peek(1);
        let is_fraction = next != '.' && next != '_' && !next.is_alphabetic();
        if !is_field && self.peek(0) == '.' && is_fraction {
            self.at += 1;
            self.name();
        }
        self.push(
            Kind::Number,
            self.chars[from..self.at].iter().collect(),
            self.line,
        );
    }
}
