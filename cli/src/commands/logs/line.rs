//! A line of a log with the instant that it begins with, whoever wrote it: a service as text or as
//! JSON, or the NATS server.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// One line of one log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LogLine {
    /// Name of the log.
    pub(super) name: String,
    /// When it was written; that of the line before where it has none, as in a backtrace.
    pub(super) at: Option<Timestamp>,
    /// The whole line.
    pub(super) text: String,
}

impl LogLine {
    /// The line as a value for programs.
    pub(super) fn json(&self) -> Value {
        json!({"type": "log", "service": self.name, "at": self.at, "line": self.text})
    }
}

/// Splits a text into lines, each with its instant.
pub(super) fn lines_of(name: &str, text: &str, before: Option<Timestamp>) -> Vec<LogLine> {
    let mut at = before;
    let mut lines = Vec::new();
    for line in text.lines() {
        at = instant_of(line).or(at);
        lines.push(LogLine {
            name: name.to_owned(),
            at,
            text: line.to_owned(),
        });
    }
    lines
}

/// The instant at the beginning of a line.
fn instant_of(line: &str) -> Option<Timestamp> {
    if line.starts_with('{') {
        let value: Value = serde_json::from_str(line).ok()?;
        return value.get("timestamp")?.as_str()?.parse().ok();
    }
    let first = line.split_whitespace().next()?;
    first.parse().ok().or_else(|| instant_of_server(line))
}

/// `[7] 2026/11/22 07:08:39.286861 [INF] …`, in UTC, as `infra/nats/local.conf` asks for.
fn instant_of_server(line: &str) -> Option<Timestamp> {
    let mut words = line.strip_prefix('[')?.split_whitespace().skip(1);
    let date = words.next()?;
    let time = words.next()?;
    let civil = DateTime::strptime("%Y/%m/%d %H:%M:%S%.f", format!("{date} {time}")).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// The lines of several logs in the order of time; within an instant in the order of the logs.
pub(super) fn merge_by_time(mut lines: Vec<LogLine>) -> Vec<LogLine> {
    // A line without an instant begins its log, so that it goes first.
    lines.sort_by_key(|line| line.at);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_has_its_instant() {
        let expected: Timestamp = "2026-11-22T07:08:39.286861Z".parse().unwrap();

        let lines = [
            "2026-11-22T07:08:39.286861Z  INFO step{operation=op_1}: step started",
            "{\"timestamp\":\"2026-11-22T07:08:39.286861Z\",\"level\":\"INFO\"}",
            "[7] 2026/11/22 07:08:39.286861 [INF] Server is ready",
        ];

        for line in lines {
            assert_eq!(instant_of(line), Some(expected), "{line}");
        }
        assert_eq!(instant_of("   0: std::panicking"), None);
        assert_eq!(instant_of(""), None);
    }

    #[test]
    fn lines_are_merged_by_time_and_a_backtrace_stays_together() {
        let fetcher = "2026-11-22T07:00:01Z ERROR panicked\n   0: frame\n   1: frame";
        let trainer = "2026-11-22T07:00:00Z INFO one\n2026-11-22T07:00:02Z INFO two";
        let mut lines = lines_of("fetcher", fetcher, None);
        lines.extend(lines_of("trainer", trainer, None));

        let merged = merge_by_time(lines);

        let texts: Vec<&str> = merged.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "2026-11-22T07:00:00Z INFO one",
                "2026-11-22T07:00:01Z ERROR panicked",
                "   0: frame",
                "   1: frame",
                "2026-11-22T07:00:02Z INFO two",
            ]
        );
    }
}
