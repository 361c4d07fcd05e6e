//! Keys: whoever has none is refused, whoever has one does what its role is for, and no secret
//! leaves its file.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bus::identity::{Identity, KeyFile, Role, server_file};
use nats_test_server::{Ask, probe};
use serde_json::Value;

use crate::program::{Ended, files_under, run_in};
use crate::running_up::{RunningUp, key_of, start_dummy, url_of};

const ROLES: [&str; 9] = [
    "infra",
    "fetcher",
    "validator",
    "processor",
    "trainer",
    "registry",
    "family",
    "dummy",
    "person",
];

fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The line of a key file that is the secret.
fn secret_of(file: &Path) -> String {
    let text = text_of(file);
    let secret = text.lines().find(|line| line.starts_with("SU"));
    secret.unwrap().to_owned()
}

#[test]
fn a_local_system_lets_nobody_in_without_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let _up = RunningUp::start(folder.path());
    let url = url_of(folder.path());

    // Another process of this host, and one with a key of another system.
    let refused = probe(&url, None, &[]).unwrap_err();
    assert!(
        refused.0.contains("Authorization Violation"),
        "{}",
        refused.0
    );
    let elsewhere = folder.path().join("elsewhere.nk");
    let key = KeyFile::generate(&Identity::of(Role::Infra)).unwrap();
    fs::write(&elsewhere, key.text()).unwrap();
    let refused = probe(&url, Some(&elsewhere), &[]).unwrap_err();
    assert!(
        refused.0.contains("Authorization Violation"),
        "{}",
        refused.0
    );

    let outside = tempfile::tempdir().unwrap();
    let ended = run_in(outside.path(), &["ops", "--server", &url]);
    assert_eq!(ended.exit, Some(3), "{}", ended.err);
    let refusal = "does not accept our credentials";
    assert!(ended.err.contains(refusal), "{}", ended.err);
    assert!(ended.err.contains("--creds"), "{}", ended.err);
    let key = key_of(folder.path(), "person");
    let with_key = ["ops", "--server", &url, "--creds", key.to_str().unwrap()];
    let ended = run_in(outside.path(), &with_key);
    assert_eq!(ended.exit, Some(0), "{}", ended.err);
}

#[test]
fn a_local_system_has_the_permissions_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let _up = RunningUp::start(folder.path());
    let keys = folder.path().join(".ktrdr/credentials");

    let users: Vec<_> = ROLES
        .map(|name| {
            let key = KeyFile::parse(&text_of(&key_of(folder.path(), name))).unwrap();
            let identity = Identity::of(name.parse().unwrap());
            (identity, key.public_key().to_owned())
        })
        .into();
    assert_eq!(text_of(&keys.join("permissions.conf")), server_file(&users));

    assert_eq!(mode_of(&keys), 0o700);
    for file in files_under(&keys) {
        assert_eq!(mode_of(&file), 0o600, "{}", file.display());
    }

    // That its server has read the file, four cells of the matrix show.
    let asks = [
        Ask::Publish("ktrdr.progress.trainer.some.1".to_owned()),
        Ask::Subscribe("_INBOX_trainer.>".to_owned()),
        Ask::Publish("$JS.API.STREAM.PURGE.NOWHERE".to_owned()),
        Ask::Subscribe("_INBOX_person.>".to_owned()),
    ];
    let url = url_of(folder.path());
    let allowed = |name| probe(&url, Some(&key_of(folder.path(), name)), &asks).unwrap();
    assert_eq!(allowed("trainer"), [true, true, false, false]);
    assert_eq!(allowed("dummy"), [false, false, false, false]);
    assert_eq!(allowed("person"), [false, false, false, true]);
    assert_eq!(allowed("infra"), [true, true, true, true]);
}

#[test]
fn keys_stay_when_a_system_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    drop(RunningUp::start(folder.path()));
    let before = secret_of(&key_of(folder.path(), "trainer"));

    drop(RunningUp::start(folder.path()));

    assert_eq!(secret_of(&key_of(folder.path(), "trainer")), before);
}

#[test]
fn what_is_done_is_recorded_by_the_name_in_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let _up = RunningUp::start(folder.path());
    let ann = folder.path().join("ann.nk");
    let of_anybody = text_of(&key_of(folder.path(), "person"));
    fs::write(&ann, format!("# name: ann\n{of_anybody}")).unwrap();
    let as_ann = |words: &[&str]| {
        let key = ["--creds", ann.to_str().unwrap()];
        let ended = run_in(folder.path(), &[words, &key].concat());
        assert_eq!(ended.exit, Some(0), "{words:?}: {}", ended.err);
        ended
    };

    let op = start_dummy(folder.path());
    as_ann(&["cancel", &op, "--wait", "--reason", "lunch"]);
    as_ann(&["resume", &op, "--detach"]);
    as_ann(&["dummy", "start", "--iterations", "1", "--duration", "0.1"]);

    let history = run_in(folder.path(), &["ops", "logs", &op]).out;
    assert!(history.contains("by ann"), "{history}");
    let listed = run_in(folder.path(), &["status", "last", "--json"]).out;
    let newest: Value = serde_json::from_str(listed.lines().last().unwrap()).unwrap();
    assert_eq!(newest["by"], "ann", "{newest}");
    let first = run_in(folder.path(), &["status", &op, "--json"]).out;
    let first: Value = serde_json::from_str(first.lines().last().unwrap()).unwrap();
    let by = first["by"].as_str().unwrap();
    assert!(by.contains('@'), "the user and the host: {by}");
}

