//! The texts that a configuration was read from, for another process to read as this one did: a successor
//! says by them what it changes, in the words of its own version.

use std::fmt;
use std::sync::Arc;

use super::source::Sources;

/// The main file and those that it names, each by its name. They may hold secrets.
#[derive(Clone, Default)]
pub struct Texts(Vec<(Arc<str>, Arc<str>)>);

impl Texts {
    pub(super) fn of(sources: &Sources) -> Self {
        let texts = sources.texts();
        Self(texts.map(|(name, text)| (name.into(), text)).collect())
    }

    /// Takes in one more; the main file comes first.
    pub fn add(&mut self, name: &str, text: &str) {
        self.0.push((name.into(), text.into()));
    }

    /// Each with its name, the main file first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (&**name, &**text))
    }

    /// The text of this name.
    pub(super) fn named(&self, name: &str) -> Option<&str> {
        let mut all = self.iter();
        all.find(|(its, _)| *its == name).map(|(_, text)| text)
    }
}

/// Their names alone.
impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|it| it.0)).finish()
    }
}
