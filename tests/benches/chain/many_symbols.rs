//! 100 symbols on 4 timeframes with 20 indicators on each, on one thread and on two.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::time::Instant;

use market::{Instrument, Timeframe};
use strategies::{
    DataSet, DataSetError, Overrides, Resolved, Strategy, SymbolBars, assemble_data_set,
};

use crate::adx_example::STRATEGY;
use crate::measures::{median, memory, process_seconds, run_child, thread_seconds};
use crate::random_walk::{coarsen, walk};

/// Prints the peak memory for a number of threads.
pub const PEAK_FLAG: &str = "--many-peak";

const ROUNDS: usize = 7;
const SYMBOLS: usize = 100;
const BASE_BARS: usize = 10_000;
/// Timeframes, and how many bars of the base timeframe one of their bars has.
const TIMEFRAMES: [(Timeframe, usize); 4] = [
    (Timeframe::MINUTE_15, 1),
    (Timeframe::HOUR_1, 4),
    (Timeframe::HOUR_4, 16),
    (Timeframe::DAY_1, 96),
];

/// Indicators whose values are scaled.
const SCALED: [&str; 10] = [
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
];
/// Indicators that are put into three words.
const FUZZY: [&str; 10] = [
    "wma", "dema", "macd", "adx", "aroon", "mfi", "obv", "natr", "trix", "stddev",
];

/// The symbols come with the request.
const HEAD: &str = "
name: many
version: \"3.0\"
training_data:
  symbols: {mode: multi_symbol, list: [\"stk:A\", \"stk:B\"]}
  timeframes: {mode: multi_timeframe, list: [15m, 1h, 4h, 1d], base_timeframe: 15m}
  history_required: 200
indicators:
";

/// Seconds of one run.
struct Times {
    wall: f64,
    /// On a processor, the thread that stacks the symbols alone.
    stacking_thread: f64,
    /// On a processor, all threads together.
    all_threads: f64,
}

/// One round on one thread, then on two.
struct Round {
    one: Times,
    two: Times,
}

pub fn run() {
    let resolved = resolve();
    let rounds: Vec<Round> = (0..ROUNDS)
        .map(|_| Round {
            one: build_timed(&resolved, 1),
            two: build_timed(&resolved, 2),
        })
        .collect();
    let median_of = |pick: fn(&Round) -> f64| median(rounds.iter().map(pick));

    println!(
        "\n100 symbols x 4 timeframes x 20 indicators, {BASE_BARS} base bars, {} columns, \
         medians of {ROUNDS} rounds:",
        resolved.features.len()
    );
    println!(
        "one thread {:.2} s, two threads {:.2} s; one / two {:.2}",
        median_of(|round| round.one.wall),
        median_of(|round| round.two.wall),
        median_of(|round| round.one.wall / round.two.wall),
    );
    println!(
        "on a processor: one thread {:.2} s; two threads {:.2} s together, of which {:.2} s on the \
         one that stacks",
        median_of(|round| round.one.all_threads),
        median_of(|round| round.two.all_threads),
        median_of(|round| round.two.stacking_thread),
    );

    for threads in ["1", "2"] {
        run_child(&[PEAK_FLAG, threads]);
    }
}

/// The strategy of 20 indicators for 100 symbols.
fn resolve() -> Resolved {
    let strategy =
        Strategy::parse(&strategy_text()).unwrap_or_else(|findings| panic!("{findings}"));
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

fn strategy_text() -> String {
    let mut text = HEAD.to_owned();
    for name in SCALED.iter().chain(&FUZZY) {
        writeln!(text, "  {name}_x: {{type: {name}}}").unwrap();
    }

    text.push_str("fuzzy_sets:\n");
    for name in FUZZY {
        let open = "type: trapezoidal, parameters:";
        writeln!(
            text,
            "  {name}_words: {{indicator: {name}_x, low: {{{open} [-.inf, -.inf, 0, 10]}}, \
             mid: [0, 10, 20], high: {{{open} [10, 20, .inf, .inf]}}}}"
        )
        .unwrap();
    }

    text.push_str("nn_inputs:\n");
    for name in SCALED {
        let input = format!("raw_indicator: {name}_x, timeframes: all, normalization: zscore");
        writeln!(text, "  - {{{input}}}").unwrap();
    }
    for name in FUZZY {
        writeln!(text, "  - {{fuzzy_set: {name}_words, timeframes: all}}").unwrap();
    }

    // Model, decisions and labels as in the ADX example.
    text.push_str(&STRATEGY[STRATEGY.find("model:").unwrap()..]);
    text
}

/// The bars of a symbol on all timeframes, made when asked for.
fn make_bars(symbol: &Instrument, timeframes: &[Timeframe]) -> Result<SymbolBars, DataSetError> {
    let seed = symbol.id().bytes().fold(7, |seed: u64, byte| {
        seed.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let base = walk(seed, BASE_BARS, Timeframe::MINUTE_15);

    Ok(TIMEFRAMES
        .iter()
        .filter(|(timeframe, _)| timeframes.contains(timeframe))
        .map(|&(timeframe, each)| (timeframe, coarsen(&base, each)))
        .collect())
}

fn build(resolved: &Resolved, threads: usize) -> DataSet {
    assemble_data_set(resolved, threads, make_bars, &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap()
}

fn build_timed(resolved: &Resolved, threads: usize) -> Times {
    let start = Instant::now();
    let thread_before = thread_seconds();
    let process_before = process_seconds();

    drop(build(resolved, threads));

    Times {
        wall: start.elapsed().as_secs_f64(),
        stacking_thread: thread_seconds() - thread_before,
        all_threads: process_seconds() - process_before,
    }
}

/// Prints the peak memory next to the bound that `assemble_data_set` documents.
pub fn print_peak(threads: usize) {
    let resolved = resolve();
    let before = memory("VmRSS");
    let set = build(&resolved, threads);
    let peak = memory("VmHWM") - before;

    let features = set.features.len();
    let scaled = set
        .features
        .iter()
        .filter(|column| column.normalisation.is_some())
        .count();
    let bytes_per_row = 4 * features + 4 * scaled + 53;
    let dropped = set.dropped["purged"] + set.dropped["embargo"];
    let rows = set.rows() + usize::try_from(dropped).unwrap();

    // Bars of all timeframes of a symbol, and the columns of an indicator with three outputs.
    let bars = BASE_BARS * 121 / 96 + BASE_BARS / 16;
    let bytes_per_bar = 56 + 8 * 3 + 24;
    let bound = rows * bytes_per_row
        + 5 * threads * BASE_BARS * bytes_per_row
        + threads * bars * bytes_per_bar;
    println!(
        "peak memory, {threads} threads: {:.0} MB measured, {:.0} MB by the formula; the {} rows \
         have {:.0} MB of features",
        peak / 1e6,
        bound as f64 / 1e6,
        set.rows(),
        (set.rows() * features * 4) as f64 / 1e6,
    );
}
