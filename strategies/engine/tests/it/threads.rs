//! Several threads: the same data set, the same error and the same progress as one, and a stop that
//! stops all of them.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::sample_bars::{SymbolInput, assembled, catalog, inputs, names};
use market::Instrument;
use strategies::{DataSetError, Overrides, Resolved, Strategy};

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
    let three = inputs(&resolved);
    let mut all = Vec::new();
    for copy in 0..4 {
        for input in &three {
            let symbol =
                Instrument::parse(&format!("stk:{}{copy}", input.symbol.symbol())).unwrap();
            let shorter = |bars: &market::Bars| bars.slice(0..bars.len() - 7 * copy);
            let bars = input
                .bars
                .iter()
                .map(|(timeframe, bars)| (*timeframe, shorter(bars)))
                .collect();
            all.push(SymbolInput { symbol, bars });
        }
    }
    resolved.symbols = all.iter().map(|input| input.symbol.clone()).collect();
    (resolved, all)
}

#[test]
fn the_data_set_does_not_depend_on_the_number_of_threads() {
    let cases = names()
        .into_iter()
        .map(|name| (resolved(&name), inputs(&resolved(&name))));
    let cases = cases.chain([twelve("us_equities_trend"), twelve("us_equities_regimes")]);
    for (resolved, inputs) in cases {
        let one = assembled(&resolved, &inputs, 1, &mut |_| ControlFlow::Continue(())).unwrap();
        for threads in [2, 5] {
            let more = assembled(&resolved, &inputs, threads, &mut |_| {
                ControlFlow::Continue(())
            })
            .unwrap();
            assert!(
                one == more,
                "{} differs on {threads} threads",
                resolved.name
            );
        }
    }
}

#[test]
fn thresholds_that_were_fitted_are_told_for_every_symbol_in_order() {
    let (resolved, inputs) = twelve("us_equities_regimes");
    let set = assembled(&resolved, &inputs, 2, &mut |_| ControlFlow::Continue(())).unwrap();
    let symbols: Vec<String> = resolved.symbols.iter().map(Instrument::id).collect();
    assert!(
        set.thresholds
            .iter()
            .map(|threshold| &threshold.symbol)
            .eq(&symbols)
    );
    for (threshold, input) in set.thresholds.iter().zip(&inputs) {
        let bars = resolved.clip(&input.bars[&resolved.base]);
        let end = bars
            .close_time
            .partition_point(|close| *close < set.cuts.validation_start);
        let strategies::labels::LabelSource::Regime(fitted) =
            resolved.labels.fitted(&bars.slice(0..end)).unwrap()
        else {
            panic!("these are regime labels")
        };
        assert_eq!(
            (threshold.name.as_str(), Some(threshold.value)),
            ("typical_range", fitted.typical_range)
        );
    }
    let (plain, inputs) = twelve("us_equities_trend");
    assert!(
        assembled(&plain, &inputs, 2, &mut |_| ControlFlow::Continue(()))
            .unwrap()
            .thresholds
            .is_empty()
    );
}

#[test]
fn of_several_symbols_that_fail_the_first_one_in_order_is_named() {
    let (resolved, mut inputs) = twelve("us_equities_trend");
    for broken in [2, 5, 6] {
        inputs[broken]
            .bars
            .values_mut()
            .for_each(|bars| *bars = bars.slice(0..100));
    }
    for threads in [1, 2, 8] {
        let error = assembled(&resolved, &inputs, threads, &mut |_| {
            ControlFlow::Continue(())
        })
        .unwrap_err();
        assert!(
            matches!(&error, DataSetError::ShortHistory { symbol, .. } if *symbol == resolved.symbols[2].id()),
            "{error}"
        );
    }
}

#[test]
fn progress_tells_every_piece_of_work_once_and_a_stop_stops_every_thread() {
    let (resolved, inputs) = twelve("us_equities_trend");
    let mut seen = Vec::new();
    let mut note = |step: strategies::AssemblyStep<'_>| {
        seen.push((step.begun, step.symbol_number, step.work_number));
        assert_eq!(
            (step.symbols, step.works),
            (12, resolved.indicators.len() + 3)
        );
        ControlFlow::Continue(())
    };
    assembled(&resolved, &inputs, 2, &mut note).unwrap();
    assert!(
        seen.iter()
            .map(|step| step.0)
            .eq(0..12 * (resolved.indicators.len() + 3))
    );
    assert_eq!(
        seen.iter()
            .map(|step| (step.1, step.2))
            .collect::<BTreeSet<_>>()
            .len(),
        seen.len()
    );
    let mut heard = 0;
    let stopped = assembled(&resolved, &inputs, 2, &mut |_| {
        heard += 1;
        if heard == 9 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!(
        (stopped.unwrap_err(), heard),
        (DataSetError::Stopped, 9),
        "nothing is begun after the stop"
    );
}
