//! Kinds that hold for any key: numbers, lists, tables of names.

use std::ops::Deref;

use serde_json::json;

use super::example::is_no;
use super::form::Form;
use super::kind::{Kind, Wrong, read_at, read_expanded, report};
use super::reader::{elsewhere, join};
use super::shown::{Line, Shown};
use super::text::Text;
use crate::config::private;
use crate::config::problems::Problem;
use crate::config::reading::Reading;
use crate::config::source::{At, Span};
use crate::config::tree::Value;

impl Kind for bool {
    fn form() -> Form {
        Form::new("true or false", json!({ "type": "boolean" }))
    }

    fn read(written: &mut At<Value>, _: &str, _: &mut Reading<'_>) -> Result<Self, Wrong> {
        match written.value {
            Value::Boolean(value) => Ok(value),
            Value::Text(ref text) => Err(match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => Wrong::without_quotes(true),
                "false" | "no" | "off" => Wrong::without_quotes(false),
                _ => Wrong::Kind,
            }),
            _ => Err(Wrong::Kind),
        }
    }

    fn shown(&self) -> Shown {
        Shown::Plain(self.to_string())
    }
}

/// A whole number within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) struct Number<const LEAST: u64, const MOST: u64>(pub u64);

impl<const LEAST: u64, const MOST: u64> Number<LEAST, MOST> {
    /// As a number of small things.
    pub(in crate::config) fn small(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    /// As a number of things in memory.
    pub(in crate::config) fn size(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<const LEAST: u64, const MOST: u64> Kind for Number<LEAST, MOST> {
    fn form() -> Form {
        Form::new(
            format!("a number from {LEAST} to {MOST}"),
            json!({ "type": "integer", "minimum": LEAST, "maximum": MOST }),
        )
    }

    fn read(written: &mut At<Value>, _: &str, _: &mut Reading<'_>) -> Result<Self, Wrong> {
        let fits = |number: &u64| (LEAST..=MOST).contains(number);
        match &written.value {
            Value::Integer(number) => {
                let number = u64::try_from(*number).ok().filter(fits);
                number.map(Self).ok_or(Wrong::Text(String::new()))
            }
            Value::Text(text) => {
                let number = text.trim().parse().ok().filter(fits);
                Err(number.map_or(Wrong::Kind, Wrong::without_quotes))
            }
            _ => Err(Wrong::Kind),
        }
    }

    fn shown(&self) -> Shown {
        Shown::Plain(self.0.to_string())
    }
}

/// Nothing where the key is not written.
impl<T: Kind> Kind for Option<T> {
    const IS_SECRET: bool = T::IS_SECRET;
    const HAS_VARIABLES: bool = T::HAS_VARIABLES;

    fn form() -> Form {
        T::form()
    }

    fn read(written: &mut At<Value>, path: &str, reading: &mut Reading<'_>) -> Result<Self, Wrong> {
        T::read(written, path, reading).map(Some)
    }

    fn absent(_: Span) -> Option<Self> {
        Some(None)
    }

    fn shown(&self) -> Shown {
        self.as_ref().map_or(Shown::None, T::shown)
    }
}

/// A value that may be absent. One that does not fit, which has been reported, is not the same.
pub(in crate::config) enum Perhaps<T> {
    Absent,
    Unreadable,
    Given(T),
}

impl<T> Perhaps<T> {
    /// The value, if there is a good one.
    pub(in crate::config) fn given(&self) -> Option<&T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Unreadable => None,
        }
    }

    /// Whether anything was written.
    pub(in crate::config) fn is_there(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

impl<T: Kind> Kind for Perhaps<T> {
    fn form() -> Form {
        T::form()
    }

    fn read(written: &mut At<Value>, path: &str, reading: &mut Reading<'_>) -> Result<Self, Wrong> {
        let read = read_expanded(written, path, reading);
        Ok(read.map_or(Self::Unreadable, |read| Self::Given(read.value)))
    }

    fn absent(_: Span) -> Option<Self> {
        Some(Self::Absent)
    }

    fn shown(&self) -> Shown {
        self.given().map_or(Shown::None, T::shown)
    }
}

/// Declares a value in whose place a word may stand, and then there is none.
macro_rules! or_word {
    ($(#[$about:meta])* $name:ident, $word:literal) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::config) struct $name<T>(pub Option<T>);

        impl<T: Kind> Kind for $name<T> {
            fn form() -> Form {
                let form = T::form();
                Form {
                    takes: format!("{}, or \"{}\"", form.takes, $word),
                    schema: json!({ "anyOf": [form.schema, { "const": $word }] }),
                    ..form
                }
            }

            fn read(
                written: &mut At<Value>,
                path: &str,
                reading: &mut Reading<'_>,
            ) -> Result<Self, Wrong> {
                match &written.value {
                    Value::Text(text) if text == $word => Ok(Self(None)),
                    value if $word == "off" && is_no(value) => Err(Wrong::Text("write \"off\"".to_owned())),
                    _ => T::read(written, path, reading).map(|value| Self(Some(value))),
                }
            }

            fn absent(span: Span) -> Option<Self> {
                T::absent(span).map(|value| Self(Some(value)))
            }

            fn shown(&self) -> Shown {
                let word = || Shown::Text($word.to_owned());
                self.0.as_ref().map_or_else(word, T::shown)
            }
        }
    };
}

or_word! {
    /// A value, or the word `off`.
    OrOff, "off"
}

or_word! {
    /// A value, or `*` for any.
    OrAny, "*"
}

/// A list, or a value that stands for a list of one. What does not fit in it is left out.
pub(in crate::config) struct List<T>(pub Vec<At<T>>);

impl<T> List<T> {
    /// An empty list.
    pub(in crate::config) fn empty() -> Self {
        Self(Vec::new())
    }

    /// A list that nobody has written.
    pub(in crate::config) fn of(values: impl IntoIterator<Item = T>) -> Self {
        let span = Span::NOWHERE;
        let values = values.into_iter();
        Self(values.map(|value| At { value, span }).collect())
    }
}

impl<T: Clone> List<T> {
    /// What is in it.
    pub(in crate::config) fn values(&self) -> Vec<T> {
        self.iter().map(|one| one.value.clone()).collect()
    }
}

impl<T> Deref for List<T> {
    type Target = [At<T>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T: Kind> Kind for List<T> {
    fn form() -> Form {
        let one = T::form();
        Form {
            takes: format!("{}, or a list of them", one.takes),
            schema: json!({ "anyOf": [one.schema, { "type": "array", "items": one.schema }] }),
            ..one
        }
    }

    fn read(written: &mut At<Value>, path: &str, reading: &mut Reading<'_>) -> Result<Self, Wrong> {
        let Value::List(list) = &mut written.value else {
            let span = written.span;
            let value = T::read(written, path, reading)?;
            return Ok(Self(vec![At { value, span }]));
        };
        let mut read = Vec::with_capacity(list.len());
        for one in &mut *list {
            read.extend(read_at(one, path, reading));
        }
        if read.is_empty() && !list.is_empty() {
            return Err(Wrong::Reported);
        }
        Ok(Self(read))
    }

    fn shown(&self) -> Shown {
        Shown::List(self.iter().map(|one| one.value.shown()).collect())
    }
}

/// A table whose keys are names that the user chose. Names whose value does not fit are there all
/// the same, so that a reference to one is not reported as missing.
pub(in crate::config) struct Map<K, T>(pub Vec<(At<K>, Option<At<T>>)>);

impl<K, T> Default for Map<K, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K, T> Map<K, T> {
    /// The names whose value fits.
    pub(in crate::config) fn good(&self) -> impl Iterator<Item = (&At<K>, &At<T>)> {
        let entries = self.0.iter();
        entries.filter_map(|(name, value)| Some((name, value.as_ref()?)))
    }

    /// The names.
    pub(in crate::config) fn names(&self) -> impl Iterator<Item = &At<K>> {
        self.0.iter().map(|(name, _)| name)
    }
}

/// What to write in the place of what is no table of names.
fn instead<K: Text, T: Kind>(written: &Value, path: &str, reading: &Reading<'_>) -> String {
    let file = format!("{path}_file");
    match (written, K::IN_A_LIST) {
        (Value::List(_), Some(said)) => format!("this is a list; {said}"),
        (Value::Text(_), _) if (reading.home)(&file).is_some() => {
            format!("if this is a file, write `{file}`")
        }
        _ if T::form().table.is_some() => {
            format!("write `[{path}.{}]`, a table for each", K::PLACEHOLDER)
        }
        _ => format!("write `{{ {} = \"VALUE\" }}`", K::PLACEHOLDER),
    }
}

/// The names of tables that stand in a list.
fn names_in_list<K: Text, T>(written: &Value) -> Vec<(At<K>, Option<At<T>>)> {
    let Value::List(list) = written else {
        return Vec::new();
    };
    let named = list.iter().filter_map(|one| {
        let Value::Table(entries) = &one.value else {
            return None;
        };
        let (_, name) = entries.iter().find(|(key, _)| key.value == "name")?;
        let Value::Text(text) = &name.value else {
            return None;
        };
        let value = K::parse(text).ok()?;
        Some((
            At {
                value,
                span: name.span,
            },
            None,
        ))
    });
    named.collect()
}

impl<K: Text, T: Kind> Kind for Map<K, T> {
    const IS_SECRET: bool = T::IS_SECRET;

    fn form() -> Form {
        let (name, value) = (K::form(), T::form());
        let schema = json!({
            "type": "object",
            "propertyNames": name.schema,
            "additionalProperties": value.schema,
        });
        let table = value.table.map(|(mut names, table)| {
            names.insert(0, K::PLACEHOLDER);
            (names, table)
        });
        Form {
            table,
            ..Form::new("a table", schema)
        }
    }

    fn read(written: &mut At<Value>, path: &str, reading: &mut Reading<'_>) -> Result<Self, Wrong> {
        let Value::Table(entries) = &mut written.value else {
            let wrong = match &written.value {
                Value::Null => Wrong::Kind,
                value => Wrong::Text(instead::<K, T>(value, path, reading)),
            };
            report::<Self>(path, written, wrong, &mut reading.problems);
            return Ok(Self(names_in_list(&written.value)));
        };
        let mut map = Vec::with_capacity(entries.len());
        for (key, written) in entries {
            let name = K::parse(&key.value).map_err(|why| {
                // The file itself is what stands in it in the main file.
                let is_wrapper = path.is_empty() && key.value == "routes";
                let home =
                    is_wrapper.then(|| "leave this out: the file is what stands in it".to_owned());
                let home = home.or_else(|| elsewhere(&key.value, reading));
                let home = home.filter(|_| !K::is_meant(&key.value));
                let noun = K::NOUN.replacen("a ", "a valid ", 1);
                let message = format!("`{}` is not {noun}", key.value);
                let problem = Problem::at(key.span, message).label(home.unwrap_or(why));
                reading.problems.add(problem);
            });
            if name.is_err() && !K::is_meant(&key.value) {
                // It may be the key of something else, and the value a password.
                let sources = &mut reading.problems.sources;
                private::hide_unknown(&key.value, written, false, sources);
                continue;
            }
            let value = read_at(written, &join(path, &key.value), reading);
            if let Ok(name) = name {
                map.push((
                    At {
                        value: name,
                        span: key.span,
                    },
                    value,
                ));
            }
        }
        Ok(Self(map))
    }

    fn shown(&self) -> Shown {
        let line = |(name, value): (&At<K>, &At<T>)| Line::new(name.text(), value.shown());
        Shown::Table(self.good().map(line).collect())
    }
}
