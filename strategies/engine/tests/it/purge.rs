//! No label crosses a cut: whatever the label source, the cuts, the symbols and the embargo, rows
//! that train are those whose label was known before validation began, and so on. Every row is
//! worked out once more from the definition and compared.

use std::cell::Cell;
use std::ops::ControlFlow;

use crate::sample_bars::{HOUR, SymbolInput, assembled, catalog, hourly_eurusd};
use market::{Bars, Utc};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use strategies::labels::{
    BarLabels, ContextLabels, EfficiencyRegime, EventFilter, LabelSource, Regime, TripleBarrier,
    VolatilityMethod, ZigzagWindow, compute_labels,
};
use strategies::splits::Part;
use strategies::{DataSet, DataSetError, Overrides, Resolved, Split, Strategy, SymbolBars};

const BARS: usize = 4_000;

/// Parameters that give every class in any few hundred hours; without that no data set is made.
pub fn sources() -> Vec<LabelSource> {
    let barrier = TripleBarrier {
        pt_multiplier: 3.0,
        sl_multiplier: 3.0,
        max_holding_period: 12,
        ..Default::default()
    };
    let barrier_by_deviation = TripleBarrier {
        pt_multiplier: 4.0,
        sl_multiplier: 4.0,
        vol_method: VolatilityMethod::Std,
        ..barrier
    };

    vec![
        LabelSource::ForwardReturn { horizon: 24 },
        LabelSource::TripleBarrier(barrier),
        LabelSource::TripleBarrier(barrier_by_deviation),
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

/// A strategy over two symbols, on the whole of their bars.
pub fn two_symbols() -> Resolved {
    let two = "symbols: {mode: multi_symbol, list: [EURUSD, GBPUSD]}";
    let text = catalog("eurusd_rsi_macd").replace("symbols: {mode: single, symbol: EURUSD}", two);
    let strategy = Strategy::parse(&text).unwrap_or_else(|findings| panic!("{findings}"));

    let resolved = Resolved {
        start: None,
        end: None,
        ..strategy.resolve(&Overrides::default()).unwrap()
    };
    assert_eq!(resolved.symbols.len(), 2);
    resolved
}

/// The bars of two symbols: the first sample hours, and under another name those of later years on
/// the same clock, but listed 400 hours later and without every 41st hour. So neither the cuts nor
/// the embargo fall alike in both.
pub fn bars_of_two(resolved: &Resolved) -> Vec<SymbolInput> {
    let all = hourly_eurusd();
    let first = all.slice(0..BARS);
    let later_on_the_same_clock = Bars {
        open_time: first.open_time.clone(),
        close_time: first.close_time.clone(),
        ..all.slice(9_000..9_000 + BARS)
    };
    let rows: Vec<usize> = (400..BARS).filter(|row| row % 41 != 0).collect();
    let second = select_rows(&later_on_the_same_clock, &rows);

    resolved
        .symbols
        .iter()
        .zip([first, second])
        .map(|(symbol, bars)| SymbolInput {
            symbol: symbol.clone(),
            bars: SymbolBars::from([(resolved.base, bars)]),
        })
        .collect()
}

fn select_rows(bars: &Bars, rows: &[usize]) -> Bars {
    let select_times = |column: &[Utc]| rows.iter().map(|row| column[*row]).collect();
    let select_numbers = |column: &[f64]| rows.iter().map(|row| column[*row]).collect();

    Bars {
        open_time: select_times(&bars.open_time),
        close_time: select_times(&bars.close_time),
        open: select_numbers(&bars.open),
        high: select_numbers(&bars.high),
        low: select_numbers(&bars.low),
        close: select_numbers(&bars.close),
        volume: select_numbers(&bars.volume),
    }
}

/// What the split of a row depends on, and its result.
#[derive(Debug, PartialEq, Eq)]
struct SplitRow {
    symbol: u32,
    bar: usize,
    open_time: Utc,
    part: Part,
    label_known_at: Utc,
}

fn actual_rows(set: &DataSet) -> Vec<SplitRow> {
    (0..set.rows())
        .map(|row| SplitRow {
            symbol: set.symbol[row],
            bar: set.bar[row] as usize,
            open_time: set.open_time[row],
            part: set.part[row],
            label_known_at: set.label_known_at[row],
        })
        .collect()
}

/// Every row that there must be, from the definition.
fn expected_rows(resolved: &Resolved, inputs: &[SymbolInput], set: &DataSet) -> Vec<SplitRow> {
    let mut rows = Vec::new();
    for (symbol, input) in (0..).zip(inputs) {
        let bars = &input.bars[&resolved.base];
        let labels = label_bars(resolved, bars, set.cuts.validation_start);

        for bar in resolved.warm_up_bars()..bars.len() {
            if labels.values[bar].is_nan() {
                continue;
            }
            let last_bar_of_label = bar + labels.look_ahead[bar] as usize;
            let label_known_at = bars.close_time[last_bar_of_label];
            if let Some(part) = part_of(bars.close_time[bar], label_known_at, set) {
                rows.push(SplitRow {
                    symbol,
                    bar,
                    open_time: bars.open_time[bar],
                    part,
                    label_known_at,
                });
            }
        }
    }

    rows
}

pub fn label_bars(resolved: &Resolved, bars: &Bars, training_end: Utc) -> BarLabels {
    let training_bars = bars
        .close_time
        .partition_point(|close| *close < training_end);
    let training = bars.slice(0..training_bars);

    let source = resolved.labels.fitted(&training).unwrap();
    let mut labels = compute_labels(&source, bars).unwrap();
    if let Some(filter) = resolved.events {
        let events = filter.fitted(&training).unwrap().events(bars).unwrap();
        labels.keep(&events).unwrap();
    }

    labels
}

fn part_of(known_at: Utc, label_known_at: Utc, set: &DataSet) -> Option<Part> {
    let validation = set.cuts.validation_start;
    let test = set.cuts.test_start;
    let is_past_embargo = |cut: Utc| known_at >= cut.plus_micros(set.embargo_micros);

    if known_at < validation && label_known_at < validation {
        Some(Part::Train)
    } else if is_past_embargo(validation) && known_at < test && label_known_at < test {
        Some(Part::Validation)
    } else if known_at >= test && is_past_embargo(test) {
        Some(Part::Test)
    } else {
        None
    }
}

/// How many data sets were made, and how many of their rows were purged.
#[derive(Default)]
struct Tally {
    data_sets: Cell<u64>,
    purged: Cell<u64>,
}

impl Tally {
    /// Makes the data set and compares its rows. A choice that leaves a part without a class makes
    /// none and proves nothing.
    fn check_data_set(&self, resolved: &Resolved, inputs: &[SymbolInput]) -> TestCaseResult {
        let set = match assembled(resolved, inputs, 1, &mut |_| ControlFlow::Continue(())) {
            Ok(set) => set,
            Err(DataSetError::NoClass { .. } | DataSetError::FewRows { .. }) => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        self.data_sets.set(self.data_sets.get() + 1);
        self.purged.set(self.purged.get() + set.dropped["purged"]);

        let expected = expected_rows(resolved, inputs, &set);
        prop_assert!(actual_rows(&set) == expected, "{:?}", resolved.labels);

        let embargo_bars = i64::from(resolved.embargo_bars.unwrap());
        prop_assert!(set.embargo_micros >= embargo_bars * HOUR);
        prop_assert_eq!(set.dropped["undefined"], 0);

        // Every bar is a row or was dropped for a reason.
        let bars: usize = inputs
            .iter()
            .map(|input| input.bars[&resolved.base].len())
            .sum();
        let dropped: u64 = set.dropped.values().sum();
        prop_assert_eq!(set.rows() as u64 + dropped, bars as u64);
        Ok(())
    }
}

/// Tries 100 choices of cuts and embargo.
fn try_cuts(base: &Resolved, inputs: &[SymbolInput]) -> Tally {
    let times = &inputs[0].bars[&base.base].close_time;
    let tally = Tally::default();
    let config = ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    };

    proptest!(config, |(first in 1_700usize..2_400, gap in 500usize..900, embargo in 0u32..60)| {
        let resolved = Resolved {
            split: Split::Dates {
                validation_start: times[first],
                test_start: times[first + gap],
            },
            embargo_bars: Some(embargo),
            ..base.clone()
        };
        tally.check_data_set(&resolved, inputs)?;
    });
    tally
}

#[test]
fn no_label_is_known_after_the_cut_that_ends_its_part() {
    let base = two_symbols();
    let inputs = bars_of_two(&base);

    for labels in sources() {
        for events in [None, Some(EventFilter::default())] {
            let resolved = Resolved {
                labels,
                events,
                ..base.clone()
            };
            let tally = try_cuts(&resolved, &inputs);

            let data_sets = tally.data_sets.get();
            let purged = tally.purged.get();
            assert!(
                data_sets >= 80,
                "{labels:?} {events:?}: {data_sets} data sets"
            );
            assert!(
                purged > data_sets,
                "{labels:?} {events:?}: {purged} purged rows in {data_sets} data sets"
            );
        }
    }
}
