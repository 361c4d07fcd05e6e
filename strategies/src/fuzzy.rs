//! Membership functions: how strongly a value belongs to a fuzzy set, from 0 to 1.
//!
//! A closed shoulder belongs to its plateau, so a set that ends at 100 still holds the value 100 in full. Open shoulders
//! are written with infinities, in a trapezoid only.

use thiserror::Error;

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
    /// 0 outside `a..d`, 1 on `b..=c`, straight between. `a ≤ b ≤ c ≤ d`; `a = b = −∞` and `c = d = ∞` are open shoulders.
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
    #[error("{kind} parameters must not descend: {names} = {values:?}, where {before:?} is followed by {after:?}")]
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
}

impl MembershipError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownType { name } => {
                let nearest = ["triangular", "trapezoidal", "gaussian"]
                    .into_iter()
                    .map(|known| (strsim::jaro_winkler(&name.to_ascii_lowercase(), known), known))
                    .filter(|(similarity, _)| *similarity > 0.7)
                    .max_by(|left, right| left.0.total_cmp(&right.0));
                match nearest {
                    Some((_, known)) => format!("did you mean {known}?"),
                    None => "use triangular, trapezoidal or gaussian".to_owned(),
                }
            }
            Self::WrongCount { kind: "triangular", found: 4, .. } => {
                "four numbers need `type: trapezoidal`; a bare list is a triangle".to_owned()
            }
            Self::WrongCount { kind, names, .. } => format!("write the parameters of a {kind} as [{names}]"),
            Self::Descending { .. } => "write the points from left to right".to_owned(),
            Self::NotFinite { kind: "gaussian", .. } => "give a finite mean and deviation".to_owned(),
            Self::NotFinite { .. } => "an open shoulder is a trapezoidal with both of its outer numbers infinite: \
                 [-.inf, -.inf, c, d] or [a, b, .inf, .inf]"
                .to_owned(),
            Self::FlatDeviation { .. } => "for a single point use a triangular with three equal numbers".to_owned(),
        }
    }
}

const TRIANGULAR: (&str, &str) = ("triangular", "a, b, c");
const TRAPEZOIDAL: (&str, &str) = ("trapezoidal", "a, b, c, d");
const GAUSSIAN: (&str, &str) = ("gaussian", "mean, deviation");

impl Membership {
    /// Builds a function from its type name (`triangular`, `trapezoidal`, `gaussian`, each also with the suffix `mf`, in
    /// any case) and its numbers in order.
    ///
    /// # Errors
    /// The first reason found why these are not a membership function.
    pub fn new(type_name: &str, parameters: &[f64]) -> Result<Self, MembershipError> {
        let name = type_name.to_ascii_lowercase();
        match (name.strip_suffix("mf").unwrap_or(&name), parameters) {
            ("triangular", &[a, b, c]) => {
                check_order(TRIANGULAR, parameters)?;
                check_finite(TRIANGULAR, parameters, parameters)?;
                Ok(Self::Triangular { a, b, c })
            }
            ("trapezoidal", &[a, b, c, d]) => {
                check_order(TRAPEZOIDAL, parameters)?;
                let left = if a == b && a == f64::NEG_INFINITY { &[][..] } else { &[a, b] };
                let right = if c == d && d == f64::INFINITY { &[][..] } else { &[c, d] };
                check_finite(TRAPEZOIDAL, left, parameters)?;
                check_finite(TRAPEZOIDAL, right, parameters)?;
                Ok(Self::Trapezoidal { a, b, c, d })
            }
            ("gaussian", &[mean, deviation]) => {
                check_finite(GAUSSIAN, parameters, parameters)?;
                if deviation > 0.0 {
                    Ok(Self::Gaussian { mean, deviation })
                } else {
                    Err(MembershipError::FlatDeviation { deviation })
                }
            }
            ("triangular", _) => Err(wrong_count(TRIANGULAR, 3, parameters)),
            ("trapezoidal", _) => Err(wrong_count(TRAPEZOIDAL, 4, parameters)),
            ("gaussian", _) => Err(wrong_count(GAUSSIAN, 2, parameters)),
            _ => Err(MembershipError::UnknownType { name: type_name.to_owned() }),
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
        }
    }

