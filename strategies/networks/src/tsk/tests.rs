//! The same bits with and without wide instructions.

use schemas::manifests::{Firing, FuzzyInput, FuzzyMember, RuleBase};

use super::Tsk;
use crate::Learner;
use crate::instructions::{Instructions, run_with};

/// Some digits of an integer, in [-1, 1).
fn number(index: usize) -> f32 {
    (index.wrapping_mul(2_654_435_761) % 65_536) as f32 / 32_768.0 - 1.0
}

/// 21 rules over seven inputs with three members each.
fn rule_base() -> RuleBase {
    let inputs = (0..7).map(|input| FuzzyInput {
        name: format!("x{input}"),
        members: ["low", "middle", "high"]
            .map(|name| FuzzyMember {
                name: name.to_owned(),
                ..FuzzyMember::default()
            })
            .to_vec(),
        low: -2.0,
        high: 2.0,
    });

    // Neighbouring rules ask for neighbouring members, so that all are asked for.
    let rule = |rule: usize| (0..7).map(|input| Some((rule + input) % 3)).collect();
    RuleBase {
        inputs: inputs.collect(),
        rules: (0..21).map(rule).collect(),
        firing: Firing::Mean,
    }
}

#[test]
fn wide_instructions_give_the_same_bits() {
    let base = rule_base();
    let members = base.member_count();
    let mut parameters: Vec<f32> = (0..base.parameter_count(3)).map(number).collect();
    for width in &mut parameters[members..2 * members] {
        *width = 1.0 + 0.5 * *width;
    }
    let inputs: Vec<f32> = (0..7 * 45).map(|index| 2.0 * number(index + 7)).collect();
    let by_score: Vec<f32> = (0..3 * 45).map(|index| number(index + 99)).collect();

    let learn = || {
        let mut network = Tsk::new(&base, 3);
        let mut scores = Vec::new();
        let mut gradients = vec![0.0; parameters.len()];
        network.forward(&parameters, &inputs, &[], &mut scores);
        network.backward(&parameters, &inputs, &[], &by_score, &mut gradients);
        (bits_of(&scores), bits_of(&gradients))
    };
    let best = learn();
    for instructions in [Instructions::Narrow, Instructions::Portable] {
        assert_eq!(run_with(instructions, learn), best);
    }
    assert!(
        best.1
            .iter()
            .all(|gradient| f32::from_bits(*gradient) != 0.0)
    );
}

fn bits_of(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
