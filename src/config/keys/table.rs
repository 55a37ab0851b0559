//! Declares tables and their keys.

use serde_json::{Map as Object, Value as Json, json};

use super::key::{Key, Presence, Tables};
use super::kind::Wrong;
use super::reader::{Reader, join};
use super::schema::Definitions;
use super::shown::{Line, Shown};
use crate::config::reading::Reading;
use crate::config::source::Span;
use crate::config::tree::Node;

/// A table of declared keys; `table!` implements it.
pub(in crate::config) trait Keys: Sized {
    /// What the schema calls it.
    const NAME: &str;
    /// The key that a string is the value of, if one may stand where this table should.
    const SHORT: Option<&str>;

    /// Its keys.
    fn declared() -> Vec<Key>;

    /// Reads them. Without one that has to be there, there is no table.
    fn take(table: &mut Reader, reading: &mut Reading<'_>) -> Option<Self>;

    /// The table without a key, if none has to be there.
    fn absent(span: Span) -> Option<Self>;

    /// Their values, in the same order.
    fn values(&self) -> Vec<Shown>;
}

/// Declares a table as a struct with a field for each key. What a field is says whether the key has
/// to be there; see [`super::Field`].
///
/// ```text
/// table! {
///     /// What it is for.
///     ServerKeys {
///         ..part: OtherKeys;                          // keys that several tables have
///         /// What the key says.
///         url: At<Url>;                               // has to be there
///         /// What the key says.
///         name: Option<At<Name>>;                     // may be absent
///         /// What the key says.
///         workers: At<Number<0, 1024>> = Number(0), restart;    // has a default; takes a restart
///         /// What the key says.
///         tls: Table<TlsKeys>;                        // as if it were there, with its defaults
///     }
/// }
/// ```
///
/// With `Name [url]` a string may stand in the place of the table, and is the value of `url`.
macro_rules! table {
    (
        $(#[doc = $about:literal])+
        $name:ident $([$short:ident])? {
            $(.. $part:ident: $part_keys:ty;)*
            $($(#[doc = $doc:literal])+ $key:ident: $field:ty $(= $default:expr)? $(, $restart:ident)?;)*
        }
    ) => {
        $(#[doc = $about])+
        #[allow(clippy::struct_field_names, reason = "fields are called as the keys are")]
        pub(in crate::config) struct $name {
            $(pub $part: $part_keys,)*
            $($(#[doc = $doc])+ pub $key: $field,)*
        }

        const _: () = {
            use $crate::config::keys::{self, Field, Key, Keys, Kind, Reader, Shown};
            use $crate::config::{reading::Reading, source::Span, tree::Node};

            impl Keys for $name {
                const NAME: &str = stringify!($name);
                const SHORT: Option<&str> = [$(Some(stringify!($short)),)? None][0];

                fn declared() -> Vec<Key> {
                    let parts: Vec<Vec<Key>> = vec![$(<$part_keys>::declared(),)*];
                    let own = vec![$(Key {
                        name: stringify!($key),
                        lines: concat!($($doc, "\n"),+),
                        presence: <$field as Field>::presence(keys::default!($($default)?)),
                        needs_restart: !<[&str]>::is_empty(&[$(stringify!($restart))?]),
                        takes: <$field as Field>::Kind::takes,
                        schema: <$field as Field>::Kind::schema,
                        tables: <$field as Field>::Kind::tables,
                    },)*];
                    own.into_iter().chain(parts.into_iter().flatten()).collect()
                }

                fn take(table: &mut Reader, reading: &mut Reading<'_>) -> Option<Self> {
                    // All are read before any is missed, so that each problem is reported.
                    $(let $part = <$part_keys>::take(table, reading);)*
                    $(let $key = <$field as Field>::read(
                        table, stringify!($key), keys::default!($($default)?), reading,
                    );)*
                    Some(Self { $($part: $part?,)* $($key: $key?,)* })
                }

                fn absent(span: Span) -> Option<Self> {
                    Some(Self {
                        $($part: <$part_keys>::absent(span)?,)*
                        $($key: <$field as Field>::absent(keys::default!($($default)?), span)?,)*
                    })
                }

                fn values(&self) -> Vec<Shown> {
                    let parts: Vec<Vec<Shown>> = vec![$(self.$part.values(),)*];
                    let own = vec![$(Field::shown(&self.$key),)*];
                    own.into_iter().chain(parts.into_iter().flatten()).collect()
                }
            }

            impl Kind for $name {
                fn takes() -> String {
                    keys::takes::<Self>()
                }

                fn read(node: &mut Node, path: &str, reading: &mut Reading<'_>) -> Result<Self, keys::Wrong> {
                    keys::read_table(node, path, reading)
                }

                fn schema(definitions: &mut keys::Definitions) -> serde_json::Value {
                    keys::schema::<Self>(definitions)
                }

                fn shown(&self) -> Shown {
                    keys::shown(self)
                }

                fn tables(path: &str, found: &mut keys::Tables) {
                    keys::tables::<Self>(path, found);
                }
            }
        };
    };
}

/// What makes the default of a key, if it has one.
macro_rules! default {
    () => {
        None
    };
    ($default:expr) => {
        Some(|| $default)
    };
}
pub(in crate::config) use {default, table};

/// The key that a string is the value of, where it may stand in the place of the table.
fn short<T: Keys>() -> Option<Key> {
    let mut keys = T::declared().into_iter();
    keys.find(|key| Some(key.name) == T::SHORT)
}

/// What to write for a table.
pub(in crate::config) fn takes<T: Keys>() -> String {
    match short::<T>() {
        Some(short) => format!("{}, or a table", (short.takes)()),
        None => "a table".to_owned(),
    }
}

/// Reads a table.
pub(in crate::config) fn read_table<T: Keys>(
    node: &mut Node,
    path: &str,
    reading: &mut Reading<'_>,
) -> Result<T, Wrong> {
    let short = T::SHORT.and_then(|key| Reader::short(node, path, key));
    let table = short.or_else(|| Reader::of(node, path));
    let mut table = table.ok_or(Wrong::Kind)?;
    let read = T::take(&mut table, reading);
    table.finish(reading);
    read.ok_or(Wrong::Reported)
}

/// The keys of a table with their values.
pub(in crate::config) fn lines<T: Keys>(table: &T) -> Vec<Line> {
    let line = |(key, shown): (Key, Shown)| Line {
        key: key.name.into(),
        needs_restart: key.needs_restart,
        is_default: match key.presence {
            Presence::Default(default) => default == shown,
            _ => shown.is_default(),
        },
        shown,
    };
    let keys = T::declared().into_iter();
    keys.zip(table.values()).map(line).collect()
}

/// A table with its keys and their values.
pub(in crate::config) fn shown<T: Keys>(table: &T) -> Shown {
    match T::SHORT {
        Some(short) => Shown::Short(short, lines(table)),
        None => Shown::Table(lines(table)),
    }
}

/// A table's own keys, and the tables below it.
pub(in crate::config) fn tables<T: Keys>(path: &str, found: &mut Tables) {
    found.push((path.to_owned(), T::declared()));
    for key in T::declared() {
        (key.tables)(&join(path, key.name), found);
    }
}

/// What the JSON Schema says of a table.
pub(in crate::config) fn schema<T: Keys>(definitions: &mut Definitions) -> Json {
    let table = definitions.refer(T::NAME.trim_end_matches("Keys"), |definitions| {
        let (mut properties, mut required) = (Object::new(), Vec::new());
        for key in T::declared() {
            if key.presence == Presence::Required {
                required.push(key.name);
            }
            properties.insert(key.name.to_owned(), property(key, definitions));
        }
        let mut table = json!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        });
        if !required.is_empty() {
            table["required"] = json!(required);
        }
        table
    });
    match short::<T>() {
        Some(short) => json!({ "anyOf": [(short.schema)(definitions), table] }),
        None => table,
    }
}

fn property(key: Key, definitions: &mut Definitions) -> Json {
    let mut property = match (key.schema)(definitions) {
        // Beside a `$ref` nothing else is read.
        refers @ Json::Object(_) if refers["$ref"].is_string() => json!({ "allOf": [refers] }),
        schema => schema,
    };
    property["description"] = json!(key.about());
    if let Presence::Default(default) = key.presence {
        property["default"] = default.json();
    }
    property
}
