//! What is said of metrics beside the program: the documentation, the dashboard for Grafana and the alerts
//! name those that there are, with labels and values that they have, and the documentation all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tollgate::metrics::{
    ClientKind, ClientOutcome, HandshakeOutcome, PolicyOutcome, ReloadOutcome, RetryOutcome,
    StoreOutcome, TryOutcome,
};
use tollgate::pipeline::codes::CODES;
use tollgate::words::Word;

use crate::support::redis::Redis;
use crate::support::{KEY, Request, Shop, Upstream, with_admin};

/// Metrics with their type and the labels that they were seen with.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

fn text(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(file).expect("a file of the repository")
}

/// What a gateway gives out of which everything has been used.
fn given() -> Metrics {
    let redis = Redis::start();
    let more = format!(
        "[limits]\nanonymous = {{ requests = 1000, per = \"1m\" }}\n[limits.redis]\nurl = \"{}\"",
        redis.url()
    );
    let shop = Shop::selling(Upstream::echo(), &with_admin(&more, ""));
    for request in [
        Request::get("/api/inventory/x"),
        Request::get("/api/orders/x").field("x-api-key", KEY),
        Request::get("/nowhere"),
    ] {
        shop.ask(&request);
    }
    let text = shop
        .gateway
        .ask_admin(Request::get("/metrics"))
        .is(200)
        .text();
    let mut metrics = Metrics::new();
    for line in text.lines() {
        if let Some(described) = line.strip_prefix("# TYPE ") {
            let (name, kind) = described.split_once(' ').expect("a name and a type");
            metrics.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
        } else if !line.starts_with('#') {
            let (name, labels) = line.split_once('{').unwrap_or((line, ""));
            let name = name.split(' ').next().unwrap_or_default();
            let Some(of) = known(name, &metrics).and_then(|name| metrics.get_mut(&name)) else {
                panic!("{line} belongs to nothing that is described");
            };
            let labels = labels.rsplit_once('}').map_or("", |(labels, _)| labels);
            let names = labels.split("\",").filter_map(|pair| pair.split_once('='));
            let names = names.map(|(name, _)| name.trim().to_owned());
            of.1.extend(names.filter(|name| name != "le"));
        }
    }
    metrics
}

/// The metric that a name in a query is of: histograms have several.
fn known(name: &str, metrics: &Metrics) -> Option<String> {
    if metrics.contains_key(name) {
        return Some(name.to_owned());
    }
    let mut ends = ["_bucket", "_count", "_sum"].into_iter();
    ends.find_map(|end| {
        let name = name.strip_suffix(end)?;
        let (kind, _) = metrics.get(name)?;
        (kind == "histogram").then(|| name.to_owned())
    })
}

/// Words of a text that look like a metric's name.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("tollgate_") || word.starts_with("process_"))
        .collect()
}

const FILES: [&str; 4] = [
    "docs/metrics.md",
    "dashboards/grafana.json",
    "dashboards/alerts.yml",
    "dashboards/alerts_test.yml",
];

#[test]
fn every_metric_is_documented_and_none_is_named_that_is_not_there() {
    let metrics = given();
    assert!(metrics.len() > 25, "{metrics:?}");
    for file in FILES {
        let text = text(file);
        let names = names(&text);
        assert!(names.len() > 10, "{file}: {names:?}");
        for name in names {
            assert!(known(name, &metrics).is_some(), "{file} has {name}");
        }
    }
    let docs = text("docs/metrics.md");
    for (name, (kind, labels)) in &metrics {
        let (said_kind, said) = documented(&docs, name);
        assert_eq!(said_kind, kind, "{name}");
        for label in labels {
            assert!(
                said.contains(label),
                "{name} has {label}, the documentation {said:?}"
            );
        }
    }
}

/// The type and the labels of a metric, as the documentation has them.
fn documented<'d>(docs: &'d str, name: &str) -> (&'d str, BTreeSet<String>) {
    let row = docs
        .lines()
        .find(|line| line.starts_with(&format!("| `{name}` |")));
    let row = row.unwrap_or_else(|| panic!("docs/metrics.md has no row for {name}"));
    let cells: Vec<_> = row.split(" | ").collect();
    let labels = cells[2].trim_matches('|').split(", ");
    let labels = labels.map(|it| it.trim().trim_matches('`').to_owned());
    (cells[1], labels.filter(|it| !it.is_empty()).collect())
}

/// A condition of a query: a label, and the values that are named, which may be patterns.
type Condition = (String, Vec<String>);

