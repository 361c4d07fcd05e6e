//! Membership functions worked by hand, every refusal with its hint, coverage, and degrees within
//! 0..=1 for any input.

use proptest::prelude::*;

use super::*;

#[test]
fn a_closed_shoulder_belongs_to_the_plateau() {
    let high = Membership::new("Trapezoidal", &[60.0, 80.0, 100.0, 100.0]).unwrap();
    assert_eq!(
        [60.0, 70.0, 80.0, 100.0, 100.1].map(|x| high.degree(x)),
        [0.0, 0.5, 1.0, 1.0, 0.0]
    );
    let low = Membership::new("triangularmf", &[0.0, 0.0, 40.0]).unwrap();
    assert_eq!(
        [-0.1, 0.0, 30.0, 40.0].map(|x| low.degree(x)),
        [0.0, 1.0, 0.25, 0.0]
    );
}

/// Bell: |(x − 50)/10| = 0, 1, 2 to the fourth power, so 1, 1/2, 1/17. Sigmoid: e⁰ = 1, so 1/2;
/// e^(−ln 3), so 3/4.
#[test]
fn bells_sigmoids_and_singletons_have_their_textbook_degrees() {
    let bell = Membership::new("gbellmf", &[10.0, 2.0, 50.0]).unwrap();
    assert_eq!(
        [50.0, 40.0, 60.0, 30.0].map(|x| bell.degree(x)),
        [1.0, 0.5, 0.5, 1.0 / 17.0]
    );
    let sigmoid = Membership::new("Sigmoid", &[3.0_f64.ln(), 7.0]).unwrap();
    assert_eq!(sigmoid.degree(7.0), 0.5);
    assert!(
        (sigmoid.degree(8.0) - 0.75).abs() < 1e-15 && (sigmoid.degree(6.0) - 0.25).abs() < 1e-15
    );
    let one = Membership::new("singleton", &[1.0]).unwrap();
    assert_eq!([0.0, 1.0, 1.1].map(|x| one.degree(x)), [0.0, 1.0, 0.0]);
    assert!(one.degree(f64::NAN).is_nan());
}

fn low_and_high() -> Vec<(String, Membership)> {
    vec![
        (
            "low".to_owned(),
            Membership::new("triangular", &[0.0, 0.0, 40.0]).unwrap(),
        ),
        (
            "high".to_owned(),
            Membership::new("triangular", &[60.0, 100.0, 100.0]).unwrap(),
        ),
    ]
}

/// 0, 20, 40, 60, 80, 100: low is 1, ½, 0, 0, 0, 0 and high 0, 0, 0, 0, ½, 1, so 40 and 60 belong
/// to neither.
#[test]
fn coverage_finds_values_that_belong_to_no_set() {
    let report = measure_coverage(
        &low_and_high(),
        [0.0, 20.0, 40.0, 60.0, 80.0, 100.0, f64::NAN],
    );
    assert_eq!((report.values, report.uncovered), (6, 2));
    assert_eq!(report.uncovered_range, Some((40.0, 60.0)));
    assert_eq!(report.weakest, Some((40.0, 0.0)));
    let low = &report.members[0];
    assert_eq!(
        (
            low.name.as_str(),
            low.mean_degree,
            low.active,
            low.strongest
        ),
        ("low", 0.25, 2, 2)
    );
    let full = measure_coverage(&low_and_high(), [10.0, 90.0]);
    assert_eq!(
        (full.uncovered, full.uncovered_range, full.weakest),
        (0, None, Some((10.0, 0.75)))
    );
    let none = measure_coverage(&low_and_high(), [f64::NAN]);
    assert_eq!(
        (none.values, none.weakest, none.members[0].mean_degree),
        (0, None, 0.0)
    );
}

#[test]
fn a_set_reads_as_a_sentence() {
    assert_eq!(
        describe_set("rsi_14", &low_and_high()),
        "rsi_14 is low (0 below 0, full at 0, falls to 0 at 40) or high (rises from 60 to 100, full at 100, 0 above 100)."
    );
    assert_eq!(describe_set("rsi_14", &[]), "rsi_14 has no memberships.");
}

