//! Losses of a batch, and their gradients by the scores.
//!
//! With scores s `[rows, outputs]`, log-probabilities log p = s − ln Σ e^s, and per row a target y,
//! a sample weight v and a class weight w, both 1 if there is none:
//!
//! - cross entropy with smoothing ε over C classes: l = (1 − ε) w_y (−log p_y) + ε/C Σ_c w_c (−log
//!   p_c); the loss of a batch is Σ v l / Σ v w_y (PyTorch's `CrossEntropyLoss`; Szegedy and
//!   others, 2016);
//! - focal loss: l = w_y (1 − p_y)^gamma (−log p_y); Σ v l / Σ v (Lin and others, 2017);
//! - Huber loss of d = s − y: l = d²/2 for |d| ≤ delta, else delta (|d| − delta/2); Σ v l / Σ v
//!   (Huber, 1964);
//! - mean squared error: l = d²; Σ v l / Σ v.
//!
//! Rows are f32; sums over rows are f64, first row to last.

use crate::instructions::dispatch;
use crate::math::{self, cut};

/// What a training makes small.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// −log p of the true class, for classes.
    CrossEntropy {
        /// Share of the target that is spread evenly over all classes, in [0, 1).
        smoothing: f32,
    },
    /// Cross entropy that looks away from easy rows, for classes.
    Focal {
        /// How much easy rows lose weight; 0 or more.
        gamma: f32,
    },
    /// Squared for small errors, linear for large ones, for numbers.
    Huber {
        /// Error from which the loss grows linearly; above 0.
        delta: f32,
    },
    /// The squared error, for numbers.
    MeanSquared,
}

/// What a batch should be, one target per row.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// Index of the true class.
    Classes(&'a [i64]),
    /// The number to predict.
    Numbers(&'a [f32]),
}

/// Sums over the rows of one or more batches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchLoss {
    /// Σ v l
    pub loss_sum: f64,
    /// What the loss divides by: Σ v w for cross entropy, else Σ v.
    pub weight_sum: f64,
    /// Rows whose class, or whose sign, is right.
    pub right: u64,
    /// Rows that can be right: each of a class, and each of a number other than 0.
    pub countable: u64,
}

impl BatchLoss {
    /// The loss; 0 without rows.
    pub fn mean(&self) -> f64 {
        if self.weight_sum > 0.0 {
            self.loss_sum / self.weight_sum
        } else {
            0.0
        }
    }

    /// Adds the sums of other rows.
    pub fn add(&mut self, other: Self) {
        self.loss_sum += other.loss_sum;
        self.weight_sum += other.weight_sum;
        self.right += other.right;
        self.countable += other.countable;
    }
}

/// A loss with its class weights and its working memory.
#[derive(Clone, Debug)]
pub struct Criterion {
    loss: Loss,
    /// One per class.
    class_weights: Vec<f32>,
    /// s − max s, `[rows, classes]`.
    shifted: Vec<f32>,
    /// e^(s − max s), `[rows, classes]`.
    powers: Vec<f32>,
    /// Σ e^(s − max s), `[rows]`.
    sums: Vec<f32>,
    /// Logarithms of the sums, `[rows]`.
    log_sums: Vec<f32>,
    rows: Vec<Row>,
}

/// What the gradient of a row of classes is made of.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// Index of the true class.
    label: usize,
    /// The sample weight v.
    weight: f32,
    /// Factor of p − (true class).
    pull: f32,
}

