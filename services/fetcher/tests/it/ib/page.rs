//! The page `docs/providers-ib.md` says what the code does.

use std::collections::BTreeSet;

use fetcher::ib::codes::{Meaning, classify};
use fetcher::ib::request_size::{RequestSpan, timeframes};
use fetcher::ib::settings::IbSettings;

const PAGE: &str = include_str!("../../../../../docs/providers-ib.md");

/// The cells of every row of the tables under a heading, without the heads.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let section = PAGE.split("\n## ").find(|part| part.starts_with(heading));
    let lines = section.unwrap().lines();
    let rows = lines.filter(|line| line.starts_with('|')).skip(2);

    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim_matches('|');
        inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    rows.map(cells).collect()
}

#[test]
fn every_setting_is_listed_with_its_default() {
    let settings = serde_json::to_value(IbSettings::default()).unwrap();
    let settings = settings.as_object().unwrap();

    let listed: BTreeSet<(String, String)> = rows("Settings")
        .into_iter()
        .map(|row| {
            (
                row[0].replace("`fetcher.ib.", "").replace('`', ""),
                row[1].replace('`', ""),
            )
        })
        .collect();
    let existing: BTreeSet<(String, String)> = settings
        .iter()
        .map(|(key, value)| (key.clone(), value.to_string().replace('"', "")))
        .collect();

    assert_eq!(listed, existing);
}

#[test]
fn every_span_is_listed() {
    let listed: Vec<(String, String)> = rows("How much")
        .into_iter()
        .map(|row| (row[0].replace('`', ""), row[1].clone()))
        .collect();
    let existing: Vec<(String, String)> = timeframes()
        .into_iter()
        .map(|timeframe| {
            let days = RequestSpan::of(timeframe).unwrap().days;
            (timeframe.to_string(), format!("{days} days"))
        })
        .collect();

    assert_eq!(listed, existing);
}

#[test]
fn every_code_is_listed_with_what_it_means() {
    for row in rows("What the numbers") {
        let meaning = match row[2].split([':', ';']).next().unwrap() {
            "pause of 60 s" => Meaning::Pacing,
            "no bars" => Meaning::Empty,
            "permission" => Meaning::NoPermission,
            "another address" => Meaning::SessionElsewhere,
            "another login" => Meaning::SessionCompeting,
            "smaller requests" => Meaning::TooLong,
            "refused" => Meaning::BadRequest,
            "unknown" => Meaning::UnknownInstrument,
            "ambiguous" => Meaning::Ambiguous,
            "expired" => Meaning::Unavailable,
            "next client id" => Meaning::ClientIdInUse,
            "new connection" => Meaning::Connection,
            "wait" => Meaning::LinkLost,
            "asked again" => Meaning::LinkBackWithoutData,
            "goes on" => Meaning::LinkBack,
            "farm away" => Meaning::FarmBroken,
            "farm fine" => Meaning::FarmFine,
            "note" => Meaning::Advisory,
            "nothing" => Meaning::Information,
            "three attempts" => Meaning::Transient,
            other => panic!("{other}"),
        };

        for code in row[0].split(", ") {
            let code = code.parse().unwrap();
            assert_eq!(classify(code, &row[1]), meaning, "{row:?}");
        }
    }
}
