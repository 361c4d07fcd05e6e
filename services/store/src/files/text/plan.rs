//! How one text is read, decided once before the first row is: by `check` and `import` alike.

use jiff::tz::TimeZone;
use market::Instrument;
use serde::Serialize;

use super::super::{FileError, Mapping};
use super::columns::{ActionPositions, ColumnFinder, HeaderNames, Positions, find_actions};
use super::encoding::Encoding;
use super::frame::Frame;
use super::names::Role;
use super::numbers::NumberRules;
use super::presets::{FileFormat, Preset};
use super::rows::{Dialect, clean};
use super::rules;
use super::time::{TimeRules, read_time};

/// A decision about a file that is not the plainest one, with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// What was decided, such as `dates`.
    pub part: &'static str,
    /// What was taken, such as `dmy`.
    pub taken: String,
    /// Why it was taken.
    pub reason: String,
}

impl Choice {
    pub(super) fn new(
        part: &'static str,
        taken: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            part,
            taken: taken.into(),
            reason: reason.into(),
        }
    }
}

/// A zone that stands behind every time of a file.
#[derive(Clone, Debug)]
pub(super) struct WrittenZone {
    pub(super) name: Vec<u8>,
    /// `None` for a word that is no zone, where `--zone` says what it means.
    pub(super) zone: Option<TimeZone>,
}

/// Everything that the rows of a text are read by.
#[derive(Clone, Debug)]
pub(super) struct ReadPlan<'a> {
    pub(super) dialect: Dialect,
    /// Names of the columns; their numbers for a file without header.
    pub(super) columns: Vec<String>,
    /// The rows of the header, which may be repeated further down.
    pub(super) header_rows: Vec<&'a [u8]>,
    pub(super) positions: Positions,
    /// Columns of adjusted closes, dividends, splits and capital gains.
    pub(super) actions: ActionPositions,
    /// Columns up to the last one with a name.
    pub(super) width: usize,
    pub(super) data_text: &'a [u8],
    /// Line of the first row of data.
    pub(super) data_line: u64,
    pub(super) times: TimeRules,
    /// Zone of times that carry none, by the options or the format.
    pub(super) zone: Option<String>,
    pub(super) written_zone: Option<WrittenZone>,
    pub(super) numbers: NumberRules,
    /// Symbol of the first row, if there is a column of symbols.
    pub(super) first_symbol: Option<Vec<u8>>,
    /// Symbol in the header above the columns.
    pub(super) header_symbol: Option<String>,
    /// What is not plain about the file.
    pub(super) choices: Vec<Choice>,
}

/// Decides how `text` is read.
///
/// # Errors
/// There is no table of bars in it, a column is absent, or something can be read in two ways.
pub(super) fn decide<'a>(
    file: &str,
    text: &'a [u8],
    encoding: Encoding,
    mapping: &Mapping,
    instrument: Option<&Instrument>,
) -> Result<ReadPlan<'a>, FileError> {
    let mut times = rules::stated_times(file, mapping)?;
    let frame = Frame::find(file, text, mapping, &times)?;
    let header = HeaderNames::read(file, &frame, instrument)?;
    let preset = find_preset(&frame, &header, mapping);
    let mut choices = describe_frame(&frame, encoding, mapping, preset);

    // The order of dates is needed to see times, and the columns to see dates.
    if times.order.is_none() {
        times.order = preset.and_then(|preset| preset.dates);
    }
    let finder = ColumnFinder::new(file, &frame, &header, mapping, &times, preset);
    let positions = finder.find()?;
    rules::check_order_of_prices(file, &frame, &positions, mapping)?;

    choices.extend(rules::complete_times(&mut times, file, &frame, &positions)?);
    let numbers = rules::numbers(file, &frame, &positions, mapping, preset, &mut choices)?;
    choices.extend(describe_columns(&header, &positions));
    let columns = column_names(&header, &frame);

    Ok(ReadPlan {
        dialect: frame.dialect,
        width: width_of(&columns, &positions),
        columns,
        actions: find_actions(&header.plain, &positions),
        header_rows: frame.header_rows(),
        written_zone: written_zone(file, &frame, &positions, &times, mapping)?,
        first_symbol: first_symbol(&frame, &positions),
        header_symbol: header.symbol,
        data_text: frame.data_text,
        data_line: frame.data_line,
        positions,
        times,
        zone: find_zone(mapping, preset),
        numbers,
        choices,
    })
}

/// The format that was named, or the one that the header or the rows show.
fn find_preset(
    frame: &Frame<'_>,
    header: &HeaderNames,
    mapping: &Mapping,
) -> Option<&'static Preset> {
    match mapping.format {
        Some(format) => Some(format.preset()),
        None => Preset::of_header(&header.plain).or_else(|| rules::headerless_format(frame)),
    }
}

/// The zone that was named, or the one of the format.
fn find_zone(mapping: &Mapping, preset: Option<&'static Preset>) -> Option<String> {
    let preset_zone = preset.and_then(|preset| preset.zone).map(str::to_owned);
    mapping.zone.clone().or(preset_zone)
}

