//! The last lines of the operator's log as values, for the admin port. A layer beside the one that writes lines
//! keeps those of INFO and up, whatever the log's own level. Lines that mark something on a chart say so in a
//! field `event`; those are kept apart, so that a flood of warnings does not push out why it began.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::Value as Json;
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::lock::lock;
use crate::message::own_keys;
use crate::words::{Word, words};

/// How many lines without a mark are kept.
const MAX_LINES: usize = 1000;
/// How many lines with a mark are kept.
const MAX_MARKS: usize = 200;
/// The most that is kept of a line's message, in bytes.
const MAX_TEXT: usize = 1024;
/// The most that is kept of a line's fields together, in bytes of their names and values.
const MAX_FIELDS: usize = 1024;
/// Stands where something was cut.
const CUT: &str = "…";

words! {
    /// What a line marks on a chart.
    pub enum Mark {
        /// Clients may connect.
        Started = "started",
        /// Another configuration is served.
        Reloaded = "reloaded",
        /// A configuration was refused.
        ReloadRefused = "reload_refused",
        /// No new connections are taken.
        Draining = "draining",
        /// An endpoint gets no requests, for those before failed.
        CircuitOpened = "circuit_opened",
        /// It gets requests again.
        CircuitClosed = "circuit_closed",
        /// Redis does not answer.
        RedisLost = "redis_lost",
        /// It answers again.
        RedisBack = "redis_back",
        /// The checks of an endpoint fail.
        EndpointDown = "endpoint_down",
        /// They pass again.
        EndpointUp = "endpoint_up",
        /// An operator has drained an endpoint.
        EndpointDrained = "endpoint_drained",
        /// An operator lets it take requests again.
        EndpointEnabled = "endpoint_enabled",
        /// Another certificate is shown.
        Certificate = "certificate",
    }
}

/// A line of the operator's log.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Counts all lines since the start.
    pub number: u64,
    /// When it was written.
    pub time: Timestamp,
    /// How much it matters.
    pub level: Level,
    /// What it marks, if anything.
    pub mark: Option<Mark>,
    /// Its message.
    pub text: Box<str>,
    /// Its other fields, in their order.
    pub fields: Box<[(&'static str, Json)]>,
}

/// The last lines of the operator's log.
#[derive(Debug, Default)]
pub struct Events(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    count: u64,
    lines: VecDeque<Arc<Event>>,
    marks: VecDeque<Arc<Event>>,
}

impl Events {
    /// All that are kept, the newest first.
    pub fn newest(&self) -> Vec<Arc<Event>> {
        let kept = lock(&self.0);
        let mut all: Vec<_> = kept.lines.iter().chain(&kept.marks).cloned().collect();
        drop(kept);
        all.sort_unstable_by_key(|event| std::cmp::Reverse(event.number));
        all
    }

    /// Those with a mark and a number beyond `after`, the oldest first.
    pub fn marks_after(&self, after: u64) -> Vec<Arc<Event>> {
        let kept = lock(&self.0);
        let new = kept.marks.iter().filter(|event| event.number > after);
        new.cloned().collect()
    }

    fn add(&self, level: Level, said: Said) {
        let mut kept = lock(&self.0);
        kept.count += 1;
        let event = Arc::new(Event {
            number: kept.count,
            time: Timestamp::now(),
            level,
            mark: said.mark,
            text: said.text.into(),
            fields: said.fields.into(),
        });
        let (list, most) = match said.mark {
            None => (&mut kept.lines, MAX_LINES),
            Some(_) => (&mut kept.marks, MAX_MARKS),
        };
        if list.len() == most {
            list.pop_front();
        }
        list.push_back(event);
    }
}

/// Fills [`Events`].
pub(super) struct EventLayer(pub Arc<Events>);

impl<S: Subscriber> Layer<S> for EventLayer {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        self.0.add(*event.metadata().level(), said);
    }
}

/// What a line says.
#[derive(Default)]
struct Said {
    mark: Option<Mark>,
    text: String,
    fields: Vec<(&'static str, Json)>,
    /// How many bytes the fields have so far.
    bytes: usize,
}

impl Said {
    fn put(&mut self, name: &'static str, value: impl Into<Json>) {
        self.bytes += name.len() + size_of::<Json>();
        if self.bytes < MAX_FIELDS {
            self.fields.push((name, value.into()));
        }
    }

