//! Labels worked by hand, and the promise that no label changes with bars beyond its look-ahead.

mod properties;
mod regimes;
mod triple_barriers;

use market::{Bars, Utc};

use super::*;

/// High, low and close of a bar.
type Prices = [f64; 3];

/// Bars from rows of high, low, close; the open equals the close.
fn bars(rows: &[Prices]) -> Bars {
    let column = |index: usize| rows.iter().map(|row| row[index]).collect::<Vec<f64>>();
    let times = |offset: i64| {
        (0..)
            .take(rows.len())
            .map(|row| Utc(row + offset))
            .collect()
    };

    Bars {
        open_time: times(0),
        close_time: times(1),
        open: column(2),
        high: column(0),
        low: column(1),
        close: column(2),
        volume: vec![f64::NAN; rows.len()],
    }
}

fn closes(values: &[f64]) -> Bars {
    bars(&values.iter().map(|&value| [value; 3]).collect::<Vec<_>>())
}

/// Labels as text: `B3` = BUY looking three bars ahead, `-` = none.
fn text(labels: &BarLabels) -> String {
    let words: Vec<String> = labels
        .values
        .iter()
        .zip(&labels.look_ahead)
        .map(|(value, look_ahead)| {
            if value.is_nan() {
                return "-".to_owned();
            }
            let class = labels.classes[*value as usize];
            format!("{}{look_ahead}", &class[..1])
        })
        .collect();

    words.join(" ")
}

fn classes(source: LabelSource, close: &[f64]) -> String {
    text(&compute_labels(&source, &closes(close)).unwrap())
}

fn message(error: &LabelError) -> String {
    format!("{error}; hint: {}", error.hint())
}

#[test]
fn a_forward_return_is_the_relative_change_of_the_close() {
    let source = LabelSource::ForwardReturn { horizon: 2 };

    let labels = compute_labels(&source, &closes(&[4.0, 5.0, 6.0, 2.5])).unwrap();

    assert_eq!(labels.values[..2], [0.5, -0.5]);
    assert!(labels.values[2].is_nan() && labels.values[3].is_nan());
    assert_eq!(labels.look_ahead, [2, 2, 0, 0]);
    assert!(labels.classes.is_empty());
}

/// At 10 %: up from 100 to 112 (confirmed by 100 at row 4: −10.7 %), down to 95 (confirmed by 105
/// at row 7: +10.5 %), then a rise that nothing confirms.
#[test]
fn zigzag_labels_look_to_the_bar_that_confirms_their_pivot() {
    let labels = classes(
        LabelSource::Zigzag { threshold: 0.1 },
        &[100.0, 111.0, 105.0, 112.0, 100.0, 95.0, 97.0, 105.0, 106.0],
    );

    assert_eq!(labels, "H4 B3 B2 H1 S3 H2 - - -");
}

/// Without a reversal of 10 % nothing is known, however far the price drifts.
#[test]
fn zigzag_labels_nothing_before_the_first_confirmation() {
    let labels = classes(
        LabelSource::Zigzag { threshold: 0.1 },
        &[100.0, 104.0, 108.0, 120.0, 130.0],
    );

    assert_eq!(labels, "- - - - -");
}

/// Row 0: +12 % two bars ahead beats −5 %. Row 1: neither move reaches 10 %. Row 2: −15 % comes
/// after one bar, too soon. Row 3: 85 is −10.5 % three bars ahead.
#[test]
fn a_zigzag_window_takes_the_stronger_move_that_is_not_too_soon() {
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

    let labels = classes(context, &[100.0, 102.0, 100.0, 100.5]);

    // BULLISH and BEARISH begin with one letter: 102 is +2 %, 100 is −2 %, 100.5 is +0.5 %.
    assert_eq!(labels, "B1 B1 N1 -");
    let values = compute_labels(&context, &closes(&[100.0, 102.0, 100.0, 100.5])).unwrap();
    assert_eq!(values.values[..3], [0.0, 1.0, 2.0]);
}

/// Returns ln 2 and −ln 2 with span 3 (weights ½, 1): mean −ln 2/3; the unbiased weighted variance
/// of two values is half their squared difference, (2 ln 2)²/2, so the deviation is √2·ln 2.
#[test]
fn deviations_are_the_unbiased_weighted_ones() {
    let mut statistics = volatility::WeightedStatistics::new(3);
    let ln2 = std::f64::consts::LN_2;

    statistics.push(ln2).push(-ln2);

    assert!((statistics.mean() + ln2 / 3.0).abs() < 1e-15);
    assert!((statistics.deviation() - std::f64::consts::SQRT_2 * ln2).abs() < 1e-15);
}

#[test]
fn an_illegal_parameter_is_refused_with_its_bounds() {
    let error =
        compute_labels(&LabelSource::Zigzag { threshold: 1.0 }, &closes(&[1.0; 9])).unwrap_err();

    assert_eq!(
        message(&error),
        "labels.threshold is 1 but must be a number above 0 and below 1; \
         hint: set threshold to a number above 0 and below 1"
    );
}

#[test]
fn every_illegal_parameter_is_reported() {
    let barrier = TripleBarrier {
        pt_multiplier: f64::NAN,
        vol_span: 0,
        ..TripleBarrier::default()
    };
    assert_eq!(LabelSource::TripleBarrier(barrier).check().len(), 2);

    let crossed = ContextLabels {
        bullish: -0.01,
        bearish: 0.01,
        ..ContextLabels::default()
    };
    assert_eq!(LabelSource::Context(crossed).check().len(), 1);
}

