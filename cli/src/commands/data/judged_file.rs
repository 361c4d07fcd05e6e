//! A file of bars, read and judged by the same checks that the validator runs: `ktrdr data check`,
//! and the first half of an import.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use market::{Calendar, Instrument, SeriesKey, Timeframe, TimeframeUnit, Utc};
use quality::{Finding, Options, Report};
use schemas::codes;
use serde_json::json;
use store::files::{BarFile, Choice, Detected, FileBars, LabelSide, Mapping};

use crate::arguments::TextArgs;
use crate::arguments::values::{parse_instrument, parse_timeframe};
use crate::console::{Exit, Failure, Output, count_of, now, path_json, time_or_blank};
use crate::context::Context;
use crate::inputs::bar_files::{
    close_times_of, expected_of, parse_file_name, require_hours, unclear_symbol,
};
use crate::inputs::stored_series::{require_calendar, series_key, with_calendar};

/// Column of a repaired file whose values come from later bars.
pub(super) const FUTURE_COLUMN: &str = "repaired_with_future";
/// Lines of the file that a finding names.
const LINES_MAX: usize = 3;

/// A file of bars, and how to read it.
#[derive(Clone, Debug, Args)]
pub(super) struct FileArgs {
    /// File of bars: .csv, .csv.gz or .parquet; the name SYMBOL_TIMEFRAME.csv says what it holds
    pub(super) file: PathBuf,
    /// Symbol, if the name of the file does not contain it
    #[arg(long, value_parser = parse_instrument)]
    pub(super) symbol: Option<Instrument>,
    /// Length of a bar, if the name of the file does not contain it
    #[arg(long, short, value_parser = parse_timeframe)]
    pub(super) timeframe: Option<Timeframe>,
    /// IANA zone of times without a zone, as in America/New_York
    #[arg(long)]
    pub(super) zone: Option<String>,
    /// End of a bar that its time names
    #[arg(long, value_enum, default_value_t)]
    pub(super) label: LabelArg,
    /// What the file does not say itself.
    #[command(flatten)]
    pub(super) text: TextArgs,
    /// Calendar by which the bars trade, if not that of their instrument; see `ktrdr calendars
    /// list`
    #[arg(long, value_name = "NAME")]
    pub(super) calendar: Option<String>,
    /// Provider under which the bars are stored
    #[arg(long, default_value = "file")]
    pub(super) provider: String,
}

/// End of a bar that its time names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LabelArg {
    /// The start of the bar, as in this system
    #[default]
    Open,
    /// The end of the bar
    Close,
}

impl FileArgs {
    /// Length of a bar, if a flag names it.
    pub(super) const fn named_timeframe(&self) -> Option<Timeframe> {
        self.timeframe
    }

    /// Provider of the stored series.
    pub(super) fn provider(&self) -> &str {
        &self.provider
    }

    /// How the file is read.
    fn mapping(&self) -> Mapping {
        let label_side = match self.label {
            LabelArg::Open => LabelSide::Open,
            LabelArg::Close => LabelSide::Close,
        };

        Mapping {
            zone: self.zone.clone(),
            label_side,
            ..self.text.mapping()
        }
    }

    /// True if the flags or the name of the file say whose bars it holds.
    pub(super) fn names_a_symbol(&self) -> bool {
        self.symbol.is_some() || parse_file_name(&self.file).0.is_some()
    }
}

/// A file that was read and judged.
pub(super) struct JudgedFile {
    /// The series that the file holds bars of.
    pub(super) key: SeriesKey,
    /// Format, columns and times of the file.
    detected: Detected,
    /// Its rows in file order, with the line of each.
    pub(super) file: FileBars,
    /// When each of them is known.
    pub(super) known_at: Vec<Utc>,
    /// The findings about them.
    pub(super) report: Report,
}

impl JudgedFile {
    /// The file was repaired with values of later bars.
    pub(super) fn has_future_repairs(&self) -> bool {
        let mut columns = self.detected.columns.iter();
        columns.any(|column| column == FUTURE_COLUMN)
    }
}

