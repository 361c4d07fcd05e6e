//! Splits: which rows train, which validate, which test, so that nothing learnt in one part was
//! known in the next.
//!
//! Parts follow each other in time and every symbol is cut at the same instants. At both cuts two
//! rules apply:
//! - *purge*: a row whose label became known at or after the cut that ends its part is dropped;
//! - *embargo*: a row that became known less than the embargo after the cut that starts its part is
//!   dropped.
//!
//! So from the last label of one part to the first row of the next more than the embargo passes.

use market::Utc;
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
    /// All parts, in the order of their discriminants.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The name in manifests and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
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

/// Cut dates from shares of the N distinct instants of all symbols together: validation starts at
/// the instant with index ⌊N·train⌋, test at ⌊N·(train + validation)⌋.
///
/// # Errors
/// A share leaves a part empty, or there are too few instants.
pub fn cut_dates(
    fractions: Fractions,
    times: impl IntoIterator<Item = Utc>,
) -> Result<CutDates, SplitError> {
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
            Ok(CutDates {
                validation_start,
                test_start,
            })
        }
        _ => Err(SplitError::TooFewRows { instants: count }),
    }
}

/// The embargo, in microseconds, that drops the first `bars` rows after each cut: the longer of the
/// two spans from a cut to the row `bars` after it. `times` ascend. Use max(1 % of the rows,
/// longest indicator window) for `bars`.
pub fn embargo_micros(times: &[Utc], cuts: &CutDates, bars: usize) -> i64 {
    let span = |cut: Utc| {
        let first = times.partition_point(|time| *time < cut);
        let row = times.get(first.saturating_add(bars)).or(times.last());
        row.map_or(0, |time| time.0.saturating_sub(cut.0).max(0))
    };
    span(cuts.validation_start).max(span(cuts.test_start))
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
    let test_start = cuts.test_start.max(validation_start);
    let (part, start, end) = if row.known_at < validation_start {
        (Part::Train, None, Some(validation_start))
    } else if row.known_at < test_start {
        (Part::Validation, Some(validation_start), Some(test_start))
    } else {
        (Part::Test, Some(test_start), None)
    };

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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONE: Option<Part> = None;
    const TRAIN: Option<Part> = Some(Part::Train);
    const VALIDATION: Option<Part> = Some(Part::Validation);
    const TEST: Option<Part> = Some(Part::Test);

    fn parts_of(rows: &[RowTime], cuts: &CutDates, embargo_micros: i64) -> Vec<Option<Part>> {
        rows.iter()
            .map(|row| assign_part(*row, cuts, embargo_micros).ok())
            .collect()
    }

    /// Rows 0..=13 known at 0, 10, …, 130, labels two bars later, cuts at 50 and 100, embargo 11.
    #[test]
    fn rows_near_a_cut_are_purged_before_it_and_embargoed_after_it() {
        let rows: Vec<_> = (0..14)
            .map(|row| RowTime {
                known_at: Utc(row * 10),
                label_known_at: Utc(row * 10 + 20),
            })
            .collect();
        let cuts = CutDates {
            validation_start: Utc(50),
            test_start: Utc(100),
        };
        let expected = [
            TRAIN, TRAIN, TRAIN, NONE,
            NONE, // labels known at 20, 30, 40 and, too late, at 50 and 60
            NONE, NONE, VALIDATION, NONE,
            NONE, // known at 50 and 60 < 61; label known at 90; at 100 and 110
            NONE, NONE, TEST, TEST, // known at 100 and 110 < 111
        ];
        assert_eq!(parts_of(&rows, &cuts, 11), expected);
    }

    /// N = 10: validation from index 7, test from index ⌊8.5⌋ = 8. A second symbol with the same
    /// times changes nothing.
    #[test]
    fn cut_dates_count_instants_and_not_rows() {
        let times = || (0..10).map(|row| Utc(row * 5));
        let fractions = Fractions {
            train: 0.7,
            validation: 0.15,
        };
        let cuts = CutDates {
            validation_start: Utc(35),
            test_start: Utc(40),
        };
        assert_eq!(cut_dates(fractions, times()), Ok(cuts));
        assert_eq!(cut_dates(fractions, times().chain(times().rev())), Ok(cuts));
    }

    #[test]
    fn splits_that_leave_a_part_empty_are_refused() {
        for (train, validation) in [(0.0, 0.5), (0.7, 0.3), (0.5, 0.0), (f64::NAN, 0.1)] {
            let error = cut_dates(Fractions { train, validation }, (0..10).map(Utc)).unwrap_err();
            assert!(
                matches!(error, SplitError::Fractions { .. }),
                "{train} {validation}"
            );
        }
        let too_few = cut_dates(
            Fractions {
                train: 0.7,
                validation: 0.15,
            },
            (0..2).map(Utc),
        );
        assert_eq!(too_few, Err(SplitError::TooFewRows { instants: 2 }));
    }

    /// Rows at 0, 10, 20, 30 and, after a pause, 100: two bars after the cut at 10 is 30, after the
    /// cut at 30 it is past the end, so the last row counts: 70.
    #[test]
    fn an_embargo_in_bars_is_the_time_that_they_take_at_the_cuts() {
        let times = [0, 10, 20, 30, 100].map(Utc);
        assert_eq!(
            embargo_micros(
                &times,
                &CutDates {
                    validation_start: Utc(10),
                    test_start: Utc(20)
                },
                2
            ),
            80
        );
        assert_eq!(
            embargo_micros(
                &times,
                &CutDates {
                    validation_start: Utc(10),
                    test_start: Utc(30)
                },
                2
            ),
            70
        );
        assert_eq!(
            embargo_micros(
                &[],
                &CutDates {
                    validation_start: Utc(10),
                    test_start: Utc(30)
                },
                2
            ),
            0
        );
    }

    proptest! {
        #[test]
        fn the_embargo_lies_between_the_last_label_of_a_part_and_the_first_row_of_a_later_one(
            rows in prop::collection::vec((-1000i64..1000, -50i64..200), 0..120),
            cuts in (-1000i64..1000, -1000i64..1000),
            embargo in -10i64..100,
        ) {
            let rows: Vec<_> = rows
                .iter()
                .map(|&(known, ahead)| RowTime { known_at: Utc(known), label_known_at: Utc(known + ahead) })
                .collect();
            let parts = parts_of(&rows, &CutDates { validation_start: Utc(cuts.0), test_start: Utc(cuts.1) }, embargo);
            prop_assert_eq!(parts.len(), rows.len());
            for (earlier, before) in rows.iter().zip(&parts) {
                for (later, after) in rows.iter().zip(&parts) {
                    if let (Some(before), Some(after)) = (before, after) && before < after {
                        prop_assert!(earlier.label_known_at.plus_micros(embargo.max(0)) < later.known_at);
                        prop_assert!(earlier.known_at < later.known_at);
                    }
                }
            }
        }

        #[test]
        fn any_instants_split_without_overflow(rows in prop::collection::vec((any::<i64>(), any::<i64>()), 0..20), cuts in any::<(i64, i64)>(), embargo in any::<i64>()) {
            let rows: Vec<_> = rows.iter().map(|&(known, label)| RowTime { known_at: Utc(known), label_known_at: Utc(label) }).collect();
            let cuts = CutDates { validation_start: Utc(cuts.0), test_start: Utc(cuts.1) };
            prop_assert_eq!(parts_of(&rows, &cuts, embargo).len(), rows.len());
        }
    }
}
