//! A request that is well formed unless the test says otherwise.

use super::message::Framing;
use super::shop::KEY;

/// One request, built field by field and sent in that order.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: String,
    target: String,
    version: &'static str,
    host: Option<String>,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
    framing: Framing,
    /// Size of the chunks that a chunked body is cut into.
    chunk: usize,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            version: "HTTP/1.1",
            host: Some("gateway.test".into()),
            fields: Vec::new(),
            body: Vec::new(),
            framing: Framing::None,
            chunk: 0,
        }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST whose body has a Content-Length.
    pub(crate) fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", target).body(body)
    }

    /// The handshake of RFC 6455, section 1.3.
    pub(crate) fn websocket(target: &str) -> Self {
        Self::get(target)
            .field("Connection", "Upgrade")
            .field("Upgrade", "websocket")
            .field("Sec-WebSocket-Version", "13")
            .field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// With the key of the shop's only client.
    pub(crate) fn with_key(self) -> Self {
        self.field("x-api-key", KEY)
    }

    pub(crate) fn host(mut self, host: &str) -> Self {
        self.host = Some(host.into());
        self
    }

    pub(crate) fn without_host(mut self) -> Self {
        self.host = None;
        self
    }

    pub(crate) fn http10(mut self) -> Self {
        self.version = "HTTP/1.0";
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.framing = Framing::Length(self.body.len());
        self
    }

    /// Sends the body in chunks of `size` bytes instead of with a length.
    pub(crate) fn chunked(mut self, size: usize) -> Self {
        self.framing = Framing::Chunked;
        self.chunk = size;
        self
    }

    /// Whether the answer to it has no body whatever its fields say.
    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    pub(crate) fn is_http10(&self) -> bool {
        self.version == "HTTP/1.0"
    }

    /// The head alone, its empty line included.
    pub(crate) fn head_bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} {}\r\n", self.method, self.target, self.version);
        let mut put = |name: &str, value: &str| {
            head.extend([name, ": ", value, "\r\n"]);
        };
        if let Some(host) = &self.host {
            put("Host", host);
        }
        for (name, value) in &self.fields {
            put(name, value);
        }
        match self.framing {
            Framing::None | Framing::UntilClose => {}
            Framing::Length(len) => put("Content-Length", &len.to_string()),
            Framing::Chunked => put("Transfer-Encoding", "chunked"),
        }
        head.push_str("\r\n");
        latin1(&head)
    }

    /// The body as it goes over the wire.
    pub(crate) fn body_bytes(&self) -> Vec<u8> {
        if self.framing != Framing::Chunked {
            return self.body.clone();
        }
        let mut out = Vec::with_capacity(self.body.len() + 64);
        for piece in self.body.chunks(self.chunk) {
            out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            out.extend_from_slice(piece);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"0\r\n\r\n");
        out
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        [self.head_bytes(), self.body_bytes()].concat()
    }
}

/// One byte a char, so that a test can write any byte in a string.
pub(crate) fn latin1(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| u8::try_from(c).expect("a char up to U+00FF"))
        .collect()
}
