//! What a classifier makes of each row, and the figures of any set of such rows.

use schemas::metrics::ClassRates;

use super::probabilities::{index_of_max, log_probabilities};
use super::{Figures, Tally, mean_of, ratio_or_zero};

/// What a classifier makes of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Answer {
    /// The true class.
    pub label: usize,
    /// The class with the highest score.
    pub answer: usize,
    /// Probability of the answer.
    pub confidence: f64,
    /// −ln of the probability of the true class.
    pub loss: f64,
    /// Σ over classes of (probability − truth)².
    pub brier: f64,
}

/// The answers to the rows of `scores`, `[rows, outputs]`, with scores divided by `temperature`.
pub(super) fn answers_of(scores: &[f32], labels: &[i64], temperature: f64) -> Vec<Answer> {
    let outputs = scores.len() / labels.len().max(1);
    let mut logarithms = Vec::with_capacity(outputs);
    let mut answers = Vec::with_capacity(labels.len());

    for (row, &label) in scores.chunks_exact(outputs.max(1)).zip(labels) {
        log_probabilities(row, temperature, &mut logarithms);
        // The data were checked: a label that is not a class is a defect, and gives NaN.
        let label = usize::try_from(label).unwrap_or(usize::MAX);
        let answer = index_of_max(row);
        let logarithm_of = |class: usize| logarithms.get(class).copied().unwrap_or(f64::NAN);
        answers.push(Answer {
            label,
            answer,
            confidence: libm::exp(logarithm_of(answer)),
            loss: -logarithm_of(label),
            brier: brier_of(&logarithms, label),
        });
    }

    answers
}

fn brier_of(logarithms: &[f64], label: usize) -> f64 {
    let mut sum = 0.0;
    for (class, logarithm) in logarithms.iter().enumerate() {
        let truth = if class == label { 1.0 } else { 0.0 };
        let distance = libm::exp(*logarithm) - truth;
        sum += distance * distance;
    }
    sum
}

/// The loss and Brier score of a row of each class under one set of probabilities.
#[derive(Clone, Debug, Default, PartialEq)]
struct Prior {
    loss: Vec<f64>,
    brier: Vec<f64>,
}

impl Prior {
    fn of(shares: &[f64]) -> Self {
        let logarithms: Vec<f64> = shares.iter().map(|share| libm::log(*share)).collect();
        let classes = 0..shares.len();
        Self {
            loss: logarithms.iter().map(|logarithm| -logarithm).collect(),
            brier: classes.map(|label| brier_of(&logarithms, label)).collect(),
        }
    }
}

/// Counts of answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AnswerTally {
    prior: Prior,
    /// Counts by true class, then by answer.
    confusion: Vec<Vec<u64>>,
    rows: u64,
    loss: f64,
    brier: f64,
}

impl AnswerTally {
    /// Nothing counted yet; `class_shares` are those of the training part.
    pub(super) fn new(class_shares: &[f64]) -> Self {
        let classes = class_shares.len();
        Self {
            prior: Prior::of(class_shares),
            confusion: vec![vec![0; classes]; classes],
            rows: 0,
            loss: 0.0,
            brier: 0.0,
        }
    }

    /// Rows are true classes, columns predicted ones.
    pub(super) fn confusion(&self) -> &[Vec<u64>] {
        &self.confusion
    }