#[test]
fn every_refusal_names_the_values_and_what_to_do() {
    let infinite = f64::INFINITY;
    let cases: [(&str, &[f64], &str); 13] = [
        (
            "triangular",
            &[30.0, 20.0, 40.0],
            "triangular parameters must not descend: a, b, c = [30.0, 20.0, 40.0], where 30.0 is followed by 20.0; hint: write the points from left to right",
        ),
        (
            "triangular",
            &[1.0, 2.0, 3.0, 4.0],
            "a triangular membership function takes 3 numbers (a, b, c), not 4; hint: four numbers need `type: trapezoidal`; a bare list is a triangle",
        ),
        (
            "gaussian",
            &[1.0],
            "a gaussian membership function takes 2 numbers (mean, deviation), not 1; hint: write the parameters of a gaussian as [mean, deviation]",
        ),
        (
            "gaussian",
            &[1.0, 0.0],
            "the deviation of a gaussian membership function must be above 0, not 0.0; hint: for a single point use a triangular with three equal numbers",
        ),
        (
            "gaussian",
            &[f64::NAN, 1.0],
            "gaussian parameters must be finite numbers: mean, deviation = [NaN, 1.0]; hint: give a finite mean and deviation",
        ),
        (
            "trapezoidal",
            &[-infinite, 0.0, 1.0, 2.0],
            "trapezoidal parameters must be finite numbers: a, b, c, d = [-inf, 0.0, 1.0, 2.0]; hint: an open shoulder is a trapezoidal with both of its outer numbers infinite: [-.inf, -.inf, c, d] or [a, b, .inf, .inf]",
        ),
        (
            "triangular",
            &[0.0, infinite, infinite],
            "triangular parameters must be finite numbers: a, b, c = [0.0, inf, inf]; hint: an open shoulder is a trapezoidal with both of its outer numbers infinite: [-.inf, -.inf, c, d] or [a, b, .inf, .inf]",
        ),
        (
            "triangle",
            &[0.0, 1.0, 2.0],
            "\"triangle\" is not a type of membership function; hint: did you mean triangular?",
        ),
        (
            "qqq",
            &[0.0, 1.0],
            "\"qqq\" is not a type of membership function; hint: use one of triangular, trapezoidal, gaussian, bell, sigmoid, singleton",
        ),
        (
            "sigmoid",
            &[0.0, 1.0],
            "the slope of a sigmoid membership function must be other than 0, not 0.0; hint: a slope above 0 rises to the right, one below 0 falls",
        ),
        (
            "gbellmf",
            &[-1.0, 2.0, 50.0],
            "the width of a bell membership function must be above 0, not -1.0; hint: set the width to above 0",
        ),
        (
            "bell",
            &[1.0, 2.0],
            "a bell membership function takes 3 numbers (width, slope, centre), not 2; hint: write the parameters of a bell as [width, slope, centre]",
        ),
        (
            "singleton",
            &[infinite],
            "singleton parameters must be finite numbers: value = [inf]; hint: give finite numbers",
        ),
    ];
    for (kind, parameters, expected) in cases {
        let error = Membership::new(kind, parameters).unwrap_err();
        assert_eq!(format!("{error}; hint: {}", error.hint()), expected);
    }
}

