//! The predictions of a model on all its symbols: on the screen, as CSV, or in a file.

use std::path::Path;

use market::Utc;
use schemas::manifests::OutputKind;
use serde_json::{Value, json};
use store::Table;

use super::predictions::Predictions;
use crate::console::{Failure, path_json, standard_output};
use crate::context::Context;

/// What a model predicts, symbol by symbol.
pub(super) struct PredictionSet {
    /// `NAME@VERSION` of the model.
    pub(super) model: String,
    /// Meaning of the outputs.
    pub(super) output: OutputKind,
    /// True to name the rules behind each prediction.
    pub(super) with_rules: bool,
    /// One of each symbol.
    pub(super) symbols: Vec<Predictions>,
}

impl PredictionSet {
    /// Number of predictions.
    pub(super) fn count(&self) -> usize {
        self.symbols.iter().map(Predictions::len).sum()
    }

    /// Shows the last `count` predictions, which are the ones that matter now; of several symbols
    /// some of each.
    pub(super) fn show_last(&self, count: usize, context: &Context) {
        let output = &context.output;
        let columns = self.output_columns();
        let count_of_each = count.div_ceil(self.symbols.len().max(1));
        let several = self.symbols.len() > 1;

        let mut rows = Vec::new();
        for predictions in &self.symbols {
            for (mut value, mut cells) in predictions.last(count_of_each, &columns) {
                if let Some(fields) = value.as_object_mut() {
                    fields.insert("model".to_owned(), json!(self.model));
                }
                output.json(&value);
                if several {
                    cells.insert(0, predictions.symbol.symbol());
                }
                rows.push(cells);
            }
        }

        let heads = self.heads(&columns, several);
        let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
        output.table(&heads, &rows);
        self.finish(context, None);
    }

    /// Prints all predictions as CSV on standard output.
    ///
    /// # Errors
    /// The table cannot be written as CSV.
    pub(super) fn print_csv(&self, context: &Context) -> Result<(), Failure> {
        standard_output::write_bytes(&self.table()?.to_csv()?);
        context.output.note(&self.summary());
        self.hint_at_time(context);
        Ok(())
    }

    /// Writes all predictions to a file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn write(&self, file: &Path, context: &Context) -> Result<(), Failure> {
        self.table()?.write(&context.working_directory.join(file))?;
        self.finish(context, Some(file));
        Ok(())
    }

    /// Says how many predictions there are, and where they were written.
    fn finish(&self, context: &Context, file: Option<&Path>) {
        let output = &context.output;
        for predictions in &self.symbols {
            let mut summary = self.summary_json(predictions);
            if let (Some(fields), Some(file)) = (summary.as_object_mut(), file) {
                fields.insert("file".to_owned(), path_json(file));
            }
            output.json(&summary);
        }

        match file {
            None => output.note(&self.summary()),
            Some(file) => {
                let text = format!("{}; written to {}", self.summary(), file.display());
                output.line(&text);
            }
        }
        self.hint_at_time(context);
    }

    /// Where nothing was chosen, says for which time there would be predictions.
    fn hint_at_time(&self, context: &Context) {
        let times: Vec<(Utc, Utc)> = self
            .symbols
            .iter()
            .filter_map(Predictions::time_of_all)
            .collect();
        let first = times.iter().map(|time| time.0).min();
        let last = times.iter().map(|time| time.1).max();

        if let (0, Some(first), Some(last)) = (self.count(), first, last) {
            context.output.note(&format!(
                "hint: these bars give predictions from {first} to {last}"
            ));
        }
    }

    fn heads(&self, columns: &[String], several: bool) -> Vec<String> {
        let mut heads = Vec::new();
        if several {
            heads.push("SYMBOL".to_owned());
        }
        heads.extend(["TIMESTAMP", "KNOWN AT"].map(str::to_owned));
        heads.extend(columns.iter().map(|name| name.to_uppercase()));
        heads.extend(["SIGNAL", "PART"].map(str::to_owned));

        if self.symbols.iter().any(Predictions::has_events) {
            heads.push("EVENT".to_owned());
        }
        if self.with_rules {
            heads.push("RULES".to_owned());
        }
        heads
    }

    /// The names of the outputs: a probability for each class, or the return.
    fn output_columns(&self) -> Vec<String> {
        match &self.output {
            OutputKind::Classes { names } => names
                .iter()
                .map(|name| format!("p_{}", name.to_lowercase()))
                .collect(),
            OutputKind::Regression => vec!["forward_return".to_owned()],
        }
    }

    /// All predictions as columns, one symbol below the other.
    fn table(&self) -> Result<Table, Failure> {
        let columns = self.output_columns();
        let tables = self.symbols.iter().map(|one| one.table(&columns));
        Ok(Table::stacked(tables.collect())?)
    }

    fn summary(&self) -> String {
        let sum = |count: fn(&Predictions) -> u64| self.symbols.iter().map(count).sum::<u64>();
        let on = match self.symbols.as_slice() {
            [one] => one.symbol.symbol(),
            several => format!("{} symbols", several.len()),
        };
        let text = format!(
            "{} predictions of {} on {on}; left out: {} bars of warm-up, {} with undefined \
             features",
            sum(|one| one.len() as u64),
            self.model,
            sum(Predictions::warm_up),
            sum(Predictions::undefined)
        );

        // A network that reads single rows leaves none out.
        match self.symbols.first().map(Predictions::window_length) {
            None | Some(1) => text,
            Some(length) => format!(
                "{text}, {} without a window of {length} consecutive bars",
                sum(|one| one.without_window() as u64)
            ),
        }
    }

    fn summary_json(&self, predictions: &Predictions) -> Value {
        json!({
            "type": "predictions",
            "model": self.model,
            "symbol": predictions.symbol.id(),
            "rows": predictions.len(),
            "warm_up": predictions.warm_up(),
            "undefined": predictions.undefined(),
            "without_window": predictions.without_window(),
        })
    }
}
