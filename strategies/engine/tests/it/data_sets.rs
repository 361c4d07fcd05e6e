//! Data sets keep their promises: nothing of the future is fitted, folds, events, weights, lags,
//! symbols apart.

use std::ops::ControlFlow;
use std::path::Path;

use crate::sample_bars::{
    HOUR, SymbolInput, assembled, catalog, hourly_eurusd, inputs, names, read,
};
use market::{Bars, Timeframe, Utc};
use strategies::labels;
use strategies::splits::Part;
use strategies::{
    DataSet, DataSetError, Growth, Overrides, Resolved, Split, Strategy, SymbolBars, WalkForward,
    walk_forward,
};

fn parsed(text: &str) -> Resolved {
    Strategy::parse(text)
        .unwrap_or_else(|findings| panic!("{findings}"))
        .resolve(&Overrides::default())
        .unwrap()
}

fn data_set(resolved: &Resolved, inputs: &[SymbolInput]) -> Result<DataSet, DataSetError> {
    assembled(resolved, inputs, 1, &mut |_| ControlFlow::Continue(()))
}

/// Every row of the training part: symbol, time, label and weight, features.
fn training_part(set: &DataSet) -> Vec<(u32, Utc, [u32; 2], Vec<u32>)> {
    let rows = (0..set.rows()).filter(|row| set.part[*row] == Part::Train);
    let bits = |row: usize| {
        set.values
            .iter()
            .map(|column| column[row].to_bits())
            .collect()
    };
    let weight = |row: usize| set.weight.as_ref().map_or(1.0, |weights| weights[row]);
    let learnt = |row: usize| [set.label[row], weight(row)].map(f32::to_bits);
    rows.map(|row| (set.symbol[row], set.open_time[row], learnt(row), bits(row)))
        .collect()
}

/// The bars from `cut` on, upside down and a tenth higher: rises become falls of the same size, so
/// that every class stays.
fn turn_over(bars: &mut Bars, cut: Utc) {
    let first = bars.close_time.partition_point(|close| *close < cut);
    let pivot = 1.1 * bars.close[first] * bars.close[first];
    for row in first..bars.len() {
        for column in [
            &mut bars.open,
            &mut bars.high,
            &mut bars.low,
            &mut bars.close,
        ] {
            column[row] = pivot / column[row];
        }
        let (high, low) = (bars.low[row], bars.high[row]);
        (bars.high[row], bars.low[row]) = (high, low);
        bars.volume[row] *= 1.5 + 0.1 * (row % 11) as f64;
    }
}

/// Prices after the cut replaced by others: scalings, thresholds, labels and rows of the training
/// part stay as they are.
#[test]
fn nothing_after_the_training_part_changes_it_for_any_strategy_of_the_catalogue() {
    for name in names() {
        let mut resolved = parsed(&catalog(&name));
        let mut inputs = inputs(&resolved);
        let before = data_set(&resolved, &inputs).unwrap();
        // Shares count labelled rows, of which another future has more or fewer: compare at the
        // same dates.
        let cut = before.cuts.validation_start;
        resolved.split = Split::Dates {
            validation_start: cut,
            test_start: before.cuts.test_start,
        };
        resolved.embargo_bars = Some(10);
        let before = data_set(&resolved, &inputs).unwrap();
        inputs
            .iter_mut()
            .flat_map(|input| input.bars.values_mut())
            .for_each(|bars| turn_over(bars, cut));
        let after = data_set(&resolved, &inputs).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(before.features, after.features, "{name}: scaling");
        assert_eq!(before.thresholds, after.thresholds, "{name}: thresholds");
        assert!(
            training_part(&before) == training_part(&after),
            "{name}: the training part changed"
        );
        let held_out = |set: &DataSet| {
            (0..set.rows())
                .filter(|row| set.part[*row] != Part::Train)
                .map(|row| set.label[row])
                .collect::<Vec<f32>>()
        };
        assert!(
            held_out(&before) != held_out(&after),
            "{name}: the other future is another one"
        );
    }
}

#[test]
fn walk_forward_folds_are_data_sets_whose_tests_do_not_overlap() {
    let resolved = parsed(&catalog("us_equities_trend"));
    let inputs = inputs(&resolved);
    let opens = inputs
        .iter()
        .flat_map(|input| resolved.clip(&input.bars[&resolved.base]).open_time);
    for growth in [Growth::Expanding, Growth::Sliding] {
        let plan = WalkForward {
            folds: 4,
            growth,
            train: 0.5,
            validation: 0.1,
        };
        let folds = walk_forward(&plan, opens.clone()).unwrap();
        let mut tested: Vec<Vec<Utc>> = Vec::new();
        for fold in &folds {
            let set = data_set(&fold.of(&resolved), &inputs).unwrap();
            let test = (0..set.rows())
                .filter(|row| set.part[*row] == Part::Test)
                .map(|row| set.open_time[row]);
            tested.push(test.collect());
            assert!(
                set.open_time
                    .iter()
                    .all(|open| *open >= fold.start && fold.end.is_none_or(|end| *open < end))
            );
            assert!((set.symbols.len(), set.cuts) == (3, fold.cuts));
        }
        let ordered = tested
            .windows(2)
            .all(|pair| pair[0].iter().max().unwrap() < pair[1].iter().min().unwrap());
        assert!(
            ordered && tested.iter().all(|rows| rows.len() > 200),
            "{growth:?}"
        );
    }
}

