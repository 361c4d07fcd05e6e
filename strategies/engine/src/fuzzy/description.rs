//! Membership functions in words, for pages and listings.

use super::Membership;
use super::trapezoid::Trapezoid;
use crate::finding::rounded;

impl Membership {
    /// The function as a sentence fragment: `rises from 20 to 35, falls to 50`.
    pub fn describe(&self) -> String {
        match *self {
            Self::Triangular { a, b, c } => Trapezoid { a, b, c: b, d: c }.describe(),
            Self::Trapezoidal { a, b, c, d } => Trapezoid { a, b, c, d }.describe(),

            // These have no feet: their width is shown where the degree is a plain number.
            Self::Gaussian { mean, deviation } => {
                let low = rounded(mean - deviation);
                let high = rounded(mean + deviation);
                format!("full at {mean}, 61 % at {low} and {high}, never quite 0")
            }
            Self::Bell { width, centre, .. } => {
                let low = rounded(centre - width);
                let high = rounded(centre + width);
                format!("full at {centre}, half at {low} and {high}, never quite 0")
            }

            Self::Sigmoid { slope, centre } => {
                let direction = if slope > 0.0 { "rises" } else { "falls" };
                let upper = rounded(centre + 1.0 / slope);
                format!("{direction} through a half at {centre}, 73 % at {upper}")
            }
            Self::Singleton { at } => format!("full at {at}, 0 elsewhere"),
        }
    }
}

impl Trapezoid {
    fn describe(self) -> String {
        let Self { a, b, c, d } = self;
        let is_open_below = b == f64::NEG_INFINITY;
        let is_open_above = c == f64::INFINITY;
        let plateau = match (is_open_below, is_open_above) {
            (true, true) => return "full everywhere".to_owned(),
            (true, false) => format!("full up to {c}"),
            (false, true) => format!("full from {b} on"),
            (false, false) if b == c => format!("full at {b}"),
            (false, false) => format!("full from {b} to {c}"),
        };

        // A closed shoulder has no flank: the degree jumps at it.
        let before = if a < b {
            format!("rises from {a} to {b}, ")
        } else if is_open_below {
            String::new()
        } else {
            format!("0 below {a}, ")
        };
        let after = if c < d {
            format!(", falls to 0 at {d}")
        } else if is_open_above {
            String::new()
        } else {
            format!(", 0 above {d}")
        };
        format!("{before}{plateau}{after}")
    }
}
