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
use crate::splits::{CutDates, SplitError};
use crate::strategy::Split;

/// What the training part of a later fold does.
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
    /// What the training part does.
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
#[serde(from = "Dates", into = "Dates")]
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
struct Dates {
    start: Timestamp,
    validation_start: Timestamp,
    test_start: Timestamp,
    end: Option<Timestamp>,
}

impl From<Fold> for Dates {
    fn from(fold: Fold) -> Self {
        let Fold {
            start,
            cuts:
                CutDates {
                    validation_start,
                    test_start,
                },
            end,
        } = fold;
        let (validation_start, test_start) = (validation_start.timestamp(), test_start.timestamp());
        Self {
            start: start.timestamp(),
            validation_start,
            test_start,
            end: end.map(Utc::timestamp),
        }
    }
}

impl From<Dates> for Fold {
    fn from(dates: Dates) -> Self {
        let [start, validation_start, test_start] =
            [dates.start, dates.validation_start, dates.test_start].map(Utc::from_timestamp);
        Self {
            start,
            cuts: CutDates {
                validation_start,
                test_start,
            },
            end: dates.end.map(Utc::from_timestamp),
        }
    }
}

impl Fold {
    /// The strategy over this fold: its dates and its split.
    pub fn of(&self, resolved: &Resolved) -> Resolved {
        let CutDates {
            validation_start,
            test_start,
        } = self.cuts;
        let split = Split::Dates {
            validation_start,
            test_start,
        };
        Resolved {
            start: Some(self.start),
            end: self.end,
            split,
            ..resolved.clone()
        }
    }
}

/// The folds over the distinct opens of the base bars of all symbols, in order of time.
///
/// # Errors
/// A share leaves a part empty, or there are too few instants for that many folds.
pub fn walk_forward(
    plan: &WalkForward,
    opens: impl IntoIterator<Item = Utc>,
) -> Result<Vec<Fold>, SplitError> {
    let WalkForward {
        folds,
        growth,
        train,
        validation,
    } = *plan;
    if !(train > 0.0 && validation > 0.0 && train + validation < 1.0) {
        return Err(SplitError::Fractions { train, validation });
    }
    let mut instants: Vec<Utc> = opens.into_iter().collect();
    instants.sort_unstable();
    instants.dedup();
    let few = SplitError::TooFewRows {
        instants: instants.len(),
    };
    let count = |share: f64| (instants.len() as f64 * share).floor() as usize;
    let (train, validation) = (count(train), count(validation));
    let test = (instants.len() - train - validation)
        .checked_div(folds)
        .unwrap_or(0);
    if train == 0 || validation == 0 || test == 0 {
        return Err(few);
    }
    let at = |index: usize| instants.get(index).copied();
    let fold = |number: usize| {
        let moved = number * test;
        let start = if growth == Growth::Sliding { moved } else { 0 };
        let cuts = CutDates {
            validation_start: at(train + moved)?,
            test_start: at(train + validation + moved)?,
        };
        let end = if number + 1 == folds {
            None
        } else {
            at(train + validation + moved + test)
        };
        Some(Fold {
            start: at(start)?,
            cuts,
            end,
        })
    };
    (0..folds).map(fold).collect::<Option<_>>().ok_or(few)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(start: i64, validation_start: i64, test_start: i64, end: Option<i64>) -> Fold {
        let cuts = CutDates {
            validation_start: Utc(validation_start),
            test_start: Utc(test_start),
        };
        Fold {
            start: Utc(start),
            cuts,
            end: end.map(Utc),
        }
    }

    /// 21 instants 0, 10, …, 200: 10 train, 4 validate, and 7 are 3 tests of 2 with 1 left for the
    /// last.
    #[test]
    fn tests_follow_each_other_and_the_training_part_grows_or_moves() {
        let opens = || {
            (0..21)
                .map(|index| Utc(index * 10))
                .chain((0..21).map(|index| Utc(index * 10)))
        };
        let plan = WalkForward {
            folds: 3,
            growth: Growth::Expanding,
            train: 0.5,
            validation: 0.2,
        };
        let expanding = [
            fold(0, 100, 140, Some(160)),
            fold(0, 120, 160, Some(180)),
            fold(0, 140, 180, None),
        ];
        assert_eq!(walk_forward(&plan, opens()).unwrap(), expanding);
        let sliding = [
            fold(0, 100, 140, Some(160)),
            fold(20, 120, 160, Some(180)),
            fold(40, 140, 180, None),
        ];
        assert_eq!(
            walk_forward(
                &WalkForward {
                    growth: Growth::Sliding,
                    ..plan
                },
                opens()
            )
            .unwrap(),
            sliding
        );
    }

    #[test]
    fn plans_and_folds_are_data_with_dates_that_people_can_read() {
        let day = 86_400_000_000;
        let (open, closed) = (
            fold(0, day, 2 * day, None),
            fold(day, 2 * day, 3 * day, Some(4 * day)),
        );
        let text = serde_json::to_string(&[open, closed]).unwrap();
        let dates = |days: [&str; 3], end: &str| {
            let [start, validation, test] = days.map(|day| format!("\"1970-01-0{day}T00:00:00Z\""));
            format!(
                r#"{{"start":{start},"validation_start":{validation},"test_start":{test},"end":{end}}}"#
            )
        };
        let expected = [
            dates(["1", "2", "3"], "null"),
            dates(["2", "3", "4"], r#""1970-01-05T00:00:00Z""#),
        ];
        assert_eq!(text, format!("[{}]", expected.join(",")));
        assert_eq!(
            serde_json::from_str::<[Fold; 2]>(&text).unwrap(),
            [open, closed]
        );
        let plan = WalkForward {
            folds: 3,
            growth: Growth::Sliding,
            train: 0.5,
            validation: 0.25,
        };
        let text = r#"{"folds":3,"growth":"sliding","train":0.5,"validation":0.25}"#;
        assert_eq!(serde_json::to_string(&plan).unwrap(), text);
        assert_eq!(serde_json::from_str::<WalkForward>(text).unwrap(), plan);
    }

    #[test]
    fn folds_that_leave_a_part_empty_are_refused() {
        let plan = WalkForward {
            folds: 3,
            growth: Growth::Sliding,
            train: 0.5,
            validation: 0.2,
        };
        let opens = |count: i64| (0..count).map(Utc);
        for plan in [
            WalkForward { folds: 0, ..plan },
            WalkForward { folds: 100, ..plan },
        ] {
            assert_eq!(
                walk_forward(&plan, opens(21)),
                Err(SplitError::TooFewRows { instants: 21 })
            );
        }
        assert_eq!(
            walk_forward(&plan, opens(0)),
            Err(SplitError::TooFewRows { instants: 0 })
        );
        for (train, validation) in [(0.0, 0.2), (0.8, 0.2), (f64::NAN, 0.2)] {
            let error = walk_forward(
                &WalkForward {
                    train,
                    validation,
                    ..plan
                },
                opens(21),
            )
            .unwrap_err();
            assert!(matches!(error, SplitError::Fractions { .. }));
        }
    }
}
