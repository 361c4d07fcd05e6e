//! Files of bars: judged by the same checks that the validator runs, and imported without any
//! service.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use market::{Calendar, Instrument, SeriesKey, Timeframe, Utc};
use quality::{Options, Report};
use serde_json::json;
use store::files::{ColumnNames, Detected, FileBars, LabelSide, Mapping, detect};
use store::{Edit, RawBars};

use crate::arguments::values::{parse_instrument, parse_timeframe};
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::bar_files::{close_times_of, parse_file_name, read_file};
use crate::inputs::stored_series::{open_store, series_key};

/// What `--column` knows.
const ROLES: &str = "the roles are time, open, high, low, close and volume";

/// A file of bars, and how to read it.
#[derive(Clone, Debug, Args)]
pub(crate) struct FileArgs {
    /// .csv, .csv.gz or .parquet; SYMBOL_TIMEFRAME.csv names both
    pub(crate) file: PathBuf,
    /// Symbol, where the name of the file does not say it
    #[arg(long, value_parser = parse_instrument)]
    pub(crate) symbol: Option<Instrument>,
    /// Length of a bar, where the name of the file does not say it
    #[arg(long, short, value_parser = parse_timeframe)]
    pub(crate) timeframe: Option<Timeframe>,
    /// IANA zone of times that carry none, as in America/New_York
    #[arg(long)]
    pub(crate) zone: Option<String>,
    /// Which end of a bar its time names
    #[arg(long, value_enum, default_value_t)]
    pub(crate) label: Label,
    /// Name of a column, where it is not the usual one, as in close=px_last; for time, open, high,
    /// low, close or volume
    #[arg(long, value_name = "ROLE=NAME", value_parser = column, value_delimiter = ',')]
    pub(crate) column: Vec<(Role, String)>,
    /// Between the cells of a CSV file; without it the most frequent of , ; | and tab in the header
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<char>,
    /// Provider under which the bars are stored
    #[arg(long, default_value = "file")]
    pub(crate) provider: String,
}

/// Which end of a bar its time names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Label {
    /// Its start, as in this system
    #[default]
    Open,
    /// Its end
    Close,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// When the bar opens or closes
    Time,
    /// First price
    Open,
    /// Highest price
    High,
    /// Lowest price
    Low,
    /// Last price
    Close,
    /// Traded volume
    Volume,
}

/// `close=px_last`: a role and the name of its column.
fn column(text: &str) -> Result<(Role, String), String> {
    match text.split_once('=') {
        Some((role, name)) if !name.is_empty() => Ok((
            Role::from_str(role, true).map_err(|_| ROLES)?,
            name.to_owned(),
        )),
        _ => Err("expected ROLE=NAME, as in close=px_last".to_owned()),
    }
}

impl FileArgs {
    /// How the file is read.
    pub(crate) fn mapping(&self) -> Mapping {
        let of = |role: Role| {
            self.column
                .iter()
                .rev()
                .find(|(each, _)| *each == role)
                .map(|(_, name)| name.clone())
        };
        Mapping {
            columns: ColumnNames {
                time: of(Role::Time),
                open: of(Role::Open),
                high: of(Role::High),
                low: of(Role::Low),
                close: of(Role::Close),
                volume: of(Role::Volume),
            },
            zone: self.zone.clone(),
            label_side: if self.label == Label::Close {
                LabelSide::Close
            } else {
                LabelSide::Open
            },
            delimiter: self.delimiter,
            ..Mapping::default()
        }
    }
}

/// `ktrdr data import`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file.
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// Write the bars; without it nothing is written
    #[arg(long)]
    pub(crate) yes: bool,
    /// Write them even with critical findings
    #[arg(long, requires = "yes")]
    pub(crate) force: bool,
}

/// A file that was read and judged.
struct Judged {
    key: SeriesKey,
    detected: Detected,
    file: FileBars,
    report: Report,
}

