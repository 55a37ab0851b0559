//! What the gateways of a fleet share of ACME, in the Redis of their limits: who may order, the account,
//! the certificates, and the challenges, which each of them has to answer, for nobody knows which one the
//! authority will reach.
//!
//! Each gateway asks every two seconds whether anything has changed, and four times a second while one of
//! them orders. The one that orders waits until all have seen a challenge before it tells the authority.

mod error;
mod sealed;

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::limit::{RedisSettings, SharedRedis};
use crate::tls::Challenge;

use super::account::StoredAccount;
use super::issued::{Issued, MARK};
use super::settings::FleetKey;
use super::store::place_of;
pub(super) use error::FleetError;
use sealed::Sealer;

/// For so long the right to order is kept without a word: a gateway that was killed holds up the others no
/// longer.
const LEASE: Duration = Duration::from_secs(6);
/// How often the one that orders says that it still does.
const RENEWAL: Duration = Duration::from_millis(1500);

/// How often a gateway looks, while nobody orders and while somebody does.
pub(super) const QUIET: Duration = Duration::from_secs(2);
pub(super) const BUSY: Duration = Duration::from_millis(250);

/// For so long after its last look a gateway is taken to live.
const LIVES_FOR: Duration = Duration::from_secs(7);

/// How long to wait for gateways that have not seen a challenge. One that is there and does not follow may
/// make an order fail; without a bound it would keep all others from theirs.
const FOLLOW_PATIENCE: Duration = Duration::from_secs(10);
const FOLLOW_PAUSE: Duration = Duration::from_millis(100);

/// A challenge that was not taken back, for its gateway was killed.
const CHALLENGE_LASTS: Duration = Duration::from_mins(10);
/// An account that nobody has used for longer than certificates last.
const ACCOUNT_LASTS: Duration = Duration::from_hours(400 * 24);
/// For so long failures are counted together.
const FAILURES_LAST: Duration = Duration::from_hours(48);

/// This gateway among those that share what an authority issues.
#[derive(Debug)]
pub(super) struct Fleet {
    redis: Rc<SharedRedis>,
    _connection: JoinSet<()>,
    sealer: Sealer,
    /// Who we are, and what we hold the lease by.
    id: String,
    /// What the names of keys have in front, behind the tag.
    place: String,
    /// The version of what is shared that we have followed.
    followed: Cell<u64>,
    /// The time of Redis when it last told, in ms.
    now_ms: Cell<u64>,
}

/// What one look has brought.
pub(super) struct Look {
    version: u64,
    /// Something has changed since the last one.
    pub is_news: bool,
    /// Somebody orders.
    pub is_busy: bool,
    pub challenges: Vec<(String, Challenge)>,
    /// In the order of the names that were asked for.
    pub names: Vec<NameStatus>,
}

/// What the fleet knows of a name.
#[derive(Debug)]
pub(super) struct NameStatus {
    /// Tells its certificate from others; absent if there is none.
    pub mark: Option<String>,
    /// How many orders have failed in a row.
    pub failures: u32,
    /// How long no other one is to be made.
    pub rest: Duration,
}

impl Fleet {
    /// Joins those that have the same key; to be called within a `LocalRuntime`.
    pub(super) fn join(redis: RedisSettings, key: &FleetKey, directory: &str) -> Self {
        let (redis, connection) = SharedRedis::start(redis);
        // Its keys are the system's randomness, two for each.
        let random = || RandomState::new().hash_one(std::process::id());
        Self {
            redis,
            _connection: connection,
            sealer: Sealer::new(key),
            id: format!("{:016x}{:016x}", random(), random()),
            place: place_of(directory),
            followed: Cell::default(),
            now_ms: Cell::default(),
        }
    }

    fn key(&self, what: &str) -> String {
        self.redis.key("acme", &format!("{}:{what}", self.place))
    }

