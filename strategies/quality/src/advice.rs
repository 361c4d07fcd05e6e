//! What to do about a finding, in one sentence per check.

use crate::report::Check;

impl Check {
    /// What to do next, for people.
    pub const fn advice(self) -> &'static str {
        // The finding itself says what is wrong, so these lines only say what to do.
        match self {
            Self::Empty => "choose another range or file",
            Self::Columns => "write the file again: each row needs all its cells",
            Self::Timestamp => "look at these times: their unit, format or zone may be another one",
            Self::Order => "nothing: bars are sorted when they are stored",
            Self::DuplicateIdentical => "nothing: one of equal bars is stored",
            Self::DuplicateDiffering => {
                "look whether the file holds two symbols or sources; the last bar of a time counts"
            }

            Self::OffSession => {
                "look whether symbol, zone and hours are right; another class or calendar may fit"
            }
            Self::OffGrid => "look at timeframe and zone, or load these bars again",
            Self::Visibility => "write the time at which each bar opens, and its zone",

            Self::PriceNotFinite => "load these bars again, or leave them out: method drop",
            Self::PriceNotPositive => {
                "load these bars again or drop them; for spreads and oil set allow_negative_prices"
            }
            Self::PriceTooLarge => "divide the prices by the scale of the provider, as 1e9",
            Self::HighTooLow | Self::LowTooHigh => {
                "look whether the columns are right; method widen moves high and low out"
            }
            Self::HighBelowLow => "look whether high and low are swapped, or drop the bars",

            Self::VolumeUnavailable => "nothing: the volume is stored as not available",
            Self::VolumeNegative => "load these bars again; method zero writes 0",
            Self::VolumeZero => "use no indicator of volume, or a provider that has one",
            Self::VolumeSpike | Self::PriceMove | Self::Outlier => {
                "compare with the news of that time: markets do jump"
            }
            Self::Spike => "load these bars again; method winsorise caps them",
            Self::Stale => "look whether the market was shut, or load these bars again",

            Self::Missing => "load the gaps again; method ffill bridges up to three bars",
            Self::Coverage => "load both timeframes of the same time again, from one provider",
            Self::Spacing => "name the timeframe that the bars have",

            Self::CurrencyUnit | Self::Split => {
                "load the whole series again, or use method rescale"
            }
            Self::AdjustmentBreak => {
                "load or import the whole history again, so that all prices are adjusted alike"
            }
            Self::DividendUnit
            | Self::DividendAdjustment
            | Self::DividendPhantom
            | Self::CapitalGains => {
                "use the plain close, or method rescale for dividends and adjusted closes"
            }
            Self::DividendMissing | Self::DividendDate => {
                "look up the dividend at the exchange, and use the plain close until it is right"
            }
            Self::Calendar => "nothing: no bar is called missing on these dates",
        }
    }
}
