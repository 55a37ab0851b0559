//! What there is to say of keys where somebody asks as a client, without one.

use jiff::Timestamp;

use crate::client::{Client, KeyTable};
use crate::message::head::RequestHead;
use crate::message::key_sources::SentKey;
use crate::message::target::RequestTarget;
use crate::pipeline::snapshot::Snapshot;

/// Whether a request has a key, wherever the configuration takes one from.
pub(super) fn are_sent(snapshot: &Snapshot, head: &RequestHead) -> bool {
    let names = &snapshot.access.names;
    let target = RequestTarget::parse(head.target(), &head.method).ok();
    let query = target.and_then(|target| target.query);
    let sent = names.key_sources.find(&names.api_key, &head.fields, query);
    !matches!(sent.key, SentKey::Nothing)
}

/// Why none of a client's keys is accepted at `now`, if it has some.
pub(super) fn fault(keys: &KeyTable, client: &Client, now: Timestamp) -> Option<String> {
    let own = keys.iter().filter(|key| key.client.name == client.name);
    let (mut last_end, mut first_begin) = (None, None);
    for key in own {
        let has_ended = key.expires_at.filter(|end| *end <= now);
        let is_to_come = key.not_before.filter(|begin| now < *begin);
        match (has_ended, is_to_come) {
            (None, None) => return None,
            (Some(end), _) => last_end = last_end.max(Some(end)),
            (None, Some(begin)) => first_begin = first_begin.min(Some(begin)).or(Some(begin)),
        }
    }
    let name = client.name.as_str();
    match (last_end, first_begin) {
        (None, None) => None,
        (Some(end), None) => Some(format!(
            "all keys of `{name}` have expired, the last at {end}: with them it is 401"
        )),
        (_, Some(begin)) => Some(format!(
            "no key of `{name}` is valid now, the next one from {begin} on: until then it is 401"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{ApiKeyHash, ClientName, KeyTableBuilder};

    #[test]
    fn keys_that_none_of_are_accepted_are_told() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (lifetimes, said) in [
            (&[][..], None),
            (&[(None, None)], None),
            (
                &[(None, Some(50)), (Some(150), None), (Some(50), Some(150))],
                None,
            ),
            (
                &[(None, Some(50)), (None, Some(100))],
                Some("expired, the last at 1970-01-01T00:01:40Z"),
            ),
            (
                &[(Some(160), None), (Some(120), None)],
                Some("the next one from 1970-01-01T00:02:00Z on"),
            ),
            (
                &[(None, Some(50)), (Some(120), None)],
                Some("the next one from 1970-01-01T00:02:00Z on"),
            ),
        ] {
            let client = |name| Client::new(ClientName::parse(name).unwrap(), None);
            let mut keys = KeyTableBuilder::default();
            for (nth, (from, to)) in lifetimes.iter().enumerate() {
                let hash = ApiKeyHash::of(&[u8::try_from(nth).unwrap()]);
                keys.add(hash, client("old"), from.map(at), to.map(at))
                    .unwrap();
            }
            let other = ApiKeyHash::of(b"other");
            keys.add(other, client("other"), None, None).unwrap();
            let fault = fault(&keys.build(), &client("old"), at(100));
            match said {
                None => assert_eq!(fault, None),
                Some(said) => assert!(fault.as_ref().unwrap().contains(said), "{fault:?}"),
            }
        }
    }
}
