//! Mean and deviation of a few figures.

/// Mean, and standard deviation of a sample (divided by n − 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Arithmetic mean of all.
    pub mean: f64,
    /// Absent for a single figure.
    pub deviation: Option<f64>,
}

/// The moments of `figures`; none of no figure.
pub fn moments(figures: &[f64]) -> Option<Moments> {
    let count = figures.len() as f64;
    if figures.is_empty() {
        return None;
    }

    let mean = figures.iter().sum::<f64>() / count;
    let squares = figures.iter().map(|figure| (figure - mean).powi(2));
    let deviation = (squares.sum::<f64>() / (count - 1.0)).sqrt();
    Some(Moments {
        mean,
        deviation: (figures.len() > 1).then_some(deviation),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worked_example() {
        // Mean 5; squares 9 + 1 + 1 + 1 + 0 + 0 + 4 + 16 = 32 over 7.
        let moments = moments(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert_eq!(moments.mean, 5.0);
        assert!((moments.deviation.unwrap() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn one_figure_has_no_deviation_and_none_no_mean() {
        let one = moments(&[3.0]).unwrap();
        assert_eq!((one.mean, one.deviation), (3.0, None));
        assert_eq!(moments(&[]), None);
    }
}
