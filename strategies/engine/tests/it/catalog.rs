//! Every strategy of the catalogue works on the bars that ship with the project, and none of them
//! knows the future.

use std::ops::ControlFlow;

use crate::edited_text::apply_edits;
use crate::sample_bars::{
    HOUR, SymbolInput, assembled, catalog, hourly_eurusd, inputs, names, read,
};
use market::{Bars, Timeframe, Utc};
use schemas::codes::Advice;
use schemas::manifests::Normalisation;
use strategies::labels::{self, BarLabels, LabelError, LabelSource, uniqueness_weights};
use strategies::splits::Part;
use strategies::{
    ColumnSink, Columns, DataSet, DataSetError, FeatureError, KnownBars, LeakTest, Overrides,
    Resolved, Strategy, SymbolBars, borrow_bars, compute_columns,
};

fn resolved(name: &str) -> Resolved {
    let strategy =
        Strategy::parse(&catalog(name)).unwrap_or_else(|findings| panic!("{name}: {findings}"));
    assert!(
        strategy.warnings.is_empty(),
        "{name}: {}",
        strategy.warnings
    );
    assert_eq!(strategy.name, name, "a strategy is named like its file");
    strategy.resolve(&Overrides::default()).unwrap()
}

fn data_set(resolved: &Resolved) -> Result<DataSet, DataSetError> {
    assembled(resolved, &inputs(resolved), 1, &mut |_| {
        ControlFlow::Continue(())
    })
}

fn compute<'a>(resolved: &Resolved, bars: &'a SymbolBars) -> Columns<'a> {
    compute_columns(resolved, bars, &mut |_, _| ControlFlow::Continue(())).unwrap()
}

const SOURCES: [&str; 7] = [
    "zigzag",
    "zigzag_window",
    "forward_return",
    "triple_barrier",
    "context",
    "regime",
    "efficiency_regime",
];

#[test]
fn the_catalogue_holds_a_strategy_of_every_kind() {
    let resolved: Vec<Resolved> = names().iter().map(|name| resolved(name)).collect();
    for source in SOURCES {
        let is_learnt = resolved.iter().any(|each| each.labels.name() == source);
        assert!(is_learnt, "no strategy learns {source}");
    }

    assert!(resolved.iter().any(|each| each.symbols.len() > 1));
    assert!(resolved.iter().any(|each| each.timeframes.len() > 1));
    assert!(resolved.iter().any(|each| each.events.is_some()));
}

/// A class with fewer rows can hardly be learnt.
fn assert_every_class_has_a_tenth(name: &str, resolved: &Resolved, set: &DataSet, part: &str) {
    let counts: Vec<_> = set
        .parts
        .iter()
        .filter(|count| count.part == part)
        .collect();
    let rows: u64 = counts.iter().map(|count| count.rows).sum();

    for class in 0..resolved.labels.classes().len() {
        let class_rows: u64 = counts.iter().map(|count| count.classes[class]).sum();
        assert!(
            class_rows * 10 >= rows,
            "{name}: class {class} has {class_rows} of {rows} rows of {part}"
        );
    }
}

#[test]
fn every_strategy_gives_a_data_set_with_all_classes() {
    for name in &names() {
        let resolved = resolved(name);
        let set =
            data_set(&resolved).unwrap_or_else(|error| panic!("{name}: {error}; {}", error.hint()));

        for part in ["train", "validation", "test"] {
            assert_every_class_has_a_tenth(name, &resolved, &set, part);
        }
        let are_covered = set.coverage.values().all(|share| *share > 0.999);
        assert!(are_covered, "{name}: {:?}", set.coverage);

        assert_eq!(set.values.len(), set.features.len());
        for column in &set.values {
            assert_eq!(column.len(), set.rows(), "{name}");
            assert!(column.iter().all(|value| value.is_finite()), "{name}");
        }
        assert_eq!(set.leak_test_cuts, 3);
    }
}

#[test]
fn every_bar_in_the_date_range_is_a_row_or_was_dropped() {
    for name in &names() {
        let resolved = resolved(name);
        let set = data_set(&resolved).unwrap();

        let bars: usize = inputs(&resolved)
            .iter()
            .map(|input| resolved.clip(&input.bars[&resolved.base]).len())
            .sum();
        let dropped: u64 = set.dropped.values().sum();

        assert_eq!(
            set.rows() as u64 + dropped,
            bars as u64,
            "{name}: {:?}",
            set.dropped
        );
    }
}

