//! What is said of metrics beside the program: the documentation, the dashboard for Grafana and the alerts
//! name those that there are, and the documentation all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

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

#[test]
fn every_metric_is_documented_and_none_is_named_that_is_not_there() {
    let metrics = given();
    assert!(metrics.len() > 25, "{metrics:?}");
    for file in [
        "docs/metrics.md",
        "dashboards/grafana.json",
        "dashboards/alerts.yml",
        "dashboards/alerts_test.yml",
    ] {
        let text = text(file);
        let names = names(&text);
        assert!(names.len() > 10, "{file}: {names:?}");
        for name in names {
            assert!(known(name, &metrics).is_some(), "{file} has {name}");
        }
    }
    let docs = text("docs/metrics.md");
    for (name, (kind, labels)) in &metrics {
        let row = docs
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/metrics.md has no row for {name}"));
        let cells: Vec<_> = row.split(" | ").collect();
        assert_eq!(cells[1], kind, "{name}");
        let said = cells[2].trim_matches('|').split(", ");
        let said: BTreeSet<_> = said
            .map(|it| it.trim().trim_matches('`').to_owned())
            .collect();
        for label in labels {
            assert!(
                said.contains(label),
                "{name} has {label}, the documentation {said:?}"
            );
        }
    }
}
