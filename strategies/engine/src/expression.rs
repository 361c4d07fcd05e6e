//! Indicators as one writes them on a command line: `rsi`, `rsi(period=14)`,
//! `bbands(period=20, source=hl2)`.
//!
//! ```text
//! expression = type [ "(" [ name "=" value { "," name "=" value } ] ")" ]
//! value      = a number, true, false, a word, or a text in double quotes; blanks are allowed between all of them
//! ```

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::indicators::{self, Indicator, ParameterError, Value};

/// Most characters of an expression.
const LENGTH_MAX: usize = 1_000;

/// An indicator with the parameters that were written out.
#[derive(Clone, Debug)]
pub struct Expression {
    /// Type and effective parameters.
    pub indicator: Indicator,
    /// Names of the parameters that were written.
    written: Vec<String>,
}

/// Why an expression is refused. Columns count characters from 1.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum ExpressionError {
    /// It does not follow the grammar.
    #[error("`{text}`, column {column}: expected {expected}")]
    Syntax {
        /// The expression.
        text: String,
        /// Where.
        column: usize,
        /// What may stand there.
        expected: &'static str,
    },
    /// There is no such type.
    #[error("`{text}`, column {column}: `{name}` is not an indicator type")]
    UnknownType {
        /// The expression.
        text: String,
        /// Where.
        column: usize,
        /// The type as written.
        name: String,
        /// The most similar type, if one is similar.
        nearest: Option<&'static str>,
    },
    /// The type exists as a label only.
    #[error("`{text}`, column {column}: `{name}` is not an indicator: {reason}")]
    LabelOnly {
        /// The expression.
        text: String,
        /// Where.
        column: usize,
        /// The type as written.
        name: String,
        /// Why it is none.
        reason: &'static str,
    },
    /// A parameter is given twice.
    #[error("`{text}`, column {column}: the parameter `{name}` is given twice")]
    Repeated {
        /// The expression.
        text: String,
        /// Where the second one stands.
        column: usize,
        /// Its name.
        name: String,
    },
    /// The type refuses a parameter; the first of them.
    #[error("`{text}`, column {column}: a parameter is refused")]
    Parameter {
        /// The expression.
        text: String,
        /// Where.
        column: usize,
        /// Why.
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
            Self::UnknownType {
                nearest: Some(nearest),
                ..
            } => format!("did you mean `{nearest}`?"),
            Self::UnknownType { .. } => "`ktrdr indicators list` shows every type".to_owned(),
            Self::LabelOnly { .. } => "use it as a label source: training.labels.source".to_owned(),
            Self::Repeated { .. } => "give it once".to_owned(),
            Self::Parameter { source, .. } => source.hint(),
            Self::Twice { .. } => "ask for it once, or with other parameters".to_owned(),
        }
    }
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// The first thing that is wrong, with its column.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let mut reader = Reader {
            text,
            rest: text,
            column: 1,
        };
        if text.chars().count() > LENGTH_MAX {
            return Err(reader.expected("at most 1000 characters"));
        }
        reader.skip_blanks();
        let type_column = reader.column;
        let name = reader
            .word()
            .ok_or_else(|| reader.expected("the type of an indicator"))?;
        let spec = indicators::find(name).ok_or_else(|| unknown(text, type_column, name))?;
        let parameters = reader.parameters()?;
        reader.skip_blanks();
        if !reader.rest.is_empty() {
            let after_list = text.contains('(');
            return Err(reader.expected(if after_list {
                "the end"
            } else {
                "`(` or the end"
            }));
        }
        let columns: BTreeMap<&str, usize> = parameters
            .iter()
            .map(|(name, column, _)| (name.as_str(), *column))
            .collect();
        let values = parameters
            .iter()
            .map(|(name, _, value)| (name.clone(), value.clone()))
            .collect();
        match Indicator::new(spec, &values) {
            Ok(indicator) => Ok(Self {
                indicator,
                written: parameters.into_iter().map(|(name, ..)| name).collect(),
            }),
            Err(errors) => {
                let column = |error: &ParameterError| {
                    columns
                        .get(error.parameter())
                        .copied()
                        .unwrap_or(type_column)
                };
                match errors.into_iter().min_by_key(column) {
                    Some(source) => {
                        let column = column(&source);
                        Err(ExpressionError::Parameter {
                            text: text.to_owned(),
                            column,
                            source,
                        })
                    }
                    None => Err(reader.expected("legal parameters")),
                }
            }
        }
    }

    /// `type(name=value,…)` with the effective values of these parameters, in the order of the
    /// type; `type` without any.
    fn label(&self, shown: &[String]) -> String {
        let name = self.indicator.spec().name;
        let shown: Vec<String> = self
            .indicator
            .parameters()
            .filter(|(name, _)| shown.iter().any(|shown| shown == name))
            .map(|(name, value)| match value {
                Value::Integer(value) => format!("{name}={value}"),
                Value::Float(value) => format!("{name}={value}"),
                Value::Boolean(value) => format!("{name}={value}"),
                Value::Text(value) => format!("{name}={value}"),
            })
            .collect();
        if shown.is_empty() {
            name.to_owned()
        } else {
            format!("{name}({})", shown.join(","))
        }
    }

    fn is_of_the_type_of(&self, other: &Self) -> bool {
        self.indicator.spec().name == other.indicator.spec().name
    }
}

