//! What a network says in words, and pruning.

use networks::tsk::{LearntRule, RuleMember, prune};
use networks::{Learner, Tsk};
use schemas::manifests::{Firing, OutputKind, RuleBase};

use super::{base, input, reference};

fn classes() -> OutputKind {
    OutputKind::Classes {
        names: ["BUY", "HOLD", "SELL"].map(str::to_owned).to_vec(),
    }
}

/// Three rules: the first two as in a strategy, the third far from every row.
fn three_rules() -> RuleBase {
    let inputs = vec![
        input("rsi_zone", &["oversold", "overbought", "absurd"]),
        input("trend", &["absent", "present"]),
    ];
    base(inputs, &[&[0, 1], &[1, -1], &[2, 0]], Firing::Product)
}

/// Centres −1, 1, 30 and −1, 1; widths 1; the rules say b only.
fn three_rules_learnt() -> Vec<f32> {
    let mut parameters = vec![-1.0, 1.0, 30.0, -1.0, 1.0];
    parameters.extend([1.0; 5]);
    parameters.extend([0.0; 3 * 3 * 2]);
    parameters.extend([2.0, 1.0, 0.0, 0.0, 0.0, 1.0, 5.0, 5.0, 5.0]);
    parameters
}

const ROWS: [f32; 6] = [-1.0, 1.0, 1.0, -2.0, -0.5, 1.5];

#[test]
fn rules_are_sentences_in_the_words_of_the_strategy() {
    let base = three_rules();
    let parameters = three_rules_learnt();
    let rules = Tsk::new(&base, 3).learnt_rules(&base, &parameters, &ROWS);

    // The rules say the same everywhere: softmax of (2, 1, 0) is 0.665 for the first, of (0, 0, 1)
    // 0.576 for the last. Supports are means of the shares by the formula.
    let wide = reference::widen(&parameters);
    let mut supports = [0.0; 3];
    for row in ROWS.chunks(2) {
        let shares = reference::firing(&base, &wide, &reference::widen(row));
        for (support, share) in supports.iter_mut().zip(shares) {
            *support += share / 3.0;
        }
    }
    let sentences: Vec<String> = rules
        .iter()
        .map(|rule| rule.sentence(&base, &classes()))
        .collect();
    let expected = [
        format!(
            "IF rsi_zone is oversold AND trend is present THEN BUY 0.67, support {:.1} %",
            100.0 * supports[0]
        ),
        format!(
            "IF rsi_zone is overbought THEN SELL 0.58, support {:.1} %",
            100.0 * supports[1]
        ),
    ];
    assert_eq!(sentences[..2], expected);
    assert!((rules[0].support - supports[0]).abs() < 1e-6);
    assert!(rules[2].support < 1e-6);
}

#[test]
fn members_that_always_hold_are_left_out_of_sentences() {
    let base = three_rules();
    let place = |input, member, degree| RuleMember {
        input,
        member,
        degree,
    };
    let mut rule = LearntRule {
        members: vec![place(0, 1, 0.3), place(1, 0, 0.95)],
        support: 0.032,
        scores: vec![0.001_25],
    };
    assert_eq!(
        rule.sentence(&base, &OutputKind::Regression),
        "IF rsi_zone is overbought THEN +0.001250, support 3.2 %"
    );

    rule.members.remove(0);
    assert_eq!(
        rule.sentence(&base, &OutputKind::Regression),
        "ALWAYS +0.001250, support 3.2 %"
    );
}

#[test]
fn contributions_add_up_to_the_scores_strongest_first() {
    let base = three_rules();
    let mut parameters = three_rules_learnt();
    parameters[12] = 0.7;
    let row = [-0.8, 0.4];
    let mut network = Tsk::new(&base, 3);
    let contributions = network.contributions(&parameters, &row);

    let mut scores = Vec::new();
    network.score(&parameters, &row, &mut scores);
    for (output, score) in scores.iter().enumerate() {
        let parts = contributions
            .iter()
            .map(|part| part.share * part.scores[output]);
        assert!((parts.sum::<f32>() - score).abs() < 1e-6);
    }
    let rules: Vec<usize> = contributions.iter().map(|part| part.rule).collect();
    assert_eq!(rules, [0, 1, 2]);
    assert!(contributions.is_sorted_by(|one, other| one.share >= other.share));
}

#[test]
fn a_rule_without_support_goes_and_the_others_say_the_same() {
    let base = three_rules();
    let parameters = three_rules_learnt();
    let mut network = Tsk::new(&base, 3);
    let rules = network.learnt_rules(&base, &parameters, &ROWS);
    let supports: Vec<f64> = rules.iter().map(|rule| rule.support).collect();
    let pruned = prune(&base, 3, &supports, 0.02).unwrap();

    // The absurd member and the one of no other rule go with the third rule.
    let members: Vec<usize> = pruned
        .base
        .inputs
        .iter()
        .map(|input| input.members.len())
        .collect();
    assert_eq!(members, [2, 1]);
    assert_eq!(pruned.base.inputs[1].members[0].name, "present");
    assert_eq!(pruned.base.rules, [[Some(0), Some(0)], [Some(1), None]]);

    let mut before = Vec::new();
    network.score(&parameters, &ROWS, &mut before);
    let mut after = Vec::new();
    Tsk::new(&pruned.base, 3).score(&pruned.pick(&parameters), &ROWS, &mut after);
    for (before, after) in before.iter().zip(after) {
        assert!((before - after).abs() < 1e-5);
    }
}

#[test]
fn the_strongest_rule_always_stays() {
    let base = three_rules();
    assert!(prune(&base, 3, &[0.4, 0.3, 0.3], 0.02).is_none());
    let pruned = prune(&base, 3, &[0.01, 0.02, 0.005], 0.5).unwrap();
    assert_eq!(pruned.base.rules, [[Some(0), None]]);
}
