//! Small sweeps over made-up series: noise, a planted edge, shuffled labels.

use crate::edge_runs::{Kind, sweep};

fn edges(kind: Kind, strategies: usize, runs: u64) -> usize {
    let ends = (0..runs).map(|seed| sweep(kind, strategies, seed));
    ends.filter(|end| end.is_edge).count()
}

#[test]
fn noise_has_no_edge_and_a_planted_one_is_reported() {
    assert_eq!(edges(Kind::Noise, 8, 4), 0);
    assert_eq!(edges(Kind::Planted(0.3), 8, 4), 4);

    let planted = sweep(Kind::Planted(0.3), 8, 4);
    assert!(planted.test.rank_ic.unwrap() > 0.2, "{planted:?}");
    let noise = sweep(Kind::Noise, 8, 4);
    assert!(noise.deflated.unwrap() < 0.95, "{noise:?}");
}

#[test]
fn shuffled_labels_do_not_beat_the_baseline() {
    for seed in 0..4 {
        assert!(!sweep(Kind::Shuffled(0.3), 4, seed).beats_baseline);
    }
}
