//! Bars of any length as a user meets them: read, stored, computed on, and put together.

use std::path::Path;

use serde_json::Value;

use crate::program::{Ended, ktrdr_in, root, run_in_system};

/// A folder of its own.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file of flat bars at these times.
    fn write_bars(&self, name: &str, times: &[String]) {
        let mut text = "timestamp,open,high,low,close,volume\n".to_owned();
        for (row, time) in times.iter().enumerate() {
            text += &format!("{time},100,{}.5,99,100,{}\n", 101 + row, row + 1);
        }
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn run(&self, arguments: &str) -> Ended {
        let words: Vec<&str> = arguments.split(' ').collect();
        ktrdr_in(self.path(), &words).output().unwrap().into()
    }

    /// The line of a stored bar, as `data show` prints it.
    fn line_of(&self, series: &str, open: &str) -> String {
        let screen = self.run(&format!("data show {series} --rows 100"));
        let mut lines = screen.out.lines();
        let line = lines.find(|line| line.starts_with(open));
        line.unwrap_or_else(|| panic!("{open} is not in {}{}", screen.out, screen.err))
            .to_owned()
    }

    fn import(&self, arguments: &str) {
        let ended = self.run(&format!("data import {arguments} --yes"));
        assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    }
}

/// The half hours of New York on 2024-07-02, and on the 3rd, which closes at 13:00.
fn half_hours() -> Vec<String> {
    let of_day = |day: u8, count: u16| {
        (0..count).map(move |number| {
            let minutes = 13 * 60 + 30 + number * 30;
            format!(
                "2024-07-{day:02}T{:02}:{:02}:00Z",
                minutes / 60,
                minutes % 60
            )
        })
    };
    of_day(2, 13).chain(of_day(3, 7)).collect()
}

#[test]
fn stored_bars_are_put_together_by_session() {
    let place = Place::new();
    place.write_bars("AAPL_30m.csv", &half_hours());
    place.import("AAPL_30m.csv");

    let stored = place.run("data resample AAPL -t 30m --to 4h --yes");
    assert_eq!(stored.exit, Some(0), "{}", stored.err);
    assert!(stored.out.contains("3 bars from 20 bars"), "{}", stored.out);

    // Half hours 14 to 20 of the file, whose volumes add up to 119; known at the early close.
    let morning = place.line_of("AAPL -t 4h", "2024-07-03T13:30:00Z");
    assert!(morning.contains("119"), "{morning}");
    assert!(morning.ends_with("2024-07-03T17:00:00Z"), "{morning}");
}

#[test]
fn bars_are_put_together_on_the_clock_and_written_to_a_file() {
    let place = Place::new();
    place.write_bars("AAPL_30m.csv", &half_hours());
    place.import("AAPL_30m.csv");

    let line = "data resample AAPL -t 30m --to 4h --anchor clock --out clock.csv";
    let written = place.run(line);
    assert_eq!(written.exit, Some(0), "{}", written.err);

    // 08:00 in New York, 12:00 UTC, holds 09:30 to 12:00.
    let text = std::fs::read_to_string(place.path().join("clock.csv")).unwrap();
    let opens: Vec<&str> = text.lines().skip(1).map(|line| &line[..16]).collect();
    let times = ["02T12:00", "02T16:00", "03T12:00", "03T16:00"];
    assert_eq!(opens, times.map(|time| format!("2024-07-{time}")));
}

#[test]
fn a_bar_that_the_start_cuts_is_left_out() {
    let place = Place::new();
    place.write_bars("AAPL_30m.csv", &half_hours());
    place.import("AAPL_30m.csv");

    // 14:30 is the third half hour of the bar from 13:30; the bar from 17:30 is whole.
    let line = "data resample AAPL -t 30m --to 4h --start 2024-07-02T14:30:00Z --out cut.csv";
    let written = place.run(line);
    assert_eq!(written.exit, Some(0), "{}", written.err);
    let note = "6 30m bars left out: their 4h bar begins before --start";
    assert!(written.out.contains(note), "{}", written.out);
    let text = std::fs::read_to_string(place.path().join("cut.csv")).unwrap();
    assert!(text.lines().nth(1).unwrap().starts_with("2024-07-02T17:30"));

    // A start at the first half hour cuts nothing.
    let line = "data resample AAPL -t 30m --to 4h --start 2024-07-02T13:30:00Z";
    let whole = place.run(line);
    assert!(whole.out.contains("3 bars from 20 bars"), "{}", whole.out);
}

#[test]
fn bars_that_do_not_fit_are_not_put_together() {
    let place = Place::new();
    place.write_bars("AAPL_30m.csv", &half_hours());
    place.import("AAPL_30m.csv");

    for (target, reason) in [
        ("15m", "these are not longer"),
        ("45m", "these do not hold whole ones"),
    ] {
        let refused = place.run(&format!("data resample AAPL -t 30m --to {target}"));
        assert_eq!(refused.exit, Some(2));
        assert!(refused.err.contains(reason), "{}", refused.err);
    }
}

#[test]
fn bars_of_two_hours_are_known_two_hours_later() {
    let place = Place::new();
    let times: Vec<String> = (0..12)
        .map(|number| format!("2024-01-02T{:02}:00:00Z", number * 2))
        .collect();
    place.write_bars("x.csv", &times);
    place.import("x.csv --symbol crypto:BTCUSD --timeframe 120min");

    let line = place.line_of("crypto:BTCUSD -t H2", "2024-01-02T20:00:00Z");
    assert!(line.ends_with("2024-01-02T22:00:00Z"), "{line}");

    // As bars of an hour, each would be known before it is over.
    let refused = place.run("data check x.csv --symbol crypto:BTCUSD --timeframe 1h");
    assert!(
        refused.err.contains("bars of 2h, not 1h"),
        "{}",
        refused.err
    );
}

