//! Membership functions: how strongly a value belongs to a fuzzy set, from 0 to 1.
//!
//! A closed shoulder belongs to its plateau, so a set that ends at 100 still holds the value 100 in
//! full. Open shoulders are written with infinities, in a trapezoid only.

mod coverage;

use schemas::spelling::nearest_name;
use thiserror::Error;

use crate::finding::rounded;

pub use coverage::{CoverageReport, MemberCoverage, describe_set, measure_coverage};

/// One membership function, legal by construction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Membership {
    /// 0 outside `a..c`, 1 at `b`, straight between. `a ≤ b ≤ c`, all finite.
    Triangular {
        /// Left foot.
        a: f64,
        /// Peak.
        b: f64,
        /// Right foot.
        c: f64,
    },
    /// 0 outside `a..d`, 1 on `b..=c`, straight between. `a ≤ b ≤ c ≤ d`; `a = b = −∞` and
    /// `c = d = ∞` are open shoulders.
    Trapezoidal {
        /// Left foot.
        a: f64,
        /// Start of the plateau.
        b: f64,
        /// End of the plateau.
        c: f64,
        /// Right foot.
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
        /// That value.
        at: f64,
    },
}

/// Why a membership function is refused.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum MembershipError {
    /// There is no such type.
    #[error("no membership function is called {name:?}")]
    UnknownType {
        /// Type as written.
        name: String,
    },
    /// The number of parameters does not fit the type.
    #[error("a {kind} membership function takes {expected} numbers ({names}), not {found}")]
    WrongCount {
        /// Type.
        kind: &'static str,
        /// How many it takes.
        expected: usize,
        /// What they are called.
        names: &'static str,
        /// How many were given.
        found: usize,
    },
    /// The parameters fall somewhere.
    #[error(
        "{kind} parameters must not descend: {names} = {values:?}, where {before:?} is followed by {after:?}"
    )]
    Descending {
        /// Type.
        kind: &'static str,
        /// What the parameters are called.
        names: &'static str,
        /// All parameters as written.
        values: Vec<f64>,
        /// The larger one.
        before: f64,
        /// The smaller one that follows it.
        after: f64,
    },
    /// A parameter is NaN, or infinite where that is not an open shoulder.
    #[error("{kind} parameters must be finite numbers: {names} = {values:?}")]
    NotFinite {
        /// Type.
        kind: &'static str,
        /// What the parameters are called.
        names: &'static str,
        /// All parameters as written.
        values: Vec<f64>,
    },
    /// The deviation of a Gaussian is zero or negative.
    #[error("the deviation of a gaussian membership function must be above 0, not {deviation:?}")]
    FlatDeviation {
        /// Deviation as written.
        deviation: f64,
    },
    /// A parameter of a bell or a sigmoid is not legal.
    #[error("the {parameter} of a {kind} membership function must be {legal}, not {value:?}")]
    OutOfBounds {
        /// Type.
        kind: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// What is legal, as a phrase.
        legal: &'static str,
        /// Value as written.
        value: f64,
    },
}

/// Every type with its parameters, as a strategy file names them.
const TYPES: [(&str, &str); 6] = [TRIANGULAR, TRAPEZOIDAL, GAUSSIAN, BELL, SIGMOID, SINGLETON];

impl MembershipError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownType { name } => {
                let types = TYPES.map(|(kind, _)| kind);
                match nearest_name(name, types) {
                    Some(nearest) => format!("did you mean {nearest}?"),
                    None => format!("use one of {}", types.join(", ")),
                }
            }
            Self::WrongCount {
                kind: "triangular",
                found: 4,
                ..
            } => "four numbers need `type: trapezoidal`; a bare list is a triangle".to_owned(),
            Self::WrongCount { kind, names, .. } => {
                format!("write the parameters of a {kind} as [{names}]")
            }
            Self::Descending { .. } => "write the points from left to right".to_owned(),
            Self::NotFinite {
                kind: "gaussian", ..
            } => "give a finite mean and deviation".to_owned(),
            Self::NotFinite {
                kind: "bell" | "sigmoid" | "singleton",
                ..
            } => "give finite numbers".to_owned(),
            Self::NotFinite { .. } => {
                "an open shoulder is a trapezoidal with both of its outer numbers infinite: \
                 [-.inf, -.inf, c, d] or [a, b, .inf, .inf]"
                    .to_owned()
            }
            Self::FlatDeviation { .. } => {
                "for a single point use a triangular with three equal numbers".to_owned()
            }
            Self::OutOfBounds {
                kind: "sigmoid", ..
            } => "a slope above 0 rises to the right, one below 0 falls".to_owned(),
            Self::OutOfBounds {
                parameter, legal, ..
            } => format!("set the {parameter} to {legal}"),
        }
    }
}

const TRIANGULAR: (&str, &str) = ("triangular", "a, b, c");
const TRAPEZOIDAL: (&str, &str) = ("trapezoidal", "a, b, c, d");
const GAUSSIAN: (&str, &str) = ("gaussian", "mean, deviation");
const BELL: (&str, &str) = ("bell", "width, slope, centre");
const SIGMOID: (&str, &str) = ("sigmoid", "slope, centre");
const SINGLETON: (&str, &str) = ("singleton", "value");

