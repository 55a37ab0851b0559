//! Declares tables and their keys.

use serde_json::json;

use super::example::{example, is_no};
use super::form::{Declared, Form, Key};
use super::kind::{Kind, Wrong};
use super::reader::Reader;
use super::shown::{Line, Shown};
use crate::config::private;
use crate::config::reading::Reading;
use crate::config::source::{At, Span};
use crate::config::tree::Value;

/// A table of declared keys; `table!` implements it.
pub(in crate::config) trait Keys: Sized {
    /// What the schema calls it.
    const NAME: &str;
    /// The key that a string is the value of, if one may stand where this table should.
    const SHORT: Option<&str>;
    /// What to write in the place of a value that is no table, if that shows what was meant.
    const INSTEAD: fn(&Value) -> Option<String>;
    /// Keys and values that make one. `@` is in front of the value in whose place may be what was written where
    /// the table belongs.
    const EXAMPLE: &str;

    /// Its keys.
    fn declared() -> Vec<Key>;

    /// Reads them. Without one that has to be there, there is no table.
    fn take(table: &mut Reader, reading: &mut Reading<'_>) -> Option<Self>;

    /// Their values, in the same order.
    fn values(&self) -> Vec<At<Shown>>;
}

/// Declares a table as a struct with a field for each key, an [`At`] of what the key takes. A key
/// without a default has to be there, unless its kind says what holds without it.
///
/// ```text
/// table! {
///     /// What it is for.
///     ServerKeys, such as r#"name = "x""# {
///         ..part: OtherKeys;                                // keys that several tables have
///         /// What the key says.
///         url: Url;                                         // has to be there
///         /// What the key says.
///         name: Option<Name>;                               // may be absent
///         /// What the key says.
///         workers: Number<0, 1024> = Number(0), restart;    // has a default; takes a restart
///         /// What the key says.
///         tls: TlsKeys;                                     // as if it were there, with its defaults
///     }
/// }
/// ```
///
/// With `Name [url]` a string may stand in the place of the table, and is the value of `url`. In the place of
/// what is no table users are shown that of `such as`, unless `Name, otherwise function` has more to say.
///
/// [`At`]: crate::config::source::At
macro_rules! table {
    (
        $(#[doc = $about:literal])+
        $name:ident $([$short:ident])? $(, otherwise $instead:ident)? $(, such as $example:literal)? {
            $(.. $part:ident: $part_keys:ty;)*
            $($(#[doc = $doc:literal])+ $key:ident: $kind:ty $(= $default:expr)? $(, $restart:ident)?;)*
        }
    ) => {
        $(#[doc = $about])+
        #[allow(clippy::struct_field_names, reason = "fields are called as the keys are")]
        pub(in crate::config) struct $name {
            $(pub $part: $part_keys,)*
            $($(#[doc = $doc])+ pub $key: $crate::config::source::At<$kind>,)*
        }

        const _: () = {
            use $crate::config::keys::{self, Key, Keys, Kind, Reader, Shown};
            use $crate::config::reading::Reading;
            use $crate::config::source::{At, Span};
            use $crate::config::tree::Value;

            impl Keys for $name {
                const NAME: &str = stringify!($name);
                const SHORT: Option<&str> = [$(Some(stringify!($short)),)? None][0];
                const INSTEAD: fn(&Value) -> Option<String> = [
                    $($instead as fn(&Value) -> Option<String>,)? |_: &Value| None,
                ][0];
                const EXAMPLE: &str = [$($example,)? ""][0];

                fn declared() -> Vec<Key> {
                    let parts: Vec<Vec<Key>> = vec![$(<$part_keys>::declared(),)*];
                    let own = vec![$(Key {
                        name: stringify!($key),
                        lines: concat!($($doc, "\n"),+),
                        default: keys::default!([$kind] $($default)?)(Span::NOWHERE)
                            .map(|default| default.shown()),
                        needs_restart: !<[&str]>::is_empty(&[$(stringify!($restart))?]),
                        form: <$kind>::form,
                    },)*];
                    own.into_iter().chain(parts.into_iter().flatten()).collect()
                }

                fn take(table: &mut Reader, reading: &mut Reading<'_>) -> Option<Self> {
                    // All are read before any is missed, so that each problem is reported.
                    $(let $part = <$part_keys>::take(table, reading);)*
                    $(let $key = table.read(
                        stringify!($key), keys::default!([$kind] $($default)?), reading,
                    );)*
                    Some(Self { $($part: $part?,)* $($key: $key?,)* })
                }

                fn values(&self) -> Vec<At<Shown>> {
                    let parts: Vec<Vec<At<Shown>>> = vec![$(self.$part.values(),)*];
                    let own = vec![$(At { value: self.$key.value.shown(), span: self.$key.span },)*];
                    own.into_iter().chain(parts.into_iter().flatten()).collect()
                }
            }

            impl Kind for $name {
                fn form() -> keys::Form {
                    keys::form::<Self>()
                }

                fn read(written: &mut At<Value>, path: &str, reading: &mut Reading<'_>) -> Result<Self, keys::Wrong> {
                    keys::read_table(written, path, reading)
                }

                fn absent(span: Span) -> Option<Self> {
                    Some(Self {
                        $($part: <$part_keys>::absent(span)?,)*
                        $($key: At {
                            value: keys::default!([$kind] $($default)?)(span)?,
                            span,
                        },)*
                    })
                }

                fn shown(&self) -> Shown {
                    keys::shown(self)
                }
            }
        };
    };
}

/// What makes the value that holds where a key is not written, if there is one.
macro_rules! default {
    ([$kind:ty]) => {
        <$kind as $crate::config::keys::Kind>::absent
    };
    ([$kind:ty] $default:expr) => {
        (|_: $crate::config::source::Span| -> Option<$kind> { Some($default) })
    };
}
pub(in crate::config) use {default, table};

/// How a table is written: with its keys, or as a string that is the value of one.
pub(in crate::config) fn form<T: Keys>() -> Form {
    let name = T::NAME.trim_end_matches("Keys");
    let table = json!({ "$ref": format!("#/definitions/{name}") });
    let keys = T::declared;
    let short = keys().into_iter().find(|key| Some(key.name) == T::SHORT);
    let mut form = match short.map(|key| (key.form)()) {
        Some(short) => Form::new(
            format!("{}, or a table", short.takes),
            json!({ "anyOf": [short.schema, table] }),
        ),
        None => Form::new("a table", table),
    };
    form.table = Some((Vec::new(), Declared { name, keys }));
    form
}

/// Reads a table.
pub(in crate::config) fn read_table<T: Keys + Kind>(
    written: &mut At<Value>,
    path: &str,
    reading: &mut Reading<'_>,
) -> Result<T, Wrong> {
    let Some(mut table) = Reader::of(written, path, T::SHORT) else {
        return Err(instead::<T>(written, path, reading).map_or(Wrong::Kind, Wrong::Text));
    };
    let read = T::take(&mut table, reading);
    table.finish(reading);
    read.ok_or(Wrong::Reported)
}

/// What to write in the place of a value that is no table.
fn instead<T: Keys + Kind>(
    written: &At<Value>,
    path: &str,
    reading: &Reading<'_>,
) -> Option<String> {
    if let Value::Null = written.value {
        return None;
    }
    // Where one of its keys has to be there, no table is nothing.
    if is_no(&written.value) && T::absent(Span::NOWHERE).is_none() {
        let table = example(T::EXAMPLE, T::SHORT, None)?;
        return Some(format!("leave it out, or write {table}"));
    }
    let is_hidden = private::is_private(path) || reading.problems.is_from_environment(written.span);
    let given = Some(&written.value).filter(|_| !is_hidden);
    let example = || Some(format!("write {}", example(T::EXAMPLE, T::SHORT, given)?));
    T::INSTEAD(&written.value).or_else(example)
}

/// The keys of a table with their values.
pub(in crate::config) fn lines<T: Keys>(table: &T) -> Vec<Line> {
    let line = |(key, shown): (Key, At<Shown>)| Line {
        key: key.name.into(),
        needs_restart: key.needs_restart,
        is_default: key.default.as_ref() == Some(&*shown),
        shown: shown.value,
    };
    let keys = T::declared().into_iter();
    keys.zip(table.values()).map(line).collect()
}

/// The keys of a table whose values are not those that hold anyway, and where they stand.
pub(in crate::config) fn not_default<T: Keys>(
    table: &T,
) -> impl Iterator<Item = (&'static str, Span)> {
    let keys = T::declared().into_iter().zip(table.values());
    let changed = keys.filter(|(key, shown)| key.default.as_ref() != Some(&**shown));
    changed.map(|(key, shown)| (key.name, shown.span))
}

/// A table with its keys and their values.
pub(in crate::config) fn shown<T: Keys>(table: &T) -> Shown {
    match T::SHORT {
        Some(short) => Shown::Short(short, lines(table)),
        None => Shown::Table(lines(table)),
    }
}
