//! The sealed period: whatever the label source and the date, a data set is what it would be if the
//! bars from that date on did not exist, and the sealed rows are measured by its scales.

use std::cell::Cell;
use std::ops::ControlFlow;

use market::{Bars, Utc};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use strategies::labels::EventFilter;
use strategies::splits::Part;
use strategies::{DataSet, DataSetError, Overrides, Resolved, Strategy};

use crate::good_strategy::{Case, GOOD, report_cases, resolve_after};
use crate::purge::{bars_of_two, label_bars, sources, two_symbols};
use crate::sample_bars::{HOUR, SymbolInput, assembled, assembled_sealed};

fn open_set(resolved: &Resolved, inputs: &[SymbolInput]) -> Result<DataSet, DataSetError> {
    assembled(resolved, inputs, 1, &mut |_| ControlFlow::Continue(()))
}

/// Other prices in every bar that closes at `from` or later.
fn with_other_future(inputs: &[SymbolInput], from: Utc) -> Vec<SymbolInput> {
    let mut inputs = inputs.to_vec();

    for bars in inputs.iter_mut().flat_map(|input| input.bars.values_mut()) {
        let first = bars.close_time.partition_point(|close| *close < from);
        let columns = [
            &mut bars.open,
            &mut bars.high,
            &mut bars.low,
            &mut bars.close,
        ];
        for price in columns
            .into_iter()
            .flat_map(|column| column.iter_mut().skip(first))
        {
            *price = 2.0 / *price;
        }

        // Turned upside down, the highest price is the lowest.
        std::mem::swap(&mut bars.high, &mut bars.low);
        swap_back(bars, first);
    }
    inputs
}

/// Highs and lows before `first` are where they were.
fn swap_back(bars: &mut Bars, first: usize) {
    for row in 0..first {
        std::mem::swap(&mut bars.high[row], &mut bars.low[row]);
    }
}

/// The same bars without those that close at `from` or later.
fn without_future(inputs: &[SymbolInput], from: Utc) -> Vec<SymbolInput> {
    let mut inputs = inputs.to_vec();
    for bars in inputs.iter_mut().flat_map(|input| input.bars.values_mut()) {
        let count = bars.close_time.partition_point(|close| *close < from);
        *bars = bars.slice(0..count);
    }
    inputs
}

/// Every row that must be sealed: symbol, bar, label.
fn expected_sealed(
    resolved: &Resolved,
    inputs: &[SymbolInput],
    open: &DataSet,
) -> Vec<(u32, u32, u32)> {
    let first_known = resolved
        .sealed_from
        .unwrap()
        .plus_micros(open.embargo_micros);

    let mut rows = Vec::new();
    for (symbol, input) in (0..).zip(inputs) {
        let bars = &input.bars[&resolved.base];
        let labels = label_bars(resolved, bars, open.cuts.validation_start);
        for (bar, label) in (0..).zip(&labels.values).skip(resolved.warm_up_bars()) {
            if !label.is_nan() && bars.close_time[bar as usize] >= first_known {
                rows.push((symbol, bar, label.to_bits()));
            }
        }
    }
    rows
}

fn sealed_rows(set: &DataSet) -> Vec<(u32, u32, u32)> {
    let rows = 0..set.rows();
    rows.map(|row| (set.symbol[row], set.bar[row], set.label[row].to_bits()))
        .collect()
}

/// Checks both sides of the date; a choice that leaves a part without a class proves nothing, and
/// is not counted.
fn check_sides(resolved: &Resolved, inputs: &[SymbolInput], checked: &Cell<u32>) -> TestCaseResult {
    let from = resolved.sealed_from.unwrap();
    let open = match open_set(resolved, inputs) {
        Ok(set) => set,
        Err(DataSetError::NoClass { .. } | DataSetError::FewRows { .. }) => return Ok(()),
        Err(error) => return Err(TestCaseError::fail(error.to_string())),
    };
    checked.set(checked.get() + 1);

    // The definition, and that nothing else of the set depends on a later bar either.
    prop_assert!(open.known_at.iter().all(|known| *known < from));
    prop_assert!(open.label_known_at.iter().all(|known| *known < from));
    let other = open_set(resolved, &with_other_future(inputs, from)).unwrap();
    prop_assert!(
        open == other,
        "another future changes it: {:?}",
        resolved.labels
    );
    let without = open_set(&resolved.unsealed(), &without_future(inputs, from)).unwrap();
    prop_assert!(
        open == without,
        "no future changes it: {:?}",
        resolved.labels
    );

    let sealed = assembled_sealed(resolved, &open, inputs).unwrap().unwrap();
    prop_assert!(sealed_rows(&sealed) == expected_sealed(resolved, inputs, &open));
    prop_assert_eq!(sealed.features, open.features);
    Ok(())
}

#[test]
fn no_row_of_any_part_knows_a_bar_of_the_sealed_period() {
    let base = two_symbols();
    let inputs = bars_of_two(&base);
    let times = &inputs[0].bars[&base.base].close_time;

    for labels in sources() {
        for events in [None, Some(EventFilter::default())] {
            let checked = Cell::new(0);
            let config = ProptestConfig {
                cases: 6,
                failure_persistence: None,
                ..ProptestConfig::default()
            };
            proptest!(config, |(bar in 2_600usize..3_700, minutes in 0i64..60)| {
                let resolved = Resolved {
                    labels,
                    events,
                    sealed_from: Some(times[bar].plus_micros(minutes * HOUR / 60)),
                    ..base.clone()
                };
                check_sides(&resolved, &inputs, &checked)?;
            });
            assert!(
                checked.get() >= 3,
                "{labels:?} {events:?}: {}",
                checked.get()
            );
        }
    }
}

