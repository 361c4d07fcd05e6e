//! Bars of files: which series a file holds, its rows, and when each of them is known. The only
//! place that reads them.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use market::{
    Bars, Calendar, DayBoundary, Instrument, InstrumentError, SeriesKey, Timeframe, Utc,
    check_hours, close_times,
};
use quality::{CoveredBars, Finding, Rules, check_coverage};
use schemas::codes;
use serde_json::json;
use store::RawBars;
use store::files::{
    BarFile, Expected, FileBars, LabelSide, Mapping, clear_name, read_name, read_path,
};
use strategies::SymbolBars;

use super::stored_series::series_key;
use super::usable_rows::{Contradictions, LeftOut, choose_rows};
use crate::arguments::TextArgs;
use crate::arguments::values::{parse_instrument, parse_timeframe};
use crate::console::{Exit, Failure, Output, now, path_json};

/// The form of an argument that names a series in a file.
const NAMED_FILE_FORM: &str = "expected SYMBOL:TIMEFRAME=FILE, as in EURUSD:1h=bars.csv, or a file \
                               whose name contains both, as in EURUSD_1h.csv";

/// How the times of files are read.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct TimeArgs {
    /// IANA zone of times without a zone, as in America/New_York
    #[arg(long)]
    zone: Option<String>,
    /// The times name the end of each bar instead of its start
    #[arg(long)]
    labels_close: bool,
    /// When a bar is known; by default at the end of its session for exchanges, and after its
    /// length for currencies
    #[arg(long, value_enum)]
    closes: Option<BarClose>,
    /// What the files do not say themselves.
    #[command(flatten)]
    text: TextArgs,
}

/// When a bar is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum BarClose {
    /// As in training: no later than the end of its session
    Calendar,
    /// Its length after its start
    Length,
}

impl TimeArgs {
    fn mapping(&self) -> Mapping {
        let label_side = if self.labels_close {
            LabelSide::Close
        } else {
            LabelSide::Open
        };
        Mapping {
            zone: self.zone.clone(),
            label_side,
            ..self.text.mapping()
        }
    }

    /// The rule for the bars of this series.
    fn bar_close(&self, key: &SeriesKey) -> BarClose {
        match (self.closes, key.day_boundary) {
            (Some(chosen), _) => chosen,
            (None, DayBoundary::UtcMidnight) => BarClose::Length,
            (None, _) => BarClose::Calendar,
        }
    }
}

/// A series in a file, written `SYMBOL:TIMEFRAME=FILE`, or `FILE` alone if its name contains both.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NamedFile {
    /// Instrument whose bars the file holds.
    pub(crate) symbol: Instrument,
    /// Length of a bar in the file.
    pub(crate) timeframe: Timeframe,
    /// Path of the file.
    pub(crate) file: PathBuf,
}

impl NamedFile {
    /// Reads `EURUSD:1h=bars.csv`, `crypto:BTC/USD:1h=bars.csv` or `data/EURUSD_1h.csv`.
    ///
    /// # Errors
    /// What is missing or unknown, as a sentence.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let Some((series, file)) = text.split_once('=') else {
            return Self::parse_path(text);
        };

        // The symbol may contain a colon, too: `crypto:BTC/USD:1h`.
        match series.rsplit_once(':') {
            Some((symbol, timeframe)) if !file.is_empty() => Ok(Self {
                symbol: parse_instrument(symbol)?,
                timeframe: parse_timeframe(timeframe)?,
                file: file.into(),
            }),
            // `ES=F_1d.csv` is the name of a file.
            _ => Self::parse_path(text),
        }
    }

    fn parse_path(text: &str) -> Result<Self, String> {
        let file = PathBuf::from(text);
        match read_file_name(&file) {
            Some((Ok(symbol), timeframe)) => Ok(Self {
                symbol,
                timeframe,
                file,
            }),
            Some((Err(error), timeframe)) => {
                Err(format!("{error}; {}", clear_names(&error, timeframe)))
            }
            None => Err(NAMED_FILE_FORM.to_owned()),
        }
    }
}

