//! What a struct of keys has in the place of a key, which says whether the key has to be there.

use std::ops::Deref;

use super::key::Presence;
use super::kind::Kind;
use super::reader::Reader;
use super::shown::Shown;
use super::table::Keys;
use crate::config::reading::Reading;
use crate::config::source::{At, Span};

/// What makes the default of a key, if it has one.
type Default<K> = Option<fn() -> K>;

/// The field of a key: `At` for one that has a default or has to be there, `Option<At>` for one
/// that may be absent, [`Table`] for a table that has all its defaults where it is absent.
pub(in crate::config) trait Field: Sized {
    /// What the key takes.
    type Kind: Kind;
    /// Whether the key may be absent without a default.
    const IS_OPTIONAL: bool;

    /// What holds where the key is not written.
    fn presence(default: Default<Self::Kind>) -> Presence;

    /// The field of a value.
    fn of(value: At<Self::Kind>) -> Self;

    /// The field without its key, if that does not have to be there.
    fn absent(default: Default<Self::Kind>, span: Span) -> Option<Self>;

    /// The value, if there is one.
    fn value(&self) -> Option<&Self::Kind>;

    /// The value as a user would write it.
    fn shown(&self) -> Shown {
        self.value().map_or(Shown::None, Kind::shown)
    }

    /// Reads the key. Nothing: it has to be there and is not, or cannot be read.
    fn read(
        table: &mut Reader,
        key: &'static str,
        default: Default<Self::Kind>,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let value = if Self::IS_OPTIONAL || default.is_some() {
            table.read(key, reading)
        } else {
            table.require(key, reading)
        };
        let absent = || Self::absent(default, table.span);
        value.map(Self::of).or_else(absent)
    }
}

impl<K: Kind> Field for At<K> {
    type Kind = K;
    const IS_OPTIONAL: bool = false;

    fn presence(default: Default<K>) -> Presence {
        default.map_or(Presence::Required, |make| Presence::Default(make().shown()))
    }

    fn of(value: Self) -> Self {
        value
    }

    fn absent(default: Default<K>, span: Span) -> Option<Self> {
        let value = default?();
        Some(Self { value, span })
    }

    fn value(&self) -> Option<&K> {
        Some(&self.value)
    }
}

impl<K: Kind> Field for Option<At<K>> {
    type Kind = K;
    const IS_OPTIONAL: bool = true;

    fn presence(_: Default<K>) -> Presence {
        Presence::Optional
    }

    fn of(value: At<K>) -> Self {
        Some(value)
    }

    fn absent(_: Default<K>, _: Span) -> Option<Self> {
        Some(None)
    }

    fn value(&self) -> Option<&K> {
        self.as_deref()
    }
}

/// A table that has all its defaults where it is absent.
pub(in crate::config) struct Table<T>(T);

impl<T> Deref for Table<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Keys + Kind> Field for Table<T> {
    type Kind = T;
    const IS_OPTIONAL: bool = true;

    fn presence(_: Default<T>) -> Presence {
        Presence::Table
    }

    fn of(value: At<T>) -> Self {
        Self(value.value)
    }

    fn absent(_: Default<T>, span: Span) -> Option<Self> {
        T::absent(span).map(Self)
    }

    fn value(&self) -> Option<&T> {
        Some(&self.0)
    }
}
