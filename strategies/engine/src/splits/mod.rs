//! Splits: which rows train, which validate, which test, so that no label of one part depends on
//! anything in the next.
//!
//! Parts follow each other in time and every symbol is cut at the same instants. At both cuts two
//! rules apply:
//! - *purge*: a row whose label became known at or after the cut that ends its part is dropped;
//! - *embargo*: a row that became known less than the embargo after the cut that starts its part is
//!   dropped.
//!
//! So from the last label of one part to the first row of the next more than the embargo passes.
//!
//! Source: López de Prado, *Advances in Financial Machine Learning*, section 7.4.

use market::Utc;
use schemas::names::{TEST_PART, TRAIN_PART, VALIDATION_PART};
use thiserror::Error;

/// The instants at which validation and test begin. The same for every symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutDates {
    /// Rows known from this instant on do not train.
    pub validation_start: Utc,
    /// Rows known from this instant on test. An instant before `validation_start` leaves validation
    /// empty.
    pub test_start: Utc,
}

/// The instants from which one row and its label may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowTime {
    /// Instant from which the row's features are known.
    pub known_at: Utc,
    /// Instant from which the row's label is known, normally later.
    pub label_known_at: Utc,
}

/// The use of a row. Parts are ordered in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Weights are fitted on it.
    Train,
    /// Decides when to stop and which weights to keep.
    Validation,
    /// Looked at once, for the final figures.
    Test,
}

impl Part {
    /// All parts, in the order of [`schemas::names::PARTS`] and of their discriminants.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The name in manifests and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => TRAIN_PART,
            Self::Validation => VALIDATION_PART,
            Self::Test => TEST_PART,
        }
    }
}

/// Why rows cannot be split.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum SplitError {
    /// The shares do not leave something for every part.
    #[error(
        "a split of {train} for training and {validation} for validation \
         leaves nothing for one of the three parts"
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
        /// Number of distinct instants.
        instants: usize,
    },
}

impl SplitError {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Fractions { .. } => {
                "give shares above 0 whose sum is below 1, such as train 0.7 and validation 0.15"
            }
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

impl Fractions {
    /// Every part has a share above 0.
    ///
    /// # Errors
    /// [`SplitError::Fractions`].
    pub(crate) fn check(self) -> Result<(), SplitError> {
        let Self { train, validation } = self;

        // NaN fails each of the comparisons.
        if train > 0.0 && validation > 0.0 && train + validation < 1.0 {
            Ok(())
        } else {
            Err(SplitError::Fractions { train, validation })
        }
    }
}

/// Cut dates from shares of the N distinct instants of all symbols together: validation starts at
/// the instant with index ⌊N·train⌋, test at ⌊N·(train + validation)⌋.
///
/// # Errors
/// A share leaves a part empty, or there are too few instants.
pub fn cut_dates(
    fractions: Fractions,
    times: impl IntoIterator<Item = Utc>,
) -> Result<CutDates, SplitError> {
    fractions.check()?;

    let instants = distinct_instants(times);
    let index_at = |share: f64| (instants.len() as f64 * share).floor() as usize;
    let validation_index = index_at(fractions.train);
    let test_index = index_at(fractions.train + fractions.validation);

    // Every part needs an instant of its own.
    match (instants.get(validation_index), instants.get(test_index)) {
        (Some(&validation_start), Some(&test_start))
            if validation_index > 0 && test_index > validation_index =>
        {
            Ok(CutDates {
                validation_start,
                test_start,
            })
        }
        _ => Err(SplitError::TooFewRows {
            instants: instants.len(),
        }),
    }
}

/// Each instant once, ascending.
pub(crate) fn distinct_instants(times: impl IntoIterator<Item = Utc>) -> Vec<Utc> {
    let mut instants: Vec<Utc> = times.into_iter().collect();
    instants.sort_unstable();
    instants.dedup();

    instants
}

/// The embargo, in microseconds, that drops the first `bars` rows after each cut: the longer of the
/// two spans from a cut to the row `bars` after it. `times` ascend.
pub fn embargo_micros(times: &[Utc], cuts: &CutDates, bars: usize) -> i64 {
    let at_validation = span_after(cuts.validation_start, times, bars);
    let at_test = span_after(cuts.test_start, times, bars);

    at_validation.max(at_test)
}

/// Microseconds from a cut to the row `bars` after it, or to the last row.
fn span_after(cut: Utc, times: &[Utc], bars: usize) -> i64 {
    let first_row = times.partition_point(|time| *time < cut);
    let row = times.get(first_row.saturating_add(bars)).or(times.last());

    row.map_or(0, |time| time.0.saturating_sub(cut.0).max(0))
}

/// Why a row is in no part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPart {
    /// The label becomes known at or after the cut that ends the row's part.
    Purged,
    /// The row is not purged, and becomes known less than the embargo after the cut that starts its
    /// part.
    Embargoed,
}

/// The part of one row, or why it has none.
///
/// A label that claims to be known before its row counts as known with it; a negative embargo
/// counts as 0.
pub(crate) fn assign_part(
    row: RowTime,
    cuts: &CutDates,
    embargo_micros: i64,
) -> Result<Part, NoPart> {
    let validation_start = cuts.validation_start;
    // Cuts in the wrong order leave the validation part empty rather than overlapping.
    let test_start = cuts.test_start.max(validation_start);
    let (part, start, end) = if row.known_at < validation_start {
        (Part::Train, None, Some(validation_start))
    } else if row.known_at < test_start {
        (Part::Validation, Some(validation_start), Some(test_start))
    } else {
        (Part::Test, Some(test_start), None)
    };

    // A label counts as known no earlier than its own row.
    let label_known_at = row.label_known_at.max(row.known_at);
    if end.is_some_and(|end| label_known_at >= end) {
        return Err(NoPart::Purged);
    }

    let embargo = embargo_micros.max(0);
    if start.is_some_and(|start| row.known_at < start.plus_micros(embargo)) {
        return Err(NoPart::Embargoed);
    }

    Ok(part)
}

#[cfg(test)]
mod tests;
