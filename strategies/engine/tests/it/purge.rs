//! No label crosses a cut: whatever the label source, the cuts, the symbols and the embargo, rows
//! that train are those whose label was known before validation began, and so on. Every row is
//! worked out once more from the definition and compared.

use std::cell::Cell;
use std::ops::ControlFlow;

use crate::sample_bars::{HOUR, SymbolInput, assembled, catalog, hourly_eurusd};
use market::{Bars, Utc};
use proptest::prelude::*;
use strategies::labels::{
    self, ContextLabels, EfficiencyRegime, EventFilter, LabelSource, Regime, TripleBarrier,
    VolatilityMethod, ZigzagWindow,
};
use strategies::splits::Part;
use strategies::{DataSet, DataSetError, Overrides, Resolved, Split, Strategy, SymbolBars};

const BARS: usize = 4_000;

/// Parameters that give every class in any few hundred hours; without that no data set is made.
fn sources() -> Vec<LabelSource> {
    let barrier = TripleBarrier {
        pt_multiplier: 3.0,
        sl_multiplier: 3.0,
        max_holding_period: 12,
        ..Default::default()
    };
    let volatility = TripleBarrier {
        pt_multiplier: 4.0,
        sl_multiplier: 4.0,
        vol_method: VolatilityMethod::Std,
        ..barrier
    };
    vec![
        LabelSource::ForwardReturn { horizon: 24 },
        LabelSource::TripleBarrier(barrier),
        LabelSource::TripleBarrier(volatility),
        LabelSource::Zigzag { threshold: 0.003 },
        LabelSource::ZigzagWindow(ZigzagWindow {
            threshold: 0.003,
            ..Default::default()
        }),
        LabelSource::Regime(Regime {
            progression_tolerance: 0.7,
            vol_crisis_threshold: 1.3,
            ..Default::default()
        }),
        LabelSource::EfficiencyRegime(EfficiencyRegime {
            vol_crisis_threshold: 1.3,
            ..Default::default()
        }),
        LabelSource::Context(ContextLabels {
            horizon: 24,
            bullish: 0.002,
            bearish: -0.002,
        }),
    ]
}

/// Two symbols: the first hours that ship, and under another name those of later years, told by the
/// same clock, but listed 400 hours later and without every 41st hour. So neither the cuts nor the
/// embargo fall alike in both.
fn symbols() -> (Resolved, Vec<SymbolInput>) {
    let two = "symbols: {mode: multi_symbol, list: [EURUSD, GBPUSD]}";
    let text = catalog("eurusd_rsi_macd").replace("symbols: {mode: single, symbol: EURUSD}", two);
    let strategy = Strategy::parse(&text).unwrap_or_else(|findings| panic!("{findings}"));
    let resolved = strategy.resolve(&Overrides::default()).unwrap();
    let all = hourly_eurusd();
    let (first, mut second) = (all.slice(0..BARS), all.slice(9_000..9_000 + BARS));
    (second.open_time, second.close_time) = (first.open_time.clone(), first.close_time.clone());
    let rows: Vec<usize> = (400..BARS).filter(|row| row % 41 != 0).collect();
    let bars =
        [first, picked(&second, &rows)].map(|bars| SymbolBars::from([(resolved.base, bars)]));
    let inputs = resolved
        .symbols
        .iter()
        .cloned()
        .zip(bars)
        .map(|(symbol, bars)| SymbolInput { symbol, bars });
    assert_eq!(resolved.symbols.len(), 2);
    (resolved.clone(), inputs.collect())
}

fn picked(bars: &Bars, rows: &[usize]) -> Bars {
    let times = |column: &[Utc]| rows.iter().map(|row| column[*row]).collect();
    let numbers = |column: &[f64]| rows.iter().map(|row| column[*row]).collect();
    Bars {
        open_time: times(&bars.open_time),
        close_time: times(&bars.close_time),
        open: numbers(&bars.open),
        high: numbers(&bars.high),
        low: numbers(&bars.low),
        close: numbers(&bars.close),
        volume: numbers(&bars.volume),
    }
}

