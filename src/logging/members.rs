//! The members of an access line, and which lines there are: what `[log]` chooses, compiled so that a
//! line costs no more for being chosen.

use crate::words::Word;

/// How a member begins, by what it is. Constants, which cost a move each.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// Before a value: `,"name":`
    pub value: &'static [u8],
    /// Before a word, whose end is a quote: `,"name":"`
    pub word: &'static [u8],
    /// Of nothing, and whole: `,"name":null`
    pub none: &'static [u8],
}

/// The start of a member behind what comes before it, which is a comma save for the first.
macro_rules! start {
    ($before:literal, $name:literal) => {
        $crate::logging::Start {
            value: concat!($before, "\"", $name, "\":").as_bytes(),
            word: concat!($before, "\"", $name, "\":\"").as_bytes(),
            none: concat!($before, "\"", $name, "\":null").as_bytes(),
        }
    };
}
pub(crate) use start;

/// Declares members with their names, in the order in which a line has them.
macro_rules! members {
    ($($(#[$about:meta])* $member:ident = $name:literal,)+) => {
        crate::words::words! {
            /// A member of an access line.
            pub enum Member {
                $($(#[$about])* $member = $name,)+
            }
        }

        impl Member {
            /// How it begins.
            pub const fn start(self) -> Start {
                match self {
                    $(Self::$member => start!(",", $name),)+
                }
            }
        }
    };
}

members! {
    /// When the request's head had arrived.
    Time = "time",
    /// The request's id.
    RequestId = "request_id",
    /// The id of the trace that the request belongs to.
    TraceId = "trace_id",
    /// The client's name.
    Client = "client",
    /// How far it is known.
    ClientKind = "client_kind",
    /// Its tier.
    Tier = "tier",
    /// Which key it sent.
    KeyId = "key_id",
    /// Its address.
    Ip = "ip",
    /// The request's method.
    Method = "method",
    /// The host that was asked for.
    Host = "host",
    /// The canonical path.
    Path = "path",
    /// The route.
    Route = "route",
    /// The status that was sent.
    Status = "status",
    /// Why the gateway itself answered, or the answer broke off.
    Code = "code",
    /// More about the code.
    Detail = "detail",
    /// The limit that refused, or is closest to it.
    Limit = "limit",
    /// Where that one was counted.
    LimitSource = "limit_source",
    /// The upstream.
    Upstream = "upstream",
    /// The address that was asked last.
    Endpoint = "endpoint",
    /// How many connections were tried.
    Attempts = "attempts",
    /// Those that failed.
    Tries = "tries",
    /// From the head's arrival to the end of the answer.
    Duration = "duration_ms",
    /// What the limits took.
    LimitTime = "limit_ms",
    /// What the service took.
    UpstreamTime = "upstream_ms",
    /// Of the request's body.
    BytesIn = "bytes_in",
    /// Of the answer's body.
    BytesOut = "bytes_out",
    /// The protocol's version.
    Protocol = "protocol",
    /// What was agreed upon with a client that speaks TLS.
    Tls = "tls",
    /// The client's program.
    UserAgent = "user_agent",
    /// The limit in shadow mode that would have refused.
    Shadow = "shadow",
    /// For how many requests the line stands.
    Weight = "weight",
}

/// Some members, as a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Members(u64);

impl Members {
    /// All that there are.
    pub const ALL: Self = Self(u64::MAX);

    /// Whether it has the member.
    #[inline]
    pub const fn has(self, member: Member) -> bool {
        self.0 & 1 << member as u32 != 0
    }
}

impl FromIterator<Member> for Members {
    fn from_iter<T: IntoIterator<Item = Member>>(members: T) -> Self {
        let bits = members.into_iter().map(|member| 1 << member as u32);
        Self(bits.fold(0, |all, bit: u64| all | bit))
    }
}

const _: () = assert!(Member::ALL.len() < 64, "a set has a bit for each");

/// What is written of requests.
#[derive(Debug)]
pub struct Lines {
    /// The members of their lines.
    pub members: Members,
    /// Which of those that went well have one; `None`: all.
    pub sample: Option<Sample>,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            members: Members::ALL,
            sample: None,
        }
    }
}

/// A share of lines that stand for all.
#[derive(Debug)]
pub struct Sample {
    /// Of 2^64 random numbers those below it are in.
    below: u64,
    /// For how many requests a line stands, as text.
    weight: Box<str>,
}

impl Sample {
    /// A share above 0; `None` for all of them.
    pub fn of(share: f64) -> Option<Self> {
        #[expect(clippy::cast_precision_loss, reason = "rounded")]
        let all = u64::MAX as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of them, rounded"
        )]
        let below = (share * all) as u64;
        (share < 1.0).then(|| Self {
            below: below.max(1),
            weight: format!("{}", (1.0 / share).min(all)).into(),
        })
    }

    /// Whether a line is written, by a random number.
    #[inline]
    pub fn takes(&self, random: u64) -> bool {
        random < self.below
    }

    /// For how many requests a line stands.
    pub fn weight(&self) -> &str {
        &self.weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it() {
        let set: Members = [Member::Time, Member::Weight].into_iter().collect();
        for (name, member) in Member::ALL {
            let is_in = matches!(member, Member::Time | Member::Weight);
            assert_eq!(set.has(*member), is_in, "{name}");
            assert!(Members::ALL.has(*member), "{name}");
            assert_eq!(member.start().value, format!(",\"{name}\":").as_bytes());
        }
    }

    #[test]
    fn a_sample_is_the_share_that_was_asked_for() {
        assert!(Sample::of(1.0).is_none());
        for (share, weight) in [(0.5, "2"), (0.1, "10"), (0.01, "100"), (0.4, "2.5")] {
            let sample = Sample::of(share).unwrap();
            assert_eq!(sample.weight(), weight);
            let mut random = fastrand::Rng::with_seed(1);
            let taken = (0..100_000).filter(|_| sample.takes(random.u64(..)));
            let taken = u32::try_from(taken.count()).unwrap();
            let off = (f64::from(taken) / (100_000.0 * share) - 1.0).abs();
            assert!(off < 0.1, "{taken} of 100000 for {share}");
        }
        // However small the share, it is no reason to write a number that is none.
        let least = Sample::of(f64::from_bits(1)).unwrap();
        assert_eq!(least.weight(), "18446744073709552000");
        assert!(least.takes(0));
    }
}
