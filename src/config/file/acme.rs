//! `[tls.acme]`: certificates that come by themselves.

use std::path::PathBuf;

use crate::acme::ChallengeKind;
use crate::config::keys::{List, table};
use crate::config::kinds::{DirectoryUrl, DomainName, FilePath, MailAddress, ReloadedPem};

/// The directory of Let's Encrypt.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

table! {
    /// Certificates that are ordered from an authority (ACME, RFC 8555) and renewed by themselves. Who
    /// writes this agrees to the authority's terms of service.
    AcmeKeys, such as r#"domains = @["api.example.com"]"# {
        /// The names that get certificates, one each, such as `api.example.com`. The DNS of each leads here.
        /// No wildcards: they would need another challenge, DNS-01.
        domains: List<DomainName>;
        /// An address to which the authority may write. Most do not any more.
        contact: Option<MailAddress>;
        /// The directory of the authority.
        directory: DirectoryUrl = DirectoryUrl(LETS_ENCRYPT.to_owned());
        /// A file in PEM with the authorities to trust when the directory is asked, for one of your own.
        /// Absent: the platform's.
        ca: Option<ReloadedPem>;
        /// A folder for the account and the certificates, which is made if it is not there. Their keys are
        /// in it: it is for the gateway's user alone.
        state_dir: FilePath = FilePath(PathBuf::from("/var/lib/tollgate/acme"));
        /// How the authority sees that a name leads here. `tls-alpn-01`: by a certificate, on port 443, where
        /// an address with `tls = true` has to be reached. `http-01`: by an answer, on port 80, where an
        /// address without TLS has to be reached.
        challenge: ChallengeKind = ChallengeKind::TlsAlpn01;
    }
}
