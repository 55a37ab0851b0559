//! stub
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    Host,
    Connection,
    ContentLength,
    TransferEncoding,
    Te,
    Trailer,
    Upgrade,
    Expect,
    KeepAlive,
    ProxyConnection,
    ProxyAuthenticate,
    ProxyAuthorization,
    ProxyAuthenticationInfo,
    Forwarded,
    XForwardedFor,
    XForwardedProto,
    XForwardedHost,
    XForwarded,
    XRealIp,
    Via,
    Date,
    Server,
    UserAgent,
    SecWebSocketKey,
    SecWebSocketAccept,
    SecWebSocketVersion,
    Http2Settings,
    RateLimit,
    RateLimitPolicy,
    XRateLimit,
    RetryAfter,
    SetCookie,
    Authorization,
    Cookie,
    Allow,
    ContentType,
    CacheControl,
    Other,
}
impl Known {
    pub fn of(_n: &[u8]) -> Known {
        Known::Other
    }
}
#[derive(Debug, Clone, Copy)]
pub struct FieldRef<'a> {
    pub name: &'a [u8],
    pub value: &'a [u8],
    pub known: Known,
}
#[derive(Debug, Default)]
pub struct Fields {}
impl Fields {
    pub fn iter(&self) -> impl Iterator<Item = FieldRef<'_>> {
        std::iter::empty()
    }
    pub fn get(&self, _k: Known) -> Option<&[u8]> {
        None
    }
    pub fn has(&self, _k: Known) -> bool {
        false
    }
    pub fn get_all(&self, _k: Known) -> impl Iterator<Item = &[u8]> {
        std::iter::empty()
    }
    pub fn get_all_named<'a>(
        &'a self,
        _k: &http::HeaderName,
    ) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        std::iter::empty()
    }
    pub fn list_items(&self, _k: Known) -> impl Iterator<Item = &[u8]> {
        std::iter::empty()
    }
}
#[derive(Debug, Default)]
pub struct HeadStorage {
    pub bytes: Vec<u8>,
}
impl From<Vec<u8>> for HeadStorage {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }
}
