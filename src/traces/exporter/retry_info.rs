//! When a collector that takes nothing for now wants to be asked again: `google.rpc.RetryInfo` among the
//! details of a gRPC status (OTLP section "Throttling").
//! <https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto>

use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::protobuf::{Read, fields};

const RETRY_INFO: &[u8] = b"google.rpc.RetryInfo";
/// Padded or not: gRPC allows both.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The pause that is asked for in a `grpc-status-details-bin`; zero, if it is left to us. Nothing if the
/// collector does not say that it may be asked again.
pub(super) fn pause(details: &[u8]) -> Option<Duration> {
    let status = BASE64.decode(details).ok()?;
    let infos = messages(&status, 3).filter_map(|any| {
        let kind = messages(any, 1).last()?;
        // What stands in front of the name is a host, and means nothing.
        let name = kind.rsplit(|b| *b == b'/').next()?;
        (name == RETRY_INFO).then(|| messages(any, 2).last().unwrap_or_default())
    });
    let delay = messages({ infos }.next()?, 1).last();
    Some(delay.map_or(Duration::ZERO, duration))
}

/// The values of a field that has messages, texts or bytes.
fn messages(of: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    fields(of).filter_map(move |field| match field {
        (field, Read::Bytes(bytes)) if field == number => Some(bytes),
        _ => None,
    })
}

/// A `google.protobuf.Duration`; zero, if it is negative.
fn duration(message: &[u8]) -> Duration {
    let mut parts = [0, 0];
    for field in fields(message) {
        if let (field @ 1..=2, Read::Number(number)) = field {
            // Both are signed.
            let number = i64::try_from(number).unwrap_or(0);
            parts[usize::from(field == 2)] = number.unsigned_abs();
        }
    }
    let [seconds, nanos] = parts;
    let nanos = u32::try_from(nanos).unwrap_or(0).min(999_999_999);
    Duration::new(seconds, nanos)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protobuf::{put_bytes, put_message, put_number};

    /// As Google's own library for Python writes them, each a `Status` with the code 8: a `DebugInfo`, and a
    /// `RetryInfo` of 3.5 s; one without a delay; one of -1.000000005 s; one of 2 ms; a `DebugInfo` alone.
    const WRITTEN: [(&str, Option<Duration>); 5] = [
        (
            "CAgSBGJ1c3kaOwoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLkRlYnVnSW5mbxIPEg1xdWV1ZSBpcyBmdWxsGjYKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SCgoICAMQgMq17gE=",
            Some(Duration::from_millis(3500)),
        ),
        (
            "CAgSBGJ1c3kaKgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbw==",
            Some(Duration::ZERO),
        ),
        (
            "CAgSBGJ1c3kaRAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIYChYI////////////ARD7//////////8B",
            Some(Duration::ZERO),
        ),
        (
            "CAgSBGJ1c3kaMgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIGCgQQgIl6",
            Some(Duration::from_millis(2)),
        ),
        (
            "CAgSBGJ1c3kaLwoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLkRlYnVnSW5mbxIDEgF4",
            None,
        ),
    ];

    #[test]
    fn the_pause_is_that_of_a_retry_info() {
        for (details, expected) in WRITTEN {
            assert_eq!(pause(details.as_bytes()), expected, "{details}");
            let unpadded = details.trim_end_matches('=');
            assert_eq!(pause(unpadded.as_bytes()), expected, "{unpadded}");
        }
        for none in ["", "=", "A", "AAAAA", "CAgS BGJ1", "CAgSBGJ1c3k_", "===="] {
            assert_eq!(pause(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn numbers_and_lengths_of_a_liar_do_no_harm() {
        let mut most = Vec::new();
        put_number(&mut most, 1, i64::MAX.unsigned_abs());
        put_number(&mut most, 2, u64::MAX >> 1);
        assert_eq!(duration(&most).as_secs(), i64::MAX.unsigned_abs());
        // It says that it has more bytes than there are.
        let mut cut = Vec::new();
        put_message(&mut cut, 3, |any| put_bytes(any, 1, RETRY_INFO));
        let whole = BASE64.encode(&cut);
        assert_eq!(pause(whole.as_bytes()), Some(Duration::ZERO));
        for length in [0x7f, 0xff] {
            cut[1] = length;
            let said = BASE64.encode(&cut);
            assert_eq!(pause(said.as_bytes()), None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read(bytes: Vec<u8>) {
            let _ = pause(&bytes);
            let _ = pause(BASE64.encode(&bytes).as_bytes());
        }
    }
}
