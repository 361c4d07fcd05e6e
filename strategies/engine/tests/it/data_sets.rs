//! Data sets keep their promises: nothing of the future is fitted, folds, events, weights, lags,
//! symbols apart.

use std::ops::{ControlFlow, Range};
use std::path::Path;

use crate::sample_bars::{
    HOUR, SymbolInput, assembled, catalog, hourly_eurusd, inputs, names, read,
};
use market::{Bars, Timeframe, Utc};
use strategies::labels::{BarLabels, compute_labels};
use strategies::splits::Part;
use strategies::{
    Columns, DataSet, DataSetError, Growth, Overrides, Resolved, Split, Strategy, SymbolBars,
    WalkForward, compute_columns, find_holes, walk_forward,
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

fn rows_of(set: &DataSet, is_selected: impl Fn(Part) -> bool) -> Vec<usize> {
    (0..set.rows())
        .filter(|row| is_selected(set.part[*row]))
        .collect()
}

/// Everything that a network learns from in one row, to the bit.
#[derive(PartialEq, Eq)]
struct TrainingRow {
    symbol: u32,
    open_time: Utc,
    label: u32,
    weight: u32,
    features: Vec<u32>,
}

fn training_rows(set: &DataSet) -> Vec<TrainingRow> {
    let weight_of = |row: usize| set.weight.as_ref().map_or(1.0, |weights| weights[row]);

    rows_of(set, |part| part == Part::Train)
        .into_iter()
        .map(|row| TrainingRow {
            symbol: set.symbol[row],
            open_time: set.open_time[row],
            label: set.label[row].to_bits(),
            weight: weight_of(row).to_bits(),
            features: set
                .values
                .iter()
                .map(|column| column[row].to_bits())
                .collect(),
        })
        .collect()
}

fn held_out_labels(set: &DataSet) -> Vec<f32> {
    rows_of(set, |part| part != Part::Train)
        .into_iter()
        .map(|row| set.label[row])
        .collect()
}

/// Turns the bars from `cut` on upside down, and a tenth higher: rises become falls of the same
/// size, so that every class stays.
fn turn_over(bars: &mut Bars, cut: Utc) {
    let first_row = bars.close_time.partition_point(|close| *close < cut);
    let pivot = 1.1 * bars.close[first_row] * bars.close[first_row];

    for row in first_row..bars.len() {
        let high = pivot / bars.low[row];
        let low = pivot / bars.high[row];
        bars.high[row] = high;
        bars.low[row] = low;
        bars.open[row] = pivot / bars.open[row];
        bars.close[row] = pivot / bars.close[row];
        bars.volume[row] *= 1.5 + 0.1 * (row % 11) as f64;
    }
}

/// Prices after the cut are replaced by others: scalings, thresholds, labels and rows of the
/// training part stay as they are.
#[test]
fn nothing_after_the_training_part_changes_it() {
    for name in names() {
        let mut resolved = parsed(&catalog(&name));
        let mut inputs = inputs(&resolved);

        // Shares count labelled rows, of which another future has more or fewer: compare at the
        // same dates.
        let cuts = data_set(&resolved, &inputs).unwrap().cuts;
        resolved.split = Split::Dates {
            validation_start: cuts.validation_start,
            test_start: cuts.test_start,
        };
        resolved.embargo_bars = Some(10);
        let before = data_set(&resolved, &inputs).unwrap();

        for bars in inputs.iter_mut().flat_map(|input| input.bars.values_mut()) {
            turn_over(bars, cuts.validation_start);
        }
        let after = data_set(&resolved, &inputs).unwrap_or_else(|error| panic!("{name}: {error}"));

        assert_eq!(before.features, after.features, "{name}: scaling");
        assert_eq!(before.thresholds, after.thresholds, "{name}: thresholds");
        assert!(
            training_rows(&before) == training_rows(&after),
            "{name}: the training part changed"
        );
        assert!(
            held_out_labels(&before) != held_out_labels(&after),
            "{name}: the other future is another one"
        );
    }
}

fn check_folds(resolved: &Resolved, inputs: &[SymbolInput], growth: Growth) {
    let opens = inputs
        .iter()
        .flat_map(|input| resolved.clip(&input.bars[&resolved.base]).open_time);
    let plan = WalkForward {
        folds: 4,
        growth,
        train: 0.5,
        validation: 0.1,
    };
    let folds = walk_forward(&plan, opens).unwrap();

    let mut last_test_open = Utc(i64::MIN);
    for fold in &folds {
        let set = data_set(&fold.of(resolved), inputs).unwrap();
        assert_eq!((set.symbols.len(), set.cuts), (3, fold.cuts));

        let is_within = |open: Utc| open >= fold.start && fold.end.is_none_or(|end| open < end);
        assert!(set.open_time.iter().all(|open| is_within(*open)));

        let test_rows = rows_of(&set, |part| part == Part::Test);
        assert!(test_rows.len() > 200, "{growth:?}");
        let test_opens = test_rows.iter().map(|row| set.open_time[*row]);
        assert!(test_opens.clone().min().unwrap() > last_test_open);
        last_test_open = test_opens.max().unwrap();
    }
}

#[test]
fn walk_forward_folds_are_data_sets_whose_tests_do_not_overlap() {
    let resolved = parsed(&catalog("us_equities_trend"));
    let inputs = inputs(&resolved);

    check_folds(&resolved, &inputs, Growth::Expanding);
    check_folds(&resolved, &inputs, Growth::Sliding);
}

/// A data set of events, and what it was made of.
struct EventCase {
    resolved: Resolved,
    inputs: Vec<SymbolInput>,
    set: DataSet,
    bars: Bars,
    events: Vec<bool>,
    /// Of all bars, events or not.
    labels: BarLabels,
}

fn event_case() -> EventCase {
    let resolved = parsed(&catalog("eurusd_events"));
    let inputs = inputs(&resolved);
    let set = data_set(&resolved, &inputs).unwrap();

    let bars = resolved.clip(&inputs[0].bars[&resolved.base]);
    let training_bars = bars
        .close_time
        .partition_point(|close| *close < set.cuts.validation_start);
    let training = bars.slice(0..training_bars);
    let filter = resolved.events.unwrap().fitted(&training).unwrap();

    EventCase {
        events: filter.events(&bars).unwrap(),
        labels: compute_labels(&resolved.labels, &bars).unwrap(),
        resolved,
        inputs,
        set,
        bars,
    }
}

#[test]
fn only_events_are_learnt_from_and_all_of_them() {
    let case = event_case();
    let bar_of = |open: &Utc| case.bars.open_time.binary_search(open).unwrap();
    assert!(
        case.set
            .open_time
            .iter()
            .all(|open| case.events[bar_of(open)])
    );

    let dropped = &case.set.dropped;
    let rows = case.set.rows() as u64 + dropped["purged"] + dropped["embargo"];
    let warm_up = usize::try_from(dropped["warm_up"]).unwrap();
    let labelled_events = (warm_up..case.bars.len())
        .filter(|bar| case.events[*bar] && !case.labels.values[*bar].is_nan())
        .count();
    assert_eq!(rows, labelled_events as u64);
    assert!(
        labelled_events * 3 < case.bars.len(),
        "{labelled_events} of {} bars are events",
        case.bars.len()
    );
}

/// Counted the slow way: on every bar of a label, how many labels are active there, those of
/// dropped rows included.
#[test]
fn a_row_weighs_as_much_as_its_label_is_alone() {
    let mut case = event_case();
    case.labels.keep(&case.events).unwrap();
    let labels = &case.labels;

    let bars_of_label = |bar: usize| bar..bar + labels.look_ahead[bar] as usize;
    let is_active = |label: usize, bar: usize| {
        !labels.values[label].is_nan() && bars_of_label(label).contains(&bar)
    };
    // No label looks further than 16 bars ahead.
    let labels_on = |bar: usize| {
        let earliest = bar.saturating_sub(16);
        (earliest..=bar)
            .filter(|label| is_active(*label, bar))
            .count()
    };

    let weights = case.set.weight.as_ref().unwrap();
    assert_eq!(weights.len(), case.set.rows());
    for (open, weight) in case.set.open_time.iter().zip(weights) {
        let bar = case.bars.open_time.binary_search(open).unwrap();
        let bars: Range<usize> = bars_of_label(bar);
        let shares: f64 = bars.clone().map(|bar| 1.0 / labels_on(bar) as f64).sum();
        let expected = shares / bars.len() as f64;
        assert!(
            (expected - f64::from(*weight)).abs() < 1e-6,
            "bar {bar}: {weight} is not {expected}"
        );
    }

    let least = weights.iter().copied().fold(f32::MAX, f32::min);
    let most = weights.iter().copied().fold(0.0, f32::max);
    assert!(
        least < 0.25 && most > 0.75,
        "weights between {least} and {most} would say little"
    );
}

#[test]
fn nothing_but_weights_depends_on_weighting() {
    let case = event_case();
    let unweighted = Resolved {
        weighted: false,
        ..case.resolved
    };

    let set = data_set(&unweighted, &case.inputs).unwrap();

    let expected = DataSet {
        weight: None,
        ..case.set
    };
    assert_eq!(set, expected);
}

/// The columns of a strategy over two timeframes, of which the sample bars have years.
struct LagCase<'a> {
    resolved: &'a Resolved,
    bars: &'a SymbolBars,
    columns: Columns<'a>,
}

