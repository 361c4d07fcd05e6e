//! The predictions of a model on the bars of one symbol.

use std::collections::BTreeMap;
use std::ops::Range;

use market::{Instrument, Utc};
use networks::tsk::Contribution;
use serde_json::{Value, json};
use store::{Cells, Table};
use strategies::{Decisions, FeatureMatrix, Signal};

use super::trained_time::TrainedTime;
use crate::console::time_or_blank;

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

/// Which predictions are wanted, and what is known about their time.
pub(super) struct Choice {
    /// The time of the decisions.
    pub(super) times: Range<Utc>,
    /// The one part in whose time they lie; none for all.
    pub(super) part: Option<String>,
    /// The parts of the training, as far as they are known.
    pub(super) trained: TrainedTime,
}

/// What was predicted on one symbol, row by row.
pub(super) struct Predictions {
    pub(super) symbol: Instrument,
    matrix: FeatureMatrix,
    outputs: WindowOutputs,
    /// Whether each bar is an event; absent for a strategy that learns from every bar.
    events: Option<Vec<bool>>,
    /// Absent where nobody has asked for the rules.
    rules: Option<FiredRules>,
    decisions: Decisions,
    /// Rows of the matrix with outputs that were chosen.
    rows: Vec<usize>,
    /// In whose time each of them lies.
    parts: Vec<&'static str>,
}

impl Predictions {
    /// The predictions that `choice` names.
    pub(super) fn new(
        symbol: Instrument,
        matrix: FeatureMatrix,
        outputs: WindowOutputs,
        decisions: Decisions,
        choice: &Choice,
    ) -> Self {
        // The decision counts, not the bar: one that opens in the range may be decided after it.
        let mut rows = Vec::new();
        let mut parts = Vec::new();
        for row in outputs.by_row.keys() {
            let Some(known_at) = matrix.known_at.get(*row) else {
                continue;
            };
            let part = choice.trained.part_at(&symbol, *known_at);
            let in_part = choice.part.as_deref().is_none_or(|chosen| chosen == part);
            if in_part && choice.times.contains(known_at) {
                rows.push(*row);
                parts.push(part);
            }
        }

        Self {
            symbol,
            matrix,
            outputs,
            events: None,
            rules: None,
            decisions,
            rows,
            parts,
        }
    }

    /// The same with the bars that are events.
    pub(super) fn with_events(self, events: Option<Vec<bool>>) -> Self {
        Self { events, ..self }
    }

    /// Whether the bar of a row is an event; none where nobody knows.
    fn event_at(&self, row: usize) -> Option<bool> {
        let bar = self.matrix.bar.get(row)?;
        self.events.as_ref()?.get(*bar).copied()
    }

    /// True if the strategy learns from events only, and they are known.
    pub(super) fn has_events(&self) -> bool {
        self.events.is_some()
    }

    /// The same with the rules that made the predictions.
    pub(super) fn with_rules(self, rules: Option<FiredRules>) -> Self {
        Self { rules, ..self }
    }

    /// Number of predictions.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bars at the start whose features are not complete yet.
    pub(super) fn warm_up(&self) -> u64 {
        self.matrix.warm_up
    }

    /// Later bars with undefined features.
    pub(super) fn undefined(&self) -> u64 {
        self.matrix.undefined
    }

    /// Rows that end no window.
    pub(super) fn without_window(&self) -> usize {
        self.matrix.bar.len() - self.outputs.by_row.len()
    }

    /// Rows that one prediction looks at.
    pub(super) fn window_length(&self) -> usize {
        self.outputs.length
    }

    /// First and last time at which the bars give a prediction, whatever was chosen.
    pub(super) fn time_of_all(&self) -> Option<(Utc, Utc)> {
        let time_of = |row: &usize| self.matrix.known_at.get(*row).copied();
        let first = self.outputs.by_row.keys().next().and_then(time_of)?;
        let last = self.outputs.by_row.keys().next_back().and_then(time_of)?;
        Some((first, last))
    }