#[test]
fn only_events_are_learnt_from_and_all_of_them() {
    let resolved = parsed(&catalog("eurusd_events"));
    let inputs = inputs(&resolved);
    let set = data_set(&resolved, &inputs).unwrap();
    let bars = resolved.clip(&inputs[0].bars[&resolved.base]);
    let training = bars.slice(
        0..bars
            .close_time
            .partition_point(|close| *close < set.cuts.validation_start),
    );
    let events = resolved
        .events
        .unwrap()
        .fitted(&training)
        .unwrap()
        .events(&bars)
        .unwrap();
    let row_of = |time: &Utc| bars.open_time.binary_search(time).unwrap();
    assert!(set.open_time.iter().all(|time| events[row_of(time)]));
    let kept = set.rows() as u64
        + ["purged", "embargo"]
            .iter()
            .map(|reason| set.dropped[*reason])
            .sum::<u64>();
    let all = labels::compute_labels(&resolved.labels, &bars).unwrap();
    let warm_up = usize::try_from(set.dropped["warm_up"]).unwrap();
    let expected = (warm_up..bars.len())
        .filter(|row| events[*row] && !all.values[*row].is_nan())
        .count();
    assert_eq!(kept, expected as u64);
    assert!(
        expected * 3 < bars.len(),
        "{expected} of {} bars are events",
        bars.len()
    );
}

/// Counted the slow way: on every bar of a label, how many labels are active there, those of
/// dropped rows included.
#[test]
fn a_row_weighs_what_its_label_has_to_itself_and_rows_that_are_dropped_count_too() {
    let resolved = parsed(&catalog("eurusd_events"));
    let inputs = inputs(&resolved);
    let set = data_set(&resolved, &inputs).unwrap();
    let bars = resolved.clip(&inputs[0].bars[&resolved.base]);
    let training = bars.slice(
        0..bars
            .close_time
            .partition_point(|close| *close < set.cuts.validation_start),
    );
    let mut all = labels::compute_labels(&resolved.labels, &bars).unwrap();
    all.keep(
        &resolved
            .events
            .unwrap()
            .fitted(&training)
            .unwrap()
            .events(&bars)
            .unwrap(),
    )
    .unwrap();
    let active = |label: usize, bar: usize| {
        !all.values[label].is_nan() && label <= bar && bar < label + all.look_ahead[label] as usize
    };
    // No label looks further than 16 bars ahead.
    let labels_on = |bar: usize| {
        (bar.saturating_sub(16)..=bar)
            .filter(|label| active(*label, bar))
            .count()
    };
    let weights = set.weight.as_ref().unwrap();
    assert_eq!(weights.len(), set.rows());
    for (time, weight) in set.open_time.iter().zip(weights) {
        let row = bars.open_time.binary_search(time).unwrap();
        let own = row..row + all.look_ahead[row] as usize;
        let expected = own
            .clone()
            .map(|bar| 1.0 / labels_on(bar) as f64)
            .sum::<f64>()
            / own.len() as f64;
        assert!(
            (expected - f64::from(*weight)).abs() < 1e-6,
            "row {row}: {weight} is not {expected}"
        );
    }
    let (least, most) = weights.iter().fold((f32::MAX, 0.0_f32), |(a, b), each| {
        (a.min(*each), b.max(*each))
    });
    assert!(
        least < 0.25 && most > 0.75,
        "weights between {least} and {most} would say little"
    );
    let plain = data_set(
        &Resolved {
            weighted: false,
            ..resolved
        },
        &inputs,
    )
    .unwrap();
    assert_eq!(
        plain,
        DataSet {
            weight: None,
            ..set
        },
        "nothing else differs without weights"
    );
}

