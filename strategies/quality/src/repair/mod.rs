//! Repairs: derived views of a series, with the list of everything that was changed. The bars that
//! were given stay as they are.
//!
//! | method | changes | uses the future |
//! |---|---|---|
//! | `drop` | removes bars without possible prices | no |
//! | `ffill` | bad and missing bars: all prices the close before, volume 0 or none | no |
//! | `bfill` | bad and missing bars: all prices the open after, volume 0 or none | yes |
//! | `interpolate` | bad and missing bars: by time between their neighbours | yes |
//! | `zero` | a volume that is impossible becomes 0; never a price | no |
//! | `winsorise` | prices beyond 8 robust deviations from the close before, of 500 bars before | no |
//! | `widen` | a high or low inside of open and close | no |
//! | `rescale` | prices, dividends and adjusted closes of a wrong unit or split | no |
//!
//! Every view is sorted and has each label once. A run of more than [`RepairLimits::max_fill`] bars
//! is not filled, and neither is one across the end of a session. What uses the future must not
//! become the input of a training: [`Method::uses_future`].

mod fill;
mod rescale;
mod winsorise;

use std::fmt;

use market::{Bars, Calendar, SeriesKey, Utc};
use serde::{Deserialize, Serialize};

use crate::Options;
use crate::actions::{Actions, Field};
use crate::checks::{Row, Rows, has_possible_prices, push_row};
use crate::draft::Draft;

/// How bars are repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Remove bars without possible prices, and repeated ones.
    Drop,
    /// The close before takes the place of all prices.
    Ffill,
    /// The open after takes the place of all prices.
    Bfill,
    /// Prices between those of the neighbours, by time.
    Interpolate,
    /// An impossible volume becomes 0.
    Zero,
    /// Prices are capped at robust deviations from the close before.
    Winsorise,
    /// High and low are moved out to open and close.
    Widen,
    /// Units, splits and dividends are put right.
    Rescale,
}

impl Method {
    /// Every method, in the order of the table above.
    pub const ALL: [Self; 8] = [
        Self::Drop,
        Self::Ffill,
        Self::Bfill,
        Self::Interpolate,
        Self::Zero,
        Self::Winsorise,
        Self::Widen,
        Self::Rescale,
    ];

    /// The written form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Ffill => "ffill",
            Self::Bfill => "bfill",
            Self::Interpolate => "interpolate",
            Self::Zero => "zero",
            Self::Winsorise => "winsorise",
            Self::Widen => "widen",
            Self::Rescale => "rescale",
        }
    }

    /// Whether a repaired value comes from a later bar: no input of a training.
    pub const fn uses_future(self) -> bool {
        matches!(self, Self::Bfill | Self::Interpolate)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// How far a repair may go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RepairLimits {
    /// Most bars in a row that are filled; default 3.
    pub max_fill: usize,
    /// Robust deviations at which prices are capped; default 8.
    pub winsorise_z: f64,
}

impl Default for RepairLimits {
    /// Three bars, eight deviations.
    fn default() -> Self {
        Self {
            max_fill: 3,
            winsorise_z: 8.0,
        }
    }
}

/// One value that was changed, added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Label of the bar.
    pub timestamp: Utc,
    /// The value of the bar.
    pub field: Field,
    /// What it was; none for a bar that was not there, or for a value that was no number.
    pub old: Option<f64>,
    /// What it is; none for a bar that was removed.
    pub new: Option<f64>,
    /// How it was repaired; a repeated bar is dropped whatever the method.
    pub method: Method,
}

/// A repaired view of a series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Repaired {
    /// The bars, oldest first, each label once.
    pub bars: Bars,
    /// Their dividends and splits; columns that were not given are empty.
    pub actions: Actions,
    /// Whether a bar was made, and not read.
    pub synthetic: Vec<bool>,
    /// Everything that differs from the bars that were given, by time and field.
    pub changes: Vec<Change>,
}

/// The view of `bars` that `method` makes; the arguments are those of [`crate::check`].
pub fn repair(
    bars: &Bars,
    key: &SeriesKey,
    calendar: &Calendar,
    options: &Options<'_>,
    method: Method,
    limits: RepairLimits,
) -> Repaired {
    // The findings of this draft are dropped: a repair reports its changes instead.
    let mut draft = Draft::new(key, bars.len(), &options.rules);
    let rows = Rows::new(bars, &mut draft, options.now);
    let mut view = View::of(&rows, options.actions);
    let allows_negative = options.rules.allow_negative_prices;
    let is_bad = |row: &Row| !has_possible_prices(row, allows_negative);

    match method {
        Method::Drop => view.lines.retain(|line| !is_bad(&line.row)),
        Method::Ffill | Method::Bfill | Method::Interpolate => {
            let slots = fill::Slots::of(&rows, key, calendar, options);
            view.lines = fill::fill(&view.lines, &slots, key, method, limits.max_fill, is_bad);
        }
        Method::Zero => view.lines.iter_mut().for_each(zero_volume),
        Method::Winsorise => winsorise::winsorise(&mut view.lines, limits.winsorise_z),
        Method::Widen => view.lines.iter_mut().for_each(|line| widen(&mut line.row)),
        Method::Rescale => {
            rescale::rescale(&mut view.lines, &rows, options, draft.timeframe());
        }
    }
    view.finish(bars, options.actions, method)
}

/// A bar of the view with its actions; NaN where there are none.
#[derive(Clone, Copy, Debug)]
struct Line {
    row: Row,
    adjusted: f64,
    dividend: f64,
    split: f64,
    gain: f64,
    is_synthetic: bool,
}

