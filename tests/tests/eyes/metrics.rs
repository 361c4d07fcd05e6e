//! Figures agree with what was done: n operations are counted n times.

use std::path::Path;

use schemas::commands::{FetchBars, FetchMode, RunDummy, SeriesRequest};
use schemas::ids::Service;
use schemas::requests::DataLoad;
use system_tests::{Sandbox, until};

use crate::promtool::check_with_promtool;
use crate::watched::Watched;

fn short() -> RunDummy {
    RunDummy {
        iterations: 3,
        seconds: 0.005,
        ..RunDummy::default()
    }
}

fn endless() -> RunDummy {
    RunDummy {
        iterations: 1_000_000,
        ..short()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_counts_each_of_its_steps_once() {
    // Guarded: what a worker may ask for must be enough.
    let sandbox = Sandbox::start_guarded().await;
    let dummy = Watched::start(&sandbox, "ktrdr-dummy", &["--set", "slots=2"]).await;

    for _ in 0..3 {
        sandbox.complete(&short().operation()).await;
    }
    let failing = RunDummy {
        fail_at: Some(2),
        ..short()
    };
    let op = sandbox.submit(&failing.operation()).await;
    sandbox.until_concluded(&op).await;
    let op = sandbox.submit(&endless().operation()).await;
    sandbox.until_working(&op, 1).await;
    assert_eq!(dummy.page().value("ktrdr_slots_in_use"), Some(1.0));
    sandbox.bus().cancels().request(&op, "").await.unwrap();
    sandbox.until_concluded(&op).await;

    let steps = "ktrdr_steps_total{kind=\"dummy\",outcome=\"cancelled\",service=\"dummy\"}";
    let page = dummy.until_sample(steps, 1.0).await;
    for (sample, value) in [
        (
            "ktrdr_steps_total{kind=\"dummy\",outcome=\"completed\",service=\"dummy\"}",
            3.0,
        ),
        (
            "ktrdr_steps_total{kind=\"dummy\",outcome=\"failed\",service=\"dummy\"}",
            1.0,
        ),
        (
            "ktrdr_step_duration_seconds_count{kind=\"dummy\",service=\"dummy\"}",
            5.0,
        ),
        (
            "ktrdr_operations_ended_total{kind=\"dummy\",state=\"completed\"}",
            3.0,
        ),
        (
            "ktrdr_operations_ended_total{kind=\"dummy\",state=\"failed\"}",
            1.0,
        ),
        (
            "ktrdr_operations_ended_total{kind=\"dummy\",state=\"cancelled\"}",
            1.0,
        ),
        ("ktrdr_dead_letters_total{service=\"dummy\"}", 1.0),
        ("ktrdr_slots", 2.0),
        ("ktrdr_bus_connected", 1.0),
        ("ktrdr_bus_reconnects_total", 0.0),
        ("ktrdr_condition_ok{condition=\"bus\"}", 1.0),
        ("ktrdr_condition_ok{condition=\"store\"}", 1.0),
        ("ktrdr_condition_ok{condition=\"clock\"}", 1.0),
        ("ktrdr_condition_ok{condition=\"space\"}", 1.0),
        (
            "ktrdr_queue_waiting_commands{lane=\"default\",service=\"dummy\"}",
            0.0,
        ),
        ("ktrdr_build_info{service=\"dummy\",version=\"0.1.0\"}", 1.0),
    ] {
        assert_eq!(page.value(sample), Some(value), "{sample}");
    }
    check_with_promtool(&dummy.get("/metrics").body);
    let memory = page.value("process_resident_memory_bytes").unwrap();
    assert!((1e6..1e10).contains(&memory), "{memory}");
    assert!(page.value("ktrdr_free_space_bytes").unwrap() > 1e6);
    assert!(page.value("ktrdr_clock_skew_seconds").unwrap().abs() < 5.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_shows_how_much_waits_and_since_when() {
    let sandbox = Sandbox::start_guarded().await;
    let dummy = Watched::start(&sandbox, "ktrdr-dummy", &[]).await;

    let mut ops = vec![sandbox.submit(&endless().operation()).await];
    sandbox.until_working(&ops[0], 1).await;
    for _ in 0..4 {
        ops.push(sandbox.submit(&endless().operation()).await);
    }
    let waiting = "ktrdr_queue_waiting_commands{lane=\"default\",service=\"dummy\"}";
    let page = dummy.until_sample(waiting, 4.0).await;
    let claimed = "ktrdr_queue_claimed_commands{lane=\"default\",service=\"dummy\"}";
    assert_eq!(page.value(claimed), Some(1.0));

    // The oldest one gets older.
    let oldest = "ktrdr_queue_oldest_command_age_seconds{lane=\"default\",service=\"dummy\"}";
    let age = page.value(oldest).unwrap();
    assert!((0.0..60.0).contains(&age), "{age}");
    until("a higher age", || async {
        dummy
            .page()
            .value(oldest)
            .filter(|later| *later > age + 1.0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_housekeeper_shows_queues_that_nobody_serves() {
    let sandbox = Sandbox::start_guarded().await;
    let fetcher = Watched::start(&sandbox, "ktrdr-fetcher", &[]).await;
    fetcher.until_sample("ktrdr_housekeeper", 1.0).await;

    sandbox.submit(&short().operation()).await;

    let waiting = "ktrdr_queue_waiting_commands{lane=\"default\",service=\"dummy\"}";
    let page = fetcher.until_sample(waiting, 1.0).await;
    let pulls = "ktrdr_queue_waiting_pulls{lane=\"default\",service=\"dummy\"}";
    assert_eq!(page.value(pulls), Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_is_counted_by_whoever_made_it() {
    let sandbox = Sandbox::start().await;
    // It does the housekeeping, and has nothing else to do.
    let fetcher = Watched::start(&sandbox, "ktrdr-fetcher", &[]).await;
    fetcher.until_sample("ktrdr_housekeeper", 1.0).await;
    let mut lost = Watched::start(&sandbox, "ktrdr-dummy", &[]).await;
    let op = sandbox.submit(&endless().operation()).await;
    sandbox.until_working(&op, 1).await;
    let active = "ktrdr_operations_active{kind=\"dummy\",state=\"running\"}";
    fetcher.until_sample(active, 1.0).await;

    lost.process.kill();
    let heir = Watched::start(&sandbox, "ktrdr-dummy", &[]).await;
    sandbox.until_working(&op, 2).await;

    let taken = "ktrdr_takeovers_total{by=\"housekeeper\"}";
    fetcher.until_sample(taken, 1.0).await;
    // It may have come to the heir before the worker counted as lost, too.
    let again = heir
        .page()
        .value("ktrdr_redeliveries_total{service=\"dummy\"}");
    assert!(again >= Some(1.0), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_counts_requests_and_bytes() {
    let sandbox = Sandbox::start().await;
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("bars");
    let files = format!("files={}", files.display());
    let fetcher = Watched::start(&sandbox, "ktrdr-fetcher", &["--set", &files]).await;
    let _validator = sandbox.spawn("ktrdr-validator");
    sandbox.until_workers(Service::Fetcher, 1).await;
    let eurusd = SeriesRequest {
        symbol: "EURUSD".to_owned(),
        timeframe: "1h".to_owned(),
    };
    let load = DataLoad {
        fetch: FetchBars {
            provider: "file".to_owned(),
            series: vec![eurusd],
            mode: FetchMode::Full,
            start: Some("2014-01-01T00:00:00Z".parse().unwrap()),
            end: Some("2015-01-01T00:00:00Z".parse().unwrap()),
            refetch: false,
            calendar: None,
            accept_finer: false,
            accept_stored: false,
        },
        labels: [].into(),
    };

    sandbox.complete(&load.operation()).await;

    let steps = "ktrdr_steps_total{kind=\"data\",outcome=\"completed\",service=\"fetcher\"}";
    let page = fetcher.until_sample(steps, 1.0).await;
    let requests =
        "ktrdr_provider_request_duration_seconds_count{outcome=\"answered\",provider=\"file\"}";
    assert!(page.value(requests).unwrap() >= 2.0);
    assert_eq!(
        page.value("ktrdr_provider_wait_seconds_total{provider=\"file\"}"),
        Some(0.0)
    );
    let puts = "ktrdr_store_request_duration_seconds_count{operation=\"put\",outcome=\"done\"}";
    assert!(page.value(puts).unwrap() >= 2.0);
    assert!(
        page.value("ktrdr_store_bytes_total{direction=\"written\"}")
            .unwrap()
            > 10_000.0
    );
}
