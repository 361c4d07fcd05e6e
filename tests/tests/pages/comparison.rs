//! Compares the output that a page shows with the one that came: word for word, but for what no
//! two runs share.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

/// What differs from run to run, and the mark that replaces it. Figures of a training do not: the
/// native engine gives the same bits on every machine.
static MASKS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let masks = [
        (r"op_([a-z]+)_\d{8}_\d{6}_[0-9a-f]{8}", "op_$1_<id>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "<instant>"),
        (r"\b(in|after) \d+(\.\d+)?(ms|s)\b", "$1 <time>"),
        (r"\b(answers in) \d+(\.\d+)? ms", "$1 <time>"),
        (r"\(\d+(m \d+)?s\)", "(<time>)"),
        (r"127\.0\.0\.1:\d+", "<address>"),
        (r"\bpid \d+", "pid <pid>"),
        (r"version \d+\.\d+\.\d+", "version <version>"),
        (
            r"it was at \d+\.\d %: Working on iteration \d+/",
            "it was at <n> %: iteration <n>/",
        ),
        (r"from checkpoint: \d+", "from checkpoint: <n>"),
        (r"resumed at \d+", "resumed at <n>"),
        (r" {2,}", " "),
    ];
    masks
        .map(|(pattern, mark)| (Regex::new(pattern).unwrap(), mark))
        .into()
});

static OPERATION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"op_[a-z]+_\d{8}_\d{6}_[0-9a-f]{8}").unwrap());

fn mask(line: &str) -> String {
    let mut masked = line.trim().to_owned();
    for (pattern, mark) in MASKS.iter() {
        masked = pattern.replace_all(&masked, *mark).into_owned();
    }
    masked
}

/// Whether this run may have passed over a line: progress is drawn a few times a second, so that
/// a fast step shows none.
fn is_passing(line: &str) -> bool {
    line.starts_with('[') && !line.contains("completed")
}

/// Finds each shown line among the lines that came, in any order; returns those that are missing.
///
/// Notes which operation of this run stands for which one of the page, so that later commands of
/// the page can name it. `…` in a shown line stands for any text.
pub fn missing_lines(
    page_lines: &[String],
    came: &str,
    operations: &mut BTreeMap<String, String>,
) -> Vec<String> {
    let mut missing = Vec::new();

    for line in page_lines.iter().filter(|line| !is_passing(line)) {
        let masked = mask(line);
        let is_match = |candidate: &&str| matches_shortened(&masked, &mask(candidate));

        match came.lines().find(is_match) {
            Some(line_that_came) => note_operation(line, line_that_came, operations),
            None => missing.push(line.clone()),
        }
    }
    missing
}

/// Whether a line fits `pattern`, in which each `…` stands for any text.
fn matches_shortened(pattern: &str, line: &str) -> bool {
    let parts: Vec<&str> = pattern.split('…').collect();
    if parts.len() == 1 {
        return line == pattern;
    }
    let first = parts[0];
    let last = parts[parts.len() - 1];

    // The first part begins the line, the last one ends it, the others follow each other between.
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    for part in &parts[1..parts.len() - 1] {
        let Some(place) = rest.find(part) else {
            return false;
        };
        rest = &rest[place + part.len()..];
    }
    rest.ends_with(last)
}

fn note_operation(page_line: &str, came: &str, operations: &mut BTreeMap<String, String>) {
    if let (Some(on_page), Some(here)) = (OPERATION.find(page_line), OPERATION.find(came)) {
        operations.insert(on_page.as_str().to_owned(), here.as_str().to_owned());
    }
}

#[test]
fn only_what_differs_from_run_to_run_is_masked() {
    let mut operations = BTreeMap::new();
    let page_lines = ["Completed data op_data_20261122_075404_29d79ff9 in 0.6s".to_owned()];

    let same = "Completed data op_data_20270101_000000_00000001 in 12.1s\n";
    assert!(missing_lines(&page_lines, same, &mut operations).is_empty());
    assert_eq!(
        operations["op_data_20261122_075404_29d79ff9"],
        "op_data_20270101_000000_00000001"
    );

    let other = "Failed data op_data_20270101_000000_00000001 in 12.1s\n";
    assert_eq!(
        missing_lines(&page_lines, other, &mut operations),
        page_lines
    );
}
