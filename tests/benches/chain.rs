//! Load program: the way from stored bars to a data set, stage by stage, with its peak memory.
//! Prints tables, asserts nothing.
//!
//! `cargo bench -p system-tests --bench chain`. First the ADX example: one symbol, one timeframe,
//! one thread, `adx` with its three outputs, three fuzzy sets of three triangles, zigzag labels.
//! Then 100 symbols on 4 timeframes with 20 indicators on each, on one thread and on two. Bars are
//! random walks. Peak memory is that of a process of its own which builds one data set and nothing
//! else (`VmHWM`, less what it had before it began).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a load program may panic"
)]

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use market::{Bars, Instrument, SeriesKey, Timeframe, Utc};
use store::{ALL_TIME, Edit, RawBar, RawBars, Store};
use strategies::{
    AssemblyStep, DataSet, DataSetError, Overrides, Resolved, Strategy, SymbolBars,
    assemble_data_set,
};

const SIZES: [(usize, Timeframe, usize); 2] = [
    (5_000, Timeframe::Hour1, 41),
    (1_000_000, Timeframe::Minute1, 7),
];

const STRATEGY: &str = "
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

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |flag: &str| {
        arguments
            .iter()
            .position(|each| each == flag)
            .map(|at| &arguments[at + 1..])
    };
    if let Some([folder, bars, ..]) = after("--peak") {
        return peak(Path::new(folder), bars.parse().unwrap());
    }
    if let Some([threads, ..]) = after("--many-peak") {
        return many_peak(threads.parse().unwrap());
    }
    if arguments.iter().all(|each| each != "many") {
        adx_example();
    }
    if arguments.iter().all(|each| each != "adx") {
        many_symbols();
    }
}

fn adx_example() {
    println!(
        "{:<36} {:>10} {:>10} {:>10} {:>14}",
        "ADX example, milliseconds", "5 000 bars", "least", "1 M bars", "on processor"
    );
    let folder = tempfile::tempdir().unwrap();
    let mut table: Vec<(String, [f64; 4])> = Vec::new();
    for (large, (bars, timeframe, rounds)) in SIZES.into_iter().enumerate() {
        let disk = Disk::open(folder.path());
        disk.store_walk(bars, timeframe);
        let resolved = resolved(timeframe);
        let runs: Vec<Vec<(String, Clock)>> =
            (0..rounds).map(|_| stages(&disk, &resolved)).collect();
        for (stage, (name, _)) in runs[0].iter().enumerate() {
            let wall = || runs.iter().map(|run| run[stage].1.wall);
            let processor = median(runs.iter().map(|run| run[stage].1.processor));
            if large == 0 {
                table.push((
                    name.clone(),
                    [median(wall()), wall().fold(f64::MAX, f64::min), 0.0, 0.0],
                ));
            } else {
                (table[stage].1[2], table[stage].1[3]) = (median(wall()), processor);
            }
        }
    }
    for (name, [small, least, large, processor]) in table {
        println!("{name:<36} {small:>10.3} {least:>10.3} {large:>10.1} {processor:>14.1}");
    }
    for (bars, _, _) in SIZES {
        child(&[
            "--peak",
            &folder.path().display().to_string(),
            &bars.to_string(),
        ]);
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// This program once more, with these arguments.
fn child(arguments: &[&str]) {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(arguments)
        .output()
        .unwrap();
    print!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
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
        let store = runtime
            .block_on(Store::open(&format!("file://{}", folder.display())))
            .unwrap();
        Self { runtime, store }
    }

    fn store_walk(&self, count: usize, timeframe: Timeframe) {
        let bars = walk(7, count, timeframe);
        let edit = Edit {
            bars,
            empty_intervals: Vec::new(),
            calendar: "walk".to_owned(),
            at: Utc(1),
        };
        self.runtime
            .block_on(self.store.series().commit(&key(timeframe), edit, None))
            .unwrap();
    }

    fn read(&self, timeframe: Timeframe) -> SymbolBars {
        let (_, bars) = self
            .runtime
            .block_on(self.store.series().read_newest(&key(timeframe), ALL_TIME))
            .unwrap();
        SymbolBars::from([(timeframe, bars)])
    }
}

fn resolved(timeframe: Timeframe) -> Resolved {
    let text = STRATEGY.replace("TIMEFRAME", &timeframe.to_string());
    Strategy::parse(&text)
        .unwrap_or_else(|findings| panic!("{findings}"))
        .resolve(&Overrides::default())
        .unwrap()
}

fn key(timeframe: Timeframe) -> SeriesKey {
    SeriesKey::standard(
        "file",
        Instrument::parse("crypto:BTCUSD").unwrap(),
        timeframe,
    )
    .unwrap()
}

/// A walk whose bars move by about half a per cent.
fn walk(mut seed: u64, count: usize, timeframe: Timeframe) -> RawBars {
    let mut price = 20_000.0_f64;
    let start = Utc::from_timestamp("2020-01-01T00:00:00Z".parse().unwrap());
    let mut bars = RawBars::default();
    for row in 0..count {
        let mut step = |size: f64| 1.0 + size * (2.0 * share(&mut seed) - 1.0);
        let (open, close) = (price, price * step(0.005));
        let (high, low) = (
            open.max(close) * step(0.001).max(1.0),
            open.min(close) * step(0.001).min(1.0),
        );
        let open_time = start.plus_micros(timeframe.micros() * row as i64);
        bars.push(RawBar {
            open_time,
            prices: [open, high, low, close],
            volume: 10.0 * step(0.5),
        });
        price = if (2_000.0..200_000.0).contains(&close) {
            close
        } else {
            20_000.0
        };
    }
    bars
}

/// The next number from 0 to 1 of a linear congruential generator.
fn share(seed: &mut u64) -> f64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 11) as f64 / (1_u64 << 53) as f64
}

