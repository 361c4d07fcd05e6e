//! Walk-forward folds: a series of trainings, each tested on the time after it, as dates that a
//! request can carry.
//!
//! ```text
//! expanding   train────────▸ val test          sliding   train────────▸ val test
//!             train─────────────▸ val test                    train────────▸ val test
//! ```
//!
//! The tests follow each other without a gap and do not overlap; each fold purges and embargoes
//! like any other split.

use jiff::Timestamp;
use market::Utc;
use serde::{Deserialize, Serialize};

use crate::resolve::Resolved;
use crate::splits::{CutDates, Fractions, SplitError, distinct_instants};
use crate::strategy::Split;

/// How the training part changes from fold to fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Growth {
    /// Begins where the first one does, and grows.
    Expanding,
    /// Keeps its length, and moves.
    Sliding,
}

/// How a time span is cut into folds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WalkForward {
    /// Number of folds, at least 1.
    pub folds: usize,
    /// How the training part changes from fold to fold.
    pub growth: Growth,
    /// Share of all instants in the training part of the first fold, above 0.
    pub train: f64,
    /// Share of all instants in the validation part of every fold, above 0; `train + validation` is
    /// below 1.
    pub validation: f64,
}

/// One training with its test. As JSON its four dates are texts, under the names that a strategy's
/// `split` and a request have for them: `start`, `validation_start`, `test_start`, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "FoldDates", into = "FoldDates")]
pub struct Fold {
    /// Bars that open before it are not used.
    pub start: Utc,
    /// Where validation and test begin.
    pub cuts: CutDates,
    /// Bars that open at or after it are not used; `None` = the end of the series.
    pub end: Option<Utc>,
}

/// A fold as people and other programs read it.
#[derive(Serialize, Deserialize)]
struct FoldDates {
    start: Timestamp,
    validation_start: Timestamp,
    test_start: Timestamp,
    end: Option<Timestamp>,
}

impl From<Fold> for FoldDates {
    fn from(fold: Fold) -> Self {
        Self {
            start: fold.start.timestamp(),
            validation_start: fold.cuts.validation_start.timestamp(),
            test_start: fold.cuts.test_start.timestamp(),
            end: fold.end.map(Utc::timestamp),
        }
    }
}

impl From<FoldDates> for Fold {
    fn from(dates: FoldDates) -> Self {
        Self {
            start: Utc::from_timestamp(dates.start),
            cuts: CutDates {
                validation_start: Utc::from_timestamp(dates.validation_start),
                test_start: Utc::from_timestamp(dates.test_start),
            },
            end: dates.end.map(Utc::from_timestamp),
        }
    }
}

impl Fold {
    /// The strategy over this fold: its dates and its split.
    pub fn of(&self, resolved: &Resolved) -> Resolved {
        Resolved {
            start: Some(self.start),
            end: self.end,
            split: Split::Dates {
                validation_start: self.cuts.validation_start,
                test_start: self.cuts.test_start,
            },
            ..resolved.clone()
        }
    }
}

/// Cuts the time of all symbols into folds, in order of time. `opens` are the opens of the base
/// bars of all symbols.
///
/// Of N distinct opens the first fold trains on ⌊N·train⌋ and every fold validates on
/// ⌊N·validation⌋; the others are shared equally between the tests, and the last test takes the
/// remainder.
///
/// # Errors
/// A share leaves a part empty, or there are too few instants for that many folds.
pub fn walk_forward(
    plan: &WalkForward,
    opens: impl IntoIterator<Item = Utc>,
) -> Result<Vec<Fold>, SplitError> {
    Fractions {
        train: plan.train,
        validation: plan.validation,
    }
    .check()?;

    let instants = distinct_instants(opens);
    let count_share = |share: f64| (instants.len() as f64 * share).floor() as usize;
    let train = count_share(plan.train);
    let validation = count_share(plan.validation);
    // The tests share the instants after training and validation; without folds none is left over.
    let test = (instants.len() - train - validation)
        .checked_div(plan.folds)
        .unwrap_or(0);
    let too_few = SplitError::TooFewRows {
        instants: instants.len(),
    };
    if train == 0 || validation == 0 || test == 0 {
        return Err(too_few);
    }

    let lengths = FoldLengths {
        train,
        validation,
        test,
    };
    (0..plan.folds)
        .map(|number| lengths.fold(plan, number, &instants))
        .collect::<Option<_>>()
        .ok_or(too_few)
}

/// Numbers of instants in the parts of a fold.
struct FoldLengths {
    train: usize,
    validation: usize,
    test: usize,
}