/// `ktrdr data check`: exit code 1 if a finding is critical.
///
/// # Errors
/// The file cannot be read, or its series is unknown.
pub(super) async fn check(args: &FileArgs, context: &Context) -> Result<Exit, Failure> {
    if let Some(name) = &args.calendar {
        require_calendar(name, context).await?;
    }
    let judged = judge_file(args, &context.working_directory, now())?;

    context.output.json(&json!({
        "type": "check",
        "file": path_json(&args.file),
        "detected": judged.detected,
        "notes": judged.file.notes,
        "report": judged.report,
    }));
    show_judged(&judged, args, &context.output);

    // Warnings do not fail a check: an import takes the file as well.
    if judged.report.critical().next().is_some() {
        return Ok(Exit::Failed);
    }
    Ok(Exit::Done)
}

/// Reads and judges a file as of `now`: bars that are not complete then are findings.
///
/// # Errors
/// The file cannot be read, or its series is unknown.
pub(super) fn judge_file(
    args: &FileArgs,
    working_directory: &Path,
    now: Utc,
) -> Result<JudgedFile, Failure> {
    let path = working_directory.join(&args.file);
    let mapping = args.mapping();
    let symbol = args.symbol.clone().or(parse_file_name(&path).0);
    let bar_file = BarFile::open(&path, &mapping, symbol.as_ref())?;
    let detected = bar_file.detected();
    let key = key_of(args, &path, &detected)?;
    let mut file = bar_file.bars(&expected_of(&key))?;
    require_hours(&file.bars, &key, "--calendar always")?;

    // Whether a bar is complete is judged by its close, which follows from its series.
    let close_times = close_times_of(&file.bars, &key)?;
    let mut bars = std::mem::take(&mut file.bars).with_close_times(close_times);
    let options = Options {
        now: Some(now),
        ..Options::default()
    };
    let report = quality::check(&bars, &key, Calendar::for_key(&key), &options);
    let known_at = std::mem::take(&mut bars.close_time);
    file.bars = bars.into();
    Ok(JudgedFile {
        key,
        detected,
        file,
        known_at,
        report,
    })
}

/// The series of a file: the flags win over its name, and its name over its times.
fn key_of(args: &FileArgs, path: &Path, detected: &Detected) -> Result<SeriesKey, Failure> {
    let (named_symbol, named_timeframe) = parse_file_name(path);
    // Several days apart are a weekend or a thin market as well as bars of several days.
    let detected_timeframe = detected
        .timeframe
        .as_deref()
        .and_then(|text| text.parse::<Timeframe>().ok())
        .filter(|detected| detected.unit() != TimeframeUnit::Day || detected.count() == 1);

    // The rows show how far apart the bars are, but never whose they are.
    let instrument = args.symbol.clone().or(named_symbol).ok_or_else(|| {
        let unclear = unclear_symbol(&args.file);
        unclear.unwrap_or_else(|| unknown_part(&args.file, "symbol", "--symbol"))
    })?;
    let timeframe = args
        .timeframe
        .or(named_timeframe)
        .or(detected_timeframe)
        .ok_or_else(|| unknown_part(&args.file, "timeframe", "--timeframe"))?;
    let key = series_key(&args.provider, &instrument, timeframe)?;
    with_calendar(key, args.calendar.as_deref())
}

fn unknown_part(file: &Path, part: &str, flag: &str) -> Failure {
    let message = format!("the {part} of {} is not known", file.display());
    Failure::new(Exit::Usage, codes::DATA_UNNAMED, message).with_hint(format!(
        "name it with {flag}, or call the file SYMBOL_TIMEFRAME.csv"
    ))
}

/// Shows what the file holds, its score and its findings.
pub(super) fn show_judged(judged: &JudgedFile, args: &FileArgs, output: &Output) {
    for (name, text) in contents_of(judged, args.zone.as_deref()) {
        output.line(&format!("  {name:<9} {text}"));
    }
    show_score(judged, output);
    for note in &judged.file.notes {
        output.line(&format!("  note      {note}"));
    }
    for finding in &judged.report.findings {
        show_finding(finding, judged, output);
    }
    show_gaps(&judged.report, output);
}

