//! Cuts, purge and embargo worked by hand, and the gap between parts for any rows.

use proptest::prelude::*;

use super::*;
use crate::folds::{Fold, Growth, WalkForward, walk_forward};

const CUTS: CutDates = CutDates {
    validation_start: Utc(50),
    test_start: Utc(100),
};

fn parts_of(rows: &[RowTime], cuts: &CutDates, embargo_micros: i64) -> Vec<Option<Part>> {
    rows.iter()
        .map(|row| assign_part(*row, cuts, embargo_micros).ok())
        .collect()
}

/// Rows 0..=13 known at 0, 10, …, 130, labels two bars later, cuts at 50 and 100, embargo 11.
#[test]
fn rows_are_purged_before_a_cut_and_embargoed_after_it() {
    let rows: Vec<RowTime> = (0..14)
        .map(|row| RowTime {
            known_at: Utc(row * 10),
            label_known_at: Utc(row * 10 + 20),
        })
        .collect();

    let parts = parts_of(&rows, &CUTS, 11);

    let train = Some(Part::Train);
    let validation = Some(Part::Validation);
    let test = Some(Part::Test);
    // Labels known at 20, 30, 40 and, too late, at 50 and 60.
    assert_eq!(parts[..5], [train, train, train, None, None]);
    // Known at 50 and 60 < 61; label known at 90; at 100 and 110.
    assert_eq!(parts[5..10], [None, None, validation, None, None]);
    // Known at 100 and 110 < 111.
    assert_eq!(parts[10..], [None, None, test, test]);
}

/// N = 10: validation from index 7, test from index ⌊8.5⌋ = 8. A second symbol with the same times
/// changes nothing.
#[test]
fn cut_dates_count_instants_and_not_rows() {
    let times = || (0..10).map(|row| Utc(row * 5));
    let fractions = Fractions {
        train: 0.7,
        validation: 0.15,
    };

    let expected = CutDates {
        validation_start: Utc(35),
        test_start: Utc(40),
    };
    assert_eq!(cut_dates(fractions, times()), Ok(expected));
    assert_eq!(
        cut_dates(fractions, times().chain(times().rev())),
        Ok(expected)
    );
}

#[test]
fn shares_that_leave_a_part_empty_are_refused() {
    for (train, validation) in [(0.0, 0.5), (0.7, 0.3), (0.5, 0.0), (f64::NAN, 0.1)] {
        let error = cut_dates(Fractions { train, validation }, (0..10).map(Utc)).unwrap_err();

        assert!(
            matches!(error, SplitError::Fractions { .. }),
            "{train} {validation}"
        );
    }
}

#[test]
fn too_few_instants_for_three_parts_are_refused() {
    let fractions = Fractions {
        train: 0.7,
        validation: 0.15,
    };

    assert_eq!(
        cut_dates(fractions, (0..2).map(Utc)),
        Err(SplitError::TooFewRows { instants: 2 })
    );
}

/// Rows at 0, 10, 20, 30 and, after a pause, 100. Two bars after the cut at 10 is 30, two after the
/// one at 20 is 100, so 80. Two bars after a cut at 30 is past the end, so the last row counts: 70.
#[test]
fn an_embargo_in_bars_is_the_time_that_they_take_at_the_cuts() {
    let times = [0, 10, 20, 30, 100].map(Utc);
    let cuts_at = |validation_start: i64, test_start: i64| CutDates {
        validation_start: Utc(validation_start),
        test_start: Utc(test_start),
    };

    assert_eq!(embargo_micros(&times, &cuts_at(10, 20), 2), 80);
    assert_eq!(embargo_micros(&times, &cuts_at(10, 30), 2), 70);
    assert_eq!(embargo_micros(&[], &cuts_at(10, 30), 2), 0);
}

fn any_rows() -> impl Strategy<Value = Vec<RowTime>> {
    let row = (-1000i64..1000, -50i64..200).prop_map(|(known_at, label_after)| RowTime {
        known_at: Utc(known_at),
        label_known_at: Utc(known_at + label_after),
    });
    prop::collection::vec(row, 0..120)
}

proptest! {
    #[test]
    fn the_embargo_lies_between_any_two_parts(
        rows in any_rows(),
        cuts in (-1000i64..1000, -1000i64..1000),
        embargo in -10i64..100,
    ) {
        let cuts = CutDates { validation_start: Utc(cuts.0), test_start: Utc(cuts.1) };

        let parts = parts_of(&rows, &cuts, embargo);

        prop_assert_eq!(parts.len(), rows.len());
        for (earlier, before) in rows.iter().zip(&parts) {
            for (later, after) in rows.iter().zip(&parts) {
                if let (Some(before), Some(after)) = (before, after) && before < after {
                    let end_of_gap = earlier.label_known_at.plus_micros(embargo.max(0));
                    prop_assert!(end_of_gap < later.known_at);
                    prop_assert!(earlier.known_at < later.known_at);
                }
            }
        }
    }

    #[test]
    fn any_instants_split_without_overflow(
        row in any::<(i64, i64)>(),
        cuts in any::<(i64, i64)>(),
        embargo in any::<i64>(),
    ) {
        let row = RowTime { known_at: Utc(row.0), label_known_at: Utc(row.1) };
        let cuts = CutDates { validation_start: Utc(cuts.0), test_start: Utc(cuts.1) };

        // Any part or none will do; what counts is that nothing overflows.
        let _ = assign_part(row, &cuts, embargo);
    }
}

/// Rows with the folds that two packages of Python make of them, by position.
#[derive(serde::Deserialize)]
struct PurgedFolds {
    growth: Growth,
    known_at: Vec<i64>,
    label_known_at: Vec<i64>,
    folds: Vec<PurgedFold>,
}

#[derive(serde::Deserialize)]
struct PurgedFold {
    train: Vec<usize>,
    validation: Vec<usize>,
}

/// Positions of the rows of a fold that are in a part, without an embargo.
fn positions_in(part: Part, fold: &Fold, rows: &[RowTime]) -> Vec<usize> {
    let within =
        |row: &RowTime| row.known_at >= fold.start && fold.end.is_none_or(|end| row.known_at < end);
    let mut positions = Vec::new();
    for (position, row) in rows.iter().enumerate() {
        if within(row) && assign_part(*row, &fold.cuts, 0) == Ok(part) {
            positions.push(position);
        }
    }
    positions
}

#[test]
fn folds_are_purged_as_two_packages_of_python_purge_them() {
    let recorded = include_str!("../../tests/data/purged_folds.json");
    let cases: Vec<PurgedFolds> = serde_json::from_str(recorded).unwrap();
    assert_eq!(cases.len(), 8);

    for case in cases {
        let times = case.known_at.iter().zip(&case.label_known_at);
        let rows: Vec<RowTime> = times
            .map(|(known_at, label_known_at)| RowTime {
                known_at: Utc(*known_at),
                label_known_at: Utc(*label_known_at),
            })
            .collect();
        let plan = WalkForward {
            folds: 4,
            growth: case.growth,
            train: 0.5,
            validation: 0.1,
        };

        let folds = walk_forward(&plan, rows.iter().map(|row| row.known_at)).unwrap();

        assert_eq!(folds.len(), case.folds.len());
        for (fold, expected) in folds.iter().zip(&case.folds) {
            assert_eq!(positions_in(Part::Train, fold, &rows), expected.train);
            assert_eq!(
                positions_in(Part::Validation, fold, &rows),
                expected.validation
            );
        }
    }
}
