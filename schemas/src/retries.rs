//! When a step that failed in a way that may pass is tried again: pauses that double, with jitter,
//! and a budget of tries.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a step could not use: it decides how soon another try is worth it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryClass {
    /// Something of this system: the store, the bus, the host.
    System,
    /// A provider of bars, which counts the requests that it gets.
    Provider,
}

impl RetryClass {
    /// Pauses of this class in relation to the base.
    const fn factor(self) -> u32 {
        match self {
            Self::System => 1,
            Self::Provider => 2,
        }
    }
}

/// How often, and after which pauses, a service tries a step again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Most retries without a checkpoint between them; 0 = a first failure is final.
    pub limit: u16,
    /// Pause before the first retry, as in `1s`; each further one is twice as long.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub base: Duration,
    /// Longest pause, before jitter.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub cap: Duration,
}

impl Default for RetryPolicy {
    /// Three retries, after about 1, 2 and 4 s.
    fn default() -> Self {
        Self {
            limit: 3,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// The pause before a retry, counted from 1: the base doubled for each earlier one, at most the
    /// cap, times 0.5 to 1.5 as `seed` has it.
    pub fn delay(&self, retry: u32, class: RetryClass, seed: u64) -> Duration {
        let doublings = retry.saturating_sub(1).min(31);
        let pause = self
            .base
            .saturating_mul(class.factor())
            .saturating_mul(1 << doublings)
            .min(self.cap);

        // Many steps fail at one moment, when a server goes away: they must not come back at one.
        pause.mul_f64(0.5 + fraction_of(seed))
    }
}

/// A fraction of 0 to 1 from the bits of a seed, by the last step of SplitMix64.
#[expect(
    clippy::cast_precision_loss,
    reason = "53 bits are what the mantissa holds"
)]
fn fraction_of(seed: u64) -> f64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;

    (bits >> 11) as f64 / (1_u64 << 53) as f64
}
