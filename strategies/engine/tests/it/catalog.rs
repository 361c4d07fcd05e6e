//! Every strategy of the catalogue works on the bars that ship with the project, and none of them
//! knows the future.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::sample_bars::{
    HOUR, SymbolInput, assembled, catalog, hourly_eurusd, inputs, names, read,
};
use market::{Bars, Timeframe, Utc};
use schemas::codes::Advice;
use schemas::manifests::Normalisation;
use strategies::labels::{self, BarLabels, LabelError, LabelSource, uniqueness_weights};
use strategies::splits::Part;
use strategies::{
    ColumnSink, Columns, DataSet, DataSetError, KnownBars, LeakTest, Overrides, Resolved, Strategy,
    SymbolBars, borrow_bars, compute_columns,
};

const CATALOG: [&str; 10] = [
    "eurusd_events",
    "eurusd_momentum_regression",
    "eurusd_rsi_macd",
    "eurusd_swings",
    "eurusd_two_timeframes",
    "eurusd_zigzag",
    "spy_path_quality",
    "spy_return_regression",
    "us_equities_regimes",
    "us_equities_trend",
];

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

fn compute(resolved: &Resolved, bars: &SymbolBars) -> Columns {
    compute_columns(resolved, bars, &mut |_, _| ControlFlow::Continue(())).unwrap()
}

#[test]
fn the_catalogue_holds_the_strategies_that_are_tested() {
    assert_eq!(names(), CATALOG);
    let resolved = CATALOG.map(resolved);
    for source in [
        "zigzag",
        "zigzag_window",
        "forward_return",
        "triple_barrier",
        "context",
        "regime",
        "efficiency_regime",
    ] {
        assert!(
            resolved.iter().any(|each| each.labels.name() == source),
            "no strategy learns {source}"
        );
    }
    assert!(
        resolved.iter().any(|each| each.symbols.len() > 1)
            && resolved.iter().any(|each| each.timeframes.len() > 1)
    );
    assert!(resolved.iter().any(|each| each.events.is_some()));
}

#[test]
fn every_strategy_gives_a_data_set_with_all_classes_and_covered_sets() {
    for name in CATALOG {
        let resolved = resolved(name);
        let set =
            data_set(&resolved).unwrap_or_else(|error| panic!("{name}: {error}; {}", error.hint()));
        for part in ["train", "validation", "test"] {
            let counts = set.parts.iter().filter(|count| count.part == part);
            let rows: u64 = counts.clone().map(|count| count.rows).sum();
            let classes = resolved.labels.classes().len();
            for class in 0..classes {
                let own: u64 = counts.clone().map(|count| count.classes[class]).sum();
                assert!(
                    own * 10 >= rows,
                    "{name}: class {class} has {own} of {rows} rows of {part}"
                );
            }
        }
        assert!(
            set.coverage.values().all(|share| *share > 0.999),
            "{name}: {:?}",
            set.coverage
        );
        assert!(
            set.values.iter().flatten().all(|value| value.is_finite()),
            "{name}"
        );
        assert_eq!(set.values.len(), set.features.len());
        assert!(
            set.values.iter().all(|column| column.len() == set.rows()),
            "{name}"
        );
        assert_eq!(set.leak_test_cuts, 3);
        // Every bar in the date range is a row or was dropped for a reason that is counted.
        let bars: usize = inputs(&resolved)
            .iter()
            .map(|input| resolved.clip(&input.bars[&resolved.base]).len())
            .sum();
        assert_eq!(
            set.rows() as u64 + set.dropped.values().sum::<u64>(),
            bars as u64,
            "{name}: {:?}",
            set.dropped
        );
        println!("{name}: {} rows, dropped {:?}", set.rows(), set.dropped);
    }
}

