//! The forms of a table beside the one for people: the JSON values of its rows as CSV or Parquet.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};

use schemas::codes;
use serde_json::{Map, Value};
use store::{Cells, Table};

use super::{Exit, Failure, standard_output};

/// How a command writes its table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TableStyle {
    /// Columns for people.
    #[default]
    Table,
    /// One JSON value per line.
    Json,
    /// CSV with a header.
    Csv,
    /// Parquet, for a file or a pipe.
    Parquet,
}

impl TableStyle {
    /// The names of all forms.
    pub(crate) const NAMES: [&'static str; 4] = ["table", "json", "csv", "parquet"];

    /// The form of this name; that for people if there is none.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "json" => Self::Json,
            "csv" => Self::Csv,
            "parquet" => Self::Parquet,
            _ => Self::Table,
        }
    }
}

/// The rows of a table that is written once the command has ended.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    style: TableStyle,
    values: Arc<Mutex<Vec<Map<String, Value>>>>,
}

impl Rows {
    /// No rows yet; none for a form that is written line by line.
    pub(crate) fn of(style: TableStyle) -> Option<Self> {
        let is_whole = matches!(style, TableStyle::Csv | TableStyle::Parquet);
        is_whole.then(|| Self {
            style,
            values: Arc::default(),
        })
    }

    /// Adds the fields of a value as a row.
    pub(crate) fn add(&self, value: &Value) {
        if let Value::Object(fields) = value {
            let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
            values.push(fields.clone());
        }
    }

    /// Writes all rows to standard output.
    ///
    /// # Errors
    /// The table cannot be made, or Parquet would go to a terminal.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let table = table_of(&values);
        if self.style == TableStyle::Csv {
            standard_output::write_bytes(&table.to_csv()?);
            return Ok(());
        }

        if std::io::stdout().is_terminal() {
            let message = "Parquet is not written to a terminal";
            return Err(Failure::new(Exit::Usage, codes::SYS_OUTPUT, message)
                .with_hint("send it to a file, as in `--format parquet > table.parquet`"));
        }
        standard_output::write_bytes(&table.to_parquet()?);
        Ok(())
    }
}

/// The rows of the first type as columns, in the order in which their fields appear.
fn table_of(values: &[Map<String, Value>]) -> Table {
    // A command may end its rows with a value of another type, such as a summary.
    let kind = values.first().and_then(|row| row.get("type"));
    let rows: Vec<&Map<String, Value>> = values
        .iter()
        .filter(|row| row.get("type") == kind)
        .collect();

    let mut names: Vec<&String> = Vec::new();
    for name in rows.iter().flat_map(|row| row.keys()) {
        if name != "type" && !names.contains(&name) {
            names.push(name);
        }
    }

    let mut table = Table::default();
    for name in names {
        let cells: Vec<&Value> = rows
            .iter()
            .map(|row| row.get(name).unwrap_or(&Value::Null))
            .collect();
        table = table.with(name, cells_of(&cells));
    }
    table
}

/// Whole numbers, numbers, or text: what all values of a column are.
fn cells_of(values: &[&Value]) -> Cells {
    let integers: Option<Vec<i64>> = values.iter().map(|value| value.as_i64()).collect();
    if let Some(integers) = integers.filter(|integers| !integers.is_empty()) {
        return Cells::Integer(integers);
    }

    let is_number = |value: &&Value| value.is_number() || value.is_null();
    if values.iter().all(is_number) && values.iter().any(|value| value.is_number()) {
        let numbers = values.iter().map(|value| value.as_f64());
        return Cells::Number(numbers.map(|number| number.unwrap_or(f64::NAN)).collect());
    }
    Cells::Text(values.iter().map(|value| text_of(value)).collect())
}

/// A text as it is, nothing for what is missing, anything else as JSON.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn csv_of(values: &[Value]) -> String {
        let rows: Vec<_> = values
            .iter()
            .map(|value| value.as_object().unwrap().clone())
            .collect();
        String::from_utf8(table_of(&rows).to_csv().unwrap().to_vec()).unwrap()
    }

    #[test]
    fn the_fields_of_the_rows_are_the_columns() {
        let rows = [
            json!({"type": "x", "name": "a,b", "count": 1, "share": 0.5, "tags": ["u"]}),
            json!({"type": "x", "name": "c", "count": 2, "share": null, "late": true}),
            json!({"type": "summary", "rows": 2}),
        ];

        assert_eq!(
            csv_of(&rows),
            "count,name,share,tags,late\n1,\"a,b\",0.5,\"[\"\"u\"\"]\",\n2,c,,,true\n"
        );
    }

    #[test]
    fn whole_numbers_stay_whole_and_gaps_make_them_numbers() {
        assert_eq!(
            cells_of(&[&json!(1), &json!(2)]),
            Cells::Integer(vec![1, 2])
        );
        assert!(matches!(
            cells_of(&[&json!(1), &Value::Null]),
            Cells::Number(_)
        ));
        assert_eq!(
            cells_of(&[&json!(1), &json!("x")]),
            Cells::Text(vec!["1".to_owned(), "x".to_owned()])
        );
    }
}