/// From when on a feature of this part may be known, and before when its label must be.
fn bounds_of(set: &DataSet, part: Part) -> (Utc, Utc) {
    let validation_start = set.cuts.validation_start;
    let test_start = set.cuts.test_start;
    let after_embargo = |cut: Utc| cut.plus_micros(set.embargo_micros);

    match part {
        Part::Train => (Utc(i64::MIN), validation_start),
        Part::Validation => (after_embargo(validation_start), test_start),
        Part::Test => (after_embargo(test_start), Utc(i64::MAX)),
    }
}

/// Labels of the bars of a symbol, with thresholds fitted as the data set fits them.
fn labels_as_in(set: &DataSet, resolved: &Resolved, bars: &Bars) -> BarLabels {
    let training_end = bars
        .close_time
        .partition_point(|close| *close < set.cuts.validation_start);
    let fitted = resolved.labels.fitted(&bars.slice(0..training_end));
    labels::compute_labels(&fitted.unwrap(), bars).unwrap()
}

#[test]
fn no_label_of_a_part_is_known_only_in_the_next_one() {
    for name in &names() {
        let resolved = resolved(name);
        let set = data_set(&resolved).unwrap();

        for (index, input) in inputs(&resolved).iter().enumerate() {
            let bars = resolved.clip(&input.bars[&resolved.base]);
            let labels = labels_as_in(&set, &resolved, &bars);

            for row in (0..set.rows()).filter(|row| set.symbol[*row] as usize == index) {
                // Features and labels are joined by bar.
                let bar = bars.open_time.binary_search(&set.open_time[row]).unwrap();
                assert_eq!(labels.values[bar], set.label[row]);
                let label_known_at = bars.close_time[bar + labels.look_ahead[bar] as usize];
                assert_eq!(set.label_known_at[row], label_known_at);

                let (start, end) = bounds_of(&set, set.part[row]);
                let is_within = set.known_at[row] >= start && label_known_at < end;
                assert!(is_within, "{name}: row {row}");
            }
        }
    }
}

#[test]
fn a_stacked_symbol_has_the_rows_that_it_has_alone() {
    let mut alone = resolved("us_equities_trend");
    alone.symbols = vec![alone.symbols[1].clone()];

    let together = data_set(&resolved("us_equities_trend")).unwrap();
    let alone = data_set(&alone).unwrap();

    assert!(together.symbol.is_sorted(), "symbol after symbol");
    let is_second = |symbol: &_| *symbol == 1;
    let first = together.symbol.iter().position(is_second).unwrap();
    let rows = first..first + alone.rows();
    assert_eq!(together.open_time[rows.clone()], alone.open_time[..]);
    assert_eq!(together.label[rows.clone()], alone.label[..]);
    for (together, alone) in together.values.iter().zip(&alone.values) {
        assert_eq!(together[rows.clone()], alone[..]);
    }
}

/// The values of a column in the training part.
fn training_values(set: &DataSet, position: usize) -> Vec<f64> {
    set.values[position]
        .iter()
        .zip(&set.part)
        .filter(|(_, part)| **part == Part::Train)
        .map(|(value, _)| f64::from(*value))
        .collect()
}

#[test]
fn scaling_is_fitted_on_the_training_part_only() {
    let set = data_set(&resolved("eurusd_momentum_regression")).unwrap();

    let mut scaled_columns = 0;
    for (position, column) in set.features.iter().enumerate() {
        let Some(normalisation) = column.normalisation else {
            continue;
        };
        scaled_columns += 1;

        let values = training_values(&set, position);
        match normalisation {
            Normalisation::Minmax { .. } => {
                assert_eq!(values.iter().copied().fold(f64::MAX, f64::min), 0.0);
                assert_eq!(values.iter().copied().fold(f64::MIN, f64::max), 1.0);
            }
            Normalisation::Zscore { .. } => {
                let count = values.len() as f64;
                let mean = values.iter().sum::<f64>() / count;
                let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
                let deviation = (squares / (count - 1.0)).sqrt();
                assert!(mean.abs() < 1e-5, "{mean}");
                assert!((deviation - 1.0).abs() < 1e-5, "{deviation}");
            }
        }
    }
    assert_eq!(scaled_columns, 5);
}

