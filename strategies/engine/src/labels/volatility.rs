//! Volatility: weighted means and deviations over everything so far, and the spread of returns
//! ahead against before.

/// ln(close\[i\]/close\[i-1\]); NaN at row 0 and where a close is missing or not above 0.
pub(super) fn log_returns(close: &[f64]) -> Vec<f64> {
    let usable = |price: f64| price > 0.0 && price.is_finite();
    let change = |(now, before): (&f64, &f64)| {
        if usable(*now) && usable(*before) {
            (now / before).ln()
        } else {
            f64::NAN
        }
    };
    close
        .iter()
        .zip(std::iter::once(&f64::NAN).chain(close))
        .map(change)
        .collect()
}

/// Sample deviation of the `ahead` returns after `row` over that of the `back` returns up to it; 0
/// where nothing moved before. `None` where one of the returns is missing.
pub(super) fn volatility_ratio(
    returns: &[f64],
    row: usize,
    ahead: usize,
    back: usize,
) -> Option<f64> {
    let later = deviation(returns.get(row + 1..row + 1 + ahead)?)?;
    let before = deviation(returns.get((row + 1).checked_sub(back)?..=row)?)?;
    Some(if before == 0.0 { 0.0 } else { later / before })
}

fn deviation(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values
        .iter()
        .map(|value| (value - mean) * (value - mean))
        .sum();
    let deviation = (squares / (count - 1.0)).sqrt();
    deviation.is_finite().then_some(deviation)
}

/// Mean and sample deviation with weights (1 − a)^age, a = 2/(span + 1), over everything so far
/// (pandas `ewm`, adjusted).
pub(super) struct Weighted {
    keep: f64,
    weight: f64,
    weight_squares: f64,
    mean: f64,
    /// Weighted sum of squared distances from the mean.
    spread: f64,
}

impl Weighted {
    pub(super) fn new(span: u32) -> Self {
        let keep = 1.0 - 2.0 / (f64::from(span) + 1.0);
        Self {
            keep,
            weight: 0.0,
            weight_squares: 0.0,
            mean: 0.0,
            spread: 0.0,
        }
    }

    pub(super) fn push(&mut self, value: f64) -> &mut Self {
        if value.is_finite() {
            self.weight = self.weight * self.keep + 1.0;
            self.weight_squares = self.weight_squares * self.keep * self.keep + 1.0;
            let before = value - self.mean;
            self.mean += before / self.weight;
            self.spread = self.spread * self.keep + before * (value - self.mean);
        }
        self
    }

    pub(super) fn mean(&self) -> f64 {
        if self.weight > 0.0 {
            self.mean
        } else {
            f64::NAN
        }
    }

    /// Unbiased as pandas does it: NaN for fewer than two values.
    pub(super) fn deviation(&self) -> f64 {
        let unbiased = self.weight - self.weight_squares / self.weight;
        if unbiased > 0.0 {
            (self.spread / unbiased).max(0.0).sqrt()
        } else {
            f64::NAN
        }
    }
}
