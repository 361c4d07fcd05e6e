//! The thresholds of the gap analysis: the configuration's section `[fetcher.gaps]`.

use market::{AssetClass, Timeframe, Utc};
use serde::{Deserialize, Serialize};

/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

/// When a gap is worth a request, and how long "the provider has none" holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GapSettings {
    /// Fewest bars of a hole between stored bars that is asked for, in timeframes below 5m: minutes
    /// without a trade are normal. 1 asks for every hole.
    pub min_bars_below_5m: u64,
    /// The same from 5m on and below 1h.
    pub min_bars_below_1h: u64,
    /// The same from 1h on.
    pub min_bars_from_1h: u64,
    /// The same for one class of instruments, in every timeframe and instead of the above.
    pub min_bars_of: ClassMinimums,
    /// Most ranges that are asked for at a time; with more of them, neighbours are joined over
    /// longer and longer distances. At least 1.
    pub ranges_max: u64,
    /// Age of a bar in days, when it was asked for, from which "there is none" is final.
    pub empty_final_days: u32,
    /// Hours for which the answer holds before.
    pub empty_holds_hours: u32,
    /// Days that mode `tail` fetches of a series of which nothing is stored.
    pub tail_days: u32,
}

/// Fewest bars of a hole that is asked for, by the prefix of a class of instruments; a class that
/// is absent has that of the timeframe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassMinimums {
    /// Shares, and funds that trade like them.
    pub stk: Option<u64>,
    /// Funds that are named as such.
    pub fund: Option<u64>,
    /// Indices and contracts for difference.
    pub idx: Option<u64>,
    /// Spot currency pairs.
    pub fx: Option<u64>,
    /// Precious metals against a currency.
    pub metal: Option<u64>,
    /// Futures with their expiries.
    pub fut: Option<u64>,
    /// Crypto pairs on spot markets.
    pub crypto: Option<u64>,
    /// Crypto futures without expiry.
    pub perp: Option<u64>,
}

impl ClassMinimums {
    const fn of(&self, class: AssetClass) -> Option<u64> {
        match class {
            AssetClass::Stock => self.stk,
            AssetClass::Fund => self.fund,
            AssetClass::Index => self.idx,
            AssetClass::Fx => self.fx,
            AssetClass::Metal => self.metal,
            AssetClass::Future => self.fut,
            AssetClass::Crypto => self.crypto,
            AssetClass::Perpetual => self.perp,
        }
    }
}

impl Default for GapSettings {
    /// Holes from 5 bars on below 5m, 3 below 1h, else 1; 1000 ranges; final after 7 days, 24
    /// hours before; a tail of 30 days.
    fn default() -> Self {
        Self {
            min_bars_below_5m: 5,
            min_bars_below_1h: 3,
            min_bars_from_1h: 1,
            min_bars_of: ClassMinimums::default(),
            ranges_max: 1_000,
            empty_final_days: 7,
            empty_holds_hours: 24,
            tail_days: 30,
        }
    }
}

impl GapSettings {
    /// Fewest bars of a hole between stored bars that is asked for.
    pub fn min_bars(&self, class: AssetClass, timeframe: Timeframe) -> u64 {
        self.min_bars_of
            .of(class)
            .unwrap_or_else(|| match timeframe.minutes() {
                ..5 => self.min_bars_below_5m,
                5..60 => self.min_bars_below_1h,
                _ => self.min_bars_from_1h,
            })
    }

    /// Of an answer given at `asked_at`, the labels before this instant are final.
    pub(crate) fn final_before(&self, asked_at: Utc) -> Utc {
        asked_at.plus_micros(-24 * HOUR * i64::from(self.empty_final_days))
    }

    /// True while an answer given at `asked_at` holds for younger labels, too.
    pub(crate) fn holds(&self, asked_at: Utc, now: Utc) -> bool {
        now < asked_at.plus_micros(HOUR * i64::from(self.empty_holds_hours))
    }

    /// Where mode `tail` begins if nothing is stored before `newest`.
    pub(crate) fn tail_start(&self, newest: Utc) -> Utc {
        newest.plus_micros(-24 * HOUR * i64::from(self.tail_days))
    }
}
