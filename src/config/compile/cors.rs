//! CORS: which web pages of other origins may call, in all routes or in one.

use std::sync::Arc;

use http::{HeaderName, Method};

use crate::config::file::{CorsKeys, File, RouteKeys};
use crate::config::keys::{List, OrAny};
use crate::config::kinds::AnyField;
use crate::config::problems::{Problem, Problems};
use crate::limit::LimitHeaders;
use crate::message::cors::{Cors, CorsRules};

/// Compiles what is said of CORS.
pub(super) struct Compiler<'f> {
    file: &'f File,
    of_all: Option<Arc<Cors>>,
}

impl<'f> Compiler<'f> {
    /// Compiles what holds where no route says otherwise.
    pub(super) fn new(file: &'f File, problems: &mut Problems) -> Self {
        let of_all = None;
        let compiler = Self { file, of_all };
        let keys = file.access.cors.as_ref();
        Self {
            of_all: keys.map(|keys| compiler.compile(keys, problems)),
            ..compiler
        }
    }

    /// What holds where no route says otherwise.
    pub(super) fn of_all(&self) -> Option<Arc<Cors>> {
        self.of_all.clone()
    }

    /// What holds in a route.
    pub(super) fn of_route(&self, keys: &RouteKeys, problems: &mut Problems) -> Option<Arc<Cors>> {
        match &keys.cors.value {
            None => self.of_all(),
            Some(keys) => keys.0.as_ref().map(|keys| self.compile(keys, problems)),
        }
    }

    fn compile(&self, keys: &CorsKeys, problems: &mut Problems) -> Arc<Cors> {
        if keys.origins.is_empty() {
            let problem = Problem::at(keys.origins.span, "`origins` lists no origin");
            problems.add(problem.label("name one, or leave `cors` out"));
        }
        if *keys.credentials {
            let stars = keys.origins.iter().filter(|origin| origin.0.is_none());
            for star in stars {
                let message = "`credentials` cannot be given to any origin";
                let problem = Problem::at(star.span, message).label("list the origins");
                let help = "any page on the web could act as the person who looks at it";
                problems.add(
                    problem
                        .also(keys.credentials.span, "or leave this out")
                        .help(help),
                );
            }
            for star in keys.expose.iter().filter(|field| field.0.is_none()) {
                let message = "with `credentials` browsers take `*` for the name of a field";
                problems.add(Problem::at(star.span, message).label("list the fields"));
            }
        }
        let origins = keys.origins.iter();
        let methods = keys.methods.iter();
        Arc::new(Cors::new(CorsRules {
            origins: origins
                .map(|it| it.0.as_ref().map(|one| one.0.clone()))
                .collect(),
            credentials: *keys.credentials,
            methods: methods
                .map(|it| it.0.as_ref().map(Method::to_string))
                .collect(),
            headers: names(&keys.headers),
            expose: self.exposed(&keys.expose),
            max_age: keys.max_age.as_secs(),
        }))
    }

    /// The fields that pages may read.
    fn exposed(&self, written: &List<OrAny<AnyField>>) -> Vec<String> {
        let Some(more) = names(written) else {
            return vec!["*".to_owned()];
        };
        let request_id = self.file.server.request_id_header.0.as_str();
        let mut own = vec!["retry-after", "ratelimit", "ratelimit-policy", request_id];
        if matches!(
            *self.file.limits.headers,
            LimitHeaders::Legacy | LimitHeaders::Both
        ) {
            own.extend([
                "x-ratelimit-limit",
                "x-ratelimit-remaining",
                "x-ratelimit-reset",
            ]);
        }
        let mut all: Vec<String> = own.into_iter().map(str::to_owned).chain(more).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The names of a list; nothing if it has any.
fn names(list: &List<OrAny<AnyField>>) -> Option<Vec<String>> {
    let name = |name: &HeaderName| name.as_str().to_owned();
    list.iter()
        .map(|it| it.0.as_ref().map(|it| name(&it.0)))
        .collect()
}
