//! Labels worked by hand, and the promise that no label changes with bars beyond its look-ahead.

use market::{Bars, Utc};
use proptest::prelude::*;

use super::*;

/// Bars from rows of high, low, close; the open equals the close.
fn bars(rows: &[[f64; 3]]) -> Bars {
    let column = |index: usize| rows.iter().map(|row| row[index]).collect::<Vec<f64>>();
    let time = |offset: i64| {
        (0..)
            .take(rows.len())
            .map(|row| Utc(row + offset))
            .collect()
    };
    let (high, low, close) = (column(0), column(1), column(2));
    let volume = vec![f64::NAN; rows.len()];
    Bars {
        open_time: time(0),
        close_time: time(1),
        open: close.clone(),
        high,
        low,
        close,
        volume,
    }
}

fn closes(values: &[f64]) -> Bars {
    bars(&values.iter().map(|&value| [value; 3]).collect::<Vec<_>>())
}

/// BarLabels as text: `B3` = BUY looking three bars ahead, `-` = none.
fn text(labels: &BarLabels) -> String {
    let word = |(value, ahead): (&f32, &u32)| match labels.classes.get(*value as usize) {
        Some(class) if !value.is_nan() => format!("{}{ahead}", &class[..1]),
        _ => "-".to_owned(),
    };
    labels
        .values
        .iter()
        .zip(&labels.look_ahead)
        .map(word)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_forward_return_is_the_relative_change_and_the_last_rows_have_none() {
    let labels = compute_labels(
        &LabelSource::ForwardReturn { horizon: 2 },
        &closes(&[4.0, 5.0, 6.0, 2.5]),
    )
    .unwrap();
    assert_eq!(labels.values[..2], [0.5, -0.5]);
    assert!(labels.values[2].is_nan() && labels.values[3].is_nan());
    assert_eq!(labels.look_ahead, [2, 2, 0, 0]);
    assert!(labels.classes.is_empty());
}

/// At 10 %: up from 100 to 112 (confirmed by 100 at row 4: −10.7 %), down to 95 (confirmed by 105
/// at row 7: +10.5 %), then a rise that nothing confirms.
#[test]
fn zigzag_labels_look_to_the_bar_that_confirms_their_pivot_and_the_open_segment_has_none() {
    let labels = compute_labels(
        &LabelSource::Zigzag { threshold: 0.1 },
        &closes(&[100.0, 111.0, 105.0, 112.0, 100.0, 95.0, 97.0, 105.0, 106.0]),
    );
    assert_eq!(text(&labels.unwrap()), "H4 B3 B2 H1 S3 H2 - - -");
}

/// Without a reversal of 10 % nothing is known, however far the price drifts.
#[test]
fn zigzag_labels_nothing_before_the_first_confirmation() {
    let labels = compute_labels(
        &LabelSource::Zigzag { threshold: 0.1 },
        &closes(&[100.0, 104.0, 108.0, 120.0, 130.0]),
    )
    .unwrap();
    assert_eq!(text(&labels), "- - - - -");
}

/// Volatility is (high − low)/close, 2 % on every row here, whatever the span: barriers at +2 % and
/// −1 %, HOLD below ½·2 %·√3 = 1.73 % after three bars.
fn walk(later: &[[f64; 3]]) -> String {
    let mut rows = vec![[101.0, 99.0, 100.0]];
    rows.extend(later);
    let barrier = TripleBarrier {
        pt_multiplier: 1.0,
        sl_multiplier: 0.5,
        max_holding_period: 3,
        ..TripleBarrier::default()
    };
    let labels = compute_labels(&LabelSource::TripleBarrier(barrier), &bars(&rows)).unwrap();
    text(&labels).split(' ').next().unwrap().to_owned()
}

#[test]
fn the_barrier_met_first_decides_and_the_look_ahead_is_the_bars_until_then() {
    let quiet = [100.5, 99.5, 100.0];
    assert_eq!(
        walk(&[quiet, [102.0, 100.0, 101.0], quiet]),
        "B2",
        "the profit barrier is at 102"
    );
    assert_eq!(
        walk(&[[101.0, 99.0, 100.5], quiet, quiet]),
        "S1",
        "the loss barrier is at 99"
    );
    assert_eq!(
        walk(&[[103.0, 98.0, 100.0], quiet, quiet]),
        "B1",
        "both in one bar that closes at the entry"
    );
    assert_eq!(
        walk(&[[103.0, 98.0, 99.9], quiet, quiet]),
        "S1",
        "both in one bar that closes below the entry"
    );
    assert_eq!(
        walk(&[quiet, quiet, [101.8, 99.5, 101.7]]),
        "H3",
        "1.7 % in three bars is within the noise"
    );
    assert_eq!(
        walk(&[quiet, quiet, [101.8, 99.5, 101.75]]),
        "B3",
        "1.75 % is not"
    );
}

#[test]
fn rows_without_volatility_or_without_the_whole_walk_have_no_label() {
    let barrier = TripleBarrier {
        max_holding_period: 1,
        vol_method: VolatilityMethod::Std,
        ..TripleBarrier::default()
    };
    let labels = compute_labels(
        &LabelSource::TripleBarrier(barrier),
        &closes(&[100.0, 101.0, 100.0, 104.0, 104.0]),
    )
    .unwrap();
    // A deviation needs two returns, the first of which is at row 1.
    assert_eq!(text(&labels), "- - B1 H1 -");
}

/// Returns ln 2 and −ln 2 with span 3 (weights ½, 1): mean −ln 2/3; the unbiased weighted variance
/// of two values is half their squared difference, (2 ln 2)²/2, so the deviation is √2·ln 2.
#[test]
fn deviations_are_the_unbiased_weighted_ones() {
    let mut average = volatility::WeightedStatistics::new(3);
    let ln2 = std::f64::consts::LN_2;
    average.push(ln2).push(-ln2);
    assert!((average.mean() + ln2 / 3.0).abs() < 1e-15);
    assert!((average.deviation() - std::f64::consts::SQRT_2 * ln2).abs() < 1e-15);
}

#[test]
fn illegal_parameters_and_short_series_are_errors_with_a_hint() {
    let message = |source: &LabelSource, rows: usize| {
        let error = compute_labels(source, &closes(&vec![1.0; rows])).unwrap_err();
        format!("{error}; hint: {}", error.hint())
    };
    assert_eq!(
        message(&LabelSource::Zigzag { threshold: 1.0 }, 9),
        "labels.threshold is 1 but must be a number above 0 and below 1; hint: set threshold to a number above 0 and below 1"
    );
    assert_eq!(
        message(&LabelSource::ForwardReturn { horizon: 9 }, 9),
        "9 bars are too few for forward_return labels, which need 10; hint: use a longer date range, or a shorter horizon"
    );
    let both = TripleBarrier {
        pt_multiplier: f64::NAN,
        vol_span: 0,
        ..TripleBarrier::default()
    };
    assert_eq!(LabelSource::TripleBarrier(both).check().len(), 2);
}

#[test]
fn the_section_of_a_strategy_file_is_the_serialised_form_and_unknown_keys_are_refused() {
    let read = |text: &str| serde_json::from_str::<LabelSource>(text);
    assert_eq!(
        read(r#"{"source":"zigzag","zigzag_threshold":0.025}"#).unwrap(),
        LabelSource::Zigzag { threshold: 0.025 }
    );
    let regime = read(r#"{"source":"regime","macro_atr_mult":4.0}"#).unwrap();
    assert_eq!(
        regime,
        LabelSource::Regime(Regime {
            macro_atr_mult: 4.0,
            ..Regime::default()
        })
    );
    assert!(
        !serde_json::to_string(&regime)
            .unwrap()
            .contains("typical_range"),
        "an open threshold is not written"
    );
    assert_eq!(
        read(r#"{"source":"context"}"#).unwrap(),
        LabelSource::Context(ContextLabels::default())
    );
    assert_eq!(
        read(r#"{"source":"forward_return"}"#).unwrap(),
        LabelSource::ForwardReturn { horizon: 20 }
    );
    let barrier = TripleBarrier {
        vol_span: 20,
        ..TripleBarrier::default()
    };
    assert_eq!(
        read(r#"{"source":"triple_barrier","vol_span":20}"#).unwrap(),
        LabelSource::TripleBarrier(barrier)
    );
    for refused in [
        r#"{"source":"zigzag","label_lookahead":10}"#,
        r#"{"source":"triple_barrier","profit_target_atr":2}"#,
        r#"{"source":"oracle"}"#,
    ] {
        assert!(read(refused).is_err(), "{refused}");
    }
}

fn classes(source: LabelSource, closes_given: &[f64]) -> String {
    text(&compute_labels(&source, &closes(closes_given)).unwrap())
}

/// Row 0: +12 % two bars ahead beats −5 %. Row 1: neither move reaches 10 %. Row 2: −15 % comes
/// after one bar, too soon. Row 3: 85 is −10.5 % three bars ahead.
#[test]
fn a_zigzag_window_takes_the_stronger_move_that_does_not_come_too_soon() {
    let window = ZigzagWindow {
        threshold: 0.1,
        lookahead: 3,
        min_swing_length: 2,
    };
    let labels = classes(
        LabelSource::ZigzagWindow(window),
        &[100.0, 105.0, 112.0, 95.0, 99.0, 100.0, 85.0],
    );
    assert_eq!(labels, "B3 H3 H3 S3 - - -");
}

#[test]
fn a_context_is_the_coming_return_against_two_thresholds() {
    let context = LabelSource::Context(ContextLabels {
        horizon: 1,
        bullish: 0.01,
        bearish: -0.01,
    });
    let labels = compute_labels(&context, &closes(&[100.0, 102.0, 100.0, 100.5])).unwrap();
    assert_eq!(labels.values[..3], [0.0, 1.0, 2.0]);
    assert_eq!(labels.look_ahead, [1, 1, 1, 0]);
    let crossed = ContextLabels {
        bullish: -0.01,
        bearish: 0.01,
        ..ContextLabels::default()
    };
    assert_eq!(LabelSource::Context(crossed).check().len(), 1);
}

/// Two returns back, two ahead. Up: the path leads 2 of 2. Down likewise. There and back leads
/// nowhere. After two steady returns a swing of −14 % is turmoil.
#[test]
fn efficiency_tells_trends_from_ranges_and_turmoil() {
    let regime = EfficiencyRegime {
        horizon: 2,
        vol_lookback: 2,
        ..EfficiencyRegime::default()
    };
    let last = |prices: &[f64]| classes(LabelSource::EfficiencyRegime(regime), prices);
    assert_eq!(last(&[100.0, 101.0, 100.0, 101.0, 102.0]), "- - U2 - -");
    assert_eq!(last(&[100.0, 101.0, 100.0, 99.0, 98.0]), "- - D2 - -");
    assert_eq!(last(&[100.0, 101.0, 100.0, 101.0, 100.0]), "- - R2 - -");
    assert_eq!(last(&[100.0, 101.0, 102.0, 110.0, 95.0]), "- - V2 - -");
}

/// A range of 2 on a price of 100 is 2 %: macro pivots reverse by 6 %, micro pivots by 2 %.
#[test]
fn regimes_are_rising_lows_in_a_confirmed_segment() {
    let flat = bars(&[[101.0, 99.0, 100.0]; 5]);
    let open = LabelSource::Regime(Regime {
        atr_period: 2,
        vol_lookback: 100,
        ..Regime::default()
    });
    let fitted = open.fitted(&flat).unwrap();
    assert_eq!(
        fitted,
        LabelSource::Regime(Regime {
            atr_period: 2,
            vol_lookback: 100,
            typical_range: Some(0.02),
            ..Regime::default()
        })
    );
    // 110 is confirmed by 103 (−6.4 %) in row 6; on the way the lows 100, 101.5 and 104 rise.
    assert_eq!(
        classes(fitted, &[100.0, 104.0, 101.5, 107.0, 104.0, 110.0, 103.0]),
        "U6 U5 U4 U3 U2 - -"
    );
    // The mirror image: 100 is confirmed by 107; the highs 110, 107 and 105 fall.
    assert_eq!(
        classes(fitted, &[110.0, 104.0, 107.0, 102.0, 105.0, 100.0, 107.0]),
        "D6 D5 D4 D3 D2 - -"
    );
    // A straight rise has two micro pivots only.
    assert_eq!(
        classes(fitted, &[100.0, 103.0, 107.0, 110.0, 103.0]),
        "R4 R3 R2 - -"
    );
}

/// Steady returns of 1 % before, then 7 % up and 6 % down: rows 2 and 3 are volatile, and known
/// with the pivot or with the two returns ahead, whichever comes later.
#[test]
fn turmoil_ahead_comes_before_the_trend() {
    let regime = Regime {
        atr_period: 2,
        vol_lookback: 2,
        typical_range: Some(0.02),
        ..Regime::default()
    };
    let labels = classes(
        LabelSource::Regime(regime),
        &[100.0, 101.0, 102.0, 103.0, 110.0, 103.0],
    );
    assert_eq!(labels, "R5 R4 V3 V2 - -");
}

#[test]
fn a_threshold_that_is_a_statistic_is_fitted_once_and_then_frozen() {
    let open = LabelSource::Regime(Regime::default());
    let message = |error: LabelError| format!("{error}; hint: {}", error.hint());
    assert_eq!(
        message(compute_labels(&open, &closes(&[1.0; 40])).unwrap_err()),
        "regime needs a threshold that is fitted on the training part; hint: call `fitted` with the bars of the training part first"
    );
    assert_eq!(
        message(open.fitted(&closes(&[1.0; 40])).unwrap_err()),
        "40 bars give no usable threshold for regime: it would be 0; hint: use a longer training part, or another multiplier"
    );
    let wild = bars(&[[150.0, 50.0, 100.0]; 40]);
    let fitted = open.fitted(&bars(&[[101.0, 99.0, 100.0]; 40])).unwrap();
    assert_eq!(
        fitted.fitted(&wild).unwrap(),
        fitted,
        "what is frozen is not fitted again"
    );
    let filter = EventFilter {
        vol_span: 3,
        ..EventFilter::default()
    };
    // Returns ln 2 and −ln 2 have one deviation, √2·ln 2, of which the threshold is half.
    let threshold = filter
        .fitted(&closes(&[1.0, 2.0, 1.0]))
        .unwrap()
        .threshold
        .unwrap();
    assert!((threshold - std::f64::consts::FRAC_1_SQRT_2 * std::f64::consts::LN_2).abs() < 1e-15);
    assert!(
        filter.events(&closes(&[1.0; 3])).is_err() && filter.fitted(&closes(&[1.0; 9])).is_err()
    );
}

/// Returns 1.6 %, 1.6 %, −3 %, 0 with h = 1 %: up = 0.6, 1.2 (event), then 0; down = −2 (event).
#[test]
fn events_are_drifts_beyond_the_threshold_and_join_labels_by_row() {
    let prices: Vec<f64> = [0.0, 0.016, 0.032, 0.002, 0.002]
        .iter()
        .map(|log: &f64| log.exp())
        .collect();
    let events = EventFilter {
        threshold: Some(0.01),
        ..EventFilter::default()
    }
    .events(&closes(&prices))
    .unwrap();
    assert_eq!(events, [false, false, true, true, false]);
    let mut labels =
        compute_labels(&LabelSource::ForwardReturn { horizon: 1 }, &closes(&prices)).unwrap();
    labels.keep(&events).unwrap();
    assert_eq!(
        labels
            .values
            .iter()
            .map(|value| value.is_nan())
            .collect::<Vec<_>>(),
        [true, true, false, false, true]
    );
    assert_eq!(labels.look_ahead, [0, 0, 1, 1, 0]);
    assert_eq!(
        labels.keep(&events[1..]).unwrap_err().to_string(),
        "a mask of 4 rows cannot be joined with 5 labels"
    );
}

/// Active on bars {0, 1}, {1, 2} and {2}: 1, 2 and 2 labels at once, weights (1 + 1/2)/2, 1/2 and
/// 1/2. Without the middle one the other two are alone, each on its own bars, which are counted in
/// the series and not among the labels that are left.
#[test]
fn labels_that_share_their_bars_weigh_less() {
    let mut labels = BarLabels {
        values: vec![0.0, 1.0, 2.0, f32::NAN],
        look_ahead: vec![2, 2, 1, 0],
        classes: SIGNAL_CLASSES,
    };
    let close = |weights: &[f64], expected: [f64; 4]| {
        weights
            .iter()
            .zip(expected)
            .all(|(weight, expected)| (weight - expected).abs() < 1e-15)
    };
    assert!(close(&uniqueness_weights(&labels), [0.75, 0.5, 0.5, 0.0]));
    labels.keep(&[true, false, true, true]).unwrap();
    assert!(close(&uniqueness_weights(&labels), [1.0, 0.0, 1.0, 0.0]));
}

/// One source of every kind, with parameters for a short series that moves by about 2 % a bar.
fn every_source() -> Vec<LabelSource> {
    let window = ZigzagWindow {
        threshold: 0.03,
        lookahead: 5,
        min_swing_length: 2,
    };
    let regime = Regime {
        atr_period: 3,
        vol_lookback: 5,
        typical_range: Some(0.02),
        ..Regime::default()
    };
    let efficiency = EfficiencyRegime {
        horizon: 4,
        vol_lookback: 5,
        ..EfficiencyRegime::default()
    };
    vec![
        LabelSource::ForwardReturn { horizon: 3 },
        LabelSource::TripleBarrier(TripleBarrier {
            max_holding_period: 6,
            vol_span: 5,
            ..TripleBarrier::default()
        }),
        LabelSource::Zigzag { threshold: 0.05 },
        LabelSource::ZigzagWindow(window),
        LabelSource::Regime(regime),
        LabelSource::EfficiencyRegime(efficiency),
        LabelSource::Context(ContextLabels {
            horizon: 3,
            ..ContextLabels::default()
        }),
    ]
}

/// A swinging price, without randomness.
fn swings(rows: u32) -> Vec<[f64; 3]> {
    let price = |row: f64| {
        100.0 + 8.0 * (row / 7.0).sin() + 3.0 * (row * 1.3).sin() + 2.0 * (row * 2.9).cos()
    };
    (0..rows)
        .map(|row| price(f64::from(row)))
        .map(|close| [close * 1.01, close * 0.99, close])
        .collect()
}

/// The declared look-ahead is no looser than it must be: the last bar of it decides at least some
/// labels.
#[test]
fn at_the_edge_of_the_look_ahead_some_labels_of_every_source_change() {
    let rows = swings(200);
    for source in every_source() {
        let labels = compute_labels(&source, &bars(&rows)).unwrap();
        let changes = |row: usize, scale: f64| {
            let mut changed = rows.clone();
            let edge = row + labels.look_ahead[row] as usize;
            changed[edge] = changed[edge].map(|price| price * scale);
            let other = compute_labels(&source, &bars(&changed)).unwrap();
            other.values[row].to_bits() != labels.values[row].to_bits()
                || other.look_ahead[row] != labels.look_ahead[row]
        };
        let labelled: Vec<usize> = (0..rows.len())
            .filter(|row| !labels.values[*row].is_nan())
            .collect();
        let decided = labelled
            .iter()
            .filter(|row| changes(**row, 0.8) || changes(**row, 1.25))
            .count();
        assert!(
            labelled.len() > 50 && decided > labelled.len() / 10,
            "{}: {decided} of {}",
            source.name(),
            labelled.len()
        );
    }
}

fn any_source() -> impl Strategy<Value = LabelSource> {
    let method = prop::sample::select(vec![VolatilityMethod::Atr, VolatilityMethod::Std]);
    prop_oneof![
        (1u32..8).prop_map(|horizon| LabelSource::ForwardReturn { horizon }),
        (0.001..0.2).prop_map(|threshold| LabelSource::Zigzag { threshold }),
        (0.001..0.2, 1u32..8, 0u32..4).prop_map(|(threshold, lookahead, min_swing_length)| {
            LabelSource::ZigzagWindow(ZigzagWindow {
                threshold,
                lookahead,
                min_swing_length,
            })
        }),
        (
            1.0..4.0,
            0.1..1.0,
            2u32..5,
            2u32..6,
            0.1..3.0,
            0.0..=1.0,
            0.001..0.03
        )
            .prop_map(
                |(
                    macro_atr_mult,
                    micro,
                    atr_period,
                    vol_lookback,
                    vol_crisis_threshold,
                    progression_tolerance,
                    range,
                )| {
                    LabelSource::Regime(Regime {
                        macro_atr_mult,
                        micro_atr_mult: macro_atr_mult * micro,
                        atr_period,
                        vol_lookback,
                        vol_crisis_threshold,
                        progression_tolerance,
                        typical_range: Some(range),
                    })
                }
            ),
        (2u32..5, 0.0..=1.0, 2u32..5, 0.1..3.0).prop_map(
            |(horizon, trending_threshold, vol_lookback, vol_crisis_threshold)| {
                LabelSource::EfficiencyRegime(EfficiencyRegime {
                    horizon,
                    trending_threshold,
                    vol_lookback,
                    vol_crisis_threshold,
                })
            }
        ),
        (1u32..8, 0.0..0.05).prop_map(|(horizon, bullish)| {
            LabelSource::Context(ContextLabels {
                horizon,
                bullish,
                bearish: -0.001 - bullish,
            })
        }),
        (0.1..3.0, 0.1..3.0, 1u32..9, 1u32..9, method).prop_map(
            |(pt_multiplier, sl_multiplier, max_holding_period, vol_span, vol_method)| {
                LabelSource::TripleBarrier(TripleBarrier {
                    pt_multiplier,
                    sl_multiplier,
                    max_holding_period,
                    vol_span,
                    vol_method,
                })
            }
        ),
    ]
}

/// Around 100, sometimes missing.
fn any_row() -> impl Strategy<Value = [f64; 3]> {
    prop_oneof![
        12 => (90.0..110.0, 0.0..3.0, 0.0..3.0).prop_map(|(close, up, down): (f64, f64, f64)| [close + up, close - down, close]),
        1 => prop::array::uniform3(prop::sample::select(vec![f64::NAN, f64::INFINITY, 0.0, -1.0, 1e308])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bars_after_the_look_ahead_change_no_label(
        source in any_source(),
        rows in prop::collection::vec(any_row(), 10..60),
        others in prop::collection::vec(any_row(), 60),
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
    fn removing_later_bars_takes_away_the_labels_that_look_at_them_and_no_others(
        source in any_source(),
        rows in prop::collection::vec(any_row(), 10..60),
        kept in any::<prop::sample::Index>(),
    ) {
        let kept = kept.index(rows.len());
        let labels = compute_labels(&source, &bars(&rows)).unwrap();
        let Ok(shorter) = compute_labels(&source, &bars(&rows[..kept])) else { return Ok(()) };
        let tail = if let LabelSource::TripleBarrier(barrier) = source { barrier.max_holding_period as usize } else { 0 };
        for row in 0..kept {
            let known = row + (labels.look_ahead[row] as usize) < kept && row + tail < kept;
            let (value, ahead) = if known { (labels.values[row], labels.look_ahead[row]) } else { (f32::NAN, 0) };
            prop_assert_eq!(value.is_nan(), shorter.values[row].is_nan(), "row {}", row);
            prop_assert!(value.is_nan() || value == shorter.values[row], "row {}", row);
            prop_assert!(value.is_nan() || ahead == shorter.look_ahead[row], "row {}", row);
        }
    }

    #[test]
    fn events_read_the_past_only_and_a_weight_is_a_share_of_its_bars(
        source in any_source(),
        rows in prop::collection::vec(any_row(), 10..60),
        kept in any::<prop::sample::Index>(),
    ) {
        let kept = kept.index(rows.len());
        let filter = EventFilter { threshold: Some(0.02), ..EventFilter::default() };
        let events = filter.events(&bars(&rows)).unwrap();
        prop_assert_eq!(&filter.events(&bars(&rows[..kept])).unwrap()[..], &events[..kept]);
        let mut labels = compute_labels(&source, &bars(&rows)).unwrap();
        labels.keep(&events).unwrap();
        let weights = uniqueness_weights(&labels);
        // Every bar that some label is active on is given away once, in equal shares.
        let span = |row: usize| row..row + (labels.look_ahead[row] as usize).max(1);
        let labelled = || (0..rows.len()).filter(|row| !labels.values[*row].is_nan());
        let covered: std::collections::BTreeSet<usize> = labelled().flat_map(span).collect();
        let given: f64 = labelled().map(|row| weights[row] * span(row).len() as f64).sum();
        prop_assert!((given - covered.len() as f64).abs() < 1e-9);
        for (weight, value) in weights.iter().zip(&labels.values) {
            let legal = if value.is_nan() { 0.0..=0.0 } else { f64::MIN_POSITIVE..=1.0 + 1e-9 };
            prop_assert!(legal.contains(weight), "{} for {}", weight, value);
        }
    }

    #[test]
    fn no_input_panics_and_look_ahead_stays_inside_the_series(
        source in any_source(),
        rows in prop::collection::vec(any_row(), 0..40),
    ) {
        if let Ok(labels) = compute_labels(&source, &bars(&rows)) {
            prop_assert_eq!(labels.values.len(), rows.len());
            for (row, (value, ahead)) in labels.values.iter().zip(&labels.look_ahead).enumerate() {
                prop_assert!(value.is_nan() || row + (*ahead as usize) < rows.len());
                prop_assert!(value.is_nan() || labels.classes.is_empty() || (*value as usize) < labels.classes.len());
            }
        }
    }
}
