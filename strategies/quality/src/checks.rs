//! Structure: are these rows bars at all?

use std::borrow::Cow;
use std::ops::{Range, RangeInclusive};

use market::{Bars, PriceKind, SeriesKey, Utc};

use crate::actions::Field;
use crate::draft::{Draft, Place};
use crate::report::{Check, Severity};

/// Prices may contradict each other by this share: it is rounding.
const TOLERANCE: f64 = 1e-9;
/// Fewer bars say nothing about a share: a fifth of five bars is one bar.
pub(crate) const FEW_BARS: usize = 5;
/// 1900-01-01; no series is older.
const OLDEST: Utc = Utc(-2_208_988_800_000_000);

/// One bar with its row in the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) row: usize,
    pub(crate) time: Utc,
    pub(crate) known_at: Utc,
    pub(crate) open: f64,
    pub(crate) high: f64,
    pub(crate) low: f64,
    pub(crate) close: f64,
    pub(crate) volume: f64,
}

impl Row {
    /// Open, high, low and close.
    pub(crate) const fn prices(&self) -> [f64; 4] {
        [self.open, self.high, self.low, self.close]
    }

    /// The bar with all prices multiplied.
    pub(crate) const fn scaled(self, factor: f64) -> Self {
        Self {
            open: self.open * factor,
            high: self.high * factor,
            low: self.low * factor,
            close: self.close * factor,
            ..self
        }
    }

    /// Multiplies one price; other fields are left alone.
    pub(crate) const fn scale_price(&mut self, field: Field, factor: f64) {
        match field {
            Field::Open => self.open *= factor,
            Field::High => self.high *= factor,
            Field::Low => self.low *= factor,
            Field::Close => self.close *= factor,
            Field::Volume | Field::AdjustedClose | Field::Dividend => {}
        }
    }

    /// All four prices are finite and above zero.
    pub(crate) fn is_priced(&self) -> bool {
        self.prices()
            .iter()
            .all(|price| price.is_finite() && *price > 0.0)
    }

    fn same_values(&self, other: &Self) -> bool {
        self.value_bits() == other.value_bits()
    }

    /// By bits, so that NaN equals NaN.
    fn value_bits(&self) -> [u64; 5] {
        [self.open, self.high, self.low, self.close, self.volume].map(f64::to_bits)
    }
}

/// The rows sorted by label, the last of each label only. A series that is in order already is
/// looked at where it is: a copy would be larger than the series.
pub(crate) struct Rows<'a> {
    bars: Cow<'a, Bars>,
    /// Row of the input of each bar; empty where the bars are the input.
    numbers: Vec<usize>,
}

impl<'a> Rows<'a> {
    /// Sorts and removes duplicates, and reports both. Rows with a label that no bar can have are
    /// reported and left out.
    pub(crate) fn new(bars: &'a Bars, draft: &mut Draft<'_>, now: Option<Utc>) -> Self {
        let are_all_possible = check_order(bars, draft, now);
        let opens = &bars.open_time;
        let rows = if are_all_possible && opens.is_sorted_by(|one, next| one < next) {
            Self {
                bars: Cow::Borrowed(bars),
                numbers: Vec::new(),
            }
        } else {
            Self::sorted(bars, draft, now)
        };

        let times = rows.times();
        if let Some(first) = times.first()
            && let Some(last) = times.last()
        {
            draft.span(*first, *last);
        }
        rows
    }

