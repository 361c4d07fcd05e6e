//! What an indicator type is: its names, parameters with bounds and defaults, outputs, formula,
//! warm-up and kernel.
//!
//! Everything a reader, a validator or a documentation page needs to know about a type is in its
//! [`IndicatorSpec`]; parsing, bounds, defaults and warm-up are derived from it and written nowhere
//! else.

use std::fmt;

use super::kernel::Engine;
use super::parameters::Parameters;

/// The type, bounds and default of one parameter. Bounds are inclusive unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ParameterKind {
    /// A whole number in `min..=max`. A float such as `14.0` is refused.
    Integer {
        /// Smallest legal value.
        min: i64,
        /// Largest legal value.
        max: i64,
        /// Value when the file is silent.
        default: i64,
    },
    /// A finite number; whole numbers are accepted too.
    Float {
        /// Lower bound.
        min: f64,
        /// True when `min` itself is refused.
        min_exclusive: bool,
        /// Upper bound.
        max: f64,
        /// True when `max` itself is refused.
        max_exclusive: bool,
        /// Value when the file is silent.
        default: f64,
    },
    /// `true` or `false`.
    Boolean {
        /// Value when the file is silent.
        default: bool,
    },
    /// One of a few words, compared without regard to case.
    Choice {
        /// Every legal word, in lower case.
        options: &'static [&'static str],
        /// Value when the file is silent.
        default: &'static str,
    },
}

impl ParameterKind {
    /// True for a number within the bounds.
    pub fn holds(&self, value: f64) -> bool {
        match *self {
            Self::Integer { min, max, .. } => {
                value.fract() == 0.0 && value >= min as f64 && value <= max as f64
            }
            Self::Float {
                min,
                min_exclusive,
                max,
                max_exclusive,
                ..
            } => {
                let above = if min_exclusive {
                    value > min
                } else {
                    value >= min
                };
                above
                    && if max_exclusive {
                        value < max
                    } else {
                        value <= max
                    }
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
            Self::Float {
                min,
                min_exclusive: false,
                max,
                max_exclusive: false,
                ..
            } => {
                write!(formatter, "a number from {min} to {max}")
            }
            Self::Float {
                min,
                min_exclusive,
                max,
                max_exclusive,
                ..
            } => {
                let least = if *min_exclusive { "above" } else { "from" };
                let most = if *max_exclusive { "below" } else { "up to" };
                write!(formatter, "a number {least} {min} and {most} {max}")
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
    /// One sentence fragment for people.
    pub description: &'static str,
}

/// One indicator type.
#[derive(Clone, Copy, Debug)]
pub struct IndicatorSpec {
    /// Canonical name, lower case.
    pub name: &'static str,
    /// Other accepted names, lower case.
    pub aliases: &'static [&'static str],
    /// Parameters in documentation order.
    pub parameters: &'static [ParameterSpec],
    /// Output names in column order, the first being the primary one; empty = one unnamed output.
    pub outputs: &'static [&'static str],
    /// True when the formula needs traded volume whatever its parameters are.
    pub needs_volume: bool,
    /// The formula in plain notation, with its seed and what is undefined.
    pub formula: &'static str,
    /// Where the formula comes from.
    pub source: &'static str,
    /// Rows before the first one at which every output is defined.
    pub(super) warm_up: fn(&Parameters) -> usize,
    /// A fresh computation.
    pub(super) start: fn(&Parameters) -> Box<dyn Engine>,
}

impl IndicatorSpec {
    /// Number of columns that the type yields, at least 1.
    pub fn output_count(&self) -> usize {
        self.outputs.len().max(1)
    }

    /// The parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&'static ParameterSpec> {
        self.parameters
            .iter()
            .find(|parameter| parameter.name == name)
    }
}

/// The look-back parameter that most types have, in bars.
pub(super) const fn period(min: i64, max: i64, default: i64) -> ParameterSpec {
    bars("period", "bars in the window", min, max, default)
}

/// A parameter that counts bars.
pub(super) const fn bars(
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
pub(super) const fn above(
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
pub(super) const fn flag(
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

/// What a standard deviation is divided by.
pub(super) const fn ddof(default: i64) -> ParameterSpec {
    let description = "subtracted from n in the deviation's divisor: 0 = population, 1 = sample";
    bars("ddof", description, 0, 1, default)
}

/// The price (or volume) that a type is computed from.
pub(super) const SOURCE: ParameterSpec = ParameterSpec {
    name: "source",
    kind: ParameterKind::Choice {
        options: &[
            "open", "high", "low", "close", "volume", "hl2", "hlc3", "ohlc4",
        ],
        default: "close",
    },
    description: "column the values are taken from; hl2, hlc3 and ohlc4 are means of the bar's prices",
};
