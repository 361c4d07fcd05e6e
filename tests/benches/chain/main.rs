//! Load program: the way from stored bars to a data set, stage by stage, with its peak memory.
//! Prints tables, asserts nothing.
//!
//! `cargo bench -p system-tests --bench chain`, followed by `adx` or `many` for one part of it.
//! First the ADX example: one symbol, one timeframe, one thread, `adx` with its three outputs,
//! three fuzzy sets of three triangles, zigzag labels. Then 100 symbols on 4 timeframes with 20
//! indicators on each, on one thread and on two. Bars are random walks. Peak memory is that of a
//! process of its own, which builds one data set and nothing else (`VmHWM`, less what it had before
//! it began).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a load program may panic"
)]

mod adx_example;
mod many_symbols;
mod measures;
mod random_walk;

use std::path::Path;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();

    // Measured in processes of their own, which this program starts.
    if let Some([folder, bars, ..]) = after(&words, adx_example::PEAK_FLAG) {
        return adx_example::print_peak(Path::new(folder), bars.parse().unwrap());
    }
    if let Some([threads, ..]) = after(&words, many_symbols::PEAK_FLAG) {
        return many_symbols::print_peak(threads.parse().unwrap());
    }

    if !words.contains(&"many") {
        adx_example::run();
    }
    if !words.contains(&"adx") {
        many_symbols::run();
    }
}

/// The words behind a flag; `None` without the flag.
fn after<'a>(words: &'a [&'a str], flag: &str) -> Option<&'a [&'a str]> {
    let place = words.iter().position(|word| *word == flag)?;
    words.get(place + 1..)
}