#[test]
fn no_label_of_a_part_is_known_only_in_the_next_one() {
    for name in CATALOG {
        let resolved = resolved(name);
        let set = data_set(&resolved).unwrap();
        for (index, input) in inputs(&resolved).iter().enumerate() {
            let bars = resolved.clip(&input.bars[&resolved.base]);
            let training = bars.slice(
                0..bars
                    .close_time
                    .partition_point(|close| *close < set.cuts.validation_start),
            );
            let labels =
                labels::compute_labels(&resolved.labels.fitted(&training).unwrap(), &bars).unwrap();
            for row in (0..set.rows()).filter(|row| set.symbol[*row] as usize == index) {
                let bar = bars.open_time.binary_search(&set.open_time[row]).unwrap();
                assert_eq!(
                    labels.values[bar], set.label[row],
                    "features and labels are joined by bar"
                );
                let label_known = bars.close_time[bar + labels.look_ahead[bar] as usize];
                assert_eq!(set.label_known_at[row], label_known);
                let (start, end) = match set.part[row] {
                    Part::Train => (Utc(i64::MIN), set.cuts.validation_start),
                    Part::Validation => (
                        set.cuts.validation_start.plus_micros(set.embargo_micros),
                        set.cuts.test_start,
                    ),
                    Part::Test => (
                        set.cuts.test_start.plus_micros(set.embargo_micros),
                        Utc(i64::MAX),
                    ),
                };
                assert!(
                    set.known_at[row] >= start && label_known < end,
                    "{name}: row {row}"
                );
            }
        }
    }
}

#[test]
fn symbols_are_stacked_in_order_and_each_runs_as_if_it_were_alone() {
    let together = data_set(&resolved("us_equities_trend")).unwrap();
    assert!(together.symbol.is_sorted(), "symbol after symbol");
    let mut alone = resolved("us_equities_trend");
    alone.symbols = vec![alone.symbols[1].clone()];
    let alone = data_set(&alone).unwrap();
    let first = together
        .symbol
        .iter()
        .position(|symbol| *symbol == 1)
        .unwrap();
    assert_eq!(
        together.open_time[first..first + alone.rows()],
        alone.open_time[..]
    );
    for (together, alone) in together.values.iter().zip(&alone.values) {
        assert_eq!(together[first..first + alone.len()], alone[..]);
    }
    assert_eq!(together.label[first..first + alone.rows()], alone.label[..]);
}

#[test]
fn scaling_is_fitted_on_the_training_part_only() {
    let resolved = resolved("eurusd_momentum_regression");
    let set = data_set(&resolved).unwrap();
    let scaled = set
        .features
        .iter()
        .enumerate()
        .filter_map(|(position, column)| column.normalisation.map(|fit| (position, fit)));
    let mut seen = 0;
    for (position, fit) in scaled {
        seen += 1;
        let rows = set.values[position]
            .iter()
            .zip(&set.part)
            .filter(|(_, part)| **part == Part::Train);
        let train: Vec<f64> = rows.map(|(x, _)| f64::from(*x)).collect();
        let mean = train.iter().sum::<f64>() / train.len() as f64;
        match fit {
            Normalisation::Minmax { .. } => {
                let (low, high) = train.iter().fold((f64::MAX, f64::MIN), |(low, high), x| {
                    (low.min(*x), high.max(*x))
                });
                assert_eq!((low, high), (0.0, 1.0));
            }
            Normalisation::Zscore { .. } => {
                let deviation = (train.iter().map(|x| (x - mean).powi(2)).sum::<f64>()
                    / (train.len() - 1) as f64)
                    .sqrt();
                assert!(
                    mean.abs() < 1e-5 && (deviation - 1.0).abs() < 1e-5,
                    "{mean} {deviation}"
                );
            }
        }
    }
    assert_eq!(seen, 5);
}

/// Only the bars that are known at `instant`.
fn without_future(bars: &SymbolBars, instant: Utc) -> SymbolBars {
    let known =
        |bars: &Bars| bars.slice(0..bars.close_time.partition_point(|close| *close <= instant));
    bars.iter()
        .map(|(timeframe, bars)| (*timeframe, known(bars)))
        .collect()
}

/// Bars after `instant` replaced by others: every price moves up or down by some per cent.
fn with_another_future(bars: &SymbolBars, instant: Utc, factor: f64) -> SymbolBars {
    let changed = bars.iter().map(|(timeframe, bars)| {
        let mut bars = bars.clone();
        for row in bars.close_time.partition_point(|close| *close <= instant)..bars.len() {
            let factor = factor + 0.01 * (row % 7) as f64;
            for column in [
                &mut bars.open,
                &mut bars.high,
                &mut bars.low,
                &mut bars.close,
                &mut bars.volume,
            ] {
                column[row] *= factor;
            }
        }
        (*timeframe, bars)
    });
    changed.collect()
}

fn same(left: f64, right: f64) -> bool {
    left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan())
}

