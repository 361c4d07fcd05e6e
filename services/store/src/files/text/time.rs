//! The grammar of times: how one cell is read as an instant, a local time or a date. Every form
//! that states itself is read; where two readings are possible the rules of the file decide.

use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::super::DAY;
use super::super::stamp::{Stamp, StampKind, days_of};
use super::cursor::Cursor;
use super::epoch::read_number_of_time;
use super::iso::read_iso;

/// Microseconds of a second.
pub(super) const SECOND: i64 = 1_000_000;
/// Microseconds of a minute.
const MINUTE: i64 = 60 * SECOND;
/// Microseconds of an hour.
const HOUR: i64 = 60 * MINUTE;

/// Which of the three numbers of a date is the day, the month and the year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DateOrder {
    /// Day, month, year: 31/12/2024
    Dmy,
    /// Month, day, year: 12/31/2024
    Mdy,
    /// Year, month, day: 24/12/31
    Ymd,
}

impl DateOrder {
    /// The word of the option, such as `dmy`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dmy => "dmy",
            Self::Mdy => "mdy",
            Self::Ymd => "ymd",
        }
    }
}

/// How the cells of one file are read where they could be read in several ways.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct TimeRules {
    /// Order of dates that do not start with a year of four digits.
    pub(super) order: Option<DateOrder>,
    /// A format of `strftime` that every cell has, such as `%d.%m.%Y %H:%M`.
    pub(super) format: Option<String>,
    /// Microseconds of a unit of Unix time, for numbers too small to show it.
    pub(super) small_unit: Option<i64>,
}

/// A cell that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct TimeCell<'a> {
    /// The time without its zone.
    pub(in super::super) stamp: Stamp,
    /// The zone that the cell names, such as `US/Eastern` or `EST`.
    pub(in super::super) zone: Option<&'a [u8]>,
}

impl TimeCell<'_> {
    pub(super) fn plain(stamp: Stamp) -> Self {
        Self { stamp, zone: None }
    }
}

/// The three numbers of a date in the order of the cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ThreeNumbers {
    pub(super) first: i64,
    pub(super) second: i64,
    pub(super) third: i64,
    /// The third one has four digits, so that it is the year.
    pub(super) ends_in_year: bool,
}

impl ThreeNumbers {
    /// The date in this order, in days since 1970.
    pub(super) fn days(self, order: DateOrder) -> Option<i64> {
        let Self {
            first,
            second,
            third,
            ends_in_year,
        } = self;
        match order {
            DateOrder::Dmy => days_of(full_year(third, ends_in_year), second, first),
            DateOrder::Mdy => days_of(full_year(third, ends_in_year), first, second),
            DateOrder::Ymd if ends_in_year => None,
            DateOrder::Ymd => days_of(full_year(first, false), second, third),
        }
    }
}

/// A year of two digits counts from 1970 to 2069, as POSIX does it nearly.
fn full_year(year: i64, has_four_digits: bool) -> i64 {
    match year {
        _ if has_four_digits => year,
        0..70 => year + 2000,
        _ => year + 1900,
    }
}

/// The date of a cell before its order is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RawDate {
    /// Days since 1970: the cell states its order.
    Days(i64),
    /// Three numbers of which none shows that it is the year, or the year comes last.
    Numbers(ThreeNumbers),
}

/// A cell as a time; `None` if it is none, or its date has an order that the rules do not name.
pub(in super::super) fn read_time<'a>(cell: &'a [u8], rules: &TimeRules) -> Option<TimeCell<'a>> {
    if let Some(format) = &rules.format {
        return read_by_format(cell, format).map(TimeCell::plain);
    }
    if let Some(stamp) = read_iso(cell) {
        return Some(TimeCell::plain(stamp));
    }
    if let Some(stamp) = read_number_of_time(cell, rules.small_unit) {
        return Some(TimeCell::plain(stamp));
    }
    read_words(cell, rules.order)
}

/// The three numbers of a cell whose date needs an order; `None` for every other cell.
pub(super) fn unordered_date(cell: &[u8]) -> Option<ThreeNumbers> {
    let mut cursor = Cursor::new(cell);
    skip_weekday(&mut cursor);
    match read_date(&mut cursor)? {
        RawDate::Days(_) => None,
        RawDate::Numbers(numbers) => Some(numbers),
    }
}

