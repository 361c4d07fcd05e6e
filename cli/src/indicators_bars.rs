//! Bars of a file for computations without a store: every row in file order, refused where times do not ascend.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use market::{Bars, Calendar, DayBoundary, Instrument, SeriesKey, Timeframe, Utc, close_times};
use store::RawBars;
use store::files::{Expected, FileBars, LabelSide, Mapping, detect, parse_name, read_path};

use crate::exit::{Exit, Failure};

/// How the times of files are read.
#[derive(Clone, Debug, Default, Args)]
pub struct TimeArgs {
    /// IANA zone of times that carry none, as in America/New_York
    #[arg(long)]
    pub zone: Option<String>,
    /// The times name the end of each bar instead of its start
    #[arg(long)]
    pub labels_close: bool,
    /// When a bar is known; by default at the end of the session for exchanges, after its length for currencies
    #[arg(long, value_enum)]
    pub closes: Option<Closes>,
}

/// When a bar is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Closes {
    /// As in training: cut at the end of its session
    Calendar,
    /// Its length after its start
    Length,
}

impl TimeArgs {
    fn mapping(&self) -> Mapping {
        let label_side = if self.labels_close { LabelSide::Close } else { LabelSide::Open };
        Mapping { zone: self.zone.clone(), label_side, ..Mapping::default() }
    }
}

/// A series in a file, written `SYMBOL:TIMEFRAME=FILE`.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedFile {
    /// What is traded.
    pub symbol: Instrument,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// Where the bars are.
    pub file: PathBuf,
}

/// Reads `EURUSD:1h=bars.csv`.
///
/// # Errors
/// What is missing or unknown, as a sentence.
pub fn named_file(text: &str) -> Result<NamedFile, String> {
    let form = || "expected SYMBOL:TIMEFRAME=FILE, as in EURUSD:1h=bars.csv".to_owned();
    let (series, file) = text.split_once('=').filter(|(_, file)| !file.is_empty()).ok_or_else(form)?;
    let (symbol, timeframe) = series.rsplit_once(':').ok_or_else(form)?;
    let (symbol, timeframe) = (crate::data::instrument(symbol)?, crate::data::timeframe(timeframe)?);
    Ok(NamedFile { symbol, timeframe, file: file.into() })
}

/// Bars with the time at which each of them is known.
///
/// # Errors
/// The file cannot be read, its times do not ascend, or a time is none of a bar.
pub fn read_series(named: &NamedFile, times: &TimeArgs, folder: &Path) -> Result<Bars, Failure> {
    let key = SeriesKey::standard("file", named.symbol.clone(), named.timeframe)
        .map_err(|error| Failure::of(Exit::Usage, "DATA-InvalidSeries", &error).with_hint(error.hint()))?;
    let expected =
        Expected { instrument: named.symbol.clone(), timeframe: named.timeframe, day_boundary: key.day_boundary };
    let raw = ascending(read_path(&folder.join(&named.file), &times.mapping(), &expected)?, &named.file)?;
    let usual = if key.day_boundary == DayBoundary::UtcMidnight { Closes::Length } else { Closes::Calendar };
    let known = match times.closes.unwrap_or(usual) {
        Closes::Length => nominal(&raw, named.timeframe),
        Closes::Calendar => close_times(Calendar::for_key(&key), &key, &raw.open_time)
            .map_err(|error| Failure::of(Exit::Failed, "DATA-Labels", &error).with_hint(error.hint()))?,
    };
    Ok(raw.with_close_times(known))
}

fn nominal(bars: &RawBars, timeframe: Timeframe) -> Vec<Utc> {
    bars.open_time.iter().map(|open| open.plus_micros(timeframe.micros())).collect()
}

/// Bars of which only order and prices matter; symbol and timeframe come from the flags, the name of the file, or its
/// times. Each counts as known one timeframe after its start.
///
/// # Errors
/// The file cannot be read, or its times do not ascend.
pub fn read_any(
    file: &Path,
    symbol: Option<&Instrument>,
    timeframe: Option<Timeframe>,
    times: &TimeArgs,
    folder: &Path,
) -> Result<Bars, Failure> {
    let (path, mapping) = (folder.join(file), times.mapping());
    let named = file.file_name().and_then(|name| name.to_str()).and_then(parse_name);
    let (named_symbol, named_timeframe) = named.unzip();
    let found = detect(&path, &mapping)?.timeframe.and_then(|text| text.parse().ok());
    let timeframe = timeframe.or(named_timeframe).or(found).unwrap_or(Timeframe::Hour1);
    // The symbol decides only whether a volume of 0 can be meant; without one it is taken as it is written.
    let unnamed = || Instrument::parse("stk:UNNAMED").map_err(|error| Failure::of(Exit::Usage, "DATA-Unnamed", &error));
    let instrument = symbol.cloned().or(named_symbol).map_or_else(unnamed, Ok)?;
    let expected = Expected { instrument, timeframe, day_boundary: DayBoundary::UtcMidnight };
    let raw = ascending(read_path(&path, &mapping, &expected)?, file)?;
    let known = nominal(&raw, timeframe);
    Ok(raw.with_close_times(known))
}

fn ascending(read: FileBars, file: &Path) -> Result<RawBars, Failure> {
    let times: &[Utc] = &read.bars.open_time;
    let pairs = times.iter().zip(times.iter().skip(1)).zip(read.lines.iter().skip(1));
    match pairs.into_iter().find(|((one, next), _)| next <= one) {
        Some(((one, next), line)) => {
            let message = format!("{}, line {line}: the bar of {next} follows that of {one}", file.display());
            Err(Failure::new(Exit::Usage, "DATA-Order", message)
                .with_hint("sort the rows by time and remove repeated ones; `ktrdr data check FILE` lists them all"))
        }
        None => Ok(read.bars),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_named_before_its_file() {
        let named = named_file("crypto:BTC/USD:4h=some=file.csv").unwrap();
        assert_eq!((named.symbol.id().as_str(), named.timeframe), ("crypto:BTC.USD", Timeframe::Hour4));
        assert_eq!(named.file, Path::new("some=file.csv"));
        let errors = ["EURUSD=x.csv", "EURUSD:1h", "EURUSD:1h=", "EURUSD:2h=x.csv", "?:1h=x.csv"].map(named_file);
        insta::assert_snapshot!(errors.map(Result::unwrap_err).join("\n"));
    }

    #[test]
    fn repeated_times_are_refused_with_their_line() {
        let folder = tempfile::tempdir().unwrap();
        let rows = "timestamp,open,high,low,close\n2024-01-02T10:00:00Z,1,2,1,2\n2024-01-02T10:00:00Z,1,2,1,2\n";
        std::fs::write(folder.path().join("x.csv"), rows).unwrap();
        let failure = read_any(Path::new("x.csv"), None, None, &TimeArgs::default(), folder.path()).unwrap_err();
        insta::assert_snapshot!(failure.human());
    }
}