/// `ktrdr data check`: exit code 1 when a finding is critical.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn check(args: &FileArgs, context: &Context) -> Result<Exit, Failure> {
    let judged = judge(
        args,
        &context.working_directory,
        Utc::from_timestamp(Timestamp::now()),
    )?;
    context.output.json(&json!({
        "type": "check",
        "file": args.file,
        "detected": judged.detected,
        "notes": judged.file.notes,
        "report": judged.report,
    }));
    show(&judged, args.zone.as_deref(), context);
    Ok(if judged.report.critical().next().is_some() {
        Exit::Failed
    } else {
        Exit::Done
    })
}

/// `ktrdr data import`: what would be written, and with `--yes` writes it.
///
/// # Errors
/// The file cannot be read, a finding is critical, or the store refuses.
pub(crate) async fn import(args: &ImportArgs, context: &Context) -> Result<Exit, Failure> {
    let now = Utc::from_timestamp(Timestamp::now());
    let judged = judge(&args.file, &context.working_directory, now)?;
    show(&judged, args.file.zone.as_deref(), context);
    let critical = judged.report.critical().count();
    if critical > 0 && !args.force {
        let message = format!(
            "{} has {critical} critical findings; nothing was written",
            args.file.file.display()
        );
        let hint = "correct the file, or write it all the same with --yes --force";
        return Err(Failure::new(Exit::Failed, "DATA-Critical", message).with_hint(hint));
    }
    let (bars, left_out) = storable(&judged, now)?;
    let rows = bars.len();
    if !args.yes {
        context.output.json(&json!({"type": "import", "written": false, "bars": rows, "series": judged.key.prefix()}));
        context.output.line(&format!(
            "would store {rows} bars as {}",
            judged.key.prefix()
        ));
        context
            .output
            .note("nothing was written; add --yes to write");
        return Ok(Exit::Done);
    }
    let calendar = Calendar::for_key(&judged.key).name().to_owned();
    let edit = Edit {
        bars,
        empty_intervals: Vec::new(),
        calendar,
        at: now,
    };
    let outcome = open_store(context)
        .await?
        .series()
        .commit(&judged.key, edit, None)
        .await?;
    context.output.json(&json!({
        "type": "import",
        "written": true,
        "series": judged.key.prefix(),
        "bars": rows,
        "new": outcome.new,
        "changed": outcome.changed,
        "left_out": left_out,
        "revision": outcome.snapshot.manifest.revision,
    }));
    let (new, changed, revision) = (
        outcome.new,
        outcome.changed,
        outcome.snapshot.manifest.revision,
    );
    let name = (judged.key.instrument.symbol(), judged.key.timeframe);
    context.output.line(&format!(
        "{} {}: {rows} bars, {new} new, {changed} changed, revision {revision}",
        name.0, name.1
    ));
    Ok(Exit::Done)
}

/// The bars that can be stored: with prices, and complete at `now`; and how many are not.
fn storable(judged: &Judged, now: Utc) -> Result<(RawBars, usize), Failure> {
    let raw = &judged.file.bars;
    let known = close_times_of(raw, &judged.key)?;
    let mut bars = RawBars::default();
    let complete = raw
        .iter()
        .zip(known)
        .filter(|(bar, known)| *known <= now && bar.prices.iter().all(|price| price.is_finite()));
    complete.for_each(|(bar, _)| bars.push(bar));
    let left_out = raw.len() - bars.len();
    Ok((bars.sorted(), left_out))
}

