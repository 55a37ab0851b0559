//! What a reload or a hand-over changes, for the log: first what callers reach that they did not reach
//! before, then everything else that now holds, last what takes a restart. All but the first is
//! compared key by key, as the keys are declared.

mod addresses;
mod client_auth;
mod listeners;
mod operators;
mod public;
mod wider;

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Serialize;

use super::file::{File, Written};
use super::keys::{Kind, Line, Shown, lines};
use crate::message::own_keys;
use public::name_of;

/// One thing that differs between two configurations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it means for the operator.
    pub kind: ChangeKind,
    text: String,
}

/// What a change means for the operator. In the order of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Anonymous callers reach more than before.
    Public,
    /// Some clients do, or callers from some addresses; or peers are trusted to say for whom they call, or
    /// operators need no token.
    Wider,
    /// It holds from now on.
    Applied,
    /// It does not hold before the next start.
    NeedsRestart,
}

impl Change {
    /// A change in whose text no key can be read.
    fn new(kind: ChangeKind, text: String) -> Self {
        let text = own_keys::hidden(text).into_owned();
        Self { kind, text }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What differs between what has been served and what is served now, and, of what takes a restart,
/// between what the program was started with and what is written now; in the order of the log.
pub fn changes(started: &Written, served: &Written, now: &Written) -> Vec<Change> {
    let (started, served, now) = (&*started.file, &*served.file, &*now.file);
    let mut changes = of_access(started, served, now);
    let later = listeners::compare(started, now, true).into_iter();
    changes.extend(later.map(|text| Change::new(ChangeKind::NeedsRestart, text)));
    let now = shown(now);
    for (before, kind) in [
        (served, ChangeKind::Applied),
        (started, ChangeKind::NeedsRestart),
    ] {
        let mut all = Vec::new();
        compare_tables(&Place::default(), &shown(before), &now, &mut all);
        without_inherited(&mut all);
        changes.extend(all.into_iter().filter(|change| change.kind == kind));
    }
    // Stable: of a kind, what somebody may do comes before the keys that say so.
    changes.sort_by_key(|change| change.kind);
    changes
}

/// What differs between what another process has served and what this one, started since, serves now: all
/// of it holds. In the order of the log.
pub fn changes_at_start(before: &Written, now: &Written) -> Vec<Change> {
    let (before, now) = (&*before.file, &*now.file);
    let mut changes = of_access(now, before, now);
    let plain = listeners::compare(before, now, false).into_iter();
    changes.extend(plain.map(|text| Change::new(ChangeKind::Wider, text)));
    let mut all = Vec::new();
    let place = Place {
        is_start: true,
        ..Place::default()
    };
    compare_tables(&place, &shown(before), &shown(now), &mut all);
    without_inherited(&mut all);
    changes.extend(all);
    changes.sort_by_key(|change| change.kind);
    changes
}

/// Who may do what now and might not before, while the program runs with what it was started with.
fn of_access(started: &File, served: &File, now: &File) -> Vec<Change> {
    let public = public::compare(served, now).into_iter();
    let public = public.map(|text| (ChangeKind::Public, text));
    public
        .chain(client_auth::compare(served, now))
        .chain(operators::compare(started, served, now))
        .chain(addresses::trusted(served, now))
        .chain(wider::compare(served, now))
        .map(|(kind, text)| Change::new(kind, text))
        .collect()
}

/// What changes for all upstreams with `upstream_defaults` is not said again of each.
fn without_inherited(changes: &mut Vec<Change>) {
    let of_all = changes.iter().filter_map(|change| {
        let rest = change.text.strip_prefix("`upstream_defaults")?;
        rest.starts_with('.').then(|| rest.to_owned())
    });
    let of_all: Vec<String> = of_all.collect();
    changes.retain(|change| {
        let is_one = change.text.starts_with("`upstreams.");
        !(is_one && of_all.iter().any(|rest| change.text.ends_with(rest)))
    });
}

/// All keys with their values; routes by what they are for.
fn shown(file: &File) -> Vec<Line> {
    let mut lines = lines(file);
    lines.retain(|line| line.key != ROUTES && line.key != "route");
    let routes = file.all_routes().map(|route| {
        let shown = route.keys.map_or(Shown::None, Kind::shown);
        Line::new(name_of(&route), shown)
    });
    let routes = Shown::Table(routes.collect());
    lines.push(Line::new(ROUTES.to_owned(), routes));
    lines
}

/// Where all routes stand, before they are told apart by what they are for.
const ROUTES: &str = "routes";

/// Where a value stands.
#[derive(Default, Clone)]
struct Place {
    /// The route, if it is one's.
    route: Option<String>,
    path: String,
    needs_restart: bool,
    /// The program has been started since, so that nothing takes a restart.
    is_start: bool,
}

impl Place {
    fn below(&self, line: &Line) -> Self {
        let mut place = self.clone();
        place.needs_restart |= line.needs_restart && !self.is_start;
        if self.path == ROUTES && self.route.is_none() {
            place.route = Some(line.key.to_string());
            place.path.clear();
        } else {
            place.path = super::keys::join(&self.path, &line.key);
        }
        place
    }

    fn change(&self, what: fmt::Arguments<'_>) -> Change {
        let mut text = match &self.route {
            None => format!("`{}`: ", self.path),
            Some(route) if self.path.is_empty() => format!("{route}: "),
            Some(route) => format!("{route}: {} ", self.path),
        };
        let (kind, end) = if self.needs_restart {
            (ChangeKind::NeedsRestart, ", which takes a restart")
        } else {
            (ChangeKind::Applied, "")
        };
        text.push_str(&what.to_string());
        text.push_str(end);
        Change::new(kind, text)
    }
}

fn compare_tables(place: &Place, before: &[Line], now: &[Line], changes: &mut Vec<Change>) {
    let old: HashMap<&str, &Line> = before.iter().map(|line| (&*line.key, line)).collect();
    for line in now {
        let place = place.below(line);
        match old.get(&*line.key) {
            Some(old) => compare(&place, &old.shown, &line.shown, changes),
            None => changes.push(place.change(format_args!("added, {}", line.shown))),
        }
    }
    let now: HashSet<&str> = now.iter().map(|line| &*line.key).collect();
    for line in before.iter().filter(|line| !now.contains(&*line.key)) {
        changes.push(place.below(line).change(format_args!("removed")));
    }
}

fn compare(place: &Place, before: &Shown, now: &Shown, changes: &mut Vec<Change>) {
    match (before, now) {
        (before, now) if before == now => {}
        (
            Shown::Table(before) | Shown::Short(_, before),
            Shown::Table(now) | Shown::Short(_, now),
        ) => compare_tables(place, before, now, changes),
        (Shown::List(before), Shown::List(now)) => {
            if let ([before], [now]) = (&before[..], &now[..]) {
                return compare(place, before, now, changes);
            }
            changes.push(place.change(format_args!("{}", compare_lists(before, now))));
        }
        (Shown::Secret { shown: before, .. }, Shown::Secret { shown: now, .. })
            if before == now =>
        {
            changes.push(if now == "..." {
                place.change(format_args!("changed (its value is not shown)"))
            } else {
                place.change(format_args!("changed, still {now} (the rest is not shown)"))
            });
        }
        _ => changes.push(place.change(format_args!("{before} -> {now}"))),
    }
}

/// What came to a list, what went, and what stayed with other keys beside it.
fn compare_lists(before: &[Shown], now: &[Shown]) -> String {
    let mut removed: Vec<&Shown> = before.iter().filter(|one| !now.contains(one)).collect();
    let mut added: Vec<&Shown> = now.iter().filter(|one| !before.contains(one)).collect();
    if added.is_empty() && removed.is_empty() {
        let [before, now] = [before, now].map(|list| Shown::List(list.to_vec()));
        return format!("{before} -> {now}");
    }
    let mut changes = Vec::new();
    for new in added.clone() {
        let Some((name, lines)) = named(new) else {
            continue;
        };
        let only = |list: &[&Shown]| {
            let is_it = |one: &&Shown| named(one).is_some_and(|(other, _)| other == name);
            let at = list.iter().position(is_it)?;
            (list.iter().rposition(is_it) == Some(at)).then_some(at)
        };
        if let (Some(old_at), Some(new_at)) = (only(&removed), only(&added))
            && let Some((_, old)) = named(removed[old_at])
        {
            let place = Place {
                route: Some(name.to_string()),
                ..Place::default()
            };
            compare_tables(&place, old, lines, &mut changes);
            removed.remove(old_at);
            added.remove(new_at);
        }
    }
    let all = |what: &str, list: &[&Shown]| {
        let names: Vec<_> = list.iter().map(ToString::to_string).collect();
        (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
    };
    let mut parts: Vec<String> = all("added", &added).into_iter().collect();
    parts.extend(changes.into_iter().map(|change| change.text));
    parts.extend(all("removed", &removed));
    parts.join("; ")
}

/// What says which entry of a list it is, and all its lines, where one value alone may be written.
fn named(shown: &Shown) -> Option<(&Shown, &[Line])> {
    let Shown::Short(short, lines) = shown else {
        return None;
    };
    let line = lines.iter().find(|line| line.key == *short)?;
    Some((&line.shown, lines))
}