/// The names of the columns of each expression: `type`, `type.output` where a type has several
/// outputs, and `type(name=value,…)` in place of `type` where one type appears more than once.
///
/// The parameters shown are those that were written. An expression without any shows its values of
/// those that the others of its type have written, so that `rsi` beside `rsi(period=7)` is
/// `rsi(period=14)`. Each name reads back as its own indicator, so no two are the same.
///
/// # Errors
/// Two expressions mean the same.
pub fn column_names(expressions: &[Expression]) -> Result<Vec<Vec<String>>, ExpressionError> {
    let mut seen = BTreeSet::new();
    for expression in expressions {
        let indicator = expression.indicator.to_string();
        if !seen.insert(indicator.clone()) {
            return Err(ExpressionError::Twice { indicator });
        }
    }
    let names = expressions.iter().map(|expression| {
        let of_type: Vec<&Expression> = expressions
            .iter()
            .filter(|other| other.is_of_the_type_of(expression))
            .collect();
        let label = match of_type.as_slice() {
            [_] => expression.label(&[]),
            _ if !expression.written.is_empty() => expression.label(&expression.written),
            others => expression.label(
                &others
                    .iter()
                    .flat_map(|other| other.written.clone())
                    .collect::<Vec<_>>(),
            ),
        };
        match expression.indicator.spec().outputs {
            [] => vec![label],
            outputs => outputs
                .iter()
                .map(|output| format!("{label}.{output}"))
                .collect(),
        }
    });
    Ok(names.collect())
}

fn unknown(text: &str, column: usize, name: &str) -> ExpressionError {
    let (text, name) = (text.to_owned(), name.to_owned());
    match indicators::find_label_only(&name) {
        Some(label) => ExpressionError::LabelOnly {
            text,
            column,
            name,
            reason: label.reason,
        },
        None => {
            let nearest = indicators::nearest_name(&name);
            ExpressionError::UnknownType {
                text,
                column,
                name,
                nearest,
            }
        }
    }
}

/// What is left of an expression, and where it begins.
struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    column: usize,
}

impl<'a> Reader<'a> {
    fn expected(&self, expected: &'static str) -> ExpressionError {
        ExpressionError::Syntax {
            text: self.text.to_owned(),
            column: self.column,
            expected,
        }
    }

    /// Takes the longest prefix of characters for which `part` holds.
    fn take_while(&mut self, part: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.column += taken.chars().count();
        self.rest = rest;
        taken
    }