/// All that a network learns from, row by row: features, labels with their look-ahead, which bars
/// are events, weights.
struct Learnt {
    columns: Columns,
    /// Before events take some away.
    labels: BarLabels,
    events: Option<Vec<bool>>,
    weights: Option<Vec<f64>>,
}

fn learn(resolved: &Resolved, bars: &SymbolBars) -> Learnt {
    let columns = compute(resolved, bars);
    let base = &bars[&resolved.base];
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
    let mut kept = labels.clone();
    events.iter().for_each(|events| kept.keep(events).unwrap());
    Learnt {
        columns,
        labels,
        events,
        weights: resolved.weighted.then(|| uniqueness_weights(&kept)),
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

/// Value and look-ahead of a label that is known at `row`; `None` where there is none, or it looks
/// further.
fn known_label(labels: &BarLabels, early: usize, row: usize) -> Option<(u32, u32)> {
    let (value, ahead) = (labels.values[early], labels.look_ahead[early]);
    (!value.is_nan() && early + ahead as usize <= row).then_some((value.to_bits(), ahead))
}

/// Asserts that nothing up to `row` knows more of the future than it declares: features and events
/// nothing at all, a label what its look-ahead reaches, a weight what the label does. Gives the
/// number of labels that changed on the very edge.
fn assert_causal(
    name: &str,
    resolved: &Resolved,
    bars: &SymbolBars,
    full: &Learnt,
    row: usize,
) -> usize {
    let instant = full.columns.known_at[row];
    let mut edge = 0;
    let futures = [1.08, 0.85].map(|factor| with_another_future(bars, instant, factor));
    let removed = without_future(bars, instant);
    assert_eq!(removed[&resolved.base].len(), row + 1);
    for (bars, tail) in [(removed, unlabelled_tail(&resolved.labels))]
        .into_iter()
        .chain(futures.map(|bars| (bars, 0)))
    {
        let other = learn(resolved, &bars);
        for (feature, (with, without)) in resolved
            .features
            .iter()
            .zip(full.columns.values.iter().zip(&other.columns.values))
        {
            let changed = (0..=row).find(|row| !same(with[*row], without[*row]));
            assert_eq!(
                changed, None,
                "{name}: {} changed when bars after {instant} did",
                feature.name
            );
        }
        let known =
            |events: &Option<Vec<bool>>| events.as_ref().map(|events| events[..=row].to_vec());
        assert_eq!(
            known(&full.events),
            known(&other.events),
            "{name}: events up to {instant}"
        );
        for early in 0..=row {
            let labels =
                [&full.labels, &other.labels].map(|labels| known_label(labels, early, row));
            let (was, now) = (full.labels.values[early], other.labels.values[early]);
            if early + tail <= row {
                assert_eq!(
                    labels[0], labels[1],
                    "{name}: the label of row {early}, {instant}"
                );
            } else {
                assert!(
                    now.is_nan(),
                    "{name}: row {early} lies in the tail and has a label"
                );
            }
            let reach = early + full.labels.look_ahead[early] as usize;
            // A weight is shared with labels that begin later, up to where its own label ends.
            if let (Some(with), Some(without)) = (&full.weights, &other.weights)
                && reach + tail <= row
            {
                assert!(
                    same(with[early], without[early]),
                    "{name}: the weight of row {early}, {instant}"
                );
            }
            edge += usize::from(
                !same(was.into(), now.into()) && !was.is_nan() && !now.is_nan() && reach == row + 1,
            );
        }
    }
    edge
}

/// The base timeframe and its features are cut at every place in turn; thresholds are frozen
/// before.
fn hunt(name: &str, mut resolved: Resolved, input: &SymbolInput) {
    let bars: SymbolBars = input
        .bars
        .iter()
        .map(|(timeframe, bars)| (*timeframe, bars.slice(0..bars.len().min(3_000))))
        .collect();
    let training = bars[&resolved.base].slice(0..2_000);
    resolved.labels = resolved.labels.fitted(&training).unwrap();
    resolved.events = resolved
        .events
        .map(|events| events.fitted(&training).unwrap());
    let full = learn(&resolved, &bars);
    let rows = full.columns.open_time.len();
    let edges: usize = (1..24)
        .map(|step| assert_causal(name, &resolved, &bars, &full, rows * step / 24))
        .sum();
    let symbol = &input.symbol;
    assert!(
        edges > 0,
        "{name} {symbol:?}: a label that changes at the edge shows that its look-ahead is not overstated"
    );
}

#[test]
fn no_feature_of_the_catalogue_knows_the_future_and_labels_know_as_much_as_they_declare() {
    let mut hunted = Vec::new();
    for name in CATALOG {
        let resolved = resolved(name);
        for input in &inputs(&resolved) {
            hunt(name, resolved.clone(), input);
            hunted.push(input.symbol.symbol());
        }
    }
    let times = |symbol: &str| hunted.iter().filter(|each| *each == symbol).count();
    assert_eq!(["EURUSD", "AAPL", "IBM", "SPY"].map(times), [6, 2, 2, 4]);
}

#[test]
fn no_feature_over_three_timeframes_knows_the_future() {
    let text = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/strategy_c.yaml"),
    )
    .unwrap();
    let resolved = Strategy::parse(&text)
        .unwrap()
        .resolve(&Overrides::default())
        .unwrap();
    let series = [
        (Timeframe::Hour1, "eurusd_1h", 1),
        (Timeframe::Hour4, "eurusd_4h", 4),
        (Timeframe::Day1, "eurusd_1d", 24),
    ];
    let bars: SymbolBars = series
        .into_iter()
        .map(|(timeframe, name, hours)| (timeframe, read("tests/data", name, hours * HOUR)))
        .collect();
    let full = learn(&resolved, &bars);
    for row in (50..full.columns.open_time.len()).step_by(311) {
        assert_causal("c", &resolved, &bars, &full, row);
    }
}

/// Cuts leave the rows 166, 332 and 498; the next close of the last row left is the one thing that
/// is not known.
#[test]
fn the_leak_test_catches_a_column_that_knows_the_next_close() {
    let bars = SymbolBars::from([(Timeframe::Hour1, hourly_eurusd().slice(0..500))]);
    let times = &bars[&Timeframe::Hour1].close_time;
    let foreseeing = |bars: &KnownBars<'_>, sink: &mut dyn ColumnSink| {
        let next: Vec<f64> = bars[&Timeframe::Hour1]
            .close
            .iter()
            .skip(1)
            .chain([&f64::NAN])
            .copied()
            .collect();
        sink.take(0, 0, &next);
        Ok(())
    };
    let mut test = LeakTest::new(times);
    foreseeing(&borrow_bars(&bars), &mut test).unwrap();
    let leak = test
        .check(&borrow_bars(&bars), foreseeing)
        .unwrap()
        .expect("a leak");
    assert_eq!(
        (leak.feature, leak.rows, leak.cut),
        (0, (times[333], times[498]), times[498])
    );
}

