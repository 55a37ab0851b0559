//! The keys of each of Kong's entities and plugins that are taken over, by what they take, and those that
//! lose nothing as long as they hold what Kong writes by default. Everything else that is set is listed.

/// What is known of an entity, or of the configuration of a plugin: the names of keys, apart by blanks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub text: &'static str,
    /// Lists of strings.
    pub texts: &'static str,
    /// Whole numbers.
    pub numbers: &'static str,
    pub flags: &'static str,
    /// Lists of tables.
    pub lists: &'static str,
    pub tables: &'static str,
    /// Whatever they hold is looked at where they are read.
    pub any: &'static str,
    /// Keys that lose nothing with this value, which is their default.
    pub defaults: &'static [(&'static str, &'static str)],
}

const NOTHING: Known = Known {
    text: "",
    texts: "",
    numbers: "",
    flags: "",
    lists: "",
    tables: "",
    any: "",
    defaults: &[],
};

/// Keys of all entities, which only describe.
pub(super) const DESCRIBING: [&str; 6] =
    ["id", "name", "tags", "created_at", "updated_at", "ws_id"];

pub(super) const SERVICE: Known = Known {
    text: "url protocol host path",
    numbers: "port connect_timeout read_timeout retries tls_verify_depth",
    flags: "tls_verify enabled",
    lists: "routes plugins",
    any: "ca_certificates client_certificate",
    defaults: &[("write_timeout", "60000")],
    ..NOTHING
};

/// How a request is matched is said in another place.
pub(super) const ROUTE: Known = Known {
    texts: "paths hosts methods protocols",
    flags: "strip_path preserve_host request_buffering response_buffering",
    lists: "plugins",
    any: "service headers snis sources destinations expression",
    defaults: &[
        ("regex_priority", "0"),
        ("path_handling", "\"v0\""),
        ("https_redirect_status_code", "426"),
    ],
    ..NOTHING
};

pub(super) const UPSTREAM: Known = Known {
    text: "algorithm host_header hash_on hash_on_header hash_on_cookie hash_fallback",
    numbers: "slots",
    lists: "targets",
    tables: "healthchecks",
    any: "client_certificate",
    defaults: &[("hash_on_cookie_path", "\"/\""), ("use_srv_name", "false")],
    ..NOTHING
};

pub(super) const HEALTHCHECKS: Known = Known {
    tables: "active passive",
    defaults: &[("threshold", "0")],
    ..NOTHING
};

pub(super) const ACTIVE: Known = Known {
    text: "type http_path",
    numbers: "concurrency",
    tables: "healthy unhealthy",
    // May be a fraction.
    any: "timeout",
    defaults: &[("https_verify_certificate", "true")],
    ..NOTHING
};

pub(super) const PASSIVE: Known = Known {
    text: "type",
    tables: "healthy unhealthy",
    ..NOTHING
};

/// What counts in a check.
pub(super) const COUNTS: Known = Known {
    numbers: "successes http_failures tcp_failures timeouts",
    any: "interval http_statuses",
    ..NOTHING
};

pub(super) const TARGET: Known = Known {
    text: "target",
    numbers: "weight",
    any: "upstream",
    ..NOTHING
};

pub(super) const CONSUMER: Known = Known {
    text: "username custom_id",
    lists: "keyauth_credentials acls plugins groups",
    ..NOTHING
};

pub(super) const KEY: Known = Known {
    text: "key",
    numbers: "ttl",
    any: "consumer",
    ..NOTHING
};

pub(super) const GROUP: Known = Known {
    text: "group",
    any: "consumer",
    ..NOTHING
};

/// A plugin beside its configuration.
pub(super) const PLUGIN: Known = Known {
    text: "instance_name",
    texts: "protocols",
    flags: "enabled",
    tables: "config",
    any: "service route consumer consumer_group",
    ..NOTHING
};

/// The plugins that are taken over.
pub(super) const PLUGINS: [(&str, Known); 10] = [
    (
        "key-auth",
        Known {
            text: "anonymous",
            texts: "key_names",
            flags: "key_in_header key_in_query key_in_body hide_credentials",
            defaults: &[
                ("run_on_preflight", "true"),
                ("identity_realms", "[{\"scope\":\"cp\"}]"),
            ],
            ..NOTHING
        },
    ),
    (
        "acl",
        Known {
            texts: "allow whitelist deny blacklist",
            flags: "hide_groups_header",
            defaults: &[
                ("always_use_authenticated_groups", "false"),
                ("include_consumer_groups", "false"),
            ],
            ..NOTHING
        },
    ),
    (
        "ip-restriction",
        Known {
            texts: "allow whitelist deny blacklist",
            defaults: &[("status", "403")],
            ..NOTHING
        },
    ),
    (
        "rate-limiting",
        Known {
            text: "limit_by policy redis_host redis_username redis_password",
            numbers: "second minute hour day month year redis_port redis_database",
            flags: "redis_ssl redis_ssl_verify",
            tables: "redis",
            defaults: &[
                ("error_code", "429"),
                ("error_message", "\"API rate limit exceeded\""),
                ("fault_tolerant", "true"),
                ("hide_client_headers", "false"),
                ("sync_rate", "-1"),
                ("redis_timeout", "2000"),
            ],
            ..NOTHING
        },
    ),
    (
        "cors",
        Known {
            texts: "origins methods headers exposed_headers",
            numbers: "max_age",
            flags: "credentials preflight_continue",
            defaults: &[
                ("private_network", "false"),
                ("allow_origin_absent", "true"),
            ],
            ..NOTHING
        },
    ),
    ("request-transformer", TRANSFORMER),
    ("response-transformer", TRANSFORMER),
    (
        "request-size-limiting",
        Known {
            text: "size_unit",
            numbers: "allowed_payload_size",
            defaults: &[("require_content_length", "false")],
            ..NOTHING
        },
    ),
    (
        "request-termination",
        Known {
            text: "message body content_type trigger",
            numbers: "status_code",
            defaults: &[("echo", "false")],
            ..NOTHING
        },
    ),
    (
        "correlation-id",
        Known {
            text: "header_name generator",
            flags: "echo_downstream",
            ..NOTHING
        },
    ),
];

const TRANSFORMER: Known = Known {
    tables: "remove rename replace add append",
    ..NOTHING
};

/// What a transformer does of one kind.
pub(super) const CHANGES: Known = Known {
    text: "uri",
    texts: "headers querystring body json json_types",
    ..NOTHING
};

/// The table `redis` of a limit.
pub(super) const REDIS: Known = Known {
    text: "host username password",
    numbers: "port database",
    flags: "ssl ssl_verify",
    defaults: &[
        ("timeout", "2000"),
        ("connect_timeout", "2000"),
        ("read_timeout", "2000"),
        ("send_timeout", "2000"),
        ("cluster_max_redirections", "5"),
        ("keepalive_pool_size", "256"),
        ("sentinel_role", "\"master\""),
        ("connection_is_proxied", "false"),
    ],
    ..NOTHING
};