    /// Number of rows of each class.
    fn supports(&self) -> impl Iterator<Item = u64> + '_ {
        self.confusion.iter().map(|counts| counts.iter().sum())
    }

    /// Number of answers that name `class`.
    fn answered(&self, class: usize) -> u64 {
        let cells = self.confusion.iter().filter_map(|counts| counts.get(class));
        cells.sum()
    }

    fn right(&self, class: usize) -> u64 {
        let counts = self.confusion.get(class);
        let cell = counts.and_then(|counts| counts.get(class));
        cell.copied().unwrap_or(0)
    }

    /// Right answers of all classes.
    fn all_right(&self) -> f64 {
        let classes = 0..self.confusion.len();
        classes.map(|class| self.right(class)).sum::<u64>() as f64
    }

    fn share(&self, count: f64) -> f64 {
        ratio_or_zero(count, self.rows as f64)
    }

    pub(super) fn accuracy(&self) -> f64 {
        self.share(self.all_right())
    }

    pub(super) fn majority_accuracy(&self) -> f64 {
        self.share(self.supports().max().unwrap_or(0) as f64)
    }

    pub(super) fn loss(&self) -> f64 {
        self.share(self.loss)
    }

    pub(super) fn brier(&self) -> f64 {
        self.share(self.brier)
    }

    pub(super) fn prior_loss(&self) -> f64 {
        self.share(self.sum_over_labels(&self.prior.loss))
    }

    pub(super) fn prior_brier(&self) -> f64 {
        self.share(self.sum_over_labels(&self.prior.brier))
    }

    /// Σ over rows of the value of their class. A class without rows adds nothing, whatever its
    /// value.
    fn sum_over_labels(&self, values: &[f64]) -> f64 {
        let pairs = self.supports().zip(values);
        let present = pairs.filter(|(support, _)| *support > 0);
        present.map(|(support, value)| support as f64 * value).sum()
    }

    /// Mean recall of the classes that occur.
    pub(super) fn balanced_accuracy(&self) -> f64 {
        let rates = self.supports().enumerate();
        let present = rates.filter(|(_, support)| *support > 0);
        mean_of(present.map(|(class, support)| self.right(class) as f64 / support as f64))
    }

    /// (c·s − Σ p·t) / √((s² − Σ p²)·(s² − Σ t²)) with s rows, c right answers, and for each class
    /// t rows and p answers (Gorodkin, 2004); 0 where it is not defined.
    pub(super) fn mcc(&self) -> f64 {
        let rows = self.rows as f64;
        let mut products = 0.0;
        let mut answers_squared = 0.0;
        let mut labels_squared = 0.0;
        for (class, support) in self.supports().enumerate() {
            let labels = support as f64;
            let answers = self.answered(class) as f64;
            products += labels * answers;
            answers_squared += answers * answers;
            labels_squared += labels * labels;
        }

        let of_answers = rows * rows - answers_squared;
        let of_labels = rows * rows - labels_squared;
        // Apart, since a product of four counts may leave the range of whole numbers in f64.
        let spread = of_answers.sqrt() * of_labels.sqrt();
        ratio_or_zero(self.all_right() * rows - products, spread)
    }

    /// Rates of one class.
    pub(super) fn rates(&self, class: usize, name: &str) -> ClassRates {
        let right = self.right(class) as f64;
        let answered = self.answered(class);
        let support = self.supports().nth(class).unwrap_or(0);

        // A class that is never predicted has no precision, one that never occurs no recall: 0.
        let precision = ratio_or_zero(right, answered as f64);
        let recall = ratio_or_zero(right, support as f64);
        ClassRates {
            name: name.to_owned(),
            support,
            predicted_share: self.share(answered as f64),
            precision,
            recall,
            f1: ratio_or_zero(2.0 * precision * recall, precision + recall),
        }
    }

    /// Unweighted mean of 2·right / (rows + answers), which is the F1 of a class.
    fn macro_f1(&self) -> f64 {
        let classes = self.supports().enumerate();
        mean_of(classes.map(|(class, support)| {
            let both = support + self.answered(class);
            ratio_or_zero(2.0 * self.right(class) as f64, both as f64)
        }))
    }
}

impl Tally for AnswerTally {
    type Row = Answer;

    fn add(&mut self, row: &Answer) {
        let counts = self.confusion.get_mut(row.label);
        if let Some(cell) = counts.and_then(|counts| counts.get_mut(row.answer)) {
            *cell += 1;
        }
        self.rows += 1;
        self.loss += row.loss;
        self.brier += row.brier;
    }

    fn figures(&self) -> Figures {
        let accuracy = self.accuracy();
        let majority = self.majority_accuracy();
        let loss = self.loss();
        let prior_loss = self.prior_loss();

        // The gains are figures of their own: the interval of a difference is narrower than those
        // of its sides suggest, because both are measured on the same rows.
        let mut figures = vec![
            ("accuracy", accuracy),
            ("majority_accuracy", majority),
            ("accuracy_gain", accuracy - majority),
            ("balanced_accuracy", self.balanced_accuracy()),
            ("macro_f1", self.macro_f1()),
            ("mcc", self.mcc()),
            ("loss", loss),
            ("prior_loss", prior_loss),
            ("loss_gain", prior_loss - loss),
            ("brier", self.brier()),
            ("prior_brier", self.prior_brier()),
        ];
        // Rows of a class that the training part lacks make the loss of its shares infinite.
        figures.retain(|(_, value)| value.is_finite());
        figures
    }
}