#[test]
fn a_part_without_a_class_is_an_error_that_says_which() {
    let text = catalog("eurusd_rsi_macd").replace(
        "    source: triple_barrier\n    pt_multiplier: 3.0\n    sl_multiplier: 3.0\n    max_holding_period: 12\n",
        "    source: zigzag\n    zigzag_threshold: 0.05\n",
    );
    let resolved = Strategy::parse(&text)
        .unwrap()
        .resolve(&Overrides::default())
        .unwrap();
    let error = data_set(&resolved).unwrap_err();
    assert!(matches!(error, DataSetError::NoClass { .. }), "{error}");
    insta::assert_snapshot!(format!("{}: {error}\nhint: {}", error.code(), error.hint()));
}

#[test]
fn too_little_history_missing_series_and_a_stop_are_told_apart() {
    let mut resolved = resolved("eurusd_rsi_macd");
    let nothing = assembled(&resolved, &[], 1, &mut |_| ControlFlow::Continue(())).unwrap_err();
    let mut seen = Vec::new();
    let stopped = assembled(&resolved, &inputs(&resolved), 1, &mut |step| {
        seen.push(format!(
            "{} {}/{} {} {}/{}",
            step.symbol, step.symbol_number, step.symbols, step.work, step.work_number, step.works
        ));
        if step.work == "labels" {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    resolved.start = Some(Utc::from_timestamp("2018-12-20T00:00:00Z".parse().unwrap()));
    let short = data_set(&resolved).unwrap_err();
    resolved.history_required = 50;
    let few = data_set(&resolved).unwrap_err();
    let errors: BTreeMap<_, _> = [nothing, stopped.unwrap_err(), short, few]
        .map(|error| (error.code(), format!("{error}; hint: {}", error.hint())))
        .into();
    insta::assert_snapshot!(format!("{errors:#?}\n{seen:#?}"));
}