/// Lags count bars of the column's own timeframe: on hourly rows a lag of 1 of a daily column is
/// the day before.
#[test]
fn a_lagged_column_shows_the_bar_that_many_bars_before() {
    let resolved = parsed(&catalog("eurusd_two_timeframes"));
    let names: Vec<&str> = resolved
        .features
        .iter()
        .map(|feature| feature.name.as_str())
        .collect();
    assert_eq!(
        names[..9],
        ["", "_lag_1", "_lag_4"]
            .map(|lag| ["low", "middle", "high"].map(|m| format!("1h_rsi_zone_{m}{lag}")))
            .concat()
    );
    let bars = &inputs(&resolved)[0].bars;
    let columns =
        strategies::compute_columns(&resolved, bars, &mut |_, _| ControlFlow::Continue(()))
            .unwrap();
    let column = |name: &str| &columns.values[names.iter().position(|each| *each == name).unwrap()];
    let closed = |timeframe: Timeframe, row: usize| {
        bars[&timeframe]
            .close_time
            .partition_point(|close| *close <= columns.known_at[row])
    };
    let mut compared = 0;
    for (prefix, timeframe) in [("1h", Timeframe::Hour1), ("1d", Timeframe::Day1)] {
        for lag in [1, 4] {
            let (now, back) = (
                column(&format!("{prefix}_rsi_zone_low")),
                column(&format!("{prefix}_rsi_zone_low_lag_{lag}")),
            );
            for row in (1_000..20_000).step_by(97) {
                // The last row on which the bar `lag` bars before was the newest one, if it was so
                // on any row.
                let wanted = closed(timeframe, row) - lag;
                let earlier = (0..row)
                    .rev()
                    .find(|each| closed(timeframe, *each) <= wanted)
                    .unwrap();
                if closed(timeframe, earlier) == wanted {
                    assert_eq!(
                        back[row].to_bits(),
                        now[earlier].to_bits(),
                        "{prefix} lag {lag} row {row}"
                    );
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 600, "{compared}");
    // The Bollinger bands take 19 daily bars, the RSI 14 and four back: 19 · 24 hourly rows.
    assert_eq!(resolved.warm_up_bars(), 19 * 24);
}

/// Every symbol begins with its own warm-up, as if it were alone, whatever came before it in the
/// stack.
#[test]
fn the_first_rows_of_the_second_symbol_equal_those_of_that_symbol_alone() {
    for name in ["us_equities_trend", "us_equities_regimes"] {
        let resolved = parsed(&catalog(name));
        let inputs = inputs(&resolved);
        let together = data_set(&resolved, &inputs).unwrap();
        // Scaling is common to all symbols: compare what is not scaled.
        let unscaled: Vec<usize> = (0..together.features.len())
            .filter(|i| together.features[*i].normalisation.is_none())
            .collect();
        for (index, symbol) in resolved.symbols.iter().enumerate() {
            let alone = Resolved {
                symbols: vec![symbol.clone()],
                ..resolved.clone()
            };
            let alone = data_set(&alone, &inputs).unwrap();
            let first = together
                .symbol
                .iter()
                .position(|each| *each as usize == index)
                .unwrap();
            for row in 0..100 {
                assert_eq!(
                    together.open_time[first + row],
                    alone.open_time[row],
                    "{name} {index}"
                );
                assert_eq!(
                    together.label[first + row],
                    alone.label[row],
                    "{name} {index}"
                );
                for column in &unscaled {
                    assert_eq!(
                        together.values[*column][first + row],
                        alone.values[*column][row]
                    );
                }
            }
        }
    }
}

#[test]
fn a_set_that_leaves_out_what_the_indicator_often_is_has_a_hole() {
    let text = catalog("eurusd_rsi_macd")
        .replace("middle: [40, 50, 60]", "middle: [48, 50, 52]")
        .replace("low: [25, 40, 50]", "low: [25, 35, 45]");
    let resolved = parsed(&text);
    let bars = SymbolBars::from([(Timeframe::Hour1, hourly_eurusd().slice(0..3_000))]);
    let found = strategies::find_holes(&resolved, &bars).unwrap();
    insta::assert_snapshot!(found);
    assert!(found.iter().all(|finding| finding.rule == "fuzzy_set.hole"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let c = parsed(&std::fs::read_to_string(folder.join("strategy_c.yaml")).unwrap());
    let missing = SymbolBars::from([(Timeframe::Hour1, read("tests/data", "eurusd_1h", HOUR))]);
    assert!(
        strategies::find_holes(&c, &missing).is_err(),
        "a timeframe without bars is an error"
    );
}

/// At its first cut, after a third of the bars, the leak test knows of no volume at all.
#[test]
fn a_series_whose_volume_begins_late_is_a_data_set_without_those_rows() {
    let resolved = parsed(&catalog("spy_path_quality"));
    let mut inputs = inputs(&resolved);
    let whole = data_set(&resolved, &inputs).unwrap();
    let bars = inputs[0].bars.get_mut(&resolved.base).unwrap();
    let begin = bars.len() * 2 / 5;
    bars.volume[..begin].fill(f64::NAN);
    let first = bars.open_time[begin];
    let late = data_set(&resolved, &inputs).unwrap();
    assert!(whole.open_time[0] < first && late.open_time.iter().all(|open| *open >= first));
    assert!(late.rows() > 0 && late.dropped["warm_up"] >= begin as u64);
}
