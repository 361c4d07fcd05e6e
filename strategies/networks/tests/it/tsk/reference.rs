//! The formula of a neuro-fuzzy network once more, in f64 and as it stands in the paper: an
//! independent implementation to hold the fast one to.

use schemas::manifests::{Firing, OpenSide, RuleBase};

/// Share of each rule for one row.
pub fn firing(base: &RuleBase, parameters: &[f64], row: &[f64]) -> Vec<f64> {
    let members = base.member_count();
    let firsts = base.first_members();
    let mut strengths = Vec::new();
    for rule in &base.rules {
        let mut exponent = 0.0;
        let mut count = 0.0;
        for (input, chosen) in rule.iter().enumerate() {
            let Some(chosen) = chosen else { continue };
            let position = firsts[input] + chosen;
            let distance = row[input] - parameters[position];
            let distance = match base.inputs[input].members[*chosen].open {
                Some(OpenSide::Below) => distance.max(0.0),
                Some(OpenSide::Above) => distance.min(0.0),
                None => distance,
            };
            exponent -= (distance / parameters[members + position]).powi(2) / 2.0;
            count += 1.0;
        }
        strengths.push(match base.firing {
            Firing::Mean if count > 0.0 => (exponent / count).exp(),
            _ => exponent.exp(),
        });
    }

    let sum: f64 = strengths.iter().sum();
    strengths.iter().map(|strength| strength / sum).collect()
}

/// Scores of one row.
pub fn scores(base: &RuleBase, outputs: usize, parameters: &[f64], row: &[f64]) -> Vec<f64> {
    let shares = firing(base, parameters, row);
    let inputs = row.len();
    let weights = &parameters[2 * base.member_count()..];
    let biases = &weights[base.rules.len() * outputs * inputs..];

    let mut scores = vec![0.0; outputs];
    for (rule, share) in shares.iter().enumerate() {
        for (output, score) in scores.iter_mut().enumerate() {
            let function = rule * outputs + output;
            let mut says = biases[function];
            for (input, value) in row.iter().enumerate() {
                says += weights[function * inputs + input] * value;
            }
            *score += share * says;
        }
    }
    scores
}

pub fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}