    /// Looks at what is shared. What it says has been followed once [`Self::follow`] is called.
    pub(super) async fn look(&self, names: &[String]) -> Result<Look, FleetError> {
        let shared = ["lease", "version", "instances", "challenges"];
        let mut keys: Vec<_> = shared.iter().map(|what| self.key(what)).collect();
        for name in names {
            keys.push(self.key(&certificate_at(name)));
            keys.push(self.key(&failure_at(name)));
        }
        let followed = self.followed.get().to_string();
        let lives = LIVES_FOR.as_millis().to_string();
        let arguments = [self.id.as_bytes(), followed.as_bytes(), lives.as_bytes()];
        let script = include_str!("poll.lua");
        let (version, lease, now_ms, challenges, names): (
            u64,
            i64,
            u64,
            Vec<Vec<u8>>,
            Vec<Vec<u8>>,
        ) = self.redis.run(script, &keys, &arguments).await?;
        self.now_ms.set(now_ms);
        let names = names.chunks_exact(2);
        Ok(Look {
            version,
            is_news: version != self.followed.get(),
            is_busy: lease >= 0,
            challenges: self.read_challenges(&challenges),
            names: names.map(|of| self.status(&of[0], &of[1])).collect(),
        })
    }

    /// What a look has brought has been done: challenges are shown here, and certificates.
    pub(super) fn follow(&self, look: &Look) {
        self.followed.set(look.version);
    }

    fn read_challenges(&self, fields: &[Vec<u8>]) -> Vec<(String, Challenge)> {
        let read = |field: &[Vec<u8>]| {
            let name = String::from_utf8(field[0].clone()).ok()?;
            let content = self.sealer.open(&challenge_at(&name), &field[1])?;
            let (token, key_authorization) = serde_json::from_slice(&content).ok()?;
            let challenge = Challenge {
                token,
                key_authorization,
            };
            Some((name, challenge))
        };
        fields.chunks_exact(2).filter_map(read).collect()
    }

    fn status(&self, mark: &[u8], failure: &[u8]) -> NameStatus {
        let numbers = str::from_utf8(failure)
            .ok()
            .and_then(|text| text.split_once(' '));
        let (failures, until) = numbers.unwrap_or(("0", "0"));
        let until: u64 = until.parse().unwrap_or_default();
        NameStatus {
            mark: String::from_utf8(mark.to_vec())
                .ok()
                .filter(|mark| mark.len() == MARK),
            failures: failures.parse().unwrap_or_default(),
            rest: Duration::from_millis(until.saturating_sub(self.now_ms.get())),
        }
    }

    /// Takes the right to order, or says again that it is ours. `false`: another has it.
    pub(super) async fn take_lease(&self) -> Result<bool, FleetError> {
        self.lease("take").await
    }

    /// Gives up the right to order.
    pub(super) async fn release_lease(&self) {
        // It ends by itself if this fails.
        let _ = self.lease("release").await;
    }

    /// Keeps the right to order, and returns once it is lost.
    pub(super) async fn keep_lease(&self, names: &[String]) {
        let mut renewed = Instant::now();
        while renewed.elapsed() < LEASE {
            sleep(RENEWAL).await;
            // Which also says that we live.
            let _ = self.look(names).await;
            match self.take_lease().await {
                Ok(true) => renewed = Instant::now(),
                Ok(false) => return,
                Err(_) => {}
            }
        }
    }

    async fn lease(&self, what: &str) -> Result<bool, FleetError> {
        let lasts = LEASE.as_millis().to_string();
        let arguments = [what.as_bytes(), self.id.as_bytes(), lasts.as_bytes()];
        let script = include_str!("lease.lua");
        let keys = [self.key("lease")];
        let ours: i64 = self.redis.run(script, &keys, &arguments).await?;
        Ok(ours == 1)
    }

    /// The account of the fleet.
    pub(super) async fn account(&self) -> Result<Option<StoredAccount>, FleetError> {
        let text = self.read("account", 0).await?;
        text.map(|text| {
            StoredAccount::parse(&text).ok_or(FleetError::Unreadable("the account".into()))
        })
        .transpose()
    }

    /// Shares the account.
    pub(super) async fn put_account(&self, account: &StoredAccount) -> Result<(), FleetError> {
        let sealed = self.sealer.seal("account", account.text().as_bytes());
        self.write("account", "set", ACCOUNT_LASTS, "", &sealed)
            .await
            .map(drop)
    }

    /// The key and the certificate of a name, in PEM.
    pub(super) async fn certificate(&self, name: &str) -> Result<Option<String>, FleetError> {
        self.read(&certificate_at(name), MARK).await
    }

