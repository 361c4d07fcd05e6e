//! What a network learns, and what it stays while it learns.

use networks::tsk::{Growth, Start};
use networks::{Learner, Tsk};
use schemas::manifests::{Firing, RuleBase};

use super::{Adam, Numbers, base, input, reference, step_squared};

/// Two rules to be recovered: where a is −1.5 and b is 1, and where a is 1.2 and b is −1.4.
struct Planted {
    base: RuleBase,
    parameters: Vec<f32>,
    inputs: Vec<f32>,
    targets: Vec<f32>,
}

fn planted() -> Planted {
    let inputs = vec![input("a", &["low", "high"]), input("b", &["low", "high"])];
    let base = base(inputs, &[&[0, 1], &[1, 0]], Firing::Product);
    // Centres, widths, then W and b of the rules: 2a − b + 1 and −1.5a + 0.8b − 2.
    let mut parameters = vec![-1.5, 1.2, -1.4, 1.0, 0.35, 0.4, 0.35, 0.3];
    parameters.extend([2.0, -1.0, -1.5, 0.8, 1.0, -2.0]);

    // Rows lie where the rules speak: around their centres, as wide as their members.
    let mut numbers = Numbers(11);
    let mut rows = Vec::new();
    for _ in 0..1_000 {
        rows.extend([-1.5 + 0.35 * numbers.normal(), 1.0 + 0.3 * numbers.normal()]);
        rows.extend([1.2 + 0.4 * numbers.normal(), -1.4 + 0.35 * numbers.normal()]);
    }
    let wide = reference::widen(&parameters);
    let targets = rows.chunks(2).map(|row| {
        let scores = reference::scores(&base, 1, &wide, &reference::widen(row));
        scores[0] as f32
    });
    Planted {
        targets: targets.collect(),
        base,
        parameters,
        inputs: rows,
    }
}

#[test]
fn two_planted_rules_are_recovered() {
    let planted = planted();
    let growth = Growth {
        rules: 2,
        members: 2,
        width: None,
        firing: Firing::Product,
        seed: 1,
    };
    // All four combinations of the members are offered; two of them are spurious.
    let names = ["a", "b"].map(str::to_owned);
    let start = Start::grow(&planted.inputs, &names, growth).select_rules(&planted.inputs, 4);
    assert_eq!(start.base.rules.len(), 4);

    // Rules without rows go before they learn anything; the others start from their own rows.
    let start = start.prune(&planted.inputs, 0.02);
    let base = start.base.clone();
    let mut parameters = start.fitted_parameters(&planted.inputs, &planted.targets);
    let mut network = Tsk::new(&base, 1);
    let mut adam = Adam::new(parameters.len(), 0.001);
    for _ in 0..1_000 {
        let inputs = &planted.inputs;
        step_squared(
            &mut network,
            &mut parameters,
            &mut adam,
            inputs,
            &planted.targets,
        );
    }
    let rules = network.learnt_rules(&base, &parameters, &planted.inputs);
    assert!(rules.iter().all(|rule| rule.support > 0.02), "{rules:?}");

    assert_eq!(base.rules, planted.base.rules);
    for (position, (learnt, truth)) in parameters.iter().zip(&planted.parameters).enumerate() {
        // Widths, at 4 to 7, are no part of the promise.
        let tolerance = 0.05 * truth.abs();
        let is_width = (4..8).contains(&position);
        assert!(
            is_width || (learnt - truth).abs() < tolerance,
            "{parameters:?}"
        );
    }
}

