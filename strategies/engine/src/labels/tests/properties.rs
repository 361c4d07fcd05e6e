//! Properties of any label source on any bars: labels depend on the bars that they declare, and on
//! no others.

use std::collections::BTreeSet;
use std::ops::Range;

use proptest::prelude::*;

use super::{Prices, bars};
use crate::labels::{
    BarLabels, ContextLabels, EfficiencyRegime, EventFilter, LabelSource, Regime, TripleBarrier,
    VolatilityMethod, ZigzagWindow, compute_labels, uniqueness_weights,
};

/// One source of every kind, with parameters for a short series that moves by about 2 % per bar.
fn every_source() -> Vec<LabelSource> {
    vec![
        LabelSource::ForwardReturn { horizon: 3 },
        LabelSource::TripleBarrier(TripleBarrier {
            max_holding_period: 6,
            vol_span: 5,
            ..TripleBarrier::default()
        }),
        LabelSource::Zigzag { threshold: 0.05 },
        LabelSource::ZigzagWindow(ZigzagWindow {
            threshold: 0.03,
            lookahead: 5,
            min_swing_length: 2,
        }),
        LabelSource::Regime(Regime {
            atr_period: 3,
            vol_lookback: 5,
            typical_range: Some(0.02),
            ..Regime::default()
        }),
        LabelSource::EfficiencyRegime(EfficiencyRegime {
            horizon: 4,
            vol_lookback: 5,
            ..EfficiencyRegime::default()
        }),
        LabelSource::Context(ContextLabels {
            horizon: 3,
            ..ContextLabels::default()
        }),
    ]
}

/// A swinging price, without randomness.
fn swings(rows: u32) -> Vec<Prices> {
    (0..rows)
        .map(|row| {
            let time = f64::from(row);
            let slow = 8.0 * (time / 7.0).sin();
            let fast = 3.0 * (time * 1.3).sin() + 2.0 * (time * 2.9).cos();
            let close = 100.0 + slow + fast;
            [close * 1.01, close * 0.99, close]
        })
        .collect()
}

/// Whether the label of `row` changes with the last bar of its look-ahead.
fn depends_on_its_last_bar(
    source: &LabelSource,
    rows: &[Prices],
    labels: &BarLabels,
    row: usize,
) -> bool {
    let last_bar = row + labels.look_ahead[row] as usize;

    [0.8, 1.25].into_iter().any(|scale| {
        let mut changed = rows.to_vec();
        changed[last_bar] = changed[last_bar].map(|price| price * scale);
        let others = compute_labels(source, &bars(&changed)).unwrap();
        others.values[row].to_bits() != labels.values[row].to_bits()
            || others.look_ahead[row] != labels.look_ahead[row]
    })
}

/// The declared look-ahead is no looser than it must be: its last bar decides at least some labels.
#[test]
fn the_last_bar_of_the_look_ahead_decides_some_labels() {
    let rows = swings(200);

    for source in every_source() {
        let labels = compute_labels(&source, &bars(&rows)).unwrap();
        let labelled: Vec<usize> = (0..rows.len())
            .filter(|row| !labels.values[*row].is_nan())
            .collect();
        let decided = labelled
            .iter()
            .filter(|row| depends_on_its_last_bar(&source, &rows, &labels, **row))
            .count();

        assert!(
            labelled.len() > 50 && decided > labelled.len() / 10,
            "{}: {decided} of {}",
            source.name(),
            labelled.len()
        );
    }
}

fn any_regime() -> impl Strategy<Value = LabelSource> {
    let scales = (1.0..4.0, 0.1..1.0, 0.001..0.03);
    let spans = (2u32..5, 2u32..6);
    let limits = (0.1..3.0, 0.0..=1.0);

    (scales, spans, limits).prop_map(|(scales, spans, limits)| {
        let (macro_atr_mult, micro_share, typical_range) = scales;
        LabelSource::Regime(Regime {
            macro_atr_mult,
            micro_atr_mult: macro_atr_mult * micro_share,
            atr_period: spans.0,
            vol_lookback: spans.1,
            vol_crisis_threshold: limits.0,
            progression_tolerance: limits.1,
            typical_range: Some(typical_range),
        })
    })
}

fn any_efficiency_regime() -> impl Strategy<Value = LabelSource> {
    (2u32..5, 0.0..=1.0, 2u32..5, 0.1..3.0).prop_map(
        |(horizon, trending_threshold, vol_lookback, vol_crisis_threshold)| {
            LabelSource::EfficiencyRegime(EfficiencyRegime {
                horizon,
                trending_threshold,
                vol_lookback,
                vol_crisis_threshold,
            })
        },
    )
}

fn any_triple_barrier() -> impl Strategy<Value = LabelSource> {
    let method = prop::sample::select(vec![VolatilityMethod::Atr, VolatilityMethod::Std]);

    (0.1..3.0, 0.1..3.0, 1u32..9, 1u32..9, method).prop_map(
        |(pt_multiplier, sl_multiplier, max_holding_period, vol_span, vol_method)| {
            LabelSource::TripleBarrier(TripleBarrier {
                pt_multiplier,
                sl_multiplier,
                max_holding_period,
                vol_span,
                vol_method,
            })
        },
    )
}

fn any_zigzag_window() -> impl Strategy<Value = LabelSource> {
    (0.001..0.2, 1u32..8, 0u32..4).prop_map(|(threshold, lookahead, min_swing_length)| {
        LabelSource::ZigzagWindow(ZigzagWindow {
            threshold,
            lookahead,
            min_swing_length,
        })
    })
}