/// The arguments and variables of every process of the system, this test's own ones left out.
fn processes_of(folder: &Path) -> Vec<(PathBuf, String)> {
    let list = text_of(&folder.join(".ktrdr/processes"));
    let mut texts = Vec::new();
    for line in list.lines() {
        let process: Value = serde_json::from_str(line).unwrap();
        for name in ["cmdline", "environ"] {
            let path = PathBuf::from(format!("/proc/{}/{name}", process["pid"]));
            let bytes = fs::read(&path).unwrap();
            texts.push((path, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    texts
}

/// What commands say of a system, its settings included.
fn screens_of(folder: &Path) -> Vec<(PathBuf, String)> {
    let commands = [
        "config show --origin",
        "config show --json",
        "config check",
        "doctor",
        "doctor --json",
        "workers list --json",
        "infra check",
        "infra credentials --dir .ktrdr/credentials --list --json",
        "ops --json -vv",
        "ops logs last --json",
    ];

    commands
        .map(|command| {
            let words: Vec<&str> = command.split(' ').collect();
            let Ended { out, err, .. } = run_in(folder, &words);
            (PathBuf::from(command), out + &err)
        })
        .into()
}

#[test]
fn no_secret_leaves_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let up = RunningUp::start(folder.path());
    start_dummy(folder.path());
    let secrets: Vec<String> = ROLES
        .map(|name| secret_of(&key_of(folder.path(), name)))
        .into();
    assert_eq!(secrets.iter().collect::<BTreeSet<_>>().len(), ROLES.len());

    // What the server has stored, logs, settings and objects are files of the system.
    let mut places = screens_of(folder.path());
    places.extend(processes_of(folder.path()));
    for file in files_under(&folder.path().join(".ktrdr")) {
        // A file of the server may be gone again.
        let bytes = fs::read(&file).unwrap_or_default();
        if file.extension().is_none_or(|ending| ending != "nk") {
            places.push((file, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    places.push((PathBuf::from("up"), up.board.clone()));

    assert!(places.len() > 30, "{}", places.len());
    for (place, text) in places {
        let is_told = secrets.iter().any(|secret| text.contains(secret));
        assert!(!is_told, "a secret is in {}", place.display());
    }
}

fn credentials(folder: &Path, more: &[&str]) -> Ended {
    let words = ["infra", "credentials", "--dir", "keys", "--json"];
    run_in(folder, &[&words, more].concat())
}

/// Names and what became of their keys, in the order of the lines.
fn states(ended: &Ended) -> Vec<(String, String)> {
    let lines = ended.out.lines();
    lines
        .map(|line| {
            let key: Value = serde_json::from_str(line).unwrap();
            let word = |name: &str| key[name].as_str().unwrap().to_owned();
            (word("name"), word("state"))
        })
        .collect()
}

#[test]
fn keys_are_made_once_replaced_and_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let file = |name: &str| here.join(format!("keys/{name}.nk"));

    let made = credentials(here, &["--person", "ann", "--person", "bob"]);
    assert_eq!(made.exit, Some(0), "{}", made.err);
    let names: Vec<String> = states(&made).into_iter().map(|state| state.0).collect();
    let expected = [&ROLES[..8], &["ann", "bob"]].concat();
    assert_eq!(names, expected);
    let secret = secret_of(&file("ann"));
    assert!(!made.out.contains(&secret) && !made.err.contains(&secret));
    assert_eq!(mode_of(&file("ann")), 0o600);

    let again = credentials(here, &["--person", "ann"]);
    assert!(states(&again).iter().all(|state| state.1 == "kept"));
    assert_eq!(secret_of(&file("ann")), secret);

    let changed = credentials(here, &["--rotate", "ann", "--remove", "bob"]);
    let expected = [("ann", "replaced"), ("bob", "removed")];
    let expected = expected.map(|pair| (pair.0.to_owned(), pair.1.to_owned()));
    assert_eq!(states(&changed), expected);
    assert_ne!(secret_of(&file("ann")), secret);
    assert!(!file("bob").exists());
    let permissions = text_of(&here.join("keys/permissions.conf"));
    assert!(permissions.contains("# ann\n") && !permissions.contains("# bob\n"));
    assert_eq!(states(&credentials(here, &["--list"])).len(), 9);
}

#[test]
fn names_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for words in [
        ["--person", "trainer"],
        ["--person", "a.b"],
        ["--role", "baker"],
        ["--tls", "no host"],
    ] {
        let ended = credentials(folder.path(), &words);
        assert_eq!(ended.exit, Some(2), "{words:?}: {}", ended.err);
    }

    let ended = credentials(folder.path(), &["--rotate", "nobody"]);
    assert_eq!(ended.exit, Some(1), "{}", ended.err);
    assert!(ended.out.contains("has no key of nobody"), "{}", ended.out);
    assert!(!folder.path().join("keys").exists());
}
