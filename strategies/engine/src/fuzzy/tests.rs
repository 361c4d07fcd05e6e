//! Membership functions worked by hand, every refusal with its hint, coverage, and degrees within
//! 0..=1 for any input.

use proptest::prelude::*;

use super::*;

fn function_of(type_name: &str, parameters: &[f64]) -> Membership {
    Membership::new(type_name, parameters).unwrap()
}

#[test]
fn a_closed_shoulder_belongs_to_the_plateau() {
    let high = function_of("Trapezoidal", &[60.0, 80.0, 100.0, 100.0]);
    let low = function_of("triangularmf", &[0.0, 0.0, 40.0]);

    assert_eq!(
        [60.0, 70.0, 80.0, 100.0, 100.1].map(|x| high.degree(x)),
        [0.0, 0.5, 1.0, 1.0, 0.0]
    );
    assert_eq!(
        [-0.1, 0.0, 30.0, 40.0].map(|x| low.degree(x)),
        [0.0, 1.0, 0.25, 0.0]
    );
}

/// |(x − 50)/10| = 0, 1, 2 to the fourth power, so 1, 1/2, 1/17.
#[test]
fn a_bell_has_its_textbook_degrees() {
    let bell = function_of("gbellmf", &[10.0, 2.0, 50.0]);

    assert_eq!(
        [50.0, 40.0, 60.0, 30.0].map(|x| bell.degree(x)),
        [1.0, 0.5, 0.5, 1.0 / 17.0]
    );
}

/// e⁰ = 1, so 1/2; e^(−ln 3), so 3/4.
#[test]
fn a_sigmoid_has_its_textbook_degrees() {
    let sigmoid = function_of("Sigmoid", &[3.0_f64.ln(), 7.0]);

    assert_eq!(sigmoid.degree(7.0), 0.5);
    assert!((sigmoid.degree(8.0) - 0.75).abs() < 1e-15);
    assert!((sigmoid.degree(6.0) - 0.25).abs() < 1e-15);
}

#[test]
fn a_singleton_is_1_at_one_value() {
    let one = function_of("singleton", &[1.0]);

    assert_eq!([0.0, 1.0, 1.1].map(|x| one.degree(x)), [0.0, 1.0, 0.0]);
    assert!(one.degree(f64::NAN).is_nan());
}

fn low_and_high() -> Vec<(String, Membership)> {
    let low = function_of("triangular", &[0.0, 0.0, 40.0]);
    let high = function_of("triangular", &[60.0, 100.0, 100.0]);
    vec![("low".to_owned(), low), ("high".to_owned(), high)]
}

/// 0, 20, 40, 60, 80, 100: low is 1, ½, 0, 0, 0, 0 and high 0, 0, 0, 0, ½, 1, so 40 and 60 belong
/// to neither.
#[test]
fn coverage_finds_values_that_belong_to_no_set() {
    let values = [0.0, 20.0, 40.0, 60.0, 80.0, 100.0, f64::NAN];

    let report = measure_coverage(&low_and_high(), values);

    assert_eq!(report.values, 6);
    assert_eq!(report.uncovered, 2);
    assert_eq!(report.uncovered_range, Some((40.0, 60.0)));
    assert_eq!(report.weakest, Some((40.0, 0.0)));

    let low = &report.members[0];
    assert_eq!(low.name, "low");
    assert_eq!(low.mean_degree, 0.25);
    assert_eq!((low.active, low.strongest), (2, 2));
}

#[test]
fn coverage_without_holes_has_a_weakest_value() {
    let report = measure_coverage(&low_and_high(), [10.0, 90.0]);

    assert_eq!((report.uncovered, report.uncovered_range), (0, None));
    assert_eq!(report.weakest, Some((10.0, 0.75)));
}

#[test]
fn coverage_of_no_value_is_zero() {
    let report = measure_coverage(&low_and_high(), [f64::NAN]);

    assert_eq!((report.values, report.weakest), (0, None));
    assert_eq!(report.members[0].mean_degree, 0.0);
}

#[test]
fn a_set_reads_as_a_sentence() {
    assert_eq!(
        describe_set("rsi_14", &low_and_high()),
        "rsi_14 is low (0 below 0, full at 0, falls to 0 at 40) or high (rises from 60 to 100, full at 100, 0 above 100)."
    );
    assert_eq!(describe_set("rsi_14", &[]), "rsi_14 has no memberships.");
}