    fn put_text(&mut self, field: &Field, value: &dyn fmt::Display) {
        let name = field.name();
        if name == "message" {
            self.text = cut(value, MAX_TEXT);
            return;
        }
        self.bytes += name.len();
        let Some(room) = MAX_FIELDS.checked_sub(self.bytes) else {
            return;
        };
        let text = cut(value, room);
        self.bytes += text.len();
        if name == "event" {
            let mut marks = Mark::ALL.iter();
            self.mark = marks.find(|(word, _)| *word == text).map(|(_, mark)| *mark);
        }
        self.fields.push((name, text.into()));
    }
}

/// Writes the methods of a [`Visit`] for numbers and truth values, which `put` takes.
macro_rules! visit_numbers {
    () => {
        visit_numbers!(record_i64: i64, record_u64: u64, record_f64: f64, record_bool: bool);
    };
    ($($method:ident: $kind:ty),+) => {$(
        fn $method(&mut self, field: &Field, value: $kind) {
            self.put(field.name(), value);
        }
    )+};
}
pub(super) use visit_numbers;

impl Visit for Said {
    visit_numbers!();

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_text(field, &format_args!("{value:?}"));
    }
}

/// The text of a value without keys, or what fits of it and a sign that something is missing.
fn cut(value: &dyn fmt::Display, room: usize) -> String {
    let mut text = Cut {
        text: String::new(),
        room,
    };
    // Fails when the room is used up, which ends the value's formatting early.
    if write!(text, "{value}").is_err() {
        text.text.push_str(CUT);
    }
    own_keys::hidden(text.text).into_owned()
}

struct Cut {
    text: String,
    room: usize,
}

impl fmt::Write for Cut {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let fits = more.floor_char_boundary(self.room);
        self.text.push_str(&more[..fits]);
        self.room -= fits;
        if fits == more.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::with_default;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// What is kept of what `say` logs.
    fn logged(say: impl FnOnce()) -> Arc<Events> {
        let events = Arc::<Events>::default();
        let layer = EventLayer(Arc::clone(&events));
        with_default(tracing_subscriber::registry().with(layer), say);
        events
    }

    #[test]
    fn a_line_is_kept_with_its_fields_and_its_mark() {
        let events = logged(|| {
            tracing::info!(changes = 2, file = "a.toml", "quiet");
            tracing::warn!(event = "circuit_opened", error = %"gone", on = true, "it {}", "opened");
        });
        let [opened, quiet] = &events.newest()[..] else {
            panic!("two lines");
        };
        assert_eq!(
            (quiet.number, quiet.level, quiet.mark),
            (1, Level::INFO, None)
        );
        assert_eq!(&*quiet.text, "quiet");
        let fields = [("changes", 2.into()), ("file", "a.toml".into())];
        assert_eq!(*quiet.fields, fields);
        assert_eq!(opened.level, Level::WARN);
        assert_eq!(opened.mark, Some(Mark::CircuitOpened));
        assert_eq!(&*opened.text, "it opened");
        let fields = [
            ("event", "circuit_opened".into()),
            ("error", "gone".into()),
            ("on", true.into()),
        ];
        assert_eq!(*opened.fields, fields);
    }

    #[test]
    fn a_flood_pushes_out_neither_marks_nor_the_newest() {
        let events = logged(|| {
            tracing::info!(event = "started", "listening");
            for nth in 0..MAX_LINES + 5 {
                tracing::warn!(nth, "trouble");
            }
        });
        let all = events.newest();
        assert_eq!(all.len(), MAX_LINES + 1);
        let numbers: Vec<_> = all.iter().map(|event| event.number).collect();
        assert!(numbers.is_sorted_by(|newer, older| newer > older));
        assert_eq!(all[0].number, MAX_LINES as u64 + 6);
        assert_eq!(all[MAX_LINES].mark, Some(Mark::Started));
        assert_eq!(events.marks_after(0).len(), 1);
        assert!(events.marks_after(1).is_empty());
    }

    #[test]
    fn marks_are_bounded_as_well() {
        let events = logged(|| {
            for _ in 0..=MAX_MARKS {
                tracing::info!(event = "reloaded", "reloaded");
            }
        });
        let marks = events.marks_after(0);
        assert_eq!((marks.len(), marks[0].number), (MAX_MARKS, 2));
    }

    #[test]
    fn long_values_are_cut_where_a_character_ends() {
        let long = "ä".repeat(5000);
        let events = logged(|| tracing::info!(nth = 1, long, %long, also = 2, "{long}"));
        let line = &events.newest()[0];
        assert_eq!(line.text.len(), MAX_TEXT + CUT.len());
        let texts = line.fields.iter().filter_map(|(_, value)| value.as_str());
        let bytes: usize = texts.map(str::len).sum();
        assert!(bytes <= MAX_FIELDS + 2 * CUT.len(), "{bytes}");
        assert_eq!(line.fields[0], ("nth", 1.into()));
        assert!(line.fields[1].1.as_str().unwrap().ends_with("ä…"));
    }
}