/// Milliseconds that passed, and that this process's threads were on a processor: on a busy machine
/// the latter says more.
#[derive(Clone, Copy)]
struct Clock {
    wall: f64,
    processor: f64,
}

impl Clock {
    fn now(since: Instant) -> Self {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let nanoseconds = |task: std::io::Result<std::fs::DirEntry>| {
            let text =
                std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
            text.split_whitespace()
                .next()
                .map_or(0.0, |field| field.parse::<f64>().unwrap())
        };
        Self {
            wall: since.elapsed().as_secs_f64() * 1e3,
            processor: tasks.map(nanoseconds).sum::<f64>() / 1e6,
        }
    }

    fn less(self, other: Self) -> Self {
        Self {
            wall: self.wall - other.wall,
            processor: self.processor - other.processor,
        }
    }
}

/// One run from the store to the data set; the progress callback tells where a stage ends and the
/// next one begins.
fn stages(disk: &Disk, resolved: &Resolved) -> Vec<(String, Clock)> {
    let start = Instant::now();
    let mut marks: Vec<(String, Clock)> = Vec::new();
    drop(example(disk, resolved, &mut |step| {
        let name = match step.work {
            "bars" => "read Parquet",
            "labels" => "labels, join",
            "leak test" => "leak test, split, scale",
            _ => "indicators, fuzzy sets, features",
        };
        marks.push((name.to_owned(), Clock::now(start)));
        ControlFlow::Continue(())
    }));
    let end = Clock::now(start);
    let ends = marks.iter().skip(1).map(|(_, at)| *at).chain([end]);
    let mut times: Vec<(String, Clock)> = marks
        .iter()
        .zip(ends)
        .map(|((name, from), to)| (name.clone(), to.less(*from)))
        .collect();
    times.push(("whole chain".to_owned(), end.less(marks[0].1)));
    times.push((
        "whole chain less its last stage".to_owned(),
        marks[marks.len() - 1].1.less(marks[0].1),
    ));
    times
}