/// What the file seems to hold, before anything is done with it.
fn contents_of(judged: &JudgedFile, zone: Option<&str>) -> Vec<(&'static str, String)> {
    let detected = &judged.detected;
    let delimiter = match detected.delimiter {
        Some('\t') => ", cells between tabs".to_owned(),
        Some(character) => format!(", cells between `{character}`"),
        None => String::new(),
    };

    // Instants carry their zone: one that was given applies to local times only.
    let zone_of_format = detected.choices.iter().find(|choice| choice.part == "zone");
    let zone = zone.or(zone_of_format.map(|choice| choice.taken.as_str()));
    let zone = match (zone, detected.times.as_str()) {
        (_, "instants") => "with their zone".to_owned(),
        (Some(zone), _) => format!("in {zone}"),
        (None, _) => "of the trading day".to_owned(),
    };

    let mut contents = vec![
        ("format", format!("{}{delimiter}", detected.format)),
        ("columns", describe_columns(detected)),
        ("times", format!("{} {zone}", detected.times)),
    ];
    contents.extend(detected.choices.iter().map(|choice| {
        let Choice {
            part,
            taken,
            reason,
        } = choice;
        ("read as", format!("{part} {taken}: {reason}"))
    }));
    contents.push(("series", judged.key.prefix()));
    contents
}

/// The columns in their order; a column whose name differs from what it is read as says both.
fn describe_columns(detected: &Detected) -> String {
    let roles = detected
        .roles
        .iter()
        .copied()
        .chain(std::iter::repeat(None));
    let columns = detected.columns.iter().zip(roles);
    let texts = columns.map(|(name, role)| match role {
        Some(role) if !says_role(name, role) => format!("{name} ({role})"),
        _ => name.clone(),
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// True for a name that contains its role, or one of the commonest names of a time.
fn says_role(name: &str, role: &str) -> bool {
    let lower = name.to_lowercase();
    let is_time = role == "time" && (lower.contains("date") || lower.contains("time"));
    is_time || lower.contains(role)
}

fn show_score(judged: &JudgedFile, output: &Output) {
    let report = &judged.report;
    let verdict = if report.healthy {
        "healthy"
    } else {
        "look at the findings"
    };

    // A score does not show how many bars it judges, so number and range come before it.
    output.line(&format!(
        "{} {}: {}, {} to {}",
        judged.key.instrument.symbol(),
        judged.key.timeframe,
        count_of(report.bars, "bar"),
        time_or_blank(report.first),
        time_or_blank(report.last)
    ));
    output.line(&format!(
        "score {:.1} of 100 ({verdict}); {} of {} expected bars missing in {} gaps",
        report.score.total, report.missing, report.expected, report.gap_count
    ));
}

fn show_finding(finding: &Finding, judged: &JudgedFile, output: &Output) {
    // A sample without a row is about no line of the file.
    let lines: Vec<String> = finding
        .rows
        .iter()
        .filter_map(|sample| judged.file.lines.get(sample.row?))
        .take(LINES_MAX)
        .map(|line| format!("line {line}"))
        .collect();
    let place = match lines.as_slice() {
        [] => String::new(),
        lines => format!(" ({})", lines.join(", ")),
    };

    let severity = format!("{:?}", finding.severity).to_lowercase();
    output.line(&format!("  {severity:<9} {}{place}", finding.message));
}

fn show_gaps(report: &Report, output: &Output) {
    for gap in &report.gaps {
        let count = count_of(gap.bars, "bar");
        let line = format!("  gap       {count}, {} to {}", gap.start, gap.end);
        output.line(&line);
    }

    let more = report.gap_count.saturating_sub(report.gaps.len());
    if more > 0 {
        output.line(&format!("  gap       and {more} more"));
    }
}
