//! Reads the one list of strings of a JavaScript file, without running anything. What is read: one
//! literal list, what it is declared as and exported as, `Object.freeze`, `'use strict'` and comments.
//! Everything else is refused, for it could add to the list, and a path that is missing is open.

use std::iter::Peekable;
use std::str::Chars;

/// Why there is no list.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoList {
    #[error("has no list of strings, such as `module.exports = [\"/api/orders\"]`")]
    None,
    #[error(
        "line {0}: this is more than one literal list and its export, and no JavaScript is run; \
         write all paths out: `module.exports = [\"/api/orders\", \"/api/admin\"]`"
    )]
    Beyond(usize),
    #[error(
        "line {0}: the list has something else than strings in quotes, and no JavaScript is run; \
         write all paths out: `module.exports = [\"/api/orders\", \"/api/admin\"]`"
    )]
    NotLiteral(usize),
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    /// Any other character but blanks.
    Sign(char),
}

/// The strings of the only list.
pub(super) fn literal_list(text: &str) -> Result<Vec<String>, NoList> {
    let tokens = tokens(text);
    if !tokens.iter().any(|(_, token)| *token == Token::Sign('[')) {
        return Err(NoList::None);
    }
    let mut script = Script {
        tokens: &tokens,
        at: 0,
        name: None,
        list: None,
    };
    script.read()?;
    script.list.ok_or(NoList::None)
}

/// What is left to read, and what was found.
struct Script<'t> {
    tokens: &'t [(usize, Token)],
    at: usize,
    /// The variable with the list.
    name: Option<&'t str>,
    list: Option<Vec<String>>,
}

impl<'t> Script<'t> {
    fn read(&mut self) -> Result<(), NoList> {
        if self.next_is(|token| matches!(token, Token::Text(text) if text == "use strict")) {
            self.takes(';');
        }
        while self.at < self.tokens.len() {
            self.statement()?;
            self.takes(';');
        }
        Ok(())
    }

    fn statement(&mut self) -> Result<(), NoList> {
        let exports = self.takes_word("export");
        // `export =` is TypeScript's.
        if exports && (self.takes_word("default") || self.takes('=')) {
            return self.value();
        }
        if ["const", "let", "var"]
            .iter()
            .any(|word| self.takes_word(word))
        {
            return self.declaration();
        }
        if exports {
            self.wants('{')?;
            return self.members();
        }
        if self.takes_word("module") {
            self.wants('.')?;
        }
        self.wants_word("exports")?;
        while self.takes('.') {
            self.word()?;
        }
        self.wants('=')?;
        self.value()
    }

    /// `NAME = [...]`, with the type that TypeScript may have there.
    fn declaration(&mut self) -> Result<(), NoList> {
        let name = self.word()?;
        if self.takes(':') {
            self.takes_word("readonly");
            self.wants_word("string")?;
            self.wants('[')?;
            self.wants(']')?;
        }
        self.wants('=')?;
        self.value()?;
        self.name = Some(name);
        Ok(())
    }

    /// The list, its variable, or an object with them.
    fn value(&mut self) -> Result<(), NoList> {
        self.frozen_or_not(|script| {
            if script.takes('{') {
                script.members()
            } else if script.takes_variable() {
                Ok(())
            } else {
                script.list()
            }
        })
    }

    fn frozen_or_not(
        &mut self,
        what: impl Fn(&mut Self) -> Result<(), NoList>,
    ) -> Result<(), NoList> {
        if !self.takes_word("Object") {
            return what(self);
        }
        self.wants('.')?;
        self.wants_word("freeze")?;
        self.wants('(')?;
        what(self)?;
        self.wants(')')
    }

    fn list(&mut self) -> Result<(), NoList> {
        if self.list.is_some() {
            return Err(self.beyond());
        }
        self.wants('[')?;
        self.list = Some(self.strings()?);
        // TypeScript's.
        if self.takes_word("as") {
            self.wants_word("const")?;
        }
        Ok(())
    }

    /// `NAME`, `other: NAME`, `first: NAME[0]` and `other: [...]`, up to the closing brace.
    fn members(&mut self) -> Result<(), NoList> {
        loop {
            if self.takes_variable() {
                if self.takes_word("as") {
                    self.word()?;
                }
            } else {
                self.word()?;
                self.wants(':')?;
                self.member()?;
            }
            let ends = !self.takes(',');
            if self.takes('}') {
                return Ok(());
            }
            if ends {
                return Err(self.beyond());
            }
        }
    }