/// Symbol and timeframe in the name of a file: `EURUSD_1h.csv`.
pub(crate) fn parse_file_name(file: &Path) -> (Option<Instrument>, Option<Timeframe>) {
    match read_file_name(file) {
        Some((instrument, timeframe)) => (instrument.ok(), Some(timeframe)),
        None => (None, None),
    }
}

/// As the folder of a fetcher reads it.
fn read_file_name(file: &Path) -> Option<(Result<Instrument, InstrumentError>, Timeframe)> {
    read_name(file.file_name()?.to_str()?)
}

/// The symbol of a file cannot be told from its name, because it can mean several things.
pub(crate) fn unclear_symbol(file: &Path) -> Option<Failure> {
    let (instrument, timeframe) = read_file_name(file)?;
    let error = instrument.err()?;
    let message = format!("the symbol of {} is not known: {error}", file.display());
    Some(
        Failure::new(Exit::Usage, codes::DATA_UNNAMED, message).with_hint(format!(
            "name it with --symbol, or {}",
            clear_names(&error, timeframe)
        )),
    )
}

/// What to call a file whose symbol alone can mean several things.
fn clear_names(error: &InstrumentError, timeframe: Timeframe) -> String {
    let candidates = error.candidates();
    let names: Vec<String> = candidates
        .iter()
        .map(|instrument| clear_name(instrument, timeframe))
        .collect();

    if names.is_empty() {
        error.hint().to_owned()
    } else {
        format!("call the file {}", names.join(" or "))
    }
}

/// The rows of a file that holds bars of this series.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub(crate) fn read_file(
    file: &Path,
    key: &SeriesKey,
    mapping: &Mapping,
) -> Result<FileBars, Failure> {
    Ok(read_path(file, mapping, &expected_of(key))?)
}

/// What the file of a series should hold.
pub(crate) fn expected_of(key: &SeriesKey) -> Expected {
    Expected {
        instrument: key.instrument.clone(),
        timeframe: key.timeframe,
        day_boundary: key.day_boundary,
    }
}

/// When each of these bars became known, by the calendar of their series.
///
/// # Errors
/// A time is not that of a bar.
pub(crate) fn close_times_of(bars: &RawBars, key: &SeriesKey) -> Result<Vec<Utc>, Failure> {
    close_times(Calendar::for_key(key), key, &bars.open_time).map_err(|error| {
        Failure::of(Exit::Failed, codes::DATA_INVALID_LABEL, &error).with_hint(error.hint())
    })
}

/// Checks that the bars trade when their instrument does; `way_out` is what else to write if its
/// hours are not known.
///
/// # Errors
/// They trade at other hours: by their calendar, bars would be known before they are over.
pub(crate) fn require_hours(bars: &RawBars, key: &SeriesKey, way_out: &str) -> Result<(), Failure> {
    check_hours(key, &bars.open_time).map_err(|error| {
        Failure::of(Exit::Failed, codes::DATA_WRONG_HOURS, &error).with_hint(format!(
            "{}; if its hours are not known, add {way_out}",
            error.hint()
        ))
    })
}

/// Says which rows of a file are not used, where there are any.
pub(crate) fn report_left_out(file: &Path, left_out: &LeftOut, output: &Output) {
    let Some(text) = left_out.describe() else {
        return;
    };
    output.note(&format!("{}: {text}", file.display()));
    output.json(&json!({
        "type": "left_out",
        "file": path_json(file),
        "lines": left_out.json(),
    }));
}

