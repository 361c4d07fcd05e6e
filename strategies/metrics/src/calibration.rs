//! How far the probabilities of a classifier can be trusted, and the temperature that mends them.

use schemas::metrics::{Calibration, CalibrationBin};

use super::answers::{Answer, answers_of};
use super::{mean_of, ratio_or_zero};

/// Number of bins of equal width.
const BINS: usize = 10;
/// Lowest and highest logarithm of a temperature that is looked at: 1/20 and 20.
const LOG_TEMPERATURE_MAX: f64 = 2.995_732_273_553_991;
/// Steps of the search: each leaves 0.618 of the interval, all of them 3e-8 of it.
const SEARCH_STEPS: u32 = 36;
/// (√5 − 1) / 2.
const GOLDEN: f64 = 0.618_033_988_749_894_8;
/// Most rows that a temperature is fitted to, evenly spread: one number needs no more.
const FIT_ROWS_MAX: usize = 20_000;

/// The reliability table of `answers`.
pub(super) fn calibration_of(answers: &[Answer]) -> Calibration {
    let mut sums = [BinSums::default(); BINS];
    for answer in answers {
        // 1 itself belongs to the last bin.
        let bin = (answer.confidence * BINS as f64) as usize;
        if let Some(bin) = sums.get_mut(bin.min(BINS - 1)) {
            bin.rows += 1;
            bin.confidence += answer.confidence;
            bin.right += u64::from(answer.answer == answer.label);
        }
    }

    let rows = answers.len() as f64;
    let bins: Vec<CalibrationBin> = (0..)
        .zip(sums)
        .map(|(index, sums)| sums.bin(index))
        .collect();
    let gaps = bins.iter().map(|bin| {
        let gap = (bin.accuracy - bin.confidence).abs();
        gap * ratio_or_zero(bin.rows as f64, rows)
    });
    Calibration {
        ece: gaps.sum(),
        bins,
    }
}

/// Sums over the rows of a bin.
#[derive(Clone, Copy, Debug, Default)]
struct BinSums {
    rows: u64,
    confidence: f64,
    right: u64,
}

impl BinSums {
    fn bin(self, index: u32) -> CalibrationBin {
        let rows = self.rows as f64;
        CalibrationBin {
            low: f64::from(index) / BINS as f64,
            high: f64::from(index + 1) / BINS as f64,
            rows: self.rows,
            confidence: ratio_or_zero(self.confidence, rows),
            accuracy: ratio_or_zero(self.right as f64, rows),
        }
    }
}

/// The temperature between 1/20 and 20 with the lowest plain loss of `scores`, `[rows, outputs]`.
///
/// The loss is convex in 1/temperature, so it has one valley on a scale of logarithms, too, and the
/// golden section (Kiefer, 1953) finds its bottom. `scores` are those of the validation part.
pub(super) fn fit_temperature(scores: &[f32], labels: &[i64]) -> f64 {
    let sample = Sample::thinned(scores, labels);
    let mut low = -LOG_TEMPERATURE_MAX;
    let mut high = LOG_TEMPERATURE_MAX;
    let mut left_point = sample.point_at(high - GOLDEN * (high - low));
    let mut right_point = sample.point_at(low + GOLDEN * (high - low));

    for _ in 0..SEARCH_STEPS {
        // The inner point of the side that stays is the other inner point of the next interval.
        if left_point.loss <= right_point.loss {
            high = right_point.place;
            right_point = left_point;
            left_point = sample.point_at(high - GOLDEN * (high - low));
        } else {
            low = left_point.place;
            left_point = right_point;
            right_point = sample.point_at(low + GOLDEN * (high - low));
        }
    }

    libm::exp(0.5 * (low + high))
}

/// A logarithm of a temperature with its loss.
#[derive(Clone, Copy)]
struct Point {
    place: f64,
    loss: f64,
}

/// Rows with their labels.
struct Sample {
    scores: Vec<f32>,
    labels: Vec<i64>,
}

impl Sample {
    /// Every n-th row, n being the least that leaves no more than [`FIT_ROWS_MAX`].
    fn thinned(scores: &[f32], labels: &[i64]) -> Self {
        let outputs = (scores.len() / labels.len().max(1)).max(1);
        let step = labels.len().div_ceil(FIT_ROWS_MAX).max(1);
        let rows = scores.chunks_exact(outputs).step_by(step);
        Self {
            scores: rows.flatten().copied().collect(),
            labels: labels.iter().copied().step_by(step).collect(),
        }
    }

    /// The mean loss at the temperature whose logarithm is `place`.
    fn point_at(&self, place: f64) -> Point {
        let answers = answers_of(&self.scores, &self.labels, libm::exp(place));
        Point {
            place,
            loss: mean_of(answers.iter().map(|answer| answer.loss)),
        }
    }
}
