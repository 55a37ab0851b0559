//! `[upstream_defaults]`: what it says holds for every upstream that does not say it itself. The values
//! are put, with their places, into each upstream's table before that is read; so all that reads,
//! checks and shows an upstream sees what holds for it.

use super::problems::Problems;
use super::source::At;
use super::tree::{Entry, Value};

const DEFAULTS: &str = "upstream_defaults";

/// Completes all upstreams of a file.
pub(super) fn complete_upstreams(file: &mut At<Value>, problems: &mut Problems) {
    let Value::Table(entries) = &mut file.value else {
        return;
    };
    let defaults = entries.iter().find(|(key, _)| key.value == DEFAULTS);
    let Some(defaults) = defaults.map(|(_, written)| written.clone()) else {
        return;
    };
    let mut places = Vec::new();
    defaults.each(&mut |_, span| places.push(span));
    problems.note_once(places);
    let Value::Table(defaults) = defaults.value else {
        return;
    };
    let upstreams = entries
        .iter_mut()
        .filter(|(key, _)| key.value == "upstreams");
    for (_, upstreams) in upstreams {
        let Value::Table(upstreams) = &mut upstreams.value else {
            continue;
        };
        for (_, upstream) in upstreams {
            if let Value::Table(own) = &mut upstream.value {
                complete(own, &defaults);
            }
        }
    }
}

/// Adds what is not there. A word in the place of a table, such as `off`, stays.
fn complete(own: &mut Vec<Entry>, defaults: &[Entry]) {
    for (key, default) in defaults {
        match own
            .iter_mut()
            .find(|(written, _)| written.value == key.value)
        {
            None => own.push((key.clone(), default.clone())),
            Some((_, written)) => {
                if let (Value::Table(own), Value::Table(default)) =
                    (&mut written.value, &default.value)
                {
                    complete(own, default);
                }
            }
        }
    }
}
