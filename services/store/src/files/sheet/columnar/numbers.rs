//! A column of numbers as doubles, of every type in which programs write prices and volumes.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float16Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::super::super::text::parse_number;
use super::texts::{read_texts, spread};

/// Whole numbers up to this are doubles.
const EXACT_MAX: u64 = 1 << 53;

/// Powers of ten up to this exponent are doubles.
const EXACT_SCALE_MAX: i8 = 22;

/// Why a column gives no numbers.
pub(super) enum NumberProblem {
    /// No number is of that type.
    Type,
    /// A text that is no number.
    Cell {
        /// Row in this batch, from 0.
        row: usize,
        /// The text in it.
        text: String,
    },
}

/// Appends the cells of a column; an empty one is NaN.
pub(super) fn add_numbers(column: &ArrayRef, values: &mut Vec<f64>) -> Result<(), NumberProblem> {
    match column.data_type() {
        DataType::Float64 => add_cells::<Float64Type>(values, column, |cell| cell),
        DataType::Float32 => add_cells::<Float32Type>(values, column, f64::from),
        DataType::Float16 => add_cells::<Float16Type>(values, column, f64::from),

        // A column of nothing, as pandas writes one without a single volume.
        DataType::Null => values.resize(values.len() + column.len(), f64::NAN),
        DataType::Dictionary(..) => add_dictionary(values, column)?,
        data_type if data_type.is_integer() => add_whole_numbers(values, column),
        data_type if data_type.is_decimal() => add_decimals(values, column),
        _ => add_texts(values, column)?,
    }
    Ok(())
}

/// Whole numbers, exact up to 2^53.
fn add_whole_numbers(values: &mut Vec<f64>, column: &ArrayRef) {
    match column.data_type() {
        DataType::Int8 => add_cells::<Int8Type>(values, column, f64::from),
        DataType::Int16 => add_cells::<Int16Type>(values, column, f64::from),
        DataType::Int32 => add_cells::<Int32Type>(values, column, f64::from),
        DataType::UInt8 => add_cells::<UInt8Type>(values, column, f64::from),
        DataType::UInt16 => add_cells::<UInt16Type>(values, column, f64::from),
        DataType::UInt32 => add_cells::<UInt32Type>(values, column, f64::from),
        DataType::UInt64 => add_cells::<UInt64Type>(values, column, |cell| cell as f64),
        _ => add_cells::<Int64Type>(values, column, |cell| cell as f64),
    }
}

/// Decimals as the doubles nearest to them.
fn add_decimals(values: &mut Vec<f64>, column: &ArrayRef) {
    match *column.data_type() {
        DataType::Decimal32(_, scale) => {
            add_cells::<Decimal32Type>(values, column, |cell| decimal(cell.into(), scale))
        }
        DataType::Decimal64(_, scale) => {
            add_cells::<Decimal64Type>(values, column, |cell| decimal(cell.into(), scale))
        }
        DataType::Decimal128(_, scale) => {
            add_cells::<Decimal128Type>(values, column, |cell| decimal(cell, scale))
        }

        // Hardly any number needs more than 128 bits, so that the slow way over text is rare.
        DataType::Decimal256(_, scale) => {
            add_cells::<Decimal256Type>(values, column, |cell| match cell.to_i128() {
                Some(small) => decimal(small, scale),
                None => parse_decimal(&cell.to_string(), scale),
            })
        }
        _ => {}
    }
}

fn add_cells<T: ArrowPrimitiveType>(
    values: &mut Vec<f64>,
    column: &ArrayRef,
    number_of: impl Fn(T::Native) -> f64,
) {
    let array = column.as_primitive::<T>();
    if array.null_count() == 0 {
        values.extend(array.values().iter().map(|cell| number_of(*cell)));
    } else {
        values.extend(array.iter().map(|cell| cell.map_or(f64::NAN, &number_of)));
    }
}

/// `unscaled` / 10^`scale`, rounded once.
fn decimal(unscaled: i128, scale: i8) -> f64 {
    // Both exact, so that the division rounds as reading the decimal would.
    let is_exact = unscaled.unsigned_abs() <= EXACT_MAX.into();
    if is_exact && (0..=EXACT_SCALE_MAX).contains(&scale) {
        unscaled as f64 / 10_f64.powi(scale.into())
    } else {
        parse_decimal(&unscaled.to_string(), scale)
    }
}

fn parse_decimal(digits: &str, scale: i8) -> f64 {
    let exponent = -i32::from(scale);
    format!("{digits}e{exponent}").parse().unwrap_or(f64::NAN)
}

fn add_dictionary(values: &mut Vec<f64>, column: &ArrayRef) -> Result<(), NumberProblem> {
    let dictionary = column.as_any_dictionary_opt().ok_or(NumberProblem::Type)?;
    let mut distinct = Vec::new();
    add_numbers(dictionary.values(), &mut distinct)?;

    let rows = spread(dictionary, &distinct).into_iter();
    values.extend(rows.map(|cell| cell.unwrap_or(f64::NAN)));
    Ok(())
}

fn add_texts(values: &mut Vec<f64>, column: &ArrayRef) -> Result<(), NumberProblem> {
    let texts = read_texts(column).ok_or(NumberProblem::Type)?;
    for (row, text) in texts.into_iter().enumerate() {
        let text = text.unwrap_or_default().trim();
        let number = parse_number(text).ok_or_else(|| NumberProblem::Cell {
            row,
            text: text.to_owned(),
        })?;
        values.push(number);
    }
    Ok(())
}
