//! Takes the parts of an expression off its text, from left to right.

use super::ExpressionError;
use crate::indicators::Value;

/// The rest of an expression, and where it begins.
pub(super) struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    column: usize,
}

/// `name=value`, and the column at which the name begins.
pub(super) struct WrittenParameter {
    pub(super) name: String,
    pub(super) column: usize,
    pub(super) value: Value,
}

impl<'a> Reader<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self {
            text,
            rest: text,
            column: 1,
        }
    }

    /// The whole expression.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// Where the rest begins, in characters from 1.
    pub(super) fn column(&self) -> usize {
        self.column
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The error that something else should follow here.
    pub(super) fn expected(&self, expected: &'static str) -> ExpressionError {
        ExpressionError::Syntax {
            text: self.text.to_owned(),
            column: self.column,
            expected,
        }
    }

    pub(super) fn skip_blanks(&mut self) {
        self.take_while(char::is_whitespace);
    }

    /// Takes letters, digits and `_`; `None` when there are none.
    pub(super) fn take_word(&mut self) -> Option<&'a str> {
        let word = self.take_while(|c| c.is_alphanumeric() || c == '_');
        (!word.is_empty()).then_some(word)
    }

    /// Takes the list in parentheses, if there is one.
    pub(super) fn take_parameters(&mut self) -> Result<Vec<WrittenParameter>, ExpressionError> {
        let mut parameters = Vec::new();
        if !self.take_char('(') || self.take_char(')') {
            return Ok(parameters);
        }

        // A comma must be followed by another parameter.
        loop {
            let parameter = self.take_parameter(&parameters)?;
            parameters.push(parameter);
            if self.take_char(')') {
                return Ok(parameters);
            }
            if !self.take_char(',') {
                return Err(self.expected("`,` or `)`"));
            }
        }
    }

    /// Takes one `name=value` that follows `earlier_parameters`.
    fn take_parameter(
        &mut self,
        earlier_parameters: &[WrittenParameter],
    ) -> Result<WrittenParameter, ExpressionError> {
        self.skip_blanks();
        let column = self.column;
        let name = self
            .take_word()
            .ok_or_else(|| self.expected("the name of a parameter"))?
            .to_owned();
        // Refused here, where the column of the second one is still at hand.
        if earlier_parameters.iter().any(|each| each.name == name) {
            return Err(ExpressionError::Repeated {
                text: self.text.to_owned(),
                column,
                name,
            });
        }

        if !self.take_char('=') {
            return Err(self.expected("`=` and a value"));
        }
        self.skip_blanks();
        Ok(WrittenParameter {
            name,
            column,
            value: self.take_value()?,
        })
    }

    fn take_value(&mut self) -> Result<Value, ExpressionError> {
        if self.take_char('"') {
            let text = self.take_while(|c| c != '"').to_owned();
            return if self.take_char('"') {
                Ok(Value::Text(text))
            } else {
                Err(self.expected("a closing `\"`"))
            };
        }

        // Signs and dots belong to numbers; no parameter takes a word with them.
        let text = self.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '+' | '-'));
        match text {
            "" => Err(self.expected("a value")),
            "true" => Ok(Value::Boolean(true)),
            "false" => Ok(Value::Boolean(false)),
            word => Ok(value_of_word(word)),
        }
    }

    /// Takes one character, after blanks, if it is the next one.
    fn take_char(&mut self, next: char) -> bool {
        self.skip_blanks();

        // Blanks are allowed before every sign.
        match self.rest.strip_prefix(next) {
            Some(rest) => {
                self.rest = rest;
                self.column += 1;
                true
            }
            None => false,
        }
    }

    /// Takes the longest prefix of characters for which `is_part` holds.
    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (prefix, rest) = self.rest.split_at(end);
        self.column += prefix.chars().count();
        self.rest = rest;
        prefix
    }
}

/// A number, or a text for everything else. Words such as `inf` and `nan`, which parse as numbers,
/// are texts: a number begins with a digit, a dot or a sign.
fn value_of_word(word: &str) -> Value {
    let is_number = word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-'));
    if is_number {
        if let Ok(value) = word.parse::<i64>() {
            return Value::Integer(value);
        }
        if let Ok(value) = word.parse::<f64>() {
            return Value::Float(value);
        }
    }
    Value::Text(word.to_owned())
}
