//! Why an expression is refused, and what to do about it.

use thiserror::Error;

use crate::indicators::ParameterError;

/// Why an expression is refused. Columns count characters from 1.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum ExpressionError {
    /// It does not follow the grammar.
    #[error("`{text}`, column {column}: expected {expected}")]
    Syntax {
        /// The whole expression.
        text: String,
        /// Where reading stopped.
        column: usize,
        /// What could follow at that place.
        expected: &'static str,
    },
    /// There is no such type.
    #[error("`{text}`, column {column}: `{name}` is not an indicator type")]
    UnknownType {
        /// The whole expression.
        text: String,
        /// Where the type begins.
        column: usize,
        /// The type as written.
        name: String,
        /// The most similar type, if one is similar.
        nearest: Option<&'static str>,
    },
    /// The type exists as a label only.
    #[error("`{text}`, column {column}: `{name}` is not an indicator: {reason}")]
    LabelOnly {
        /// The whole expression.
        text: String,
        /// Where the type begins.
        column: usize,
        /// The type as written.
        name: String,
        /// Why it cannot be an indicator.
        reason: &'static str,
    },
    /// A parameter is given twice.
    #[error("`{text}`, column {column}: the parameter `{name}` is given twice")]
    Repeated {
        /// The whole expression.
        text: String,
        /// Where the second one begins.
        column: usize,
        /// Name of the parameter.
        name: String,
    },
    /// The type refuses a parameter; the first of them.
    #[error("`{text}`, column {column}: a parameter is refused")]
    Parameter {
        /// The whole expression.
        text: String,
        /// Where the parameter begins, or the type when it was not written.
        column: usize,
        /// Why it is refused.
        source: ParameterError,
    },
    /// Two expressions mean the same.
    #[error("`{indicator}` is asked for twice")]
    Twice {
        /// Type and effective parameters.
        indicator: String,
    },
}

impl ExpressionError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Syntax { .. } => {
                "write a type, or a type with parameters as in rsi(period=14)".to_owned()
            }
            Self::Repeated { .. } => "give it once".to_owned(),
            Self::Parameter { source, .. } => source.hint(),
            Self::Twice { .. } => "ask for it once, or with other parameters".to_owned(),

            Self::UnknownType {
                nearest: Some(nearest),
                ..
            } => format!("did you mean `{nearest}`?"),
            Self::UnknownType { .. } => "`ktrdr indicators list` shows every type".to_owned(),
            Self::LabelOnly { .. } => "use it as a label source: training.labels.source".to_owned(),
        }
    }
}
