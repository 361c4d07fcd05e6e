//! Times that are one number: Unix time by its size, or the digits of a calendar time.

use super::super::DAY;
use super::super::stamp::{Stamp, days_of};
use super::time::{SECOND, clock_of};

/// Years in which digits may be a calendar time.
const YEARS: std::ops::RangeInclusive<i64> = 1900..=2100;

/// Unix time in seconds of an instant in 1897; nobody counts from 1970 for bars before it.
const EARLIEST: i64 = -2_300_000_000;

/// Reads digits as a calendar time where they are one of 1900 to 2100, else as Unix time in s, ms,
/// µs or ns by their size. The two do not overlap before the year 2030: 10 calendar digits would be
/// seconds of 2030 to 2036, and 12 digits milliseconds of 1976.
///
/// `small_unit` is the unit of numbers that are too small to show theirs, in microseconds.
pub(super) fn read_number_of_time(cell: &[u8], small_unit: Option<i64>) -> Option<Stamp> {
    let digits = cell.strip_prefix(b"-").unwrap_or(cell);
    if !digits.first()?.is_ascii_digit() {
        return None;
    }

    if let Some(number) = whole_number(digits) {
        let is_negative = digits.len() < cell.len();
        if !is_negative && let Some(stamp) = calendar_digits(number, digits.len()) {
            return Some(stamp);
        }
        let signed = if is_negative { -number } else { number };
        return unix_time(signed, small_unit);
    }
    read_fractional(cell, digits, small_unit)
}

/// A number of 1 to 18 digits, or of 19 that fit.
fn whole_number(digits: &[u8]) -> Option<i64> {
    let mut number: i64 = 0;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number
            .checked_mul(10)?
            .checked_add(i64::from(byte - b'0'))?;
    }
    Some(number)
}

/// `20240102`, `2024010209`, `202401020930`, `20240102093000` or `20240102093000123`.
fn calendar_digits(number: i64, length: usize) -> Option<Stamp> {
    let day_divisor = match length {
        8 => 1,
        10 => 100,
        12 => 10_000,
        14 => 1_000_000,
        17 => 1_000_000_000,
        _ => return None,
    };
    let date = number / day_divisor;
    let year = date / 10_000;

    // In other years the digits are rather a Unix time of the same length.
    if !YEARS.contains(&year) {
        return None;
    }
    let days = days_of(year, date / 100 % 100, date % 100)?;

    let time = number % day_divisor;
    let clock = match length {
        8 => return Some(Stamp::date(days)),
        10 => clock_of(time, 0, 0)?,
        12 => clock_of(time / 100, time % 100, 0)?,
        14 => clock_of(time / 10_000, time / 100 % 100, time % 100)?,
        _ => {
            let seconds = time / 1_000;
            let clock = clock_of(seconds / 10_000, seconds / 100 % 100, seconds % 100)?;
            clock + time % 1_000 * 1_000
        }
    };
    Some(Stamp::local(days * DAY + clock))
}

fn unix_time(number: i64, small_unit: Option<i64>) -> Option<Stamp> {
    let size = number.abs();

    // A unit that the file shows elsewhere holds for the numbers that could be of any.
    if size < 100_000_000_000
        && let Some(unit) = small_unit
    {
        let micros = number.checked_mul(unit)?;
        return (micros > EARLIEST * SECOND).then(|| Stamp::instant(micros));
    }
    if number >= 0 {
        return Stamp::unix(number);
    }
    // Seconds alone are written for the years before 1970.
    let is_plausible = number > EARLIEST && size >= 100_000_000;
    is_plausible.then(|| Stamp::instant(number * SECOND))
}

/// `1704067200.0`, `1704205800.123`, `1.7040672e+12`.
fn read_fractional(cell: &[u8], digits: &[u8], small_unit: Option<i64>) -> Option<Stamp> {
    let point = digits.iter().position(|byte| *byte == b'.');
    let whole = point.and_then(|point| digits.split_at_checked(point));

    // Decimal places are read as digits, so that a millisecond stays one.
    if let Some((whole, fraction)) = whole
        && let Some(fraction) = fraction.strip_prefix(b".")
        && fraction.iter().all(u8::is_ascii_digit)
        && digits.len() == cell.len()
    {
        let unit_of = |stamp: Stamp, number: i64| stamp.micros.checked_div(number);
        let number = whole_number(whole)?;
        let stamp = unix_time(number, small_unit)?;
        let unit = unit_of(stamp, number).unwrap_or(0);
        return Some(Stamp::instant(stamp.micros + part_of(fraction, unit)));
    }

    let value: f64 = fast_float2::parse(cell).ok()?;
    let has_exponent = cell.iter().any(|byte| matches!(byte, b'e' | b'E'));
    let fits = value.abs() < 9.0e18 && value.fract() == 0.0;
    // Exact by the test before it.
    (has_exponent && fits)
        .then(|| unix_time(value as i64, small_unit))
        .flatten()
}

/// The decimal places of a number of `unit` microseconds, in microseconds.
fn part_of(fraction: &[u8], unit: i64) -> i64 {
    let mut place = unit;
    let mut micros = 0;
    for byte in fraction {
        place /= 10;
        micros += i64::from(byte - b'0') * place;
    }
    micros
}