/// Position of the symbol, open of the bar, part, and when the label was known, of every row that
/// there must be.
fn expected(
    resolved: &Resolved,
    inputs: &[SymbolInput],
    set: &DataSet,
) -> Vec<(u32, Utc, Part, Utc)> {
    let mut rows = Vec::new();
    let (validation, test) = (set.cuts.validation_start, set.cuts.test_start);
    let after = |cut: Utc| cut.plus_micros(set.embargo_micros);
    for (symbol, input) in (0..).zip(inputs) {
        let bars = &input.bars[&resolved.base];
        let training = bars.slice(0..bars.close_time.partition_point(|close| *close < validation));
        let mut labels =
            labels::compute_labels(&resolved.labels.fitted(&training).unwrap(), bars).unwrap();
        if let Some(events) = resolved.events {
            labels
                .keep(&events.fitted(&training).unwrap().events(bars).unwrap())
                .unwrap();
        }
        for bar in resolved.warm_up_bars()..bars.len() {
            if labels.values[bar].is_nan() {
                continue;
            }
            let (known, label_known) = (
                bars.close_time[bar],
                bars.close_time[bar + labels.look_ahead[bar] as usize],
            );
            let part = if known < validation && label_known < validation {
                Part::Train
            } else if known >= after(validation) && known < test && label_known < test {
                Part::Validation
            } else if known >= test && known >= after(test) {
                Part::Test
            } else {
                continue;
            };
            rows.push((symbol, bars.open_time[bar], part, label_known));
        }
    }
    rows
}

/// Tries 100 choices of cuts and embargo; gives how many data sets came out, and how many rows they
/// lost at the cuts.
fn check(base: &Resolved, inputs: &[SymbolInput]) -> (u32, u64) {
    let times = inputs[0].bars[&base.base].close_time.clone();
    let bars: usize = inputs
        .iter()
        .map(|input| input.bars[&base.base].len())
        .sum();
    let (made, lost) = (Cell::new(0), Cell::new(0));
    let config = ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(first in 1_700usize..2_400, gap in 500usize..900, embargo in 0u32..60)| {
        let split = Split::Dates { validation_start: times[first], test_start: times[first + gap] };
        let resolved = Resolved { split, embargo_bars: Some(embargo), ..base.clone() };
        match assembled(&resolved, inputs, 1, &mut |_| ControlFlow::Continue(())) {
            Ok(set) => {
                made.set(made.get() + 1);
                lost.set(lost.get() + set.dropped["purged"]);
                prop_assert!(set.embargo_micros >= i64::from(embargo) * HOUR);
                let rows: Vec<_> = (0..set.rows())
                    .map(|row| (set.symbol[row], set.open_time[row], set.part[row], set.label_known_at[row]))
                    .collect();
                prop_assert!(rows == expected(&resolved, inputs, &set), "{:?}", resolved.labels);
                prop_assert_eq!(set.dropped["undefined"], 0);
                prop_assert_eq!(set.rows() as u64 + set.dropped.values().sum::<u64>(), bars as u64);
            }
            Err(DataSetError::NoClass { .. } | DataSetError::FewRows { .. }) => {}
            Err(error) => prop_assert!(false, "{error}"),
        }
    });
    (made.get(), lost.get())
}

#[test]
fn no_label_of_an_earlier_part_is_known_after_a_cut_wherever_the_cuts_are() {
    let (base, inputs) = symbols();
    for labels in sources() {
        for events in [None, Some(EventFilter::default())] {
            let (made, lost) = check(
                &Resolved {
                    labels,
                    events,
                    start: None,
                    end: None,
                    ..base.clone()
                },
                &inputs,
            );
            // A choice that leaves a part without a class makes no data set and proves nothing.
            assert!(made >= 80, "{labels:?} {events:?}: {made} data sets");
            assert!(
                lost > u64::from(made),
                "{labels:?} {events:?}: {lost} purged rows in {made} data sets"
            );
        }
    }
}
