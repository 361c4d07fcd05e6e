//! `ktrdr.toml` beside a running system, and `ktrdr config`, which shows what came from where.

use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::program::{ktrdr_in, run_in};
use crate::running_up::{RunningUp, UP, launched_by, url_of};

fn write_settings(folder: &Path, text: &str) {
    std::fs::write(folder.join("ktrdr.toml"), text).unwrap();
}

/// The line of one setting, with the folder of the test as `<here>`.
fn line_of(table: &str, key: &str, folder: &Path) -> String {
    let start = format!("{key} ");
    let line = table.lines().find(|line| line.starts_with(&start));
    let folder = folder.canonicalize().unwrap();
    let text = line.unwrap_or_else(|| panic!("no {key} in\n{table}"));
    let text = text.replace(folder.to_str().unwrap(), "<here>");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_origin_of_a_setting_is_shown_and_secrets_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[bus]\nurl = \"nats://ann:s3cret@bus:4222\"\n[dummy]\nslots = 3\n";
    write_settings(folder.path(), settings);

    let mut show = ktrdr_in(
        folder.path(),
        &["config", "show", "--origin", "--set", "log.format=json"],
    );
    show.env("KTRDR_STORE", "s3://bucket/prefix");
    let ended = show.output().unwrap();

    let table = String::from_utf8(ended.stdout).unwrap();
    let error = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{error}");
    assert!(!table.contains("s3cret"), "{table}");
    let line = |key| line_of(&table, key, folder.path());
    assert_eq!(
        line("bus.url"),
        "bus.url nats://…@bus:4222 <here>/ktrdr.toml"
    );
    assert_eq!(line("bus.profile"), "bus.profile (none) default");
    assert_eq!(
        line("store.url"),
        "store.url s3://bucket/prefix KTRDR_STORE"
    );
    assert_eq!(line("log.format"), "log.format json command line");
    assert_eq!(line("dummy.slots"), "dummy.slots 3 <here>/ktrdr.toml");
    assert_eq!(line("dummy.lanes"), "dummy.lanes all default");
}

#[test]
fn a_section_or_a_setting_can_be_shown_alone() {
    let folder = tempfile::tempdir().unwrap();

    let bus = run_in(folder.path(), &["config", "show", "bus.url", "log"]);
    insta::assert_snapshot!(bus.out, @"
    SETTING     VALUE
    bus.url     nats://127.0.0.1:4222
    log.filter  info,async_nats=warn
    log.format  text
    ");

    let unknown = run_in(folder.path(), &["config", "show", "bus.ulr"]);
    assert_eq!(unknown.exit, Some(4));
    let said: Vec<&str> = unknown
        .err
        .lines()
        .filter(|line| !line.contains(": not built"))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @"
    error: there is no setting `bus.ulr`
    hint: did you mean `ktrdr config show bus.url`?
    ");
}

#[test]
fn a_file_beside_a_running_system_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        "[bus]\nurl = \"nats://elsewhere:1\"\nprofile = \"prod\"\n[log]\nformat = \"json\"\n";
    let up = RunningUp::start(folder.path());
    write_settings(folder.path(), settings);
    let below = folder.path().join("below");
    std::fs::create_dir(&below).unwrap();

    let ended = run_in(&below, &["config", "show", "--origin"]);

    let line = |key| line_of(&ended.out, key, folder.path());
    let url = url_of(folder.path());
    let origin = "<here>/.ktrdr/context.json";
    assert_eq!(line("bus.url"), format!("bus.url {url} {origin}"));
    assert_eq!(line("bus.profile"), "bus.profile (none) default");
    assert_eq!(line("log.format"), "log.format json <here>/ktrdr.toml");
    let status = run_in(&below, &["status"]);
    assert_eq!(status.exit, Some(0), "{}", status.err);

    write_settings(folder.path(), "[log]\nfromat = \"json\"\n");
    let refused = run_in(folder.path(), &["status"]);
    assert_eq!(refused.exit, Some(2));
    assert!(
        refused.err.contains("did you mean `log.format`?"),
        "{}",
        refused.err
    );
    up.end(Signal::SIGTERM);
}

#[test]
fn config_check_names_what_a_service_refuses() {
    let folder = tempfile::tempdir().unwrap();
    write_settings(folder.path(), "[dummy]\nslotz = 3\n");

    let ended = run_in(folder.path(), &["config", "check", "--json"]);

    assert_eq!(ended.exit, Some(2), "{}", ended.err);
    let lines = ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let verdicts: Vec<Value> = lines.collect();
    let of = |name: &str| {
        verdicts
            .iter()
            .find(|each| each["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(of("ktrdr")["verdict"], "ok");
    assert_eq!(of("dummy")["verdict"], "BAD");
    let text = of("dummy")["text"].as_str().unwrap().to_owned();
    assert!(text.contains("did you mean `dummy.slots`?"), "{text}");

    write_settings(folder.path(), "[dummy]\nslots = 3\n");
    let ended = run_in(folder.path(), &["config", "check"]);
    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
}

#[test]
fn commands_read_the_settings_with_which_a_system_was_started() {
    let root = tempfile::tempdir().unwrap();
    let work = root.path().join("work");
    let other = root.path().join("other");
    std::fs::create_dir(&work).unwrap();
    std::fs::create_dir(&other).unwrap();
    std::fs::write(work.join("production.toml"), "[dummy]\nslots = 3\n").unwrap();
    write_settings(&work, "[dummy]\nslots = 2\n");
    write_settings(&other, "[dummy]\nslots = 4\n");
    let slots_and_origin = || {
        let ended = run_in(&other, &["config", "show", "dummy.slots", "--origin"]);
        line_of(&ended.out, "dummy.slots", root.path())
    };

    let elsewhere = [&UP[..], &["--dir", "../other/.ktrdr"]].concat();
    let named = [&elsewhere[..], &["--config", "production.toml"]].concat();
    for (arguments, line) in [
        (elsewhere, "dummy.slots 2 <here>/work/ktrdr.toml"),
        (named, "dummy.slots 3 <here>/work/production.toml"),
    ] {
        let up = launched_by("env", &[], &ktrdr_in(&work, &arguments));
        let up = RunningUp::start_command(up);
        assert_eq!(slots_and_origin(), line);
        assert_eq!(up.end(Signal::SIGTERM), Some(0));
    }
    assert_eq!(slots_and_origin(), "dummy.slots 4 <here>/other/ktrdr.toml");
}
