//! Texts with variables of their own beside those of the environment: `${client}` in the value of a
//! header field is known only when a request has come.

use std::env::VarError;

use super::expand::{ESCAPED, Environment, STAND_IN, Wrong, value, variables};

/// A piece of such a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    /// A variable of the text's own.
    Own(&'static str),
}

/// Takes a text apart; `own` are its own variables, which have no defaults.
pub(super) fn pieces(
    text: &str,
    own: &[&'static str],
    environment: Environment<'_>,
) -> Result<Vec<Piece>, Wrong> {
    let own_of = |name: &str| own.iter().find(|own| **own == name);
    let others = |name: &str| match own_of(name) {
        Some(_) => Err(VarError::NotPresent),
        None => environment(name),
    };
    let text = text.replace(ESCAPED, STAND_IN);
    let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), 0);
    for variable in variables(&text)? {
        plain.push_str(&text[rest..variable.start]);
        rest = variable.end;
        let inside = &text[variable.start + 2..variable.end - 1];
        let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
        match own_of(name) {
            Some(name) if name.len() == inside.len() => {
                pieces.extend(taken(&mut plain));
                pieces.push(Piece::Own(name));
            }
            Some(name) => return Err(Wrong::NoDefault((*name).to_owned())),
            None => {
                let value = value(inside, &others, 0).map_err(|wrong| match wrong {
                    Wrong::Unset(name) if own_of(&name).is_some() => Wrong::InDefault(name),
                    Wrong::Unset(name) if default.is_empty() => Wrong::Unknown(name, own.to_vec()),
                    wrong => wrong,
                })?;
                plain.push_str(&value);
            }
        }
    }
    plain.push_str(&text[rest..]);
    pieces.extend(taken(&mut plain));
    Ok(pieces)
}

fn taken(plain: &mut String) -> Option<Piece> {
    let text = std::mem::take(plain).replace(STAND_IN, "${");
    (!text.is_empty()).then_some(Piece::Text(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<Piece>, Wrong> {
        let environment = |name: &str| match name {
            "TOKEN" => Ok("t${ip}".to_owned()),
            "ip" => Ok("of the environment".to_owned()),
            _ => Err(VarError::NotPresent),
        };
        pieces(text, &["client", "ip"], &environment)
    }

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    #[test]
    fn own_variables_stay_and_those_of_the_environment_are_expanded() {
        for (written, expected) in [
            ("", vec![]),
            ("a b", vec![text("a b")]),
            ("Bearer ${TOKEN}", vec![text("Bearer t${ip}")]),
            ("${client}", vec![Piece::Own("client")]),
            (
                "<${ip}-${NONE:-x}${client}>",
                vec![
                    text("<"),
                    Piece::Own("ip"),
                    text("-x"),
                    Piece::Own("client"),
                    text(">"),
                ],
            ),
            ("$${ip}${ip}", vec![text("${ip}"), Piece::Own("ip")]),
            ("${NONE:-$${ip}}", vec![text("${ip}")]),
        ] {
            assert_eq!(of(written).unwrap(), expected, "{written}");
        }
    }

    #[test]
    fn what_is_no_variable_is_said() {
        let is_unknown =
            |text| matches!(of(text), Err(Wrong::Unknown(name, _)) if name == "clinet");
        assert!(is_unknown("${clinet}") && is_unknown("${client}${clinet}"));
        assert!(matches!(of("${client:-x}"), Err(Wrong::NoDefault(name)) if name == "client"));
        assert!(matches!(of("${NONE:-${ip}}"), Err(Wrong::InDefault(name)) if name == "ip"));
        assert!(matches!(of("${NONE:-${NO}}"), Err(Wrong::Unset(name)) if name == "NO"));
        assert!(matches!(of("${ip"), Err(Wrong::NotClosed)));
        assert!(matches!(of("${}"), Err(Wrong::NoName(_))));
    }
}