/// The metrics of a text with their conditions, `name{label="value"}`.
fn selectors(text: &str) -> Vec<(String, Vec<Condition>)> {
    // As in the strings of JSON and the tables of Markdown.
    let text = text.replace("\\\"", "\"").replace("\\|", "|");
    let mut all = Vec::new();
    for (at, _) in text.match_indices('{') {
        let before = &text[..at];
        let begin = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let name = &before[begin.map_or(0, |begin| begin + 1)..];
        if names(name).is_empty() {
            continue;
        }
        let conditions = text[at + 1..].split('}').next().unwrap_or_default();
        let conditions = conditions.split(',').map(|condition| {
            let (label, value) = condition.split_once('"').expect("a value in quotes");
            let label = label.trim().trim_end_matches(['=', '!', '~']).to_owned();
            let values = value.trim_end_matches('"').split('|').map(str::to_owned);
            (label, values.collect())
        });
        all.push((name.to_owned(), conditions.collect()));
    }
    all
}

fn words<W: Word>() -> Vec<&'static str> {
    W::ALL.iter().map(|(word, _)| *word).collect()
}

/// What a label of a metric can be, if that is a list.
fn values(metric: &str, label: &str) -> Option<Vec<&'static str>> {
    Some(match (metric, label) {
        (_, "code") => CODES.to_vec(),
        (_, "client_kind") => words::<ClientKind>(),
        (_, "side") => vec!["client", "upstream"],
        (_, "protocol") => vec!["http", "https"],
        ("tollgate_client_requests_total", "outcome") => words::<ClientOutcome>(),
        ("tollgate_rate_limit_decisions_total", "outcome") => words::<PolicyOutcome>(),
        ("tollgate_upstream_requests_total", "outcome") => words::<TryOutcome>(),
        ("tollgate_retries_total", "outcome") => words::<RetryOutcome>(),
        ("tollgate_limit_store_calls_total", "outcome") => words::<StoreOutcome>(),
        ("tollgate_tls_handshakes_total", "outcome") => words::<HandshakeOutcome>(),
        ("tollgate_config_reloads_total", "outcome") => words::<ReloadOutcome>(),
        (metric, "outcome") => panic!("which outcomes has {metric}?"),
        _ => return None,
    })
}

/// A status as the label has it, or a class of them as a pattern.
fn is_status(value: &str) -> bool {
    value == "other"
        || value.len() == 3
            && value.starts_with(|c| ('1'..='5').contains(&c))
            && value[1..].chars().all(|c| c.is_ascii_digit() || c == '.')
}

#[test]
fn queries_name_labels_and_values_that_there_are() {
    let docs = text("docs/metrics.md");
    let metrics: Metrics = names(&docs)
        .into_iter()
        .filter(|name| docs.contains(&format!("| `{name}` |")))
        .map(|name| {
            let (kind, labels) = documented(&docs, name);
            (name.to_owned(), (kind.to_owned(), labels))
        })
        .collect();
    let mut all_labels: BTreeSet<_> = ["job", "instance", "le"].map(str::to_owned).into();
    all_labels.extend(metrics.values().flat_map(|(_, labels)| labels.clone()));
    let mut conditions_seen = 0;
    for file in FILES {
        let text = text(file);
        for (name, conditions) in selectors(&text) {
            let metric = known(&name, &metrics).expect("every name is known, says another test");
            for (label, said) in conditions {
                let of_prometheus = ["job", "instance"].contains(&&*label)
                    || label == "le" && name.ends_with("_bucket");
                let is_there = of_prometheus || metrics[&metric].1.contains(&label);
                assert!(is_there, "{file}: {name} has no label {label}");
                let list = values(&metric, &label);
                for value in said.iter().filter(|value| !value.contains('$')) {
                    let fits = match (&list, &*label) {
                        (Some(list), _) => list.contains(&&**value),
                        (None, "status") => is_status(value),
                        (None, _) => true,
                    };
                    assert!(fits, "{file}: {label} of {name} is never {value}");
                    conditions_seen += 1;
                }
            }
        }
        for (begin, end) in [("by (", ')'), ("{{ $labels.", '}'), ("{{", '}')] {
            for (at, _) in text.match_indices(begin) {
                let words = text[at + begin.len()..].split(end).next();
                let words = words.unwrap_or_default().split(',').map(str::trim);
                for label in words.filter(|word| !word.starts_with('$')) {
                    assert!(all_labels.contains(label), "{file}: no metric has {label}");
                }
            }
        }
    }
    assert!(conditions_seen > 50, "{conditions_seen}");
}

#[test]
fn conditions_of_queries_are_read() {
    let found =
        selectors(r#"sum(tollgate_x_total{job=~\"$job\",outcome!~\"a\|b\"}) + other{c="d"}"#);
    let condition = |label: &str, values: &[&str]| {
        let values = values.iter().map(ToString::to_string).collect();
        (label.to_owned(), values)
    };
    let conditions = vec![
        condition("job", &["$job"]),
        condition("outcome", &["a", "b"]),
    ];
    assert_eq!(found, [("tollgate_x_total".to_owned(), conditions)]);
}