    /// What the function says, in a sentence fragment: `rises from 20 to 35, falls to 50`.
    pub fn describe(&self) -> String {
        match *self {
            Self::Triangular { a, b, c } => describe_trapezoid(a, b, b, c),
            Self::Trapezoidal { a, b, c, d } => describe_trapezoid(a, b, c, d),
            Self::Gaussian { mean, deviation } => {
                format!("full at {mean}, 61 % at {} and {}, never quite 0", mean - deviation, mean + deviation)
            }
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

/// (x − from)/(to − from), halved first where the difference would overflow.
#[inline]
fn share(from: f64, to: f64, x: f64) -> f64 {
    let span = to - from;
    if span.is_finite() { (x - from) / span } else { (x / 2.0 - from / 2.0) / (to / 2.0 - from / 2.0) }
}

fn describe_trapezoid(a: f64, b: f64, c: f64, d: f64) -> String {
    let full = match (b == f64::NEG_INFINITY, c == f64::INFINITY) {
        (true, true) => return "full everywhere".to_owned(),
        (true, false) => format!("full up to {c}"),
        (false, true) => format!("full from {b} on"),
        (false, false) if b == c => format!("full at {b}"),
        (false, false) => format!("full from {b} to {c}"),
    };
    let rise = if a < b { format!("rises from {a} to {b}, ") } else { String::new() };
    let fall = match (c < d, d == f64::INFINITY) {
        (true, _) => format!(", falls to 0 at {d}"),
        (false, true) => String::new(),
        (false, false) => format!(", 0 above {d}"),
    };
    let below = if a == b && a != f64::NEG_INFINITY { format!("0 below {a}, ") } else { String::new() };
    format!("{below}{rise}{full}{fall}")
}

fn wrong_count((kind, names): (&'static str, &'static str), expected: usize, parameters: &[f64]) -> MembershipError {
    MembershipError::WrongCount { kind, expected, names, found: parameters.len() }
}

fn check_order((kind, names): (&'static str, &'static str), values: &[f64]) -> Result<(), MembershipError> {
    for (&before, &after) in values.iter().zip(values.iter().skip(1)) {
        if before > after {
            return Err(MembershipError::Descending { kind, names, values: values.to_vec(), before, after });
        }
    }
    Ok(())
}

fn check_finite(
    (kind, names): (&'static str, &'static str),
    checked: &[f64],
    values: &[f64],
) -> Result<(), MembershipError> {
    if checked.iter().all(|value| value.is_finite()) {
        Ok(())
    } else {
        Err(MembershipError::NotFinite { kind, names, values: values.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_closed_shoulder_belongs_to_the_plateau() {
        let high = Membership::new("Trapezoidal", &[60.0, 80.0, 100.0, 100.0]).unwrap();
        assert_eq!([60.0, 70.0, 80.0, 100.0, 100.1].map(|x| high.degree(x)), [0.0, 0.5, 1.0, 1.0, 0.0]);
        let low = Membership::new("triangularmf", &[0.0, 0.0, 40.0]).unwrap();
        assert_eq!([-0.1, 0.0, 30.0, 40.0].map(|x| low.degree(x)), [0.0, 1.0, 0.25, 0.0]);
    }

    #[test]
    fn every_refusal_names_the_values_and_what_to_do() {
        let infinite = f64::INFINITY;
        let cases: [(&str, &[f64], &str); 9] = [
            (
                "triangular",
                &[30.0, 20.0, 40.0],
                "triangular parameters must not descend: a, b, c = [30.0, 20.0, 40.0], where 30.0 is followed by 20.0; hint: write the points from left to right",
            ),
            (
                "triangular",
                &[1.0, 2.0, 3.0, 4.0],
                "a triangular membership function takes 3 numbers (a, b, c), not 4; hint: four numbers need `type: trapezoidal`; a bare list is a triangle",
            ),
            (
                "gaussian",
                &[1.0],
                "a gaussian membership function takes 2 numbers (mean, deviation), not 1; hint: write the parameters of a gaussian as [mean, deviation]",
            ),
            (
                "gaussian",
                &[1.0, 0.0],
                "the deviation of a gaussian membership function must be above 0, not 0.0; hint: for a single point use a triangular with three equal numbers",
            ),
            (
                "gaussian",
                &[f64::NAN, 1.0],
                "gaussian parameters must be finite numbers: mean, deviation = [NaN, 1.0]; hint: give a finite mean and deviation",
            ),
            (
                "trapezoidal",
                &[-infinite, 0.0, 1.0, 2.0],
                "trapezoidal parameters must be finite numbers: a, b, c, d = [-inf, 0.0, 1.0, 2.0]; hint: an open shoulder is a trapezoidal with both of its outer numbers infinite: [-.inf, -.inf, c, d] or [a, b, .inf, .inf]",
            ),
            (
                "triangular",
                &[0.0, infinite, infinite],
                "triangular parameters must be finite numbers: a, b, c = [0.0, inf, inf]; hint: an open shoulder is a trapezoidal with both of its outer numbers infinite: [-.inf, -.inf, c, d] or [a, b, .inf, .inf]",
            ),
            (
                "triangle",
                &[0.0, 1.0, 2.0],
                "no membership function is called \"triangle\"; hint: did you mean triangular?",
            ),
            (
                "sigmoid",
                &[0.0, 1.0],
                "no membership function is called \"sigmoid\"; hint: use triangular, trapezoidal or gaussian",
            ),
        ];
        for (kind, parameters, expected) in cases {
            let error = Membership::new(kind, parameters).unwrap_err();
            assert_eq!(format!("{error}; hint: {}", error.hint()), expected);
        }
    }

    #[test]
    fn a_function_describes_itself() {
        let infinite = f64::INFINITY;
        let cases: [(&str, &[f64], &str); 7] = [
            ("triangular", &[20.0, 35.0, 50.0], "rises from 20 to 35, full at 35, falls to 0 at 50"),
            ("triangular", &[0.0, 0.0, 40.0], "0 below 0, full at 0, falls to 0 at 40"),
            ("trapezoidal", &[60.0, 80.0, 100.0, 100.0], "rises from 60 to 80, full from 80 to 100, 0 above 100"),
            ("trapezoidal", &[-infinite, -infinite, 20.0, 40.0], "full up to 20, falls to 0 at 40"),
            ("trapezoidal", &[60.0, 80.0, infinite, infinite], "rises from 60 to 80, full from 80 on"),
            ("trapezoidal", &[-infinite, -infinite, infinite, infinite], "full everywhere"),
            ("gaussian", &[50.0, 12.0], "full at 50, 61 % at 38 and 62, never quite 0"),
        ];
        for (kind, parameters, expected) in cases {
            assert_eq!(Membership::new(kind, parameters).unwrap().describe(), expected);
        }
    }

    proptest! {
        #[test]
        fn a_degree_lies_between_0_and_1_and_is_undefined_for_nan_only(
            kind in prop::sample::select(vec!["triangular", "trapezoidal", "gaussian"]),
            mut parameters in prop::collection::vec(prop_oneof![any::<f64>(), -100.0..100.0], 2..=4),
            x in prop_oneof![any::<f64>(), -100.0..100.0],
        ) {
            if kind != "gaussian" {
                parameters.sort_by(f64::total_cmp);
            }
            if let Ok(membership) = Membership::new(kind, &parameters) {
                let degree = membership.degree(x);
                prop_assert!((0.0..=1.0).contains(&degree) || (x.is_nan() && degree.is_nan()), "{degree}");
                prop_assert!(!membership.describe().is_empty());
            }
        }
    }
}