#[test]
fn members_stay_in_order_at_a_large_learning_rate() {
    let inputs = vec![
        input("a", &["low", "middle", "high"]),
        input("b", &["very_low", "low", "middle", "high", "very_high"]),
    ];
    let rules: [&[i32]; 5] = [&[0, 0], &[1, 1], &[2, 2], &[0, 3], &[-1, 4]];
    let base = base(inputs, &rules, Firing::Mean);
    let mut parameters = vec![-2.0, 0.0, 2.0, -2.0, -1.0, 0.0, 1.0, 2.0];
    parameters.extend([0.5; 8]);
    parameters.resize(base.parameter_count(1), 0.0);

    // Targets without any pattern pull the members about.
    let mut numbers = Numbers(8);
    let rows = numbers.take(2 * 64, 3.0);
    let targets = numbers.take(64, 5.0);
    let mut network = Tsk::new(&base, 1);
    let mut adam = Adam::new(parameters.len(), 0.7);
    let start = parameters.clone();
    for _ in 0..5_000 {
        step_squared(&mut network, &mut parameters, &mut adam, &rows, &targets);

        for centres in [&parameters[..3], &parameters[3..8]] {
            // Neighbours keep at least 6/(20·5) = 0.06 of the range of 6, up to rounding.
            assert!(
                centres
                    .iter()
                    .zip(&centres[1..])
                    .all(|(a, b)| b - a > 0.059)
            );
            assert!(centres[0] >= -3.0 && centres[centres.len() - 1] <= 3.0);
        }
        assert!(
            parameters[8..16]
                .iter()
                .all(|width| (0.02..=50.0).contains(width))
        );
    }
    assert!(
        start
            .iter()
            .zip(&parameters)
            .all(|(before, after)| before != after)
    );
}

#[test]
fn legal_members_are_not_moved() {
    let base = base(
        vec![input("a", &["low", "high"])],
        &[&[0], &[1]],
        Firing::Mean,
    );
    let mut network = Tsk::new(&base, 1);
    let mut parameters = [-1.0, 1.0, 0.5, 0.5, 9.0, 9.0, 9.0, 9.0];
    network.constrain(&mut parameters);
    assert_eq!(parameters, [-1.0, 1.0, 0.5, 0.5, 9.0, 9.0, 9.0, 9.0]);

    // Nearest: 1 and 0 with a gap of 6/40 = 0.15 become 0.5 ∓ 0.075; widths are cut.
    let mut crossed = [1.0, 0.0, -1.0, 60.0, 9.0, 9.0, 9.0, 9.0];
    network.constrain(&mut crossed);
    let expected = [0.425, 0.575, 0.02, 50.0];
    for (value, expected) in crossed.iter().zip(expected) {
        assert!((value - expected).abs() < 1e-6, "{crossed:?}");
    }
}

#[test]
fn forty_inputs_learn() {
    // The target depends on the first two inputs: −1 or 1 by the sign of their product, which no
    // linear function can tell.
    let mut numbers = Numbers(21);
    let rows = numbers.take(40 * 512, 1.7);
    let targets: Vec<f32> = rows
        .chunks(40)
        .map(|row| (row[0] * row[1]).signum())
        .collect();
    let names: Vec<String> = (0..40).map(|index| format!("x{index}")).collect();
    let growth = Growth {
        rules: 10,
        members: 10,
        width: None,
        firing: Firing::Mean,
        seed: 3,
    };
    let start = Start::grow(&rows, &names, growth);
    let mut parameters = start.parameters(1, 1);
    let mut network = Tsk::new(&start.base, 1);

    // No rule starts, or ends, with a share that has vanished.
    let fires = |network: &mut Tsk, parameters: &[f32]| {
        let shares = network.firing(parameters, &rows);
        let rules = start.base.rules.len();
        (0..rules).all(|rule| {
            shares
                .iter()
                .skip(rule)
                .step_by(rules)
                .any(|share| *share > 0.1)
        })
    };
    assert!(fires(&mut network, &parameters));

    let mut adam = Adam::new(parameters.len(), 0.01);
    let first = step_squared(&mut network, &mut parameters, &mut adam, &rows, &targets);
    let mut last = first;
    for _ in 0..400 {
        last = step_squared(&mut network, &mut parameters, &mut adam, &rows, &targets);
    }
    // A function that says 0 has an error of 1.
    assert!(first > 0.9 && last < 0.3, "{first} {last}");
    assert!(fires(&mut network, &parameters));
}