type Progress<'a> = &'a mut (dyn FnMut(AssemblyStep<'_>) -> ControlFlow<()> + Send);

fn example(disk: &Disk, resolved: &Resolved, progress: Progress<'_>) -> DataSet {
    let read = |_: &Instrument, _: &[Timeframe]| Ok::<_, DataSetError>(disk.read(resolved.base));
    assemble_data_set(resolved, 1, read, progress).unwrap()
}

/// A field of this process's status in bytes.
fn status(field: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<f64>()
        .unwrap()
        * 1024.0
}

fn peak(folder: &Path, bars: usize) {
    let (_, timeframe, _) = *SIZES.iter().find(|size| size.0 == bars).unwrap();
    let resolved = resolved(timeframe);
    let disk = Disk::open(folder);
    let before = status("VmRSS");
    let mut marks = String::new();
    let set = example(&disk, &resolved, &mut |step| {
        write!(
            marks,
            "{:.0} at {}, ",
            (status("VmHWM") - before) / 1e6,
            step.work
        )
        .unwrap();
        ControlFlow::Continue(())
    });
    let peak = status("VmHWM") - before;
    let features = (set.rows() * set.features.len() * 4) as f64;
    let all = features + (set.rows() * (4 + 8 * 3 + 1 + 4)) as f64;
    println!(
        "peak memory, {bars} bars: {:.1} MB ({marks}{:.0} at the end) for {} rows: {:.2} times their features ({:.1} MB), {:.2} times \
         all their columns ({:.1} MB)",
        peak / 1e6,
        peak / 1e6,
        set.rows(),
        peak / features,
        features / 1e6,
        peak / all,
        all / 1e6,
    );
}

const SYMBOLS: usize = 100;
const MANY_BARS: usize = 10_000;
const MANY: [(Timeframe, usize); 4] = [
    (Timeframe::Minute15, 1),
    (Timeframe::Hour1, 4),
    (Timeframe::Hour4, 16),
    (Timeframe::Day1, 96),
];
const TYPES: [&str; 20] = [
    "rsi",
    "roc",
    "momentum",
    "cci",
    "williamsr",
    "stochastic",
    "atr",
    "bollingerbandwidth",
    "sma",
    "ema",
    "wma",
    "dema",
    "macd",
    "adx",
    "aroon",
    "mfi",
    "obv",
    "natr",
    "trix",
    "stddev",
];

/// The symbols come with the request.
const MANY_HEAD: &str = "
name: many
version: \"3.0\"
training_data:
  symbols: {mode: multi_symbol, list: [\"stk:A\", \"stk:B\"]}
  timeframes: {mode: multi_timeframe, list: [15m, 1h, 4h, 1d], base_timeframe: 15m}
  history_required: 200
indicators:
";

/// 20 indicators on each of 4 timeframes, ten of them scaled, ten in three words.
fn many() -> Resolved {
    let mut text = MANY_HEAD.to_owned();
    TYPES
        .iter()
        .for_each(|name| writeln!(text, "  {name}_x: {{type: {name}}}").unwrap());
    text.push_str("fuzzy_sets:\n");
    for name in &TYPES[10..] {
        let open = "type: trapezoidal, parameters:";
        writeln!(
            text,
            "  {name}_words: {{indicator: {name}_x, low: {{{open} [-.inf, -.inf, 0, 10]}}, mid: [0, 10, 20], \
             high: {{{open} [10, 20, .inf, .inf]}}}}"
        )
        .unwrap();
    }
    text.push_str("nn_inputs:\n");
    TYPES[..10].iter().for_each(|name| {
        writeln!(
            text,
            "  - {{raw_indicator: {name}_x, timeframes: all, normalization: zscore}}"
        )
        .unwrap();
    });
    TYPES[10..].iter().for_each(|name| {
        writeln!(text, "  - {{fuzzy_set: {name}_words, timeframes: all}}").unwrap()
    });
    text.push_str(&STRATEGY[STRATEGY.find("model:").unwrap()..]);
    let strategy = Strategy::parse(&text).unwrap_or_else(|findings| panic!("{findings}"));
    let symbols =
        (0..SYMBOLS).map(|number| Instrument::parse(&format!("stk:S{number:03}")).unwrap());
    let request = Overrides {
        symbols: Some(symbols.collect()),
        ..Overrides::default()
    };
    Resolved {
        embargo_bars: Some(96),
        ..strategy.resolve(&request).unwrap()
    }
}

/// The bars of a symbol on all timeframes, made when asked for.
fn many_bars(symbol: &Instrument, timeframes: &[Timeframe]) -> Result<SymbolBars, DataSetError> {
    let seed = symbol.id().bytes().fold(7, |seed: u64, byte| {
        seed.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let base = walk(seed, MANY_BARS, Timeframe::Minute15);
    let wanted = MANY
        .iter()
        .filter(|(timeframe, _)| timeframes.contains(timeframe));
    Ok(wanted
        .map(|&(timeframe, each)| (timeframe, coarser(&base, each)))
        .collect())
}

/// Bars of `each` bars.
fn coarser(base: &RawBars, each: usize) -> Bars {
    let mut bars = Bars::default();
    for start in (0..base.len())
        .step_by(each)
        .filter(|start| start + each <= base.len())
    {
        let rows = start..start + each;
        bars.open_time.push(base.open_time[start]);
        bars.close_time
            .push(base.open_time[rows.end - 1].plus_micros(Timeframe::Minute15.micros()));
        bars.open.push(base.open[start]);
        bars.high.push(
            base.high[rows.clone()]
                .iter()
                .copied()
                .fold(f64::MIN, f64::max),
        );
        bars.low.push(
            base.low[rows.clone()]
                .iter()
                .copied()
                .fold(f64::MAX, f64::min),
        );
        bars.close.push(base.close[rows.end - 1]);
        bars.volume.push(base.volume[rows].iter().sum());
    }
    bars
}

/// Seconds that passed, that this thread was on a processor, and that all threads were, those that
/// have ended included.
fn timed(resolved: &Resolved, threads: usize) -> [f64; 3] {
    let own = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        text.split_whitespace()
            .next()
            .unwrap()
            .parse::<f64>()
            .unwrap()
            / 1e9
    };
    let all = || {
        let text = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields = text.rsplit_once(')').unwrap().1.split_whitespace();
        fields
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<f64>().unwrap() / 100.0)
            .sum::<f64>()
    };
    let (start, own_before, all_before) = (Instant::now(), own(), all());
    drop(
        assemble_data_set(resolved, threads, many_bars, &mut |_| {
            ControlFlow::Continue(())
        })
        .unwrap(),
    );
    [
        start.elapsed().as_secs_f64(),
        own() - own_before,
        all() - all_before,
    ]
}

fn many_symbols() {
    let resolved = many();
    let rounds: Vec<([f64; 3], [f64; 3])> = (0..7)
        .map(|_| (timed(&resolved, 1), timed(&resolved, 2)))
        .collect();
    let of = |pick: fn(&([f64; 3], [f64; 3])) -> f64| median(rounds.iter().map(pick));
    println!(
        "\n100 symbols x 4 timeframes x 20 indicators, {MANY_BARS} base bars, {} columns, medians of {} rounds:\n\
         one thread {:.2} s, two threads {:.2} s; one / two {:.2}\n\
         on a processor: one thread {:.2} s; two threads {:.2} s together, of which {:.2} s on the one that stacks",
        resolved.features.len(),
        rounds.len(),
        of(|(one, _)| one[0]),
        of(|(_, two)| two[0]),
        of(|(one, two)| one[0] / two[0]),
        of(|(one, _)| one[2]),
        of(|(_, two)| two[2]),
        of(|(_, two)| two[1]),
    );
    for threads in ["1", "2"] {
        child(&["--many-peak", threads]);
    }
}

/// Measured beside the bound that `assemble_data_set` documents.
fn many_peak(threads: usize) {
    let resolved = many();
    let before = status("VmRSS");
    let set = assemble_data_set(&resolved, threads, many_bars, &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    let peak = status("VmHWM") - before;
    let scaled = set
        .features
        .iter()
        .filter(|column| column.normalisation.is_some())
        .count();
    let (features, outputs, bars) = (set.features.len(), 3, MANY_BARS * 121 / 96 + MANY_BARS / 16);
    let row = 4 * features + 4 * scaled + 53;
    let all = set.rows() + usize::try_from(set.dropped["purged"] + set.dropped["embargo"]).unwrap();
    let bound =
        all * row + 5 * threads * MANY_BARS * row + threads * bars * (56 + 8 * outputs + 24);
    println!(
        "peak memory, {threads} threads: {:.0} MB measured, {:.0} MB by the formula; the {} rows have {:.0} MB of features",
        peak / 1e6,
        bound as f64 / 1e6,
        set.rows(),
        (set.rows() * features * 4) as f64 / 1e6,
    );
}
