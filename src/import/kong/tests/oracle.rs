//! Whatever stands in Kong's file: who is refused there is not let in here. Kong is a model of its router
//! and of a few plugins; here the very plan is asked that the gateway carries out.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::config::{self, Format};
use crate::import::Source;
use crate::import::kong::kong;
use crate::pipeline::explain::Question;

/// Who is let in by the plugins of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Open,
    Key,
    Staff,
    Nobody(&'static str),
    KeyByField,
}

const RULES: [Rule; 9] = [
    Rule::Open,
    Rule::Open,
    Rule::Key,
    Rule::Key,
    Rule::Staff,
    Rule::KeyByField,
    Rule::Nobody("{name: jwt}"),
    Rule::Nobody("{name: ip-restriction, config: {allow: [10.0.0.0/8]}}"),
    Rule::Nobody("{name: request-termination}"),
];

type Matches = fn(&str) -> bool;

/// Paths as Kong writes them, and whether a request's path is one.
const PATHS: [(&str, Matches); 8] = [
    ("", |_| true),
    ("/", |path| path.starts_with('/')),
    ("/a", |path| path.starts_with("/a")),
    ("/a/", |path| path.starts_with("/a/")),
    ("/a/b", |path| path.starts_with("/a/b")),
    ("/a/b/c", |path| path.starts_with("/a/b/c")),
    ("/a-b", |path| path.starts_with("/a-b")),
    ("~/a/[bx]/c$", |path| matches!(path, "/a/b/c" | "/a/x/c")),
];

#[derive(Debug, Clone)]
struct KongRoute {
    hosts: Vec<&'static str>,
    methods: Vec<&'static str>,
    path: usize,
    rule: Rule,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    host: &'static str,
    method: &'static str,
    path: &'static str,
    key: Option<&'static str>,
    has_field: bool,
}

impl KongRoute {
    fn matches(&self, asked: &Asked) -> bool {
        let host = |own: &&str| match own.strip_prefix('*') {
            Some(parent) => asked.host.ends_with(parent),
            None => *own == asked.host,
        };
        (self.hosts.is_empty() || self.hosts.iter().any(host))
            && (self.methods.is_empty() || self.methods.contains(&asked.method))
            && PATHS[self.path].1(asked.path)
            && (self.rule != Rule::KeyByField || asked.has_field)
    }

    /// What both of its routers go by, the later ones in different orders.
    fn is_before(&self, other: &Self) -> bool {
        let facts = |route: &Self| {
            let path = PATHS[route.path].0;
            let header = route.rule == Rule::KeyByField;
            let given = [
                !route.hosts.is_empty(),
                header,
                !path.is_empty(),
                !route.methods.is_empty(),
            ];
            let plain = given[0] && !route.hosts.iter().any(|host| host.contains('*'));
            let regex = path.starts_with('~');
            let length = if regex { 0 } else { path.len() };
            (
                given.iter().filter(|it| **it).count(),
                given,
                plain,
                header,
                regex,
                length,
            )
        };
        let (one, two) = (facts(self), facts(other));
        let compatible =
            |it: &(usize, [bool; 4], bool, bool, bool, usize)| (it.0, it.2, it.3, it.4, it.5);
        let traditional =
            |it: &(usize, [bool; 4], bool, bool, bool, usize)| (it.0, it.1, it.2, it.4, it.3, it.5);
        compatible(&one) > compatible(&two) && traditional(&one) > traditional(&two)
    }

    fn lets_in(&self, asked: &Asked) -> bool {
        match self.rule {
            Rule::Open => true,
            Rule::Key | Rule::KeyByField => asked.key.is_some(),
            Rule::Staff => asked.key == Some("staff-key"),
            Rule::Nobody(_) => false,
        }
    }
}

fn file(routes: &[KongRoute]) -> String {
    let mut text = "services:\n- name: s\n  url: http://127.0.0.1:9\n  routes:\n".to_owned();
    for (n, route) in routes.iter().enumerate() {
        let list = |values: &[&str]| format!("{values:?}");
        let path = PATHS[route.path].0;
        let paths = if path.is_empty() {
            list(&[])
        } else {
            list(&[path])
        };
        let plugins = match route.rule {
            Rule::Open => "",
            Rule::Key | Rule::KeyByField => "{name: key-auth}",
            Rule::Staff => "{name: key-auth}, {name: acl, config: {allow: [staff]}}",
            Rule::Nobody(plugin) => plugin,
        };
        let headers = if route.rule == Rule::KeyByField {
            "{x-a: [b]}"
        } else {
            "{}"
        };
        let _ = writeln!(
            text,
            "  - {{name: r{n}, hosts: {}, methods: {}, paths: {paths}, headers: {headers}, plugins: [{plugins}]}}",
            list(&route.hosts),
            list(&route.methods),
        );
    }
    text.push_str("consumers:\n- {username: staff, keyauth_credentials: [{key: staff-key}], acls: [{group: staff}]}\n- {username: app, keyauth_credentials: [{key: app-key}]}\n");
    text
}