/// True for a cell that is a time under some rules.
pub(super) fn looks_like_time(cell: &[u8], rules: &TimeRules) -> bool {
    if read_time(cell, rules).is_some() {
        return true;
    }
    let orders = [DateOrder::Dmy, DateOrder::Mdy, DateOrder::Ymd];
    let mut readings = orders
        .into_iter()
        .map(|order| read_words(cell, Some(order)));
    rules.order.is_none() && readings.any(|reading| reading.is_some())
}

/// Reads a cell by a format of `strftime`; an offset or a zone in it makes an instant.
fn read_by_format(cell: &[u8], format: &str) -> Option<Stamp> {
    let text = std::str::from_utf8(cell).ok()?;
    let parts = strtime::parse(format, text).ok()?;
    if parts.offset().is_some() || parts.iana_time_zone().is_some() {
        return Some(Stamp::instant(parts.to_timestamp().ok()?.as_microsecond()));
    }

    let date = parts.to_date().ok()?;
    let midnight = market::Utc::midnight(date).0;

    // A format without hours reads days of a market, not midnights of some clock.
    if parts.hour().is_none() {
        return Some(Stamp::date(midnight.div_euclid(DAY)));
    }
    let time = parts.to_datetime().ok()?;
    let instant = TimeZone::UTC.to_timestamp(time).ok()?;
    Some(Stamp::local(instant.as_microsecond()))
}

/// Reads a date, a time of day and a zone, of which the last two may be absent.
fn read_words(cell: &[u8], order: Option<DateOrder>) -> Option<TimeCell<'_>> {
    let mut cursor = Cursor::new(cell);
    skip_weekday(&mut cursor);
    if let Some(cell) = read_unix_date(cursor) {
        return Some(cell);
    }

    let days = match read_date(&mut cursor)? {
        RawDate::Days(days) => days,
        RawDate::Numbers(numbers) => numbers.days(order?)?,
    };
    if cursor.is_at_end() {
        return Some(TimeCell::plain(Stamp::date(days)));
    }

    // Between the two stands a blank, a T, or what else people write there.
    cursor.skip_any(b" \tTt,;:-_");
    let micros = days * DAY + read_time_of_day(&mut cursor)?;
    read_zone(cursor, micros)
}