impl Membership {
    /// Builds a function from its type name (`triangular`, `trapezoidal`, `gaussian`, `bell`,
    /// `sigmoid` or `singleton`, each also with the suffix `mf`, in any case; `gbell` is `bell`)
    /// and its numbers in order.
    ///
    /// # Errors
    /// The first reason found why these are not a membership function.
    pub fn new(type_name: &str, parameters: &[f64]) -> Result<Self, MembershipError> {
        if let Some(problem) = Self::problems(type_name, Some(parameters))
            .into_iter()
            .next()
        {
            return Err(problem);
        }
        match (kind(type_name), parameters) {
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

    /// Every reason why these are not a membership function; without numbers, what is wrong with
    /// the type.
    pub fn problems(type_name: &str, parameters: Option<&[f64]>) -> Vec<MembershipError> {
        let Some(kind) = kind(type_name) else {
            return vec![MembershipError::UnknownType {
                name: type_name.to_owned(),
            }];
        };
        let Some(parameters) = parameters else {
            return Vec::new();
        };
        let (name, names) = kind;
        let expected = names.split(',').count();
        if parameters.len() != expected {
            return vec![MembershipError::WrongCount {
                kind: name,
                expected,
                names,
                found: parameters.len(),
            }];
        }
        let mut problems = Vec::new();
        if matches!(kind, TRIANGULAR | TRAPEZOIDAL) {
            problems.extend(descent(kind, parameters));
        }
        let may_be_infinite = |index: usize| match *parameters {
            [a, b, ..] if kind == TRAPEZOIDAL && index < 2 => a == b && a == f64::NEG_INFINITY,
            [.., c, d] if kind == TRAPEZOIDAL => c == d && d == f64::INFINITY,
            _ => false,
        };
        if parameters
            .iter()
            .enumerate()
            .any(|(index, value)| !value.is_finite() && !may_be_infinite(index))
        {
            problems.push(MembershipError::NotFinite {
                kind: name,
                names,
                values: parameters.to_vec(),
            });
        }
        match (kind, parameters) {
            (GAUSSIAN, &[_, deviation]) if deviation <= 0.0 => {
                problems.push(MembershipError::FlatDeviation { deviation });
            }
            (BELL, &[width, slope, _]) => {
                let named = [("width", width), ("slope", slope)]
                    .into_iter()
                    .filter(|(_, value)| *value <= 0.0);
                problems
                    .extend(named.map(|(parameter, value)| {
                        out_of_bounds(name, parameter, "above 0", value)
                    }));
            }
            (SIGMOID, &[slope, _]) if slope == 0.0 => {
                problems.push(out_of_bounds(name, "slope", "other than 0", slope));
            }
            _ => {}
        }
        problems
    }

    /// The name of every type.
    pub fn type_names() -> [&'static str; 6] {
        TYPES.map(|(name, _)| name)
    }

    /// Type and numbers, as [`Membership::new`] takes them.
    pub fn type_and_parameters(&self) -> (&'static str, Vec<f64>) {
        match *self {
            Self::Triangular { a, b, c } => (TRIANGULAR.0, vec![a, b, c]),
            Self::Trapezoidal { a, b, c, d } => (TRAPEZOIDAL.0, vec![a, b, c, d]),
            Self::Gaussian { mean, deviation } => (GAUSSIAN.0, vec![mean, deviation]),
            Self::Bell {
                width,
                slope,
                centre,
            } => (BELL.0, vec![width, slope, centre]),
            Self::Sigmoid { slope, centre } => (SIGMOID.0, vec![slope, centre]),
            Self::Singleton { at } => (SINGLETON.0, vec![at]),
        }
    }

    /// Degree of membership of `x`, in 0..=1; NaN for NaN.
    #[inline]
    pub fn degree(&self, x: f64) -> f64 {
        match *self {
            Self::Triangular { a, b, c } => trapezoid(a, b, b, c, x),
            Self::Trapezoidal { a, b, c, d } => trapezoid(a, b, c, d, x),
            Self::Gaussian { mean, deviation } => {
                let distance = (x - mean) / deviation;
                (-0.5 * (distance * distance)).exp()
            }
            Self::Bell {
                width,
                slope,
                centre,
            } => {
                let distance = ((x - centre) / width).abs();
                1.0 / (1.0 + distance.powf(2.0 * slope))
            }
            Self::Sigmoid { slope, centre } => 1.0 / (1.0 + (-slope * (x - centre)).exp()),
            Self::Singleton { .. } if x.is_nan() => f64::NAN,
            Self::Singleton { at } => f64::from(u8::from(x == at)),
        }
    }

    /// Every value replaced by its [`degree`](Self::degree), to the same bits.
    pub(crate) fn degrees(&self, values: &mut [f64]) {
        match *self {
            Self::Triangular { a, b, c } => trapezoids([a, b, b, c], values),
            Self::Trapezoidal { a, b, c, d } => trapezoids([a, b, c, d], values),
            _ => values
                .iter_mut()
                .for_each(|value| *value = self.degree(*value)),
        }
    }

    /// What the function says, in a sentence fragment: `rises from 20 to 35, falls to 50`.
    pub fn describe(&self) -> String {
        match *self {
            Self::Triangular { a, b, c } => describe_trapezoid(a, b, b, c),
            Self::Trapezoidal { a, b, c, d } => describe_trapezoid(a, b, c, d),
            Self::Gaussian { mean, deviation } => {
                let (low, high) = (rounded(mean - deviation), rounded(mean + deviation));
                format!("full at {mean}, 61 % at {low} and {high}, never quite 0")
            }
            Self::Bell { width, centre, .. } => {
                let (low, high) = (rounded(centre - width), rounded(centre + width));
                format!("full at {centre}, half at {low} and {high}, never quite 0")
            }
            Self::Sigmoid { slope, centre } => {
                let direction = if slope > 0.0 { "rises" } else { "falls" };
                format!(
                    "{direction} through a half at {centre}, 73 % at {}",
                    rounded(centre + 1.0 / slope)
                )
            }
            Self::Singleton { at } => format!("full at {at}, 0 elsewhere"),
        }
    }
}

#[inline]
fn trapezoid(a: f64, b: f64, c: f64, d: f64, x: f64) -> f64 {
    if x.is_nan() {
        f64::NAN
    } else if b <= x && x <= c {
        1.0
    } else if x <= a || x >= d {
        0.0
    } else if x < b {
        share(a, b, x)
    } else {
        share(d, c, x)
    }
}

/// [`trapezoid`] of every value. The flank is chosen before the division and the plateau after it,
/// so that there is one division, no branch, and several values at a time.
fn trapezoids([a, b, c, d]: [f64; 4], values: &mut [f64]) {
    let (rise, fall) = (b - a, c - d);
    // A flank without a width is met by no value; one that is too wide for its width to be a number
    // is left to the other path.
    if (a < b && !rise.is_finite()) || (c < d && !fall.is_finite()) {
        values
            .iter_mut()
            .for_each(|value| *value = trapezoid(a, b, c, d, *value));
        return;
    }
    for value in values {
        let x = *value;
        let (foot, span) = if x < b { (a, rise) } else { (d, fall) };
        let flank = (x - foot) / span;
        let inside = if (x <= a) | (x >= d) { 0.0 } else { flank };
        let degree = if (b <= x) & (x <= c) { 1.0 } else { inside };
        *value = if x.is_nan() { f64::NAN } else { degree };
    }
}

/// (x − from)/(to − from), halved first where the difference would overflow.
#[inline]
fn share(from: f64, to: f64, x: f64) -> f64 {
    let span = to - from;
    if span.is_finite() {
        (x - from) / span
    } else {
        (x / 2.0 - from / 2.0) / (to / 2.0 - from / 2.0)
    }
}

fn describe_trapezoid(a: f64, b: f64, c: f64, d: f64) -> String {
    let full = match (b == f64::NEG_INFINITY, c == f64::INFINITY) {
        (true, true) => return "full everywhere".to_owned(),
        (true, false) => format!("full up to {c}"),
        (false, true) => format!("full from {b} on"),
        (false, false) if b == c => format!("full at {b}"),
        (false, false) => format!("full from {b} to {c}"),
    };
    let rise = if a < b {
        format!("rises from {a} to {b}, ")
    } else {
        String::new()
    };
    let fall = match (c < d, d == f64::INFINITY) {
        (true, _) => format!(", falls to 0 at {d}"),
        (false, true) => String::new(),
        (false, false) => format!(", 0 above {d}"),
    };
    let below = if a == b && a != f64::NEG_INFINITY {
        format!("0 below {a}, ")
    } else {
        String::new()
    };
    format!("{below}{rise}{full}{fall}")
}

/// The type of that name, with the suffix `mf` or without, in any case.
fn kind(type_name: &str) -> Option<(&'static str, &'static str)> {
    let name = type_name.to_ascii_lowercase();
    let name = name.strip_suffix("mf").unwrap_or(&name);
    let name = if name == "gbell" { BELL.0 } else { name };
    TYPES.into_iter().find(|(known, _)| *known == name)
}

fn out_of_bounds(
    kind: &'static str,
    parameter: &'static str,
    legal: &'static str,
    value: f64,
) -> MembershipError {
    MembershipError::OutOfBounds {
        kind,
        parameter,
        legal,
        value,
    }
}

/// The first place at which the numbers fall; the message shows all of them.
fn descent((kind, names): (&'static str, &'static str), values: &[f64]) -> Option<MembershipError> {
    let mut pairs = values.iter().zip(values.iter().skip(1));
    let (&before, &after) = pairs.find(|(before, after)| before > after)?;
    Some(MembershipError::Descending {
        kind,
        names,
        values: values.to_vec(),
        before,
        after,
    })
}

#[cfg(test)]
mod tests;