    fn skip_blanks(&mut self) {
        self.take_while(char::is_whitespace);
    }

    /// Takes one character, after blanks, if it is the next one.
    fn take(&mut self, wanted: char) -> bool {
        self.skip_blanks();
        let found = self.rest.strip_prefix(wanted);
        if let Some(rest) = found {
            self.rest = rest;
            self.column += 1;
        }
        found.is_some()
    }

    fn word(&mut self) -> Option<&'a str> {
        let word = self.take_while(|c| c.is_alphanumeric() || c == '_');
        (!word.is_empty()).then_some(word)
    }

    /// The list in parentheses, if there is one: name, column of the name, value.
    fn parameters(&mut self) -> Result<Vec<(String, usize, Value)>, ExpressionError> {
        let mut found: Vec<(String, usize, Value)> = Vec::new();
        if !self.take('(') || self.take(')') {
            return Ok(found);
        }
        loop {
            self.skip_blanks();
            let column = self.column;
            let name = self
                .word()
                .ok_or_else(|| self.expected("the name of a parameter"))?
                .to_owned();
            if found.iter().any(|(known, ..)| *known == name) {
                return Err(ExpressionError::Repeated {
                    text: self.text.to_owned(),
                    column,
                    name,
                });
            }
            if !self.take('=') {
                return Err(self.expected("`=` and a value"));
            }
            self.skip_blanks();
            found.push((name, column, self.value()?));
            if self.take(')') {
                return Ok(found);
            }
            if !self.take(',') {
                return Err(self.expected("`,` or `)`"));
            }
        }
    }

    fn value(&mut self) -> Result<Value, ExpressionError> {
        if self.take('"') {
            let text = self.take_while(|c| c != '"').to_owned();
            return if self.take('"') {
                Ok(Value::Text(text))
            } else {
                Err(self.expected("a closing `\"`"))
            };
        }
        let text = self.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '+' | '-'));
        let is_number =
            text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-'));
        match text {
            "" => Err(self.expected("a value")),
            "true" => Ok(Value::Boolean(true)),
            "false" => Ok(Value::Boolean(false)),
            number if is_number => match (number.parse::<i64>(), number.parse::<f64>()) {
                (Ok(value), _) => Ok(Value::Integer(value)),
                (_, Ok(value)) => Ok(Value::Float(value)),
                _ => Ok(Value::Text(text.to_owned())),
            },
            word => Ok(Value::Text(word.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(texts: &[&str]) -> Vec<Expression> {
        texts
            .iter()
            .map(|text| Expression::parse(text).unwrap_or_else(|error| panic!("{error}")))
            .collect()
    }

    #[test]
    fn parameters_are_optional_and_blanks_do_not_matter() {
        let shown = |text| Expression::parse(text).unwrap().indicator.to_string();
        assert_eq!(shown("RSI"), "rsi period=14 source=\"close\"");
        assert_eq!(shown(" rsi ( ) "), "rsi period=14 source=\"close\"");
        assert_eq!(
            shown("rsi( period = 7 ,source=\"hl2\")"),
            "rsi period=7 source=\"hl2\""
        );
        assert_eq!(
            shown("bbands(multiplier=2,period=10)"),
            "bollingerbands period=10 multiplier=2.0 source=\"close\" ddof=0"
        );
    }

    #[test]
    fn columns_are_named_by_type_and_output_and_by_parameters_only_where_a_type_comes_twice() {
        let names = column_names(&parsed(&["rsi(period=7)", "macd"])).unwrap();
        assert_eq!(
            names,
            [
                vec!["rsi".to_owned()],
                ["line", "signal", "histogram"]
                    .map(|o| format!("macd.{o}"))
                    .into()
            ]
        );
        let names = column_names(&parsed(&["rsi(source=open, period=7)", "rsi"]))
            .unwrap()
            .concat();
        assert_eq!(
            names,
            ["rsi(period=7,source=open)", "rsi(period=14,source=close)"]
        );
        let names = column_names(&parsed(&["macd(fast_period=5)", "rsi", "macd"])).unwrap();
        let macd = |fast| {
            ["line", "signal", "histogram"]
                .map(|output| format!("macd(fast_period={fast}).{output}"))
        };
        assert_eq!(
            names,
            [macd(5).to_vec(), vec!["rsi".to_owned()], macd(12).to_vec()]
        );
        let twice = column_names(&parsed(&["rsi", "rsi(period=14)"])).unwrap_err();
        assert_eq!(
            twice.to_string(),
            "`rsi period=14 source=\"close\"` is asked for twice"
        );
    }

    #[test]
    fn every_refusal_names_the_column() {
        let texts = [
            "",
            "(period=14)",
            "rsii(period=14)",
            "zigzag(threshold=0.1)",
            "rsi(period=14",
            "rsi(period)",
            "rsi(period=)",
            "rsi(period=14) x",
            "rsi x",
            "rsi(perod=14)",
            "rsi(source=close, period=14.0)",
            "rsi(period=14, period=15)",
            "rsi(period=1000)",
            "rsi(source=\"close)",
            "rsi(period=1-2)",
            "rsi(,)",
        ];
        let shown = texts.map(|text| {
            let error = Expression::parse(text).unwrap_err();
            let cause = std::error::Error::source(&error)
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            format!("{error}{cause}; hint: {}", error.hint())
        });
        insta::assert_snapshot!(shown.join("\n"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// However the parameters are written, out of all that may be.
        #[test]
        fn a_column_name_reads_back_as_its_own_indicator(
            written in proptest::collection::vec((proptest::option::of(2..4), proptest::bool::ANY, proptest::bool::ANY), 2..6)
        ) {
            let texts = written.iter().map(|(period, source, multiplier)| {
                let period = period.map(|period| format!("period={period}"));
                let parts = [period, source.then(|| "source=close".to_owned()), multiplier.then(|| "multiplier=2".to_owned())];
                format!("bbands({})", parts.into_iter().flatten().collect::<Vec<_>>().join(","))
            });
            let texts: Vec<String> = texts.collect();
            let expressions = parsed(&texts.iter().map(String::as_str).collect::<Vec<_>>());
            if let Ok(names) = column_names(&expressions) {
                for (expression, names) in expressions.iter().zip(&names) {
                    let again = Expression::parse(names[0].strip_suffix(".upper").unwrap()).unwrap();
                    prop_assert_eq!(again.indicator.to_string(), expression.indicator.to_string());
                }
                let all: BTreeSet<&String> = names.iter().flatten().collect();
                prop_assert_eq!(all.len(), 3 * expressions.len());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        /// Half of the texts are expressions with something changed, the others anything.
        #[test]
        fn any_text_is_an_indicator_or_an_error_with_a_column_inside_it(
            text in prop_oneof!["[a-z]{0,6}[( ]{0,2}[a-z_]{0,8}[ =]{0,2}[0-9a-z.+\"-]{0,5}[,) ]{0,3}\\PC{0,3}", "\\PC{0,40}",
                "(rsi|macd|bbands)\\((period|source|fast_period)=(7|2.5|hl2|true)[,)]{1,2}"]
        ) {
            match Expression::parse(&text) {
                Ok(expression) => {
                    // The label with parameters reads back as the same indicator.
                    let again = Expression::parse(&expression.label(&expression.written)).unwrap();
                    prop_assert_eq!(again.indicator.to_string(), expression.indicator.to_string());
                }
                Err(
                    ExpressionError::Syntax { column, .. } | ExpressionError::UnknownType { column, .. }
                    | ExpressionError::LabelOnly { column, .. } | ExpressionError::Repeated { column, .. }
                    | ExpressionError::Parameter { column, .. },
                ) => prop_assert!((1..=text.chars().count() + 1).contains(&column)),
                Err(ExpressionError::Twice { .. }) => prop_assert!(false),
            }
        }
    }
}