fn judge(args: &FileArgs, working_directory: &Path, now: Utc) -> Result<Judged, Failure> {
    let path = working_directory.join(&args.file);
    let (named_symbol, named_timeframe) = parse_file_name(&path);
    let unknown = |what: &str, flag: &str| {
        let message = format!("the {what} of {} is not known", args.file.display());
        Failure::new(Exit::Usage, "DATA-Unnamed", message).with_hint(format!(
            "name it with {flag}, or call the file SYMBOL_TIMEFRAME.csv"
        ))
    };
    let mapping = args.mapping();
    let detected = detect(&path, &mapping)?;
    let instrument = args
        .symbol
        .clone()
        .or(named_symbol)
        .ok_or_else(|| unknown("symbol", "--symbol"))?;
    let found = detected
        .timeframe
        .as_deref()
        .and_then(|text| text.parse().ok());
    let timeframe = args
        .timeframe
        .or(named_timeframe)
        .or(found)
        .ok_or_else(|| unknown("timeframe", "--timeframe"))?;
    let key = series_key(&args.provider, &instrument, timeframe)?;
    let file = read_file(&path, &key, &mapping)?;
    let bars = file
        .bars
        .clone()
        .with_close_times(close_times_of(&file.bars, &key)?);
    let report = quality::check(
        &bars,
        &key,
        Calendar::for_key(&key),
        &Options {
            now: Some(now),
            ..Options::default()
        },
    );
    Ok(Judged {
        key,
        detected,
        file,
        report,
    })
}

/// What the file seems to hold, before anything is made of it.
fn found(judged: &Judged, zone: Option<&str>) -> Vec<(&'static str, String)> {
    let Detected {
        format,
        delimiter,
        columns,
        times,
        ..
    } = &judged.detected;
    let between = delimiter.map(|character| match character {
        '\t' => ", cells between tabs".to_owned(),
        character => format!(", cells between `{character}`"),
    });
    let zone = match (zone, times.as_str()) {
        (_, "instants") => "with their zone".to_owned(),
        (Some(zone), _) => format!("in {zone}"),
        (None, _) => "of the trading day".to_owned(),
    };
    vec![
        ("format", format!("{format}{}", between.unwrap_or_default())),
        ("columns", columns.join(", ")),
        ("times", format!("{times} {zone}")),
        ("series", judged.key.prefix()),
    ]
}

fn show(judged: &Judged, zone: Option<&str>, context: &Context) {
    let (output, report) = (&context.output, &judged.report);
    let shown = |time: Option<Utc>| time.map(|time| time.to_string()).unwrap_or_default();
    for (name, text) in found(judged, zone) {
        output.line(&format!("  {name:<9} {text}"));
    }
    let name = format!(
        "{} {}",
        judged.key.instrument.symbol(),
        judged.key.timeframe
    );
    output.line(&format!(
        "{name}: {} bars, {} to {}",
        report.bars,
        shown(report.first),
        shown(report.last)
    ));
    let score = &report.score;
    let healthy = if report.healthy {
        "healthy"
    } else {
        "look at the findings"
    };
    output.line(&format!(
        "score {:.1} of 100 ({healthy}); {} of {} expected bars missing in {} gaps",
        score.total, report.missing, report.expected, report.gap_count
    ));
    for note in &judged.file.notes {
        output.line(&format!("  note      {note}"));
    }
    for finding in &report.findings {
        let lines: Vec<String> = finding
            .rows
            .iter()
            .filter_map(|sample| judged.file.lines.get(sample.row?))
            .take(3)
            .map(|line| format!("line {line}"))
            .collect();
        let place = if lines.is_empty() {
            String::new()
        } else {
            format!(" ({})", lines.join(", "))
        };
        let severity = format!("{:?}", finding.severity).to_lowercase();
        output.line(&format!("  {severity:<9} {}{place}", finding.message));
    }
    for gap in &report.gaps {
        output.line(&format!(
            "  gap       {} bars, {} to {}",
            gap.bars, gap.start, gap.end
        ));
    }
    let unnamed = report.gap_count.saturating_sub(report.gaps.len());
    if unnamed > 0 {
        output.line(&format!("  gap       and {unnamed} more"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_by_their_role() {
        assert_eq!(
            column("close=px last").unwrap(),
            (Role::Close, "px last".to_owned())
        );
        assert_eq!(column("adj=x").unwrap_err(), ROLES);
        assert!(column("close").is_err() && column("close=").is_err());
    }
}
