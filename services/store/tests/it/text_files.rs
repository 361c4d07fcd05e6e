//! Files of bars as vendors, spreadsheets and people write them: each with the bars that it holds,
//! worked out by hand, or with the words of its refusal.

use std::path::{Path, PathBuf};

use market::{DayBoundary, Instrument, Timeframe};
use schemas::codes::Advice as _;
use store::files::{
    BarFile, ColumnNames, Expected, FileBars, FileError, FileFormat, LabelSide, Mapping, PRESETS,
};

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases")
}

/// How a file is asked for, in the words of the command line.
struct Request {
    expected: Expected,
    mapping: Mapping,
}

impl Request {
    /// Reads `AAPL 1d --zone UTC`; names of columns have no blanks here.
    fn parse(text: &str) -> Self {
        let mut words = text.split_whitespace();
        let symbol = words.next().unwrap();
        let instrument = Instrument::parse(symbol).unwrap();
        let timeframe: Timeframe = words.next().unwrap().parse().unwrap();

        let mut mapping = Mapping::default();
        while let Some(option) = words.next() {
            let value = words.next().unwrap();
            set_option(&mut mapping, option, value);
        }
        let day_boundary = if symbol.starts_with("crypto:") || symbol.starts_with("EUR") {
            DayBoundary::UtcMidnight
        } else {
            DayBoundary::SessionClose
        };
        let expected = Expected {
            instrument,
            timeframe,
            day_boundary,
        };
        Self { expected, mapping }
    }

    fn read(&self, path: &Path) -> Result<FileBars, FileError> {
        let file = BarFile::open(path, &self.mapping, Some(&self.expected.instrument))?;
        file.bars(&self.expected)
    }
}

fn set_option(mapping: &mut Mapping, option: &str, value: &str) {
    match option {
        "--zone" => mapping.zone = Some(value.to_owned()),
        "--dates" => mapping.dates = Some(value.to_owned()),
        "--label" => mapping.label_side = LabelSide::Close,
        "--decimal" => mapping.decimal = value.chars().next(),
        "--format" => mapping.format = Some(FileFormat::parse(value).unwrap()),
        "--column" => mapping.columns = columns_of(value),
        _ => panic!("unknown option {option}"),
    }
}

fn columns_of(text: &str) -> ColumnNames {
    let mut columns = ColumnNames::default();
    for pair in text.split(',') {
        let (role, name) = pair.split_once('=').unwrap();
        let column = match role {
            "time" => &mut columns.time,
            "date" => &mut columns.date,
            "close" => &mut columns.close,
            _ => panic!("unknown role {role}"),
        };
        *column = Some(name.to_owned());
    }
    columns
}

/// What differs from the expectation; `None` if nothing does.
fn differences(result: Result<FileBars, FileError>, expected: &str) -> Option<String> {
    match result {
        Err(error) => {
            let text = format!("{error}\n{}", error.hint());
            let words = expected.strip_prefix("refused: ");
            let has_all = words.is_some_and(|words| words.split("; ").all(|w| text.contains(w)));
            (!has_all).then_some(text)
        }
        Ok(file) => {
            let text = describe(&file);
            (text != normal(expected)).then_some(text)
        }
    }
}

/// `3 bars FIRST LAST CLOSE VOLUME`, with numbers as Rust prints them.
fn describe(file: &FileBars) -> String {
    let bars = &file.bars;
    let last = bars.len() - 1;
    assert_eq!(file.lines.len(), bars.len());
    format!(
        "{} bars {} {} {} {}",
        bars.len(),
        bars.open_time[0],
        bars.open_time[last],
        number(bars.close[last]),
        number(bars.volume[last])
    )
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "none".to_owned()
    } else {
        value.to_string()
    }
}

/// The expectation with its numbers in the form of [`describe`].
fn normal(expected: &str) -> String {
    let mut words: Vec<String> = expected.split_whitespace().map(str::to_owned).collect();
    for word in words.iter_mut().rev().take(2) {
        *word = number(word.parse().unwrap_or(f64::NAN));
    }
    words.join(" ")
}

#[test]
fn every_file_of_the_table_is_read_as_it_says() {
    let table = std::fs::read_to_string(cases().join("expected.txt")).unwrap();
    let lines = table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());

    let mut differing = Vec::new();
    for line in lines {
        let parts: Vec<&str> = line.split(" | ").collect();
        let [file, request, expected] = parts.as_slice() else {
            panic!("no table row: {line}");
        };
        let result = Request::parse(request).read(&cases().join(file));
        if let Some(text) = differences(result, expected) {
            differing.push(format!("{line}\n    but: {text}"));
        }
    }

    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn the_sample_of_every_format_is_read_with_its_options() {
    for preset in PRESETS {
        // The page writes options in the order of the command line.
        let words: Vec<&str> = preset.options.split_whitespace().collect();
        let value = |option: &str| {
            let position = words.iter().position(|word| *word == option)?;
            words.get(position + 1).copied()
        };
        let symbol = value("--symbol").unwrap();
        let timeframe = value("--timeframe").unwrap();
        let others = ["--zone", "--format"].map(|option| match value(option) {
            Some(value) => format!("{option} {value}"),
            None => String::new(),
        });
        let request = Request::parse(&format!("{symbol} {timeframe} {}", others.join(" ")));

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sample.csv");
        std::fs::write(&path, preset.sample).unwrap();
        let bars = request
            .read(&path)
            .unwrap_or_else(|e| panic!("{}: {e}", preset.name));
        assert_eq!(bars.bars.len(), 2, "{}", preset.name);
    }
}