/// `Jan  2 09:30:00 2024` and `Jan 2 09:30:00 UTC 2024`, as programs of Unix print a time.
fn read_unix_date(mut cursor: Cursor<'_>) -> Option<TimeCell<'_>> {
    let month = month_of(cursor.word())?;
    cursor.skip_any(b" ");
    let day = cursor.digits()?;
    cursor.skip_any(b" ");
    let time = read_clock(&mut cursor)?;

    cursor.skip_any(b" ");
    let zone = cursor.word();
    cursor.skip_any(b" ");
    let year = cursor.digits().filter(|digits| digits.length == 4)?;
    if !cursor.is_at_end() {
        return None;
    }

    // Only UTC is one clock for certain; any other word goes along to be judged by the plan.
    let micros = days_of(year.value, month, day.value)? * DAY + time;
    if is_utc(zone) {
        return Some(TimeCell::plain(Stamp::instant(micros)));
    }
    let zone = (!zone.is_empty()).then_some(zone);
    let stamp = Stamp::local(micros);
    Some(TimeCell { stamp, zone })
}

fn skip_weekday(cursor: &mut Cursor<'_>) {
    let mut ahead = *cursor;
    let word = ahead.word().to_ascii_lowercase();
    let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    if names.iter().any(|name| word.starts_with(name.as_bytes())) {
        ahead.skip_any(b"., ");
        *cursor = ahead;
    }
}

/// The number of a month by its first three letters.
fn month_of(word: &[u8]) -> Option<i64> {
    let names = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let start = word.get(..3)?.to_ascii_lowercase();
    let index = names.iter().position(|name| name.as_bytes() == start)?;
    Some(index as i64 + 1)
}

/// Reads the date at the start of a cell.
fn read_date(cursor: &mut Cursor<'_>) -> Option<RawDate> {
    if cursor.starts_with_letter() {
        return read_month_first(cursor);
    }
    let first = cursor.digits()?;

    // A year in front has four digits, so that the length decides between the forms.
    match first.length {
        8 => {
            let year = first.value / 10_000;
            let days = days_of(year, first.value / 100 % 100, first.value % 100)?;
            Some(RawDate::Days(days))
        }
        4 => {
            let separator = cursor.separator()?;
            let month = read_month(cursor)?;
            if cursor.separator()? != separator {
                return None;
            }
            let day = cursor.digits().filter(|digits| digits.length <= 2)?;
            Some(RawDate::Days(days_of(first.value, month, day.value)?))
        }
        1 | 2 => read_short_first(cursor, first.value),
        _ => None,
    }
}

/// A month in digits or by its name.
fn read_month(cursor: &mut Cursor<'_>) -> Option<i64> {
    if cursor.starts_with_letter() {
        return month_of(cursor.word());
    }
    let digits = cursor.digits().filter(|digits| digits.length <= 2)?;
    Some(digits.value)
}

/// The rest of a date that starts with one or two digits.
fn read_short_first(cursor: &mut Cursor<'_>, first: i64) -> Option<RawDate> {
    let separator = cursor.separator()?;
    cursor.skip_any(b" ");

    // A month by its name decides the order: 5-Jan-2024, 5 January 24.
    if cursor.starts_with_letter() {
        let month = month_of(cursor.word())?;
        cursor.skip_any(b".");
        cursor.separator()?;
        let year = cursor
            .digits()
            .filter(|digits| matches!(digits.length, 2 | 4))?;
        let year = full_year(year.value, year.length == 4);
        return Some(RawDate::Days(days_of(year, month, first)?));
    }

    let second = cursor.digits().filter(|digits| digits.length <= 2)?;
    if separator == b' ' || cursor.separator()? != separator {
        return None;
    }
    let third = cursor
        .digits()
        .filter(|digits| matches!(digits.length, 1 | 2 | 4))?;
    Some(RawDate::Numbers(ThreeNumbers {
        first,
        second: second.value,
        third: third.value,
        ends_in_year: third.length == 4,
    }))
}

/// `Jan 2, 2024`, `January 02 2024`.
fn read_month_first(cursor: &mut Cursor<'_>) -> Option<RawDate> {
    let month = month_of(cursor.word())?;
    cursor.skip_any(b". -/");
    let day = cursor.digits().filter(|digits| digits.length <= 2)?;
    cursor.skip_any(b", -/");
    let year = cursor.digits().filter(|digits| digits.length == 4)?;
    Some(RawDate::Days(days_of(year.value, month, day.value)?))
}

/// A cell that is a time of day alone, in microseconds since midnight.
pub(super) fn read_only_time_of_day(cell: &[u8]) -> Option<i64> {
    let mut cursor = Cursor::new(cell);
    let micros = read_time_of_day(&mut cursor)?;
    cursor.is_at_end().then_some(micros)
}

/// The time of day at the start of `cursor`; 24:00 is the end of the day.
fn read_time_of_day(cursor: &mut Cursor<'_>) -> Option<i64> {
    let mut ahead = *cursor;
    if let Some(clock) = read_clock(&mut ahead) {
        *cursor = ahead;
        return read_half_of_day(cursor, clock);
    }

    // Digits without colons, of which a spreadsheet may have cut the leading zero.
    let digits = cursor.digits()?;
    let value = digits.value;
    let clock = match digits.length {
        1 | 2 => clock_of(value, 0, 0)?,
        3 | 4 => clock_of(value / 100, value % 100, 0)?,
        5 | 6 => clock_of(value / 10_000, value / 100 % 100, value % 100)?,
        9 => {
            let time = value / 1_000;
            let seconds = clock_of(time / 10_000, time / 100 % 100, time % 100)?;
            seconds + value % 1_000 * 1_000
        }
        _ => return None,
    };
    let clock = clock + cursor.fraction();
    read_half_of_day(cursor, clock)
}

/// `9:30`, `09:30:00.123`.
fn read_clock(cursor: &mut Cursor<'_>) -> Option<i64> {
    let hour = cursor.digits().filter(|digits| digits.length <= 2)?;
    if !cursor.skip(b':') {
        return None;
    }
    let minute = cursor.digits().filter(|digits| digits.length == 2)?;
    let second = if cursor.skip(b':') {
        cursor.digits().filter(|digits| digits.length == 2)?.value
    } else {
        0
    };
    Some(clock_of(hour.value, minute.value, second)? + cursor.fraction())
}

pub(super) fn clock_of(hour: i64, minute: i64, second: i64) -> Option<i64> {
    let is_end_of_day = hour == 24 && minute == 0 && second == 0;
    let is_time = hour < 24 && minute < 60 && second < 60;
    (is_time || is_end_of_day).then_some(hour * HOUR + minute * MINUTE + second * SECOND)
}

/// Takes AM or PM into account if it follows.
fn read_half_of_day(cursor: &mut Cursor<'_>, clock: i64) -> Option<i64> {
    let mut ahead = *cursor;
    ahead.skip_any(b" \t");
    let mut word = ahead.word().to_ascii_lowercase();
    if ahead.skip(b'.') {
        word.extend_from_slice(&ahead.word().to_ascii_lowercase());
        ahead.skip(b'.');
    }

    let is_pm = match word.as_slice() {
        b"am" => false,
        b"pm" => true,
        _ => return Some(clock),
    };
    *cursor = ahead;
    // 12:05 AM is five past midnight.
    let hour = clock / HOUR;
    match hour {
        12 if is_pm => Some(clock),
        12 => Some(clock - 12 * HOUR),
        1..12 if is_pm => Some(clock + 12 * HOUR),
        1..12 => Some(clock),
        _ => None,
    }
}

/// What follows a time of day: nothing, UTC, an offset, or the name of a zone.
fn read_zone(mut cursor: Cursor<'_>, micros: i64) -> Option<TimeCell<'_>> {
    cursor.skip_any(b" \t");
    if cursor.is_at_end() {
        return Some(TimeCell::plain(Stamp::local(micros)));
    }
    if let Some(cell) = read_offset(cursor, micros) {
        return Some(cell);
    }

    // A bracket holds the name of a zone, as Java and RFC 9557 write it.
    let name = cursor.rest();
    let name = name.strip_prefix(b"[").unwrap_or(name);
    let name = name.strip_suffix(b"]").unwrap_or(name);
    if is_utc(name) {
        return Some(TimeCell::plain(Stamp::instant(micros)));
    }

    // `GMT+0200` is an offset with a word before it.
    let mut behind_word = cursor;
    if is_utc(behind_word.word()) {
        return read_offset(behind_word, micros);
    }

    let is_name = name.first().is_some_and(u8::is_ascii_alphabetic)
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/_-+".contains(byte));
    let stamp = Stamp::local(micros);
    is_name.then_some(TimeCell {
        stamp,
        zone: Some(name),
    })
}

fn is_utc(name: &[u8]) -> bool {
    let names = ["z", "utc", "gmt", "zulu"];
    names
        .iter()
        .any(|utc| name.eq_ignore_ascii_case(utc.as_bytes()))
}

/// `-05:00`, `+0530`, `-05`, with `Z` or a zone in brackets behind it: the offset decides.
fn read_offset(mut cursor: Cursor<'_>, micros: i64) -> Option<TimeCell<'_>> {
    let sign = match cursor.next_byte()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = cursor.digits()?;
    let hours_and_minutes = match digits.length {
        1 | 2 if cursor.skip(b':') => {
            let minutes = cursor.digits().filter(|digits| digits.length == 2)?;
            digits.value * 60 + minutes.value
        }
        1 | 2 => digits.value * 60,
        3 | 4 => digits.value / 100 * 60 + digits.value % 100,
        _ => return None,
    };

    // Java writes the zone behind the offset, as in `-05:00[America/New_York]`.
    let is_closed = match cursor.rest() {
        b"" => true,
        b"Z" | b"z" => hours_and_minutes == 0,
        rest => rest.starts_with(b"[") && rest.ends_with(b"]"),
    };
    if !is_closed || hours_and_minutes > 24 * 60 {
        return None;
    }

    let minutes = sign * hours_and_minutes;
    let stamp = Stamp {
        kind: StampKind::Instant,
        micros: micros - minutes * MINUTE,
        offset_minutes: i16::try_from(minutes).ok(),
    };
    Some(TimeCell::plain(stamp))
}