impl<'a> LagCase<'a> {
    fn new(resolved: &'a Resolved, bars: &'a SymbolBars) -> Self {
        let go_on = &mut |_: usize, _: &_| ControlFlow::Continue(());
        Self {
            resolved,
            bars,
            columns: compute_columns(resolved, bars, go_on).unwrap(),
        }
    }

    fn column(&self, name: &str) -> &[f64] {
        let features = &self.resolved.features;
        let position = features.iter().position(|feature| feature.name == name);
        &self.columns.values[position.unwrap()]
    }

    fn closed_bars(&self, timeframe: Timeframe, row: usize) -> usize {
        self.bars[&timeframe]
            .close_time
            .partition_point(|close| *close <= self.columns.known_at[row])
    }

    /// Compares a lagged column with the row on which its bar was the newest one. Returns the
    /// number of rows that have such a row before them.
    fn compare(&self, prefix: &str, timeframe: Timeframe, lag: usize) -> usize {
        let current = self.column(&format!("{prefix}_rsi_zone_low"));
        let lagged = self.column(&format!("{prefix}_rsi_zone_low_lag_{lag}"));

        let mut compared = 0;
        for row in (1_000..20_000).step_by(97) {
            let closed_bars = self.closed_bars(timeframe, row) - lag;
            let earlier_row = (0..row)
                .rev()
                .find(|earlier| self.closed_bars(timeframe, *earlier) <= closed_bars)
                .unwrap();
            // Several daily bars may close between two rows: then some never was the newest one.
            if self.closed_bars(timeframe, earlier_row) == closed_bars {
                assert_eq!(
                    lagged[row].to_bits(),
                    current[earlier_row].to_bits(),
                    "{prefix} lag {lag} row {row}"
                );
                compared += 1;
            }
        }
        compared
    }
}

