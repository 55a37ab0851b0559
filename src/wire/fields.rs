//! Header fields as they came: one buffer, and where in it each name and value stands.
//!
//! Not a map. A proxy reads about ten fields and passes the rest on in their order and letter
//! case; hashing and copying all of them would cost more than everything that is decided by them.
//! The ten are told apart once, when the head is parsed.

use http::HeaderName;

use super::cursor::is_plain_byte;

/// A piece of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// From one place to another. Heads are far smaller than 4 GiB.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            start: short(start),
            end: short(end),
        }
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The same without the blanks at its end.
    pub(super) fn without_blanks_after(mut self, whole: &[u8]) -> Self {
        while let [.., b' ' | b'\t'] = self.get(whole) {
            self.end -= 1;
        }
        self
    }

    /// The bytes.
    #[must_use]
    pub fn get(self, whole: &[u8]) -> &[u8] {
        whole
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

macro_rules! known {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// The fields that the gateway reads, sets or holds back; all others are `Other`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Known {
            $(
                #[doc = concat!("`", $name, "`")]
                $variant,
            )*
            /// Any other `x-forwarded-*`.
            XForwarded,
            /// `x-ratelimit-*`.
            XRateLimit,
            /// A name with anything but letters, digits and `-`. Services that turn names into
            /// variables may take it for another name.
            Odd,
            /// No name that matters here.
            Other,
        }

        /// Tells a name in lower case.
        #[expect(non_upper_case_globals, reason = "patterns have to be constants")]
        fn lower(name: &[u8]) -> Option<Known> {
            $(const $variant: &[u8] = $name.as_bytes();)*
            match name {
                $($variant => Some(Known::$variant),)*
                _ => None,
            }
        }
    };
}

known! {
    Host = "host",
    Connection = "connection",
    ContentLength = "content-length",
    TransferEncoding = "transfer-encoding",
    Te = "te",
    Trailer = "trailer",
    Upgrade = "upgrade",
    Expect = "expect",
    KeepAlive = "keep-alive",
    ProxyConnection = "proxy-connection",
    ProxyAuthenticate = "proxy-authenticate",
    ProxyAuthorization = "proxy-authorization",
    ProxyAuthenticationInfo = "proxy-authentication-info",
    Forwarded = "forwarded",
    XForwardedFor = "x-forwarded-for",
    XForwardedProto = "x-forwarded-proto",
    XForwardedHost = "x-forwarded-host",
    XRealIp = "x-real-ip",
    Via = "via",
    Proxy = "proxy",
    Date = "date",
    Server = "server",
    UserAgent = "user-agent",
    SecWebSocketKey = "sec-websocket-key",
    SecWebSocketAccept = "sec-websocket-accept",
    SecWebSocketVersion = "sec-websocket-version",
    Http2Settings = "http2-settings",
    RateLimit = "ratelimit",
    RateLimitPolicy = "ratelimit-policy",
    RetryAfter = "retry-after",
    SetCookie = "set-cookie",
    Authorization = "authorization",
    Cookie = "cookie",
    Allow = "allow",
    ContentType = "content-type",
    CacheControl = "cache-control",
    MaxForwards = "max-forwards",
}

/// The longest name in the list.
const LONGEST: usize = 25;

impl Known {
    /// There are fewer than 64.
    const fn bit(self) -> u64 {
        1 << self as u8
    }

    /// Tells which field `name` is; letter case does not matter.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        if name.iter().all(|b| is_plain_byte(*b)) {
            Self::of_plain(name)
        } else {
            Self::Odd
        }
    }

    /// The same of a name that has letters, digits and `-` alone.
    pub(super) fn of_plain(name: &[u8]) -> Self {
        let mut lowered = [0; LONGEST];
        let short = &mut lowered[..name.len().min(LONGEST)];
        for (to, from) in short.iter_mut().zip(name) {
            *to = from.to_ascii_lowercase();
        }
        let whole = name.len() <= LONGEST;
        match lower(short).filter(|_| whole) {
            Some(known) => known,
            None if short.starts_with(b"x-forwarded-") => Self::XForwarded,
            None if short.starts_with(b"x-ratelimit-") => Self::XRateLimit,
            None => Self::Other,
        }
    }
}

/// One field.
#[derive(Debug, Clone, Copy)]
pub struct FieldRef<'a> {
    /// As it came.
    pub name: &'a [u8],
    /// Without the blanks around it.
    pub value: &'a [u8],
    /// Which field it is.
    pub known: Known,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub name: Span,
    pub value: Span,
    pub known: Known,
}

/// The fields of one head or trailer section.
#[derive(Debug, Default)]
pub struct Fields {
    pub(super) bytes: Vec<u8>,
    list: Vec<Field>,
    /// A bit for each known name that there is. Most that are asked for are not there, and the list
    /// need not be walked to tell.
    present: u64,
}

impl Fields {
    /// The fields of `list`, which stand in `bytes`.
    pub(super) fn new(bytes: Vec<u8>, list: Vec<Field>) -> Self {
        let present = list.iter().fold(0, |bits, field| bits | field.known.bit());
        Self {
            bytes,
            list,
            present,
        }
    }