    /// The last predictions, at most `count`, as programs and as people read them.
    pub(super) fn last(&self, count: usize, columns: &[String]) -> Vec<(Value, Vec<String>)> {
        let first = self.rows.len().saturating_sub(count);
        let rows = self.rows.iter().zip(&self.parts).skip(first);
        let rows =
            rows.map(|(row, part)| (self.row_json(*row, part, columns), self.cells(*row, part)));
        rows.collect()
    }

    /// All predictions as columns, outputs by the names of `columns`.
    pub(super) fn table(&self, columns: &[String]) -> Table {
        let symbols = vec![self.symbol.id(); self.rows.len()];
        let mut table = Table::default()
            .with("symbol", Cells::Text(symbols))
            .with("timestamp", self.times_of(&self.matrix.open_time))
            .with("known_at", self.times_of(&self.matrix.known_at));

        // A row without this output keeps its place as NaN: the columns must be equally long.
        for (position, name) in columns.iter().enumerate() {
            let mut column = Vec::with_capacity(self.rows.len());
            for row in &self.rows {
                let value = self.outputs_of(*row).get(position).copied();
                column.push(value.unwrap_or(f64::NAN));
            }
            table = table.with(name, Cells::Number(column));
        }

        let signals = self.rows.iter().map(|row| self.signal_of(*row).to_owned());
        let parts = self.parts.iter().map(|part| (*part).to_owned());
        let table = table
            .with("signal", Cells::Text(signals.collect()))
            .with("part", Cells::Text(parts.collect()));
        self.with_rule_columns(self.with_event_column(table))
    }

    fn with_event_column(&self, table: Table) -> Table {
        if !self.has_events() {
            return table;
        }
        let events = self.rows.iter().map(|row| self.event_word(*row).to_owned());
        table.with("event", Cells::Text(events.collect()))
    }

    /// `yes` for the bar of an event.
    fn event_word(&self, row: usize) -> &'static str {
        match self.event_at(row) {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        }
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

    fn outputs_of(&self, row: usize) -> Vec<f64> {
        let outputs = self.outputs.by_row.get(&row).map(Vec::as_slice);
        outputs
            .unwrap_or_default()
            .iter()
            .map(|value| f64::from(*value))
            .collect()
    }

    fn signal_of(&self, row: usize) -> &'static str {
        match self.decisions.signal(&self.outputs_of(row)) {
            Signal::Buy => "BUY",
            Signal::Hold => "HOLD",
            Signal::Sell => "SELL",
        }
    }

    /// The rules that made a prediction, strongest first.
    fn rules_of(&self, row: usize) -> &[Contribution] {
        let rules = self.rules.as_ref().and_then(|it| it.by_row.get(&row));
        rules.map(Vec::as_slice).unwrap_or_default()
    }

    fn row_json(&self, row: usize, part: &str, columns: &[String]) -> Value {
        let outputs: BTreeMap<&String, f64> = columns.iter().zip(self.outputs_of(row)).collect();
        let mut value = json!({
            "type": "prediction",
            "symbol": self.symbol.id(),
            "timestamp": time_at(&self.matrix.open_time, row),
            "known_at": time_at(&self.matrix.known_at, row),
            "outputs": outputs,
            "signal": self.signal_of(row),
            "part": part,
        });

        if let (Some(fields), Some(event)) = (value.as_object_mut(), self.event_at(row)) {
            fields.insert("event".to_owned(), json!(event));
        }
        if let (Some(fields), true) = (value.as_object_mut(), self.rules.is_some()) {
            let rules = self.rules_of(row).iter().map(rule_json);
            fields.insert("rules".to_owned(), rules.collect());
        }
        value
    }

    fn cells(&self, row: usize, part: &str) -> Vec<String> {
        let mut cells = vec![
            time_at(&self.matrix.open_time, row),
            time_at(&self.matrix.known_at, row),
        ];
        for value in self.outputs_of(row) {
            cells.push(format!("{value:.4}"));
        }
        cells.push(self.signal_of(row).to_owned());
        cells.push(part.to_owned());
        if self.has_events() {
            cells.push(self.event_word(row).to_owned());
        }

        if self.rules.is_some() {
            let strongest = self.rules_of(row).iter().take(SHOWN_RULES_MAX);
            let strongest: Vec<String> = strongest.map(rule_with_percent).collect();
            cells.push(strongest.join(", "));
        }
        cells
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
