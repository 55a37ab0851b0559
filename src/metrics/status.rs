//! The statuses that are counted each by itself; a service may send others, which are counted together.

pub(super) const REGISTERED: [u16; 48] = [
    101, 200, 201, 202, 203, 204, 206, 207, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403,
    404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 421, 422, 425, 426, 428, 429, 431,
    451, 499, 500, 501, 502, 503, 504, 505, 507, 511,
];

/// How many there are; the last is all others.
pub(super) const STATUSES: usize = REGISTERED.len() + 1;

#[allow(clippy::cast_possible_truncation)] // there are few
const OTHER: u8 = (STATUSES - 1) as u8;

/// Their slots, from 100 on.
#[allow(clippy::cast_possible_truncation)] // there are few
const SLOTS: [u8; 500] = {
    let mut slots = [OTHER; 500];
    let mut at = 0;
    while at < STATUSES - 1 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_is_counted_at_its_place() {
        for slot in 0..STATUSES - 1 {
            assert_eq!(super::slot(status(slot).unwrap()), slot);
        }
        for other in [0, 99, 299, 418, 599, 600, 999] {
            assert_eq!(status(slot(other)), None, "{other}");
        }
    }
}
