//! Parameters as written, checked against a type's specification, with defaults filled in.

use std::collections::BTreeMap;
use std::fmt;

use schemas::spelling::nearest_name;
use thiserror::Error;

use super::parameter_spec::{ParameterKind, ParameterSpec};
use super::reader::Source;

/// A parameter value as the strategy file gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A word or any other text.
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
        /// Type of the indicator.
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
        /// Type of the indicator.
        indicator: &'static str,
        /// The parameter with its legal values.
        parameter: &'static ParameterSpec,
        /// The value as written.
        found: Value,
    },
    /// The value has the right type and is not legal.
    #[error(
        "{indicator}.{} is {found}, outside of what is legal: {}",
        .parameter.name,
        .parameter.kind
    )]
    OutOfBounds {
        /// Type of the indicator.
        indicator: &'static str,
        /// The parameter with its legal values.
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
                indicator,
                known: names,
                ..
            } if names.is_empty() => format!("{indicator} takes no parameters: remove the key"),

            Self::Unknown {
                indicator,
                known: names,
                ..
            } => format!("remove the key; {indicator} takes {}", names.join(", ")),

            Self::WrongType { parameter, .. } | Self::OutOfBounds { parameter, .. } => {
                let ParameterSpec {
                    name,
                    description,
                    kind,
                } = parameter;
                format!("{name} is: {description}; write {kind}")
            }
        }
    }
}

/// Every parameter of one indicator, in the order of its specification, legal by construction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parameters(Vec<(&'static str, Value)>);

impl Parameters {
    /// Checks what was written for a type against its parameters and fills in defaults; all
    /// findings at once.
    pub(crate) fn resolve(
        indicator: &'static str,
        specs: &'static [ParameterSpec],
        written: &BTreeMap<String, Value>,
    ) -> Result<Self, Vec<ParameterError>> {
        let is_declared = |name: &str| specs.iter().any(|spec| spec.name == name);
        let mut errors: Vec<_> = written
            .keys()
            .filter(|name| !is_declared(name))
            .map(|name| unknown_parameter(indicator, specs, name))
            .collect();

        let mut values = Vec::with_capacity(specs.len());
        for spec in specs {
            let value = match written.get(spec.name) {
                Some(value) => check_value(indicator, spec, value),
                None => Ok(default_value(spec)),
            };

            match value {
                Ok(value) => values.push((spec.name, value)),
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
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// A whole number that counts something; 0 for a name that the specification does not declare.
    pub(crate) fn count(&self, name: &str) -> usize {
        match self.get(name) {
            Some(Value::Integer(value)) => usize::try_from(*value).unwrap_or(0),
            _ => 0,
        }
    }

    /// A number; NaN for a name that the specification does not declare.
    pub(crate) fn number(&self, name: &str) -> f64 {
        match self.get(name) {
            Some(Value::Float(value)) => *value,
            _ => f64::NAN,
        }
    }

    /// A flag; false for a name that the specification does not declare.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Boolean(true)))
    }

    /// A word; empty for a name that the specification does not declare.
    pub(crate) fn choice(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Value::Text(word)) => word,
            _ => "",
        }
    }

    /// The column named by `source`; the close for a type without that parameter.
    pub(crate) fn source(&self) -> Source {
        Source::from_name(self.choice("source"))
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let parameter = self.0.iter().find(|(declared, _)| *declared == name);
        debug_assert!(
            parameter.is_some() || name == "source",
            "a kernel asks for {name:?}, which its type does not declare"
        );

        parameter.map(|(_, value)| value)
    }
}

fn unknown_parameter(
    indicator: &'static str,
    specs: &'static [ParameterSpec],
    name: &str,
) -> ParameterError {
    let names: Vec<_> = specs.iter().map(|spec| spec.name).collect();
    let nearest = nearest_name(name, names.iter().copied());

    ParameterError::Unknown {
        indicator,
        name: name.to_owned(),
        nearest,
        known: names,
    }
}

fn default_value(spec: &ParameterSpec) -> Value {
    match spec.kind {
        ParameterKind::Integer { default, .. } => Value::Integer(default),
        ParameterKind::Float { default, .. } => Value::Float(default),
        ParameterKind::Boolean { default } => Value::Boolean(default),
        ParameterKind::Choice { default, .. } => Value::Text(default.to_owned()),
    }
}

/// The value in the parameter's type: a whole number as a float where a float is expected, a word
/// in lower case.
fn check_value(
    indicator: &'static str,
    spec: &'static ParameterSpec,
    written: &Value,
) -> Result<Value, ParameterError> {
    let (is_legal, value) = match (&spec.kind, written) {
        (ParameterKind::Integer { min, max, .. }, Value::Integer(value)) => {
            ((min..=max).contains(&value), written.clone())
        }
        (kind @ ParameterKind::Float { .. }, Value::Integer(value)) => {
            let value = *value as f64;
            (kind.holds(value), Value::Float(value))
        }
        (kind @ ParameterKind::Float { .. }, Value::Float(value)) => {
            (kind.holds(*value), written.clone())
        }
        (ParameterKind::Boolean { .. }, Value::Boolean(_)) => (true, written.clone()),
        (ParameterKind::Choice { options, .. }, Value::Text(word)) => {
            let word = word.to_ascii_lowercase();
            (options.contains(&word.as_str()), Value::Text(word))
        }
        _ => {
            return Err(ParameterError::WrongType {
                indicator,
                parameter: spec,
                found: written.clone(),
            });
        }
    };

    if is_legal {
        Ok(value)
    } else {
        Err(ParameterError::OutOfBounds {
            indicator,
            parameter: spec,
            found: written.clone(),
        })
    }
}
