//! Finds the one list of strings in a JavaScript file, without running anything: `module.exports =
//! ["/a", '/b']` and the like. Comments are skipped, and whatever is not a literal is refused.

/// Why there is no list.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoList {
    #[error("has no list of strings, such as `module.exports = [\"/api/orders\"]`")]
    None,
    #[error("has {0} lists of strings; leave only that of the protected paths")]
    Several(usize),
    #[error("line {0}: the list has something else than strings in quotes; no JavaScript is run")]
    NotLiteral(usize),
}

#[derive(Debug, PartialEq)]
enum Token {
    Text(String),
    /// A bracket right behind a word, as in `routes[0]`.
    Index,
    /// Any other character but blanks.
    Sign(char),
}

/// The strings of the only list.
pub(super) fn literal_list(text: &str) -> Result<Vec<String>, NoList> {
    let tokens = tokens(text);
    let mut lists = Vec::new();
    let mut not_literal = None;
    let mut at = 0;
    while let Some((line, token)) = tokens.get(at) {
        at += 1;
        if *token != Token::Sign('[') {
            continue;
        }
        match strings(&tokens[at..]) {
            Some((list, used)) => {
                at += used;
                lists.push(list);
            }
            None => not_literal = not_literal.or(Some(*line)),
        }
    }
    match (lists.len(), not_literal) {
        (1, None) => Ok(lists.remove(0)),
        (_, Some(line)) => Err(NoList::NotLiteral(line)),
        (0, None) => Err(NoList::None),
        (number, None) => Err(NoList::Several(number)),
    }
}

/// The strings up to the list's end, and how many tokens they are.
fn strings(tokens: &[(usize, Token)]) -> Option<(Vec<String>, usize)> {
    let mut list = Vec::new();
    let mut wants_comma = false;
    for (at, (_, token)) in tokens.iter().enumerate() {
        match token {
            Token::Text(text) if !wants_comma => list.push(text.clone()),
            Token::Sign(',') if wants_comma => {}
            Token::Sign(']') => return Some((list, at + 1)),
            _ => return None,
        }
        wants_comma = matches!(token, Token::Text(_));
    }
    None
}

fn tokens(text: &str) -> Vec<(usize, Token)> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    let mut line = 1;
    let mut before = ' ';
    while let Some(c) = rest.next() {
        let in_word = before.is_alphanumeric() || matches!(before, '_' | '$' | ')' | ']');
        before = c;
        let begun = line;
        match (c, rest.peek()) {
            ('\n', _) => line += 1,
            ('/', Some('/')) => while rest.next_if(|&c| c != '\n').is_some() {},
            ('/', Some('*')) => {
                rest.next();
                let mut star = false;
                for c in rest.by_ref() {
                    line += usize::from(c == '\n');
                    if star && c == '/' {
                        break;
                    }
                    star = c == '*';
                }
            }
            ('"' | '\'' | '`', _) => match quoted(c, &mut rest, &mut line) {
                Some(text) => tokens.push((begun, Token::Text(text))),
                None => tokens.push((begun, Token::Sign(c))),
            },
            ('[', _) if in_word => tokens.push((begun, Token::Index)),
            (c, _) if c.is_whitespace() => {}
            (c, _) => tokens.push((begun, Token::Sign(c))),
        }
    }
    tokens
}

/// The text up to the closing quote; none where it is not literal.
fn quoted(
    quote: char,
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    line: &mut usize,
) -> Option<String> {
    let mut text = String::new();
    let mut literal = true;
    while let Some(c) = rest.next() {
        *line += usize::from(c == '\n');
        match c {
            c if c == quote => return literal.then_some(text),
            '\\' => match rest.next()? {
                c @ ('\\' | '"' | '\'' | '`' | '/') => text.push(c),
                _ => literal = false,
            },
            '$' if quote == '`' && rest.peek() == Some(&'{') => literal = false,
            c => text.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_list_is_read_however_it_is_exported() {
        for text in [
            "module.exports = ['/a', \"/b\"];",
            "export default [\n  // the first\n  '/a', /* and ['x'] */ `/b`,\n]\n",
            "'use strict'\nconst protectedRoutes = ['/a', '/b']\nmodule.exports = { protectedRoutes, first: protectedRoutes[0] }",
            "exports.list = Object.freeze(['/a', '/b'])",
        ] {
            assert_eq!(
                literal_list(text),
                Ok(vec!["/a".into(), "/b".into()]),
                "{text}"
            );
        }
        assert_eq!(literal_list("module.exports = []"), Ok(Vec::new()));
    }

    #[test]
    fn what_would_have_to_be_run_is_refused() {
        for (text, wrong) in [
            ("module.exports = {}", NoList::None),
            ("a = ['/a']; b = ['/b']", NoList::Several(2)),
            ("\nmodule.exports = ['/a', path]", NoList::NotLiteral(2)),
            ("module.exports = ['/a' + '/b']", NoList::NotLiteral(1)),
            ("module.exports = [`/a${x}`]", NoList::NotLiteral(1)),
            ("module.exports = [...other, '/a']", NoList::NotLiteral(1)),
            ("module.exports = ['/a'", NoList::NotLiteral(1)),
        ] {
            assert_eq!(literal_list(text), Err(wrong), "{text}");
        }
    }
}
