//! Membership functions: how strongly a value belongs to a fuzzy set, from 0 to 1.
//!
//! A closed shoulder belongs to its plateau, so a set that ends at 100 still holds the value 100 in
//! full. Open shoulders are written with infinities, in a trapezoid only.
//!
//! Source: Zadeh (1965), *Fuzzy Sets*; shapes and parameters are those of MATLAB's Fuzzy Logic
//! Toolbox (`trimf`, `trapmf`, `gaussmf`, `gbellmf`, `sigmf`), except that the mean of a Gaussian
//! comes before its deviation.

mod check;
mod coverage;
mod description;
mod error;
mod trapezoid;

pub use coverage::{CoverageReport, MemberCoverage, describe_set, measure_coverage};
pub use error::MembershipError;

use trapezoid::Trapezoid;

/// One membership function, legal by construction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Membership {
    /// 0 outside `a..c`, 1 at `b`, straight between. `a ≤ b ≤ c`, all finite.
    Triangular {
        /// Left foot, where the degree leaves 0.
        a: f64,
        /// The peak, where the degree is 1.
        b: f64,
        /// Right foot, where the degree is 0 again.
        c: f64,
    },
    /// 0 outside `a..d`, 1 on `b..=c`, straight between. `a ≤ b ≤ c ≤ d`; `a = b = −∞` and
    /// `c = d = ∞` are open shoulders.
    Trapezoidal {
        /// Left foot, where the degree leaves 0.
        a: f64,
        /// Start of the plateau.
        b: f64,
        /// End of the plateau.
        c: f64,
        /// Right foot, where the degree is 0 again.
        d: f64,
    },
    /// exp(−½((x − mean)/deviation)²). The deviation is above 0.
    Gaussian {
        /// Where the degree is 1.
        mean: f64,
        /// Distance from the mean at which the degree is exp(−½) ≈ 0.61.
        deviation: f64,
    },
    /// Generalised bell: 1/(1 + |(x − centre)/width|^(2·slope)). Width and slope are above 0.
    Bell {
        /// Distance from the centre at which the degree is ½.
        width: f64,
        /// How steep the flanks are: the slope at ½ is slope/(2·width).
        slope: f64,
        /// Where the degree is 1.
        centre: f64,
    },
    /// 1/(1 + exp(−slope·(x − centre))): an open shoulder to the right for a slope above 0, to the
    /// left for one below.
    Sigmoid {
        /// Steepness and direction; not 0.
        slope: f64,
        /// Where the degree is ½.
        centre: f64,
    },
    /// 1 at one value, 0 elsewhere.
    Singleton {
        /// The value whose degree is 1.
        at: f64,
    },
}

/// A type of membership function, as a strategy file names it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct MembershipType {
    name: &'static str,
    /// Its parameters in order, in a list with commas.
    parameters: &'static str,
}

const TRIANGULAR: MembershipType = MembershipType {
    name: "triangular",
    parameters: "a, b, c",
};
const TRAPEZOIDAL: MembershipType = MembershipType {
    name: "trapezoidal",
    parameters: "a, b, c, d",
};
const GAUSSIAN: MembershipType = MembershipType {
    name: "gaussian",
    parameters: "mean, deviation",
};
const BELL: MembershipType = MembershipType {
    name: "bell",
    parameters: "width, slope, centre",
};
const SIGMOID: MembershipType = MembershipType {
    name: "sigmoid",
    parameters: "slope, centre",
};
const SINGLETON: MembershipType = MembershipType {
    name: "singleton",
    parameters: "value",
};

const TYPES: [MembershipType; 6] = [TRIANGULAR, TRAPEZOIDAL, GAUSSIAN, BELL, SIGMOID, SINGLETON];

impl MembershipType {
    /// The type of that name, with the suffix `mf` or without, in any case.
    fn find(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = match name.strip_suffix("mf").unwrap_or(&name) {
            "gbell" => BELL.name,
            name => name,
        };
        TYPES.into_iter().find(|each| each.name == name)
    }
}

