//! Indicators as one writes them on a command line: `rsi`, `rsi(period=14)`,
//! `bbands(period=20, source=hl2)`.
//!
//! ```text
//! expression = type [ "(" [ name "=" value { "," name "=" value } ] ")" ]
//! value      = a number, true, false, a word, or a text in double quotes
//! ```
//!
//! Blanks are allowed between all of them.

mod column_names;
mod error;
mod reader;

use std::collections::BTreeMap;

use crate::indicators::{self, Indicator, IndicatorSpec, ParameterError, Value};

pub use column_names::column_names;
pub use error::ExpressionError;

use reader::{Reader, WrittenParameter};

/// Most characters of an expression.
const LENGTH_MAX: usize = 1_000;

/// An indicator with the parameters that were written out.
#[derive(Clone, Debug)]
pub struct Expression {
    /// Type and effective parameters.
    pub indicator: Indicator,
    /// Names of the parameters that were written.
    written_names: Vec<String>,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// It does not follow the grammar, there is no such type, or the type refuses a parameter.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let mut reader = Reader::of(text);
        if text.chars().count() > LENGTH_MAX {
            return Err(reader.expected("at most 1000 characters"));
        }

        reader.skip_blanks();
        let type_column = reader.column();
        let name = reader
            .take_word()
            .ok_or_else(|| reader.expected("the type of an indicator"))?;
        let spec = indicators::find(name).ok_or_else(|| unknown_type(text, type_column, name))?;

        let parameters = reader.take_parameters()?;
        reader.skip_blanks();
        if !reader.is_at_end() {
            // After a list only the end may follow; after a bare type, a list may too.
            let has_list = text.contains('(');
            return Err(reader.expected(if has_list {
                "the end"
            } else {
                "`(` or the end"
            }));
        }

        let indicator = build_indicator(spec, &parameters)
            .map_err(|errors| first_refusal(&reader, type_column, &parameters, errors))?;
        Ok(Self {
            indicator,
            written_names: parameters.into_iter().map(|each| each.name).collect(),
        })
    }

    /// `type(name=value,…)` with the effective values of these parameters, in the order of the
    /// type; `type` without any.
    fn label_with(&self, names: &[String]) -> String {
        let type_name = self.indicator.spec().name;
        let parameters: Vec<String> = self
            .indicator
            .parameters()
            .filter(|(name, _)| names.iter().any(|each| each == name))
            .map(|(name, value)| match value {
                Value::Integer(value) => format!("{name}={value}"),
                Value::Float(value) => format!("{name}={value}"),
                Value::Boolean(value) => format!("{name}={value}"),
                Value::Text(value) => format!("{name}={value}"),
            })
            .collect();

        // `rsi()` means the same as `rsi`, which is shorter.
        if parameters.is_empty() {
            type_name.to_owned()
        } else {
            format!("{type_name}({})", parameters.join(","))
        }
    }

    fn same_type(&self, other: &Self) -> bool {
        self.indicator.spec().name == other.indicator.spec().name
    }
}

fn build_indicator(
    spec: &'static IndicatorSpec,
    parameters: &[WrittenParameter],
) -> Result<Indicator, Vec<ParameterError>> {
    let values: BTreeMap<String, Value> = parameters
        .iter()
        .map(|each| (each.name.clone(), each.value.clone()))
        .collect();
    Indicator::new(spec, &values)
}

/// The refusal that comes first in the text. Some concern a parameter that was not written: they
/// belong to the type.
fn first_refusal(
    reader: &Reader<'_>,
    type_column: usize,
    parameters: &[WrittenParameter],
    errors: Vec<ParameterError>,
) -> ExpressionError {
    // A refused default is not in the text, so the mark points at the type instead.
    let placed_errors = errors.into_iter().map(|error| {
        let written = parameters
            .iter()
            .find(|each| each.name == error.parameter());
        (written.map_or(type_column, |each| each.column), error)
    });

    match placed_errors.min_by_key(|(column, _)| *column) {
        Some((column, source)) => ExpressionError::Parameter {
            text: reader.text().to_owned(),
            column,
            source,
        },
        None => reader.expected("legal parameters"),
    }
}

/// Why there is no indicator of that name: it is a label source, or nothing at all.
fn unknown_type(text: &str, column: usize, name: &str) -> ExpressionError {
    // A label source asked for as an indicator needs a reason, not a spelling hint.
    match indicators::find_label_only(name) {
        Some(label) => ExpressionError::LabelOnly {
            text: text.to_owned(),
            column,
            name: name.to_owned(),
            reason: label.reason,
        },

        None => ExpressionError::UnknownType {
            text: text.to_owned(),
            column,
            name: name.to_owned(),
            nearest: indicators::nearest_name(name),
        },
    }
}

#[cfg(test)]
mod tests;
