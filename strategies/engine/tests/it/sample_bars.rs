//! Reads gzipped CSV bars for tests, and assembles data sets from them.

use std::ops::ControlFlow;
use std::path::Path;

use flate2::read::GzDecoder;

use market::{Bars, Calendar, Instrument, SeriesKey, Timeframe, Utc, close_times};
use strategies::{
    AssemblyStep, DataSet, DataSetError, Resolved, SymbolBars, assemble_data_set,
    assemble_sealed_rows,
};

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

/// The sample bars of an instrument that ship with the project. Each is known when the calendar of
/// its instrument says, as in a series that was loaded from them.
pub fn shipped(instrument: &Instrument, timeframe: Timeframe) -> Bars {
    let name = format!("{}_{timeframe}", instrument.symbol());
    let mut bars = read("../../tests/bars", &name, 0);

    let key = SeriesKey::standard("file", instrument.clone(), timeframe).unwrap();
    bars.close_time = close_times(Calendar::for_key(&key), &key, &bars.open_time).unwrap();

    bars
}

pub fn hourly_eurusd() -> Bars {
    shipped(&Instrument::parse("EURUSD").unwrap(), Timeframe::HOUR_1)
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
    let read = |symbol: &Instrument, _: &[Timeframe]| bars_of(inputs, symbol);
    assemble_data_set(resolved, threads, read, progress)
}

/// The rows that the data set `open` of the same bars withholds.
pub fn assembled_sealed(
    resolved: &Resolved,
    open: &DataSet,
    inputs: &[SymbolInput],
) -> Result<Option<DataSet>, DataSetError> {
    let read = |symbol: &Instrument, _: &[Timeframe]| bars_of(inputs, symbol);
    let go_on = &mut |_: AssemblyStep<'_>| ControlFlow::Continue(());
    assemble_sealed_rows(resolved, open, 1, read, go_on)
}

fn bars_of(inputs: &[SymbolInput], symbol: &Instrument) -> Result<SymbolBars, DataSetError> {
    let input = inputs.iter().find(|input| input.symbol == *symbol);
    input
        .map(|input| input.bars.clone())
        .ok_or_else(|| DataSetError::NoSymbol {
            symbol: symbol.id(),
        })
}

/// The sample bars that a strategy asks for.
pub fn inputs(resolved: &Resolved) -> Vec<SymbolInput> {
    resolved
        .symbols
        .iter()
        .map(|symbol| SymbolInput {
            symbol: symbol.clone(),
            bars: resolved
                .timeframes
                .iter()
                .map(|timeframe| (*timeframe, shipped(symbol, *timeframe)))
                .collect(),
        })
        .collect()
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
