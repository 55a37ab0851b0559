//! The address of a Redis as the configuration writes it: what stands in a URL, and what is wrong
//! with one. No error repeats the URL, for it may hold a password.

use std::fmt;
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

use ::redis::{ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct HostPort {
    pub host: String,
    pub port: u16,
}

impl HostPort {
    /// Parses `host:port`, in which IPv6 needs no brackets. An empty host is the one that said
    /// this, `asked`.
    pub(super) fn parse(text: &str, asked: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        Self::new(host, port.parse().ok()?, asked)
    }

    /// Makes one of what a node says of another. Nodes write `?` for a name they don't know.
    pub(super) fn new(host: &str, port: u16, asked: &str) -> Option<Self> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let host = match host {
            "" => asked,
            "?" => return None,
            host => host,
        };
        Some(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Where the server of a URL listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Tcp(HostPort),
    /// A socket of this machine.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// An address, and what to say there first. Holds a password: its `Debug` shows the address only.
#[derive(Clone)]
pub struct RedisUrl {
    pub(super) address: Address,
    pub(super) login: RedisConnectionInfo,
    pub(super) is_tls: bool,
}

impl RedisUrl {
    /// Parses `redis://[user:password@]host[:port][/database]`, `rediss://` for TLS, or
    /// `unix:///path[?db=database]`.
    ///
    /// # Errors
    ///
    /// The text is not such a URL.
    pub fn parse(url: &str) -> Result<Self, InvalidRedisUrl> {
        let Some((scheme, rest)) = url.split_once("://") else {
            let is_path = url.starts_with('/');
            return Err(if is_path {
                InvalidRedisUrl::Path
            } else {
                InvalidRedisUrl::NoScheme
            });
        };
        let is_tls = match scheme {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            "unix" | "redis+unix" | "valkey+unix" => return Self::socket(rest),
            scheme if scheme.contains("sentinel") || scheme.contains("cluster") => {
                return Err(InvalidRedisUrl::Several);
            }
            _ => return Err(InvalidRedisUrl::Scheme),
        };
        let server = check_login(rest)?;
        // The redis crate reads options there, such as `#insecure`, which would be ignored here.
        match server.find(['#', '?']).map(|at| &server[at..=at]) {
            Some("#") => return Err(InvalidRedisUrl::Fragment),
            Some(_) => return Err(InvalidRedisUrl::Options),
            None => {}
        }
        // TLS is ours, so that the crate is built without.
        let parsed = format!("redis://{rest}");
        let parsed = parsed.as_str().into_connection_info();
        let parsed = parsed.map_err(|_| wrong_part(server))?;
        let ConnectionAddr::Tcp(host, port) = parsed.addr() else {
            return Err(InvalidRedisUrl::Scheme);
        };
        let login = parsed.redis_settings().clone();
        if login.db() < 0 {
            return Err(InvalidRedisUrl::Database);
        }
        Ok(Self {
            address: Address::Tcp(HostPort {
                host: host.clone(),
                port: *port,
            }),
            login,
            is_tls,
        })
    }

    /// Takes a path and perhaps a database. User and password stand beside the URL: what else is in
    /// it is shown.
    fn socket(rest: &str) -> Result<Self, InvalidRedisUrl> {
        let (path, database) = match rest.split_once("?db=") {
            Some((path, database)) => (path, database.parse::<u32>().ok()),
            None => (rest, Some(0)),
        };
        // Programs differ in how they read these.
        let is_plain = path.starts_with('/') && !path.contains(['?', '#', '%', '@']);
        let fits = SocketAddr::from_pathname(Path::new(path)).is_ok();
        if is_plain && !fits {
            return Err(InvalidRedisUrl::LongPath);
        }
        let database = database.filter(|_| is_plain);
        let login = RedisConnectionInfo::default();
        Ok(Self {
            address: Address::Unix(path.into()),
            login: login.set_db(database.ok_or(InvalidRedisUrl::Socket)?.into()),
            is_tls: false,
        })
    }

    /// Whether the URL goes over TLS.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Whether it has a user or a password.
    pub fn has_login(&self) -> bool {
        self.login.username().is_some() || self.login.password().is_some()
    }

    /// The same with another login. An empty password is none, and then there is no user either.
    pub fn with_login(mut self, username: Option<&str>, password: &str) -> Self {
        if password.is_empty() {
            return self;
        }
        if let Some(username) = username {
            self.login = self.login.set_username(username);
        }
        self.login = self.login.set_password(password);
        self
    }

    /// Whether it says the same of users and databases as another, or leaves it to that one.
    pub(super) fn agrees_with(&self, first: &Self) -> bool {
        let same_login = self.login.username() == first.login.username()
            && self.login.password() == first.login.password();
        let db = self.login.db();
        self.is_tls == first.is_tls
            && (!self.has_login() || same_login)
            && (db == 0 || db == first.login.db())
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({})", self.address)
    }
}

/// Looks for what ends a URL's user or password too early, and returns what follows on them.
fn check_login(rest: &str) -> Result<&str, InvalidRedisUrl> {
    let Some((login, server)) = rest.rsplit_once('@') else {
        return Ok(rest);
    };
    match login.chars().find(|c| "/?#[]\\".contains(*c)) {
        Some(found) => Err(InvalidRedisUrl::Character(found)),
        // No server takes it, and most who write it mean the password. An empty password is none, and
        // may be a variable's.
        None if !login.is_empty() && !login.contains(':') => Err(InvalidRedisUrl::UserAlone),
        None => Ok(server),
    }
}

/// Which part of `host[:port][/database]` is wrong.
fn wrong_part(server: &str) -> InvalidRedisUrl {
    let (authority, database) = server.split_once('/').unwrap_or((server, ""));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, ""),
    };
    if authority.contains(',') {
        InvalidRedisUrl::Several
    } else if host.is_empty() {
        InvalidRedisUrl::NoHost
    } else if host.contains(':') && !host.starts_with('[') {
        InvalidRedisUrl::Brackets
    } else if !port.is_empty() && port.parse::<u16>().is_err() {
        InvalidRedisUrl::Port
    } else if !database.is_empty() && database.parse::<u32>().is_err() {
        InvalidRedisUrl::Database
    } else {
        InvalidRedisUrl::Host
    }
}

/// Which part of a text is not one of a URL of Redis, and what to write. Does not repeat it: it may hold
/// a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum InvalidRedisUrl {
    #[error(
        "the scheme is missing: write `redis://` in front of host and port, or `rediss://` for TLS"
    )]
    NoScheme,
    #[error("this is a path: write `unix://` in front of it")]
    Path,
    #[error(
        "this is not a scheme of Redis: write `redis://`, `rediss://` for TLS, or `unix://` for a socket"
    )]
    Scheme,
    #[error(
        "one URL names one server: write a list of URLs, and `mode = \"sentinel\"` or `mode = \"cluster\"`"
    )]
    Several,
    #[error(
        "`{0}` is in the user or the password: write `%{code:02X}`, or put it into `password` beside the URL, as it is",
        code = u32::from(*.0)
    )]
    Character(char),
    #[error(
        "a user alone is no login: if it is the password, write `:` in front of it, or write `username` and `password` beside the URL"
    )]
    UserAlone,
    #[error("options behind `?` are not read: the keys of `limits.redis` are")]
    Options,
    #[error("what is behind `#` is not read: for TLS write `rediss://`")]
    Fragment,
    #[error("the host is missing, as in `redis://localhost:6379`")]
    NoHost,
    #[error("an IPv6 address stands in brackets, as in `redis://[::1]:6379`")]
    Brackets,
    #[error("what is in the place of the host is neither a name nor an address to connect to")]
    Host,
    #[error("the port is a number from 1 to 65535, as in `redis://localhost:6379`")]
    Port,
    #[error("what follows the `/` is the number of a database, as in `redis://localhost:6379/2`")]
    Database,
    #[error(
        "a socket is written `unix:///path`, or `unix:///path?db=2`, with the user and the password beside it in `username` and `password`"
    )]
    Socket,
    #[error("the path is longer than that of a socket can be, 107 bytes")]
    LongPath,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let url = RedisUrl::parse("redis://user:p%40ss@redis.example:6380/3").unwrap();
        assert_eq!(url.address.to_string(), "redis.example:6380");
        assert_eq!(url.login.username(), Some("user"));
        assert_eq!(url.login.password(), Some("p@ss"));
        assert_eq!(url.login.db(), 3);
        assert!(!url.is_tls());

        let url = RedisUrl::parse("rediss://[::1]").unwrap();
        assert_eq!(url.address.to_string(), "[::1]:6379");
        assert_eq!(url.login.password(), None);
        assert!(url.is_tls());
    }

    #[test]
    fn a_socket_has_a_path_and_perhaps_a_database() {
        for (url, db) in [
            ("unix:///run/redis/redis.sock", 0),
            ("redis+unix:///run/redis/redis.sock?db=3", 3),
        ] {
            let url = RedisUrl::parse(url).unwrap();
            assert_eq!(url.address.to_string(), "/run/redis/redis.sock");
            assert_eq!(url.login.db(), db);
            assert!(!url.is_tls() && !url.has_login());
        }
    }

    #[test]
    fn a_login_beside_the_url_is_like_one_in_it() {
        for (user, password, login) in [
            (None, "a/b#c?d%41", ":a%2Fb%23c%3Fd%2541@"),
            (Some("u@"), "p", "u%40:p@"),
            (Some("u"), "", ""),
        ] {
            let url = |login| RedisUrl::parse(&format!("redis://{login}h/2")).unwrap();
            let beside = url("").with_login(user, password);
            assert_eq!(beside.has_login(), !login.is_empty());
            assert!(beside.agrees_with(&url(login)) && url(login).agrees_with(&beside));
        }
    }

    #[test]
    fn the_password_is_never_shown() {
        let url = RedisUrl::parse("redis://user:hunter2@localhost").unwrap();
        assert_eq!(format!("{url:?}"), "RedisUrl(localhost:6379)");
    }

    #[test]
    fn the_part_that_is_wrong_is_said() {
        use InvalidRedisUrl as Is;
        for (url, why) in [
            ("localhost:6379", Is::NoScheme),
            ("redis:localhost", Is::NoScheme),
            ("/run/redis.sock", Is::Path),
            ("http://localhost", Is::Scheme),
            ("redis+sentinel://localhost/mymaster", Is::Several),
            ("redis://a:6379,b:6379", Is::Several),
            ("redis://:p#ss@localhost/0", Is::Character('#')),
            ("redis://u:a/b@localhost", Is::Character('/')),
            ("redis://u?:p@localhost", Is::Character('?')),
            ("redis://hunter2@localhost", Is::UserAlone),
            ("redis://localhost?protocol=3", Is::Options),
            ("redis://u:p@localhost/0?db=1", Is::Options),
            ("rediss://localhost/#insecure", Is::Fragment),
            ("redis://", Is::NoHost),
            ("redis://:6379", Is::NoHost),
            ("redis://u:p@/0", Is::NoHost),
            ("redis://::1:6379", Is::Brackets),
            ("redis://0.0.0.0:6379", Is::Host),
            ("redis://local host", Is::Host),
            ("redis://localhost:port", Is::Port),
            ("redis://localhost:66000/0", Is::Port),
            ("redis://[::1]:x", Is::Port),
            ("redis://localhost/first", Is::Database),
            ("redis://localhost/-1", Is::Database),
            ("redis://localhost:1/0/1", Is::Database),
            ("unix://", Is::Socket),
            ("unix://run/redis.sock", Is::Socket),
            ("unix://:hunter2@/run/redis.sock", Is::Socket),
            ("unix:///run/redis.sock?pass=hunter2", Is::Socket),
            ("unix:///run/redis.sock?db=1&pass=hunter2", Is::Socket),
            ("unix:///run/redis.sock?db=-1", Is::Socket),
            ("unix:///run/redis%2esock", Is::Socket),
        ] {
            assert_eq!(RedisUrl::parse(url).unwrap_err(), why, "{url}");
            assert!(!why.to_string().contains("hunter2"));
        }
        let too_long = format!("unix:///{}", "a".repeat(108));
        assert_eq!(RedisUrl::parse(&too_long).unwrap_err(), Is::LongPath);
        let said = Is::Character('#').to_string();
        assert!(said.contains("`#`") && said.contains("`%23`"), "{said}");
        for good in [
            "redis://@h",
            "redis://:@h",
            "redis://h/",
            "redis://u:p@ss@h",
        ] {
            assert!(RedisUrl::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn nodes_name_each_other() {
        let parse = |text| HostPort::parse(text, "asked").map(|address| address.to_string());
        assert_eq!(parse("10.0.0.1:7000").as_deref(), Some("10.0.0.1:7000"));
        assert_eq!(parse("::1:7000").as_deref(), Some("[::1]:7000"));
        assert_eq!(parse(":7000").as_deref(), Some("asked:7000"));
        assert_eq!(parse("?:7000"), None);
        assert_eq!(parse("host:port"), None);
        assert_eq!(parse("host"), None);
    }
}