/// Lags count bars of the column's own timeframe: on hourly rows a lag of 1 of a daily column is
/// the day before.
#[test]
fn a_lagged_column_shows_the_bar_that_many_bars_before() {
    let resolved = parsed(&catalog("eurusd_two_timeframes"));
    let bars = inputs(&resolved).remove(0).bars;
    let case = LagCase::new(&resolved, &bars);

    let mut compared = 0;
    for (prefix, timeframe) in [("1h", Timeframe::HOUR_1), ("1d", Timeframe::DAY_1)] {
        for lag in [1, 4] {
            compared += case.compare(prefix, timeframe, lag);
        }
    }

    assert!(compared > 600, "{compared}");
}

#[test]
fn lagged_columns_follow_the_current_ones() {
    let resolved = parsed(&catalog("eurusd_two_timeframes"));

    let names = resolved.features.iter().map(|feature| &feature.name);
    let first_names: Vec<&str> = names.take(9).map(String::as_str).collect();
    let expected = [
        "1h_rsi_zone_low",
        "1h_rsi_zone_middle",
        "1h_rsi_zone_high",
        "1h_rsi_zone_low_lag_1",
        "1h_rsi_zone_middle_lag_1",
        "1h_rsi_zone_high_lag_1",
        "1h_rsi_zone_low_lag_4",
        "1h_rsi_zone_middle_lag_4",
        "1h_rsi_zone_high_lag_4",
    ];
    assert_eq!(first_names, expected);
}

/// The Bollinger bands take 19 daily bars, the RSI 14 and four back: 19 · 24 hourly rows.
#[test]
fn the_warm_up_is_that_of_the_slowest_column() {
    let resolved = parsed(&catalog("eurusd_two_timeframes"));

    assert_eq!(resolved.warm_up_bars(), 19 * 24);
}

