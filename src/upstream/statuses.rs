//! A set of statuses, as the configuration writes it: a status, or a range.

use http::StatusCode;

/// Statuses from 100 to 599, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statuses([u64; 8]);

impl Statuses {
    const FIRST: u16 = 100;
    const LAST: u16 = 599;

    /// A set of these.
    pub fn of(statuses: &[u16]) -> Self {
        let mut set = Self::default();
        for status in statuses {
            set.add(*status, *status);
        }
        set
    }

    /// Adds all from `first` to `last`; those outside 100 to 599 are never met.
    pub fn add(&mut self, first: u16, last: u16) {
        for status in first.max(Self::FIRST)..=last.min(Self::LAST) {
            let bit = usize::from(status - Self::FIRST);
            self.0[bit / 64] |= 1 << (bit % 64);
        }
    }

    /// Whether the set has this one.
    pub fn has(&self, status: StatusCode) -> bool {
        let bit = usize::from(status.as_u16().wrapping_sub(Self::FIRST));
        self.0
            .get(bit / 64)
            .is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_added() {
        let mut set = Statuses::of(&[100, 599]);
        set.add(200, 399);
        set.add(700, 900);
        for (status, expected) in [
            (100, true),
            (101, false),
            (199, false),
            (200, true),
            (399, true),
            (400, false),
            (598, false),
            (599, true),
            (700, false),
            (999, false),
        ] {
            assert_eq!(
                set.has(StatusCode::from_u16(status).unwrap()),
                expected,
                "{status}"
            );
        }
    }
}
