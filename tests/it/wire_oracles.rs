//! The wire compared with two others: httparse reads every head that we accept as we do, and hyper
//! finds the same requests with the same bodies in the same bytes. What neither of them may differ
//! in is where a message ends: that is what request smuggling is made of.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use tollgate::message::body::BodyLength;
use tollgate::message::fields::HeadStorage;
use tollgate::wire::chunked::{ChunkDecoder, Step};
use tollgate::wire::framing::answer_body;
use tollgate::wire::head::{HeadLimits, read_answer, read_request};
use tollgate::wire::scan::{HeadScanner, leading_blank};

use super::corpus::invariants;

const LIMITS: HeadLimits = HeadLimits {
    max_bytes: 64 * 1024,
    max_fields: 100,
};

/// A request as one of the two reads it.
#[derive(Debug, Clone, PartialEq)]
struct Read {
    method: String,
    target: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// The requests that we find before the bytes end or are refused.
fn ours(mut bytes: &[u8]) -> Vec<Read> {
    let mut found = Vec::new();
    while let Some((read, used)) = first(bytes) {
        found.push(read);
        bytes = &bytes[used..];
    }
    found
}

/// The first request, if it is whole and not refused, and how many bytes it takes.
fn first(bytes: &[u8]) -> Option<(Read, usize)> {
    let blank = leading_blank(bytes);
    let bytes = &bytes[blank..];
    let end = HeadScanner::default().find_end(bytes, &LIMITS).ok()??;
    let head = read_request(HeadStorage::from(bytes[..end].to_vec()), &LIMITS).ok()?;
    let (body, length) = body(head.body.ok()?, &bytes[end..], ChunkDecoder::of_request)?;
    let fields = head.fields.iter().map(|field| {
        let name = String::from_utf8_lossy(field.name).to_lowercase();
        (name, field.value.to_vec())
    });
    let read = Read {
        method: head.method.to_string(),
        target: String::from_utf8_lossy(head.target()).into_owned(),
        fields: fields.collect(),
        body,
    };
    Some((read, blank + end + length))
}

/// A body, if it is whole, and how many bytes it takes.
fn body(
    length: BodyLength,
    bytes: &[u8],
    decoder: fn() -> ChunkDecoder,
) -> Option<(Vec<u8>, usize)> {
    match length {
        BodyLength::None => Some((vec![], 0)),
        BodyLength::Fixed(n) => {
            let n = usize::try_from(n).ok()?;
            Some((bytes.get(..n)?.to_vec(), n))
        }
        BodyLength::Chunked => chunks(bytes, decoder()),
        BodyLength::UntilClose => Some((bytes.to_vec(), bytes.len())),
    }
}

fn chunks(bytes: &[u8], mut decoder: ChunkDecoder) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut used) = (vec![], 0);
    loop {
        match decoder.next(&bytes[used..]).ok()? {
            Step::NeedMore { .. } => return None,
            Step::Data { skip, len } => {
                body.extend_from_slice(&bytes[used + skip..used + skip + len]);
                used += skip + len;
            }
            Step::End { consumed } => return Some((body, used + consumed)),
        }
    }
}

/// The requests that hyper finds before the bytes end or are refused.
fn hypers(bytes: &[u8]) -> Vec<Read> {
    let found = Rc::new(RefCell::new(Vec::new()));
    block_on(async {
        let (mut client, server) = tokio::io::duplex(1024 * 1024);
        let note = service_fn(|request: Request<Incoming>| {
            let found = Rc::clone(&found);
            async move {
                let (head, body) = request.into_parts();
                // An error here is a body that is refused or cut off; so is the request then.
                let body = body.collect().await?.to_bytes().to_vec();
                let fields = head
                    .headers
                    .iter()
                    .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
                found.borrow_mut().push(Read {
                    method: head.method.to_string(),
                    target: head.uri.to_string(),
                    fields: fields.collect(),
                    body,
                });
                Ok::<_, hyper::Error>(Response::new(Empty::<Bytes>::new()))
            }
        });
        client
            .write_all(bytes)
            .await
            .expect("the pipe is large enough");
        client.shutdown().await.expect("the pipe is open");
        let server = hyper::server::conn::http1::Builder::new()
            .half_close(true)
            .serve_connection(TokioIo::new(server), note);
        // Whether it ends well does not matter, only what it has read by then.
        let _ = server.await;
    });
    Rc::try_unwrap(found)
        .expect("the server is gone")
        .into_inner()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime starts").block_on(work)
}

/// One chunked body as hyper writes it for these pieces, with what stands before it.
fn written_by_hyper(pieces: &[Vec<u8>]) -> Vec<u8> {
    block_on(async {
        let (mut client, server) = tokio::io::duplex(1024 * 1024);
        let answer = service_fn(|_: Request<Incoming>| {
            let body = Pieces(pieces.iter().cloned().collect());
            async { Ok::<_, Infallible>(Response::new(body)) }
        });
        let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        client
            .write_all(request)
            .await
            .expect("the pipe is large enough");
        let server = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(server), answer);
        server.await.expect("hyper answers");
        let mut written = Vec::new();
        client
            .read_to_end(&mut written)
            .await
            .expect("the pipe is open");
        written
    })
}

/// A body of which hyper doesn't know how long it is, and so has to write in chunks.
struct Pieces(VecDeque<Vec<u8>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(
            self.0
                .pop_front()
                .map(|piece| Ok(Frame::data(Bytes::from(piece)))),
        )
    }
}

