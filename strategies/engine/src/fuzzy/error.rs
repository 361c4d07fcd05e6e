//! Why a type and numbers are not a membership function, and what to do about it.

use schemas::spelling::nearest_name;
use thiserror::Error;

use super::Membership;

/// Why a membership function is refused.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum MembershipError {
    /// There is no such type.
    #[error("{name:?} is not a type of membership function")]
    UnknownType {
        /// Type as written.
        name: String,
    },
    /// The number of parameters does not fit the type.
    #[error("a {kind} membership function takes {expected} numbers ({names}), not {found}")]
    WrongCount {
        /// Name of the type.
        kind: &'static str,
        /// How many it takes.
        expected: usize,
        /// What they are called.
        names: &'static str,
        /// How many the file has.
        found: usize,
    },
    /// The points of a triangle or trapezoid descend.
    #[error(
        "{kind} parameters must not descend: {names} = {values:?}, where {before:?} is followed \
         by {after:?}"
    )]
    Descending {
        /// Name of the type.
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
        /// Name of the type.
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
        /// Name of the type.
        kind: &'static str,
        /// Name of the parameter.
        parameter: &'static str,
        /// What is legal, as a phrase.
        legal: &'static str,
        /// Value as written.
        value: f64,
    },
}

impl MembershipError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownType { name } => {
                let type_names = Membership::type_names();
                match nearest_name(name, type_names) {
                    Some(type_name) => format!("did you mean {type_name}?"),
                    None => format!("use one of {}", type_names.join(", ")),
                }
            }

            // Four numbers are most likely a trapezoid whose type was forgotten.
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
            Self::NotFinite { .. } => "an open shoulder is a trapezoidal with both of its outer \
                 numbers infinite: [-.inf, -.inf, c, d] or [a, b, .inf, .inf]"
                .to_owned(),

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
