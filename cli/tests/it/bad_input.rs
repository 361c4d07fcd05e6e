//! What a user sees when the world is not as it should be: a damaged object, a full store, an
//! empty class, no trainer.
//!
//! A real system each, by `ktrdr up`. Bad words, files and strategies are in `data_train_models.rs`
//! and `offline.rs`, a missing or an old server is in `command_line.rs`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::program::{KTRDR, built_programs, files_under, ktrdr_in, root};

/// One raw input over the daily bars of SPY, and which of three barriers they touch first.
pub(crate) const STRATEGY: &str = "name: three\nversion: \"1.0\"\n\
    training_data:\n  symbols: {mode: single, symbol: SPY}\n  timeframes: {mode: single, timeframe: \"1d\"}\n\
    indicators:\n  roc_5: {type: roc, period: 5}\n\
    fuzzy_sets: {}\n\
    nn_inputs:\n  - {raw_indicator: roc_5, timeframes: all}\n\
    model:\n  type: mlp\n  architecture: {hidden_layers: [4], activation: relu, dropout: 0.0}\n\
    decisions:\n  output_format: classification\n\
    training:\n  labels: {source: triple_barrier, pt_multiplier: 2.0, sl_multiplier: 2.0, max_holding_period: 5}\n\
    \x20 data_split: {train: 0.7, validation: 0.15, test: 0.15}\n";

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
        for service in services {
            let program = format!("ktrdr-{service}");
            let link = self.path("bin").join(&program);
            std::os::unix::fs::symlink(built_programs().join(program), link).unwrap();
        }
        self
    }

    /// Runs shell commands inside of the system of this folder.
    fn run(&self, commands: &str) -> SystemRun {
        let commands = format!("({commands}) >output 2>&1");
        let up = ["up", "--profile", "test", "--", "sh", "-c", &commands];
        let ended = ktrdr_in(self.0.path(), &up)
            .env("KTRDR_BIN_DIR", self.path("bin"))
            .env("KTRDR_FETCHER_FILES", root().join("tests/bars"))
            .output()
            .unwrap();
        SystemRun {
            up: String::from_utf8(ended.stderr).unwrap(),
            commands: std::fs::read_to_string(self.path("output")).unwrap_or_default(),
        }
    }

    /// `text` without the name of this folder.
    fn mask(&self, text: &str) -> String {
        text.replace(self.0.path().to_str().unwrap(), "<here>")
    }
}

/// What was written while a system ran.
struct SystemRun {
    /// Output of `ktrdr up` itself.
    up: String,
    /// Output of the commands inside.
    commands: String,
}

impl SystemRun {
    /// The output of the commands from the error on: before it there is progress, whose moments
    /// differ from run to run.
    fn error(&self) -> &str {
        match self.commands.find("error: ") {
            Some(start) => &self.commands[start..],
            None => panic!("no error in: {}{}", self.up, self.commands),
        }
    }
}

/// The lines that contain a word.
fn lines_with(text: &str, word: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(word)).collect();
    lines.join("\n")
}

/// Compares with a snapshot, without the names of a run.
macro_rules! assert_shown {
    ($text:expr, @$expected:literal) => {
        insta::with_settings!({filters => vec![
            (r"op_([a-z]+)_\d{8}_\d{6}_[0-9a-f]{8}", "<op_$1>"),
            (r"\b[0-9a-f]{64}\b", "<sha256>"),
            (r"\b(BUY|SELL) \d+", "$1 <rows>"),
        ]}, { insta::assert_snapshot!($text, @$expected) })
    };
}

/// The stored bars of SPY of the year 2014.
fn file_of_2014(place: &Place) -> PathBuf {
    files_under(&place.path(".ktrdr/objects/bars"))
        .into_iter()
        .find(|path| path.to_str().unwrap().contains("/2014."))
        .unwrap()
}

