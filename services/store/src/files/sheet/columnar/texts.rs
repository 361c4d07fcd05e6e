//! Columns of text, and columns that name their cells once and point to them.

use arrow_array::cast::AsArray;
use arrow_array::{AnyDictionaryArray, Array, ArrayRef};
use arrow_schema::DataType;

use super::super::super::symbols::Symbols;
use super::numbers::add_numbers;

/// The cells of a column of text, of any of the ways in which Arrow holds it; `None` for a column
/// of something else. Bytes are text if they are UTF-8, since older programs do not say so.
pub(super) fn read_texts(column: &ArrayRef) -> Option<Vec<Option<&str>>> {
    match column.data_type() {
        DataType::Utf8 => Some(column.as_string::<i32>().iter().collect()),
        DataType::LargeUtf8 => Some(column.as_string::<i64>().iter().collect()),
        DataType::Utf8View => Some(column.as_string_view().iter().collect()),

        DataType::Binary => Some(column.as_binary::<i32>().iter().map(as_utf8).collect()),
        DataType::LargeBinary => Some(column.as_binary::<i64>().iter().map(as_utf8).collect()),
        DataType::BinaryView => Some(column.as_binary_view().iter().map(as_utf8).collect()),
        _ => None,
    }
}

fn as_utf8(cell: Option<&[u8]>) -> Option<&str> {
    cell.and_then(|bytes| str::from_utf8(bytes).ok())
}

/// The cells of a dictionary, from the values of its distinct ones; `None` for an empty cell.
pub(super) fn spread<T: Copy>(
    dictionary: &dyn AnyDictionaryArray,
    distinct: &[T],
) -> Vec<Option<T>> {
    let keys = dictionary.keys();

    // Without distinct values every cell is empty, and the keys mean nothing.
    if distinct.is_empty() || dictionary.values().is_empty() {
        return vec![None; keys.len()];
    }
    let rows = dictionary.normalized_keys().into_iter().enumerate();
    rows.map(|(row, key)| {
        let value = distinct.get(key).copied();
        value.filter(|_| !keys.is_null(row))
    })
    .collect()
}

/// Adds the cells of a column that says whose row each one is; `None` if its type cannot.
pub(super) fn add_symbols(column: &ArrayRef, symbols: &mut Symbols) -> Option<()> {
    if let Some(dictionary) = column.as_any_dictionary_opt() {
        let distinct = read_texts(dictionary.values())?;
        for text in spread(dictionary, &distinct) {
            symbols.push(text.flatten().unwrap_or_default());
        }
        return Some(());
    }
    if let Some(texts) = read_texts(column) {
        for text in texts {
            symbols.push(text.unwrap_or_default());
        }
        return Some(());
    }

    // Numbers of instruments.
    let mut numbers = Vec::new();
    add_numbers(column, &mut numbers).ok()?;
    for number in numbers {
        symbols.push(&number.to_string());
    }
    Some(())
}

/// A cell in words, for an error.
pub(super) fn describe_cell(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "an empty cell".to_owned();
    }
    let cell = column.slice(row, 1);
    let mut numbers = Vec::new();
    let number = add_numbers(&cell, &mut numbers).ok().and(numbers.first());
    if let Some(number) = number {
        return number.to_string();
    }

    let text = read_texts(&cell).and_then(|texts| texts.first().copied().flatten());
    text.unwrap_or("a cell of its dictionary").to_owned()
}
