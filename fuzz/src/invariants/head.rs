//! Heads: found alike however they are cut, read as httparse reads them, and read again alike when
//! they are written down.

use tollgate::message::fields::{Fields, HeadStorage};
use tollgate::message::head::AnswerHead;
use tollgate::message::head::RequestHead;
use tollgate::message::protocol::Version;
use tollgate::wire::head::read_answer_as_sent;
use tollgate::wire::scan::{HeadScanner, leading_blank};

use super::{LIMITS, assert_clean, pairs, request, response};

/// The first byte says how the rest is cut into pieces.
pub fn check(input: &[u8]) {
    let Some((piece, bytes)) = input.split_first() else {
        return;
    };
    let bytes = &bytes[leading_blank(bytes).min(bytes.len())..];
    let whole = found(bytes, usize::MAX);
    let pieces = found(bytes, usize::from(*piece).max(1));
    // A CR without LF may be refused as it comes or when the head is whole.
    assert!(
        whole == pieces || has_bare_cr(bytes),
        "{whole:?} {pieces:?}"
    );
    let end = match whole {
        Ok(Some(end)) => end,
        Ok(None) | Err(()) => bytes.len(),
    };
    let head = &bytes[..end];
    let (asked, answered) = (request(head), response(head));
    if asked.is_some() || answered.is_some() {
        assert_eq!(whole, Ok(Some(end)), "what is a head is found");
        assert_eq!(pieces, whole);
        assert!(!has_bare_cr(head) && head.ends_with(b"\r\n\r\n"));
    }
    check_as_sent(bytes, usize::from(*piece).max(1));
    if let Some(asked) = asked {
        check_request(&asked, head);
    }
    if let Some(answered) = answered {
        check_response(&answered, head);
    }
}

fn found(bytes: &[u8], piece: usize) -> Result<Option<usize>, ()> {
    let mut scanner = HeadScanner::default();
    let mut arrived = 0;
    while arrived < bytes.len() {
        arrived = arrived.saturating_add(piece).min(bytes.len());
        match scanner.find_end(&bytes[..arrived], &LIMITS) {
            Ok(None) => {}
            Ok(end) => return Ok(end),
            Err(_) => return Err(()),
        }
    }
    Ok(None)
}

/// A head as a service sends it: found alike however it is cut, and read as a strict reader reads
/// it once it is written by the rules.
fn check_as_sent(bytes: &[u8], piece: usize) {
    let found = |piece: usize| {
        let (mut scanner, mut arrived) = (HeadScanner::of_answer(), 0);
        while arrived < bytes.len() {
            arrived = arrived.saturating_add(piece).min(bytes.len());
            let end = scanner.find_end(&bytes[..arrived], &LIMITS).ok()?;
            if end.is_some() {
                return end;
            }
        }
        None
    };
    let Some(end) = found(usize::MAX) else {
        return;
    };
    assert_eq!(found(piece), Some(end));
    let head = &bytes[..end];
    let strictly = response(head);
    let storage = HeadStorage::default();
    let Ok(read) = read_answer_as_sent(head, storage, &LIMITS) else {
        assert!(strictly.is_none());
        return;
    };
    assert_clean(&read.fields);
    assert_eq!(read.repaired.is_some(), strictly.is_none());
    let line = [
        version(read.version == Version::Http11),
        read.status.as_str().as_bytes(),
        read.reason(),
    ];
    let again = response(&written(&line.join(&b' '), &read.fields)).expect("it is read again");
    assert_eq!(pairs(&again.fields), pairs(&read.fields));
    // A naive reading by lines finds the same names.
    let lines = head.split(|b| *b == b'\n').skip(1);
    let names = lines.filter(|line| line.contains(&b':')).map(|line| {
        let name = line.split(|b| *b == b':').next().unwrap_or_default();
        name.trim_ascii_end().to_vec()
    });
    let names: Vec<_> = names.collect();
    let found: Vec<_> = read
        .fields
        .iter()
        .map(|field| field.name.to_vec())
        .collect();
    assert_eq!(found, names);
}

fn has_bare_cr(bytes: &[u8]) -> bool {
    let bare = |pair: &[u8]| pair[0] == b'\r' && pair[1] != b'\n';
    bytes.windows(2).any(bare) || bytes.last() == Some(&b'\r')
}

fn check_request(head: &RequestHead, bytes: &[u8]) {
    assert_clean(&head.fields);
    assert!(head.fields.iter().len() <= LIMITS.max_fields && bytes.len() <= LIMITS.max_bytes);
    let target = head.target();
    assert!(!target.is_empty() && !target.iter().any(|b| *b <= b' ' || *b == 0x7f));
    let hosts = pairs(&head.fields)
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"host"))
        .count();
    let http11 = head.version == Version::Http11;
    assert!(hosts == 1 || (hosts == 0 && !http11));

    let mut room = [httparse::EMPTY_HEADER; 64];
    let mut theirs = httparse::Request::new(&mut room);
    let status = theirs.parse(bytes).expect("httparse takes it, too");
    assert_eq!(status, httparse::Status::Complete(bytes.len()));
    assert_eq!(theirs.method, Some(head.method.as_str()));
    assert_eq!(theirs.path.map(str::as_bytes), Some(target));
    assert_eq!(theirs.version, Some(u8::from(http11)));
    assert_eq!(pairs(&head.fields), pairs_of(theirs.headers));

    let line = [head.method.as_str().as_bytes(), target, version(http11)].join(&b' ');
    let written = written(&line, &head.fields);
    let again = request(&written).expect("what was read is read again");
    assert_eq!(again.method, head.method);
    assert_eq!(again.target(), target);
    assert_eq!(again.version, head.version);
    assert_eq!(pairs(&again.fields), pairs(&head.fields));
}

fn check_response(head: &AnswerHead, bytes: &[u8]) {
    assert_clean(&head.fields);
    assert!(head.fields.iter().len() <= LIMITS.max_fields && bytes.len() <= LIMITS.max_bytes);
    let mut room = [httparse::EMPTY_HEADER; 64];
    let mut theirs = httparse::Response::new(&mut room);
    let status = theirs.parse(bytes).expect("httparse takes it, too");
    assert_eq!(status, httparse::Status::Complete(bytes.len()));
    assert_eq!(theirs.code, Some(head.status.as_u16()));
    assert_eq!(theirs.reason.map(str::as_bytes), Some(head.reason()));
    assert_eq!(pairs(&head.fields), pairs_of(theirs.headers));

    let http11 = head.version == Version::Http11;
    let status = head.status.as_str().as_bytes();
    let line = [version(http11), status, head.reason()].join(&b' ');
    let again = response(&written(&line, &head.fields)).expect("what was read is read again");
    assert_eq!((again.status, again.version), (head.status, head.version));
    assert_eq!(again.reason(), head.reason());
    assert_eq!(pairs(&again.fields), pairs(&head.fields));
}

fn version(http11: bool) -> &'static [u8] {
    if http11 { b"HTTP/1.1" } else { b"HTTP/1.0" }
}

fn pairs_of(headers: &[httparse::Header<'_>]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let owned = headers.iter().map(|header| {
        let value = header.value.trim_ascii().to_vec();
        (header.name.as_bytes().to_vec(), value)
    });
    owned.collect()
}

fn written(line: &[u8], fields: &Fields) -> Vec<u8> {
    let mut out = [line, b"\r\n"].concat();
    for field in fields.iter() {
        out.extend([field.name, b":", field.value, b"\r\n"].concat());
    }
    out.extend(b"\r\n");
    out
}
