//! `[limits.redis]`.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::kinds::word;
use crate::config::problems::Problems;
use crate::config::reader::{Read, Table, Wrong};
use crate::config::source::At;
use crate::config::tree::Value;
use crate::limit::{Lease, OnFailure};

const URL: &str = "an address such as \"redis://127.0.0.1:6379\"";

/// The store that gateways share.
pub(in crate::config) struct RedisTable {
    /// One, or a list. Absent only if what stands there has been complained about.
    pub url: Option<At<Vec<At<String>>>>,
    pub mode: Option<At<RedisMode>>,
    pub master: Option<At<String>>,
    pub on_failure: Option<At<OnFailure>>,
    pub deadline: Option<At<Duration>>,
    pub key_prefix: Option<At<String>>,
    pub lease: Option<At<Lease>>,
    pub ca: Option<At<PathBuf>>,
    pub cert: Option<At<PathBuf>>,
    pub key: Option<At<PathBuf>>,
    pub pem: Pem,
}

/// What the files hold that [`RedisTable`] names, once they have been read.
#[derive(Default)]
pub(in crate::config) struct Pem {
    pub ca: Option<At<String>>,
    pub cert: Option<At<String>>,
    pub key: Option<At<String>>,
}

/// What stands behind Redis' address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum RedisMode {
    Single,
    Sentinel,
    Cluster,
}

impl RedisTable {
    pub(super) fn read(mut table: Table, problems: &mut Problems) -> Self {
        let redis = Self {
            url: table.require_one_or_more("url", URL, problems),
            mode: table.read("mode", problems),
            master: table.read("master", problems),
            on_failure: table.read("on_failure", problems),
            deadline: table.read("deadline", problems),
            key_prefix: table.read("key_prefix", problems),
            lease: table.read("lease", problems),
            ca: table.read("ca", problems),
            cert: table.read("cert", problems),
            key: table.read("key", problems),
            pem: Pem::default(),
        };
        table.finish(problems);
        redis
    }
}

impl Read for OnFailure {
    const WHAT: &'static str = "\"local\", \"open\" or \"closed\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        word(
            value,
            &[
                ("local", Self::Local),
                ("open", Self::Open),
                ("closed", Self::Closed),
            ],
        )
    }
}

impl Read for RedisMode {
    const WHAT: &'static str = "\"single\", \"sentinel\" or \"cluster\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        word(
            value,
            &[
                ("single", Self::Single),
                ("sentinel", Self::Sentinel),
                ("cluster", Self::Cluster),
            ],
        )
    }
}

impl Read for Lease {
    const WHAT: &'static str = "\"auto\" or \"off\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        word(value, &[("auto", Self::Auto), ("off", Self::Off)])
    }
}
