//! What is written where: results to standard output, everything else to standard error, JSON lines
//! when asked for.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};

use console::Term;
use serde::Serialize;
use serde_json::Value;

use crate::arguments::{Color, GlobalArgs};

use super::Failure;

/// Where and how a command writes.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// JSON lines on standard output, nothing for people.
    pub(crate) json: bool,
    /// Results only.
    pub(crate) quiet: bool,
    /// How lines look.
    pub(crate) style: Style,
    /// Live progress lines may be drawn: standard error is a terminal.
    pub(crate) live: bool,
}

/// How lines look on this terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    /// No symbols beyond ASCII.
    pub(crate) ascii: bool,
    /// ANSI colours.
    pub(crate) color: bool,
}

/// What a word means, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Went well.
    Good,
    /// Went wrong.
    Bad,
    /// Waits, or is being stopped.
    Odd,
    /// Matters less.
    Dim,
}

impl Style {
    /// `text` in the colour of `tone`, if colours are on.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Odd => "33",
            Tone::Dim => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// `text` without symbols that an ASCII terminal cannot show.
    pub(crate) fn plain(self, text: &str) -> String {
        if !self.ascii || text.is_ascii() {
            return text.to_owned();
        }
        let replaced = text
            .replace('…', "...")
            .replace('→', "->")
            .replace(['–', '—', '·'], "-");
        let ascii: String = replaced.chars().filter(char::is_ascii).collect();
        ascii.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Output {
    /// Decides from the flags, the environment's locale and what the standard streams are.
    pub(crate) fn new(global: &GlobalArgs, environment: &BTreeMap<String, String>) -> Self {
        let variable = |name: &str| environment.get(name);
        let terminal = std::io::stderr().is_terminal();
        let dumb = variable("TERM").is_some_and(|term| term == "dumb");
        let color = match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                terminal && !dumb && variable("NO_COLOR").is_none_or(|set| set.is_empty())
            }
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| variable(name).filter(|set| !set.is_empty()));
        let utf8 = locale.is_none_or(|name| {
            let name = name.to_ascii_lowercase();
            name.contains("utf-8") || name.contains("utf8")
        });
        Self {
            json: global.json,
            quiet: global.quiet,
            style: Style {
                ascii: global.ascii || !utf8,
                color,
            },
            live: terminal && !dumb && !global.json && !global.quiet,
        }
    }

    /// A line of a result, for people; nothing with `--json`.
    pub(crate) fn line(&self, text: &str) {
        if !self.json {
            write_out(&self.style.plain_lines(text));
        }
    }

    /// A value for programs, one line; nothing without `--json`.
    pub(crate) fn json(&self, value: &Value) {
        if self.json {
            write_out(&value.to_string());
        }
    }

    /// A remark for people on standard error; nothing with `--json` or `--quiet`.
    pub(crate) fn note(&self, text: &str) {
        if !self.json && !self.quiet {
            write_err(&self.style.plain_lines(text));
        }
    }

    /// How the command failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            return write_out(&failure.json().to_string());
        }
        let text = self.style.plain_lines(&failure.human());
        match text.strip_prefix("error:") {
            Some(rest) => write_err(&format!("{}{rest}", self.style.paint(Tone::Bad, "error:"))),
            None => write_err(&text),
        }
    }

    /// A table for people: columns as wide as their widest cell, the last one open.
    pub(crate) fn table(&self, heads: &[&str], rows: &[Vec<String>]) {
        for line in table(heads, rows) {
            self.line(&line);
        }
    }

    /// A table whose last column is a remark: on a terminal it ends at the edge instead of in the
    /// next line.
    pub(crate) fn table_with_remarks(&self, heads: &[&str], rows: &[Vec<String>]) {
        let terminal = Term::stdout();
        let width = if terminal.is_term() {
            usize::from(terminal.size().1)
        } else {
            usize::MAX
        };
        for line in table(heads, rows) {
            self.line(&cut(&line, width));
        }
    }
}

/// `line` on at most `width` columns.
fn cut(line: &str, width: usize) -> String {
    match line.char_indices().nth(width) {
        Some(_) => line
            .chars()
            .take(width.saturating_sub(1))
            .chain(['…'])
            .collect(),
        None => line.to_owned(),
    }
}

impl Style {
    /// The same for several lines; indentation stays.
    pub(crate) fn plain_lines(self, text: &str) -> String {
        if !self.ascii || text.is_ascii() {
            return text.to_owned();
        }
        let lines = text.lines().map(|line| {
            let indent: String = line.chars().take_while(|each| *each == ' ').collect();
            format!("{indent}{}", self.plain(line))
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Names and texts in two columns.
pub(crate) fn print_pairs(output: &Output, pairs: &[(String, String)]) {
    let width = pairs
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    for (name, text) in pairs {
        output.line(&format!("  {name:<width$}  {text}"));
    }
}

/// A value for programs with further fields.
pub(crate) fn extended<T: Serialize>(
    value: &T,
    fields: impl IntoIterator<Item = (&'static str, Value)>,
) -> Value {
    let mut value = serde_json::to_value(value).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.extend(
            fields
                .into_iter()
                .map(|(name, field)| (name.to_owned(), field)),
        );
    }
    value
}

/// The lines of a table.
pub(crate) fn table(heads: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let head: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let all = || std::iter::once(&head).chain(rows);
    let width = |column: usize| {
        all()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..head.len())
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let render = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all().map(render).collect()
}

/// A closed pipe is a reader that has seen enough, not an error.
fn write_out(text: &str) {
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

fn write_err(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ascii_terminal_gets_the_words_without_the_symbols() {
        let style = Style {
            ascii: true,
            color: false,
        };
        assert_eq!(
            style.plain("📊 Processing AAPL … 🖥️ GPU — 85%"),
            "Processing AAPL ... GPU - 85%"
        );
        assert_eq!(Style::default().plain("📊 x"), "📊 x");
    }

    #[test]
    fn a_line_is_cut_where_the_terminal_ends() {
        assert_eq!(
            (cut("größe", 5).as_str(), cut("größer", 5).as_str()),
            ("größe", "größ…")
        );
        assert_eq!(cut("x", usize::MAX), "x");
    }

    #[test]
    fn a_table_is_as_wide_as_its_cells() {
        let rows = vec![
            vec!["a".to_owned(), "long cell".to_owned()],
            vec!["bbb".to_owned(), "x".to_owned()],
        ];
        assert_eq!(
            table(&["ID", "STATE"], &rows),
            ["ID   STATE", "a    long cell", "bbb  x"]
        );
    }
}
