//! A person without access to the store: the registry reads it, and what writes to it is refused.

use crate::data_train_models::Place;
use crate::hand_model::{store_data_set, store_hand};
use crate::program::{run_in, run_in_system};

/// Commands that look at what is stored.
const READING: &str = "data list
data show SPY --rows 3
data range SPY
data gaps SPY
data quality SPY --json
data export SPY --out -
data delete SPY
models list
calendars show us_equities --start 2024-01-01 --end 2024-01-10
checkpoints list
";

/// Commands that look at models.
const READING_MODELS: &str = "models list --columns lr,dates,tags
models list --json
models show hand
models show hand@linear --json
models show hand --settings
models show hand --strategy
models compare hand@1 hand@1
models predict hand --symbol EURUSD --last 5
models predict hand --symbol EURUSD --part later --last 3 --json
models predict hand --symbol EURUSD --out -
models aliases
models aliases hand --json
models note hand
models tag hand
models list --deleted
models rules hand
";

#[tokio::test]
async fn models_are_looked_at_where_the_store_is_out_of_reach() {
    let place = Place::new();
    store_hand(&place).await;
    store_data_set(&place).await;
    place.file("reading", READING_MODELS);
    // A folder that is not there, and a server that is not.
    let commands = "ktrdr data load EURUSD --timeframe 1h --mode full --quiet >/dev/null || echo not loaded; \
                    ktrdr models promote hand linear --quiet >/dev/null; \
                    ktrdr models note hand holds >/dev/null; ktrdr models tag hand desk=fx >/dev/null; \
                    export AWS_ENDPOINT=http://127.0.0.1:1 AWS_ALLOW_HTTP=true; \
                    for store in file:///no/such/folder s3://nowhere; do while read -r line; do \
                      ktrdr $line --set store.url=file://$PWD/.ktrdr/objects >direct 2>&1 </dev/null; \
                      KTRDR_STORE=$store ktrdr $line >asked 2>&1 </dev/null; \
                      cmp direct asked && echo same || { echo \"$line\"; cat asked; }; \
                    done <reading; done; \
                    KTRDR_STORE=s3://nowhere ktrdr models predict hand --symbol EURUSD --last 1";

    let ended = run_in_system(place.path(), "fetcher,validator,registry", commands);

    let same = ended.out.lines().filter(|line| *line == "same").count();
    let expected = 2 * READING_MODELS.lines().count();
    assert_eq!(same, expected, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("FORWARD_RETURN"), "{}", ended.out);
}

#[tokio::test]
async fn models_are_the_same_after_the_server_has_lost_everything() {
    let place = Place::new();
    store_hand(&place).await;
    let change = "ktrdr models promote hand production --quiet >/dev/null; \
                  ktrdr models rename hand linear --quiet >/dev/null; \
                  ktrdr models promote linear candidate --quiet >/dev/null; \
                  ktrdr models tag linear desk=fx --quiet >/dev/null; ";
    let look = "ktrdr models list --json; ktrdr models show hand --json; ktrdr models aliases; \
                ktrdr models aliases linear --json";
    let before = run_in_system(place.path(), "registry", &format!("{change}{look}"));
    // Streams, buckets and consumers are gone; `up` makes new ones, as `infra apply` does.
    std::fs::remove_dir_all(place.path().join(".ktrdr/nats")).unwrap();

    let after = run_in_system(
        place.path(),
        "registry",
        &format!("ktrdr infra apply >applied; {look}"),
    );

    assert!(
        before.out.contains("candidate"),
        "{}{}",
        before.out,
        before.err
    );
    assert_eq!(after.out, before.out, "{}", after.err);
}

#[tokio::test]
async fn a_store_that_a_flag_names_is_the_one_that_is_read() {
    let place = Place::new();
    store_hand(&place).await;
    let commands = "mkdir other; ktrdr models list --set store.url=file://$PWD/other; \
                    ktrdr models show hand --set store.url=file://$PWD/other; echo \"exit $?\"";

    let ended = run_in_system(place.path(), "registry", commands);

    assert!(ended.out.contains("exit 4"), "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("there is no model yet"), "{}", ended.err);
}

#[test]
fn everything_that_is_stored_is_seen_through_the_registry() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("reading"), READING).unwrap();
    let commands = "ktrdr data load SPY --mode full --quiet >/dev/null || echo not loaded; \
                    while read -r line; do \
                      ktrdr $line >direct 2>&1 </dev/null; \
                      KTRDR_STORE=bus://registry ktrdr $line >asked 2>&1 </dev/null; \
                      cmp direct asked && echo same; \
                    done <reading; KTRDR_STORE=bus://registry ktrdr data show SPY --rows 1";

    let ended = run_in_system(folder.path(), "fetcher,validator,registry", commands);

    let same = ended.out.lines().filter(|line| *line == "same").count();
    assert_eq!(same, READING.lines().count(), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("KNOWN AT"), "{}", ended.out);
}

#[test]
fn a_write_through_the_registry_is_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let commands = "ktrdr data load SPY --mode full --quiet >/dev/null || echo not loaded; \
                    export KTRDR_STORE=bus://registry; \
                    ktrdr data delete SPY --yes; echo \"exit $?\"; ktrdr doctor | grep 'registry reads'";

    let ended = run_in_system(folder.path(), "fetcher,validator,registry", commands);

    assert!(ended.out.contains("exit 1"), "{}{}", ended.out, ended.err);
    assert!(
        ended.err.contains("the store is read through the registry"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("KTRDR_STORE"), "{}", ended.err);
    assert!(ended.out.contains("the registry reads it"), "{}", ended.out);
}

#[test]
fn a_store_without_its_slashes_is_refused_and_makes_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    for (url, form) in [
        ("bus:registry", "bus://registry"),
        ("s3:bucket", "s3://bucket/prefix"),
    ] {
        let ended = run_in(
            folder.path(),
            &["data", "list", "--set", &format!("store.url={url}")],
        );

        assert_eq!(ended.exit, Some(2), "{}{}", ended.out, ended.err);
        let reason = format!("`{url}`: a store of this kind is written `{form}`");
        assert!(ended.err.contains(&reason), "{}", ended.err);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn without_a_registry_the_command_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let commands = "KTRDR_STORE=bus://registry ktrdr data show SPY; echo \"exit $?\"";

    let ended = run_in_system(folder.path(), "dummy", commands);

    assert!(ended.out.contains("exit 3"), "{}{}", ended.out, ended.err);
    assert!(
        ended.err.contains("start a registry beside the store"),
        "{}",
        ended.err
    );
    let cause = "cannot ask the registry for data.list: no responders";
    assert!(ended.err.contains(cause), "{}", ended.err);
}