/// The names of all columns, or their numbers.
fn column_names(header: &HeaderNames, frame: &Frame<'_>) -> Vec<String> {
    if !header.names.is_empty() {
        return header.names.clone();
    }
    let first = frame.data.first();
    let width = first.map_or(0, |row| row.cells.len());
    (1..=width).map(|number| number.to_string()).collect()
}

/// Columns without those at the end that have neither name nor role.
fn width_of(columns: &[String], positions: &Positions) -> usize {
    let last_name = columns.iter().rposition(|name| !name.trim().is_empty());
    let last_role = positions
        .roles()
        .into_iter()
        .map(|(column, _)| column)
        .max();
    last_name.max(last_role).map_or(0, |last| last + 1)
}

fn first_symbol(frame: &Frame<'_>, positions: &Positions) -> Option<Vec<u8>> {
    let first = frame.data.first()?;
    let cell = first.cells.get(positions.symbol?)?;
    Some(clean(cell).to_vec())
}

/// The zone behind the first time; all others have to have the same.
fn written_zone(
    file: &str,
    frame: &Frame<'_>,
    positions: &Positions,
    times: &TimeRules,
    mapping: &Mapping,
) -> Result<Option<WrittenZone>, FileError> {
    let first = frame.data.first();
    let cell = first.and_then(|row| row.cells.get(positions.time));
    let time = cell.and_then(|cell| read_time(cell, times));
    let Some(name) = time.and_then(|time| time.zone) else {
        return Ok(None);
    };

    // `EST` may be five hours behind UTC all year, or the clock of New York.
    let text = String::from_utf8_lossy(name);
    let zone = if rules::is_zone_name(&text) {
        TimeZone::get(&text).ok()
    } else {
        None
    };
    if zone.is_none() && mapping.zone.is_none() {
        return Err(FileError::ZoneWord {
            file: file.to_owned(),
            line: first.map_or(1, |row| row.row.line),
            zone: text.into_owned(),
        });
    }
    Ok(Some(WrittenZone {
        name: name.to_vec(),
        zone,
    }))
}

/// What is not plain about the text as a whole.
fn describe_frame(
    frame: &Frame<'_>,
    encoding: Encoding,
    mapping: &Mapping,
    preset: Option<&'static Preset>,
) -> Vec<Choice> {
    let mut choices = Vec::new();
    if encoding != Encoding::Utf8 {
        choices.push(Choice::new("encoding", encoding.as_str(), "by its bytes"));
    }
    if let Some(preset) = preset {
        let reason = if mapping.format.is_some() {
            "it was named"
        } else if frame.header.is_empty() {
            "by the form of its rows"
        } else {
            "by its column names"
        };
        choices.push(Choice::new("format", preset.name, reason));

        // A clock that the user named is no choice of this program.
        if let Some(zone) = preset.zone.filter(|_| mapping.zone.is_none()) {
            choices.push(Choice::new("zone", zone, "the clock of that format"));
        }
    }

    if frame.header.is_empty() {
        let reason = "the first row holds a time and numbers: columns are taken by their order";
        choices.push(Choice::new("header", "none", reason));
    } else if frame.header.len() > 1 {
        let rows = format!("{} rows", frame.header.len());
        choices.push(Choice::new("header", rows, "the data starts below them"));
    }
    if frame.foreign_rows > 0 {
        let rows = format!("{} rows passed over", frame.foreign_rows);
        choices.push(Choice::new("start", rows, "they stand above the table"));
    }
    choices
}

/// Roles whose column has another name than the commonest.
fn describe_columns(header: &HeaderNames, positions: &Positions) -> Vec<Choice> {
    let mut choices = Vec::new();
    if let Some(time_of_day) = positions.time_of_day {
        let name = |column: usize| header.names.get(column).cloned();
        let date = name(positions.time).unwrap_or_else(|| (positions.time + 1).to_string());
        let clock = name(time_of_day).unwrap_or_else(|| (time_of_day + 1).to_string());
        let taken = format!("`{date}` and `{clock}` together");
        choices.push(Choice::new(
            "time",
            taken,
            "dates and times of day are two columns",
        ));
    }

    // Bars without volume look complete, until a strategy needs it.
    if positions.volume.is_none() && !header.names.is_empty() {
        let reason = "no column has a usual name for it; name one with --column volume=NAME";
        choices.push(Choice::new("volume", "none", reason));
    }
    choices
}

impl ReadPlan<'_> {
    /// The role of a column.
    pub(super) fn role_of(&self, column: usize) -> Option<Role> {
        let roles = self.positions.roles();
        let role = roles.into_iter().find(|(each, _)| *each == column);
        role.map(|(_, role)| role)
    }

    /// Divides prices by the scale of the file, in place.
    pub(super) fn price_divisor(&self) -> f64 {
        self.numbers.price_divisor
    }
}

/// The format of this name, for messages.
pub(super) fn format_name(format: FileFormat) -> &'static str {
    format.preset().name
}
