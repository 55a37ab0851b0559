//! The protocols that messages come and go by, and what follows from them. Whoever depends on a
//! protocol asks here; there is no wildcard, so that another protocol does not compile before it has
//! answered every question.

/// What the URLs of a connection's requests begin with, as services are told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In clear.
    Http,
    /// Through TLS.
    Https,
}

impl Scheme {
    /// As URLs have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port of URLs that name none.
    pub fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The protocol of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// RFC 1945, as far as anybody still speaks it.
    Http10,
    /// RFC 9112.
    Http11,
}

impl Version {
    /// As the access log has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }

    /// As `Via` has it (RFC 9110 section 7.6.3).
    pub fn via(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
        }
    }

    /// Whether an interim answer (1xx) can be understood, and so `Expect` be meant (RFC 9110 section
    /// 15.2).
    pub fn has_interim_answers(self) -> bool {
        match self {
            Self::Http10 => false,
            Self::Http11 => true,
        }
    }

    /// Whether a body of unknown length can end without ending the connection.
    pub fn has_chunks(self) -> bool {
        match self {
            Self::Http10 => false,
            Self::Http11 => true,
        }
    }

    /// Whether `Upgrade` asks for anything (RFC 9110 section 7.8).
    pub fn has_upgrade(self) -> bool {
        match self {
            Self::Http10 => false,
            Self::Http11 => true,
        }
    }

    /// Whether a connection is kept unless something else is said (RFC 9112 section 9.3).
    pub fn is_persistent(self) -> bool {
        match self {
            Self::Http10 => false,
            Self::Http11 => true,
        }
    }
}
