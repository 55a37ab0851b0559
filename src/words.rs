//! Enums whose values have a word each: what the configuration takes, and what the log and `explain`
//! say. The words stand where the enum is declared, and nowhere else.

/// A type whose values have a word each.
pub trait Word: Copy + PartialEq + 'static {
    /// All values with their words.
    const ALL: &'static [(&'static str, Self)];

    /// The word of a value.
    fn word(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(_, value)| *value == self)
            .map_or("", |(word, _)| word)
    }
}

/// Declares an enum with its words, `Local = "local"`; or gives words to the values of another type,
/// `Level { "error" => Level::ERROR }`.
macro_rules! words {
    ($($(#[$about:meta])* $vis:vis enum $name:ident {
        $($(#[$doc:meta])* $value:ident = $word:literal,)+
    })+) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $name {
            $($(#[$doc])* $value,)+
        }

        $crate::words::words! { $name { $($word => $name::$value,)+ } }
    )+};
    ($($type:ty { $($word:literal => $value:path,)+ })+) => {$(
        impl $crate::words::Word for $type {
            const ALL: &'static [(&'static str, Self)] = &[$(($word, $value)),+];
        }
    )+};
}
pub(crate) use words;
