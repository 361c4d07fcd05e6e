//! Labels worked by hand, and the promise that no label changes with bars beyond its look-ahead.

use market::{Bars, Utc};
use proptest::prelude::*;

use super::*;

/// Bars from rows of high, low, close; the open equals the close.
fn bars(rows: &[[f64; 3]]) -> Bars {
    let column = |index: usize| rows.iter().map(|row| row[index]).collect::<Vec<f64>>();
    let time = |offset: i64| (0..).take(rows.len()).map(|row| Utc(row + offset)).collect();
    let (high, low, close) = (column(0), column(1), column(2));
    let volume = vec![f64::NAN; rows.len()];
    Bars { open_time: time(0), close_time: time(1), open: close.clone(), high, low, close, volume }
}

fn closes(values: &[f64]) -> Bars {
    bars(&values.iter().map(|&value| [value; 3]).collect::<Vec<_>>())
}

/// Labels as text: `B3` = BUY looking three bars ahead, `-` = none.
fn text(labels: &Labels) -> String {
    let word = |(value, ahead): (&f32, &u32)| match labels.classes.get(*value as usize) {
        Some(class) if !value.is_nan() => format!("{}{ahead}", &class[..1]),
        _ => "-".to_owned(),
    };
    labels.values.iter().zip(&labels.look_ahead).map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_forward_return_is_the_relative_change_and_the_last_rows_have_none() {
    let labels = compute(&LabelSource::ForwardReturn { horizon: 2 }, &closes(&[4.0, 5.0, 6.0, 2.5])).unwrap();
    assert_eq!(labels.values[..2], [0.5, -0.5]);
    assert!(labels.values[2].is_nan() && labels.values[3].is_nan());
    assert_eq!(labels.look_ahead, [2, 2, 0, 0]);
    assert!(labels.classes.is_empty());
}

/// At 10 %: up from 100 to 112 (confirmed by 100 at row 4: −10.7 %), down to 95 (confirmed by 105 at row 7: +10.5 %),
/// then a rise that nothing confirms.
#[test]
fn zigzag_labels_look_to_the_bar_that_confirms_their_pivot_and_the_open_segment_has_none() {
    let labels = compute(
        &LabelSource::Zigzag { threshold: 0.1 },
        &closes(&[100.0, 111.0, 105.0, 112.0, 100.0, 95.0, 97.0, 105.0, 106.0]),
    );
    assert_eq!(text(&labels.unwrap()), "H4 B3 B2 H1 S3 H2 - - -");
}

/// Without a reversal of 10 % nothing is known, however far the price drifts.
#[test]
fn zigzag_labels_nothing_before_the_first_confirmation() {
    let labels =
        compute(&LabelSource::Zigzag { threshold: 0.1 }, &closes(&[100.0, 104.0, 108.0, 120.0, 130.0])).unwrap();
    assert_eq!(text(&labels), "- - - - -");
}

/// Volatility is (high − low)/close, 2 % on every row here, whatever the span: barriers at +2 % and −1 %, HOLD below
/// ½·2 %·√3 = 1.73 % after three bars.
fn walk(later: &[[f64; 3]]) -> String {
    let mut rows = vec![[101.0, 99.0, 100.0]];
    rows.extend(later);
    let barrier =
        TripleBarrier { pt_multiplier: 1.0, sl_multiplier: 0.5, max_holding_period: 3, ..TripleBarrier::default() };
    let labels = compute(&LabelSource::TripleBarrier(barrier), &bars(&rows)).unwrap();
    text(&labels).split(' ').next().unwrap().to_owned()
}

#[test]
fn the_barrier_met_first_decides_and_the_look_ahead_is_the_bars_until_then() {
    let quiet = [100.5, 99.5, 100.0];
    assert_eq!(walk(&[quiet, [102.0, 100.0, 101.0], quiet]), "B2", "the profit barrier is at 102");
    assert_eq!(walk(&[[101.0, 99.0, 100.5], quiet, quiet]), "S1", "the loss barrier is at 99");
    assert_eq!(walk(&[[103.0, 98.0, 100.0], quiet, quiet]), "B1", "both in one bar that closes at the entry");
    assert_eq!(walk(&[[103.0, 98.0, 99.9], quiet, quiet]), "S1", "both in one bar that closes below the entry");
    assert_eq!(walk(&[quiet, quiet, [101.8, 99.5, 101.7]]), "H3", "1.7 % in three bars is within the noise");
    assert_eq!(walk(&[quiet, quiet, [101.8, 99.5, 101.75]]), "B3", "1.75 % is not");
}

#[test]
fn rows_without_volatility_or_without_the_whole_walk_have_no_label() {
    let barrier =
        TripleBarrier { max_holding_period: 1, vol_method: VolatilityMethod::Std, ..TripleBarrier::default() };
    let labels = compute(&LabelSource::TripleBarrier(barrier), &closes(&[100.0, 101.0, 100.0, 104.0, 104.0])).unwrap();
    // A deviation needs two returns, the first of which is at row 1.
    assert_eq!(text(&labels), "- - B1 H1 -");
}

/// Returns ln 2 and −ln 2 with span 3 (weights ½, 1): mean −ln 2/3; the unbiased weighted variance of two values is half
/// their squared difference, (2 ln 2)²/2, so the deviation is √2·ln 2.
#[test]
fn deviations_are_the_unbiased_weighted_ones() {
    let mut average = triple_barrier::Weighted::new(3);
    let ln2 = std::f64::consts::LN_2;
    average.push(ln2).push(-ln2);
    assert!((average.mean() + ln2 / 3.0).abs() < 1e-15);
    assert!((average.deviation() - std::f64::consts::SQRT_2 * ln2).abs() < 1e-15);
}

#[test]
fn illegal_parameters_and_short_series_are_errors_with_a_hint() {
    let message = |source: &LabelSource, rows: usize| {
        let error = compute(source, &closes(&vec![1.0; rows])).unwrap_err();
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
    let both = TripleBarrier { pt_multiplier: f64::NAN, vol_span: 0, ..TripleBarrier::default() };
    assert_eq!(LabelSource::TripleBarrier(both).check().len(), 2);
}

#[test]
fn the_section_of_a_strategy_file_is_the_serialised_form_and_unknown_keys_are_refused() {
    let read = |text: &str| serde_json::from_str::<LabelSource>(text);
    assert_eq!(
        read(r#"{"source":"zigzag","zigzag_threshold":0.025}"#).unwrap(),
        LabelSource::Zigzag { threshold: 0.025 }
    );
    assert_eq!(read(r#"{"source":"forward_return"}"#).unwrap(), LabelSource::ForwardReturn { horizon: 20 });
    let barrier = TripleBarrier { vol_span: 20, ..TripleBarrier::default() };
    assert_eq!(read(r#"{"source":"triple_barrier","vol_span":20}"#).unwrap(), LabelSource::TripleBarrier(barrier));
    for refused in [
        r#"{"source":"zigzag","label_lookahead":10}"#,
        r#"{"source":"triple_barrier","profit_target_atr":2}"#,
        r#"{"source":"oracle"}"#,
    ] {
        assert!(read(refused).is_err(), "{refused}");
    }
}

fn any_source() -> impl Strategy<Value = LabelSource> {
    let method = prop::sample::select(vec![VolatilityMethod::Atr, VolatilityMethod::Std]);
    prop_oneof![
        (1u32..8).prop_map(|horizon| LabelSource::ForwardReturn { horizon }),
        (0.001..0.2).prop_map(|threshold| LabelSource::Zigzag { threshold }),
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
        let labels = compute(&source, &bars(&rows)).unwrap();
        let later = compute(&source, &bars(&changed)).unwrap();
        for row in 0..rows.len() {
            if !labels.values[row].is_nan() && row + (labels.look_ahead[row] as usize) < from {
                prop_assert_eq!(labels.values[row], later.values[row], "row {}", row);
                prop_assert_eq!(labels.look_ahead[row], later.look_ahead[row], "row {}", row);
            }
        }
    }

    #[test]
    fn no_input_panics_and_look_ahead_stays_inside_the_series(
        source in any_source(),
        rows in prop::collection::vec(any_row(), 0..40),
    ) {
        if let Ok(labels) = compute(&source, &bars(&rows)) {
            prop_assert_eq!(labels.values.len(), rows.len());
            for (row, (value, ahead)) in labels.values.iter().zip(&labels.look_ahead).enumerate() {
                prop_assert!(value.is_nan() || row + (*ahead as usize) < rows.len());
                prop_assert!(value.is_nan() || labels.classes.is_empty() || (*value as usize) < labels.classes.len());
            }
        }
    }
}
