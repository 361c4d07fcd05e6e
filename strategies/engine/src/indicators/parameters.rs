//! Parameters as written, checked against a type's specification, with defaults filled in.

use std::collections::BTreeMap;
use std::fmt;

use schemas::spelling::nearest_name;
use thiserror::Error;

use super::reader::Source;
use super::spec::{IndicatorSpec, ParameterKind, ParameterSpec};

/// A parameter value as the strategy file gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A word.
    Text(String),
}

impl fmt::Display for Value {
    /// The value with its type: `the text "14"`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(formatter, "the integer {value}"),
            Self::Float(value) => write!(formatter, "the number {value:?}"),
            Self::Boolean(value) => write!(formatter, "the boolean {value}"),
            Self::Text(value) => write!(formatter, "the text {value:?}"),
        }
    }
}

/// Why a parameter of an indicator is refused.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum ParameterError {
    /// The type has no such parameter.
    #[error("{indicator} has no parameter {name:?}")]
    Unknown {
        /// Indicator type.
        indicator: &'static str,
        /// Key as written.
        name: String,
        /// The most similar parameter of the type, if one is similar.
        nearest: Option<&'static str>,
        /// Every parameter of the type.
        known: Vec<&'static str>,
    },
    /// The value has another type.
    #[error("{indicator}.{} is {found} but must be {}", .parameter.name, .parameter.kind)]
    WrongType {
        /// Indicator type.
        indicator: &'static str,
        /// The parameter.
        parameter: &'static ParameterSpec,
        /// The value as written.
        found: Value,
    },
    /// The value has the right type and is not legal.
    #[error("{indicator}.{} is {found}, outside of what is legal: {}", .parameter.name, .parameter.kind)]
    OutOfBounds {
        /// Indicator type.
        indicator: &'static str,
        /// The parameter.
        parameter: &'static ParameterSpec,
        /// The value as written.
        found: Value,
    },
}

impl ParameterError {
    /// The key that the finding is about.
    pub fn parameter(&self) -> &str {
        match self {
            Self::Unknown { name, .. } => name,
            Self::WrongType { parameter, .. } | Self::OutOfBounds { parameter, .. } => {
                parameter.name
            }
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown {
                nearest: Some(nearest),
                ..
            } => format!("did you mean {nearest:?}?"),
            Self::Unknown {
                indicator, known, ..
            } if known.is_empty() => {
                format!("{indicator} takes no parameters: remove the key")
            }
            Self::Unknown {
                indicator, known, ..
            } => {
                format!("remove the key; {indicator} takes {}", known.join(", "))
            }
            Self::WrongType { parameter, .. } | Self::OutOfBounds { parameter, .. } => {
                format!(
                    "{} is: {}; write {}",
                    parameter.name, parameter.description, parameter.kind
                )
            }
        }
    }
}

/// Every parameter of one indicator, in the order of its specification, legal by construction.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parameters(Vec<(&'static str, Value)>);

impl Parameters {
    /// Checks what was written and fills in defaults; all findings at once.
    pub(super) fn resolve(
        spec: &'static IndicatorSpec,
        written: &BTreeMap<String, Value>,
    ) -> Result<Self, Vec<ParameterError>> {
        let mut errors: Vec<_> = written
            .keys()
            .filter(|name| spec.parameter(name).is_none())
            .map(|name| unknown(spec, name))
            .collect();
        let mut values = Vec::with_capacity(spec.parameters.len());
        for parameter in spec.parameters {
            match written.get(parameter.name).map_or_else(
                || Ok(default(parameter)),
                |value| check(spec, parameter, value),
            ) {
                Ok(value) => values.push((parameter.name, value)),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(Self(values))
        } else {
            Err(errors)
        }
    }

    /// Name and effective value of every parameter.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// A whole number that counts something; 0 for a name that the specification does not declare.
    pub(super) fn count(&self, name: &str) -> usize {
        match self.get(name) {
            Some(Value::Integer(value)) => usize::try_from(*value).unwrap_or(0),
            _ => 0,
        }
    }

    /// A number; NaN for a name that the specification does not declare.
    pub(super) fn number(&self, name: &str) -> f64 {
        match self.get(name) {
            Some(Value::Float(value)) => *value,
            _ => f64::NAN,
        }
    }

    /// A flag; false for a name that the specification does not declare.
    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Boolean(true)))
    }

    /// A word; empty for a name that the specification does not declare.
    pub(super) fn choice(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Value::Text(word)) => word,
            _ => "",
        }
    }

    /// The column named by `source`; the close for a type without that parameter.
    pub(super) fn source(&self) -> Source {
        Source::named(self.choice("source"))
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let value = self
            .0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value);
        debug_assert!(
            value.is_some() || name == "source",
            "a kernel asks for {name:?}, which its type does not declare"
        );
        value
    }
}

fn unknown(spec: &'static IndicatorSpec, name: &str) -> ParameterError {
    let known: Vec<_> = spec
        .parameters
        .iter()
        .map(|parameter| parameter.name)
        .collect();
    let nearest = nearest_name(name, known.iter().copied());
    ParameterError::Unknown {
        indicator: spec.name,
        name: name.to_owned(),
        nearest,
        known,
    }
}

fn default(parameter: &ParameterSpec) -> Value {
    match parameter.kind {
        ParameterKind::Integer { default, .. } => Value::Integer(default),
        ParameterKind::Float { default, .. } => Value::Float(default),
        ParameterKind::Boolean { default } => Value::Boolean(default),
        ParameterKind::Choice { default, .. } => Value::Text(default.to_owned()),
    }
}

fn check(
    spec: &IndicatorSpec,
    parameter: &'static ParameterSpec,
    found: &Value,
) -> Result<Value, ParameterError> {
    let (legal, value) = match (&parameter.kind, found) {
        (ParameterKind::Integer { min, max, .. }, Value::Integer(value)) => {
            ((min..=max).contains(&value), Value::Integer(*value))
        }
        (kind @ ParameterKind::Float { .. }, Value::Integer(_) | Value::Float(_)) => {
            let value = match found {
                Value::Integer(value) => *value as f64,
                Value::Float(value) => *value,
                _ => f64::NAN,
            };
            (kind.holds(value), Value::Float(value))
        }
        (ParameterKind::Boolean { .. }, Value::Boolean(value)) => (true, Value::Boolean(*value)),
        (ParameterKind::Choice { options, .. }, Value::Text(word)) => {
            let word = word.to_ascii_lowercase();
            (options.contains(&word.as_str()), Value::Text(word))
        }
        _ => {
            return Err(ParameterError::WrongType {
                indicator: spec.name,
                parameter,
                found: found.clone(),
            });
        }
    };
    if legal {
        Ok(value)
    } else {
        Err(ParameterError::OutOfBounds {
            indicator: spec.name,
            parameter,
            found: found.clone(),
        })
    }
}
