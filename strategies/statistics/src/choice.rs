//! How much of a choice among several candidates is luck.

use crate::moments::moments;
use crate::multiple::holm;
use crate::sharpe::{Sharpe, expected_maximum};

/// One of several trainings, on the rows by which one of them is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Probability that its rank information coefficient is chance; absent where it was not tested.
    pub p: Option<f64>,
    /// The Sharpe ratio of its trades; absent where it has none.
    pub sharpe: Option<Sharpe>,
}

/// What remains of the figures of a chosen candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LuckOfChoice {
    /// Holm's correction of its p over all candidates; absent where it was not tested.
    pub p: Option<f64>,
    /// Its deflated Sharpe ratio; absent unless it, and two candidates at least, have a ratio.
    pub deflated: Option<Deflated>,
}

/// A Sharpe ratio beside what luck alone would have reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deflated {
    /// That of the chosen candidate.
    pub ratio: f64,
    /// The highest to expect of as many candidates without skill.
    pub expected_maximum: f64,
    /// The probability that the true ratio is above that.
    pub probability: f64,
}

/// The luck of choosing the candidate at position `chosen`. One that was not tested was tried all
/// the same: it counts with a p of 1.
pub fn luck_of_choice(candidates: &[Candidate], chosen: usize) -> Option<LuckOfChoice> {
    let candidate = candidates.get(chosen)?;
    let tested = candidates
        .iter()
        .map(|candidate| candidate.p.unwrap_or(1.0));
    let corrected = holm(&tested.collect::<Vec<f64>>());

    Some(LuckOfChoice {
        p: candidate.p.and_then(|_| corrected.get(chosen).copied()),
        deflated: candidate
            .sharpe
            .and_then(|sharpe| deflate(sharpe, candidates)),
    })
}

fn deflate(sharpe: Sharpe, candidates: &[Candidate]) -> Option<Deflated> {
    let ratios = candidates.iter().filter_map(|candidate| candidate.sharpe);
    let ratios: Vec<f64> = ratios.map(|sharpe| sharpe.ratio).collect();
    let deviation = moments(&ratios)?.deviation?;

    let maximum = expected_maximum(candidates.len(), deviation * deviation);
    Some(Deflated {
        ratio: sharpe.ratio,
        expected_maximum: maximum,
        probability: sharpe.probability_above(maximum),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(p: Option<f64>, ratio: Option<f64>) -> Candidate {
        let sharpe = ratio.map(|ratio| Sharpe {
            ratio,
            observations: 101,
            skewness: 0.0,
            kurtosis: 3.0,
        });
        Candidate { p, sharpe }
    }

    #[test]
    fn the_chosen_one_is_judged_as_one_of_all() {
        // Ratios 0.1, 0.2, 0.3 vary by 0.01; a fourth was tried without a trade.
        let candidates = [
            candidate(Some(0.01), Some(0.1)),
            candidate(Some(0.02), Some(0.3)),
            candidate(None, Some(0.2)),
            candidate(Some(0.9), None),
        ];

        let luck = luck_of_choice(&candidates, 1).unwrap();

        // 3 · 0.02, as the second lowest of four.
        assert!((luck.p.unwrap() - 0.06).abs() < 1e-12);
        let deflated = luck.deflated.unwrap();
        let maximum = expected_maximum(4, 0.01);
        assert!((deflated.expected_maximum - maximum).abs() < 1e-12);
        let expected = candidates[1].sharpe.unwrap().deflated(4, 0.01);
        assert!((deflated.probability - expected).abs() < 1e-12);
    }

    #[test]
    fn nothing_remains_of_what_was_not_measured() {
        let candidates = [candidate(None, None), candidate(Some(0.01), Some(0.1))];
        let untested = LuckOfChoice {
            p: None,
            deflated: None,
        };
        assert_eq!(luck_of_choice(&candidates, 0), Some(untested));
        assert_eq!(luck_of_choice(&candidates, 2), None);
        // One ratio does not vary.
        assert_eq!(luck_of_choice(&candidates, 1).unwrap().deflated, None);
    }
}