    fn sorted(bars: &Bars, draft: &mut Draft<'_>, now: Option<Utc>) -> Self {
        let possible = possible_labels(draft, now);
        let mut rows: Vec<Row> = all_rows(bars)
            .filter(|row| possible.contains(&row.time))
            .collect();

        // Equal labels stay in the order of the input: the last one is the newest.
        rows.sort_by_key(|row| (row.time, row.row));
        report_duplicates(&rows, draft);
        let mut sorted = Bars::default();
        let mut numbers = Vec::with_capacity(rows.len());
        for row in last_of_each_label(rows) {
            push_row(&mut sorted, &row);
            numbers.push(row.row);
        }
        Self {
            bars: Cow::Owned(sorted),
            numbers,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Row> {
        all_rows(&self.bars).map(|row| Row {
            row: self.number_of(row.row),
            ..row
        })
    }

    /// Row of the input of the bar at `index`.
    fn number_of(&self, index: usize) -> usize {
        self.numbers.get(index).copied().unwrap_or(index)
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.bars.len()
    }

    /// Labels of all rows, ascending.
    pub(crate) fn times(&self) -> &[Utc] {
        &self.bars.open_time
    }

    /// Closes of all rows.
    pub(crate) fn closes(&self) -> &[f64] {
        &self.bars.close
    }

    /// Closes of the rows in `range`; none beyond the last row.
    pub(crate) fn closes_in(&self, range: Range<usize>) -> &[f64] {
        self.bars.close.get(range).unwrap_or_default()
    }

    /// Rows and labels for which `select` holds.
    pub(crate) fn select(&self, select: impl Fn(&Row) -> bool) -> Vec<Place> {
        self.iter()
            .filter(|row| select(row))
            .map(|row| (row.row, row.time))
            .collect()
    }
}

/// Appends one row.
pub(crate) fn push_row(bars: &mut Bars, row: &Row) {
    bars.open_time.push(row.time);
    bars.close_time.push(row.known_at);
    bars.open.push(row.open);
    bars.high.push(row.high);
    bars.low.push(row.low);
    bars.close.push(row.close);
    bars.volume.push(row.volume);
}

pub(crate) fn all_rows(bars: &Bars) -> impl Iterator<Item = Row> {
    let times = bars.open_time.iter().zip(&bars.close_time);
    let outer = bars.open.iter().zip(&bars.close);
    let inner = bars.high.iter().zip(&bars.low).zip(&bars.volume);

    // `zip` ends at the shortest column: a row that lacks a value never becomes a bar.
    times
        .zip(outer)
        .zip(inner)
        .enumerate()
        .map(|(row, ((times, outer), (inner, volume)))| Row {
            row,
            time: *times.0,
            known_at: *times.1,
            open: *outer.0,
            high: *inner.0,
            low: *inner.1,
            close: *outer.1,
            volume: *volume,
        })
}

/// The labels between 1900 and one bar after `now`.
fn possible_labels(draft: &Draft<'_>, now: Option<Utc>) -> RangeInclusive<Utc> {
    let bar_micros = draft.timeframe().micros();
    OLDEST..=now.map_or(Utc(i64::MAX), |now| now.plus_micros(bar_micros))
}

/// Reports labels that no bar can have, and those that are out of order; true if there are none of
/// the former.
fn check_order(bars: &Bars, draft: &mut Draft<'_>, now: Option<Utc>) -> bool {
    let possible = possible_labels(draft, now);
    let mut impossible = Vec::new();
    let mut out_of_order = Vec::new();
    let mut latest = OLDEST;

    // One date in the future must not make every later row look out of order.
    for (row, time) in bars.open_time.iter().copied().enumerate() {
        if !possible.contains(&time) {
            impossible.push((row, time));
            continue;
        }
        if time < latest {
            out_of_order.push((row, time));
        }
        latest = latest.max(time);
    }

    let text = "before 1900 or in the future";
    draft.rows(Check::Timestamp, Severity::Critical, &impossible, text);
    let text = "older than a bar further up";
    draft.rows(Check::Order, Severity::Medium, &out_of_order, text);
    impossible.is_empty()
}

/// Reports every row that a later row of the same label replaces. `rows` are sorted.
fn report_duplicates(rows: &[Row], draft: &mut Draft<'_>) {
    let mut identical = Vec::new();
    let mut differing = Vec::new();

    // The last row of a label is the one that is kept, so the others are compared with it.
    for group in rows.chunk_by(|a, b| a.time == b.time) {
        let Some((last, earlier)) = group.split_last() else {
            continue;
        };
        for row in earlier {
            let list = if row.same_values(last) {
                &mut identical
            } else {
                &mut differing
            };
            list.push((row.row, row.time));
        }
    }

    let text = "repeated further down";
    draft.rows(Check::DuplicateIdentical, Severity::Low, &identical, text);
    let text = "given again further down with other values";
    let severity = duplicate_severity(differing.len(), draft);
    draft.rows(Check::DuplicateDiffering, severity, &differing, text);
}

/// A bar that was revised is given twice; nearly all bars given twice are two series in one file.
fn duplicate_severity(count: usize, draft: &Draft<'_>) -> Severity {
    let rules = draft.rules();
    match draft.share_of(count) {
        _ if count < FEW_BARS => Severity::Medium,
        share if share > rules.duplicate_critical => Severity::Critical,
        share if share > rules.duplicate_high => Severity::High,
        _ => Severity::Medium,
    }
}

fn last_of_each_label(rows: Vec<Row>) -> Vec<Row> {
    let mut last_rows: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match last_rows.last_mut() {
            Some(last) if last.time == row.time => *last = row,
            _ => last_rows.push(row),
        }
    }
    last_rows
}

/// True if there are rows, all of them whole.
pub(crate) fn check_columns(bars: &Bars, draft: &mut Draft<'_>) -> bool {
    let lengths = [
        ("open_time", bars.open_time.len()),
        ("close_time", bars.close_time.len()),
        ("open", bars.open.len()),
        ("high", bars.high.len()),
        ("low", bars.low.len()),
        ("close", bars.close.len()),
        ("volume", bars.volume.len()),
    ];

    // Where lengths differ, nobody can say which values belong to one bar.
    if lengths.iter().any(|(_, length)| *length != bars.len()) {
        let lengths = lengths
            .map(|(column, length)| format!("{column} {length}"))
            .join(", ");
        let message = format!("columns differ in length: {lengths}");
        draft.unchecked(Check::Columns, bars.len(), message);
        return false;
    }

    if bars.is_empty() {
        draft.unchecked(Check::Empty, 0, "there are no bars".to_owned());
    }
    !bars.is_empty()
}

/// Rows at fault, by what is wrong with their prices.
#[derive(Default)]
struct PriceFaults {
    not_finite: Vec<Place>,
    not_positive: Vec<Place>,
    too_large: Vec<Place>,
    high_too_low: Vec<Place>,
    low_too_high: Vec<Place>,
    crossed: Vec<Place>,
}

impl PriceFaults {
    fn judge(&mut self, row: &Row, price_max: f64) {
        let place = (row.row, row.time);
        let is_finite = has_finite_prices(row);
        if !is_finite {
            self.not_finite.push(place);
        }
        if has_price_of_zero_or_less(row) {
            self.not_positive.push(place);
        }
        if !is_finite {
            return;
        }

        if row.prices().iter().any(|price| *price > price_max) {
            self.too_large.push(place);
        }
        // A bar whose high and low are swapped is reported as that alone.
        if is_above(row.low, row.high) {
            self.crossed.push(place);
            return;
        }
        if is_above(row.open.max(row.close), row.high) {
            self.high_too_low.push(place);
        }
        if is_above(row.low, row.open.min(row.close)) {
            self.low_too_high.push(place);
        }
    }
}

/// Are the four prices possible, alone and together?
pub(crate) fn check_prices(rows: &Rows<'_>, draft: &mut Draft<'_>) {
    let rules = draft.rules();
    let mut faults = PriceFaults::default();
    for row in rows.iter() {
        faults.judge(&row, rules.price_max);
    }

    let severity = contradiction_severity(faults.not_finite.len(), draft);
    let text = "with a price that is NaN or infinite";
    draft.rows(Check::PriceNotFinite, severity, &faults.not_finite, text);

    // Spreads, and oil in April 2020, have such prices.
    let severity = if rules.allow_negative_prices {
        Severity::Info
    } else {
        Severity::Critical
    };
    let text = "with a price of zero or less";
    draft.rows(
        Check::PriceNotPositive,
        severity,
        &faults.not_positive,
        text,
    );
    let text = "with a price that no market has, as if its decimal point were missing";
    draft.rows(
        Check::PriceTooLarge,
        Severity::Critical,
        &faults.too_large,
        text,
    );

    let severity = contradiction_severity(faults.high_too_low.len(), draft);
    let text = "with a high below their open or close";
    draft.rows(Check::HighTooLow, severity, &faults.high_too_low, text);
    let severity = contradiction_severity(faults.low_too_high.len(), draft);
    let text = "with a low above their open or close";
    draft.rows(Check::LowTooHigh, severity, &faults.low_too_high, text);

    let text = "with a high below their low";
    draft.rows(
        Check::HighBelowLow,
        Severity::Critical,
        &faults.crossed,
        text,
    );
}

/// Where most bars contradict themselves, the columns hold something else.
fn contradiction_severity(count: usize, draft: &Draft<'_>) -> Severity {
    let is_most = draft.share_of(count) > draft.rules().contradiction_critical;
    if is_most && count >= FEW_BARS {
        Severity::Critical
    } else {
        Severity::High
    }
}

/// Whether a bar with these prices can have been: finite, above zero unless `allows_negative`, and
/// its high not below its low.
pub(crate) fn has_possible_prices(row: &Row, allows_negative: bool) -> bool {
    let is_signed_right = allows_negative || !has_price_of_zero_or_less(row);
    has_finite_prices(row) && is_signed_right && !is_above(row.low, row.high)
}

fn has_finite_prices(row: &Row) -> bool {
    row.prices().iter().all(|price| price.is_finite())
}

fn has_price_of_zero_or_less(row: &Row) -> bool {
    row.prices()
        .iter()
        .any(|price| price.is_finite() && *price <= 0.0)
}

/// Whether `a` is above `b` by more than rounding.
fn is_above(a: f64, b: f64) -> bool {
    a - b > TOLERANCE * b.abs()
}

/// Is the volume possible, and is there any? NaN means "not available" and is right.
pub(crate) fn check_volumes(rows: &Rows<'_>, key: &SeriesKey, draft: &mut Draft<'_>) {
    let rows_at_fault = rows.select(is_unavailable);
    let text = "with volume -1, which stands for not available";
    draft.rows(
        Check::VolumeUnavailable,
        Severity::Info,
        &rows_at_fault,
        text,
    );

    let rows_at_fault = rows.select(is_impossible_volume);
    let text = "with a negative or infinite volume";
    let is_many = draft.share_of(rows_at_fault.len()) > draft.rules().volume_negative_high;
    let severity = if is_many && rows_at_fault.len() >= FEW_BARS {
        Severity::High
    } else {
        Severity::Medium
    };
    draft.rows(Check::VolumeNegative, severity, &rows_at_fault, text);

    // Quotes have no volume; a zero there is a gap-filler of the provider.
    if key.what == PriceKind::Trades {
        check_zero_volumes(rows, draft);
    }
}

/// Some data vendors write -1 where they have no volume.
fn is_unavailable(row: &Row) -> bool {
    row.volume == -1.0
}

fn is_impossible_volume(row: &Row) -> bool {
    row.volume.is_infinite() || row.volume < 0.0 && !is_unavailable(row)
}

/// A few bars without a trade are thin trading; many are a feed without volume.
fn check_zero_volumes(rows: &Rows<'_>, draft: &mut Draft<'_>) {
    let without_volume = rows.select(|row| row.volume == 0.0);
    let with_known_volume = rows.iter().filter(|row| row.volume >= 0.0).count();
    let share = without_volume.len() as f64 / with_known_volume.max(1) as f64;

    let severity = match share {
        share if share > draft.rules().volume_zero_high => Severity::High,
        share if share > draft.rules().volume_zero_medium => Severity::Medium,
        _ => Severity::Low,
    };
    let text = format!("({:.2} %) without volume", share * 100.0);
    draft.rows(Check::VolumeZero, severity, &without_volume, &text);
}

#[cfg(test)]
mod tests {
    use market::{Instrument, Timeframe};

