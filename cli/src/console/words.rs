//! Small pieces of text that many commands write.

use std::path::Path;

use jiff::Timestamp;
use market::Utc;
use serde_json::Value;

/// Lines of a file that a remark names.
const LINES_MAX: usize = 3;

/// `1 bar`, `2 bars`: a count with its noun, whose plural ends in s.
pub(crate) fn count_of(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Items as people write a list in one cell of a table: `1h,4h`.
pub(crate) fn join_with_commas<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    texts.join(",")
}

/// Bytes as people count memory.
pub(crate) fn gibibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1_u32 << 30)
}

/// The time, or an empty cell.
pub(crate) fn time_or_blank(time: Option<Utc>) -> String {
    time.map(|time| time.to_string()).unwrap_or_default()
}

/// A share of a whole in percent, as in `37.8 %`.
pub(crate) fn percent_of(part: usize, whole: usize) -> String {
    format!("{:.1} %", part as f64 * 1e2 / whole.max(1) as f64)
}

/// A path for programs. Bytes that are not UTF-8 are replaced: JSON cannot hold them.
pub(crate) fn path_json(path: &Path) -> Value {
    path.to_string_lossy().into()
}

/// ` (line 3, line 5, …)`: the first of these lines of a file, or nothing where there is none.
pub(crate) fn place_of_lines(lines: &[u64]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut places: Vec<String> = lines
        .iter()
        .take(LINES_MAX)
        .map(|line| format!("line {line}"))
        .collect();
    if lines.len() > LINES_MAX {
        places.push("…".to_owned());
    }
    format!(" ({})", places.join(", "))
}

/// The present moment in the time of bars.
pub(crate) fn now() -> Utc {
    Utc::from_timestamp(Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_the_first_lines() {
        assert_eq!(place_of_lines(&[]), "");
        assert_eq!(place_of_lines(&[7]), " (line 7)");
        assert_eq!(
            place_of_lines(&[2, 3, 5, 8]),
            " (line 2, line 3, line 5, …)"
        );
    }

    #[test]
    fn a_count_has_the_number_of_its_noun() {
        assert_eq!(count_of(1, "bar"), "1 bar");
        assert_eq!(count_of(0, "bar"), "0 bars");
    }
}
