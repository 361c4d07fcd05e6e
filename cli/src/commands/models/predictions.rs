//! The predictions of a model on the bars of one symbol: on the screen, as CSV, or in a file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use market::{Instrument, Utc};
use networks::tsk::Contribution;
use schemas::manifests::OutputKind;
use serde_json::{Value, json};
use store::{Cells, Table};
use strategies::{FeatureMatrix, Resolved, Signal};

use crate::console::{Failure, path_json, standard_output, time_or_blank};
use crate::context::Context;

/// Predictions on the screen: the last ones are the ones that matter now.
const SHOWN_MAX: usize = 10;
/// Rules beside a prediction on the screen.
const SHOWN_RULES_MAX: usize = 3;

/// What a network makes of the rows.
pub(super) struct WindowOutputs {
    /// Rows that one prediction looks at.
    pub(super) length: usize,
    /// Outputs by the row that ends the window; rows without a window have none.
    pub(super) by_row: BTreeMap<usize, Vec<f32>>,
}

/// Which rules made the predictions.
pub(super) struct FiredRules {
    /// Rules of the network.
    pub(super) count: usize,
    /// Strongest first, by row.
    pub(super) by_row: BTreeMap<usize, Vec<Contribution>>,
}

/// What was predicted, row by row.
pub(super) struct Predictions<'a> {
    /// `NAME@VERSION` of the model.
    model: String,
    symbol: Instrument,
    resolved: &'a Resolved,
    matrix: &'a FeatureMatrix,
    outputs: &'a WindowOutputs,
    /// Absent where nobody has asked for the rules.
    rules: Option<FiredRules>,
    /// Rows of the matrix with outputs in the range that was asked for.
    rows: Vec<usize>,
}

impl<'a> Predictions<'a> {
    /// The predictions whose decision lies in `range`.
    pub(super) fn new(
        model: String,
        symbol: Instrument,
        resolved: &'a Resolved,
        matrix: &'a FeatureMatrix,
        outputs: &'a WindowOutputs,
        range: Range<Utc>,
    ) -> Self {
        // The decision counts, not the bar: one that opens in the range may be decided after it.
        let mut rows = Vec::new();
        for row in outputs.by_row.keys() {
            let known_at = matrix.known_at.get(*row);
            if known_at.is_some_and(|known_at| range.contains(known_at)) {
                rows.push(*row);
            }
        }

        Self {
            model,
            symbol,
            resolved,
            matrix,
            outputs,
            rules: None,
            rows,
        }
    }

    /// The same with the rules that made the predictions.
    pub(super) fn with_rules(self, rules: Option<FiredRules>) -> Self {
        Self { rules, ..self }
    }

    /// Shows the last predictions.
    pub(super) fn show_last(&self, context: &Context) {
        let output = &context.output;
        let columns = self.output_columns();
        let first = self.rows.len().saturating_sub(SHOWN_MAX);

        let mut cells = Vec::new();
        for row in self.rows.iter().skip(first) {
            output.json(&self.row_json(*row, &columns));
            cells.push(self.row_cells(*row));
        }
        let mut heads = vec!["TIMESTAMP".to_owned(), "KNOWN AT".to_owned()];
        heads.extend(columns.iter().map(|name| name.to_uppercase()));
        heads.push("SIGNAL".to_owned());
        if self.rules.is_some() {
            heads.push("RULES".to_owned());
        }
        let heads: Vec<&str> = heads.iter().map(String::as_str).collect();

        output.table(&heads, &cells);
        output.json(&self.summary_json());
        output.note(&self.summary());
    }

    /// Prints all predictions as CSV on standard output.
    ///
    /// # Errors
    /// The table cannot be written as CSV.
    pub(super) fn print_csv(&self, context: &Context) -> Result<(), Failure> {
        standard_output::write_bytes(&self.table().to_csv()?);
        context.output.note(&self.summary());
        Ok(())
    }

    /// Writes all predictions to a file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn write(&self, file: &Path, context: &Context) -> Result<(), Failure> {
        self.table().write(&context.working_directory.join(file))?;

