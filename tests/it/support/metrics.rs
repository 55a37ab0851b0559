//! What `/metrics` says, as numbers by series.

use std::collections::BTreeMap;

use super::gateway::Gateway;
use super::request::Request;

/// The samples of one scrape, by series as it is written: `name{label="value"}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scrape(pub BTreeMap<String, f64>);

impl Gateway {
    /// Scrapes the gateway that serves.
    pub(crate) fn scrape(&self) -> Scrape {
        let answer = self.ask_admin(Request::get("/metrics"));
        Scrape::parse(&answer.is(200).text())
    }
}

impl Scrape {
    pub(crate) fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            let value = value
                .parse()
                .unwrap_or_else(|_| panic!("a number in {line}"));
            (series.to_owned(), value)
        });
        Self(samples.collect())
    }

    /// A sample; 0 if there is none.
    pub(crate) fn get(&self, series: &str) -> f64 {
        self.0.get(series).copied().unwrap_or(0.0)
    }

    /// The sum of all samples of this name whose labels contain all of these.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let fits = |series: &str| {
            let rest = series.strip_prefix(name);
            let of_name = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
            of_name && labels.iter().all(|label| series.contains(label))
        };
        let fitting = self.0.iter().filter(|(series, _)| fits(series));
        fitting.map(|(_, value)| value).sum()
    }

    /// The series that must not go back, with their values.
    pub(crate) fn counters(&self) -> impl Iterator<Item = (&str, f64)> {
        let grows = |series: &&String| {
            let name = series.split('{').next().unwrap_or_default();
            ["_total", "_bucket", "_count", "_sum"]
                .iter()
                .any(|end| name.ends_with(end))
        };
        let counters = self.0.iter().filter(move |(series, _)| grows(series));
        counters.map(|(series, value)| (series.as_str(), *value))
    }
}
