//! What is written where: results to standard output, everything else to standard error, JSON lines
//! when asked for.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};

use console::Term;
use serde::Serialize;
use serde_json::Value;

use super::layout::{self, fitted, table_lines};
use super::table_style::Rows;
use super::{Failure, TableStyle, standard_output};
use crate::arguments::{Color, GlobalArgs};

/// Where and how a command writes.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// JSON lines on standard output, nothing for people.
    pub(crate) json: bool,
    /// Results only, without remarks and progress.
    pub(crate) quiet: bool,
    /// How lines look on this terminal.
    pub(crate) style: Style,
    /// Live progress lines may be drawn: standard error is a terminal.
    pub(crate) live: bool,
    /// Values for programs are kept for a table instead of being written as lines.
    pub(crate) rows: Option<Rows>,
}

/// How lines look on this terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    /// No characters beyond ASCII.
    pub(crate) ascii: bool,
    /// ANSI colours are used.
    pub(crate) color: bool,
}

/// The meaning of a word, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It went well, or is at work.
    Good,
    /// It went wrong.
    Bad,
    /// It waits, or is being stopped.
    Odd,
    /// It matters less than its neighbours.
    Dim,
}

impl Style {
    /// `text` in the colour of `tone`, if colours are used.
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

    /// One line without characters that an ASCII terminal cannot show.
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

    /// Several lines without such characters; their indentation stays.
    pub(crate) fn plain_lines(self, text: &str) -> String {
        if !self.ascii || text.is_ascii() {
            return text.to_owned();
        }

        let mut lines = Vec::new();
        for line in text.lines() {
            let indent: String = line.chars().take_while(|each| *each == ' ').collect();
            lines.push(format!("{indent}{}", self.plain(line)));
        }
        lines.join("\n")
    }
}

impl Output {
    /// Decides from the flags, the environment's locale, and whether standard error is a terminal.
    pub(crate) fn new(
        global: &GlobalArgs,
        style: TableStyle,
        environment: &BTreeMap<String, String>,
    ) -> Self {
        // What is a table for programs is made of the values for programs.
        let json = global.json || style != TableStyle::Table;
        let variable = |name: &str| environment.get(name).map(String::as_str);
        let can_draw = std::io::stderr().is_terminal() && variable("TERM") != Some("dumb");
        let color = match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => can_draw && variable("NO_COLOR").is_none_or(str::is_empty),
        };

        // The first of these variables that is set decides, as for every program.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| variable(name).filter(|value| !value.is_empty()));
        Self {
            json,
            quiet: global.quiet,
            style: Style {
                ascii: global.ascii || !locale.is_none_or(is_utf8),
                color,
            },
            live: can_draw && !json && !global.quiet,
            rows: Rows::of(style),
        }
    }

    /// Writes a line of a result, for people; nothing with `--json`.
    pub(crate) fn line(&self, text: &str) {
        if !self.json {
            standard_output::write_line(&self.style.plain_lines(text));
        }
    }

    /// Writes sentences of a result, for people: a line that is too long for the terminal goes on
    /// in the next one, indented like it, and no word is broken.
    pub(crate) fn sentence(&self, text: &str) {
        for line in fitted(text, terminal_columns()) {
            self.line(&line);
        }
    }

    /// Writes a value for programs on one line; nothing without `--json`.
    pub(crate) fn json(&self, value: &Value) {
        if let Some(rows) = &self.rows {
            rows.add(value);
        } else if self.json {
            standard_output::write_line(&value.to_string());
        }
    }

    /// Writes a remark for people on standard error; nothing with `--json` or `--quiet`. In a
    /// narrow terminal no word is broken.
    pub(crate) fn note(&self, text: &str) {
        if !self.json && !self.quiet {
            let text = fitted(text, terminal_columns()).join("\n");
            write_err(&self.style.plain_lines(&text));
        }
    }

    /// Writes how the command failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json && self.rows.is_none() {
            return standard_output::write_line(&failure.json().to_string());
        }
        self.failure_for_people(failure);
    }

    /// Writes on standard error how the command failed, also with `--json`: for when standard
    /// output cannot be written.
    pub(crate) fn failure_for_people(&self, failure: &Failure) {
        let text = fitted(&failure.human(), terminal_columns()).join("\n");
        let text = self.style.plain_lines(&text);
        match text.strip_prefix("error:") {
            Some(rest) => write_err(&format!("{}{rest}", self.style.paint(Tone::Bad, "error:"))),
            None => write_err(&text),
        }
    }

    /// Writes a table for people: each column is as wide as its widest cell, or as the terminal
    /// allows.
    pub(crate) fn table(&self, heads: &[&str], rows: &[Vec<String>]) {
        for line in table_lines(heads, rows, terminal_columns()) {
            self.line(&line);
        }
    }

    /// Writes a table whose last column is a remark: on a terminal it ends at the edge instead of
    /// in the next line.
    pub(crate) fn table_with_remarks(&self, heads: &[&str], rows: &[Vec<String>]) {
        for line in self.table_lines(heads, rows) {
            self.line(&line);
        }
    }

    /// The lines of such a table.
    pub(crate) fn table_lines(&self, heads: &[&str], rows: &[Vec<String>]) -> Vec<String> {
        let width = terminal_columns();
        let lines = table_lines(heads, rows, usize::MAX);
        lines.iter().map(|line| cut_to_width(line, width)).collect()
    }
}

fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// `line` on at most `width` columns, without the words that do not fit. A line of one word is cut
/// inside of it.
fn cut_to_width(line: &str, width: usize) -> String {
    if line.char_indices().nth(width).is_none() {
        return line.to_owned();
    }
    let room = width.saturating_sub(1);
    let mut cut: String = line.chars().take(room).collect();

    let is_in_word = line.chars().nth(room).is_some_and(|next| next != ' ');
    if let Some(blank) = cut.rfind(' ').filter(|_| is_in_word) {
        cut.truncate(blank + 1);
    }
    cut.push('…');
    cut
}

/// Writes names and texts in two columns.
pub(crate) fn print_pairs(output: &Output, pairs: &[(String, String)]) {
    for line in pair_lines(pairs) {
        output.line(&line);
    }
}

/// Names and texts in two columns. A text goes on below its beginning, and no word is broken by the
/// edge of the screen.
pub(crate) fn pair_lines<Name: AsRef<str>>(pairs: &[(Name, String)]) -> Vec<String> {
    layout::pair_lines(pairs, terminal_columns())
}

/// Columns of the terminal that standard output is; without one there is no edge.
fn terminal_columns() -> usize {
    let terminal = Term::stdout();
    if terminal.is_term() {
        usize::from(terminal.size().1)
    } else {
        usize::MAX
    }
}

/// A value for programs with further fields.
pub(crate) fn extended<T: Serialize>(
    value: &T,
    fields: impl IntoIterator<Item = (&'static str, Value)>,
) -> Value {
    let mut value = serde_json::to_value(value).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        for (name, field) in fields {
            object.insert(name.to_owned(), field);
        }
    }
    value
}

fn write_err(text: &str) {
    // Nobody is left to hear of it.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
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
        assert_eq!(cut_to_width("größe", 5), "größe");
        assert_eq!(cut_to_width("größer", 5), "größ…");
        assert_eq!(cut_to_width("one größer", 9), "one …");
        assert_eq!(cut_to_width("größe two", 6), "größe…");
        assert_eq!(cut_to_width("größe  two", 9), "größe  …");
        assert_eq!(cut_to_width("x", usize::MAX), "x");
    }
}