#[test]
fn a_series_without_a_single_label_is_refused() {
    let source = LabelSource::ForwardReturn { horizon: 9 };

    let error = compute_labels(&source, &closes(&[1.0; 9])).unwrap_err();

    assert_eq!(
        message(&error),
        "9 bars are too few for forward_return labels, which need 10; \
         hint: use a longer date range, or a shorter horizon"
    );
}

fn read_source(json: &str) -> serde_json::Result<LabelSource> {
    serde_json::from_str(json)
}

#[test]
fn the_serialised_form_is_the_section_of_a_strategy_file() {
    let cases = [
        (
            r#"{"source":"zigzag","zigzag_threshold":0.025}"#,
            LabelSource::Zigzag { threshold: 0.025 },
        ),
        (
            r#"{"source":"regime","macro_atr_mult":4.0}"#,
            LabelSource::Regime(Regime {
                macro_atr_mult: 4.0,
                ..Regime::default()
            }),
        ),
        (
            r#"{"source":"context"}"#,
            LabelSource::Context(ContextLabels::default()),
        ),
        (
            r#"{"source":"forward_return"}"#,
            LabelSource::ForwardReturn { horizon: 20 },
        ),
        (
            r#"{"source":"triple_barrier","vol_span":20}"#,
            LabelSource::TripleBarrier(TripleBarrier {
                vol_span: 20,
                ..TripleBarrier::default()
            }),
        ),
    ];

    for (json, expected) in cases {
        assert_eq!(read_source(json).unwrap(), expected, "{json}");
    }
}

#[test]
fn unknown_keys_and_sources_are_refused() {
    for json in [
        r#"{"source":"zigzag","label_lookahead":10}"#,
        r#"{"source":"triple_barrier","profit_target_atr":2}"#,
        r#"{"source":"oracle"}"#,
    ] {
        assert!(read_source(json).is_err(), "{json}");
    }
}

#[test]
fn a_threshold_that_is_not_fitted_is_not_written() {
    let open = serde_json::to_string(&LabelSource::Regime(Regime::default())).unwrap();

    assert!(!open.contains("typical_range"), "{open}");
}

/// Returns ln 2 and −ln 2 have one deviation, √2·ln 2, of which the threshold is half.
#[test]
fn an_event_threshold_is_a_multiple_of_the_mean_deviation() {
    let filter = EventFilter {
        vol_span: 3,
        ..EventFilter::default()
    };

    let fitted = filter.fitted(&closes(&[1.0, 2.0, 1.0])).unwrap();

    let expected = std::f64::consts::FRAC_1_SQRT_2 * std::f64::consts::LN_2;
    assert!((fitted.threshold.unwrap() - expected).abs() < 1e-15);
}

#[test]
fn events_without_a_threshold_are_refused() {
    let filter = EventFilter::default();
    let flat = closes(&[1.0; 9]);

    assert!(filter.events(&flat).is_err(), "it is not fitted");
    assert!(filter.fitted(&flat).is_err(), "nothing moves");
}

/// Prices with the returns 1.6 %, 1.6 %, −3 % and 0.
fn drifting_closes() -> Bars {
    let logs: [f64; 5] = [0.0, 0.016, 0.032, 0.002, 0.002];
    closes(&logs.map(f64::exp))
}

/// With h = 1 %: up = 0.6, 1.2 (event), then 0; down = −2 (event).
#[test]
fn events_are_drifts_beyond_the_threshold() {
    let filter = EventFilter {
        threshold: Some(0.01),
        ..EventFilter::default()
    };

    let events = filter.events(&drifting_closes()).unwrap();

    assert_eq!(events, [false, false, true, true, false]);
}

#[test]
fn labels_join_events_by_row() {
    let source = LabelSource::ForwardReturn { horizon: 1 };
    let mut labels = compute_labels(&source, &drifting_closes()).unwrap();
    let events = [false, false, true, true, false];

    labels.keep(&events).unwrap();

    let is_labelled = labels.values.iter().map(|value| !value.is_nan());
    assert!(is_labelled.eq(events));
    assert_eq!(labels.look_ahead, [0, 0, 1, 1, 0]);
    assert_eq!(
        labels.keep(&events[1..]).unwrap_err().to_string(),
        "a mask of 4 rows cannot be joined with 5 labels"
    );
}

fn assert_weights(labels: &BarLabels, expected: [f64; 4]) {
    let weights = uniqueness_weights(labels);

    for (weight, expected) in weights.iter().zip(expected) {
        assert!((weight - expected).abs() < 1e-15, "{weights:?}");
    }
}

/// Active on bars {0, 1}, {1, 2} and {2}: 1, 2 and 2 labels at once, weights (1 + 1/2)/2, 1/2 and
/// 1/2. Without the middle one the other two are alone, each on its own bars, which are counted in
/// the series and not among the remaining labels.
#[test]
fn labels_that_share_their_bars_weigh_less() {
    let mut labels = BarLabels {
        values: vec![0.0, 1.0, 2.0, f32::NAN],
        look_ahead: vec![2, 2, 1, 0],
        classes: SIGNAL_CLASSES,
    };
    assert_weights(&labels, [0.75, 0.5, 0.5, 0.0]);

    labels.keep(&[true, false, true, true]).unwrap();
    assert_weights(&labels, [1.0, 0.0, 1.0, 0.0]);
}
