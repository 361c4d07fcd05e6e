//! What a user is told when the world is not as it should be: a damaged object, a full store, an
//! empty class, no trainer.
//!
//! A real system each, by `ktrdr up`. Bad words, files and strategies are in `data_train_models.rs`
//! and `offline.rs`, a missing or an old server is in `command_line.rs`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const KTRDR: &str = env!("CARGO_BIN_EXE_ktrdr");

/// One raw input over the daily bars of SPY, and which of three barriers they touch first.
const STRATEGY: &str = "name: three\nversion: \"1.0\"\n\
    training_data:\n  symbols: {mode: single, symbol: SPY}\n  timeframes: {mode: single, timeframe: \"1d\"}\n\
    indicators:\n  roc_5: {type: roc, period: 5}\n\
    fuzzy_sets: {}\n\
    nn_inputs:\n  - {raw_indicator: roc_5, timeframes: all}\n\
    model:\n  type: mlp\n  architecture: {hidden_layers: [4], activation: relu, dropout: 0.0}\n\
    decisions:\n  output_format: classification\n\
    training:\n  labels: {source: triple_barrier, pt_multiplier: 2.0, sl_multiplier: 2.0, max_holding_period: 5}\n\
    \x20 data_split: {train: 0.7, validation: 0.15, test: 0.15}\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A folder with a system that runs while a command is in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.file("three.yaml", STRATEGY);
        std::fs::create_dir(place.path("bin")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Gives this system the programs of these services.
    fn with(self, services: &[&str]) -> Self {
        let built = Path::new(KTRDR).parent().unwrap();
        for service in services {
            let program = format!("ktrdr-{service}");
            std::os::unix::fs::symlink(built.join(&program), self.path("bin").join(program))
                .unwrap();
        }
        self
    }

    /// What `ktrdr up` said, and what `commands` said inside of its system, with what differs from
    /// run to run left out.
    fn said(&self, commands: &str) -> (String, String) {
        let commands = format!("({commands}) >said 2>&1");
        let path = format!(
            "{}:{}",
            Path::new(KTRDR).parent().unwrap().display(),
            std::env::var("PATH").unwrap()
        );
        let up = Command::new(KTRDR)
            .args(["up", "--profile", "test", "--", "sh", "-c", &commands])
            .current_dir(&self.0)
            .env_clear()
            .env("PATH", path)
            .env("LANG", "C.UTF-8")
            .env("KTRDR_DEPS", root().join(".deps"))
            .env("KTRDR_BIN_DIR", self.path("bin"))
            .env("KTRDR_FETCHER_FILES", root().join("tests/bars"))
            .output()
            .unwrap();
        let said = std::fs::read_to_string(self.path("said")).unwrap_or_default();
        (String::from_utf8(up.stderr).unwrap(), said)
    }
}

/// From the error on: what came before it is progress, whose moments differ.
fn error_of(said: &str) -> &str {
    &said[said
        .find("error: ")
        .unwrap_or_else(|| panic!("no error in: {said}"))..]
}