    /// Shares the certificate of a name for as long as it lasts, and forgets failures.
    pub(super) async fn put_certificate(
        &self,
        name: &str,
        issued: &Issued,
    ) -> Result<(), FleetError> {
        let at = certificate_at(name);
        let sealed = self.sealer.seal(&at, issued.text.as_bytes());
        let content = [issued.mark.as_bytes(), &sealed].concat();
        let lasts = issued.validity().1.duration_since(SystemTime::now());
        let lasts = lasts.unwrap_or_default().max(Duration::from_secs(1));
        self.write(&at, "set", lasts, "", &content).await?;
        let failure = failure_at(name);
        self.write(&failure, "delete", Duration::ZERO, "", b"")
            .await
            .map(drop)
    }

    /// Notes that so many orders have failed in a row, and how long no other one is to be made.
    pub(super) async fn put_failure(
        &self,
        name: &str,
        failures: u32,
        rest: Duration,
    ) -> Result<(), FleetError> {
        let until = self.now_ms.get() + u64::try_from(rest.as_millis()).unwrap_or(u64::MAX / 2);
        let content = format!("{failures} {until}");
        let at = failure_at(name);
        self.write(&at, "set", FAILURES_LAST, "", content.as_bytes())
            .await
            .map(drop)
    }

    /// Shows a challenge on all gateways, and waits until they do.
    pub(super) async fn show(&self, name: &str, challenge: &Challenge) -> Result<(), FleetError> {
        let content = (&challenge.token, &challenge.key_authorization);
        let content = serde_json::to_vec(&content).expect("two strings can be written as JSON");
        let sealed = self.sealer.seal(&challenge_at(name), &content);
        let version = self
            .write("challenges", "show", CHALLENGE_LASTS, name, &sealed)
            .await?;
        let begun = Instant::now();
        while self.behind(version).await? > 0 {
            if begun.elapsed() >= FOLLOW_PATIENCE {
                tracing::warn!(
                    name,
                    "not all gateways have the challenge; the authority is asked even so"
                );
                break;
            }
            sleep(FOLLOW_PAUSE).await;
        }
        Ok(())
    }

    /// The challenge of a name need not be shown any more.
    pub(super) async fn hide(&self, name: &str) -> Result<(), FleetError> {
        self.write("challenges", "hide", Duration::ZERO, name, b"")
            .await
            .map(drop)
    }

    async fn behind(&self, version: u64) -> Result<u64, FleetError> {
        let version = version.to_string();
        let arguments = [version.as_bytes(), self.id.as_bytes()];
        let keys = [self.key("instances")];
        Ok(self
            .redis
            .run(include_str!("behind.lua"), &keys, &arguments)
            .await?)
    }

    /// Reads what was sealed, behind so many bytes that were not.
    async fn read(&self, at: &str, plain: usize) -> Result<Option<String>, FleetError> {
        let keys = [self.key(at)];
        let content: Option<Vec<u8>> = self
            .redis
            .run("return redis.call('GET', KEYS[1])", &keys, &[])
            .await?;
        let Some(content) = content else {
            return Ok(None);
        };
        let opened = content
            .get(plain..)
            .and_then(|sealed| self.sealer.open(at, sealed));
        let text = opened.and_then(|content| String::from_utf8(content).ok());
        text.map(Some)
            .ok_or_else(|| FleetError::Unreadable(at.to_owned()))
    }

    async fn write(
        &self,
        at: &str,
        what: &str,
        lasts: Duration,
        field: &str,
        content: &[u8],
    ) -> Result<u64, FleetError> {
        let keys = [self.key("lease"), self.key("version"), self.key(at)];
        let lasts = lasts.as_millis().to_string();
        let arguments = [
            self.id.as_bytes(),
            what.as_bytes(),
            lasts.as_bytes(),
            field.as_bytes(),
            content,
        ];
        let version: u64 = self
            .redis
            .run(include_str!("write.lua"), &keys, &arguments)
            .await?;
        if version == 0 {
            Err(FleetError::Lost)
        } else {
            Ok(version)
        }
    }
}

fn certificate_at(name: &str) -> String {
    format!("certificate:{name}")
}

fn failure_at(name: &str) -> String {
    format!("failure:{name}")
}

fn challenge_at(name: &str) -> String {
    format!("challenge:{name}")
}