impl Criterion {
    /// `loss` of `outputs` scores, with a weight per class, or none for equal weights and for
    /// numbers.
    pub fn new(loss: Loss, class_weights: &[f32], outputs: usize) -> Self {
        let mut class_weights = class_weights.to_vec();
        if class_weights.is_empty() {
            class_weights.resize(outputs, 1.0);
        }

        Self {
            loss,
            class_weights,
            shifted: Vec::new(),
            powers: Vec::new(),
            sums: Vec::new(),
            log_sums: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// The loss of `scores` `[rows, outputs]`. `sample_weights` has one v per row, or none for 1.
    ///
    /// A row whose target is no class counts for nothing.
    pub fn evaluate(
        &mut self,
        scores: &[f32],
        targets: Targets<'_>,
        sample_weights: &[f32],
    ) -> BatchLoss {
        measure(self, scores, targets, sample_weights, &mut [])
    }

    /// The same with the gradient of the mean loss of this batch by each score, which overwrites
    /// `score_gradients`.
    pub fn differentiate(
        &mut self,
        scores: &[f32],
        targets: Targets<'_>,
        sample_weights: &[f32],
        score_gradients: &mut Vec<f32>,
    ) -> BatchLoss {
        score_gradients.resize(scores.len(), 0.0);
        measure(self, scores, targets, sample_weights, score_gradients)
    }
}

dispatch! {
    /// The loss, and the gradients if there is room for them.
    fn measure(
        criterion: &mut Criterion,
        scores: &[f32],
        targets: Targets<'_>,
        sample_weights: &[f32],
        gradients: &mut [f32],
    ) -> BatchLoss {
        narrow: measure_batch,
        wide: measure_batch,
    }
}

#[inline(always)]
fn measure_batch(
    criterion: &mut Criterion,
    scores: &[f32],
    targets: Targets<'_>,
    sample_weights: &[f32],
    gradients: &mut [f32],
) -> BatchLoss {
    let weights = SampleWeights(sample_weights);

    match (criterion.loss, targets) {
        (Loss::CrossEntropy { smoothing }, Targets::Classes(labels)) => {
            let mut batch = criterion.load(scores, labels, weights);
            criterion.cross_entropy(smoothing, &mut batch);
            let spread = smoothing / criterion.class_weights.len() as f32;
            criterion.write_gradients(spread, batch.weight_sum, gradients);
            batch
        }
        (Loss::Focal { gamma }, Targets::Classes(labels)) => {
            let mut batch = criterion.load(scores, labels, weights);
            criterion.focal(gamma, &mut batch);
            criterion.write_gradients(0.0, batch.weight_sum, gradients);
            batch
        }
        (Loss::Huber { delta }, Targets::Numbers(targets)) => {
            measure_numbers(Huber { delta }, scores, targets, weights, gradients)
        }
        (Loss::MeanSquared, Targets::Numbers(targets)) => {
            measure_numbers(Squared, scores, targets, weights, gradients)
        }
        // Targets of the other kind are no targets.
        _ => BatchLoss::default(),
    }
}

/// One weight per row, or none for 1.
#[derive(Clone, Copy)]
struct SampleWeights<'a>(&'a [f32]);

impl SampleWeights<'_> {
    #[inline(always)]
    fn at(self, row: usize) -> f32 {
        if self.0.is_empty() {
            return 1.0;
        }
        self.0.get(row).copied().unwrap_or_default()
    }
}

impl Criterion {
    /// Counts right answers and prepares powers, their sums and the logarithms of these.
    #[inline(always)]
    fn load(&mut self, scores: &[f32], labels: &[i64], weights: SampleWeights<'_>) -> BatchLoss {
        let classes = self.class_weights.len().max(1);
        self.shifted.resize(scores.len(), 0.0);
        self.powers.resize(scores.len(), 0.0);
        self.rows.resize(labels.len(), Row::default());

        let mut batch = BatchLoss::default();
        let cells = scores
            .chunks_exact(classes)
            .zip(self.shifted.chunks_exact_mut(classes));
        let rows = self.rows.iter_mut().zip(labels).enumerate();
        for ((scores, shifted), (index, (row, label))) in cells.zip(rows) {
            // Beyond every class when it is none.
            let label = usize::try_from(*label).unwrap_or(usize::MAX);
            let largest = position_of_largest(scores);
            let shift = scores.get(largest).copied().unwrap_or_default();
            for (cell, score) in shifted.iter_mut().zip(scores) {
                *cell = score - shift;
            }

            batch.right += u64::from(largest == label);
            batch.countable += u64::from(label < classes);
            row.label = label;
            row.weight = if label < classes {
                weights.at(index)
            } else {
                0.0
            };
        }

        self.sum_powers(classes);
        batch
    }

    /// Vectors run over scores, then over rows.
    #[inline(always)]
    fn sum_powers(&mut self, classes: usize) {
        for (power, shifted) in self.powers.iter_mut().zip(&self.shifted) {
            *power = math::exp(*shifted);
        }

        self.sums.clear();
        for powers in self.powers.chunks_exact(classes) {
            let mut sum = 0.0;
            for power in powers {
                sum += power;
            }
            self.sums.push(sum);
        }

        self.log_sums.resize(self.sums.len(), 0.0);
        for (logarithm, sum) in self.log_sums.iter_mut().zip(&self.sums) {
            *logarithm = math::ln(*sum);
        }
    }

    #[inline(always)]
    fn cross_entropy(&mut self, smoothing: f32, batch: &mut BatchLoss) {
        let classes = self.class_weights.len().max(1);
        let spread = smoothing / classes as f32;

        let cells = self.shifted.chunks_exact(classes).zip(&self.log_sums);
        for (row, (shifted, log_sum)) in self.rows.iter_mut().zip(cells) {
            let class_weight = self.class_weights.get(row.label).copied().unwrap_or(0.0);
            let weight = row.weight * class_weight;
            let true_shifted = shifted.get(row.label).copied().unwrap_or_default();
            let mut loss = (1.0 - smoothing) * class_weight * (log_sum - true_shifted);
            if smoothing > 0.0 {
                for (class_weight, shifted) in self.class_weights.iter().zip(shifted) {
                    loss += spread * class_weight * (log_sum - shifted);
                }
            }

            row.pull = (1.0 - smoothing) * weight;
            batch.loss_sum += f64::from(row.weight * loss);
            batch.weight_sum += f64::from(weight);
        }
    }