/// Compares with a snapshot, without the names of a run.
macro_rules! assert_told {
    ($text:expr, @$expected:literal) => {
        insta::with_settings!({filters => vec![
            (r"op_([a-z]+)_\d{8}_\d{6}_[0-9a-f]{8}", "<op_$1>"),
            (r"\b[0-9a-f]{64}\b", "<sha256>"),
            (r"\b(BUY|SELL) \d+", "$1 <rows>"),
        ]}, { insta::assert_snapshot!($text, @$expected) })
    };
}

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files_under(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn a_flipped_bit_names_the_object_and_both_hashes() {
    let place = Place::new().with(&["fetcher", "validator", "processor"]);
    let (up, said) = place.said("ktrdr data load SPY --mode full");
    assert!(said.contains("Completed data"), "{up}{said}");
    let bars = files_under(&place.path(".ktrdr/objects/bars"));
    let file = bars
        .iter()
        .find(|path| path.to_str().unwrap().contains("/2014."))
        .unwrap();
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
    let (_, said) = place.said("ktrdr train three.yaml --wait-timeout 30s; echo exit $?");
    let hash = file
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .strip_prefix("2014.")
        .unwrap();
    assert!(said.contains(&format!("expected {hash}")), "{said}");
    assert_told!(error_of(&said), @"
    error: operation <op_train> failed in step fetcher (1/5)
      cause: `bars/file/stk-spy/trades-regular-split-session_close/1d/2014.<sha256>.parquet` is damaged: its SHA-256 is <sha256>, expected <sha256>
    hint: the file was changed after it was written: restore it from a backup, or delete the folder it is in (`ktrdr doctor` shows where the store is) and load the bars again with `ktrdr data load`
    exit 1
    ");
    for made in ["datasets", "artifacts", "models"] {
        assert_eq!(
            files_under(&place.path(".ktrdr/objects").join(made)),
            Vec::<PathBuf>::new(),
            "{made}"
        );
    }
    let (_, said) = place.said("ktrdr data show SPY; echo exit $?");
    assert_told!(said, @"
    error: `bars/file/stk-spy/trades-regular-split-session_close/1d/2014.<sha256>.parquet` is damaged: its SHA-256 is <sha256>, expected <sha256>
    hint: the file was changed after it was written: restore it from a backup, or delete the folder it is in (`ktrdr doctor` shows where the store is) and load the bars again with `ktrdr data load`
    exit 1
    ");
    // The hint works.
    std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
    let (_, said) = place.said("ktrdr data load SPY --mode full");
    assert!(said.contains("Completed data"), "{said}");
}

#[test]
fn a_full_store_fails_at_once_and_leaves_nothing_half_written() {
    let place = Place::new().with(&["validator"]);
    // A store whose files may have four kilobytes, as with a quota; without the trap the signal
    // would end the program.
    let limit = "trap '' XFSZ; ulimit -f 8;";
    let fetcher = Path::new(KTRDR).with_file_name("ktrdr-fetcher");
    let script = format!("#!/bin/sh\n{limit} exec '{}'\n", fetcher.display());
    let program = place.path("bin/ktrdr-fetcher");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let bars = root().join("tests/bars/SPY_1d.csv.gz");
    let import = format!("ktrdr data import {} --yes", bars.display());
    let (_, said) = place.said(&format!(
        "ktrdr data load SPY --mode full; echo exit $?; ({limit} {import}; echo exit $?); ktrdr data list; {import}"
    ));
    assert_eq!(
        said.matches("failed  (").count(),
        1,
        "another attempt would not help: {said}"
    );
    // Without what an import shows of the file.
    let told = |line: &&str| {
        ["error", "  cause", "hint", "exit", "nothing"]
            .iter()
            .any(|word| line.starts_with(word))
    };
    let told = error_of(&said)
        .lines()
        .filter(told)
        .collect::<Vec<_>>()
        .join("\n");
    assert_told!(told.replace(place.0.path().to_str().unwrap(), "<here>"), @"
    error: operation <op_data> failed in step fetcher (1/2)
      cause: cannot write `bars/file/stk-spy/trades-regular-split-session_close/1d/2021.<sha256>.parquet`: Generic LocalFileSystem error: Unable to copy data to file: File too large (os error 27)
    hint: the store is full (disk, quota or file-size limit): make room, then run the command again; nothing half-written is visible
    exit 1
    error: cannot write `bars/file/stk-spy/trades-regular-split-session_close/1d/2008.<sha256>.parquet`
      cause: Generic LocalFileSystem error: Unable to copy data to file: File too large (os error 27)
    hint: the store is full (disk, quota or file-size limit): make room, then run the command again; nothing half-written is visible
    exit 1
    nothing is stored in file://<here>/.ktrdr/objects
    hint: `ktrdr data import FILE --yes` or `ktrdr data load SYMBOL` stores bars
    ");
    // The file has 3 335 rows below its header.
    assert!(
        said.ends_with("SPY 1d: 3335 bars, 3335 new, 0 changed, revision 1\n"),
        "with room it works: {said}"
    );
}

#[test]
fn an_empty_class_is_refused_with_the_rows_of_every_class() {
    let place = Place::new().with(&["fetcher", "validator", "processor"]);
    // Barriers a millionth of a day away: every bar touches one of them, none is a HOLD.
    place.file(
        "narrow.yaml",
        &STRATEGY.replace("multiplier: 2.0", "multiplier: 0.000001"),
    );
    let (up, said) =
        place.said("ktrdr train narrow.yaml --data-mode full --wait-timeout 30s; echo exit $?");
    assert!(said.contains("error: "), "{up}{said}");
    assert_told!(error_of(&said), @"
    error: operation <op_train> failed in step processor (3/5)
      cause: the data set cannot be built: no row of the train part is labelled HOLD; its classes are BUY <rows>, HOLD 0, SELL <rows>
    hint: use other label parameters or split dates, so that every part holds every class
    exit 1
    ");
}

#[test]
fn without_a_trainer_everybody_says_how_to_get_one() {
    let place = Place::new().with(&["fetcher", "validator", "processor", "registry", "dummy"]);
    let train = "ktrdr train three.yaml --data-mode full --wait-timeout 5s; echo exit $?";
    let (up, said) = place.said(&format!("{train}; ktrdr doctor"));
    let about = |text: &str| {
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("trainer"))
            .collect();
        lines
            .join("\n")
            .replace(place.0.path().to_str().unwrap(), "<here>")
    };
    assert_told!(about(&up), @"trainer       absent      not built: make trainer");
    assert_told!(about(&said), @"
    [ 35.0%] trainer (4/5)  queued: no trainer is running, see `ktrdr doctor`
          hint: no worker runs for trainer: commands for them would wait
    BAD   queues       1 command waits for a trainer, and no worker serves this queue
          hint: start a trainer; `ktrdr ops list --active` shows which operations wait, `ktrdr cancel` stops one
    note  binaries     <here>/bin: fetcher, validator, processor, registry, dummy; absent: trainer
          hint: not built: make trainer
          hint: only trainings need it: make trainer
    ");
    assert_told!(error_of(&said).lines().take(3).collect::<Vec<_>>().join("\n"), @"
    error: operation <op_train> has not ended yet
    hint: it continues; re-attach with `ktrdr follow <op_train>`, stop it with `ktrdr cancel <op_train>`
    exit 6
    ");
}
