//! Commands that only look create nothing: an empty folder is empty afterwards, whatever they
//! answer.

use std::path::Path;

use crate::program::{root, run_in};

const OPERATION: &str = "op_dummy_20261122_075407_bf025e43";

/// Every command that reads, one line each; `BARS` is a file of bars.
const COMMANDS: &str = "
    status
    status OPERATION
    ops
    ops list --active
    ops logs OPERATION
    follow OPERATION
    workers
    workers list
    doctor
    infra check
    config show --origin
    config check
    logs
    down
    data list
    data show SPY
    data range SPY
    data gaps SPY
    data quality SPY
    data plan SPY
    data check BARS
    data export SPY --out -
    data delete SPY
    data load SPY --dry-run
    models list
    models show eurusd_rsi_macd
    models predict eurusd_rsi_macd
    store gc
    store gc --yes
    calendars list
    calendars show us_equities
    calendars show nowhere
    strategies list
    strategies show eurusd_rsi_macd
    strategies validate eurusd_rsi_macd
    strategies features eurusd_rsi_macd --bars BARS --out -
    strategies folds eurusd_rsi_macd
    strategies rules
    strategies schema
    indicators list
    indicators describe rsi
    indicators compute --bars BARS --indicator macd --out -
    train eurusd_rsi_macd --dry-run
    dummy start --dry-run
    dummy start
    cancel OPERATION
    resume OPERATION
    nonsense
    --help
";

fn names_in(folder: &Path) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name()).collect()
}

#[test]
fn commands_that_read_leave_an_empty_folder_empty() {
    let bars = root().join("tests/bars/EURUSD_1h.csv.gz");
    let folder = tempfile::tempdir().unwrap();

    for line in COMMANDS
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let line = line
            .replace("OPERATION", OPERATION)
            .replace("BARS", bars.to_str().unwrap());
        let words: Vec<&str> = line.split(' ').collect();

        let ended = run_in(folder.path(), &words);

        assert!(
            ended.exit.is_some_and(|code| code < 100),
            "{line}: {}",
            ended.err
        );
        assert_eq!(names_in(folder.path()), [""; 0], "{line}");
    }
}

#[test]
fn an_unfinished_import_creates_nothing() {
    let bars = root().join("tests/bars/IBM_1d.csv.gz");
    let folder = tempfile::tempdir().unwrap();

    let ended = run_in(folder.path(), &["data", "import", bars.to_str().unwrap()]);

    assert!(ended.err.contains("add --yes"), "{}", ended.err);
    assert_eq!(names_in(folder.path()), [""; 0]);
}
