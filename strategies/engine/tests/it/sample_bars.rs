//! Reads gzipped CSV bars for tests; every bar is known a fixed time after its open.

use std::ops::ControlFlow;
use std::path::Path;

use flate2::read::GzDecoder;

use market::{Bars, Instrument, Timeframe, Utc};
use strategies::{AssemblyStep, DataSet, DataSetError, Resolved, SymbolBars, assemble_data_set};

pub const HOUR: i64 = 3_600_000_000;

/// `name.csv.gz` in a folder beside this crate's manifest; a bar is known `length` microseconds
/// after its open.
pub fn read(folder: &str, name: &str, length: i64) -> Bars {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(folder)
        .join(format!("{name}.csv.gz"));
    let file =
        std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bars = Bars::default();
    for row in csv::Reader::from_reader(GzDecoder::new(file)).records() {
        let row = row.unwrap();
        let number = |index: usize| row[index].parse::<f64>().unwrap();
        let open = Utc::from_timestamp(row[0].parse().unwrap());
        bars.open_time.push(open);
        bars.close_time.push(open.plus_micros(length));
        bars.open.push(number(1));
        bars.high.push(number(2));
        bars.low.push(number(3));
        bars.close.push(number(4));
        bars.volume
            .push(if number(5) > 0.0 { number(5) } else { f64::NAN });
    }
    bars
}

/// The sample bars that ship with the project: currencies hourly, shares daily (known at 16:00 in
/// New York, winter time).
pub fn shipped(symbol: &str) -> Bars {
    if symbol == "EURUSD" {
        read("../../tests/bars", "EURUSD_1h", HOUR)
    } else {
        read("../../tests/bars", &format!("{symbol}_1d"), 21 * HOUR)
    }
}

/// The bars of one symbol.
#[derive(Clone, Debug)]
pub struct SymbolInput {
    pub symbol: Instrument,
    pub bars: SymbolBars,
}

/// The data set of bars in memory.
pub fn assembled(
    resolved: &Resolved,
    inputs: &[SymbolInput],
    threads: usize,
    progress: &mut (dyn FnMut(AssemblyStep<'_>) -> ControlFlow<()> + Send),
) -> Result<DataSet, DataSetError> {
    let read = |symbol: &Instrument, _: &[Timeframe]| {
        let input = inputs.iter().find(|input| input.symbol == *symbol);
        input
            .map(|input| input.bars.clone())
            .ok_or_else(|| DataSetError::NoSymbol {
                symbol: symbol.id(),
            })
    };
    assemble_data_set(resolved, threads, read, progress)
}

/// The sample bars that a strategy asks for.
pub fn inputs(resolved: &Resolved) -> Vec<SymbolInput> {
    let series = |symbol: &str, timeframe: Timeframe| match (symbol, timeframe) {
        ("EURUSD", Timeframe::Day1) => read("../../tests/bars", "EURUSD_1d", 24 * HOUR),
        _ => shipped(symbol),
    };
    let input = |symbol: &market::Instrument| {
        let bars = resolved
            .timeframes
            .iter()
            .map(|timeframe| (*timeframe, series(&symbol.symbol(), *timeframe)));
        SymbolInput {
            symbol: symbol.clone(),
            bars: bars.collect::<SymbolBars>(),
        }
    };
    resolved.symbols.iter().map(input).collect()
}

/// The names of the catalogue, sorted.
pub fn names() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().file_name().into_string().unwrap()
    };
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
        .into_iter()
        .map(|name| name.trim_end_matches(".yaml").to_owned())
        .collect()
}

/// The text of a strategy of the catalogue.
pub fn catalog(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../catalog")
        .join(format!("{name}.yaml"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
