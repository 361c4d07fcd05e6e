//! The calendars commands as a user meets them, in a folder without a server.

use serde_json::Value;

use crate::program::run_in;

/// Four hours on Mondays at the exchange of Tokyo, with a closed date.
const MINE: &str = r#"{
 "name": "mine",
 "description": "Mondays in Tokyo",
 "exchange_time_zone": "Asia/Tokyo",
 "sessions": {"monday": [{"open": "09:00", "close": "13:00"}]},
 "holidays": {"2024-01-08": "Coming of Age Day"}
}
"#;

/// What a run shows in a folder that holds `mine.json`.
fn screen_of(folder: &tempfile::TempDir, arguments: &str) -> String {
    let words: Vec<&str> = arguments.split(' ').collect();
    let ended = run_in(folder.path(), &words);
    let here = folder.path().display().to_string();
    let text = format!("{}{}exit {}", ended.out, ended.err, ended.exit.unwrap());
    text.replace(&here, "HERE")
}

fn folder_with_mine() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.json"), MINE).unwrap();
    folder
}

#[test]
fn sessions_are_shown_at_the_exchange_and_in_utc() {
    let folder = tempfile::tempdir().unwrap();

    let tokyo = "calendars show tse --start 2024-11-01 --end 2024-11-05";
    insta::assert_snapshot!(screen_of(&folder, tokyo));
    let globex = "calendars show cme_index --start 2024-11-27 --end 2024-11-29";
    insta::assert_snapshot!(screen_of(&folder, globex));
}

#[test]
fn programs_read_one_line_per_date() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = "calendars show lse --start 2024-12-24 --end 2024-12-25 --json";
    let ended = run_in(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
    let lines: Vec<Value> = ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();

    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["name"], "lse");
    assert_eq!(lines[1]["sessions"][0]["close"], "2024-12-24T12:30:00Z");
    assert_eq!(lines[1]["exceptions"][0]["kind"], "closes_at");
    assert_eq!(lines[2]["sessions"], Value::Array(Vec::new()));
    assert_eq!(lines[2]["exceptions"][0]["name"], "Christmas");
}

#[test]
fn a_calendar_of_ones_own_is_found_by_its_name() {
    let folder = folder_with_mine();
    let bars = "timestamp,open,high,low,close,volume\n2024-01-15T00:00:00Z,1,2,1,2,5\n";
    std::fs::write(folder.path().join("XYZ_1h.csv"), bars).unwrap();

    let screens = [
        "calendars show mine --start 2024-01-08",
        "calendars show mine.json --start 2024-01-08 --end 2024-01-15",
        "calendars add mine.json",
        "calendars add mine.json",
        "data import XYZ_1h.csv --symbol stk:XYZ --calendar mine --yes",
        "data range stk:XYZ --timeframe 1h --calendar mine",
        "data import XYZ_1h.csv --symbol stk:XYZ --calendar yours --yes",
    ]
    .map(|arguments| format!("$ ktrdr {arguments}\n{}", screen_of(&folder, arguments)));

    insta::assert_snapshot!(screens.join("\n\n"));
}

#[test]
fn a_wrong_calendar_file_is_refused_with_its_line() {
    let folder = folder_with_mine();
    let wrong = [
        MINE.replace("holidays", "holiday"),
        MINE.replace("13:00", "08:00"),
        MINE.replace("mine", "lse"),
    ];

    let screens = wrong.map(|text| {
        std::fs::write(folder.path().join("wrong.json"), text).unwrap();
        screen_of(&folder, "calendars add wrong.json")
    });
    insta::assert_snapshot!(screens.join("\n\n"));
}

#[test]
fn every_calendar_is_listed() {
    let folder = folder_with_mine();
    screen_of(&folder, "calendars add mine.json");

    let screen = screen_of(&folder, "calendars list");
    assert!(screen.contains("us_equities_extended"), "{screen}");
    assert!(
        screen.contains("Mondays in Tokyo") && screen.ends_with("exit 0"),
        "{screen}"
    );
}