/// Only the bars that are known at `instant`.
fn without_future(bars: &SymbolBars, instant: Utc) -> SymbolBars {
    let mut past = SymbolBars::new();
    for (timeframe, bars) in bars {
        let end = bars.close_time.partition_point(|close| *close <= instant);
        past.insert(*timeframe, bars.slice(0..end));
    }
    past
}

/// Bars after `instant` replaced by others: every price moves up or down by some per cent.
fn with_another_future(bars: &SymbolBars, instant: Utc, factor: f64) -> SymbolBars {
    let mut changed = bars.clone();

    for bars in changed.values_mut() {
        let start = bars.close_time.partition_point(|close| *close <= instant);
        for row in start..bars.len() {
            let factor = factor + 0.01 * (row % 7) as f64;
            bars.open[row] *= factor;
            bars.high[row] *= factor;
            bars.low[row] *= factor;
            bars.close[row] *= factor;
            bars.volume[row] *= factor;
        }
    }
    changed
}

fn is_same(one: f64, other: f64) -> bool {
    one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
}

/// All that a network learns from, row by row: features, labels with their look-ahead, which bars
/// are events, weights.
struct Learnt<'a> {
    columns: Columns<'a>,
    /// Before events take some away.
    labels: BarLabels,
    events: Option<Vec<bool>>,
    weights: Option<Vec<f64>>,
}

fn learn<'a>(resolved: &Resolved, bars: &'a SymbolBars) -> Learnt<'a> {
    let columns = compute(resolved, bars);
    let base = &bars[&resolved.base];

    // The shortest series of a cut have no label at all.
    let labels = match labels::compute_labels(&resolved.labels, base) {
        Ok(labels) => labels,
        Err(LabelError::TooFewBars { rows, .. }) => BarLabels {
            values: vec![f32::NAN; rows],
            look_ahead: vec![0; rows],
            classes: resolved.labels.classes(),
        },
        Err(error) => panic!("{error}"),
    };
    let events = resolved.events.map(|events| events.events(base).unwrap());

    // Only labels of events overlap.
    let mut event_labels = labels.clone();
    if let Some(events) = &events {
        event_labels.keep(events).unwrap();
    }
    Learnt {
        columns,
        labels,
        events,
        weights: resolved.weighted.then(|| uniqueness_weights(&event_labels)),
    }
}

/// Rows at the end of a series that have no label although some of their labels are known: triple
/// barriers would keep quick outcomes only.
fn unlabelled_tail(source: &LabelSource) -> usize {
    match source {
        LabelSource::TripleBarrier(barrier) => barrier.max_holding_period as usize,
        _ => 0,
    }
}

/// Value and look-ahead of the label of `early`, if it is known at `row`.
fn label_known_at(labels: &BarLabels, early: usize, row: usize) -> Option<(u32, u32)> {
    let value = labels.values[early];
    let look_ahead = labels.look_ahead[early];
    let is_known = !value.is_nan() && early + look_ahead as usize <= row;
    is_known.then_some((value.to_bits(), look_ahead))
}

/// A cut through the bars of a strategy, and what is learnt from all of them.
struct Cut<'a> {
    name: &'a str,
    resolved: &'a Resolved,
    full: &'a Learnt<'a>,
    /// The last row before the cut.
    row: usize,
    /// When it is known.
    instant: Utc,
}

