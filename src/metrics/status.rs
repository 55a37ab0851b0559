//! The statuses that are counted each by itself; a service may send others, which are counted together.

/// Final ones of the registry of HTTP status codes, and 499, which stands for a client that has left. 306 and
/// 418 are registered as unused.
pub(super) const REGISTERED: [u16; 59] = [
    101, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307, 308,
    400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421,
    422, 423, 424, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 506, 507, 508,
    510, 511,
];

/// How many slots there are: one for each, one for all others below 500, one for those above.
pub(super) const STATUSES: usize = REGISTERED.len() + 2;

#[allow(clippy::cast_possible_truncation)] // there are few
const OTHER: u8 = REGISTERED.len() as u8;
const OTHER_ERROR: u8 = OTHER + 1;

/// Their slots, from 100 on.
#[allow(clippy::cast_possible_truncation)] // there are few
const SLOTS: [u8; 500] = {
    let mut slots = [OTHER; 500];
    let mut at = 0;
    while at < 100 {
        slots[400 + at] = OTHER_ERROR;
        at += 1;
    }
    at = 0;
    while at < REGISTERED.len() {
        slots[REGISTERED[at] as usize - 100] = at as u8;
        at += 1;
    }
    slots
};

/// Where a status is counted.
#[inline]
pub(super) fn slot(status: u16) -> usize {
    let at = usize::from(status).wrapping_sub(100);
    usize::from(SLOTS.get(at).copied().unwrap_or(OTHER))
}

/// The status that is counted there; `None` for all others.
pub(super) fn status(slot: usize) -> Option<u16> {
    REGISTERED.get(slot).copied()
}

/// Whether answers that are counted there are errors of services or the gateway.
pub(super) fn is_error(slot: usize) -> bool {
    slot == usize::from(OTHER_ERROR) || status(slot).is_some_and(|status| status >= 500)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_is_counted_at_its_place() {
        for slot in 0..REGISTERED.len() {
            assert_eq!(super::slot(status(slot).unwrap()), slot);
        }
        for other in [0, 99, 299, 306, 418, 427, 509, 520, 599, 600, 999] {
            assert_eq!(status(slot(other)), None, "{other}");
        }
        for registered in [205, 208, 226, 305, 407, 417, 423, 424, 506, 508, 510] {
            assert_eq!(status(slot(registered)), Some(registered));
        }
        for error in [500, 503, 506, 508, 520, 599] {
            assert!(is_error(slot(error)), "{error}");
        }
        for none in [0, 200, 299, 404, 418, 499, 600, 999] {
            assert!(!is_error(slot(none)), "{none}");
        }
    }
}
