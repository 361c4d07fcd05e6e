//! Bars of files: which series a file holds, its rows, and when each of them is known. The only
//! place that reads them.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use market::{Bars, Calendar, DayBoundary, Instrument, SeriesKey, Timeframe, Utc, close_times};
use schemas::codes;
use store::RawBars;
use store::files::{Expected, FileBars, LabelSide, Mapping, detect, parse_name, read_path};
use strategies::SymbolBars;

use super::stored_series::series_key;
use crate::arguments::values::{parse_instrument, parse_timeframe};
use crate::console::{Exit, Failure};

/// How the times of files are read.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct TimeArgs {
    /// IANA zone of times that carry none, as in America/New_York
    #[arg(long)]
    pub(crate) zone: Option<String>,
    /// The times name the end of each bar instead of its start
    #[arg(long)]
    pub(crate) labels_close: bool,
    /// When a bar is known; by default at the end of the session for exchanges, after its length
    /// for currencies
    #[arg(long, value_enum)]
    pub(crate) closes: Option<Closes>,
}

/// When a bar is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Closes {
    /// As in training: cut at the end of its session
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
            ..Mapping::default()
        }
    }
}

/// A series in a file, written `SYMBOL:TIMEFRAME=FILE`, or `FILE` alone where its name says both.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NamedFile {
    /// What is traded.
    pub(crate) symbol: Instrument,
    /// Length of a bar.
    pub(crate) timeframe: Timeframe,
    /// Where the bars are.
    pub(crate) file: PathBuf,
}

impl NamedFile {
    /// Reads `EURUSD:1h=bars.csv`, `crypto:BTC/USD:1h=bars.csv` or `data/EURUSD_1h.csv`.
    ///
    /// # Errors
    /// What is missing or unknown, as a sentence.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let form = || {
            "expected SYMBOL:TIMEFRAME=FILE, as in EURUSD:1h=bars.csv, or a file whose name says both, as in EURUSD_1h.csv"
                .to_owned()
        };
        let Some((series, file)) = text.split_once('=') else {
            let file = PathBuf::from(text);
            let (Some(symbol), Some(timeframe)) = parse_file_name(&file) else {
                return Err(form());
            };
            return Ok(Self {
                symbol,
                timeframe,
                file,
            });
        };
        let (symbol, length) = series
            .rsplit_once(':')
            .filter(|_| !file.is_empty())
            .ok_or_else(form)?;
        Ok(Self {
            symbol: parse_instrument(symbol)?,
            timeframe: parse_timeframe(length)?,
            file: file.into(),
        })
    }
}

/// Symbol and timeframe in the name of a file: `EURUSD_1h.csv`.
pub(crate) fn parse_file_name(file: &Path) -> (Option<Instrument>, Option<Timeframe>) {
    file.file_name()
        .and_then(|name| name.to_str())
        .and_then(parse_name)
        .unzip()
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
    let SeriesKey {
        instrument,
        timeframe,
        day_boundary,
        ..
    } = key.clone();
    Ok(read_path(
        file,
        mapping,
        &Expected {
            instrument,
            timeframe,
            day_boundary,
        },
    )?)
}

/// When each of these bars became known, by the calendar of their series.
///
/// # Errors
/// A time is none of a bar.
pub(crate) fn close_times_of(bars: &RawBars, key: &SeriesKey) -> Result<Vec<Utc>, Failure> {
    close_times(Calendar::for_key(key), key, &bars.open_time).map_err(|error| {
        Failure::of(Exit::Failed, codes::DATA_INVALID_LABEL, &error).with_hint(error.hint())
    })
}

/// Bars with the time at which each of them is known, every row in file order.
///
/// # Errors
/// The file cannot be read, its times do not ascend, or a time is none of a bar.
pub(crate) fn read_series(
    named: &NamedFile,
    times: &TimeArgs,
    folder: &Path,
) -> Result<Bars, Failure> {
    let key = series_key("file", &named.symbol, named.timeframe)?;
    let raw = ascending(
        read_file(&folder.join(&named.file), &key, &times.mapping())?,
        &named.file,
    )?;
    let usual = if key.day_boundary == DayBoundary::UtcMidnight {
        Closes::Length
    } else {
        Closes::Calendar
    };
    let known = match times.closes.unwrap_or(usual) {
        Closes::Length => nominal(&raw, named.timeframe),
        Closes::Calendar => close_times_of(&raw, &key)?,
    };
    Ok(raw.with_close_times(known))
}

/// The bars of each symbol, in the order given: each series once, and every symbol in all of these
/// timeframes.
///
/// # Errors
/// A series is given twice or is missing, or its file cannot be read.
pub(crate) fn read_symbols(
    files: &[NamedFile],
    timeframes: &[Timeframe],
    times: &TimeArgs,
    folder: &Path,
) -> Result<Vec<(String, SymbolBars)>, Failure> {
    let mut symbols = Vec::new();
    // All of them are told apart before the first one is read: a missing file is known at once.
    for group in by_symbol(files, timeframes)? {
        let symbol = group
            .first()
            .map(|file| file.symbol.symbol())
            .unwrap_or_default();
        let read = group
            .iter()
            .map(|file| Ok((file.timeframe, read_series(file, times, folder)?)));
        symbols.push((symbol, read.collect::<Result<SymbolBars, Failure>>()?));
    }
    Ok(symbols)
}