/// Each case: a type, its parameters, and the refusal with its hint.
fn assert_refusals(cases: &[(&str, &[f64], &str)]) {
    for (kind, parameters, expected) in cases {
        let error = Membership::new(kind, parameters).unwrap_err();
        assert_eq!(format!("{error}; hint: {}", error.hint()), *expected);
    }
}

#[test]
fn a_wrong_number_of_parameters_is_refused() {
    assert_refusals(&[
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
            "bell",
            &[1.0, 2.0],
            "a bell membership function takes 3 numbers (width, slope, centre), not 2; hint: write the parameters of a bell as [width, slope, centre]",
        ),
    ]);
}

#[test]
fn a_parameter_that_is_not_finite_is_refused() {
    let infinite = f64::INFINITY;

    assert_refusals(&[
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
            "singleton",
            &[infinite],
            "singleton parameters must be finite numbers: value = [inf]; hint: give finite numbers",
        ),
    ]);
}

#[test]
fn an_unknown_type_is_refused_with_the_nearest() {
    assert_refusals(&[
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
    ]);
}

#[test]
fn parameters_that_make_no_function_are_refused() {
    assert_refusals(&[
        (
            "triangular",
            &[30.0, 20.0, 40.0],
            "triangular parameters must not descend: a, b, c = [30.0, 20.0, 40.0], where 30.0 is followed by 20.0; hint: write the points from left to right",
        ),
        (
            "gaussian",
            &[1.0, 0.0],
            "the deviation of a gaussian membership function must be above 0, not 0.0; hint: for a single point use a triangular with three equal numbers",
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
    ]);
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

    for (type_name, parameters, expected) in cases {
        let function = function_of(type_name, parameters);
        assert_eq!(function.describe(), expected);
    }
}

proptest! {
    #[test]
    fn a_degree_lies_between_0_and_1_but_for_nan(
        kind in prop::sample::select(vec!["triangular", "trapezoidal", "gaussian", "bell", "sigmoid", "singleton"]),
        mut parameters in prop::collection::vec(prop_oneof![any::<f64>(), -100.0..100.0], 1..=4),
        x in prop_oneof![any::<f64>(), -100.0..100.0],
    ) {
        if kind.starts_with("tr") {
            parameters.sort_by(f64::total_cmp);
        }

        if let Ok(membership) = Membership::new(kind, &parameters) {
            let degree = membership.degree(x);
            let is_legal = (0.0..=1.0).contains(&degree) || (x.is_nan() && degree.is_nan());
            prop_assert!(is_legal, "{degree}");

            prop_assert!(!membership.describe().is_empty());
            let (kind, parameters) = membership.type_and_parameters();
            prop_assert_eq!(Membership::new(kind, &parameters), Ok(membership));
        }
    }
}

/// How many reasons there are; the refusal must name the first of them.
fn count_reasons(type_name: &str, numbers: &[f64]) -> usize {
    let reasons = Membership::problems(type_name, Some(numbers));
    let refusal = Membership::new(type_name, numbers).err();

    // As texts, because NaN does not equal itself.
    let first_reason = reasons.first().map(ToString::to_string);
    let refusal = refusal.map(|error| error.to_string());
    assert_eq!(refusal, first_reason, "{type_name} {numbers:?}");
    reasons.len()
}

#[test]
fn every_reason_against_a_function_is_given() {
    let infinity = f64::INFINITY;

    // It descends, and is not finite.
    assert_eq!(count_reasons("triangular", &[infinity, 1.0, 0.0]), 2);
    // Width, slope and centre.
    assert_eq!(count_reasons("bell", &[0.0, -1.0, f64::NAN]), 3);
    // Mean and deviation.
    assert_eq!(count_reasons("gaussian", &[f64::NAN, 0.0]), 2);
    // Slope and centre.
    assert_eq!(count_reasons("sigmoid", &[0.0, infinity]), 2);
    assert_eq!(count_reasons("triangle", &[0.0, 1.0, 2.0]), 1);
}

#[test]
fn an_open_shoulder_has_two_infinities() {
    let infinity = f64::INFINITY;
    let open = [-infinity, -infinity, 1.0, 2.0];
    let half_open = [-infinity, 0.0, 1.0, 2.0];

    assert_eq!(count_reasons("trapezoidalmf", &open), 0);
    assert_eq!(count_reasons("trapezoidal", &half_open), 1);
}

#[test]
fn every_type_needs_numbers() {
    for name in Membership::type_names() {
        assert!(Membership::problems(name, None).is_empty(), "{name}");
        assert_eq!(count_reasons(name, &[]), 1, "{name}");
    }
    assert_eq!(count_reasons("GBellMF", &[1.0, 2.0, 3.0]), 0);
}
