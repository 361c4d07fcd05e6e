//! The ADX example: one symbol, one timeframe, one thread, from the store to the data set.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use market::{Instrument, SeriesKey, Timeframe, Utc};
use store::{ALL_TIME, Edit, Store};
use strategies::{
    AssemblyStep, DataSet, DataSetError, Overrides, Resolved, Strategy, SymbolBars,
    assemble_data_set,
};

use crate::measures::{Clock, median, memory, run_child};
use crate::random_walk::walk;

/// Prints the peak memory for a folder and a number of bars.
pub const PEAK_FLAG: &str = "--peak";

pub const STRATEGY: &str = "
name: adx_example
version: \"3.0\"
training_data:
  symbols: {mode: single, symbol: \"crypto:BTCUSD\"}
  timeframes: {mode: single, timeframe: TIMEFRAME}
  history_required: 200
indicators:
  adx_14: {type: adx, period: 14}
fuzzy_sets:
  strength: {indicator: adx_14.adx, weak: [0, 15, 25], mid: [20, 35, 50], strong: [45, 60, 100]}
  up_move: {indicator: adx_14.plus_di, low: [0, 15, 25], mid: [20, 35, 50], high: [45, 60, 100]}
  down_move: {indicator: adx_14.minus_di, low: [0, 15, 25], mid: [20, 35, 50], high: [45, 60, 100]}
nn_inputs:
  - {fuzzy_set: strength, timeframes: all}
  - {fuzzy_set: up_move, timeframes: all}
  - {fuzzy_set: down_move, timeframes: all}
model: {type: mlp, architecture: {hidden_layers: [64, 32], dropout: 0.2, activation: relu}}
decisions: {output_format: classification, confidence_threshold: 0.6}
training: {labels: {source: zigzag, zigzag_threshold: 0.025}}
";

/// A number of bars, and how often the chain runs over them.
struct Size {
    bars: usize,
    timeframe: Timeframe,
    rounds: usize,
}

const SMALL: Size = Size {
    bars: 5_000,
    timeframe: Timeframe::HOUR_1,
    rounds: 41,
};
const LARGE: Size = Size {
    bars: 1_000_000,
    timeframe: Timeframe::MINUTE_1,
    rounds: 7,
};

pub fn run() {
    println!(
        "{:<36} {:>10} {:>10} {:>10} {:>14}",
        "ADX example, milliseconds", "5 000 bars", "least", "1 M bars", "on processor"
    );
    let folder = tempfile::tempdir().unwrap();
    let small = run_rounds(folder.path(), &SMALL);
    let large = run_rounds(folder.path(), &LARGE);

    for (number, stage) in small[0].iter().enumerate() {
        let small_walls = || small.iter().map(|run| run[number].time.wall);
        let large_times = || large.iter().map(|run| run[number].time);
        println!(
            "{:<36} {:>10.3} {:>10.3} {:>10.1} {:>14.1}",
            stage.name,
            median(small_walls()),
            small_walls().fold(f64::MAX, f64::min),
            median(large_times().map(|time| time.wall)),
            median(large_times().map(|time| time.processor)),
        );
    }

    for size in [SMALL, LARGE] {
        let folder = folder.path().display().to_string();
        run_child(&[PEAK_FLAG, &folder, &size.bars.to_string()]);
    }
}

/// The stages of each round over freshly stored bars.
fn run_rounds(folder: &Path, size: &Size) -> Vec<Vec<Stage>> {
    let disk = Disk::open(folder);
    disk.store_walk(size);
    let resolved = resolve(size.timeframe);

    (0..size.rounds)
        .map(|_| run_chain(&disk, &resolved))
        .collect()
}

/// A store in a folder, read and written on the thread that asks.
struct Disk {
    runtime: tokio::runtime::Runtime,
    store: Store,
}

impl Disk {
    fn open(folder: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let url = format!("file://{}", folder.display());
        let store = runtime.block_on(Store::open(&url)).unwrap();

        Self { runtime, store }
    }

    fn store_walk(&self, size: &Size) {
        let key = series_key(size.timeframe);
        let edit = Edit {
            bars: walk(7, size.bars, size.timeframe),
            empty_intervals: Vec::new(),
            calendar: "walk".to_owned(),
            at: Utc(1),
        };

        let commit = self.store.series().commit(&key, edit, None);
        self.runtime.block_on(commit).unwrap();
    }

    fn read(&self, timeframe: Timeframe) -> SymbolBars {
        let key = series_key(timeframe);
        let read = self.store.series().read_newest(&key, ALL_TIME);
        let (_, bars) = self.runtime.block_on(read).unwrap();

        SymbolBars::from([(timeframe, bars)])
    }
}

fn series_key(timeframe: Timeframe) -> SeriesKey {
    let instrument = Instrument::parse("crypto:BTCUSD").unwrap();
    SeriesKey::standard("file", instrument, timeframe).unwrap()
}

fn resolve(timeframe: Timeframe) -> Resolved {
    let text = STRATEGY.replace("TIMEFRAME", &timeframe.to_string());

    Strategy::parse(&text)
        .unwrap_or_else(|findings| panic!("{findings}"))
        .resolve(&Overrides::default())
        .unwrap()
}

/// A part of the chain, and the time that it took.
struct Stage {
    name: &'static str,
    time: Clock,
}

/// One run from the store to the data set. The progress callback marks where a stage ends and the
/// next one begins.
fn run_chain(disk: &Disk, resolved: &Resolved) -> Vec<Stage> {
    let start = Instant::now();
    let mut marks: Vec<(&'static str, Clock)> = Vec::new();
    build_example(disk, resolved, &mut |step| {
        marks.push((stage_name(step.work), Clock::now(start)));
        ControlFlow::Continue(())
    });
    let end = Clock::now(start);

    let first = marks[0].1;
    let last = marks[marks.len() - 1].1;
    let ends = marks.iter().skip(1).map(|(_, at)| *at).chain([end]);
    let mut stages: Vec<Stage> = marks
        .iter()
        .zip(ends)
        .map(|((name, from), to)| Stage {
            name,
            time: to.since(*from),
        })
        .collect();
    stages.push(Stage {
        name: "whole chain",
        time: end.since(first),
    });
    stages.push(Stage {
        name: "whole chain less its last stage",
        time: last.since(first),
    });
    stages
}

/// The stage that begins with a piece of work.
fn stage_name(work: &str) -> &'static str {
    match work {
        "bars" => "read Parquet",
        "labels" => "labels, join",
        "leak test" => "leak test, split, scale",
        _ => "indicators, fuzzy sets, features",
    }
}

type Progress<'a> = &'a mut (dyn FnMut(AssemblyStep<'_>) -> ControlFlow<()> + Send);

fn build_example(disk: &Disk, resolved: &Resolved, progress: Progress<'_>) -> DataSet {
    let read = |_: &Instrument, _: &[Timeframe]| Ok::<_, DataSetError>(disk.read(resolved.base));

    assemble_data_set(resolved, 1, read, progress).unwrap()
}

/// Builds the data set of stored bars, and prints the peak memory of doing so.
pub fn print_peak(folder: &Path, bars: usize) {
    let size = [SMALL, LARGE]
        .into_iter()
        .find(|size| size.bars == bars)
        .unwrap();
    let resolved = resolve(size.timeframe);
    let disk = Disk::open(folder);

    let before = memory("VmRSS");
    let mut marks = String::new();
    let set = build_example(&disk, &resolved, &mut |step| {
        let megabytes = (memory("VmHWM") - before) / 1e6;
        write!(marks, "{megabytes:.0} at {}, ", step.work).unwrap();
        ControlFlow::Continue(())
    });
    let peak = memory("VmHWM") - before;

    // Next to the features a row has its times, its label and its weight.
    let features = (set.rows() * set.features.len() * 4) as f64;
    let columns = features + (set.rows() * (4 + 8 * 3 + 1 + 4)) as f64;
    println!(
        "peak memory, {bars} bars: {:.1} MB ({marks}{:.0} at the end) for {} rows: \
         {:.2} times their features ({:.1} MB), {:.2} times all their columns ({:.1} MB)",
        peak / 1e6,
        peak / 1e6,
        set.rows(),
        peak / features,
        features / 1e6,
        peak / columns,
        columns / 1e6,
    );
}
