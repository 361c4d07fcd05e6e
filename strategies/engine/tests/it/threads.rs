//! Symbols are worked on by several threads: the data set, its errors and its progress are the same
//! as with one.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::sample_bars::{SymbolInput, assembled, catalog, inputs, names};
use market::{Bars, Instrument};
use strategies::labels::LabelSource;
use strategies::{AssemblyStep, DataSet, DataSetError, Overrides, Resolved, Strategy};

fn resolved(name: &str) -> Resolved {
    Strategy::parse(&catalog(name))
        .unwrap()
        .resolve(&Overrides::default())
        .unwrap()
}

/// Twelve symbols, more than two threads may be ahead with: the three sample ones four times, each
/// copy a little shorter.
fn twelve(name: &str) -> (Resolved, Vec<SymbolInput>) {
    let mut resolved = resolved(name);
    let samples = inputs(&resolved);

    let mut all = Vec::new();
    for copy in 0..4 {
        all.extend(samples.iter().map(|sample| shorter_copy(sample, copy)));
    }
    resolved.symbols = all.iter().map(|input| input.symbol.clone()).collect();

    (resolved, all)
}

fn shorter_copy(sample: &SymbolInput, copy: usize) -> SymbolInput {
    let shorten = |bars: &Bars| bars.slice(0..bars.len() - 7 * copy);

    SymbolInput {
        symbol: Instrument::parse(&format!("stk:{}{copy}", sample.symbol.symbol())).unwrap(),
        bars: sample
            .bars
            .iter()
            .map(|(timeframe, bars)| (*timeframe, shorten(bars)))
            .collect(),
    }
}

fn data_set(
    resolved: &Resolved,
    inputs: &[SymbolInput],
    threads: usize,
) -> Result<DataSet, DataSetError> {
    assembled(
        resolved,
        inputs,
        threads,
        &mut |_| ControlFlow::Continue(()),
    )
}

fn assert_same_on_any_number_of_threads(resolved: &Resolved, inputs: &[SymbolInput]) {
    let one_thread = data_set(resolved, inputs, 1).unwrap();

    for threads in [2, 5] {
        let more_threads = data_set(resolved, inputs, threads).unwrap();
        assert!(
            one_thread == more_threads,
            "{} differs on {threads} threads",
            resolved.name
        );
    }
}

#[test]
fn the_data_set_does_not_depend_on_the_number_of_threads() {
    for name in names() {
        let resolved = resolved(&name);
        assert_same_on_any_number_of_threads(&resolved, &inputs(&resolved));
    }
    for name in ["us_equities_trend", "us_equities_regimes"] {
        let (resolved, inputs) = twelve(name);
        assert_same_on_any_number_of_threads(&resolved, &inputs);
    }
}

#[test]
fn fitted_thresholds_are_listed_for_every_symbol_in_order() {
    let (resolved, inputs) = twelve("us_equities_regimes");

    let set = data_set(&resolved, &inputs, 2).unwrap();

    let symbols = resolved.symbols.iter().map(Instrument::id);
    assert!(symbols.eq(set.thresholds.iter().map(|fitted| fitted.symbol.clone())));
    for (threshold, input) in set.thresholds.iter().zip(&inputs) {
        let expected = typical_range(&resolved, input, &set);
        assert_eq!(threshold.name, "typical_range");
        assert_eq!(Some(threshold.value), expected);
    }
}

/// The threshold of regime labels, fitted on the training part.
fn typical_range(resolved: &Resolved, input: &SymbolInput, set: &DataSet) -> Option<f64> {
    let bars = resolved.clip(&input.bars[&resolved.base]);
    let training_bars = bars
        .close_time
        .partition_point(|close| *close < set.cuts.validation_start);

    let training = bars.slice(0..training_bars);
    let LabelSource::Regime(fitted) = resolved.labels.fitted(&training).unwrap() else {
        panic!("these are regime labels")
    };
    fitted.typical_range
}

#[test]
fn without_a_threshold_to_fit_none_is_listed() {
    let (resolved, inputs) = twelve("us_equities_trend");

    let set = data_set(&resolved, &inputs, 2).unwrap();

    assert!(set.thresholds.is_empty());
}

#[test]
fn of_several_symbols_that_fail_the_first_one_is_named() {
    let (resolved, mut inputs) = twelve("us_equities_trend");
    for broken in [2, 5, 6] {
        for bars in inputs[broken].bars.values_mut() {
            *bars = bars.slice(0..100);
        }
    }

    for threads in [1, 2, 8] {
        let error = data_set(&resolved, &inputs, threads).unwrap_err();

        let DataSetError::ShortHistory { symbol, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(*symbol, resolved.symbols[2].id());
    }
}

#[test]
fn progress_reports_every_piece_of_work_once() {
    let (resolved, inputs) = twelve("us_equities_trend");
    let works = resolved.indicators.len() + 3;

    let mut begun = Vec::new();
    let mut places = BTreeSet::new();
    let mut note_step = |step: AssemblyStep<'_>| {
        begun.push(step.begun);
        places.insert((step.symbol_number, step.work_number));
        assert_eq!((step.symbols, step.works), (12, works));
        ControlFlow::Continue(())
    };
    assembled(&resolved, &inputs, 2, &mut note_step).unwrap();

    assert!(begun.iter().copied().eq(0..12 * works));
    assert_eq!(places.len(), begun.len(), "none is reported twice");
}

#[test]
fn a_stop_stops_every_thread() {
    let (resolved, inputs) = twelve("us_equities_trend");

    let mut reports = 0;
    let mut stop_at_nine = |_: AssemblyStep<'_>| {
        reports += 1;
        if reports == 9 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let stopped = assembled(&resolved, &inputs, 2, &mut stop_at_nine);

    assert_eq!(stopped.unwrap_err(), DataSetError::Stopped);
    assert_eq!(reports, 9, "nothing is begun after the stop");
}
