//! Scores and gradients.

use networks::{Learner, Tsk};
use schemas::manifests::{Firing, OpenSide, RuleBase};

use super::{Numbers, base, input, member, reference};

/// 19 rules over five inputs, so that a second panel of rules and a second block of inputs begin:
/// shared members, inputs that do not matter, members that are open.
fn mixed_base(firing: Firing) -> RuleBase {
    let mut inputs: Vec<_> = ["a", "b", "c", "d", "e"]
        .iter()
        .map(|name| input(name, &["low", "middle", "high"]))
        .collect();
    inputs[1].members[0] = member("low", Some(OpenSide::Below));
    inputs[1].members[2] = member("high", Some(OpenSide::Above));

    let rules: Vec<Vec<i32>> = (0..19)
        .map(|rule| {
            (0..5)
                .map(|input| (rule * (input + 2) + input) % 4 - 1)
                .collect()
        })
        .collect();
    let rules: Vec<&[i32]> = rules.iter().map(Vec::as_slice).collect();
    base(inputs, &rules, firing)
}

/// Ordered centres, widths near 1, and any consequents.
fn mixed_parameters(base: &RuleBase, outputs: usize, numbers: &mut Numbers) -> Vec<f32> {
    let mut parameters = Vec::new();
    for _ in &base.inputs {
        for place in [-1.2, 0.1, 1.3] {
            parameters.push(place + 0.3 * numbers.next());
        }
    }

    let widths = numbers.take(base.member_count(), 0.4);
    parameters.extend(widths.iter().map(|width| 1.0 + width));
    let rest = base.parameter_count(outputs) - parameters.len();
    parameters.extend(numbers.take(rest, 0.8));
    parameters
}

#[test]
fn two_rules_by_hand() {
    // One input, members at 0 and 2 of width 1, x = 1.5 and x = 1:
    // z₁ = −1.5²/2 = −1.125, z₂ = −0.5²/2 = −0.125; f₁ = 1 / (1 + e) = 0.268 941, f₂ = 0.731 059.
    // Rule 1 says 2x + 1 = 4, rule 2 says −x + 0.5 = −1:
    // 0.268 941 · 4 − 0.731 059 = 0.344 707. At x = 1 both fire alike: (3 − 0.5) / 2 = 1.25.
    let base = base(
        vec![input("x", &["low", "high"])],
        &[&[0], &[1]],
        Firing::Mean,
    );
    let parameters = [0.0, 2.0, 1.0, 1.0, 2.0, -1.0, 1.0, 0.5];
    let mut network = Tsk::new(&base, 1);
    let mut scores = Vec::new();
    network.score(&parameters, &[1.5, 1.0], &mut scores);
    assert!((scores[0] - 0.344_707).abs() < 1e-6, "{scores:?}");
    assert!((scores[1] - 1.25).abs() < 1e-6, "{scores:?}");

    // With y = score: ∂y/∂z₁ = f₁ (4 − y) = 0.983 060 and ∂y/∂z₂ = f₂ (−1 − y) = −0.983 060.
    // ∂z₁/∂c₁ = 1.5, ∂z₂/∂c₂ = −0.5; ∂z₁/∂w₁ = 2.25, ∂z₂/∂w₂ = 0.25; ∂y/∂W = f·x, ∂y/∂b = f.
    let mut gradients = [0.0; 8];
    network.forward(&parameters, &[1.5], &[], &mut scores);
    network.backward(&parameters, &[1.5], &[], &[1.0], &mut gradients);
    let expected = [
        1.474_59, 0.491_53, 2.211_885, -0.245_765, 0.403_412, 1.096_588, 0.268_941, 0.731_059,
    ];
    for (gradient, expected) in gradients.iter().zip(expected) {
        assert!((gradient - expected).abs() < 2e-6, "{gradients:?}");
    }
}

