//! A system whose bus has lost everything: what the store holds is as before, and what only the
//! bus has comes back from a backup.

use std::path::Path;

use nats_test_server::Server;
use serde_json::Value;

use crate::data_train_models::Place;
use crate::model_questions::place_with_metrics;
use crate::program::{Ended, ktrdr_in, root, run_in_system};
use crate::schema_check::Schema;

/// What is made before the loss: bars, and roles that were given, moved and taken away.
const BEFORE: &str = "set -e
ktrdr data load EURUSD --timeframe 1h --mode full --quiet
ktrdr models promote hand production --quiet
ktrdr models promote hand staging --quiet
ktrdr models demote hand staging --quiet
ktrdr models note hand holds --quiet
";
/// What is asked before and after.
const QUESTIONS: &str = "set -e
ktrdr models list
ktrdr models show hand
ktrdr models aliases hand
ktrdr models predict hand --symbol EURUSD --last 3
ktrdr data list --json
";

fn run_on(server: &Server, place: &Path, arguments: &[&str]) -> Ended {
    let mut command = ktrdr_in(place, arguments);
    command.env("KTRDR_NATS_URL", server.url());
    command.env(
        "KTRDR_STORE",
        format!("file://{}/.ktrdr/objects", place.display()),
    );
    command.output().unwrap().into()
}

/// The one line of `--json`, which is as its schema says.
fn json_of(ended: &Ended, schema: &str) -> Value {
    let file = root().join(format!("docs/schemas/{schema}.json"));
    let value: Value = serde_json::from_str(&ended.out).expect(&ended.err);
    let schema = Schema::new(&std::fs::read_to_string(file).unwrap());
    assert_eq!(schema.mistakes(&value), [""; 0]);
    value
}

fn answers(place: &Place, commands: &str) -> String {
    let ended = run_in_system(place.path(), "fetcher,validator,registry", commands);
    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    ended.out
}

#[tokio::test]
async fn after_a_lost_bus_the_lists_are_as_before() {
    let place = place_with_metrics().await;
    answers(&place, BEFORE);
    let before = answers(&place, QUESTIONS);
    assert!(before.contains("production"), "{before}");

    std::fs::remove_dir_all(place.path().join(".ktrdr/nats")).unwrap();
    answers(&place, "ktrdr infra rebuild");

    assert_eq!(answers(&place, QUESTIONS), before);
}

#[tokio::test]
async fn a_rebuild_makes_what_is_missing_and_nothing_twice() {
    let place = place_with_metrics().await;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), false);
    let rebuild = |flags: &[&str]| {
        let arguments = [&["infra", "rebuild", "--json"], flags].concat();
        json_of(&run_on(&server, place.path(), &arguments), "infra-rebuild")
    };

    let planned = rebuild(&["--dry-run"]);
    let check = ["infra", "check"];
    assert_eq!(run_on(&server, place.path(), &check).exit, Some(1));
    let first = rebuild(&[]);
    let second = rebuild(&[]);

    assert_eq!(planned["created"], first["created"]);
    assert_eq!(
        [&first["models"], &first["versions"], &first["series"]],
        [1, 1, 0]
    );
    assert!(!first["created"].as_array().unwrap().is_empty());
    assert!(second["created"].as_array().unwrap().is_empty());
    assert_eq!(run_on(&server, place.path(), &check).exit, Some(0));
}

#[test]
fn a_backup_comes_back_by_two_commands() {
    let place = Place::new();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), false);
    let run = |line: &str| {
        let arguments: Vec<&str> = line.split(' ').collect();
        run_on(&server, place.path(), &arguments)
    };
    assert_eq!(run("infra apply").exit, Some(0));
    let schedule = run("schedule add --every 1h --name hourly -- dummy start");
    assert_eq!(schedule.exit, Some(0), "{}", schedule.err);

    let saved = json_of(&run("infra backup saved --json"), "infra-backup");
    assert_eq!(saved["streams"].as_array().unwrap().len(), 10);
    let removed = run("schedule remove hourly");
    assert_eq!(removed.exit, Some(0), "{}", removed.err);
    assert_eq!(run("schedule show hourly").exit, Some(4));
    assert_eq!(run("infra restore saved --dry-run --force").exit, Some(0));
    assert_eq!(run("schedule show hourly").exit, Some(4));

    let restored = json_of(&run("infra restore saved --force --json"), "infra-restore");
    assert_eq!(restored["unfinished"].as_array().unwrap().len(), 0);
    assert_eq!(run("schedule show hourly").exit, Some(0));
    let again = run("infra restore saved");
    assert_eq!(again.exit, Some(1));
    assert!(again.err.contains("--force"), "{}", again.err);
}
