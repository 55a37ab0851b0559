//! A certificate that Redis is shown and will not take for long. It is no problem of the file: a gateway starts,
//! and serves as `on_failure` says.

use jiff::Timestamp;

use super::Lints;
use crate::config::file::File;
use crate::config::settings::Settings;
use crate::limit::RedisTarget;

pub(super) fn redis_tls(file: &File, settings: &Settings, now: Timestamp, lints: &mut Lints) {
    let target = settings.redis.as_ref().map(|redis| &redis.target);
    let certificate = target.and_then(RedisTarget::certificate);
    let expiry = certificate.and_then(|it| it.expiry(now));
    let cert = file.limits.redis.as_ref().and_then(|it| it.cert.written());
    if let (Some(expiry), Some(cert)) = (expiry, cert) {
        lints.add_passing(cert.span, format!("of what Redis is shown, {expiry}"));
    }
}