fn flip_a_bit(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

/// A place whose bars of 2014 are damaged.
fn place_with_damaged_bars() -> Place {
    let place = Place::new().with(&["fetcher", "validator", "processor"]);
    let load = place.run("ktrdr data load SPY --mode full");
    assert!(
        load.commands.contains("Completed data"),
        "{}{}",
        load.up,
        load.commands
    );
    flip_a_bit(&file_of_2014(&place));
    place
}

#[test]
fn a_flipped_bit_names_the_object_and_both_hashes() {
    let place = place_with_damaged_bars();

    let train = place.run("ktrdr train three.yaml --wait-timeout 30s; echo exit $?");

    // The name of the object is the hash of what it should hold.
    let file = file_of_2014(&place);
    let hash = file.file_stem().unwrap().to_str().unwrap();
    let expected = hash.replace("2014.", "expected ");
    assert!(train.commands.contains(&expected), "{}", train.commands);
    assert_shown!(train.error(), @"
    error: operation <op_train> failed in step validator (2/5)
      cause: `bars/file/stk-spy/trades-regular-split-session_close/1d/2014.<sha256>.parquet` is damaged: its SHA-256 is <sha256>, expected <sha256>
    hint: the file was changed after it was written: restore it from a backup, or delete the folder it is in (`ktrdr doctor` shows where the store is) and load the bars again with `ktrdr data load`
    exit 1
    ");

    for folder in ["datasets", "artifacts", "models"] {
        let files = files_under(&place.path(".ktrdr/objects").join(folder));
        assert_eq!(files, Vec::<PathBuf>::new(), "{folder}");
    }
}

#[test]
fn damaged_bars_are_loaded_again_as_the_hint_says() {
    let place = place_with_damaged_bars();

    let show = place.run("ktrdr data show SPY; echo exit $?");
    assert_shown!(show.commands, @"
    error: `bars/file/stk-spy/trades-regular-split-session_close/1d/2014.<sha256>.parquet` is damaged: its SHA-256 is <sha256>, expected <sha256>
    hint: the file was changed after it was written: restore it from a backup, or delete the folder it is in (`ktrdr doctor` shows where the store is) and load the bars again with `ktrdr data load`
    exit 1
    ");

    std::fs::remove_dir_all(file_of_2014(&place).parent().unwrap()).unwrap();
    let load = place.run("ktrdr data load SPY --mode full");
    assert!(
        load.commands.contains("Completed data"),
        "{}",
        load.commands
    );
}

/// Files may have two kilobytes, as with a quota; without the trap the signal would end the
/// program.
const FILE_LIMIT: &str = "trap '' XFSZ; ulimit -f 4;";

/// A place whose fetcher cannot write a file of bars.
fn place_with_limited_fetcher() -> Place {
    let place = Place::new().with(&["validator"]);
    let fetcher = Path::new(KTRDR).with_file_name("ktrdr-fetcher");
    let script = format!("#!/bin/sh\n{FILE_LIMIT} exec '{}'\n", fetcher.display());
    let program = place.path("bin/ktrdr-fetcher");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    place
}

#[test]
fn a_full_store_fails_at_once_and_leaves_nothing_half_written() {
    let place = place_with_limited_fetcher();
    let bars = root().join("tests/bars/SPY_1d.csv.gz");
    let import = format!("ktrdr data import {} --yes", bars.display());

    let run = place.run(&format!(
        "ktrdr data load SPY --mode full; echo exit $?; ({FILE_LIMIT} {import}; echo exit $?); \
         ktrdr data list; {import}"
    ));

    let text = &run.commands;
    let attempts = text.matches("failed  (").count();
    assert_eq!(attempts, 1, "another attempt would not help: {text}");

    // Without what an import shows of the file.
    let starts = ["error", "  cause", "hint", "exit", "nothing"];
    let lines: Vec<&str> = run
        .error()
        .lines()
        .filter(|line| starts.iter().any(|start| line.starts_with(start)))
        .collect();
    assert_shown!(place.mask(&lines.join("\n")), @"
    error: operation <op_data> failed in step fetcher (1/2)
      cause: cannot write `bars/file/stk-spy/trades-regular-split-session_close/1d/2008.<sha256>.parquet`: Generic LocalFileSystem error: Unable to copy data to file: File too large (os error 27)
    hint: the store is full (disk, quota or file-size limit): make room, then run the command again; nothing half-written is visible
    exit 1
    error: cannot write `bars/file/stk-spy/trades-regular-split-session_close/1d/2008.<sha256>.parquet`
      cause: Generic LocalFileSystem error: Unable to copy data to file: File too large (os error 27)
    hint: the store is full (disk, quota or file-size limit): make room, then run the command again; nothing half-written is visible
    exit 1
    nothing is stored in file://<here>/.ktrdr/objects
    hint: `ktrdr data import FILE --yes` or `ktrdr data load SYMBOL` stores bars
    ");

    // With room it works. The file has 3 335 rows below its header.
    let last_line = "SPY 1d: 3335 bars, 3335 new, 0 changed, revision 1\n";
    assert!(text.ends_with(last_line), "{text}");
}

#[test]
fn an_empty_class_is_refused_with_the_rows_of_every_class() {
    let place = Place::new().with(&["fetcher", "validator", "processor"]);
    // Barriers a millionth of a day away: every bar touches one of them, none is a HOLD.
    let narrow = STRATEGY.replace("multiplier: 2.0", "multiplier: 0.000001");
    place.file("narrow.yaml", &narrow);

    let train =
        place.run("ktrdr train narrow.yaml --data-mode full --wait-timeout 30s; echo exit $?");

    assert_shown!(train.error(), @"
    error: operation <op_train> failed in step processor (3/5)
      cause: the data set cannot be built: no row of the train part is labelled HOLD; its classes are BUY <rows>, HOLD 0, SELL <rows>
    hint: use other label parameters or split dates, so that every part holds every class
    exit 1
    ");
}

#[test]
fn without_a_trainer_everybody_says_how_to_get_one() {
    let place = Place::new().with(&[
        "fetcher",
        "validator",
        "processor",
        "registry",
        "family",
        "dummy",
    ]);

    let run = place.run(
        "ktrdr train three.yaml --data-mode full --wait-timeout 5s; echo exit $?; ktrdr doctor",
    );

    assert_shown!(lines_with(&run.up, "trainer"), @"trainer       absent      not built: make build");
    assert_shown!(place.mask(&lines_with(&run.commands, "trainer")), @"
    [ 35.0%] trainer (4/5)  queued: no trainer is running, see `ktrdr doctor`
          hint: no worker runs for trainer: commands for them would wait
    BAD   queues       1 command waits for a trainer, and no worker serves this queue
          hint: start a trainer; `ktrdr ops list --active` shows which operations wait, `ktrdr cancel` stops one
    note  binaries     <here>/bin: fetcher, validator, processor, registry, family, dummy; absent: trainer
    note  trainer      absent
    ");

    let error: Vec<&str> = run.error().lines().take(3).collect();
    assert_shown!(error.join("\n"), @"
    error: operation <op_train> has not ended yet
    hint: it continues; re-attach with `ktrdr follow <op_train>`, stop it with `ktrdr cancel <op_train>`
    exit 6
    ");
}