impl Line {
    /// A bar that was made for `row`.
    const fn synthetic(row: Row) -> Self {
        Self {
            row,
            adjusted: f64::NAN,
            dividend: 0.0,
            split: 0.0,
            gain: 0.0,
            is_synthetic: true,
        }
    }

    fn value(&self, field: Field) -> f64 {
        match field {
            Field::Open => self.row.open,
            Field::High => self.row.high,
            Field::Low => self.row.low,
            Field::Close => self.row.close,
            Field::Volume => self.row.volume,
            Field::AdjustedClose => self.adjusted,
            Field::Dividend => self.dividend,
        }
    }
}

/// The values of a bar itself.
const BAR_FIELDS: [Field; 5] = [
    Field::Open,
    Field::High,
    Field::Low,
    Field::Close,
    Field::Volume,
];
/// All values that a repair can change.
const FIELDS: [Field; 7] = [
    Field::Open,
    Field::High,
    Field::Low,
    Field::Close,
    Field::Volume,
    Field::AdjustedClose,
    Field::Dividend,
];

/// The bars of a repair, before and after it.
struct View {
    before: Vec<Line>,
    lines: Vec<Line>,
}

impl View {
    fn of(rows: &Rows<'_>, actions: Option<&Actions>) -> Self {
        let cell = |column: &[f64], row: usize| column.get(row).copied().unwrap_or(f64::NAN);
        let empty = Actions::default();
        let actions = actions.unwrap_or(&empty);

        // An absent cell is NaN and not 0, which would say that nothing was paid.
        let lines: Vec<Line> = rows
            .iter()
            .map(|row| Line {
                row,
                adjusted: cell(&actions.adjusted_close, row.row),
                dividend: cell(&actions.dividends, row.row),
                split: cell(&actions.splits, row.row),
                gain: cell(&actions.capital_gains, row.row),
                is_synthetic: false,
            })
            .collect();
        Self {
            before: lines.clone(),
            lines,
        }
    }

    /// The columns of the view, and how they differ from the rows of the input.
    fn finish(self, bars: &Bars, actions: Option<&Actions>, method: Method) -> Repaired {
        let mut changes = self.removed_rows(bars, method);
        changes.extend(self.changed_values(method));
        changes.sort_by_key(|change| (change.timestamp, change.field));

        let mut repaired = Repaired {
            changes,
            ..Repaired::default()
        };

        // An absent column stays absent: filled up, it would say that there was no dividend.
        let has = |column: fn(&Actions) -> &Vec<f64>| {
            actions.is_some_and(|actions| !column(actions).is_empty())
        };
        for line in &self.lines {
            push_row(&mut repaired.bars, &line.row);
            repaired.synthetic.push(line.is_synthetic);
            let columns = &mut repaired.actions;
            if has(|actions| &actions.adjusted_close) {
                columns.adjusted_close.push(line.adjusted);
            }
            if has(|actions| &actions.dividends) {
                columns.dividends.push(line.dividend);
            }
            if has(|actions| &actions.splits) {
                columns.splits.push(line.split);
            }
            if has(|actions| &actions.capital_gains) {
                columns.capital_gains.push(line.gain);
            }
        }
        repaired
    }

    /// The rows of the input that are not in the view any more: repeated and impossible ones.
    fn removed_rows(&self, bars: &Bars, method: Method) -> Vec<Change> {
        let mut is_kept = vec![false; bars.len()];
        let mut is_unique = vec![false; bars.len()];
        for (lines, flags) in [(&self.lines, &mut is_kept), (&self.before, &mut is_unique)] {
            for line in lines {
                if let Some(flag) = flags.get_mut(line.row.row) {
                    *flag = true;
                }
            }
        }

        let mut changes = Vec::new();
        for row in crate::checks::all_rows(bars) {
            if is_kept.get(row.row).copied().unwrap_or(false) {
                continue;
            }

            // What had gone before the repair was repeated or impossible, whatever its method.
            let was_unique = is_unique.get(row.row).copied().unwrap_or(false);
            let method = if was_unique { method } else { Method::Drop };
            let line = Line::synthetic(row);
            changes.extend(BAR_FIELDS.into_iter().map(|field| Change {
                timestamp: row.time,
                field,
                old: finite(line.value(field)),
                new: None,
                method,
            }));
        }
        changes
    }

    /// The values that differ from those before, and those of bars that were made.
    fn changed_values(&self, method: Method) -> Vec<Change> {
        let mut before = self.before.iter().peekable();
        let mut changes = Vec::new();

        for line in &self.lines {
            while before.next_if(|old| old.row.time < line.row.time).is_some() {}
            let old = before.peek().filter(|old| old.row.time == line.row.time);
            for field in FIELDS {
                let new = line.value(field);
                let old = old.map_or(f64::NAN, |old| old.value(field));

                // By bits: the list holds every digit that differs, and NaN for NaN is no change.
                let is_same = new.to_bits() == old.to_bits() || new.is_nan() && old.is_nan();
                let is_made = line.is_synthetic && !BAR_FIELDS.contains(&field);
                if !is_same && !is_made {
                    changes.push(Change {
                        timestamp: line.row.time,
                        field,
                        old: finite(old),
                        new: finite(new),
                        method,
                    });
                }
            }
        }
        changes
    }
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// A volume that no trade can have becomes 0; one that is not available stays so.
fn zero_volume(line: &mut Line) {
    let is_impossible = line.row.volume < 0.0 || line.row.volume.is_infinite();
    if is_impossible {
        line.row.volume = 0.0;
    }
}

/// Moves high and low out to open and close. A bar whose high is below its low stays: nobody knows
/// which of its prices are right.
fn widen(row: &mut Row) {
    if row.high >= row.low {
        row.high = row.high.max(row.open).max(row.close);
        row.low = row.low.min(row.open).min(row.close);
    }
}