/// The bars of a file that are over, in the order of time, each with the time at which it is known.
fn read_series(
    named: &NamedFile,
    times: &TimeArgs,
    folder: &Path,
    output: &Output,
) -> Result<Bars, Failure> {
    let key = series_key("file", &named.symbol, named.timeframe)?;
    let file = read_file(&folder.join(&named.file), &key, &times.mapping())?;
    let known_at = match times.bar_close(&key) {
        BarClose::Length => nominal_close_times(&file.bars, named.timeframe),
        BarClose::Calendar => {
            require_hours(&file.bars, &key, "--closes length")?;
            close_times_of(&file.bars, &key)?
        }
    };

    let refuse = Contradictions::Refuse;
    let rows = choose_rows(&named.file, file, known_at, now(), true, refuse)?;
    report_left_out(&named.file, &rows.left_out, output);
    Ok(rows.into_bars())
}

/// The bars of each symbol, in the order of the files: each series once, and every symbol in all of
/// these timeframes.
///
/// # Errors
/// A series is named twice or is missing, or its file cannot be read.
pub(crate) fn read_symbols(
    files: &[NamedFile],
    timeframes: &[Timeframe],
    times: &TimeArgs,
    folder: &Path,
    output: &Output,
) -> Result<Vec<(String, SymbolBars)>, Failure> {
    let groups = group_by_symbol(files)?;
    // Before the first one is read, which may take long: a missing file is known at once.
    for group in &groups {
        require_timeframes(group, timeframes)?;
    }

    let mut symbols = Vec::with_capacity(groups.len());
    for group in groups {
        let mut bars = SymbolBars::new();
        for file in &group.files {
            bars.insert(file.timeframe, read_series(file, times, folder, output)?);
        }
        warn_of_coverage(group.symbol, &bars, output);
        symbols.push((group.symbol.symbol(), bars));
    }
    Ok(symbols)
}

/// Says where two timeframes of a symbol do not cover the same time.
fn warn_of_coverage(symbol: &Instrument, bars: &SymbolBars, output: &Output) {
    let rules = Rules::default();
    let series: Vec<CoveredBars<'_>> = bars
        .iter()
        .map(|(timeframe, bars)| CoveredBars {
            timeframe: *timeframe,
            known_at: &bars.close_time,
        })
        .collect();

    for (finer, coarser) in series.iter().zip(series.iter().skip(1)) {
        for finding in check_coverage(*finer, *coarser, &rules) {
            show_coverage(symbol, &finding, output);
        }
    }
}

/// Says where a timeframe of a symbol contradicts another one.
pub(crate) fn show_coverage(symbol: &Instrument, finding: &Finding, output: &Output) {
    let name = symbol.symbol();
    output.note(&format!("warning: {name}: {}", finding.message));
    output.json(&json!({"type": "coverage", "symbol": symbol.id(), "finding": finding}));
}

/// The files of one symbol.
struct SymbolFiles<'a> {
    symbol: &'a Instrument,
    files: Vec<&'a NamedFile>,
}

impl SymbolFiles<'_> {
    fn has(&self, timeframe: Timeframe) -> bool {
        self.files.iter().any(|file| file.timeframe == timeframe)
    }
}

fn group_by_symbol(files: &[NamedFile]) -> Result<Vec<SymbolFiles<'_>>, Failure> {
    let mut groups: Vec<SymbolFiles<'_>> = Vec::new();

    // A search through few files keeps the order in which they were named.
    for file in files {
        let group = groups.iter_mut().find(|group| *group.symbol == file.symbol);

        match group {
            Some(group) if group.has(file.timeframe) => return Err(named_twice(file)),
            Some(group) => group.files.push(file),
            None => groups.push(SymbolFiles {
                symbol: &file.symbol,
                files: vec![file],
            }),
        }
    }
    Ok(groups)
}

fn named_twice(file: &NamedFile) -> Failure {
    let message = format!(
        "--bars {}:{} is given twice",
        file.symbol.spelling(),
        file.timeframe
    );
    Failure::new(Exit::Usage, codes::DATA_TWICE, message).with_hint("give one file for each series")
}