#[test]
fn months_are_known_at_the_close_of_their_last_session() {
    let place = Place::new();
    let firsts: Vec<String> = (1..=6).map(|month| format!("2023-{month:02}-01")).collect();
    place.write_bars("x.csv", &firsts);
    place.import("x.csv --symbol AAPL --timeframe 1M");

    // April 2023 ended on a Sunday: its last session is that of Friday the 28th.
    let april = place.line_of("AAPL -t 1mo", "2023-04-01T00:00:00Z");
    assert!(april.ends_with("2023-04-28T20:00:00Z"), "{april}");

    let computed = place.run("indicators compute --bars x.csv --indicator sma(period=2) --out -");
    assert_eq!(computed.exit, Some(0), "{}", computed.err);
}

/// Midnights of the first days of January 2024, or all hours of those for which `has_hours` holds.
fn january(days: u8, hours: u8, has_hours: impl Fn(u8) -> bool) -> Vec<String> {
    (1..=days)
        .filter(|day| has_hours(*day))
        .flat_map(|day| (0..hours).map(move |hour| format!("2024-01-{day:02}T{hour:02}:00:00Z")))
        .collect()
}

#[test]
fn hours_that_contradict_stored_days_are_warned_of() {
    let place = Place::new();
    place.write_bars("d.csv", &january(4, 1, |_| true));
    place.write_bars("h.csv", &january(4, 24, |day| day != 2));
    place.import("d.csv --symbol crypto:BTCUSD --timeframe 1d");

    // The first day begins the common time, so that three days are compared.
    let finding = "1 of 3 1d bars have no 1h bar in them";
    let imported = place.run("data import h.csv --symbol crypto:BTCUSD --timeframe 1h --yes");
    assert_eq!(imported.exit, Some(0), "{}", imported.err);
    assert!(imported.err.contains(finding), "{}", imported.err);
    assert!(!imported.err.contains("days in common"), "{}", imported.err);

    let quality = place.run("data quality crypto:BTCUSD --timeframe 1h");
    assert_eq!(quality.exit, Some(0), "{}", quality.err);
    let line = format!("high coverage: {finding}");
    assert!(quality.out.contains(&line), "{}", quality.out);
    assert!(
        quality
            .out
            .contains("medium coverage: 1h and 1d bars have 3 days in common")
    );
    std::fs::write(place.path().join("rules.toml"), "coverage_high = 0.5").unwrap();
    let lenient = place.run("data quality crypto:BTCUSD --timeframe 1h --rules rules.toml");
    let line = format!("medium coverage: {finding}");
    assert!(lenient.out.contains(&line), "{}", lenient.out);

    // Both files at once, as a command reads them that computes on several timeframes.
    let complete = january(4, 24, |_| true);
    place.write_bars("whole.csv", &complete);
    let imported = place.run("data import whole.csv --symbol crypto:BTCUSD --timeframe 1h --yes");
    assert!(!imported.err.contains("warning"), "{}", imported.err);
}

#[test]
fn a_friday_and_a_monday_are_two_days() {
    let place = Place::new();
    place.write_bars("x.csv", &["2024-01-05".to_owned(), "2024-01-08".to_owned()]);
    place.import("x.csv --symbol AAPL --timeframe daily");

    let friday = place.line_of("AAPL", "2024-01-05T00:00:00Z");
    assert!(friday.ends_with("2024-01-05T21:00:00Z"), "{friday}");

    // Without the flag nobody can say that these are not bars of three days.
    let refused = place.run("data check x.csv --symbol AAPL");
    assert!(refused.err.contains("--timeframe"), "{}", refused.err);
}

#[test]
fn a_strategy_on_days_is_trained_on_stored_hours() {
    let place = Place::new();
    let hourly = root().join("strategies/catalog/eurusd_rsi_macd.yaml");
    let daily = std::fs::read_to_string(hourly).unwrap();
    let daily = daily.replace("1h", "1d").replace("2000", "1000");
    std::fs::write(place.path().join("daily.yaml"), daily).unwrap();
    let commands = "ktrdr data load EURUSD --timeframe 1h --mode full --quiet >/dev/null; \
                    ktrdr train daily.yaml --model daily --epochs 1 2>&1; \
                    ktrdr status last --json >status.json; \
                    ktrdr models predict daily 2>&1 | tail -3; ktrdr data list";
    let services = "fetcher,validator,processor,trainer,registry";

    let ended = run_in_system(place.path(), services, commands);

    let note = "1d bars are not stored, and made of the 1h bars: EURUSD";
    assert!(ended.out.contains(note), "{}{}", ended.out, ended.err);
    assert!(
        ended.out.contains("predictions of daily@1"),
        "{}",
        ended.out
    );
    let last = ended.out.lines().last().unwrap();
    assert!(last.starts_with("EURUSD  1h"), "{}", ended.out);

    // The metrics of a training are found by its operation.
    let status = std::fs::read_to_string(place.path().join("status.json")).unwrap();
    let record: Value = serde_json::from_str(status.lines().next().unwrap()).unwrap();
    let trained = &record["steps"][3]["result"];
    let accuracy = trained["metrics"]["accuracy"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&accuracy), "{trained}");
    assert!(trained["parameters"].as_u64().unwrap() > 0, "{trained}");
}