impl Cut<'_> {
    /// Asserts that nothing up to the cut knows more of the future than it declares: features and
    /// events nothing at all, a label what its look-ahead reaches, a weight what the label does.
    /// Gives the number of labels that changed on the very edge.
    fn assert_causal(&self, bars: &SymbolBars) -> usize {
        let past = without_future(bars, self.instant);
        assert_eq!(past[&self.resolved.base].len(), self.row + 1);
        let tail = unlabelled_tail(&self.resolved.labels);
        let mut edge_changes = self.compare(&past, tail);

        for factor in [1.08, 0.85] {
            let other_bars = with_another_future(bars, self.instant, factor);
            edge_changes += self.compare(&other_bars, 0);
        }
        edge_changes
    }

    /// Compares all that is learnt from other bars after the cut. The last `tail` rows before it
    /// have no label.
    fn compare(&self, other_bars: &SymbolBars, tail: usize) -> usize {
        let other = learn(self.resolved, other_bars);
        self.compare_features(&other);
        self.compare_events(&other);

        let mut edge_changes = 0;
        for early in 0..=self.row {
            self.compare_label(&other, early, tail);
            self.compare_weight(&other, early, tail);
            edge_changes += usize::from(self.is_changed_on_the_edge(&other, early));
        }
        edge_changes
    }

    fn compare_features(&self, other: &Learnt<'_>) {
        let columns = self.full.columns.values.iter().zip(&other.columns.values);
        for (feature, (full, other)) in self.resolved.features.iter().zip(columns) {
            let changed_row = (0..=self.row).find(|row| !is_same(full[*row], other[*row]));
            assert_eq!(
                changed_row, None,
                "{}: {} changed when bars after {} did",
                self.name, feature.name, self.instant
            );
        }
    }

    fn compare_events(&self, other: &Learnt<'_>) {
        let [full, other] = [self.full, other]
            .map(|learnt| learnt.events.as_ref().map(|events| &events[..=self.row]));
        assert_eq!(full, other, "{}: events up to {}", self.name, self.instant);
    }

    fn compare_label(&self, other: &Learnt<'_>, early: usize, tail: usize) {
        let name = self.name;
        if early + tail > self.row {
            let is_unlabelled = other.labels.values[early].is_nan();
            assert!(is_unlabelled, "{name}: row {early} of the tail has a label");
            return;
        }

        let [full, other] =
            [self.full, other].map(|learnt| label_known_at(&learnt.labels, early, self.row));
        let instant = self.instant;
        assert_eq!(full, other, "{name}: the label of row {early}, {instant}");
    }

    /// A weight is shared with labels that begin later, up to where its own label ends.
    fn compare_weight(&self, other: &Learnt<'_>, early: usize, tail: usize) {
        let Some((full, other)) = self.full.weights.as_ref().zip(other.weights.as_ref()) else {
            return;
        };
        if self.end_of_label(early) + tail <= self.row {
            assert!(
                is_same(full[early], other[early]),
                "{}: the weight of row {early}, {}",
                self.name,
                self.instant
            );
        }
    }

    /// True for a label that needs exactly one bar more than the cut leaves, and changes with it.
    fn is_changed_on_the_edge(&self, other: &Learnt<'_>, early: usize) -> bool {
        let [full, other] = [self.full, other].map(|learnt| learnt.labels.values[early]);
        let is_changed = !is_same(full.into(), other.into());
        let are_labels = !full.is_nan() && !other.is_nan();
        is_changed && are_labels && self.end_of_label(early) == self.row + 1
    }

    fn end_of_label(&self, early: usize) -> usize {
        early + self.full.labels.look_ahead[early] as usize
    }
}

fn cut_at<'a>(name: &'a str, resolved: &'a Resolved, full: &'a Learnt<'_>, row: usize) -> Cut<'a> {
    Cut {
        name,
        resolved,
        full,
        row,
        instant: full.columns.known_at[row],
    }
}

/// Cuts the base timeframe and its features at every place in turn; thresholds are frozen before.
fn assert_causal_everywhere(name: &str, mut resolved: Resolved, input: &SymbolInput) {
    let mut bars = input.bars.clone();
    for bars in bars.values_mut() {
        *bars = bars.slice(0..bars.len().min(3_000));
    }
    let training = bars[&resolved.base].slice(0..2_000);
    resolved.labels = resolved.labels.fitted(&training).unwrap();
    resolved.events = resolved
        .events
        .map(|events| events.fitted(&training).unwrap());

    let full = learn(&resolved, &bars);
    let rows = full.columns.open_time.len();
    let edge_changes: usize = (1..24)
        .map(|step| cut_at(name, &resolved, &full, rows * step / 24).assert_causal(&bars))
        .sum();

    // A label that changes at the edge shows that its look-ahead is not overstated.
    let symbol = &input.symbol;
    assert!(edge_changes > 0, "{name} {symbol:?}: no label changes");
}

#[test]
fn features_of_the_catalogue_know_nothing_of_the_future() {
    let mut symbols = Vec::new();
    for name in &names() {
        let resolved = resolved(name);
        for input in &inputs(&resolved) {
            assert_causal_everywhere(name, resolved.clone(), input);
            symbols.push(input.symbol.symbol());
        }
    }

    let count = |symbol: &str| symbols.iter().filter(|each| *each == symbol).count();
    assert_eq!(["EURUSD", "AAPL", "IBM", "SPY"].map(count), [7, 2, 2, 5]);
}