    fn member(&mut self) -> Result<(), NoList> {
        if !self.takes_variable() {
            return self.frozen_or_not(Self::list);
        }
        if self.takes('[') {
            self.word()?;
            self.wants(']')?;
        }
        Ok(())
    }

    /// The strings up to the list's end.
    fn strings(&mut self) -> Result<Vec<String>, NoList> {
        let mut list = Vec::new();
        while !self.takes(']') {
            let Some((_, Token::Text(text))) = self.tokens.get(self.at) else {
                return Err(NoList::NotLiteral(self.line()));
            };
            list.push(text.clone());
            self.at += 1;
            let closes = matches!(self.tokens.get(self.at), Some((_, Token::Sign(']'))));
            if !closes && !self.takes(',') {
                return Err(NoList::NotLiteral(self.line()));
            }
        }
        Ok(list)
    }

    fn takes_variable(&mut self) -> bool {
        self.name.is_some_and(|name| self.takes_word(name))
    }

    fn word(&mut self) -> Result<&'t str, NoList> {
        let Some((_, Token::Word(word))) = self.tokens.get(self.at) else {
            return Err(self.beyond());
        };
        self.at += 1;
        Ok(word)
    }

    fn wants_word(&mut self, word: &str) -> Result<(), NoList> {
        let found = self.takes_word(word);
        found.then_some(()).ok_or_else(|| self.beyond())
    }

    fn wants(&mut self, sign: char) -> Result<(), NoList> {
        let found = self.takes(sign);
        found.then_some(()).ok_or_else(|| self.beyond())
    }

    fn takes_word(&mut self, word: &str) -> bool {
        self.next_is(|token| matches!(token, Token::Word(found) if found == word))
    }

    fn takes(&mut self, sign: char) -> bool {
        self.next_is(|token| *token == Token::Sign(sign))
    }

    /// Takes the next token if it is so.
    fn next_is(&mut self, so: impl Fn(&Token) -> bool) -> bool {
        let found = self.tokens.get(self.at).is_some_and(|(_, token)| so(token));
        self.at += usize::from(found);
        found
    }

    fn beyond(&self) -> NoList {
        NoList::Beyond(self.line())
    }

    /// The line of the next token, or the last one.
    fn line(&self) -> usize {
        let next = self.tokens.get(self.at).or(self.tokens.last());
        next.map_or(1, |(line, _)| *line)
    }
}

/// The tokens with their lines. Whatever is not closed is a sign, which no statement has.
fn tokens(text: &str) -> Vec<(usize, Token)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    let mut line = 1;
    while let Some(c) = rest.next() {
        let begun = line;
        let token = match (c, rest.peek()) {
            ('/', Some('/')) => {
                while rest.next_if(|&c| !ends_line(c)).is_some() {}
                continue;
            }
            ('/', Some('*')) => {
                rest.next();
                if comment_closes(&mut rest, &mut line) {
                    continue;
                }
                Token::Sign(c)
            }
            ('"' | '\'' | '`', _) => quoted(c, &mut rest).map_or(Token::Sign(c), Token::Text),
            (c, _) if in_word(c) => {
                let mut word = c.to_string();
                while let Some(c) = rest.next_if(|&c| in_word(c)) {
                    word.push(c);
                }
                Token::Word(word)
            }
            (c, _) if c.is_whitespace() => {
                line += usize::from(c == '\n');
                continue;
            }
            (c, _) => Token::Sign(c),
        };
        tokens.push((begun, token));
    }
    tokens
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

/// ECMAScript's line terminators (ECMA-262, 12.3): what follows one is no comment any more.
fn ends_line(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

fn comment_closes(rest: &mut Peekable<Chars<'_>>, line: &mut usize) -> bool {
    let mut star = false;
    for c in rest {
        *line += usize::from(c == '\n');
        if star && c == '/' {
            return true;
        }
        star = c == '*';
    }
    false
}

/// The text up to the closing quote; none where it is not literal, or goes on in another line.
fn quoted(quote: char, rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut text = String::new();
    while let Some(c) = rest.next_if(|&c| !ends_line(c)) {
        match c {
            c if c == quote => return Some(text),
            '\\' => text.push(rest.next_if(|c| matches!(c, '\\' | '"' | '\'' | '`' | '/'))?),
            '$' if quote == '`' && rest.peek() == Some(&'{') => return None,
            c => text.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests;
