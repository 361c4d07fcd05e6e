//! The sealed period from end to end: nobody reads it, one candidate is confirmed on it, and whoever
//! comes later is told.

use serde_json::Value;

use crate::program::{Ended, ktrdr_in, root, run_in_system};

const SERVICES: &str = "fetcher,validator,processor,trainer,registry";
/// A model of two epochs whose last four months are sealed.
const TRAINED: &str = "\
    ktrdr data load EURUSD --timeframe 1h --mode full --start 2014-01-01 --end 2015-12-31 \
        --quiet >load.txt 2>&1 || exit 9; \
    ktrdr train sealed.yaml --end 2015-12-31 --epochs 2 --model trend --quiet >train.txt 2>&1 \
        || exit 8;";

/// A folder with the strategy.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = root().join("strategies/catalog/eurusd_rsi_macd.yaml");
    let text = std::fs::read_to_string(text).unwrap();
    let line = "training_data:\n  sealed_from: 2015-09-01\n";
    let text = text.replacen("training_data:\n", line, 1);
    std::fs::write(folder.path().join("sealed.yaml"), text).unwrap();
    folder
}

fn run(commands: &str) -> Ended {
    let folder = folder();
    run_in_system(folder.path(), SERVICES, &format!("{TRAINED} {commands}"))
}

/// The text between two lines of a screen that `echo` has printed.
fn between<'a>(screen: &'a str, from: &str, to: &str) -> &'a str {
    let part = screen.split_once(from);
    let part = part.and_then(|(_, rest)| rest.split_once(to));
    part.unwrap_or_else(|| panic!("no {from} … {to} in\n{screen}"))
        .0
}

fn json_of(screen: &str, kind: &str) -> Value {
    let lines = screen.lines();
    let values = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut values = values.filter(|value| value["type"] == kind);
    values
        .next()
        .unwrap_or_else(|| panic!("no {kind} in\n{screen}"))
}

#[test]
fn one_candidate_is_confirmed_once_and_the_next_one_is_told() {
    let ended = run("\
        ktrdr models show trend; echo :closed; \
        ktrdr models confirm trend --json; echo :first; \
        ktrdr models confirm trend; echo :again; \
        ktrdr models show trend; echo :shown; \
        ktrdr models rerun trend --seed 7 --as other --quiet >rerun.txt 2>&1 || exit 7; \
        ktrdr models confirm other 2>&1; echo exit $?; echo :refused; \
        ktrdr models confirm other --again --quiet; echo :second; \
        ktrdr models show other --json; echo :json; \
        ktrdr models report other --out report.html >/dev/null || exit 6; \
        grep -o 'Sealed period: [^<]*' report.html");
    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    let out = &ended.out;

    let closed = between(out, "model", ":closed");
    assert!(
        closed.contains("kept from 2015-09-01T00:00:00Z on; not opened yet"),
        "{closed}"
    );
    let confirmation = json_of(out, "confirmation");
    assert_eq!(confirmation["opened"]["place"], 1);
    for part in ["validation", "test", "sealed"] {
        assert!(
            confirmation["parts"][part]["accuracy"].is_number(),
            "{part}"
        );
    }

    let again = between(out, ":first", ":again");
    assert!(
        again.contains("nothing was opened or computed again"),
        "{again}"
    );
    assert!(
        again.contains("the first candidate to be shown this period"),
        "{again}"
    );
    let heads = again
        .lines()
        .find(|line| line.contains("VALIDATION"))
        .unwrap();
    assert!(
        heads.contains("TEST") && heads.contains("SEALED"),
        "{heads}"
    );
    let date = confirmation["opened"]["at"].as_str().unwrap();
    assert!(again.contains(date), "{date} in {again}");
    let overview = between(out, ":again", ":shown");
    assert!(overview.contains("On ") && overview.contains("rows of the sealed period: accuracy"));

    let refused = between(out, ":shown", ":refused");
    let day = &date[..10];
    let words = format!("or on a part of it: trend@1 on {day}");
    assert!(
        refused.contains(&words) && refused.contains("exit 1"),
        "{refused}"
    );
    assert!(
        refused.contains("`ktrdr models confirm other@1 --again`"),
        "{refused}"
    );

    let words = format!("the 2nd candidate to be shown this period; first was trend@1 on {day}");
    let second = between(out, ":refused", ":second").replace('\n', " ");
    assert!(second.contains(&words), "{second}");
    let other = json_of(out, "model");
    assert_eq!(other["sealed"]["opened"]["earlier"][0]["model"], "trend");
    let report = out.split(":json").nth(1).unwrap();
    assert!(report.contains(&words), "{report}");
}

#[test]
fn rows_opened_without_an_outcome_are_said_and_finished() {
    let ended = run("\
        ktrdr models confirm trend --quiet; echo :first; \
        rm .ktrdr/objects/confirmations/1.outcome.json; \
        ktrdr models show trend; echo :shown; \
        ktrdr models confirm trend --quiet; echo :second; \
        ls .ktrdr/objects/confirmations");
    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    let out = &ended.out;

    assert!(between(out, ":first", ":shown").contains("opened without an outcome"));
    let first = between(out, "trend@1: opened ", ":first");
    let second = between(
        out.split_once(":shown").unwrap().1,
        "trend@1: opened ",
        ":second",
    );
    assert_eq!(first, second, "the same record and the same figures");
    assert!(out.ends_with("1.opened.json\n1.outcome.json\n"), "{out}");
}

#[test]
fn nobody_else_reads_the_sealed_rows() {
    let ended = run("\
        ktrdr models predict trend --start 2015-11-02 --end 2015-11-03 --last 1 --json; \
        ktrdr models predict trend --part later; echo :later; \
        ktrdr models predict trend --part sealed 2>&1; echo exit $?; echo :refused; \
        mv .ktrdr/objects/sealed hidden; \
        ktrdr models rerun trend --check; \
        ktrdr models rerun trend --seed 7 --quiet >rerun.txt 2>&1 || exit 7; \
        ktrdr models compare trend@1 trend@2 >compare.txt || exit 6; \
        ktrdr models report trend@2 >/dev/null || exit 5; \
        ktrdr models predict trend --part test --out predictions.csv || exit 4; \
        KTRDR_STORE=bus://registry ktrdr models show trend >show.txt || exit 3; \
        ktrdr models confirm trend@1 2>&1; echo exit $?; \
        mv hidden .ktrdr/objects/sealed; ktrdr models confirm trend@1 --quiet");
    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    let out = &ended.out;

    // A day of the sealed period.
    assert_eq!(json_of(out, "prediction")["part"], "sealed");
    let refused = between(out, ":later", ":refused");
    assert!(
        refused.contains("`ktrdr models confirm trend@1` measures"),
        "{refused}"
    );
    assert!(out.contains("trend@1: the same weights again"), "{out}");

    // The rows are gone when they are opened: the record stays, and the next attempt finishes it.
    let tail = out.split("the same weights again").nth(1).unwrap();
    assert!(tail.contains("exit 1"), "{tail}");
    assert!(
        tail.contains("the first candidate to be shown this period"),
        "{tail}"
    );
}

#[test]
fn folds_end_where_the_sealed_period_begins() {
    let folder = folder();
    let arguments = [
        "strategies",
        "folds",
        "sealed.yaml",
        "--folds",
        "4",
        "--json",
    ];
    let ended = Ended::from(ktrdr_in(folder.path(), &arguments).output().unwrap());

    let folds: Vec<Value> = ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(folds.len(), 4, "{}{}", ended.out, ended.err);
    assert_eq!(folds[3]["end"], "2015-09-01T00:00:00Z");
}
