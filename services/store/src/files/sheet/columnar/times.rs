//! A column of times as stamps, of every type in which programs write times.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Float64Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use jiff::Timestamp;

use super::super::super::DAY;
use super::super::super::stamp::{Stamp, day_at_midnight};
use super::texts::{read_texts, spread};

/// Whole numbers below this have at most eight digits, as `20240102` has.
const DATE_DIGITS: i64 = 100_000_000;

/// The cells of a time column; an empty or unreadable one is `None`. `None` altogether if no time
/// can be of that type.
pub(super) fn read_stamps(column: &ArrayRef) -> Option<Vec<Option<Stamp>>> {
    let stamps = match column.data_type() {
        DataType::Timestamp(unit, zone) => {
            let micros = read_micros(column, *unit);
            let stamp_of = if zone.is_some() { instant } else { local_time };
            micros.into_iter().map(|cell| stamp_of(cell?)).collect()
        }
        DataType::Date32 => read_cells::<Date32Type>(column, |days| {
            date_or_time(i64::from(days).checked_mul(DAY)?)
        }),
        DataType::Date64 => {
            read_cells::<Date64Type>(column, |millis| date_or_time(millis.checked_mul(1_000)?))
        }

        // A category: each distinct time is read once.
        DataType::Dictionary(..) => {
            let dictionary = column.as_any_dictionary_opt()?;
            let distinct = read_stamps(dictionary.values())?;
            let rows = spread(dictionary, &distinct);
            rows.into_iter().map(Option::flatten).collect()
        }
        data_type if data_type.is_numeric() => read_unix(column)?,
        _ => {
            let texts = read_texts(column)?.into_iter();
            texts.map(|text| Stamp::parse(text?)).collect()
        }
    };
    Some(stamps)
}

/// Numbers as Unix time, or as digits that are a date; `None` for types too small to hold one.
fn read_unix(column: &ArrayRef) -> Option<Vec<Option<Stamp>>> {
    let stamps = match column.data_type() {
        DataType::Int64 => read_cells::<Int64Type>(column, whole_number),
        DataType::Int32 => read_cells::<Int32Type>(column, |cell| whole_number(cell.into())),
        DataType::UInt32 => read_cells::<UInt32Type>(column, |cell| whole_number(cell.into())),
        DataType::UInt64 => {
            read_cells::<UInt64Type>(column, |cell| whole_number(i64::try_from(cell).ok()?))
        }
        DataType::Float64 => read_cells::<Float64Type>(column, fraction),
        _ => return None,
    };
    Some(stamps)
}

fn read_cells<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    read: impl Fn(T::Native) -> Option<Stamp>,
) -> Vec<Option<Stamp>> {
    let cells = column.as_primitive::<T>().iter();
    cells.map(|cell| read(cell?)).collect()
}

/// A timestamp column in microseconds; a cell beyond their range is `None`.
fn read_micros(column: &ArrayRef, unit: TimeUnit) -> Vec<Option<i64>> {
    match unit {
        TimeUnit::Second => {
            scaled::<TimestampSecondType>(column, |time| time.checked_mul(1_000_000))
        }
        TimeUnit::Millisecond => {
            scaled::<TimestampMillisecondType>(column, |time| time.checked_mul(1_000))
        }
        TimeUnit::Microsecond => scaled::<TimestampMicrosecondType>(column, Some),
        TimeUnit::Nanosecond => {
            scaled::<TimestampNanosecondType>(column, |time| Some(time.div_euclid(1_000)))
        }
    }
}

fn scaled<T: ArrowPrimitiveType<Native = i64>>(
    column: &ArrayRef,
    scale: impl Fn(i64) -> Option<i64>,
) -> Vec<Option<i64>> {
    let cells = column.as_primitive::<T>().iter();
    cells.map(|cell| scale(cell?)).collect()
}

/// An instant of the years that a calendar has.
fn instant(micros: i64) -> Option<Stamp> {
    Timestamp::from_microsecond(micros).ok()?;
    Some(Stamp::instant(micros))
}

/// A timestamp without zone: the clock of a place that the file does not name.
fn local_time(micros: i64) -> Option<Stamp> {
    Timestamp::from_microsecond(micros).ok()?;
    Some(Stamp::local(micros))
}

/// A column of dates may hold times of day, in milliseconds.
fn date_or_time(micros: i64) -> Option<Stamp> {
    Timestamp::from_microsecond(micros).ok()?;
    Some(match day_at_midnight(micros) {
        Some(days) => Stamp::date(days),
        None => Stamp::local(micros),
    })
}

/// Unix time, unless the digits may be those of a calendar: then they mean what they mean in text.
fn whole_number(number: i64) -> Option<Stamp> {
    let is_date_length = number < DATE_DIGITS;
    let may_be_calendar = matches!(
        number,
        1_900_000_000..2_200_000_000
            | 190_000_000_000..220_000_000_000
            | 19_000_000_000_000..22_000_000_000_000
            | 19_000_000_000_000_000..22_000_000_000_000_000
    );

    if is_date_length || may_be_calendar {
        Stamp::parse(&number.to_string())
    } else {
        Stamp::unix(number)
    }
}

/// Unix time with a fraction, to the microsecond.
fn fraction(number: f64) -> Option<Stamp> {
    let micros_of_unit = match number {
        1e8..1e11 => 1e6,
        1e11..1e14 => 1e3,
        1e14..1e17 => 1.0,
        1e17..9e18 => 1e-3,
        _ => return None,
    };
    instant((number * micros_of_unit).round() as i64)
}