#[test]
fn a_function_describes_itself() {
    let infinite = f64::INFINITY;
    let cases: [(&str, &[f64], &str); 11] = [
        (
            "triangular",
            &[20.0, 35.0, 50.0],
            "rises from 20 to 35, full at 35, falls to 0 at 50",
        ),
        (
            "triangular",
            &[0.0, 0.0, 40.0],
            "0 below 0, full at 0, falls to 0 at 40",
        ),
        (
            "trapezoidal",
            &[60.0, 80.0, 100.0, 100.0],
            "rises from 60 to 80, full from 80 to 100, 0 above 100",
        ),
        (
            "trapezoidal",
            &[-infinite, -infinite, 20.0, 40.0],
            "full up to 20, falls to 0 at 40",
        ),
        (
            "trapezoidal",
            &[60.0, 80.0, infinite, infinite],
            "rises from 60 to 80, full from 80 on",
        ),
        (
            "trapezoidal",
            &[-infinite, -infinite, infinite, infinite],
            "full everywhere",
        ),
        (
            "gaussian",
            &[50.0, 12.0],
            "full at 50, 61 % at 38 and 62, never quite 0",
        ),
        (
            "bell",
            &[10.0, 2.0, 50.0],
            "full at 50, half at 40 and 60, never quite 0",
        ),
        (
            "sigmoid",
            &[0.25, 70.0],
            "rises through a half at 70, 73 % at 74",
        ),
        (
            "sigmoid",
            &[-0.25, 30.0],
            "falls through a half at 30, 73 % at 26",
        ),
        ("singleton", &[1.0], "full at 1, 0 elsewhere"),
    ];
    for (kind, parameters, expected) in cases {
        assert_eq!(
            Membership::new(kind, parameters).unwrap().describe(),
            expected
        );
    }
}

proptest! {
    #[test]
    fn a_degree_lies_between_0_and_1_and_is_undefined_for_nan_only(
        kind in prop::sample::select(vec!["triangular", "trapezoidal", "gaussian", "bell", "sigmoid", "singleton"]),
        mut parameters in prop::collection::vec(prop_oneof![any::<f64>(), -100.0..100.0], 1..=4),
        x in prop_oneof![any::<f64>(), -100.0..100.0],
    ) {
        if kind.starts_with("tr") {
            parameters.sort_by(f64::total_cmp);
        }
        if let Ok(membership) = Membership::new(kind, &parameters) {
            let degree = membership.degree(x);
            prop_assert!((0.0..=1.0).contains(&degree) || (x.is_nan() && degree.is_nan()), "{degree}");
            prop_assert!(!membership.describe().is_empty());
            let (kind, parameters) = membership.type_and_parameters();
            prop_assert_eq!(Membership::new(kind, &parameters), Ok(membership));
        }
    }
}

#[test]
fn every_reason_against_a_function_is_given_and_the_first_of_them_refuses_it() {
    let reasons = |name: &str, numbers: &[f64]| {
        let problems = Membership::problems(name, Some(numbers));
        let refusal = Membership::new(name, numbers)
            .err()
            .map(|error| error.to_string());
        assert_eq!(
            refusal,
            problems.first().map(ToString::to_string),
            "{name} {numbers:?}"
        );
        problems.len()
    };
    assert_eq!(
        reasons("triangular", &[f64::INFINITY, 1.0, 0.0]),
        2,
        "it falls, and is not finite"
    );
    assert_eq!(
        reasons("bell", &[0.0, -1.0, f64::NAN]),
        3,
        "width, slope and centre"
    );
    assert_eq!(
        reasons("gaussian", &[f64::NAN, 0.0]),
        2,
        "mean and deviation"
    );
    assert_eq!(
        reasons("sigmoid", &[0.0, f64::INFINITY]),
        2,
        "slope and centre"
    );
    assert_eq!(
        reasons(
            "trapezoidalmf",
            &[f64::NEG_INFINITY, f64::NEG_INFINITY, 1.0, 2.0]
        ),
        0,
        "an open shoulder"
    );
    assert_eq!(
        reasons("trapezoidal", &[f64::NEG_INFINITY, 0.0, 1.0, 2.0]),
        1
    );
    assert_eq!(reasons("GBellMF", &[1.0, 2.0, 3.0]), 0);
    assert_eq!(reasons("triangle", &[0.0, 1.0, 2.0]), 1);
    for name in Membership::type_names() {
        assert!(
            Membership::problems(name, None).is_empty(),
            "{name} is a type"
        );
        assert_eq!(reasons(name, &[]), 1, "{name} needs numbers");
    }
}
