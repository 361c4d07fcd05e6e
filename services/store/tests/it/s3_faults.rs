//! What an S3 server can do wrong: each case is said in words, and the state is the one before or
//! the one after.

use std::collections::BTreeMap;

use schemas::codes::Advice as _;
use schemas::errors::chain;
use store::{ALL_TIME, Store, StoreError};

use crate::fault_proxy::{Fault, FaultProxy};
use crate::faults::{edit, key, newest_closes};
use crate::s3_server::{S3Server, empty_store, empty_url, variables_for};

const SLOW_DOWN: Fault = Fault::Answer {
    status: "503 Service Unavailable",
    code: "SlowDown",
};

async fn proxied() -> (FaultProxy, Store) {
    let proxy = FaultProxy::start(&S3Server::shared().endpoint).await;
    let store = empty_store(&proxy.endpoint).await;
    (proxy, store)
}

/// Error and hint as a user sees them, without what differs from run to run.
fn describe(error: &StoreError) -> String {
    let text = format!("{}\n  hint: {}", chain(error), error.hint());
    let ports = regex::Regex::new(r"127\.0\.0\.1:\d+").unwrap();
    let places = regex::Regex::new(r"test/\d+").unwrap();
    let text = ports.replace_all(&text, "127.0.0.1:PORT");
    places.replace_all(&text, "test/N").into_owned()
}

async fn open_with(url: &str, variables: &BTreeMap<String, String>) -> String {
    let store = Store::open_with(url, variables).await.unwrap();
    let error = store.check_access().await.unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");
    describe(&error)
}

#[tokio::test]
async fn a_store_that_cannot_be_used_says_why() {
    let server = S3Server::shared();
    let variables = variables_for(&server.endpoint);
    let strict_server = S3Server::without_users();
    let mut without_key = variables_for(&server.endpoint);
    without_key.remove("AWS_ACCESS_KEY_ID");
    without_key.remove("AWS_SECRET_ACCESS_KEY");
    without_key.insert(
        "AWS_METADATA_ENDPOINT".to_owned(),
        "http://127.0.0.1:1".to_owned(),
    );

    let url = "s3://ktrdr/test";
    let mut messages = Vec::new();
    for (what, text) in [
        (
            "no server",
            open_with(url, &variables_for("http://127.0.0.1:1")).await,
        ),
        (
            "no such host",
            open_with(url, &variables_for("https://s3.invalid")).await,
        ),
        ("no bucket", open_with("s3://absent/test", &variables).await),
        (
            "unknown key",
            open_with(url, &variables_for(&strict_server.endpoint)).await,
        ),
        ("no key", open_with(url, &without_key).await),
    ] {
        messages.push(format!("{what}: {text}"));
    }
    insta::assert_snapshot!(messages.join("\n"));
}

#[tokio::test]
async fn every_failure_of_a_server_is_said_in_words() {
    let (proxy, store) = proxied().await;
    let report = serde_json::json!({"rows": 1});
    let key = store.reports().put(&report).await.unwrap();
    let impatient = variables_for(&proxy.endpoint)
        .into_iter()
        .chain([("AWS_TIMEOUT".to_owned(), "300ms".to_owned())])
        .collect();
    let impatient = Store::open_with(store.url(), &impatient).await.unwrap();

    let mut messages = Vec::new();
    for (fault, is_transient) in [
        (SLOW_DOWN, true),
        (Fault::Silence, true),
        (Fault::HalfBody, true),
        (Fault::Reset, true),
        (
            Fault::Answer {
                status: "403 Forbidden",
                code: "AccessDenied",
            },
            false,
        ),
        (
            Fault::Answer {
                status: "301 Moved Permanently",
                code: "PermanentRedirect",
            },
            false,
        ),
        (
            Fault::Answer {
                status: "501 Not Implemented",
                code: "NotImplemented",
            },
            false,
        ),
        (
            Fault::Answer {
                status: "400 Bad Request",
                code: "InvalidBucketName",
            },
            false,
        ),
    ] {
        proxy.fail_always(fault);
        let read = impatient.reports().get::<serde_json::Value>(&key).await;
        let error = read.unwrap_err();
        assert_eq!(error.is_transient(), is_transient, "{fault:?}: {error:?}");
        messages.push(format!("{fault:?}: {}", describe(&error)));
    }
    insta::assert_snapshot!(messages.join("\n"));
}

#[tokio::test]
async fn a_passing_fault_is_not_noticed() {
    let (proxy, store) = proxied().await;
    for fault in [SLOW_DOWN, Fault::Reset] {
        proxy.fail_next(fault, 1);
        store.probe().await.unwrap();
    }
}

#[tokio::test]
async fn a_missing_bucket_does_not_pass_for_an_empty_store() {
    let variables = variables_for(&S3Server::shared().endpoint);
    let store = Store::open_with("s3://absent/x", &variables).await.unwrap();

    for error in [
        store.series().snapshot(&key(), None).await.unwrap_err(),
        store.series().snapshot(&key(), Some(1)).await.unwrap_err(),
        store.series().list().await.unwrap_err(),
        store.data_sets().find("abc").await.unwrap_err(),
        store.probe().await.unwrap_err(),
    ] {
        assert!(describe(&error).contains("NoSuchBucket"), "{error:?}");
    }
}

#[tokio::test]
async fn a_commit_that_fails_at_any_write_can_be_repeated() {
    let (proxy, _) = proxied().await;
    // One attempt per request, so that every fault is seen.
    let mut variables = variables_for(&proxy.endpoint);
    variables.insert("AWS_MAX_ATTEMPTS".to_owned(), "1".to_owned());

    for fault in [SLOW_DOWN, Fault::Reset, Fault::LostAnswer] {
        // Two files and the manifest are three writes.
        for passes in 0..3 {
            let store = Store::open_with(&empty_url(), &variables).await.unwrap();
            store
                .series()
                .commit(&key(), edit(1.0), None)
                .await
                .unwrap();

            proxy.fail_writes_after(passes, fault);
            let failed = store.series().commit(&key(), edit(2.0), None).await;
            assert!(failed.unwrap_err().is_transient());
            proxy.pass();

            let is_done = passes == 2 && matches!(fault, Fault::LostAnswer);
            let expected = if is_done { 2.0 } else { 1.0 };
            let case = format!("{fault:?} after {passes} writes");
            assert_eq!(newest_closes(&store).await, [expected], "{case}");

            store
                .series()
                .commit(&key(), edit(2.0), None)
                .await
                .unwrap();
            assert_eq!(newest_closes(&store).await, [2.0], "{case}");
        }
    }
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_recognised() {
    let (proxy, store) = proxied().await;

    // Two files pass; the manifest is written and its answer lost. The library asks again and hears
    // that the manifest exists.
    proxy.fail_one_write_after(2, Fault::LostAnswer);
    let outcome = store.series().commit(&key(), edit(1.0), None).await;

    let snapshot = outcome.unwrap().snapshot;
    assert_eq!(snapshot.manifest.revision, 1);
    let bars = store.series().raw_bars(&snapshot, ALL_TIME).await;
    assert_eq!(bars.unwrap().len(), 24);
}
