//! Why a certificate or its key cannot be used, and what to do about it.

use jiff::Timestamp;

use super::form::{Form, Half};

/// One thing that is wrong with a certificate or its key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Another form of certificates or keys, or none.
    #[error("it is {1}")]
    OtherForm(Half, Form),
    /// Nothing in it.
    #[error("it is empty")]
    Empty(Half),
    /// Text of another kind.
    #[error("there is no PEM in it")]
    NoPem(Half),
    /// PEM that ends early, or is not Base64.
    #[error("the PEM in it is damaged or cut off")]
    DamagedPem(Half),
    /// A section that begins within a line, which nobody sees.
    #[error(
        "line {1} in it has `-----BEGIN` behind spaces or another `-----`, so what follows would not be seen"
    )]
    NotAtLineStart(Half, usize),
    /// Other things in PEM.
    #[error("there is no certificate in it, but {0}")]
    NoCertificate(&'static str),
    /// One that cannot be parsed.
    #[error("certificate {0} in it is damaged")]
    Damaged(usize),
    /// It has signed nothing, and may not.
    #[error(
        "certificate {at} in it (`{subject}`) is no authority's: its basic constraints have no `CA:TRUE`"
    )]
    NoAuthority {
        /// Which one, from 1.
        at: usize,
        /// Whose it is.
        subject: String,
    },
    /// The others do not lead from the first to its authority.
    #[error(
        "the chain is in the wrong order: certificate {at} (`{subject}`) has signed none before it"
    )]
    Order {
        /// Which one, from 1.
        at: usize,
        /// Whose it is.
        subject: String,
    },
    /// One of another chain.
    #[error(
        "certificate {at} in it (`{subject}`) does not belong to the others: it has signed none of them, and none of them has signed it"
    )]
    Foreign {
        /// Which one, from 1.
        at: usize,
        /// Whose it is.
        subject: String,
    },
    /// Its time is over.
    #[error("the certificate has expired, at {0}")]
    Expired(Timestamp),
    /// Its time has not come.
    #[error("the certificate is not valid before {0}")]
    NotYetValid(Timestamp),
    /// The time of one that leads from it to its authority is over.
    #[error("certificate {at} of the chain (`{subject}`) has expired, at {until}")]
    IssuerExpired {
        /// Which one, from 1.
        at: usize,
        /// Whose it is.
        subject: String,
        /// When that was.
        until: Timestamp,
    },
    /// The time of one that leads from it to its authority has not come.
    #[error("certificate {at} of the chain (`{subject}`) is not valid before {from}")]
    IssuerNotYetValid {
        /// Which one, from 1.
        at: usize,
        /// Whose it is.
        subject: String,
        /// When it will be.
        from: Timestamp,
    },
    /// Of the time before extensions, which hold the names.
    #[error("the certificate is of version {0}, without extensions")]
    Version(u32),
    /// It has no subject alternative names.
    #[error("the certificate has no names: its common name does not count, as for all clients")]
    NoNames,
    /// It is for something else.
    #[error("the certificate is not for servers: its extended key usage has no `serverAuth`")]
    NotForServers,
    /// It is for something else.
    #[error("the certificate is not for clients: its extended key usage has no `clientAuth`")]
    NotForClients,
    /// So short that clients refuse it.
    #[error("the key is weak: RSA with {0} bits")]
    Weak(usize),
    /// Other things in PEM.
    #[error("there is no private key in it, but {0}")]
    NoKey(&'static str),
    /// It needs a passphrase.
    #[error("the key is encrypted")]
    Encrypted,
    /// A key that the library does not take.
    #[error("the key is damaged or of a kind that is not supported")]
    UnsupportedKey,
    /// It is the key of another certificate.
    #[error("the key does not fit the certificate")]
    NotItsKey,
    /// The same, and there are more.
    #[error("there are {0} private keys in it, and the first does not fit the certificate")]
    SeveralKeys(usize),
}

impl Fault {
    /// The file that it is about.
    pub fn half(&self) -> Half {
        match self {
            Self::OtherForm(half, _)
            | Self::Empty(half)
            | Self::NoPem(half)
            | Self::DamagedPem(half)
            | Self::NotAtLineStart(half, _) => *half,
            Self::NoCertificate(_)
            | Self::Damaged(_)
            | Self::NoAuthority { .. }
            | Self::Order { .. }
            | Self::Foreign { .. }
            | Self::Expired(_)
            | Self::NotYetValid(_)
            | Self::IssuerExpired { .. }
            | Self::IssuerNotYetValid { .. }
            | Self::Version(_)
            | Self::NoNames
            | Self::NotForServers
            | Self::NotForClients
            | Self::Weak(_) => Half::Cert,
            Self::NoKey(_)
            | Self::Encrypted
            | Self::UnsupportedKey
            | Self::NotItsKey
            | Self::SeveralKeys(_) => Half::Key,
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::OtherForm(half, form) => form.remedy(*half),
            Self::Empty(_) | Self::DamagedPem(_) | Self::Damaged(_) => {
                "whoever writes the file was perhaps not done, or had no room: write it again"
            }
            Self::NotAtLineStart(..) => {
                "begin a line with each `-----BEGIN`; a file that ends without a line break and is put in front of another one does this"
            }
            Self::NoPem(half) => half.takes(),
            Self::NoCertificate(_) => Half::Cert.takes(),
            Self::NoKey(_) => Half::Key.takes(),
            Self::NoAuthority { .. } => "name the certificate that has signed those of the clients",
            Self::Order { .. } => {
                "the server's own certificate comes first, then the one that signed it, and so on"
            }
            Self::Foreign { .. } => {
                "take it out: behind the server's own certificate only those have a place that lead from it to its authority"
            }
            Self::Expired(_) => "renew it",
            Self::IssuerExpired { .. } => {
                "get the chain of today from the authority, and put it behind the certificate"
            }
            Self::Version(_) => {
                "issue it with extensions: `openssl x509 -req -copy_extensions copy` takes those of the request, with its subject alternative names"
            }
            Self::NotYetValid(_) | Self::IssuerNotYetValid { .. } => {
                "wait, or use the one before it; if it should be valid, look at this machine's clock"
            }
            Self::NoNames => {
                "get one with subject alternative names: `openssl req -addext subjectAltName=DNS:www.example.com`"
            }
            Self::NotForServers => "get one for TLS servers",
            Self::NotForClients => "get one for TLS clients",
            Self::Weak(_) => "make a key with 2048 bits or more, or for ECDSA with P-256",
            Self::Encrypted => {
                "`openssl pkey -in FILE -out FILE.plain` decrypts it; let only the user that runs tollgate read the result"
            }
            Self::UnsupportedKey => {
                "RSA, ECDSA with P-256, P-384 or P-521, and Ed25519 are supported"
            }
            Self::SeveralKeys(_) => "leave only the key with which this certificate was requested",
            Self::NotItsKey => {
                "use the key with which this certificate was requested: `openssl pkey -in KEY -pubout` and `openssl x509 -in CERT -noout -pubkey` print the same for a pair"
            }
        }
    }
}
