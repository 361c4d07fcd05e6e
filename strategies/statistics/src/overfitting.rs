//! How likely the best of many candidates is best by chance: combinatorially symmetric
//! cross-validation (Bailey, Borwein, López de Prado, Zhu: The probability of backtest overfitting,
//! Journal of Computational Finance, 2017).

/// Most blocks: there are 12 870 ways to halve 16 of them.
pub const BLOCKS_MAX: usize = 16;
/// Fewest blocks: two blocks can be halved in two ways only, which says next to nothing.
pub const BLOCKS_MIN: usize = 4;

/// How the choice by one half of the blocks did on the other half.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overfitting {
    /// Share of the splits in which the best candidate of one half is in the lower half, or the
    /// middle, of the other: from 0, the choice holds, to 1. Random choices come to about 0.5.
    pub probability: f64,
    /// Ways to halve the blocks.
    pub splits: usize,
}

/// The probability of overfitting of choosing the candidate with the lowest mean loss.
/// `losses[candidate][block]`: every candidate has the same blocks, in order of time.
///
/// Every half of the blocks chooses its best candidate, the first of equals. Its relative rank on
/// the other half is ω = r / (N + 1), where r = 1 is the worst of N candidates and equal ones share
/// the mean of their ranks; the choice was overfitted where ln(ω / (1 − ω)) ≤ 0, which is ω ≤ 1/2.
///
/// `None` with less than two candidates, or unless they have one even number of blocks from
/// [`BLOCKS_MIN`] to [`BLOCKS_MAX`] and finite losses.
pub fn backtest_overfitting(losses: &[Vec<f64>]) -> Option<Overfitting> {
    let blocks = losses.first()?.len();
    let has_blocks = (BLOCKS_MIN..=BLOCKS_MAX).contains(&blocks) && blocks.is_multiple_of(2);
    let is_complete =
        |candidate: &Vec<f64>| candidate.len() == blocks && candidate.iter().all(|x| x.is_finite());
    if losses.len() < 2 || !has_blocks || !losses.iter().all(is_complete) {
        return None;
    }

    let halves = (0_u32..1 << blocks).filter(|half| half.count_ones() as usize * 2 == blocks);
    let mut splits = 0;
    let mut overfitted = 0;
    for half in halves {
        splits += 1;
        let chosen = lowest(&sums(losses, half));
        let others = sums(losses, !half);
        // ω ≤ 1/2 without a division: 2r ≤ N + 1.
        if doubled_rank(&others, chosen) <= losses.len() + 1 {
            overfitted += 1;
        }
    }

    Some(Overfitting {
        probability: f64::from(overfitted) / f64::from(splits),
        splits: splits as usize,
    })
}

/// The sum of the losses of each candidate over the blocks whose bits are set.
fn sums(losses: &[Vec<f64>], half: u32) -> Vec<f64> {
    let mut sums = Vec::with_capacity(losses.len());
    for candidate in losses {
        let of_half = candidate.iter().enumerate();
        let of_half = of_half.filter(|(block, _)| half >> block & 1 == 1);
        sums.push(of_half.map(|(_, loss)| loss).sum());
    }
    sums
}

/// The first candidate with the lowest loss.
fn lowest(losses: &[f64]) -> usize {
    let candidates = losses.iter().enumerate();
    let lowest = candidates.min_by(|one, other| one.1.total_cmp(other.1));
    lowest.map_or(0, |(candidate, _)| candidate)
}

/// Twice the rank of a candidate from the worst, 1, to the best; equal candidates share the mean.
fn doubled_rank(losses: &[f64], candidate: usize) -> usize {
    let Some(loss) = losses.get(candidate) else {
        return 0;
    };
    let worse = losses.iter().filter(|other| *other > loss).count();
    let equal = losses.iter().filter(|other| *other == loss).count();
    2 * worse + equal + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_candidate_that_is_best_everywhere_is_no_accident() {
        let losses = [vec![1.0; 4], vec![2.0; 4], vec![3.0; 4]];
        let expected = Overfitting {
            probability: 0.0,
            splits: 6,
        };
        assert_eq!(backtest_overfitting(&losses), Some(expected));
    }

    #[test]
    fn a_worked_example_of_two_candidates_over_four_blocks() {
        // A: 1 1 4 4, B: 2 2 2 2. Sums of the six halves of A: {1,2} 2, {3,4} 8, the four mixed
        // ones 5; of B always 4. {1,2} chooses A, which is worse on {3,4}: overfitted. {3,4}
        // chooses B, worse on {1,2}: overfitted. Mixed halves choose B, better on the other mixed
        // half: its rank is 2 of 2, ω = 2/3. So 2 of 6.
        let losses = [vec![1.0, 1.0, 4.0, 4.0], vec![2.0; 4]];
        let overfitting = backtest_overfitting(&losses).unwrap();
        assert_eq!(overfitting.splits, 6);
        assert!((overfitting.probability - 1.0 / 3.0).abs() < 1e-12);
    }

    #[derive(serde::Deserialize)]
    struct Case {
        losses: Vec<Vec<f64>>,
        probability: f64,
        splits: usize,
    }

    #[test]
    fn an_independent_program_finds_the_same_probabilities() {
        let golden = include_str!("../tests/golden/cscv.json");
        let cases: Vec<Case> = serde_json::from_str(golden).unwrap();
        assert_eq!(cases.len(), 6);

        for case in cases {
            let overfitting = backtest_overfitting(&case.losses).unwrap();
            assert_eq!(overfitting.splits, case.splits);
            let difference = overfitting.probability - case.probability;
            assert!(difference.abs() < 1e-9, "{difference}: {:?}", case.losses);
        }
    }

    #[test]
    fn equal_candidates_are_in_the_middle() {
        // Both have rank 1.5 of 2, ω = 1/2 exactly, which counts as overfitted.
        let overfitting = backtest_overfitting(&[vec![1.0; 4], vec![1.0; 4]]).unwrap();
        assert_eq!(overfitting.probability, 1.0);
    }

    #[test]
    fn what_cannot_be_halved_has_no_probability() {
        let with_blocks =
            |blocks: usize| backtest_overfitting(&[vec![1.0; blocks], vec![2.0; blocks]]);
        for blocks in [0, 1, 2, 3, 5, 18] {
            assert_eq!(with_blocks(blocks), None, "{blocks}");
        }
        assert_eq!(with_blocks(16).unwrap().splits, 12_870);
        assert_eq!(backtest_overfitting(&[vec![1.0; 4]]), None);
        assert_eq!(
            backtest_overfitting(&[vec![1.0; 4], vec![f64::NAN; 4]]),
            None
        );
    }

    proptest! {
        #[test]
        fn neither_scale_nor_order_of_the_blocks_counts(
            losses in prop::collection::vec(prop::collection::vec(0_i32..1_000, 6), 2..6),
        ) {
            let of = |change: fn(&[i32]) -> Vec<f64>| {
                let changed: Vec<Vec<f64>> = losses.iter().map(|candidate| change(candidate)).collect();
                backtest_overfitting(&changed)
            };

            let plain = of(|candidate| candidate.iter().map(|&loss| f64::from(loss)).collect());
            let scaled = of(|candidate| candidate.iter().map(|&loss| f64::from(8 * loss)).collect());
            let reversed = of(|candidate| candidate.iter().rev().map(|&loss| f64::from(loss)).collect());

            prop_assert_eq!(plain, scaled);
            prop_assert_eq!(plain, reversed);
        }
    }
}
