//! The seam between stored and fetched bars: prices of another scale are never joined to them.

use std::ops::RangeInclusive;

use market::{Adjustment, SeriesKey};
use store::{RawBar, RawBars, SeriesSnapshot, Store};

use crate::error::FetchError;

/// Fetched closes in relation to the stored ones of the same times, on one scale: a provider may
/// revise a bar, and a split or a dividend changes all of them.
const ONE_SCALE: RangeInclusive<f64> = 0.98..=1.02;

/// The same of prices that are adjusted for dividends, where a small dividend must show; what is
/// allowed is the rounding of the provider.
const ONE_DIVIDEND_SCALE: RangeInclusive<f64> = 0.999_99..=1.000_01;

/// Compares the bars of an answer with stored bars of the same times. A provider that has adjusted
/// its history for a split gives them with other prices.
///
/// # Errors
/// The median of the prices is of another scale, or the store cannot be read.
pub(crate) async fn check_scale(
    store: &Store,
    key: &SeriesKey,
    snapshot: &SeriesSnapshot,
    answer: &RawBars,
) -> Result<(), FetchError> {
    let Some(first) = answer.open_time.first() else {
        return Ok(());
    };
    let Some(last) = answer.open_time.last() else {
        return Ok(());
    };
    let range = *first..last.plus_micros(1);
    let stored = store.series().raw_bars(snapshot, range).await?;

    // Without a bar of the same time nothing is said: a jump may be the market's.
    match median_ratio(&stored, answer) {
        Some(ratio) if !one_scale(key).contains(&ratio) => Err(FetchError::Scale {
            series: format!("{} {}", key.instrument.spelling(), key.timeframe),
            ratio,
            command: refetch_command(key),
        }),
        _ => Ok(()),
    }
}

/// The ratios of a series whose prices have one scale.
fn one_scale(key: &SeriesKey) -> RangeInclusive<f64> {
    match key.adjustment {
        Adjustment::SplitDividend => ONE_DIVIDEND_SCALE,
        Adjustment::Raw | Adjustment::Split => ONE_SCALE,
    }
}

/// The command that replaces the stored bars of a series.
fn refetch_command(key: &SeriesKey) -> String {
    let symbol = key.instrument.spelling();
    let timeframe = key.timeframe;
    let provider = match key.provider() {
        "file" => String::new(),
        name => format!(" --provider {name}"),
    };
    let calendar = key.calendar();
    let calendar = calendar.map_or_else(String::new, |name| format!(" --calendar {name}"));

    format!(
        "ktrdr data load {symbol} --timeframe {timeframe}{provider}{calendar} --mode full --refetch"
    )
}

/// The median of fetched to stored closes of the same times; none without such a time. Both ascend.
fn median_ratio(stored: &RawBars, answer: &RawBars) -> Option<f64> {
    let mut stored_bars = stored.iter().peekable();

    let mut ratios = Vec::new();
    for bar in answer.iter() {
        while stored_bars
            .next_if(|stored| stored.open_time < bar.open_time)
            .is_some()
        {}
        if let Some(stored) = stored_bars.next_if(|stored| stored.open_time == bar.open_time) {
            ratios.push(close_of(&bar) / close_of(&stored));
        }
    }

    // The median: a single bar that the provider has corrected does not look like a split.
    ratios.retain(|ratio| ratio.is_finite() && *ratio > 0.0);
    ratios.sort_unstable_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied()
}

const fn close_of(bar: &RawBar) -> f64 {
    let [.., close] = bar.prices;
    close
}