fn some_route() -> impl Strategy<Value = KongRoute> {
    let hosts = vec!["a.test", "b.test", "x.a.test", "*.a.test", "*.x.a.test"];
    let hosts = prop_oneof![2 => Just(Vec::new()), 3 => subsequence(hosts, 1..=2)];
    let methods =
        prop_oneof![2 => Just(Vec::new()), 1 => subsequence(vec!["GET", "HEAD", "POST"], 1..=2)];
    (hosts, methods, 0..PATHS.len(), select(RULES.to_vec())).prop_map(
        |(hosts, methods, path, rule)| KongRoute {
            hosts,
            methods,
            path,
            rule,
        },
    )
}

fn requests() -> impl Iterator<Item = Asked> {
    let hosts = [
        "a.test",
        "b.test",
        "x.a.test",
        "y.a.test",
        "q.x.a.test",
        "c.test",
    ];
    let paths = [
        "/", "/z", "/a", "/a/z", "/a/b", "/a/b/z", "/a/b/c", "/a/b/c/z", "/a/x/c", "/a-b", "/a-b/z",
    ];
    let keys = [None, Some("app-key"), Some("staff-key")];
    let all = hosts
        .into_iter()
        .flat_map(move |host| paths.map(|path| (host, path)));
    let all = all.flat_map(|it| ["GET", "HEAD", "POST", "PUT"].map(|method| (it, method)));
    all.flat_map(move |((host, path), method)| {
        keys.into_iter().flat_map(move |key| {
            [false, true].map(|has_field| Asked {
                host,
                method,
                path,
                key,
                has_field,
            })
        })
    })
}

/// Whether it was listed that Kong closes this by the beginning of a segment, by a wildcard for
/// several labels of a host, or by a path that another one has only below its slash.
fn is_listed(left_out: &[String], asked: &Asked) -> bool {
    let quoted = |said: &str, before: &str| {
        let (_, rest) = said.split_once(before)?;
        rest.split('`').next().map(str::to_owned)
    };
    left_out.iter().any(|said| {
        let path = quoted(said, "paths that only begin like `").is_some_and(|prefix| {
            let rest = asked.path.strip_prefix(&*prefix);
            rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        });
        let host = quoted(said, "in the place of the `*` in `*").is_some_and(|parent| {
            let rest = asked.host.strip_suffix(&*parent);
            rest.is_some_and(|rest| rest.contains('.'))
        });
        let itself = quoted(said, "requests for `").is_some_and(|prefix| prefix == asked.path);
        path || host || itself
    })
}

fn check(routes: &[KongRoute]) -> Result<(), TestCaseError> {
    let text = file(routes);
    let source = Source {
        name: "kong.yml",
        text: &text,
    };
    let imported = kong(source).expect("a file of Kong's");
    let files =
        &|_: &std::path::Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound).into());
    let environment = &|_: &str| Err(std::env::VarError::NotPresent);
    let loaded = config::parse("k.toml", &imported.toml, Format::Toml, environment, files);
    let loaded = loaded
        .unwrap_or_else(|problems| panic!("{text}{}{}", imported.toml, problems.render(false)));
    for asked in requests() {
        let matching = || {
            routes
                .iter()
                .enumerate()
                .filter(|(_, route)| route.matches(&asked))
        };
        let may_win =
            |(_, route): &(usize, &KongRoute)| !matching().any(|(_, other)| other.is_before(route));
        let Some((n, closed)) = matching()
            .filter(may_win)
            .find(|(_, route)| !route.lets_in(&asked))
        else {
            continue;
        };
        let mut headers: Vec<String> = asked
            .key
            .map(|key| format!("apikey: {key}"))
            .into_iter()
            .collect();
        headers.extend(asked.has_field.then(|| "x-a: b".to_owned()));
        let answer = Question {
            method: asked.method,
            url: &format!("http://{}{}", asked.host, asked.path),
            client: None,
            certificate: None,
            headers: &headers,
            from: IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
        .answer(&loaded.snapshot)
        .expect("a question");
        if answer.sends.is_some() {
            prop_assert!(
                is_listed(&imported.left_out, &asked),
                "{asked:?} is let in, and {closed:?} (r{n}) does not\n{text}\n{}\n{:#?}",
                imported.toml,
                imported.left_out
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 300, ..ProptestConfig::with_cases(30) })]

    #[test]
    fn who_is_refused_there_is_not_let_in_here(routes in prop::collection::vec(some_route(), 1..7)) {
        check(&routes)?;
    }
}