    /// All fields, in their order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = FieldRef<'_>> + Clone {
        self.list.iter().map(|field| FieldRef {
            name: field.name.get(&self.bytes),
            value: field.value.get(&self.bytes),
            known: field.known,
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The value of the first of that name.
    #[must_use]
    pub fn get(&self, known: Known) -> Option<&[u8]> {
        self.get_all(known).next()
    }

    /// Whether there is one of that name.
    #[must_use]
    pub fn has(&self, known: Known) -> bool {
        self.present & known.bit() != 0
    }

    /// The values of all of that name.
    pub fn get_all(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        let list = if self.has(known) { &self.list[..] } else { &[] };
        let of_that_name = list.iter().filter(move |field| field.known == known);
        of_that_name.map(|field| field.value.get(&self.bytes))
    }

    /// The values of all of a name that the configuration decides.
    pub fn get_all_named<'a>(&'a self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
        let name = name.as_str().as_bytes();
        let named = move |field: &FieldRef<'_>| field.name.eq_ignore_ascii_case(name);
        self.iter().filter(named).map(|field| field.value)
    }

    /// The items of a comma-separated list, which may be spread over several fields (RFC 9110
    /// section 5.6.1), without blanks and empty ones. Not for lists with quoted strings.
    pub fn list_items(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        let items = self
            .get_all(known)
            .flat_map(|value| value.split(|b| *b == b','));
        items.map(trim).filter(|item| !item.is_empty())
    }
}

/// Takes the blanks of RFC 9110 section 5.6.3 off both ends.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// What a head is read into: kept by a worker between heads, so that reading one allocates nothing.
#[derive(Debug, Default)]
pub struct HeadStorage {
    /// Exactly one head, once it has been read.
    pub bytes: Vec<u8>,
    pub(super) list: Vec<Field>,
}

impl From<Vec<u8>> for HeadStorage {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            list: Vec::new(),
        }
    }
}

impl From<Fields> for HeadStorage {
    fn from(fields: Fields) -> Self {
        let Fields {
            mut bytes,
            mut list,
            present: _,
        } = fields;
        bytes.clear();
        list.clear();
        Self { bytes, list }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::lines::trailer_fields;
    use super::*;

    fn fields(text: &str) -> Fields {
        trailer_fields(HeadStorage::from(format!("{text}\r\n").into_bytes())).unwrap()
    }

    fn texts<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<&'a str> {
        values.map(|v| std::str::from_utf8(v).unwrap()).collect()
    }

    #[test]
    fn names_are_known_in_any_letter_case() {
        let rows = [
            ("host", Known::Host),
            ("HOST", Known::Host),
            ("Te", Known::Te),
            ("Proxy-Authentication-Info", Known::ProxyAuthenticationInfo),
            ("X-Forwarded-For", Known::XForwardedFor),
            ("x-forwarded-prefix", Known::XForwarded),
            ("X-Forwarded-A-Name-Longer-Than-All", Known::XForwarded),
            ("X-RateLimit-Remaining", Known::XRateLimit),
        ];
        for (name, known) in rows {
            assert_eq!(Known::of(name.as_bytes()), known, "{name}");
        }
    }

    #[test]
    fn names_that_only_look_like_known_ones_are_others() {
        for name in [
            "",
            "hos",
            "hosts",
            "x-forwarded",
            "proxy-authentication-info2",
            "proxy-authentication-inf",
        ] {
            assert_eq!(Known::of(name.as_bytes()), Known::Other, "{name}");
        }
    }

    #[test]
    fn names_with_other_bytes_than_letters_digits_and_hyphens_are_odd() {
        for name in [
            "content_length",
            "x.forwarded-for",
            "X-Forwarde\u{17f}-For",
            "a~",
        ] {
            assert_eq!(Known::of(name.as_bytes()), Known::Odd, "{name}");
        }
        let read = fields("X-A: 1\r\nContent_Length: 2\r\nhost!: 3\r\nx-forwarded-a'b: 4\r\n");
        let known: Vec<_> = read.iter().map(|field| field.known).collect();
        assert_eq!(known, [Known::Other, Known::Odd, Known::Odd, Known::Odd]);
    }

    #[test]
    fn order_letter_case_and_repeats_are_kept() {
        let fields = fields("B: 2\r\na:\t 1 \t\r\nB:\r\nHost: x\r\nb: 3\r\n");
        let seen: Vec<_> = fields
            .iter()
            .map(|field| (field.name, field.value))
            .collect();
        let expected: [(&[u8], &[u8]); 5] = [
            (b"B", b"2"),
            (b"a", b"1"),
            (b"B", b""),
            (b"Host", b"x"),
            (b"b", b"3"),
        ];
        assert_eq!(seen, expected);
        assert_eq!((fields.len(), fields.is_empty()), (5, false));
        assert_eq!(fields.get(Known::Host), Some(&b"x"[..]));
        assert!(fields.has(Known::Host) && !fields.has(Known::Te));
        let name = HeaderName::from_static("b");
        assert_eq!(texts(fields.get_all_named(&name)), ["2", "", "3"]);
    }

    #[test]
    fn a_list_may_be_spread_over_fields_and_have_empty_items() {
        let fields = fields("Connection: a,, b\t\r\nTE: x\r\nconnection: ,\r\nConnection:c\r\n");
        assert_eq!(texts(fields.list_items(Known::Connection)), ["a", "b", "c"]);
        assert_eq!(fields.get_all(Known::Connection).count(), 3);
        assert_eq!(fields.list_items(Known::Upgrade).count(), 0);
    }

    #[test]
    fn recycled_storage_keeps_its_room_and_forgets_its_bytes() {
        let storage = HeadStorage::from(fields("A: 1\r\nB: 2\r\n"));
        assert!(storage.bytes.is_empty() && storage.list.is_empty());
        assert!(storage.bytes.capacity() >= 14 && storage.list.capacity() >= 2);
    }

    proptest! {
        #[test]
        fn a_name_is_known_by_its_lower_case_alone(name in "[a-zA-Z_-]{0,30}") {
            let lower = name.to_ascii_lowercase();
            prop_assert_eq!(Known::of(name.as_bytes()), Known::of(lower.as_bytes()));
        }
    }
}
