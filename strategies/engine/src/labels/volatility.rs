//! Volatility: weighted means and deviations over everything so far, and the spread of returns
//! ahead against before.

/// ln(close\[i\]/close\[i-1\]); NaN at row 0 and where a close is missing or not above 0.
pub(super) fn log_returns(close: &[f64]) -> Vec<f64> {
    // Nothing comes before the first bar, so its return is NaN.
    let previous = std::iter::once(&f64::NAN).chain(close);

    close
        .iter()
        .zip(previous)
        .map(|(now, before)| {
            if is_price(*now) && is_price(*before) {
                libm::log(now / before)
            } else {
                f64::NAN
            }
        })
        .collect()
}

/// A finite number above 0; anything else is a missing price.
pub(super) fn is_price(value: f64) -> bool {
    value > 0.0 && value.is_finite()
}

/// Sample deviation of the `ahead` returns after `row` over that of the `back` returns up to it; 0
/// where nothing moved before. `None` where one of the returns is missing.
pub(super) fn volatility_ratio(
    returns: &[f64],
    row: usize,
    ahead: usize,
    back: usize,
) -> Option<f64> {
    let later = sample_deviation(returns.get(row + 1..row + 1 + ahead)?)?;
    let before = sample_deviation(returns.get((row + 1).checked_sub(back)?..=row)?)?;

    Some(if before == 0.0 { 0.0 } else { later / before })
}

/// √(Σ(x − mean)²/(n − 1)); `None` where that is not finite, as for one value or a missing one.
fn sample_deviation(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values
        .iter()
        .map(|value| (value - mean) * (value - mean))
        .sum();

    let deviation = (squares / (count - 1.0)).sqrt();
    deviation.is_finite().then_some(deviation)
}

/// Mean and sample deviation with weights (1 − a)^age, a = 2/(span + 1), over everything so far.
///
/// Source: pandas 2, `ewm(span=…, adjust=True)`: `mean()`, and `std(bias=False)` with the same
/// correction for the weights. Updated one value at a time as in West (1979), *Updating Mean and
/// Variance Estimates*.
pub(super) struct WeightedStatistics {
    /// 1 − a: the factor by which one step ages a weight.
    decay: f64,
    weight_sum: f64,
    weight_squares: f64,
    mean: f64,
    /// Weighted sum of squared distances from the mean.
    spread: f64,
}

impl WeightedStatistics {
    /// `span` in values, at least 1.
    pub(super) fn new(span: u32) -> Self {
        Self {
            decay: 1.0 - 2.0 / (f64::from(span) + 1.0),
            weight_sum: 0.0,
            weight_squares: 0.0,
            mean: 0.0,
            spread: 0.0,
        }
    }

    /// Adds the next value; one that is not finite changes nothing.
    pub(super) fn push(&mut self, value: f64) -> &mut Self {
        if value.is_finite() {
            self.weight_sum = self.weight_sum * self.decay + 1.0;
            self.weight_squares = self.weight_squares * self.decay * self.decay + 1.0;

            let distance_before = value - self.mean;
            self.mean += distance_before / self.weight_sum;
            self.spread = self.spread * self.decay + distance_before * (value - self.mean);
        }

        self
    }

    /// NaN before the first value.
    pub(super) fn mean(&self) -> f64 {
        if self.weight_sum > 0.0 {
            self.mean
        } else {
            f64::NAN
        }
    }

    /// Unbiased as pandas does it: NaN for fewer than two values.
    pub(super) fn deviation(&self) -> f64 {
        let unbiased_weight = self.weight_sum - self.weight_squares / self.weight_sum;

        if unbiased_weight > 0.0 {
            (self.spread / unbiased_weight).max(0.0).sqrt()
        } else {
            f64::NAN
        }
    }
}