    #[inline(always)]
    fn focal(&mut self, gamma: f32, batch: &mut BatchLoss) {
        let classes = self.class_weights.len().max(1);

        let tables = self
            .powers
            .chunks_exact(classes)
            .zip(self.shifted.chunks_exact(classes));
        let cells = tables.zip(self.sums.iter().zip(&self.log_sums));
        for (row, ((powers, shifted), (sum, log_sum))) in self.rows.iter_mut().zip(cells) {
            let class_weight = self.class_weights.get(row.label).copied().unwrap_or(0.0);
            let weight = row.weight * class_weight;

            // 1 − p from the other classes: the difference would lose all digits near p = 1.
            let mut others = 0.0;
            for (class, power) in powers.iter().enumerate() {
                others += if class == row.label { 0.0 } else { *power };
            }
            let rest = others / sum;
            let logarithm = shifted.get(row.label).copied().unwrap_or_default() - log_sum;
            let probability = math::exp(logarithm);

            // The derivative by s_j is (p_j − [j = y]) (r^γ − γ r^(γ−1) p log p), with r = 1 − p.
            let focus = power_of(rest, gamma);
            let slope = if rest > 0.0 {
                gamma * focus / rest
            } else {
                0.0
            };
            row.pull = weight * (focus - slope * probability * logarithm);
            batch.loss_sum += f64::from(weight * focus * -logarithm);
            batch.weight_sum += f64::from(row.weight);
        }
    }

    /// g_j = (p_j (pull + spread v Σ w) − [j = y] pull − spread v w_j) / Σ, where Σ is the batch's
    /// sum of weights.
    #[inline(always)]
    fn write_gradients(&self, spread: f32, weight_sum: f64, gradients: &mut [f32]) {
        let classes = self.class_weights.len().max(1);
        let mut class_weight_sum = 0.0;
        for weight in &self.class_weights {
            class_weight_sum += weight;
        }
        // Rows without weight pull nowhere.
        let factor = if weight_sum > 0.0 {
            (1.0 / weight_sum) as f32
        } else {
            0.0
        };

        let cells = gradients
            .chunks_exact_mut(classes)
            .zip(self.powers.chunks_exact(classes));
        let rows = self.rows.iter().zip(&self.sums);
        for ((gradients, powers), (row, sum)) in cells.zip(rows) {
            let pull = row.pull * factor;
            let push = spread * row.weight * factor;
            let scale = push.mul_add(class_weight_sum, pull) / sum;

            let cells = gradients.iter_mut().zip(powers).zip(&self.class_weights);
            for (class, ((gradient, power), weight)) in cells.enumerate() {
                let target = if class == row.label { pull } else { 0.0 };
                let power = cut(*power);
                let difference = scale.mul_add(power, -push * weight) - target;
                *gradient = cut(difference);
            }
        }
    }
}

/// The first index of the largest score.
#[inline(always)]
fn position_of_largest(scores: &[f32]) -> usize {
    let mut position = 0;
    let mut largest = f32::NEG_INFINITY;
    for (index, &score) in scores.iter().enumerate() {
        if score > largest {
            largest = score;
            position = index;
        }
    }
    position
}

/// base^exponent for a base in [0, 1]; 0⁰ is 1.
#[inline(always)]
fn power_of(base: f32, exponent: f32) -> f32 {
    if exponent == 0.0 {
        return 1.0;
    }
    math::exp(exponent * math::ln(base))
}

/// A loss of the error d = s − y.
trait ErrorLoss: Copy {
    fn value(self, error: f32) -> f32;
    fn slope(self, error: f32) -> f32;
}

#[derive(Clone, Copy)]
struct Squared;

impl ErrorLoss for Squared {
    #[inline(always)]
    fn value(self, error: f32) -> f32 {
        error * error
    }

    #[inline(always)]
    fn slope(self, error: f32) -> f32 {
        2.0 * error
    }
}

#[derive(Clone, Copy)]
struct Huber {
    delta: f32,
}

impl ErrorLoss for Huber {
    #[inline(always)]
    fn value(self, error: f32) -> f32 {
        let size = error.abs();
        if size > self.delta {
            self.delta * (size - 0.5 * self.delta)
        } else {
            0.5 * error * error
        }
    }

    #[inline(always)]
    fn slope(self, error: f32) -> f32 {
        if error.abs() > self.delta {
            self.delta.copysign(error)
        } else {
            error
        }
    }
}

#[inline(always)]
fn measure_numbers(
    loss: impl ErrorLoss,
    scores: &[f32],
    targets: &[f32],
    weights: SampleWeights<'_>,
    gradients: &mut [f32],
) -> BatchLoss {
    let mut batch = BatchLoss::default();
    for (row, (score, target)) in scores.iter().zip(targets).enumerate() {
        let weight = weights.at(row);
        batch.loss_sum += f64::from(weight * loss.value(score - target));
        batch.weight_sum += f64::from(weight);
        batch.right += u64::from(score * target.signum() > 0.0 && *target != 0.0);
        batch.countable += u64::from(*target != 0.0);
    }

    // Rows without weight pull nowhere.
    let sum = batch.weight_sum;
    let factor = if sum > 0.0 { (1.0 / sum) as f32 } else { 0.0 };
    let cells = gradients.iter_mut().zip(scores).zip(targets).enumerate();
    for (row, ((gradient, score), target)) in cells {
        *gradient = cut(weights.at(row) * factor * loss.slope(score - target));
    }
    batch
}
