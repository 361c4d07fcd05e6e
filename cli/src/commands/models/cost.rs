//! What a prediction costs: how long its bars took to read, and its outputs to compute.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::console::count_of;
use crate::context::Context;

/// The time that a command has spent so far, by what it was spent on.
#[derive(Default)]
pub(super) struct Cost {
    reading: Duration,
    predicting: Duration,
    bars: usize,
    symbols: usize,
}

impl Cost {
    /// The bars of all symbols were read since `start`.
    pub(super) fn add_reading(&mut self, start: Instant) {
        self.reading += start.elapsed();
    }

    /// A symbol with that number of bars was predicted since `start`.
    pub(super) fn add_symbol(&mut self, bars: usize, start: Instant) {
        self.predicting += start.elapsed();
        self.bars += bars;
        self.symbols += 1;
    }

    /// Says it, for `predictions` of the model.
    pub(super) fn show(&self, model: &str, predictions: usize, context: &Context) {
        let reading = self.reading.as_secs_f64();
        let predicting = self.predicting.as_secs_f64();
        context.output.json(&json!({
            "type": "cost",
            "model": model,
            "symbols": self.symbols,
            "bars": self.bars,
            "predictions": predictions,
            "read_seconds": reading,
            "predict_seconds": predicting,
        }));

        let bars = count_of(self.bars, "bar");
        let symbols = count_of(self.symbols, "symbol");
        context.output.note(&format!(
            "cost: {bars} of {symbols} read in {reading:.3} s, features and outputs computed in \
             {predicting:.3} s"
        ));
    }
}
