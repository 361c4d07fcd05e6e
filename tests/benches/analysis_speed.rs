//! Checks, resamples and joins bars on demand, for `tests/bars_speed.py`, which compares the times
//! with those of polars.
//!
//! Each line of the input is a measure: `open FILE` reads bars of one minute without being timed,
//! and then `checks` runs all checks of their quality, `resample` puts them together to hours, and
//! `join` puts the average of the last two hours that were known beside each minute. The answer is
//! the seconds it took, and a number that shows what came of it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a bench may fail loudly"
)]

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use market::{
    Bars, Calendar, HourAnchor, Instrument, Resampling, SeriesKey, Timeframe, Utc, close_times,
};
use quality::Options;
use store::files::{Expected, Mapping, read_path};
use strategies::{Overrides, Resolved, Strategy, SymbolBars, compute_columns};

/// A feature of hours on a base of minutes.
const STRATEGY: &str = "
name: join
version: \"1.0\"
training_data:
  symbols: {mode: single, symbol: \"crypto:BTCUSD\"}
  timeframes: {mode: multi_timeframe, list: [1m, 1h], base_timeframe: 1m}
  history_required: 200
indicators:
  sma_2: {type: sma, period: 2}
nn_inputs:
  - {raw_indicator: sma_2, timeframes: [1h], normalization: zscore}
fuzzy_sets: {}
model: {type: mlp, architecture: {hidden_layers: [8], dropout: 0.2, activation: relu}}
decisions: {output_format: classification, confidence_threshold: 0.6}
training: {labels: {source: zigzag, zigzag_threshold: 0.025}}
";

fn main() {
    if std::env::args().any(|argument| argument == "--bench") && !has_input() {
        println!("this bench answers tests/bars_speed.py, whose head says how to run it");
        return;
    }

    let mut bench = Bench::new();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (measure, file) = line.split_once(' ').unwrap_or((line.as_str(), ""));
        let (time, outcome) = bench.run(measure, Path::new(file));
        println!("{} {outcome}", time.as_secs_f64());
        std::io::stdout().flush().unwrap();
    }
}

/// False where nobody asks: `cargo bench` runs every bench with the terminal as its input.
fn has_input() -> bool {
    !std::io::IsTerminal::is_terminal(&std::io::stdin())
}

struct Bench {
    key: SeriesKey,
    resolved: Resolved,
    /// The minutes that were opened last, and the hours made of them.
    bars: SymbolBars,
}

impl Bench {
    fn new() -> Self {
        let bitcoin = Instrument::parse("crypto:BTCUSD").unwrap();
        let strategy = Strategy::parse(STRATEGY).unwrap();

        Self {
            key: SeriesKey::standard("file", bitcoin, Timeframe::MINUTE_1).unwrap(),
            resolved: strategy.resolve(&Overrides::default()).unwrap(),
            bars: SymbolBars::new(),
        }
    }

    fn run(&mut self, measure: &str, file: &Path) -> (Duration, usize) {
        if measure == "open" {
            let minutes = read_bars(file, &self.key);
            self.bars = [(Timeframe::MINUTE_1, minutes)].into();
            let hours = self.resample();
            self.bars.insert(Timeframe::HOUR_1, hours);
            return (Duration::ZERO, self.bars[&Timeframe::MINUTE_1].len());
        }

        let started = Instant::now();
        let outcome = match measure {
            "checks" => self.check(),
            "resample" => self.resample().len(),
            "join" => self.join(),
            other => panic!("no measure `{other}`"),
        };
        (started.elapsed(), outcome)
    }

    fn minutes(&self) -> &Bars {
        &self.bars[&Timeframe::MINUTE_1]
    }

    /// The number of findings.
    fn check(&self) -> usize {
        let options = Options {
            now: Some(Utc(i64::MAX)),
            ..Options::default()
        };
        let calendar = Calendar::for_key(&self.key);
        let report = quality::check(self.minutes(), &self.key, calendar, &options);
        report.findings.len()
    }

    fn resample(&self) -> Bars {
        let resampling = Resampling {
            source: &self.key,
            calendar: Calendar::for_key(&self.key),
            timeframe: Timeframe::HOUR_1,
            anchor: HourAnchor::of_boundary(self.key.day_boundary),
            keeps_partial: false,
        };
        resampling.run(self.minutes().as_slice()).unwrap().bars
    }

    /// The number of minutes at which the average was known.
    fn join(&self) -> usize {
        let go_on = &mut |_: usize, _: &_| ControlFlow::Continue(());
        let columns = compute_columns(&self.resolved, &self.bars, go_on).unwrap();
        let column = columns.values.first().unwrap();
        column.iter().filter(|value| value.is_finite()).count()
    }
}

fn read_bars(file: &Path, key: &SeriesKey) -> Bars {
    let expected = Expected {
        instrument: key.instrument.clone(),
        timeframe: key.timeframe,
        day_boundary: key.day_boundary,
    };
    let read = read_path(file, &Mapping::default(), &expected).unwrap();
    let known_at = close_times(Calendar::for_key(key), key, &read.bars.open_time).unwrap();
    read.bars.with_close_times(known_at)
}
