//! Processes that die: kill -9 at random moments of a sync, replicas that are killed or stalled.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod delivered;
mod killed;
mod replicas;
mod rotation;

/// A small generator of random numbers (splitmix64): the same seed gives the same moments.
struct Moments(u64);

impl Moments {
    /// From `LEADGEN_TEST_SEED`, else another one each time; printed, so that a failure can be repeated.
    fn seeded(what: &str) -> Self {
        let seed = std::env::var("LEADGEN_TEST_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
            .unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
        eprintln!("{what}: LEADGEN_TEST_SEED={seed}");
        Self(seed)
    }

    /// A number from `range`.
    fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        range.start + (mixed ^ (mixed >> 31)) % (range.end - range.start)
    }
}
