//! Bars in the place of bad and missing ones, from their neighbours.

use market::{Calendar, PriceKind, SeriesKey, Slot};

use super::{Line, Method};
use crate::Options;
use crate::checks::{Row, Rows};
use crate::grid::Grid;

/// The expected bars of a series.
pub(super) struct Slots(Grid);

impl Slots {
    pub(super) fn of(
        rows: &Rows<'_>,
        key: &SeriesKey,
        calendar: &Calendar,
        options: &Options<'_>,
    ) -> Self {
        Self(Grid::new(rows, key, calendar, options))
    }
}

/// The lines with all runs filled that are short enough and within one session. A run is of bad and
/// missing bars between two good ones.
pub(super) fn fill(
    lines: &[Line],
    slots: &Slots,
    key: &SeriesKey,
    method: Method,
    max_fill: usize,
    is_bad: impl Fn(&Row) -> bool,
) -> Vec<Line> {
    let mut filled: Vec<Line> = Vec::with_capacity(lines.len());
    let mut last_good: Option<(usize, &Line)> = None;
    let mut bad: Vec<&Line> = Vec::new();

    for (index, line) in lines.iter().enumerate() {
        if is_bad(&line.row) {
            bad.push(line);
            continue;
        }

        let run = last_good.and_then(|(before, _)| slots.0.slots_between(before, index));
        let run = run.filter(|run| (1..=max_fill).contains(&run.len()));
        match (last_good, run) {
            (Some((_, before)), Some(run)) => {
                let volume = unknown_volume(key);
                let makes = run.iter().map(|slot| {
                    // A bad bar keeps its label, which may lie inside of its slot.
                    let old = bad.iter().find(|bad| is_in(slot, &bad.row));
                    let row = empty_row(slot, old.map(|old| &old.row), volume);
                    Line::synthetic(filled_row(row, &before.row, &line.row, method))
                });
                filled.extend(makes);
            }
            _ => filled.extend(bad.iter().map(|line| **line)),
        }
        bad.clear();
        filled.push(*line);
        last_good = Some((index, line));
    }

    filled.extend(bad.into_iter().copied());
    filled
}

fn is_in(slot: &Slot, row: &Row) -> bool {
    slot.open <= row.time && row.time < slot.close
}

/// A traded bar without a trade has volume 0; quotes have none.
fn unknown_volume(key: &SeriesKey) -> f64 {
    if key.what == PriceKind::Trades {
        0.0
    } else {
        f64::NAN
    }
}

fn empty_row(slot: &Slot, old: Option<&Row>, volume: f64) -> Row {
    Row {
        row: old.map_or(usize::MAX, |old| old.row),
        time: old.map_or(slot.open, |old| old.time),
        known_at: old.map_or(slot.close, |old| old.known_at),
        open: f64::NAN,
        high: f64::NAN,
        low: f64::NAN,
        close: f64::NAN,
        volume,
    }
}

/// `row` with prices from its neighbours.
fn filled_row(row: Row, before: &Row, after: &Row, method: Method) -> Row {
    match method {
        Method::Bfill => flat(row, after.open),
        Method::Interpolate => between(row, before, after),
        _ => flat(row, before.close),
    }
}

const fn flat(row: Row, price: f64) -> Row {
    Row {
        open: price,
        high: price,
        low: price,
        close: price,
        ..row
    }
}

/// Prices on the straight line, by time, from one bar to another. The high of such a bar is its
/// highest price, because that holds of both ends.
fn between(row: Row, before: &Row, after: &Row) -> Row {
    let length = (after.time.0 - before.time.0) as f64;
    let share = (row.time.0 - before.time.0) as f64 / length;
    let at = |first: f64, last: f64| first + share * (last - first);

    Row {
        open: at(before.open, after.open),
        high: at(before.high, after.high),
        low: at(before.low, after.low),
        close: at(before.close, after.close),
        ..row
    }
}
