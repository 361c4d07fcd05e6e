//! Regimes worked by hand, by zigzags and by efficiency.

use super::{bars, classes, closes, message};
use crate::labels::{EfficiencyRegime, LabelSource, Regime, compute_labels};

fn efficiency_classes(close: &[f64]) -> String {
    let regime = EfficiencyRegime {
        horizon: 2,
        vol_lookback: 2,
        ..EfficiencyRegime::default()
    };
    classes(LabelSource::EfficiencyRegime(regime), close)
}

/// Two returns back, two ahead: the path leads 2 of 2, up or down.
#[test]
fn an_efficient_path_is_a_trend() {
    assert_eq!(
        efficiency_classes(&[100.0, 101.0, 100.0, 101.0, 102.0]),
        "- - U2 - -"
    );
    assert_eq!(
        efficiency_classes(&[100.0, 101.0, 100.0, 99.0, 98.0]),
        "- - D2 - -"
    );
}

#[test]
fn there_and_back_is_a_range() {
    let labels = efficiency_classes(&[100.0, 101.0, 100.0, 101.0, 100.0]);
    assert_eq!(labels, "- - R2 - -");
}

/// After two steady returns a swing of −14 % is turmoil.
#[test]
fn a_swing_after_steady_returns_is_volatile() {
    let labels = efficiency_classes(&[100.0, 101.0, 102.0, 110.0, 95.0]);
    assert_eq!(labels, "- - V2 - -");
}

/// A range of 2 on a price of 100 is 2 %: macro pivots reverse by 6 %, micro pivots by 2 %. There
/// are too few bars for a volatility to compare with.
fn fitted_regime() -> LabelSource {
    let open = LabelSource::Regime(Regime {
        atr_period: 2,
        vol_lookback: 100,
        ..Regime::default()
    });
    open.fitted(&bars(&[[101.0, 99.0, 100.0]; 5])).unwrap()
}

#[test]
fn the_typical_range_is_fitted_as_a_fraction_of_the_price() {
    let LabelSource::Regime(regime) = fitted_regime() else {
        panic!("these are regime labels")
    };
    assert_eq!(regime.typical_range, Some(0.02));
}

/// 110 is confirmed by 103 (−6.4 %) in row 6; on the way the lows 100, 101.5 and 104 rise.
#[test]
fn rising_lows_in_a_confirmed_segment_are_up() {
    let close = [100.0, 104.0, 101.5, 107.0, 104.0, 110.0, 103.0];
    assert_eq!(classes(fitted_regime(), &close), "U6 U5 U4 U3 U2 - -");
}

/// 100 is confirmed by 107; the highs 110, 107 and 105 fall.
#[test]
fn falling_highs_in_a_confirmed_segment_are_down() {
    let close = [110.0, 104.0, 107.0, 102.0, 105.0, 100.0, 107.0];
    assert_eq!(classes(fitted_regime(), &close), "D6 D5 D4 D3 D2 - -");
}

#[test]
fn a_straight_rise_has_too_few_micro_pivots_for_a_trend() {
    let close = [100.0, 103.0, 107.0, 110.0, 103.0];
    assert_eq!(classes(fitted_regime(), &close), "R4 R3 R2 - -");
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
fn a_regime_without_its_threshold_is_refused() {
    let open = LabelSource::Regime(Regime::default());

    let error = compute_labels(&open, &closes(&[1.0; 40])).unwrap_err();

    assert_eq!(
        message(&error),
        "regime needs a threshold that is fitted on the training part; \
         hint: call `fitted` with the bars of the training part first"
    );
}

#[test]
fn bars_that_do_not_move_give_no_threshold() {
    let open = LabelSource::Regime(Regime::default());

    let error = open.fitted(&closes(&[1.0; 40])).unwrap_err();

    assert_eq!(
        message(&error),
        "40 bars give no usable threshold for regime: it would be 0; \
         hint: use a longer training part, or another multiplier"
    );
}

#[test]
fn a_threshold_is_fitted_once_and_then_frozen() {
    let wild = bars(&[[150.0, 50.0, 100.0]; 40]);

    let fitted = fitted_regime();

    assert_eq!(fitted.fitted(&wild).unwrap(), fitted);
}
