//! `[upstreams]`, and the upstreams that routes name by their URL.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::file::{UpstreamKeys, UpstreamRuleKeys};
use crate::config::keys::{Kind, Map};
use crate::config::kinds::{Name, Target};
use crate::config::problems::{Problem, Problems};
use crate::config::source::At;
use crate::config::suggest::closest;
use crate::upstream::{Endpoint, EndpointUrl, Rules, Upstream};

/// The upstreams compiled so far.
pub(super) struct Upstreams {
    pub(super) list: Vec<Arc<Upstream>>,
    /// An upstream with a problem is here all the same, without a place in the list.
    by_name: HashMap<String, Option<usize>>,
    /// Those that routes name by their URL.
    by_url: HashMap<EndpointUrl, usize>,
}

impl Upstreams {
    pub(super) fn compile(written: &Map<Name, UpstreamKeys>, problems: &mut Problems) -> Self {
        let mut upstreams = Self {
            list: Vec::new(),
            by_name: HashMap::new(),
            by_url: HashMap::new(),
        };
        for (name, keys) in &written.0 {
            let place = keys.as_ref().and_then(|keys| {
                let (message, help) = match &keys.endpoints[..] {
                    [only] => return Some(upstreams.add(&name.0, &only.url, &keys.rules)),
                    [] => ("an upstream has one endpoint", "write its URL"),
                    _ => (
                        "more than one endpoint is not supported yet",
                        "name one, such as the address of a load balancer",
                    ),
                };
                problems.add(Problem::at(keys.endpoints.span, message).help(help));
                None
            });
            upstreams.by_name.insert(name.0.clone(), place);
        }
        upstreams
    }

    fn add(&mut self, name: &str, url: &EndpointUrl, rules: &UpstreamRuleKeys) -> usize {
        self.list.push(Arc::new(Upstream {
            name: name.into(),
            endpoints: vec![Endpoint::new(url.clone())],
            rules: Rules {
                connect_timeout: *rules.connect_timeout,
                idle_timeout: *rules.idle_timeout,
                max_idle: rules.keep.size(),
                ..Rules::default()
            },
        }));
        self.list.len() - 1
    }

    /// The place of the upstream that a route names, or of the one that it gives the URL of.
    pub(super) fn find(&mut self, target: At<&Target>, problems: &mut Problems) -> Option<usize> {
        let text = match target.value {
            Target::Name(name) => name,
            Target::Url(url) => {
                if let Some(place) = self.by_url.get(url) {
                    return Some(*place);
                }
                let rules = UpstreamRuleKeys::absent(target.span)?;
                let place = self.add(&url.to_string(), url, &rules);
                self.by_url.insert(url.clone(), place);
                return Some(place);
            }
        };
        if let Some(place) = self.by_name.get(text) {
            return *place;
        }
        let problem = Problem::at(target.span, format!("there is no upstream `{text}`"));
        problems.add(
            match closest(text, self.by_name.keys().map(String::as_str)) {
                Some(meant) => problem.label(format!("did you mean `{meant}`?")),
                None if text.contains([':', '/', '.']) => {
                    problem.label(format!("if this is an address, write `http://{text}`"))
                }
                None => problem.help(format!("add `[upstreams.{text}]`, or write a URL")),
            },
        );
        None
    }
}