impl FoldLengths {
    /// The fold with this 0-based number; `None` where the instants end before it does.
    fn fold(&self, plan: &WalkForward, number: usize, instants: &[Utc]) -> Option<Fold> {
        let instant_at = |index: usize| instants.get(index).copied();
        let moved = number * self.test;
        let validation_start = self.train + moved;
        let test_start = validation_start + self.validation;

        let start = match plan.growth {
            Growth::Expanding => 0,
            Growth::Sliding => moved,
        };
        // The last test goes on to the end of the series.
        let is_last = number + 1 == plan.folds;
        let end = if is_last {
            None
        } else {
            instant_at(test_start + self.test)
        };

        Some(Fold {
            start: instant_at(start)?,
            cuts: CutDates {
                validation_start: instant_at(validation_start)?,
                test_start: instant_at(test_start)?,
            },
            end,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(start: i64, validation_start: i64, test_start: i64, end: Option<i64>) -> Fold {
        Fold {
            start: Utc(start),
            cuts: CutDates {
                validation_start: Utc(validation_start),
                test_start: Utc(test_start),
            },
            end: end.map(Utc),
        }
    }

    const PLAN: WalkForward = WalkForward {
        folds: 3,
        growth: Growth::Expanding,
        train: 0.5,
        validation: 0.2,
    };

    /// 21 instants 0, 10, …, 200: 10 train, 4 validate, and 7 are 3 tests of 2 with 1 left for the
    /// last.
    #[test]
    fn tests_follow_each_other_and_an_expanding_part_grows() {
        // A second symbol with the same bars changes nothing.
        let opens = (0..21).chain(0..21).map(|index| Utc(index * 10));

        let folds = walk_forward(&PLAN, opens).unwrap();

        let expected = [
            fold(0, 100, 140, Some(160)),
            fold(0, 120, 160, Some(180)),
            fold(0, 140, 180, None),
        ];
        assert_eq!(folds, expected);
    }

    #[test]
    fn a_sliding_training_part_moves_with_its_test() {
        let plan = WalkForward {
            growth: Growth::Sliding,
            ..PLAN
        };

        let folds = walk_forward(&plan, (0..21).map(|index| Utc(index * 10))).unwrap();

        let expected = [
            fold(0, 100, 140, Some(160)),
            fold(20, 120, 160, Some(180)),
            fold(40, 140, 180, None),
        ];
        assert_eq!(folds, expected);
    }

    #[test]
    fn folds_are_json_with_dates_that_people_can_read() {
        let day = 86_400_000_000;
        let folds = [
            fold(0, day, 2 * day, None),
            fold(day, 2 * day, 3 * day, Some(4 * day)),
        ];

        let text = serde_json::to_string(&folds).unwrap();

        let expected = concat!(
            r#"[{"start":"1970-01-01T00:00:00Z","validation_start":"1970-01-02T00:00:00Z","#,
            r#""test_start":"1970-01-03T00:00:00Z","end":null},"#,
            r#"{"start":"1970-01-02T00:00:00Z","validation_start":"1970-01-03T00:00:00Z","#,
            r#""test_start":"1970-01-04T00:00:00Z","end":"1970-01-05T00:00:00Z"}]"#,
        );
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<[Fold; 2]>(&text).unwrap(), folds);
    }

    #[test]
    fn a_plan_is_json_under_the_names_of_its_flags() {
        let plan = WalkForward {
            growth: Growth::Sliding,
            validation: 0.25,
            ..PLAN
        };
        let text = r#"{"folds":3,"growth":"sliding","train":0.5,"validation":0.25}"#;

        assert_eq!(serde_json::to_string(&plan).unwrap(), text);
        assert_eq!(serde_json::from_str::<WalkForward>(text).unwrap(), plan);
    }

    #[test]
    fn folds_without_an_instant_for_every_test_are_refused() {
        let none = WalkForward { folds: 0, ..PLAN };
        let too_many = WalkForward { folds: 100, ..PLAN };

        for plan in [none, too_many] {
            assert_eq!(
                walk_forward(&plan, (0..21).map(Utc)),
                Err(SplitError::TooFewRows { instants: 21 })
            );
        }
        assert_eq!(
            walk_forward(&PLAN, []),
            Err(SplitError::TooFewRows { instants: 0 })
        );
    }

    #[test]
    fn shares_that_leave_a_part_empty_are_refused() {
        for (train, validation) in [(0.0, 0.2), (0.8, 0.2), (f64::NAN, 0.2)] {
            let plan = WalkForward {
                train,
                validation,
                ..PLAN
            };

            let error = walk_forward(&plan, (0..21).map(Utc)).unwrap_err();

            assert!(matches!(error, SplitError::Fractions { .. }), "{error}");
        }
    }
}
