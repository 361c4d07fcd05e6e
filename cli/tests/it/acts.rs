//! Who removed what: written down with the name of the credential, and read back.

use serde_json::Value;

use crate::program::run_in_system;

/// What `ktrdr ops acts --json` says of the commands, oldest first.
fn acts_after(commands: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let commands = format!("{commands} ktrdr ops acts; ktrdr ops acts --json");
    let ended = run_in_system(folder.path(), "dummy,fetcher", &commands);

    let lines = ended.out.lines().filter(|line| line.starts_with('{'));
    let mut acts: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    acts.reverse();
    assert!(!acts.is_empty(), "{}{}", ended.out, ended.err);
    for act in &acts {
        let by = act["by"].as_str().unwrap();
        assert!(ended.out.contains(by), "{}", ended.out);
    }
    acts
}

#[test]
fn whoever_removes_or_sends_away_is_named() {
    let acts = acts_after(
        "export USER=ann; ktrdr schedule add --every 1h --name nightly -- data load SPY >/dev/null; \
         ktrdr schedule remove nightly >/dev/null; ktrdr schedule remove nightly >/dev/null 2>&1; \
         ktrdr dummy start --iterations 600 --duration 600 --checkpoint-every 1 --detach >started; \
         op=$(grep -o 'op_dummy_[0-9]*_[0-9]*_[0-9a-f]*' started | head -1); \
         ktrdr follow $op --until running >/dev/null 2>&1; \
         ktrdr cancel $op --wait >/dev/null; \
         folder=.ktrdr/objects/checkpoints/$op/1/1-1; mkdir -p $folder; \
         echo '{}' >$folder/state.json; ktrdr checkpoints delete $op --force >/dev/null; \
         export USER=bob; ktrdr ops prune --older-than 0h >/dev/null 2>&1; \
         ktrdr ops prune --older-than 0h --yes >/dev/null; \
         export USER=cleo; ktrdr workers drain --all --service dummy >/dev/null;",
    );

    let said: Vec<(&str, &str, u64)> = acts
        .iter()
        .map(|act| {
            let by = act["by"].as_str().unwrap().split('@').next().unwrap();
            let deed = act["deed"].as_str().unwrap();
            (by, deed, act["count"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(
        said,
        [
            ("ann", "schedule-remove", 1),
            ("ann", "checkpoints-delete", 1),
            ("bob", "ops-prune", 1),
            ("cleo", "workers-drain", 1),
        ]
    );
    assert_eq!(acts[0]["of"], serde_json::json!(["nightly"]));
    assert!(acts[1]["of"][0].as_str().unwrap().starts_with("op_dummy_"));
    assert_eq!(acts[2]["of"], acts[1]["of"]);
    assert!(acts[3]["of"][0].as_str().unwrap().starts_with("dummy-"));
}
