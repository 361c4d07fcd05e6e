//! Texts and tables on a screen of a certain width: no word is broken, and nothing is left out.

/// Blanks between two columns of a table.
const GAP: usize = 2;

/// The text in lines of at most `columns` characters, broken between words; a longer word has a
/// line to itself.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    if text.chars().count() <= columns {
        return vec![text.to_owned()];
    }

    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().map(|line| line.chars().count());
        let has_room = last.is_some_and(|length| length + 1 + word.chars().count() <= columns);
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if has_room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Each line of the text in lines of at most `columns` characters, those that go on as far to the
/// right as the line begins.
pub(super) fn fitted(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let indent: String = line.chars().take_while(|letter| *letter == ' ').collect();
        let room = columns.saturating_sub(indent.len());
        for part in wrapped(line.trim_start(), room) {
            lines.push(format!("{indent}{part}"));
        }
    }
    lines
}

/// A table of at most `columns` characters a line. Where its widest cells do not fit, texts go on
/// in the next line of their column; where not even their longest words do, each row is a list of
/// heads and texts.
pub(super) fn table_lines(heads: &[&str], rows: &[Vec<String>], columns: usize) -> Vec<String> {
    let head: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let all = || std::iter::once(&head).chain(rows);
    let Some(widths) = fitting_widths(all(), head.len(), columns) else {
        return blocks_of(heads, rows, columns);
    };

    let lines = all().flat_map(|row| row_lines(row, &widths));
    lines.collect()
}

/// How wide a column may be, and how narrow.
#[derive(Clone, Copy, Debug, Default)]
struct ColumnWidth {
    /// That of its widest cell, or less where there is no room.
    now: usize,
    /// That of its longest word.
    least: usize,
}

/// The width of each column, as near to that of its widest cell as `columns` allow; none if the
/// longest words do not fit side by side.
fn fitting_widths<'a>(
    rows: impl Iterator<Item = &'a Vec<String>>,
    count: usize,
    columns: usize,
) -> Option<Vec<usize>> {
    let mut widths = vec![ColumnWidth::default(); count];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            let words = cell.split(' ').map(|word| word.chars().count());
            width.now = width.now.max(cell.chars().count());
            width.least = width.least.max(words.max().unwrap_or(0));
        }
    }

    let gaps = GAP * count.saturating_sub(1);
    let least: usize = widths.iter().map(|width| width.least).sum();
    if least + gaps > columns {
        return None;
    }
    while widths.iter().map(|width| width.now).sum::<usize>() + gaps > columns {
        // The column that can give most gives first.
        let spare = |width: &&mut ColumnWidth| width.now - width.least;
        widths.iter_mut().max_by_key(spare)?.now -= 1;
    }
    Some(widths.iter().map(|width| width.now).collect())
}

/// One row, its longest cell in several lines.
fn row_lines(row: &[String], widths: &[usize]) -> Vec<String> {
    let cells: Vec<Vec<String>> = row
        .iter()
        .zip(widths)
        .map(|(cell, width)| wrapped(cell, *width))
        .collect();
    let count = cells.iter().map(Vec::len).max().unwrap_or(0);

    let mut lines = Vec::with_capacity(count);
    for line in 0..count {
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let part = cell.get(line).map(String::as_str).unwrap_or_default();
            text.push_str(&format!("{part:<width$}{}", " ".repeat(GAP)));
        }
        lines.push(text.trim_end().to_owned());
    }
    lines
}

/// Each row as a list, a blank line between two of them.
fn blocks_of(heads: &[&str], rows: &[Vec<String>], columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let pairs = heads.iter().zip(row);
        let pairs = pairs.filter(|(_, text)| !text.is_empty());
        let pairs: Vec<(&str, String)> = pairs.map(|(head, text)| (*head, text.clone())).collect();
        lines.extend(pair_lines(&pairs, columns));
    }
    lines
}

/// Names and texts in two columns. A text goes on below its beginning.
pub(super) fn pair_lines<Name: AsRef<str>>(
    pairs: &[(Name, String)],
    columns: usize,
) -> Vec<String> {
    let names = pairs.iter().map(|(name, _)| name.as_ref().chars().count());
    let width = names.max().unwrap_or(0);
    let room = columns.saturating_sub(width + 4);

    let mut lines = Vec::with_capacity(pairs.len());
    for (name, text) in pairs {
        let mut name = name.as_ref();
        for line in wrapped(text, room) {
            let line = format!("  {name:<width$}  {line}");
            lines.push(line.trim_end().to_owned());
            name = "";
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: usize) -> Vec<String> {
        let rows = [["a", "long cell", "1"], ["bbb", "x", "22"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        table_lines(&["ID", "STATE", "N"], &rows, columns)
    }

    #[test]
    fn a_table_is_as_wide_as_its_cells() {
        let lines = [
            "ID   STATE      N",
            "a    long cell  1",
            "bbb  x          22",
        ];
        assert_eq!(table(usize::MAX), lines);
        assert_eq!(table(18), lines);
    }

    #[test]
    fn a_cell_goes_on_in_its_column_where_a_table_is_too_wide() {
        // 3, 8 and 2 with two gaps of 2 are 17, and with 5 in the middle 14.
        let lines = [
            "ID   STATE     N",
            "a    long      1",
            "     cell",
            "bbb  x         22",
        ];
        assert_eq!(table(17), lines);

        let lines = [
            "ID   STATE  N",
            "a    long   1",
            "     cell",
            "bbb  x      22",
        ];
        assert_eq!(table(14), lines);
    }

    #[test]
    fn a_row_is_a_list_where_not_even_its_words_fit() {
        let lines = [
            "  ID     a",
            "  STATE  long",
            "         cell",
            "  N      1",
            "",
            "  ID     bbb",
            "  STATE  x",
            "  N      22",
        ];
        assert_eq!(table(13), lines);
    }

    #[test]
    fn a_long_text_is_broken_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij k", 4), ["abcdefghij", "k"]);
        assert_eq!(wrapped("  one", usize::MAX), ["  one"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(fitted("a\n  one two", 6), ["a", "  one", "  two"]);
    }
}
