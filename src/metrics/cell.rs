//! Numbers that one thread writes and others read: a relaxed load and a relaxed store, which costs what an
//! ordinary addition does. A second writer would lose counts, so each thread has cells of its own.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::row::{Row, Total};

/// A number that grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Called by the one thread that owns it.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Adds one. Called by the one thread that owns it.
    #[inline]
    pub fn increment(&self) {
        self.add(1);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that grows and shrinks.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Adds one. Called by the one thread that owns it.
    #[inline]
    pub fn up(&self) {
        self.0.store(self.0.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Takes one away. Called by the one thread that owns it.
    #[inline]
    pub fn down(&self) {
        self.0.store(self.0.load(Relaxed).wrapping_sub(1), Relaxed);
    }

    /// Sets it. Called by the one thread that owns it.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Total for u64 {
    fn add(&mut self, other: &u64) {
        *self = self.wrapping_add(*other);
    }
}

impl Row for Counter {
    type Totals = u64;

    fn add_to(&self, totals: &mut u64) {
        totals.add(&self.get());
    }

    fn each(totals: &mut u64, each: &mut dyn FnMut(&mut u64)) {
        each(totals);
    }
}

/// It stays behind when counters move.
impl Row for Gauge {
    type Totals = u64;

    fn add_to(&self, totals: &mut u64) {
        totals.add(&self.get());
    }

    fn each(_: &mut u64, _: &mut dyn FnMut(&mut u64)) {}
}
