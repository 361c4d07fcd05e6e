//! One bar as a stream takes it: the prices and the volume that an indicator may read.

use serde::{Deserialize, Serialize};

/// The prices and the volume of one bar; NaN = missing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// First price of the bar.
    pub open: f64,
    /// Highest price of the bar.
    pub high: f64,
    /// Lowest price of the bar.
    pub low: f64,
    /// Last price of the bar.
    pub close: f64,
    /// Traded volume; NaN or negative = not available.
    pub volume: f64,
}
