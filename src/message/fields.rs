//! Header fields as they came: one buffer, and where in it each name and value stands.
//!
//! Not a map. A proxy reads about ten fields and passes the rest on in their order and letter
//! case; hashing and copying all of them would cost more than everything that is decided by them.

use http::HeaderName;

use super::known_field::KnownField;

/// A piece of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// From one place to another. Heads are far smaller than 4 GiB.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            start: short(start),
            end: short(end),
        }
    }

    /// Whether nothing is in it.
    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The same without the blanks at its end.
    pub(crate) fn without_blanks_after(mut self, whole: &[u8]) -> Self {
        while let [.., b' ' | b'\t'] = self.get(whole) {
            self.end -= 1;
        }
        self
    }

    /// The bytes.
    pub fn get(self, whole: &[u8]) -> &[u8] {
        whole
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
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
    pub known: KnownField,
    /// From the name up to two bytes after the value.
    line: &'a [u8],
}

impl<'a> FieldRef<'a> {
    /// The line that it came in, with its end, if that is how HTTP/1.1 would write it.
    pub fn line(&self) -> Option<&'a [u8]> {
        let separated = self.line.get(self.name.len()..)?.starts_with(b": ");
        let whole = self.line.len() == self.name.len() + self.value.len() + 4;
        (separated && whole && self.line.ends_with(b"\r\n")).then_some(self.line)
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub name: Span,
    pub value: Span,
    pub known: KnownField,
}

/// The fields of one head or trailer section.
#[derive(Debug, Default)]
pub struct Fields {
    bytes: Vec<u8>,
    list: Vec<Field>,
    /// A bit for each known name that there is. Most that are asked for are not there, and the list
    /// need not be walked to tell.
    present: u64,
}

impl Fields {
    /// The fields of `list`, which stand in `bytes`.
    pub(crate) fn new(bytes: Vec<u8>, list: Vec<Field>) -> Self {
        let present = list.iter().fold(0, |bits, field| bits | field.known.bit());
        Self {
            bytes,
            list,
            present,
        }
    }

    /// What the head was read from.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All fields, in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = FieldRef<'_>> + Clone {
        self.list.iter().map(|field| FieldRef {
            name: field.name.get(&self.bytes),
            value: field.value.get(&self.bytes),
            known: field.known,
            line: self
                .bytes
                .get(field.name.start as usize..field.value.end as usize + 2)
                .unwrap_or_default(),
        })
    }

    /// The value of the first of that name.
    pub fn get(&self, known: KnownField) -> Option<&[u8]> {
        self.get_all(known).next()
    }

    /// Whether there is one of that name.
    pub fn has(&self, known: KnownField) -> bool {
        self.present & known.bit() != 0
    }

    /// The values of all of that name.
    pub fn get_all(&self, known: KnownField) -> impl Iterator<Item = &[u8]> {
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
    pub fn list_items(&self, known: KnownField) -> impl Iterator<Item = &[u8]> {
        let items = self
            .get_all(known)
            .flat_map(|value| value.split(|b| *b == b','));
        items.map(trim).filter(|item| !item.is_empty())
    }

    /// Whether such a list has an item, in any letter case.
    pub fn has_item(&self, known: KnownField, item: &[u8]) -> bool {
        self.list_items(known)
            .any(|other| other.eq_ignore_ascii_case(item))
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
    pub(crate) list: Vec<Field>,
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

/// Fields as tests write them, in lines.
#[cfg(test)]
pub(crate) fn fields(lines: &str) -> Fields {
    let mut list = Vec::new();
    let mut at = 0;
    for line in lines.split_inclusive("\r\n") {
        let colon = at + line.find(':').expect("a field");
        let value = &lines[colon + 1..at + line.trim_end().len()];
        let start = colon + 1 + value.len() - value.trim_start().len();
        list.push(Field {
            name: Span::new(at, colon),
            value: Span::new(start, start + value.trim_start().len()),
            known: KnownField::of(&lines.as_bytes()[at..colon]),
        });
        at += line.len();
    }
    Fields::new(lines.into(), list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<&'a str> {
        values.map(|v| std::str::from_utf8(v).unwrap()).collect()
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
        assert_eq!(fields.get(KnownField::Host), Some(&b"x"[..]));
        assert!(fields.has(KnownField::Host) && !fields.has(KnownField::Te));
        let name = HeaderName::from_static("b");
        assert_eq!(texts(fields.get_all_named(&name)), ["2", "", "3"]);
    }

    #[test]
    fn a_list_may_be_spread_over_fields_and_have_empty_items() {
        let fields = fields("Connection: a,, b\t\r\nTE: x\r\nconnection: ,\r\nConnection:c\r\n");
        assert_eq!(
            texts(fields.list_items(KnownField::Connection)),
            ["a", "b", "c"]
        );
        assert!(fields.has_item(KnownField::Te, b"X") && !fields.has_item(KnownField::Te, b"a"));
        assert_eq!(fields.get_all(KnownField::Connection).count(), 3);
        assert_eq!(fields.list_items(KnownField::Upgrade).count(), 0);
    }

    #[test]
    fn recycled_storage_keeps_its_room_and_forgets_its_bytes() {
        let storage = HeadStorage::from(fields("A: 1\r\nB: 2\r\n"));
        assert!(storage.bytes.is_empty() && storage.list.is_empty());
        assert!(storage.bytes.capacity() >= 12 && storage.list.capacity() >= 2);
    }
}