#[test]
fn no_feature_over_three_timeframes_knows_the_future() {
    let text = include_str!("../data/strategy_c.yaml");
    let strategy = Strategy::parse(text).unwrap();
    let resolved = strategy.resolve(&Overrides::default()).unwrap();
    let bars = SymbolBars::from([
        (Timeframe::HOUR_1, read("tests/data", "eurusd_1h", HOUR)),
        (Timeframe::HOUR_4, read("tests/data", "eurusd_4h", 4 * HOUR)),
        (Timeframe::DAY_1, read("tests/data", "eurusd_1d", 24 * HOUR)),
    ]);

    let full = learn(&resolved, &bars);
    for row in (50..full.columns.open_time.len()).step_by(311) {
        cut_at("c", &resolved, &full, row).assert_causal(&bars);
    }
}

/// A column with the close of the next bar.
fn take_next_close(bars: &KnownBars<'_>, sink: &mut dyn ColumnSink) -> Result<(), FeatureError> {
    let close = bars[&Timeframe::HOUR_1].close;
    let mut next_close = close[1..].to_vec();
    next_close.push(f64::NAN);

    sink.take(0, 0, &next_close);
    Ok(())
}

/// Cuts leave the rows 166, 332 and 498; the next close of the last row left is the one thing that
/// is not known.
#[test]
fn the_leak_test_catches_a_column_that_knows_the_next_close() {
    let bars = SymbolBars::from([(Timeframe::HOUR_1, hourly_eurusd().slice(0..500))]);
    let times = &bars[&Timeframe::HOUR_1].close_time;

    let mut test = LeakTest::new(times);
    take_next_close(&borrow_bars(&bars), &mut test).unwrap();
    let leak = test.check(&borrow_bars(&bars), take_next_close).unwrap();

    let leak = leak.expect("a leak");
    assert_eq!(leak.feature, 0);
    assert_eq!(leak.rows, (times[333], times[498]));
    assert_eq!(leak.cut, times[498]);
}

#[test]
fn a_part_without_a_class_is_an_error_that_says_which() {
    let barrier = "    source: triple_barrier\n    pt_multiplier: 3.0\n    sl_multiplier: 3.0\n    max_holding_period: 12\n";
    let zigzag = "    source: zigzag\n    zigzag_threshold: 0.05\n";
    let text = apply_edits(&catalog("eurusd_rsi_macd"), &[(barrier, zigzag)]);
    let strategy = Strategy::parse(&text).unwrap();
    let resolved = strategy.resolve(&Overrides::default()).unwrap();

    let error = data_set(&resolved).unwrap_err();

    assert!(matches!(error, DataSetError::NoClass { .. }), "{error}");
    insta::assert_snapshot!(format!("{}: {error}\nhint: {}", error.code(), error.hint()));
}

fn describe_error(error: &DataSetError) -> String {
    format!("{}: {error}\nhint: {}", error.code(), error.hint())
}

#[test]
fn missing_series_are_an_error_of_their_own() {
    let resolved = resolved("eurusd_rsi_macd");

    let error = assembled(&resolved, &[], 1, &mut |_| ControlFlow::Continue(())).unwrap_err();

    insta::assert_snapshot!(describe_error(&error));
}

#[test]
fn a_stop_is_an_error_of_its_own_after_the_steps_before_it() {
    let resolved = resolved("eurusd_rsi_macd");
    let mut steps = Vec::new();

    let error = assembled(&resolved, &inputs(&resolved), 1, &mut |step| {
        steps.push(format!(
            "{} {}/{} {} {}/{}",
            step.symbol, step.symbol_number, step.symbols, step.work, step.work_number, step.works
        ));
        match step.work {
            "labels" => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });

    let error = describe_error(&error.unwrap_err());
    insta::assert_snapshot!(format!("{error}\n{steps:#?}"));
}

#[test]
fn too_little_history_is_an_error_with_or_without_a_minimum() {
    let mut resolved = resolved("eurusd_rsi_macd");
    resolved.start = Some(Utc::from_timestamp("2018-12-20T00:00:00Z".parse().unwrap()));

    let below_minimum = data_set(&resolved).unwrap_err();
    resolved.history_required = 50;
    let too_few_rows = data_set(&resolved).unwrap_err();

    let errors = [below_minimum, too_few_rows].map(|error| describe_error(&error));
    insta::assert_snapshot!(errors.join("\n"));
}
