//! Splits: which rows train, which validate, which test, so that nothing learnt in one part was known in the next.
//!
//! Parts follow each other in time and every symbol is cut at the same instants. At both cuts two rules apply:
//! - *purge*: a row whose label became known at or after the cut that ends its part is dropped;
//! - *embargo*: a row that became known less than the embargo after the cut that starts its part is dropped.
//!
//! So from the last label of one part to the first row of the next more than the embargo passes.

use market::Utc;
use thiserror::Error;

/// The instants at which validation and test begin. The same for every symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutDates {
    /// Rows known from this instant on do not train.
    pub validation_start: Utc,
    /// Rows known from this instant on test. An instant before `validation_start` leaves validation empty.
    pub test_start: Utc,
}

/// When one row and its label became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowTime {
    /// Instant from which the row's features are known.
    pub known_at: Utc,
    /// Instant from which the row's label is known, normally later.
    pub label_known_at: Utc,
}

/// What a row is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Weights are fitted on it.
    Train,
    /// Decides when to stop and which weights to keep.
    Validation,
    /// Looked at once, for the final figures.
    Test,
}

/// Why rows cannot be split.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum SplitError {
    /// The shares do not leave something for every part.
    #[error(
        "a split of {train} for training and {validation} for validation leaves nothing for one of the three parts"
    )]
    Fractions {
        /// Share of training.
        train: f64,
        /// Share of validation.
        validation: f64,
    },
    /// There are too few instants for three parts.
    #[error("{instants} distinct bar times are too few for three parts")]
    TooFewRows {
        /// Distinct instants.
        instants: usize,
    },
}

impl SplitError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Fractions { .. } => "give shares above 0 whose sum is below 1, such as train 0.7 and validation 0.15",
            Self::TooFewRows { .. } => "use a longer date range or a finer timeframe",
        }
    }
}

/// Shares of training and validation; the rest tests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fractions {
    /// Share of training, above 0.
    pub train: f64,
    /// Share of validation, above 0.
    pub validation: f64,
}

/// Cut dates from shares of the N distinct instants of all symbols together: validation starts at the instant with
/// index ⌊N·train⌋, test at ⌊N·(train + validation)⌋.
///
/// # Errors
/// A share leaves a part empty, or there are too few instants.
pub fn cut_dates(fractions: Fractions, times: impl IntoIterator<Item = Utc>) -> Result<CutDates, SplitError> {
    let Fractions { train, validation } = fractions;
    if !(train > 0.0 && validation > 0.0 && train + validation < 1.0) {
        return Err(SplitError::Fractions { train, validation });
    }
    let mut instants: Vec<Utc> = times.into_iter().collect();
    instants.sort_unstable();
    instants.dedup();
    let count = instants.len();
    let at = |share: f64| (count as f64 * share).floor() as usize;
    let (first, second) = (at(train), at(train + validation));
    match (instants.get(first), instants.get(second)) {
        (Some(&validation_start), Some(&test_start)) if first > 0 && second > first => {
            Ok(CutDates { validation_start, test_start })
        }
        _ => Err(SplitError::TooFewRows { instants: count }),
    }
}

/// The embargo, in microseconds, that drops the first `bars` rows after each cut: the longer of the two spans from a cut
/// to the row `bars` after it. `times` ascend. Use max(1 % of the rows, longest indicator window) for `bars`.
pub fn embargo_micros(times: &[Utc], cuts: &CutDates, bars: usize) -> i64 {
    let span = |cut: Utc| {
        let first = times.partition_point(|time| *time < cut);
        let row = times.get(first.saturating_add(bars)).or(times.last());
        row.map_or(0, |time| time.0.saturating_sub(cut.0).max(0))
    };
    span(cuts.validation_start).max(span(cuts.test_start))
}

/// The part of every row, in the order given; `None` = dropped by purge or embargo. Rows need no order.
///
/// A label that claims to be known before its row counts as known with it; a negative embargo counts as none.
pub fn assign(rows: &[RowTime], cuts: &CutDates, embargo_micros: i64) -> Vec<Option<Part>> {
    let (validation, test) = (cuts.validation_start, cuts.test_start.max(cuts.validation_start));
    let embargo = embargo_micros.max(0);
    let part = |row: &RowTime| {
        let label = row.label_known_at.max(row.known_at);
        let (part, start, end) = if row.known_at < validation {
            (Part::Train, None, Some(validation))
        } else if row.known_at < test {
            (Part::Validation, Some(validation), Some(test))
        } else {
            (Part::Test, Some(test), None)
        };
        let purged = end.is_some_and(|end| label >= end);
        let embargoed = start.is_some_and(|start| row.known_at < start.plus_micros(embargo));
        (!purged && !embargoed).then_some(part)
    };
    rows.iter().map(part).collect()
}
