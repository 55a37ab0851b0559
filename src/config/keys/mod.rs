//! The keys of the configuration. Each is declared once, with its name, type, default and one
//! sentence (`table!`); reading it, the JSON Schema, the tables of the documentation and what a
//! reload says all come from that.

mod example;
mod form;
mod generic;
mod kind;
mod reader;
mod shown;
mod table;
mod text;

pub(super) use form::{Form, Key};
pub(super) use generic::{List, Map, Number, OrAny, OrOff, Perhaps};
pub(super) use kind::{Kind, Wrong, read_at};
pub(super) use reader::{Reader, join};
pub(super) use shown::{Line, Shown};
pub(super) use table::{Keys, default, form, lines, not_default, read_table, shown, table};
pub(super) use text::Text;
