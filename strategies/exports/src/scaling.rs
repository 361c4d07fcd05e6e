//! How columns are scaled before a network reads them.

use schemas::manifests::{Network, Normalisation};

/// A scaled column is (value − offset) · factor.
pub(crate) struct Scaling {
    pub(crate) offsets: Vec<f64>,
    pub(crate) factors: Vec<f64>,
}

impl Scaling {
    /// The scaling of every column of a network, in order.
    pub(crate) fn of(network: &Network) -> Self {
        let mut offsets = Vec::with_capacity(network.features.len());
        let mut factors = Vec::with_capacity(network.features.len());

        for column in &network.features {
            let (offset, unit) = match column.normalisation {
                None => (0.0, 1.0),
                Some(Normalisation::Minmax { min, max }) => (min, max - min),
                Some(Normalisation::Zscore { mean, std }) => (mean, std),
            };
            offsets.push(offset);
            // A column that never changed in the training part is 0 for ever.
            factors.push(if unit == 0.0 { 0.0 } else { 1.0 / unit });
        }
        Self { offsets, factors }
    }
}