#[test]
fn scores_agree_with_the_formula_in_f64() {
    for firing in [Firing::Mean, Firing::Product] {
        let base = mixed_base(firing);
        let mut numbers = Numbers(1);
        let parameters = mixed_parameters(&base, 3, &mut numbers);
        let inputs = numbers.take(5 * 131, 2.0);

        let mut scores = Vec::new();
        Tsk::new(&base, 3).score(&parameters, &inputs, &mut scores);
        let wide = reference::widen(&parameters);
        for (row, scores) in inputs.chunks(5).zip(scores.chunks(3)) {
            let expected = reference::scores(&base, 3, &wide, &reference::widen(row));
            for (score, expected) in scores.iter().zip(expected) {
                assert!((f64::from(*score) - expected).abs() < 1e-5 * (1.0 + expected.abs()));
            }
        }
    }
}

#[test]
fn gradients_agree_with_finite_differences_in_f64() {
    for firing in [Firing::Mean, Firing::Product] {
        let base = mixed_base(firing);
        let mut numbers = Numbers(2);
        let parameters = mixed_parameters(&base, 3, &mut numbers);
        let inputs = numbers.take(5 * 21, 2.0);
        let by_score = numbers.take(3 * 21, 1.0);

        let mut network = Tsk::new(&base, 3);
        let mut gradients = vec![f32::NAN; parameters.len()];
        network.forward(&parameters, &inputs, &[], &mut Vec::new());
        network.backward(&parameters, &inputs, &[], &by_score, &mut gradients);

        let loss = |parameters: &[f64]| {
            let mut sum = 0.0;
            for (row, by_score) in inputs.chunks(5).zip(by_score.chunks(3)) {
                let scores = reference::scores(&base, 3, parameters, &reference::widen(row));
                let products = scores.iter().zip(by_score);
                sum += products
                    .map(|(score, by)| score * f64::from(*by))
                    .sum::<f64>();
            }
            sum
        };
        for (index, gradient) in gradients.iter().enumerate() {
            let mut moved = reference::widen(&parameters);
            moved[index] += 1e-5;
            let above = loss(&moved);
            moved[index] -= 2e-5;
            let difference = (above - loss(&moved)) / 2e-5;
            let error = (f64::from(*gradient) - difference).abs();
            assert!(
                error < 2e-5 * (1.0 + difference.abs()),
                "{index}: {gradient} {difference}"
            );
        }
    }
}

#[test]
fn the_number_of_rows_changes_no_bit() {
    let base = mixed_base(Firing::Mean);
    let mut numbers = Numbers(3);
    let parameters = mixed_parameters(&base, 2, &mut numbers);
    let inputs = numbers.take(5 * 77, 2.0);

    let mut network = Tsk::new(&base, 2);
    let mut scores = Vec::new();
    network.score(&parameters, &inputs, &mut scores);
    let mut one = Vec::new();
    for (row, scores) in inputs.chunks(5).zip(scores.chunks(2)) {
        network.score(&parameters, row, &mut one);
        assert_eq!(one, scores);
        network.forward(&parameters, row, &[], &mut one);
        assert_eq!(one, scores);
    }
}

#[test]
fn many_inputs_do_not_make_strengths_vanish() {
    // The product of 40 degrees e^−8 is e^−320, which no f32 holds; shares are what they should be.
    let inputs = (0..40).map(|index| input(&format!("x{index}"), &["low", "high"]));
    let rules: [Vec<i32>; 2] = [vec![0; 40], vec![1; 40]];
    let rules = [rules[0].as_slice(), rules[1].as_slice()];
    let base = base(inputs.collect(), &rules, Firing::Product);

    // Centres −4 and 4.001 of width 1, x = 0: z₁ − z₂ = 40 · (4.001² − 4²)/2 = 0.160 02.
    let mut parameters = [-4.0, 4.001].repeat(40);
    parameters.extend([1.0; 80]);
    parameters.resize(base.parameter_count(1), 0.0);
    let shares = Tsk::new(&base, 1).firing(&parameters, &[0.0; 40]);
    let expected = 1.0 / (1.0 + (-0.160_02_f32).exp());
    assert!((shares[0] - expected).abs() < 1e-4, "{shares:?}");
    assert!((shares[0] + shares[1] - 1.0).abs() < 1e-6);
}