fn any_context() -> impl Strategy<Value = LabelSource> {
    (1u32..8, 0.0..0.05).prop_map(|(horizon, bullish)| {
        LabelSource::Context(ContextLabels {
            horizon,
            bullish,
            bearish: -0.001 - bullish,
        })
    })
}

fn any_source() -> impl Strategy<Value = LabelSource> {
    prop_oneof![
        (1u32..8).prop_map(|horizon| LabelSource::ForwardReturn { horizon }),
        (0.001..0.2).prop_map(|threshold| LabelSource::Zigzag { threshold }),
        any_zigzag_window(),
        any_regime(),
        any_efficiency_regime(),
        any_context(),
        any_triple_barrier(),
    ]
}

/// Prices around 100, sometimes missing.
fn any_prices() -> impl Strategy<Value = Prices> {
    let typical_bar = (90.0..110.0, 0.0..3.0, 0.0..3.0)
        .prop_map(|(close, up, down): (f64, f64, f64)| [close + up, close - down, close]);
    let unusable = prop::sample::select(vec![f64::NAN, f64::INFINITY, 0.0, -1.0, 1e308]);

    prop_oneof![
        12 => typical_bar,
        1 => prop::array::uniform3(unusable),
    ]
}

fn any_rows() -> impl Strategy<Value = Vec<Prices>> {
    prop::collection::vec(any_prices(), 10..60)
}

/// The bars on which a label is active.
fn active_bars(labels: &BarLabels, row: usize) -> Range<usize> {
    row..row + (labels.look_ahead[row] as usize).max(1)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn bars_after_the_look_ahead_change_no_label(
        source in any_source(),
        rows in any_rows(),
        others in prop::collection::vec(any_prices(), 60),
        from in any::<prop::sample::Index>(),
    ) {
        let from = from.index(rows.len());
        let mut changed = rows.clone();
        changed[from..].copy_from_slice(&others[from..rows.len()]);

        let labels = compute_labels(&source, &bars(&rows)).unwrap();
        let later = compute_labels(&source, &bars(&changed)).unwrap();

        for row in 0..rows.len() {
            if !labels.values[row].is_nan() && row + (labels.look_ahead[row] as usize) < from {
                prop_assert_eq!(labels.values[row], later.values[row], "row {}", row);
                prop_assert_eq!(labels.look_ahead[row], later.look_ahead[row], "row {}", row);
            }
        }
    }

    /// Of a shorter series, the labels that are known within it are those of the longer one, and
    /// there are no others; but its last `max_holding_period` rows have no triple barriers.
    #[test]
    fn removing_later_bars_removes_only_labels_that_need_them(
        source in any_source(),
        rows in any_rows(),
        length in any::<prop::sample::Index>(),
    ) {
        let length = length.index(rows.len());
        let unlabelled_tail = match source {
            LabelSource::TripleBarrier(barrier) => barrier.max_holding_period as usize,
            _ => 0,
        };

        let labels = compute_labels(&source, &bars(&rows)).unwrap();
        let Ok(shorter) = compute_labels(&source, &bars(&rows[..length])) else {
            return Ok(());
        };

        for row in 0..length {
            let needed = (labels.look_ahead[row] as usize).max(unlabelled_tail);
            if row + needed < length && !labels.values[row].is_nan() {
                prop_assert_eq!(labels.values[row], shorter.values[row], "row {}", row);
                prop_assert_eq!(labels.look_ahead[row], shorter.look_ahead[row], "row {}", row);
            } else {
                prop_assert!(shorter.values[row].is_nan(), "row {}", row);
            }
        }
    }

    #[test]
    fn events_read_the_past_only(
        rows in any_rows(),
        length in any::<prop::sample::Index>(),
    ) {
        let length = length.index(rows.len());
        let filter = EventFilter { threshold: Some(0.02), ..EventFilter::default() };

        let events = filter.events(&bars(&rows)).unwrap();
        let earlier = filter.events(&bars(&rows[..length])).unwrap();

        prop_assert_eq!(&earlier[..], &events[..length]);
    }

    /// Every bar that some label is active on is given away once, in equal shares.
    #[test]
    fn weights_share_every_bar_once(source in any_source(), rows in any_rows()) {
        let filter = EventFilter { threshold: Some(0.02), ..EventFilter::default() };
        let mut labels = compute_labels(&source, &bars(&rows)).unwrap();
        labels.keep(&filter.events(&bars(&rows)).unwrap()).unwrap();

        let weights = uniqueness_weights(&labels);

        let mut shared_bars = BTreeSet::new();
        let mut sum_of_shares = 0.0;
        for (row, weight) in weights.iter().enumerate() {
            if labels.values[row].is_nan() {
                prop_assert_eq!(*weight, 0.0);
                continue;
            }
            let active = active_bars(&labels, row);
            prop_assert!((f64::MIN_POSITIVE..=1.0 + 1e-9).contains(weight), "{}", weight);
            sum_of_shares += weight * active.len() as f64;
            shared_bars.extend(active);
        }
        prop_assert!((sum_of_shares - shared_bars.len() as f64).abs() < 1e-9);
    }

    #[test]
    fn no_input_panics_and_look_ahead_stays_inside_the_series(
        source in any_source(),
        rows in prop::collection::vec(any_prices(), 0..40),
    ) {
        let Ok(labels) = compute_labels(&source, &bars(&rows)) else {
            return Ok(());
        };

        prop_assert_eq!(labels.values.len(), rows.len());
        for (row, value) in labels.values.iter().enumerate() {
            if !value.is_nan() {
                let classes = labels.classes.len();
                prop_assert!(row + (labels.look_ahead[row] as usize) < rows.len());
                prop_assert!(classes == 0 || (*value as usize) < classes);
            }
        }
    }
}