fn require_timeframes(group: &SymbolFiles<'_>, timeframes: &[Timeframe]) -> Result<(), Failure> {
    let missing = timeframes.iter().find(|timeframe| !group.has(**timeframe));
    let Some(missing) = missing else {
        return Ok(());
    };

    let symbol = group.symbol.spelling();
    let message = format!("the strategy needs {missing} bars of {symbol}");
    Err(Failure::new(Exit::Usage, codes::DATA_MISSING, message)
        .with_hint(format!("add --bars {symbol}:{missing}=FILE")))
}

fn nominal_close_times(bars: &RawBars, timeframe: Timeframe) -> Vec<Utc> {
    bars.open_time
        .iter()
        .map(|open| timeframe.nominal_end(*open))
        .collect()
}

/// Bars of which only order and prices matter; symbol and timeframe come from the flags, the name
/// of the file, or its times. Those that are not over are left out; without a symbol, a bar is over
/// one timeframe after its start.
///
/// # Errors
/// The file cannot be read, or two rows contradict each other.
pub(crate) fn read_any(
    file: &Path,
    symbol: Option<&Instrument>,
    timeframe: Option<Timeframe>,
    times: &TimeArgs,
    folder: &Path,
    output: &Output,
) -> Result<Bars, Failure> {
    let path = folder.join(file);
    let (named_symbol, named_timeframe) = parse_file_name(file);
    let named_symbol = symbol.cloned().or(named_symbol);
    let bar_file = BarFile::open(&path, &times.mapping(), named_symbol.as_ref())?;
    let detected = bar_file.detected().timeframe;

    // Where nothing tells a timeframe, the shortest will do: only order and prices matter.
    let timeframe = timeframe
        .or(named_timeframe)
        .or(detected.and_then(|text| text.parse().ok()))
        .unwrap_or(Timeframe::MINUTE_1);
    if let Some(symbol) = named_symbol {
        let named = NamedFile {
            symbol,
            timeframe,
            file: file.to_owned(),
        };
        return read_series(&named, times, folder, output);
    }

    let key = series_key("file", &unnamed_instrument()?, timeframe)?;
    let read = bar_file.bars(&expected_of(&key))?;
    let known_at = nominal_close_times(&read.bars, timeframe);
    let refuse = Contradictions::Refuse;
    let rows = choose_rows(file, read, known_at, now(), true, refuse)?;
    report_left_out(file, &rows.left_out, output);
    Ok(rows.into_bars())
}

/// A stock, for which a volume of 0 is a volume of 0: that is all that the symbol decides here.
fn unnamed_instrument() -> Result<Instrument, Failure> {
    Instrument::parse("stk:UNNAMED").map_err(|error| {
        Failure::of(Exit::Usage, codes::DATA_UNNAMED, &error).with_hint("name it with --symbol")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Symbol, timeframe and file of an argument, or its error.
    fn describe(text: &str) -> String {
        match NamedFile::parse(text) {
            Ok(NamedFile {
                symbol,
                timeframe,
                file,
            }) => format!("{symbol} {timeframe} {}", file.display()),
            Err(error) => error,
        }
    }

    #[test]
    fn a_series_is_named_before_its_file_or_by_its_name() {
        assert_eq!(
            describe("EURUSD:1h=my bars.csv"),
            "fx:EUR.USD 1h my bars.csv"
        );
        assert_eq!(
            describe("crypto:BTC/USD:4h=some=file.csv"),
            "crypto:BTC.USD 4h some=file.csv"
        );

        assert_eq!(
            describe("data/AAPL_1d.csv.gz"),
            "stk:AAPL 1d data/AAPL_1d.csv.gz"
        );
        assert_eq!(describe("ES=F_1d.csv"), "fut:ES 1d ES=F_1d.csv");
    }

    #[test]
    fn a_wrong_name_of_a_series_is_answered_with_the_form() {
        let texts = [
            "EURUSD=x.csv",
            "EURUSD:1h",
            "EURUSD:1h=",
            "EURUSD:2x=x.csv",
            "?:1h=x.csv",
            "BTCUSD_1h.csv",
            "ES:1h=x.csv",
            "bars.csv",
        ];

        insta::assert_snapshot!(texts.map(describe).join("\n"));
    }
}
