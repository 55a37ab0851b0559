//! The operator's log of this thread, caught.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// Catches what this thread logs for as long as it lives.
pub(super) struct Log {
    caught: Caught,
    _guard: DefaultGuard,
}

impl Log {
    pub(super) fn capture() -> Self {
        let caught = Caught::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(caught.clone())
            .finish();
        Self {
            caught,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let text = self.caught.0.lock().unwrap().clone();
        String::from_utf8(text)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

#[derive(Clone, Default)]
struct Caught(Arc<Mutex<Vec<u8>>>);

impl io::Write for Caught {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Caught {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
