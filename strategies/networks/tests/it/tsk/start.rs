//! Rules and members before training.

use networks::tsk::{Growth, Start};
use schemas::manifests::{Firing, OpenSide};

use super::{Numbers, base, input, member};

fn growth(rules: usize, members: usize) -> Growth {
    Growth {
        rules,
        members,
        width: None,
        firing: Firing::Mean,
        seed: 7,
    }
}

/// Rows around each of `centres` in turn.
fn clouds(centres: &[[f32; 2]], deviation: f32, rows: usize) -> Vec<f32> {
    let mut numbers = Numbers(4);
    let mut inputs = Vec::new();
    for _ in 0..rows {
        for centre in centres {
            inputs.extend(centre.map(|centre| centre + deviation * numbers.normal()));
        }
    }
    inputs
}

fn names() -> Vec<String> {
    ["a", "b"].map(str::to_owned).to_vec()
}

#[test]
fn rules_grow_where_rows_lie_together() {
    let inputs = clouds(&[[-2.0, 1.0], [0.0, -1.0], [2.0, 1.0]], 0.2, 300);
    let start = Start::grow(&inputs, &names(), growth(3, 3));

    // Three places in a; the two places at 1 in b are one.
    let members: Vec<Vec<&str>> = start
        .base
        .inputs
        .iter()
        .map(|input| {
            input
                .members
                .iter()
                .map(|member| member.name.as_str())
                .collect()
        })
        .collect();
    assert_eq!(
        members,
        [vec!["low", "middle", "high"], vec!["low", "high"]]
    );
    let rules = [[Some(0), Some(1)], [Some(1), Some(0)], [Some(2), Some(1)]];
    assert_eq!(start.base.rules, rules);

    for (centre, expected) in start.centres.iter().zip([-2.0, 0.0, 2.0, -1.0, 1.0]) {
        assert!((centre - expected).abs() < 0.05, "{:?}", start.centres);
    }
    for width in &start.widths {
        assert!((width - 0.2).abs() < 0.02, "{:?}", start.widths);
    }
}

#[test]
fn more_rules_than_different_rows_are_not_made() {
    let inputs = [1.0, 1.0, -1.0, -1.0].repeat(10);
    let start = Start::grow(&inputs, &names(), growth(8, 8));
    assert_eq!(start.base.rules.len(), 2);
    assert_eq!(start.base.member_count(), 4);

    let constant = Start::grow(&[0.0; 20], &names(), growth(8, 8));
    assert_eq!(constant.base.rules, [[Some(0), Some(0)]]);
    assert!(constant.base.inputs[0].low < constant.base.inputs[0].high);
}

#[test]
fn equal_seeds_grow_equal_rules() {
    let inputs = Numbers(5).take(2_000, 1.0);
    let start = Start::grow(&inputs, &names(), growth(9, 4));
    assert_eq!(start, Start::grow(&inputs, &names(), growth(9, 4)));
    assert!(
        start
            .base
            .inputs
            .iter()
            .all(|input| input.members.len() <= 4)
    );
}

/// Members low (open below) at −1 and high (open above) at 1, of width 1, in both inputs.
fn words() -> Start {
    let mut inputs = vec![input("a", &[]), input("b", &[])];
    for input in &mut inputs {
        input.members = vec![
            member("low", Some(OpenSide::Below)),
            member("high", Some(OpenSide::Above)),
        ];
    }
    Start {
        base: base(inputs, &[], Firing::Product),
        centres: [-1.0, 1.0].repeat(2),
        widths: vec![1.0; 4],
    }
}

#[test]
fn few_combinations_of_words_are_all_rules() {
    let start = words().select_rules(&[], 4);
    let grid = [
        [Some(0), Some(0)],
        [Some(0), Some(1)],
        [Some(1), Some(0)],
        [Some(1), Some(1)],
    ];
    assert_eq!(start.base.rules, grid);
    // 2 · 4 numbers of members and 4 rules of 3 scores with 2 weights and a bias.
    assert_eq!(start.parameters(3, 1).len(), 8 + 4 * 3 * 3);
}

#[test]
fn the_combinations_of_most_rows_become_rules() {
    // Once low/low, three times high/low, twice high/high.
    let rows = [
        [-5.0, -0.1],
        [0.2, -9.0],
        [3.0, -1.0],
        [1.0, -1.0],
        [7.0, 0.5],
        [0.1, 2.0],
    ];
    let start = words().select_rules(rows.as_flattened(), 2);
    assert_eq!(start.base.rules, [[Some(1), Some(0)], [Some(1), Some(1)]]);
}
