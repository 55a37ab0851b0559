//! `[upstreams]`, and the upstreams that routes name by their URL.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::file::{BalanceWord, File, RetryKeys, UpstreamRuleKeys};
use crate::config::kinds::{StatusRange, Target};
use crate::config::problems::{Problem, Problems};
use crate::config::source::At;
use crate::config::suggest::closest;
use crate::message::protocol::Scheme;
use crate::route::SentHost;
use crate::tls::Certificate;
use crate::upstream::{
    Balance, BreakerRules, CapacityRules, Endpoint, EndpointUrl, HashBy, RetryRules, Rules,
    Upstream,
};

use super::upstream_tls::UpstreamTls;
use super::{endpoints, health};

/// The upstreams compiled so far.
pub(super) struct Upstreams<'f> {
    pub(super) list: Vec<Arc<Upstream>>,
    /// The `Host` that each gets where a route does not say it.
    pub(super) hosts: Vec<SentHost>,
    /// An upstream with a problem is here all the same, without a place in the list.
    by_name: HashMap<String, Option<usize>>,
    /// Those that routes name by their URL.
    by_url: HashMap<EndpointUrl, usize>,
    /// What services are shown by now.
    certificates: Vec<Arc<Certificate>>,
    /// Whose rules those have.
    defaults: &'f UpstreamRuleKeys,
}

impl<'f> Upstreams<'f> {
    /// Compiles all that have a name, while `running` may show certificates to services.
    pub(super) fn compile(
        file: &'f File,
        running: &[Arc<Upstream>],
        problems: &mut Problems,
    ) -> Self {
        let endpoints = running.iter().flat_map(|one| &one.endpoints);
        let shown = endpoints.filter_map(|one| one.tls.as_ref()?.tls.certificate());
        let certificates: Vec<_> = shown.map(Arc::clone).collect();
        let mut upstreams = Self {
            list: Vec::new(),
            hosts: Vec::new(),
            by_name: HashMap::new(),
            by_url: HashMap::new(),
            certificates: Vec::new(),
            defaults: &file.upstream_defaults,
        };
        check(&file.upstream_defaults, None, file, problems);
        UpstreamTls::compile(&file.upstream_defaults.tls, None, &certificates, problems);
        for (name, keys) in &file.upstreams.0 {
            let place = keys.as_ref().and_then(|keys| {
                let defaults = Some(&*file.upstream_defaults);
                check(&keys.rules, defaults, file, problems);
                let endpoints =
                    endpoints::compile(&keys.endpoints, &keys.rules.tls, &certificates, problems)?;
                Some(upstreams.add(&name.0, endpoints, &keys.rules))
            });
            upstreams.by_name.insert(name.0.clone(), place);
        }
        upstreams.certificates = certificates;
        upstreams
    }

    fn add(&mut self, name: &str, endpoints: Vec<Endpoint>, keys: &UpstreamRuleKeys) -> usize {
        let upstream = Upstream::new(name, endpoints, rules(keys));
        self.list.push(Arc::new(upstream));
        self.hosts.push(keys.host.value.clone());
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
                let span = target.span;
                let https = (url.scheme == Scheme::Https).then_some(span);
                let tls =
                    UpstreamTls::compile(&self.defaults.tls, https, &self.certificates, problems);
                let endpoint = tls.endpoint(At { value: url, span }, problems)?;
                let place = self.add(&url.to_string(), vec![endpoint], self.defaults);
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
                    let host = if text.starts_with(':') {
                        "127.0.0.1"
                    } else {
                        ""
                    };
                    let text = text.trim_start_matches('/');
                    problem.label(format!(
                        "if this is an address, write `http://{host}{text}`"
                    ))
                }
                // A key has no variables.
                None if problems.is_from_environment(target.span) => {
                    problem.help("let the variable hold a URL, or the name of an upstream")
                }
                None => problem.help(format!("add `[upstreams.{text}]`, or write a URL")),
            },
        );
        None
    }
}

/// Refuses to tell requests apart by a field that is removed from them, and checks that cannot be.
fn check(
    keys: &UpstreamRuleKeys,
    defaults: Option<&UpstreamRuleKeys>,
    file: &File,
    problems: &mut Problems,
) {
    if let HashBy::Header(name) = &*keys.hash_by
        && *name == file.access.client_header.0
    {
        let message = format!("`{name}` is removed from requests");
        let problem = Problem::at(keys.hash_by.span, message).label("it is `access.client_header`");
        problems.add(problem.help("write \"client\" for the client's name"));
    }
    health::check(keys, defaults, problems);
}

fn rules(keys: &UpstreamRuleKeys) -> Rules {
    Rules {
        balance: match *keys.balance {
            BalanceWord::LeastRequests => Balance::LeastRequests,
            BalanceWord::RoundRobin => Balance::RoundRobin,
            BalanceWord::Hash => Balance::Hash(keys.hash_by.value.clone()),
        },
        connect_timeout: *keys.connect_timeout,
        try_timeout: keys.try_timeout.0,
        idle_timeout: *keys.idle_timeout,
        max_idle: keys.keep.size(),
        slow_start: keys.slow_start.0,
        breaker: keys.breaker.0.as_ref().map(|breaker| BreakerRules {
            failures: breaker.failures.small(),
            cool_down: breaker.cool_down.0,
            statuses: StatusRange::set(&breaker.statuses),
        }),
        retry: keys.retry.0.as_ref().and_then(retry),
        health: health::rules(keys),
        capacity: keys.max_requests.0.map(|max_requests| CapacityRules {
            max_requests,
            max_waiting: keys.max_waiting.size(),
            queue_timeout: *keys.queue_timeout,
        }),
        proxy_protocol: keys.proxy_protocol.0,
    }
}

/// None without any attempt.
fn retry(keys: &RetryKeys) -> Option<RetryRules> {
    (keys.attempts.0 > 0).then(|| RetryRules {
        attempts: keys.attempts.small(),
        percent: keys.budget.percent.small(),
        per_second: keys.budget.per_second.small(),
        body: usize::try_from(keys.body.0).unwrap_or(usize::MAX),
        statuses: StatusRange::set(&keys.statuses),
    })
}
