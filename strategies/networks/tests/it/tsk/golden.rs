//! Scores and gradients that PyTorch computed: `services/trainer/tests/golden/README.md` says how.

use networks::{Learner, Tsk};
use schemas::manifests::{Firing, RuleBase};
use serde_json::Value;

use super::{base, input};

const CASES: &str = include_str!("../../../../../services/trainer/tests/golden/tsk.json");

/// A member of its own for each rule in each input, as the golden network has them.
fn rule_base(rules: usize, inputs: usize) -> RuleBase {
    let names = vec!["member"; rules];
    let inputs: Vec<_> = (0..inputs).map(|_| input("x", &names)).collect();
    let rows: Vec<Vec<i32>> = (0..rules as i32)
        .map(|rule| vec![rule; inputs.len()])
        .collect();
    let rows: Vec<&[i32]> = rows.iter().map(Vec::as_slice).collect();
    base(inputs, &rows, Firing::Mean)
}

fn values(tensor: &Value) -> Vec<f32> {
    let values = tensor["values"].as_array().unwrap();
    values
        .iter()
        .map(|value| value.as_f64().unwrap() as f32)
        .collect()
}

/// Parameters in our file order: members lie input by input, those of PyTorch rule by rule.
fn parameters(tensors: &Value, rules: usize, inputs: usize) -> Vec<f32> {
    let mut parameters = Vec::new();
    for tensor in tensors.as_array().unwrap() {
        let values = values(tensor);
        let name = tensor["name"].as_str().unwrap();

        // Consequents are in the same order in both.
        if ["centres", "widths"].contains(&name) {
            for input in 0..inputs {
                parameters.extend((0..rules).map(|rule| values[rule * inputs + input]));
            }
        } else {
            parameters.extend(values);
        }
    }
    parameters
}

fn assert_close(computed: &[f32], expected: &[f32], what: &str) {
    assert_eq!(computed.len(), expected.len(), "{what}");
    for (computed, expected) in computed.iter().zip(expected) {
        let tolerance = 1e-5 * expected.abs().max(1.0);
        assert!(
            (computed - expected).abs() < tolerance,
            "{what}: {computed} {expected}"
        );
    }
}

#[test]
fn scores_and_gradients_agree_with_pytorch() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let rules = case["rules"].as_u64().unwrap() as usize;
        let rows = case["inputs"]["shape"][0].as_u64().unwrap() as usize;
        let inputs = values(&case["inputs"]);
        let width = inputs.len() / rows;
        let scores = values(&case["scores"]);
        let weights = parameters(&case["parameters"], rules, width);

        let mut network = Tsk::new(&rule_base(rules, width), scores.len() / rows);
        let mut computed = Vec::new();
        network.forward(&weights, &inputs, &[], &mut computed);
        assert_close(&computed, &scores, "scores");

        let by_score = values(&case["score_gradients"]);
        let mut gradients = vec![0.0; weights.len()];
        network.backward(&weights, &inputs, &[], &by_score, &mut gradients);
        let expected = parameters(&case["gradients"], rules, width);
        assert_close(&gradients, &expected, "gradients");
    }
}