/// Features of sealed rows are those of an unsealed data set, but for the scaling.
#[test]
fn sealed_rows_are_scaled_by_what_the_training_part_knows() {
    let base = two_symbols();
    let inputs = bars_of_two(&base);
    let from = inputs[0].bars[&base.base].close_time[3_000];
    let resolved = Resolved {
        sealed_from: Some(from),
        ..base
    };

    let open = open_set(&resolved, &inputs).unwrap();
    let sealed = assembled_sealed(&resolved, &open, &inputs)
        .unwrap()
        .unwrap();
    let whole = open_set(&resolved.unsealed(), &inputs).unwrap();

    let place = |set: &DataSet, row: usize| (set.symbol[row], set.bar[row]);
    let mut compared = 0;
    for row in 0..sealed.rows() {
        let twin = (0..whole.rows()).find(|other| place(&whole, *other) == place(&sealed, row));
        let Some(twin) = twin.filter(|twin| whole.part[*twin] == Part::Test) else {
            continue;
        };
        for (column, other) in (0..).zip(&whole.values) {
            let sealed_column = &open.features[column].normalisation;
            let whole_column = &whole.features[column].normalisation;
            if sealed_column == whole_column {
                assert_eq!(sealed.values[column][row].to_bits(), other[twin].to_bits());
                compared += 1;
            }
        }
    }
    assert!(compared > 500, "{compared}");
    assert_eq!(open.features, sealed.features);
    assert_eq!(
        (open.cuts, open.embargo_micros),
        (sealed.cuts, sealed.embargo_micros)
    );
}

const CASES: &[Case] = &[
    Case {
        name: "a sealed period that begins with the data",
        edits: &[(
            "training_data:\n",
            "training_data:\n  start_date: 2020-01-01\n  sealed_from: 2020-01-01\n",
        )],
    },
    Case {
        name: "a sealed period after the end",
        edits: &[(
            "training_data:\n",
            "training_data:\n  end_date: 2020-12-31\n  sealed_from: 2021-01-01\n",
        )],
    },
    Case {
        name: "a sealed period that begins before the test part",
        edits: &[
            (
                "training_data:\n",
                "training_data:\n  sealed_from: 2020-06-01\n",
            ),
            (
                "training: {labels: {source: zigzag}}",
                "training: {labels: {source: zigzag}, split: {validation_start: 2020-03-01, \
                 test_start: 2020-06-01}}",
            ),
        ],
    },
    Case {
        name: "a word in place of a date",
        edits: &[("training_data:\n", "training_data:\n  sealed_from: soon\n")],
    },
];

#[test]
fn dates_that_leave_no_room_are_refused_with_what_to_change() {
    insta::assert_snapshot!(report_cases(CASES));
}

#[test]
fn a_plain_date_is_its_midnight_utc_and_another_zone_counts() {
    let from = |date: &str| {
        let line = format!("training_data:\n  sealed_from: {date}\n");
        let edits = [("training_data:\n", line.as_str())];
        let resolved = resolve_after(&edits, &Overrides::default());
        resolved.sealed_from.unwrap().to_string()
    };

    assert_eq!(from("2020-05-01"), "2020-05-01T00:00:00Z");
    assert_eq!(from("2020-05-01T02:00:00+02:00"), "2020-05-01T00:00:00Z");
}

fn sealed_strategy() -> Strategy {
    let dates = "training_data:\n  start_date: 2019-01-01\n  end_date: 2020-12-31\n  \
                 sealed_from: 2020-07-01\n";
    Strategy::parse(&GOOD.replace("training_data:\n", dates)).unwrap()
}

fn instant(text: &str) -> Utc {
    Utc::from_timestamp(text.parse().unwrap())
}

#[test]
fn a_request_may_end_before_the_period_but_not_begin_in_it() {
    let strategy = sealed_strategy();
    let early = Overrides {
        end: Some(instant("2020-07-01T00:00:00Z")),
        ..Overrides::default()
    };
    let late = Overrides {
        start: Some(instant("2020-07-01T00:00:00Z")),
        ..Overrides::default()
    };
    let test_in_it = Overrides {
        validation_start: Some(instant("2020-06-01T00:00:00Z")),
        test_start: Some(instant("2020-08-01T00:00:00Z")),
        ..Overrides::default()
    };

    // A fold ends where the sealed period begins: it has no rows to seal.
    let fold = strategy.resolve(&early).unwrap();
    assert_eq!(fold.sealed_start(), None);
    assert_eq!(fold.open_end(), Some(instant("2020-07-01T00:00:00Z")));
    let whole = strategy.resolve(&Overrides::default()).unwrap();
    assert_eq!(whole.sealed_start(), whole.open_end());

    for refused in [late, test_in_it] {
        let findings = strategy.resolve(&refused).unwrap_err().to_string();
        assert!(
            findings.contains("2020-07-01T00:00:00Z, where the sealed"),
            "{findings}"
        );
    }
}

#[test]
fn the_date_is_part_of_what_names_a_data_set() {
    let part = |resolved: &Resolved| resolved.data_part(&[].into());
    let sealed = sealed_strategy().resolve(&Overrides::default()).unwrap();

    assert_eq!(part(&sealed)["sealed_from"], sealed.sealed_from.unwrap().0);
    assert_eq!(part(&sealed.unsealed()).get("sealed_from"), None);
}