        let mut summary = self.summary_json();
        if let Some(fields) = summary.as_object_mut() {
            fields.insert("file".to_owned(), path_json(file));
        }
        context.output.json(&summary);
        context.output.line(&format!(
            "{}; written to {}",
            self.summary(),
            file.display()
        ));
        Ok(())
    }

    fn summary(&self) -> String {
        let FeatureMatrix {
            warm_up, undefined, ..
        } = self.matrix;
        let text = format!(
            "{} predictions of {} on {}; left out: {warm_up} bars of warm-up, {undefined} with \
             undefined features",
            self.rows.len(),
            self.model,
            self.symbol.symbol()
        );

        // A network that reads single rows leaves none out.
        match self.outputs.length {
            1 => text,
            length => format!(
                "{text}, {} without a window of {length} consecutive bars",
                self.without_window()
            ),
        }
    }

    /// Rows of the matrix that end no window.
    fn without_window(&self) -> usize {
        self.matrix.bar.len() - self.outputs.by_row.len()
    }

    fn summary_json(&self) -> Value {
        json!({
            "type": "predictions",
            "model": self.model,
            "symbol": self.symbol.id(),
            "rows": self.rows.len(),
            "warm_up": self.matrix.warm_up,
            "undefined": self.matrix.undefined,
            "without_window": self.without_window(),
        })
    }

    /// The names of the outputs: a probability for each class, or the return.
    fn output_columns(&self) -> Vec<String> {
        match self.resolved.output() {
            OutputKind::Classes { names } => names
                .iter()
                .map(|name| format!("p_{}", name.to_lowercase()))
                .collect(),
            OutputKind::Regression => vec!["forward_return".to_owned()],
        }
    }

    fn outputs_of(&self, row: usize) -> Vec<f64> {
        let outputs = self.outputs.by_row.get(&row).map(Vec::as_slice);
        outputs
            .unwrap_or_default()
            .iter()
            .map(|value| f64::from(*value))
            .collect()
    }

    fn signal_of(&self, row: usize) -> &'static str {
        match self.resolved.decisions.signal(&self.outputs_of(row)) {
            Signal::Buy => "BUY",
            Signal::Hold => "HOLD",
            Signal::Sell => "SELL",
        }
    }

    fn row_json(&self, row: usize, columns: &[String]) -> Value {
        let outputs: BTreeMap<&String, f64> = columns.iter().zip(self.outputs_of(row)).collect();
        let mut value = json!({
            "type": "prediction",
            "model": self.model,
            "timestamp": time_at(&self.matrix.open_time, row),
            "known_at": time_at(&self.matrix.known_at, row),
            "outputs": outputs,
            "signal": self.signal_of(row),
        });

        if let (Some(fields), true) = (value.as_object_mut(), self.rules.is_some()) {
            let rules = self.rules_of(row).iter().map(rule_json);
            fields.insert("rules".to_owned(), rules.collect());
        }
        value
    }

    /// The rules that made a prediction, strongest first.
    fn rules_of(&self, row: usize) -> &[Contribution] {
        let rules = self.rules.as_ref().and_then(|it| it.by_row.get(&row));
        rules.map(Vec::as_slice).unwrap_or_default()
    }

    fn row_cells(&self, row: usize) -> Vec<String> {
        let mut cells = vec![
            time_at(&self.matrix.open_time, row),
            time_at(&self.matrix.known_at, row),
        ];
        for value in self.outputs_of(row) {
            cells.push(format!("{value:.4}"));
        }
        cells.push(self.signal_of(row).to_owned());

        if self.rules.is_some() {
            let strongest = self.rules_of(row).iter().take(SHOWN_RULES_MAX);
            let strongest: Vec<String> = strongest.map(rule_with_percent).collect();
            cells.push(strongest.join(", "));
        }
        cells
    }

    /// All predictions as columns.
    fn table(&self) -> Table {
        let symbols = vec![self.symbol.id(); self.rows.len()];
        let mut table = Table::default()
            .with("symbol", Cells::Text(symbols))
            .with("timestamp", self.times_of(&self.matrix.open_time))
            .with("known_at", self.times_of(&self.matrix.known_at));

        // A row without this output keeps its place as NaN: the columns must be equally long.
        for (position, name) in self.output_columns().into_iter().enumerate() {
            let mut column = Vec::with_capacity(self.rows.len());
            for row in &self.rows {
                let value = self.outputs_of(*row).get(position).copied();
                column.push(value.unwrap_or(f64::NAN));
            }
            table = table.with(name, Cells::Number(column));
        }

        let signals = self
            .rows
            .iter()
            .map(|row| self.signal_of(*row).to_owned())
            .collect();
        self.with_rule_columns(table.with("signal", Cells::Text(signals)))
    }

    /// A column for each rule, with its share.
    fn with_rule_columns(&self, mut table: Table) -> Table {
        let count = self.rules.as_ref().map_or(0, |rules| rules.count);
        for rule in 0..count {
            let mut shares = Vec::with_capacity(self.rows.len());
            for row in &self.rows {
                let fired = self.rules_of(*row).iter().find(|it| it.rule == rule);
                shares.push(fired.map_or(f64::NAN, |it| f64::from(it.share)));
            }
            table = table.with(format!("rule_{}", rule + 1), Cells::Number(shares));
        }
        table
    }

    fn times_of(&self, times: &[Utc]) -> Cells {
        let micros = self
            .rows
            .iter()
            .filter_map(|row| times.get(*row))
            .map(|time| time.0);
        Cells::Time(micros.collect())
    }
}

fn time_at(times: &[Utc], row: usize) -> String {
    time_or_blank(times.get(row).copied())
}

/// `3: 62 %`: the number of a rule, from 1, and its share.
fn rule_with_percent(fired: &Contribution) -> String {
    format!("{}: {:.0} %", fired.rule + 1, 100.0 * fired.share)
}

fn rule_json(fired: &Contribution) -> Value {
    json!({"rule": fired.rule + 1, "share": fired.share, "scores": fired.scores})
}