fn by_symbol<'a>(
    files: &'a [NamedFile],
    timeframes: &[Timeframe],
) -> Result<Vec<Vec<&'a NamedFile>>, Failure> {
    let mut symbols: Vec<Vec<&NamedFile>> = Vec::new();
    for file in files {
        let group = symbols
            .iter_mut()
            .find(|group| group.iter().any(|other| other.symbol == file.symbol));
        match group {
            Some(group) if group.iter().any(|other| other.timeframe == file.timeframe) => {
                let (symbol, timeframe) = (file.symbol.symbol(), file.timeframe);
                let message = format!("--bars {symbol}:{timeframe} is given twice");
                return Err(Failure::new(Exit::Usage, codes::DATA_TWICE, message)
                    .with_hint("give one file a series"));
            }
            Some(group) => group.push(file),
            None => symbols.push(vec![file]),
        }
    }
    for group in &symbols {
        let has = |timeframe: &&Timeframe| group.iter().any(|file| file.timeframe == **timeframe);
        if let (Some(first), Some(missing)) = (
            group.first(),
            timeframes.iter().find(|timeframe| !has(timeframe)),
        ) {
            let symbol = first.symbol.symbol();
            let message = format!("the strategy needs {missing} bars of {symbol}");
            return Err(Failure::new(Exit::Usage, codes::DATA_MISSING, message)
                .with_hint(format!("add --bars {symbol}:{missing}=FILE")));
        }
    }
    Ok(symbols)
}

fn nominal(bars: &RawBars, timeframe: Timeframe) -> Vec<Utc> {
    bars.open_time
        .iter()
        .map(|open| open.plus_micros(timeframe.micros()))
        .collect()
}

/// Bars of which only order and prices matter; symbol and timeframe come from the flags, the name
/// of the file, or its times. Each counts as known one timeframe after its start.
///
/// # Errors
/// The file cannot be read, or its times do not ascend.
pub(crate) fn read_any(
    file: &Path,
    symbol: Option<&Instrument>,
    timeframe: Option<Timeframe>,
    times: &TimeArgs,
    folder: &Path,
) -> Result<Bars, Failure> {
    let (path, mapping) = (folder.join(file), times.mapping());
    let (named_symbol, named_timeframe) = parse_file_name(file);
    let found = detect(&path, &mapping)?
        .timeframe
        .and_then(|text| text.parse().ok());
    let timeframe = timeframe
        .or(named_timeframe)
        .or(found)
        .unwrap_or(Timeframe::Hour1);
    // The symbol decides only whether a volume of 0 can be meant; without one it is taken as it is
    // written.
    let unnamed = || {
        Instrument::parse("stk:UNNAMED")
            .map_err(|error| Failure::of(Exit::Usage, codes::DATA_UNNAMED, &error))
    };
    let instrument = symbol.cloned().or(named_symbol).map_or_else(unnamed, Ok)?;
    let expected = Expected {
        instrument,
        timeframe,
        day_boundary: DayBoundary::UtcMidnight,
    };
    let raw = ascending(read_path(&path, &mapping, &expected)?, file)?;
    let known = nominal(&raw, timeframe);
    Ok(raw.with_close_times(known))
}

fn ascending(read: FileBars, file: &Path) -> Result<RawBars, Failure> {
    let times: &[Utc] = &read.bars.open_time;
    let pairs = times
        .iter()
        .zip(times.iter().skip(1))
        .zip(read.lines.iter().skip(1));
    match pairs.into_iter().find(|((one, next), _)| next <= one) {
        Some(((one, next), line)) => {
            let message = format!(
                "{}, line {line}: the bar of {next} follows that of {one}",
                file.display()
            );
            Err(Failure::new(Exit::Usage, codes::DATA_ORDER, message)
                .with_hint("sort the rows by time and remove repeated ones; `ktrdr data check FILE` lists them all"))
        }
        None => Ok(read.bars),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_named_before_its_file_or_by_its_name() {
        let read = |text: &str| {
            let NamedFile {
                symbol,
                timeframe,
                file,
            } = NamedFile::parse(text)?;
            Ok::<_, String>(format!("{symbol} {timeframe} {}", file.display()))
        };
        assert_eq!(
            read("EURUSD:1h=my bars.csv").unwrap(),
            "fx:EUR.USD 1h my bars.csv"
        );
        assert_eq!(
            read("crypto:BTC/USD:4h=some=file.csv").unwrap(),
            "crypto:BTC.USD 4h some=file.csv"
        );
        assert_eq!(
            read("data/AAPL_1d.csv.gz").unwrap(),
            "stk:AAPL 1d data/AAPL_1d.csv.gz"
        );
        let wrong = [
            "EURUSD=x.csv",
            "EURUSD:1h",
            "EURUSD:1h=",
            "EURUSD:2h=x.csv",
            "?:1h=x.csv",
            "bars.csv",
        ];
        insta::assert_snapshot!(wrong.map(|text| read(text).unwrap_err()).join("\n"));
    }

    #[test]
    fn repeated_times_are_refused_with_their_line() {
        let folder = tempfile::tempdir().unwrap();
        let rows = "timestamp,open,high,low,close\n2024-01-02T10:00:00Z,1,2,1,2\n2024-01-02T10:00:00Z,1,2,1,2\n";
        std::fs::write(folder.path().join("x.csv"), rows).unwrap();
        let failure = read_any(
            Path::new("x.csv"),
            None,
            None,
            &TimeArgs::default(),
            folder.path(),
        )
        .unwrap_err();
        insta::assert_snapshot!(failure.human());
    }
}