/// A body that is framed well, and the bytes that it is of.
fn framed() -> impl Strategy<Value = (String, Vec<u8>, Vec<u8>)> {
    let data = || prop::collection::vec(any::<u8>(), 0..40);
    let sized = data().prop_map(|data| {
        let field = format!("Content-Length: {}\r\n", data.len());
        (field, data.clone(), data)
    });
    let size = prop::sample::select(vec!["", "0", "000"]);
    let extension = prop::sample::select(vec!["", ";a", ";a=b;c", ";a=\"b;c\""]);
    let pieces = prop::collection::vec((size, extension, data()), 0..4);
    let chunked = (pieces, prop::bool::ANY).prop_map(|(pieces, trailer)| {
        let (mut coded, mut plain) = (vec![], vec![]);
        for (zeros, extension, data) in pieces.iter().filter(|(_, _, data)| !data.is_empty()) {
            coded.extend(format!("{zeros}{:X}{extension}\r\n", data.len()).into_bytes());
            coded.extend([&data[..], b"\r\n"].concat());
            plain.extend(data);
        }
        let trailer = if trailer { "X-Sum: 1\r\n" } else { "" };
        coded.extend(format!("0\r\n{trailer}\r\n").into_bytes());
        ("Transfer-Encoding: chunked\r\n".to_owned(), coded, plain)
    });
    let none = Just((String::new(), vec![], vec![]));
    prop_oneof![none, sized, chunked]
}

/// A good request, and the body that it has.
fn good() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let method = prop::sample::select(vec!["GET", "POST", "DELETE", "X-OWN"]);
    let target = "/[a-z0-9%=?&./-]{0,20}";
    let fields = prop::collection::vec("X-[A-Za-z]{1,8}: ?[!-~]{0,12}\r\n", 0..4);
    (method, target, fields, framed()).prop_map(|(method, target, fields, framed)| {
        let (framing, coded, plain) = framed;
        let fields = fields.concat();
        let head = format!("{method} {target} HTTP/1.1\r\nhost: a\r\n{fields}{framing}\r\n");
        ([head.into_bytes(), coded].concat(), plain)
    })
}

/// Bytes with something changed, put in or left out, where a message is framed by preference.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let pieces = vec![
        "",
        "\r",
        "\n",
        "\r\n",
        " ",
        "\t",
        "\0",
        "0",
        "5",
        ",",
        ";",
        ":",
        "+",
        "x",
        "\r\n\r\n",
        "\u{b}",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: x\r\n",
        "Content-Length: 0\r\n",
        "chunked",
        ", chunked",
        "0\r\n\r\n",
        "HTTP/1.0",
        "Host: b\r\n",
    ];
    let change = (
        any::<prop::sample::Index>(),
        0..3_usize,
        prop::sample::select(pieces),
    );
    let requests = prop::collection::vec(good(), 1..3);
    (requests, prop::collection::vec(change, 0..3)).prop_map(|(requests, changes)| {
        let requests = requests.into_iter().map(|(bytes, _)| bytes);
        let mut bytes: Vec<u8> = requests.flatten().collect();
        for (at, cut, piece) in changes {
            // Where lines end is where it hurts.
            let ends: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\r').collect();
            let from = if ends.is_empty() { 0 } else { *at.get(&ends) };
            let to = (from + cut).min(bytes.len());
            bytes.splice(from..to, piece.bytes());
        }
        bytes
    })
}

proptest! {
    #[test]
    fn good_requests_are_read_by_both_alike((bytes, body) in good()) {
        let mine = ours(&bytes);
        prop_assert_eq!(mine.len(), 1);
        prop_assert_eq!(&mine[0].body, &body);
        // hyper keeps fields of one name together.
        let mut hypers = hypers(&bytes);
        prop_assert_eq!(hypers.len(), 1);
        let mut mine = mine;
        for read in mine.iter_mut().chain(&mut hypers) {
            read.fields.sort_by(|a, b| a.0.cmp(&b.0));
        }
        prop_assert_eq!(mine, hypers);
    }

    #[test]
    fn what_both_read_of_damaged_requests_is_the_same(bytes in damaged()) {
        for (mine, theirs) in ours(&bytes).iter().zip(&hypers(&bytes)) {
            prop_assert_eq!(&mine.method, &theirs.method);
            prop_assert_eq!(&mine.target, &theirs.target);
            prop_assert_eq!(&mine.body, &theirs.body);
        }
    }

    #[test]
    fn damaged_requests_keep_what_the_fuzz_targets_state(bytes in damaged(), cut in 1..20_u8) {
        let cut = [&[cut][..], &bytes].concat();
        invariants::head::check(&cut);
        invariants::framing::check(&bytes);
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            invariants::chunks::check(&[&cut[..1], &bytes[at + 4..]].concat());
        }
    }

    #[test]
    fn what_hyper_writes_in_chunks_is_read_back(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..6),
    ) {
        let written = written_by_hyper(&pieces);
        let end = HeadScanner::default().find_end(&written, &LIMITS).unwrap().unwrap();
        let storage = HeadStorage::from(written[..end].to_vec());
        let head = read_answer(storage, &LIMITS).unwrap();
        let length = answer_body(&head, &http::Method::GET).unwrap().length;
        prop_assert_eq!(length, BodyLength::Chunked);
        let rest = &written[end..];
        let read = body(length, rest, ChunkDecoder::of_answer);
        prop_assert_eq!(read, Some((pieces.concat(), rest.len())));
    }
}
