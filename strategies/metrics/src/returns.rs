//! What a regression makes of each row, and the figures of any set of such rows.

use super::{Figures, Tally, ratio_or_zero};

/// What a regression makes of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Forecast {
    /// The true number.
    pub label: f64,
    /// The network's number.
    pub prediction: f64,
}

impl Forecast {
    /// Prediction minus label.
    pub(super) fn error(&self) -> f64 {
        self.prediction - self.label
    }

    /// True where the label has a direction, and the prediction has the same.
    fn has_right_direction(&self) -> bool {
        self.prediction != 0.0 && (self.prediction > 0.0) == (self.label > 0.0)
    }
}

/// The forecasts of a part, one score a row.
pub(super) fn forecasts_of(scores: &[f32], labels: &[f32]) -> Vec<Forecast> {
    let pairs = scores.iter().zip(labels);
    let forecasts = pairs.map(|(&score, &label)| Forecast {
        label: f64::from(label),
        prediction: f64::from(score),
    });
    forecasts.collect()
}

/// Sums over forecasts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ForecastTally {
    /// Mean label of the training part.
    mean: f64,
    rows: u64,
    absolute: f64,
    squared: f64,
    baseline_absolute: f64,
    baseline_squared: f64,
    /// Rows whose label has a direction.
    directed: u64,
    /// Of these, those that rose.
    risen: u64,
    /// Of these, those whose prediction has the same direction.
    right: u64,
    zero_predictions: u64,
}

impl ForecastTally {
    /// Nothing counted yet; `mean` is that of the training part's labels.
    pub(super) fn new(mean: f64) -> Self {
        Self {
            mean,
            rows: 0,
            absolute: 0.0,
            squared: 0.0,
            baseline_absolute: 0.0,
            baseline_squared: 0.0,
            directed: 0,
            risen: 0,
            right: 0,
            zero_predictions: 0,
        }
    }

    fn mean_over_rows(&self, sum: f64) -> f64 {
        ratio_or_zero(sum, self.rows as f64)
    }

    pub(super) fn mae(&self) -> f64 {
        self.mean_over_rows(self.absolute)
    }

    pub(super) fn mse(&self) -> f64 {
        self.mean_over_rows(self.squared)
    }

    pub(super) fn baseline_mae(&self) -> f64 {
        self.mean_over_rows(self.baseline_absolute)
    }

    pub(super) fn baseline_mse(&self) -> f64 {
        self.mean_over_rows(self.baseline_squared)
    }

    /// Rows whose label is exactly 0.
    pub(super) fn zero_labels(&self) -> u64 {
        self.rows - self.directed
    }

    pub(super) fn zero_predictions(&self) -> u64 {
        self.zero_predictions
    }

    /// Share of right directions; absent where no label has one.
    pub(super) fn directional_accuracy(&self) -> Option<f64> {
        (self.directed > 0).then(|| self.right as f64 / self.directed as f64)
    }

    /// Share of the same rows that rose; absent where no label has a direction.
    pub(super) fn always_up_accuracy(&self) -> Option<f64> {
        (self.directed > 0).then(|| self.risen as f64 / self.directed as f64)
    }
}

impl Tally for ForecastTally {
    type Row = Forecast;

    fn add(&mut self, row: &Forecast) {
        let error = row.error();
        let distance = row.label - self.mean;
        self.rows += 1;
        self.absolute += error.abs();
        self.squared += error * error;
        self.baseline_absolute += distance.abs();
        self.baseline_squared += distance * distance;

        // A price that did not move has no direction to be right about.
        if row.label != 0.0 {
            self.directed += 1;
            self.risen += u64::from(row.label > 0.0);
            self.right += u64::from(row.has_right_direction());
        }
        self.zero_predictions += u64::from(row.prediction == 0.0);
    }

    fn figures(&self) -> Figures {
        let mut figures = vec![
            ("mae", self.mae()),
            ("baseline_mae", self.baseline_mae()),
            ("mae_gain", self.baseline_mae() - self.mae()),
            ("mse", self.mse()),
            ("baseline_mse", self.baseline_mse()),
            ("mse_gain", self.baseline_mse() - self.mse()),
        ];

        let directions = self.directional_accuracy().zip(self.always_up_accuracy());
        if let Some((direction, always_up)) = directions {
            figures.push(("directional_accuracy", direction));
            figures.push(("always_up_accuracy", always_up));
            figures.push(("direction_gain", direction - always_up));
        }
        figures
    }
}