    use super::*;
    use crate::rules::Rules;

    /// Bars of these hours, and the rows that are judged.
    fn rows_of(bars: &Bars) -> Rows<'_> {
        let instrument = Instrument::parse("AAPL").unwrap();
        let key = SeriesKey::standard("file", instrument, Timeframe::HOUR_1).unwrap();
        let rules = Rules::default();
        Rows::new(bars, &mut Draft::new(&key, bars.len(), &rules), None)
    }

    fn bars_at(hours: &[i64]) -> Bars {
        let mut bars = Bars::default();

        // A price of its own for each row, by which a bar is found again.
        for (index, hour) in hours.iter().enumerate() {
            let price = index as f64 + 1.0;
            push_row(
                &mut bars,
                &Row {
                    row: index,
                    time: Utc(hour * 3_600_000_000),
                    known_at: Utc((hour + 1) * 3_600_000_000),
                    open: price,
                    high: price,
                    low: price,
                    close: price,
                    volume: f64::NAN,
                },
            );
        }
        bars
    }

    fn numbers_of(rows: &Rows<'_>) -> Vec<usize> {
        rows.iter().map(|row| row.row).collect()
    }

    #[test]
    fn bars_in_order_are_judged_without_a_copy() {
        let bars = bars_at(&[1, 2, 4]);
        let rows = rows_of(&bars);
        assert!(matches!(rows.bars, Cow::Borrowed(_)));
        assert_eq!(numbers_of(&rows), [0, 1, 2]);
    }

    #[test]
    fn sorted_bars_keep_the_number_of_their_row() {
        // The last of the two bars of hour 2 counts, which is row 3.
        let bars = bars_at(&[4, 2, 1, 2]);
        let rows = rows_of(&bars);
        assert_eq!(numbers_of(&rows), [2, 3, 0]);
        assert_eq!(rows.closes(), [3.0, 4.0, 1.0]);
    }
}
