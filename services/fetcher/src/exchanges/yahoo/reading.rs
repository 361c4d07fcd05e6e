//! From answers of Yahoo to bars of a series and to instruments.

use std::ops::Range;

use market::{Adjustment, Instrument, SeriesKey, Timeframe, TimeframeUnit, Utc};
use store::{RawBar, RawBars};

use super::super::Reader;
use super::super::readings::{rows, unknown_symbol, unreadable};
use super::chart::{self, Chart, Row};
use super::labels::{is_label, is_same_length, label_of, slots_around};
use super::{ADJUSTED, REGISTRATION, judge, symbols};
use crate::http_account::{Answer, HttpAccount};
use crate::provider::Listing;
use crate::remote_error::{Failure, RemoteError};

/// What its answers go through: as hours and days of a share, and as weeks adjusted for dividends.
pub(in super::super) const READER: Reader = Reader {
    name: REGISTRATION.name,
    judge,
    bars: read_bars,
    listings: read_listings,
};

/// Two months, of which every bar of an answer is read.
const MONTHS: Range<Utc> = Utc(1_704_067_200_000_000)..Utc(1_709_251_200_000_000);

/// Labelled bars of an answer, and how many rows had times that no bar can have.
#[derive(Default)]
pub(super) struct Labelled {
    /// Sorted, one per label.
    pub(super) bars: RawBars,
    /// Rows with times of no bar.
    pub(super) odd: usize,
    /// The first of these times.
    pub(super) first_odd: Option<Utc>,
}

/// The chart of an answer to a request for bars of a length.
pub(super) fn read_chart(
    answer: &Answer,
    account: &HttpAccount,
    interval: &str,
) -> Result<Chart, RemoteError> {
    let chart = chart::read(&answer.content);
    let chart = chart.map_err(|reason| unreadable(answer, account, &reason))?;
    if chart.is_phantom {
        return Err(account.error(unknown_symbol()));
    }

    if !is_same_length(&chart.granularity, interval) {
        let reason = format!("asked for {interval} bars it gave {}", chart.granularity);
        return Err(unreadable(answer, account, &reason));
    }
    Ok(chart)
}

/// The instruments that a search has found.
pub(super) fn read_listings(
    answer: &Answer,
    account: &HttpAccount,
) -> Result<Vec<Listing>, RemoteError> {
    let quotes = rows(answer.content.get("quotes"), answer, account)?;
    Ok(quotes.iter().filter_map(symbols::listing_of).collect())
}

fn read_bars(answer: &Answer, account: &HttpAccount) -> Result<Vec<RawBar>, RemoteError> {
    let chart = chart::read(&answer.content);
    let chart = chart.map_err(|reason| unreadable(answer, account, &reason))?;
    let readings = [
        (REGISTRATION.name, Timeframe::HOUR_1),
        (REGISTRATION.name, Timeframe::DAY_1),
        (ADJUSTED.name, Timeframe::WEEK_1),
    ];

    let mut bars = Vec::new();
    for (provider, timeframe) in readings {
        let share = Instrument::parse("AAPL").ok();
        let key = share.and_then(|share| SeriesKey::standard(provider, share, timeframe).ok());
        if let Some(key) = key {
            bars.extend(labelled(&key, &chart, &MONTHS, account)?.bars.iter());
        }
    }
    Ok(bars)
}

/// The rows of an answer as bars with labels in a range, sorted, one per label.
pub(super) fn labelled(
    key: &SeriesKey,
    chart: &Chart,
    range: &Range<Utc>,
    account: &HttpAccount,
) -> Result<Labelled, RemoteError> {
    let mut labelled = Labelled::default();
    let slots = slots_around(key, range);
    let mut bars: Vec<RawBar> = Vec::new();

    for row in &chart.rows {
        let label = label_of(key.timeframe, row, chart);
        let label = label.map_err(|reason| misread(account, key, reason))?;
        if !range.contains(&label) {
            continue;
        }
        if key.timeframe.is_intraday() && !is_label(label, &slots) {
            if chart.newest_trade != Some(row.time) {
                labelled.odd += 1;
                labelled.first_odd.get_or_insert(label);
            }
            continue;
        }
        if let Some(bar) = bar_of(key, row, label, account)? {
            bars.push(bar);
        }
    }

    // The newest week may come in two rows, of which neither is the whole of it.
    let newest = bars.last().map(|bar| bar.open_time);
    let count_of_newest = bars.iter().filter(|bar| Some(bar.open_time) == newest);
    if key.timeframe.unit() == TimeframeUnit::Week && count_of_newest.count() > 1 {
        bars.retain(|bar| Some(bar.open_time) != newest);
    }
    let bars: RawBars = bars.into_iter().collect();
    labelled.bars = bars.sorted();
    Ok(labelled)
}

/// The bar of a row; none where its adjusted close is null.
fn bar_of(
    key: &SeriesKey,
    row: &Row,
    label: Utc,
    account: &HttpAccount,
) -> Result<Option<RawBar>, RemoteError> {
    let [.., close] = row.prices;
    let factor = match key.adjustment {
        Adjustment::SplitDividend => row.adjusted_close.map(|adjusted| adjusted / close),
        _ => Some(1.0),
    };
    let Some(factor) = factor else {
        return Ok(None);
    };
    let prices = row.prices.map(|price| price * factor);
    if !prices.iter().all(|price| price.is_finite()) {
        let reason = format!("{label} has a close of {close}, which cannot be adjusted");
        return Err(misread(account, key, reason));
    }

    // Where trades are not counted, none is known.
    let is_counted = key.instrument.class().has_volume() || row.volume > 0.0;
    Ok(Some(RawBar {
        open_time: label,
        prices,
        volume: if is_counted { row.volume } else { f64::NAN },
    }))
}

/// An answer whose rows make no bars of a series.
pub(super) fn misread(account: &HttpAccount, key: &SeriesKey, reason: String) -> RemoteError {
    let name = key.instrument.spelling();
    account.error(Failure::Protocol {
        address: format!("the request for {name} {}", key.timeframe),
        reason,
    })
}