impl Membership {
    /// Builds a function from its type name (`triangular`, `trapezoidal`, `gaussian`, `bell`,
    /// `sigmoid` or `singleton`, each also with the suffix `mf`, in any case; `gbell` is `bell`)
    /// and its numbers in order.
    ///
    /// # Errors
    /// The first reason found why these are not a membership function.
    pub fn new(type_name: &str, parameters: &[f64]) -> Result<Self, MembershipError> {
        let mut problems = Self::problems(type_name, Some(parameters)).into_iter();
        if let Some(problem) = problems.next() {
            return Err(problem);
        }

        // The numbers are legal and as many as the type takes.
        match (MembershipType::find(type_name), parameters) {
            (Some(TRIANGULAR), &[a, b, c]) => Ok(Self::Triangular { a, b, c }),
            (Some(TRAPEZOIDAL), &[a, b, c, d]) => Ok(Self::Trapezoidal { a, b, c, d }),
            (Some(GAUSSIAN), &[mean, deviation]) => Ok(Self::Gaussian { mean, deviation }),
            (Some(BELL), &[width, slope, centre]) => Ok(Self::Bell {
                width,
                slope,
                centre,
            }),
            (Some(SIGMOID), &[slope, centre]) => Ok(Self::Sigmoid { slope, centre }),
            (Some(SINGLETON), &[at]) => Ok(Self::Singleton { at }),
            _ => Err(MembershipError::UnknownType {
                name: type_name.to_owned(),
            }),
        }
    }

    /// The name of every type.
    pub fn type_names() -> [&'static str; 6] {
        TYPES.map(|each| each.name)
    }

    /// Type and numbers, as [`Membership::new`] takes them.
    pub fn type_and_parameters(&self) -> (&'static str, Vec<f64>) {
        match *self {
            Self::Triangular { a, b, c } => (TRIANGULAR.name, vec![a, b, c]),
            Self::Trapezoidal { a, b, c, d } => (TRAPEZOIDAL.name, vec![a, b, c, d]),
            Self::Gaussian { mean, deviation } => (GAUSSIAN.name, vec![mean, deviation]),
            Self::Bell {
                width,
                slope,
                centre,
            } => (BELL.name, vec![width, slope, centre]),
            Self::Sigmoid { slope, centre } => (SIGMOID.name, vec![slope, centre]),
            Self::Singleton { at } => (SINGLETON.name, vec![at]),
        }
    }

    /// Degree of membership of `x`, in 0..=1; NaN for NaN.
    #[inline]
    pub fn degree(&self, x: f64) -> f64 {
        match *self {
            Self::Triangular { a, b, c } => Trapezoid { a, b, c: b, d: c }.degree(x),
            Self::Trapezoidal { a, b, c, d } => Trapezoid { a, b, c, d }.degree(x),
            Self::Gaussian { mean, deviation } => {
                let distance = (x - mean) / deviation;
                libm::exp(-0.5 * (distance * distance))
            }
            Self::Bell {
                width,
                slope,
                centre,
            } => {
                let distance = ((x - centre) / width).abs();
                1.0 / (1.0 + libm::pow(distance, 2.0 * slope))
            }
            Self::Sigmoid { slope, centre } => 1.0 / (1.0 + libm::exp(-slope * (x - centre))),

            // NaN equals nothing, so it would have a degree of 0.
            Self::Singleton { .. } if x.is_nan() => f64::NAN,
            Self::Singleton { at } => f64::from(u8::from(x == at)),
        }
    }

    /// Replaces every value by its [`degree`](Self::degree), to the same bits.
    pub(crate) fn degrees(&self, values: &mut [f64]) {
        // Only trapezoids have a formula that works on several values at a time.
        match *self {
            Self::Triangular { a, b, c } => Trapezoid { a, b, c: b, d: c }.degrees(values),
            Self::Trapezoidal { a, b, c, d } => Trapezoid { a, b, c, d }.degrees(values),
            _ => {
                for value in values {
                    *value = self.degree(*value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
