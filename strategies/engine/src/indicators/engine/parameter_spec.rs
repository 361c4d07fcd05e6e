//! What a parameter of an indicator may be: its type, bounds and default.

use std::fmt;

/// The type, bounds and default of one parameter. Bounds are inclusive unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ParameterKind {
    /// A whole number in `min..=max`. A float such as `14.0` is refused.
    Integer {
        /// Smallest legal value.
        min: i64,
        /// Largest legal value.
        max: i64,
        /// Value when the file does not name the parameter.
        default: i64,
    },
    /// A finite number; whole numbers are accepted too.
    Float {
        /// Lower bound of the legal values.
        min: f64,
        /// True when `min` itself is refused.
        min_exclusive: bool,
        /// Upper bound of the legal values.
        max: f64,
        /// True when `max` itself is refused.
        max_exclusive: bool,
        /// Value when the file does not name the parameter.
        default: f64,
    },
    /// `true` or `false`.
    Boolean {
        /// Value when the file does not name the parameter.
        default: bool,
    },
    /// One of a few words, compared without regard to case.
    Choice {
        /// Every legal word, in lower case.
        options: &'static [&'static str],
        /// Value when the file does not name the parameter.
        default: &'static str,
    },
}

impl ParameterKind {
    /// True for a number within the bounds.
    pub fn holds(&self, value: f64) -> bool {
        match *self {
            Self::Integer { min, max, .. } => {
                // The fraction of NaN or an infinity is NaN, so neither is a whole number.
                value.fract() == 0.0 && value >= min as f64 && value <= max as f64
            }
            Self::Float {
                min,
                min_exclusive,
                max,
                max_exclusive,
                ..
            } => {
                // A comparison with NaN is false, so NaN is outside of any bounds.
                let is_above_min = value > min || (value == min && !min_exclusive);
                let is_below_max = value < max || (value == max && !max_exclusive);

                is_above_min && is_below_max
            }
            Self::Boolean { .. } | Self::Choice { .. } => false,
        }
    }
}

impl fmt::Display for ParameterKind {
    /// What is legal, as a phrase: `an integer from 2 to 100`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer { min, max, .. } => write!(formatter, "an integer from {min} to {max}"),

            // Bounds that are both inclusive read like those of an integer.
            Self::Float {
                min,
                min_exclusive: false,
                max,
                max_exclusive: false,
                ..
            } => write!(formatter, "a number from {min} to {max}"),

            Self::Float {
                min,
                min_exclusive,
                max,
                max_exclusive,
                ..
            } => {
                let lower = if *min_exclusive { "above" } else { "from" };
                let upper = if *max_exclusive { "below" } else { "up to" };
                write!(formatter, "a number {lower} {min} and {upper} {max}")
            }

            Self::Boolean { .. } => formatter.write_str("true or false"),
            Self::Choice { options, .. } => write!(formatter, "one of {}", options.join(", ")),
        }
    }
}

/// One parameter of an indicator type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParameterSpec {
    /// Key in the strategy file.
    pub name: &'static str,
    /// Type, bounds and default.
    pub kind: ParameterKind,
    /// Its meaning, as a sentence fragment for people.
    pub description: &'static str,
}

/// The look-back parameter that most types have, in bars.
pub(crate) const fn period(min: i64, max: i64, default: i64) -> ParameterSpec {
    bars("period", "bars in the window", min, max, default)
}

/// A parameter that counts bars.
pub(crate) const fn bars(
    name: &'static str,
    description: &'static str,
    min: i64,
    max: i64,
    default: i64,
) -> ParameterSpec {
    ParameterSpec {
        name,
        kind: ParameterKind::Integer { min, max, default },
        description,
    }
}

/// A parameter that is a number above `min` (which is refused itself) and up to `max`.
pub(crate) const fn above(
    name: &'static str,
    description: &'static str,
    min: f64,
    max: f64,
    default: f64,
) -> ParameterSpec {
    let kind = ParameterKind::Float {
        min,
        min_exclusive: true,
        max,
        max_exclusive: false,
        default,
    };

    ParameterSpec {
        name,
        kind,
        description,
    }
}

/// A parameter that is true or false.
pub(crate) const fn flag(
    name: &'static str,
    description: &'static str,
    default: bool,
) -> ParameterSpec {
    ParameterSpec {
        name,
        kind: ParameterKind::Boolean { default },
        description,
    }
}

/// One of a few words.
pub(crate) const fn choice(
    name: &'static str,
    description: &'static str,
    options: &'static [&'static str],
    default: &'static str,
) -> ParameterSpec {
    ParameterSpec {
        name,
        kind: ParameterKind::Choice { options, default },
        description,
    }
}

/// The degrees of freedom that are subtracted in the divisor of a standard deviation.
pub(crate) const DDOF: ParameterSpec = bars(
    "ddof",
    "subtracted from n in the deviation's divisor: 0 = population, 1 = sample",
    0,
    1,
    0,
);

/// The price (or volume) that a type is computed from.
pub(crate) const SOURCE: ParameterSpec = choice(
    "source",
    "column the values are taken from; hl2, hlc3 and ohlc4 are means of the bar's prices",
    &[
        "open", "high", "low", "close", "volume", "hl2", "hlc3", "ohlc4",
    ],
    "close",
);
