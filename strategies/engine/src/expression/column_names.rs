//! Short names for the columns of several expressions, no two of them the same.

use std::collections::BTreeSet;

use super::{Expression, ExpressionError};

/// The names of the columns of each expression: `type`, `type.output` where a type has several
/// outputs, and `type(name=value,…)` in place of `type` where one type appears more than once.
///
/// The parameters shown are those that were written. An expression without any shows its values of
/// those that the others of its type have written, so that `rsi` next to `rsi(period=7)` is
/// `rsi(period=14)`. Each name reads back as its own indicator, so no two are the same.
///
/// # Errors
/// Two expressions mean the same.
pub fn column_names(expressions: &[Expression]) -> Result<Vec<Vec<String>>, ExpressionError> {
    let mut indicators = BTreeSet::new();
    for expression in expressions {
        let indicator = expression.indicator.to_string();
        if !indicators.insert(indicator.clone()) {
            return Err(ExpressionError::Twice { indicator });
        }
    }

    // Indicators differ, so labels with enough parameters differ as well.
    let names = expressions.iter().map(|expression| {
        let label = label_among(expression, expressions);
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

/// The shortest label that no other expression of the type has.
fn label_among(expression: &Expression, expressions: &[Expression]) -> String {
    let same_type: Vec<&Expression> = expressions
        .iter()
        .filter(|other| other.same_type(expression))
        .collect();
    if same_type.len() == 1 {
        return expression.label_with(&[]);
    }

    // Something has to show how this one differs from the others.
    if expression.written_names.is_empty() {
        let written_by_others: Vec<String> = same_type
            .iter()
            .flat_map(|other| other.written_names.clone())
            .collect();
        expression.label_with(&written_by_others)
    } else {
        expression.label_with(&expression.written_names)
    }
}