/// Compares the first hundred rows of a symbol in the stack with those of the symbol alone.
/// Prices that never move have no volatility, so no row has a label.
#[test]
fn bars_that_never_move_are_refused_with_the_reason() {
    let resolved = parsed(&catalog("eurusd_rsi_macd"));
    let mut inputs = inputs(&resolved);
    for bars in inputs.iter_mut().flat_map(|input| input.bars.values_mut()) {
        for prices in [
            &mut bars.open,
            &mut bars.high,
            &mut bars.low,
            &mut bars.close,
        ] {
            prices.fill(100.0);
        }
    }

    let error = data_set(&resolved, &inputs).unwrap_err();

    assert!(matches!(error, DataSetError::NoRows { .. }), "{error:?}");
    assert!(error.to_string().contains(" without a label"), "{error}");
}

fn assert_starts_as_if_alone(
    resolved: &Resolved,
    inputs: &[SymbolInput],
    together: &DataSet,
    symbol: usize,
) {
    let alone = Resolved {
        symbols: vec![resolved.symbols[symbol].clone()],
        ..resolved.clone()
    };
    let alone = data_set(&alone, inputs).unwrap();
    let is_first = |position: &u32| *position as usize == symbol;
    let first_row = together.symbol.iter().position(is_first).unwrap();
    let rows = first_row..first_row + 100;

    assert_eq!(together.open_time[rows.clone()], alone.open_time[..100]);
    assert_eq!(together.label[rows.clone()], alone.label[..100]);
    // Scaling is common to all symbols: compare what is not scaled.
    for (column, feature) in together.features.iter().enumerate() {
        if feature.normalisation.is_none() {
            let values = &together.values[column][rows.clone()];
            assert_eq!(*values, alone.values[column][..100], "{}", feature.name);
        }
    }
}

/// Every symbol begins with its own warm-up, as if it were alone, whatever came before it in the
/// stack.
#[test]
fn every_symbol_in_the_stack_begins_as_if_it_were_alone() {
    for name in ["us_equities_trend", "us_equities_regimes"] {
        let resolved = parsed(&catalog(name));
        let inputs = inputs(&resolved);
        let together = data_set(&resolved, &inputs).unwrap();

        for symbol in 0..resolved.symbols.len() {
            assert_starts_as_if_alone(&resolved, &inputs, &together, symbol);
        }
    }
}

#[test]
fn a_set_that_leaves_out_frequent_values_has_a_hole() {
    let text = catalog("eurusd_rsi_macd")
        .replace("middle: [40, 50, 60]", "middle: [48, 50, 52]")
        .replace("low: [25, 40, 50]", "low: [25, 35, 45]");
    let bars = SymbolBars::from([(Timeframe::HOUR_1, hourly_eurusd().slice(0..3_000))]);

    let holes = find_holes(&parsed(&text), &bars).unwrap();

    insta::assert_snapshot!(holes);
    assert!(holes.iter().all(|hole| hole.rule == "fuzzy_set.hole"));
}

#[test]
fn holes_need_the_bars_of_every_timeframe() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let three_timeframes =
        parsed(&std::fs::read_to_string(folder.join("strategy_c.yaml")).unwrap());
    let one = SymbolBars::from([(Timeframe::HOUR_1, read("tests/data", "eurusd_1h", HOUR))]);

    assert!(find_holes(&three_timeframes, &one).is_err());
}

/// At its first cut, after a third of the bars, the leak test knows of no volume at all.
#[test]
fn a_series_whose_volume_begins_late_loses_only_the_rows_before() {
    let resolved = parsed(&catalog("spy_path_quality"));
    let mut inputs = inputs(&resolved);
    let whole = data_set(&resolved, &inputs).unwrap();

    let bars = inputs[0].bars.get_mut(&resolved.base).unwrap();
    let first_with_volume = bars.len() * 2 / 5;
    bars.volume[..first_with_volume].fill(f64::NAN);
    let first_open = bars.open_time[first_with_volume];
    let late = data_set(&resolved, &inputs).unwrap();

    assert!(whole.open_time[0] < first_open);
    assert!(late.rows() > 0);
    assert!(late.open_time.iter().all(|open| *open >= first_open));
    assert!(late.dropped["warm_up"] >= first_with_volume as u64);
}
