//! Crashes between any two steps of the protocol: one completion, and each effect once, whatever
//! the handler does.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

use dummy::Dummy;
use fetcher::{Fetcher, FetcherSettings};
use jiff::Timestamp;
use market::{SeriesKey, Utc};
use processor::{Processor, ProcessorSettings};
use runtime::probe::Moment;
use schemas::command::Command;
use schemas::commands::{
    FetchBars, FetchMode, FetchOutcome, ProcessBars, ProcessOutcome, RunDummy, SeriesRequest,
    TrainRequest, ValidateBars,
};
use schemas::events::What;
use schemas::ids::{Lane, OperationId, Service};
use schemas::operation::NewOperation;
use schemas::operation::OperationState;
use schemas::plan::{Plan, StepSpec};
use schemas::requests::DataLoad;
use serde_json::Value;
use store::ALL_TIME;
use system_tests::{Dies, Sandbox, steps};
use validator::Validator;

use crate::commands::{endless, short};

/// A strategy over the daily bars of the sample files.
const STRATEGY: &str = include_str!("../../../strategies/catalog/spy_return_regression.yaml");

async fn count_events(sandbox: &Sandbox, op: &OperationId, what: What) -> usize {
    let events = sandbox.events(op).await;
    events.iter().filter(|event| event.what == what).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_moment_of_a_plan_leads_to_one_completion() {
    let sandbox = Sandbox::start().await;
    let request = steps(&[short(2), short(1)]);

    sandbox
        .crash_everywhere(
            || Dummy,
            &request,
            async |op, moment| {
                let completion = sandbox.only_completion_of(op).await;
                assert_eq!(completion.state, OperationState::Completed, "{moment:?}");
                assert!(sandbox.dead_letters(op).await.is_empty(), "{moment:?}");
            },
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_the_last_step_of_a_plan_concludes_it() {
    let sandbox = Sandbox::start().await;
    let request = short(2).operation();

    sandbox
        .crash_everywhere(
            || Dummy,
            &request,
            async |op, moment| {
                let completion = sandbox.only_completion_of(op).await;
                // Once the record has the end of the step, nobody works on it again.
                let attempts = match moment {
                    Moment::Claimed | Moment::Done => 2,
                    _ => 1,
                };
                assert_eq!(completion.attempt, attempts, "{moment:?}");
            },
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_a_step_fails_leaves_one_dead_letter() {
    let sandbox = Sandbox::start().await;
    let failing = RunDummy {
        fail_at: Some(1),
        ..short(1)
    };
    let request = steps(&[failing, short(1)]);

    sandbox
        .crash_everywhere(
            || Dummy,
            &request,
            async |op, moment| {
                let record = sandbox.until_concluded(op).await;
                assert_eq!(record.state, OperationState::Failed, "{moment:?}");
                let failed = count_events(&sandbox, op, What::Failed).await;
                assert_eq!(failed, 1, "{moment:?}");
                assert_eq!(sandbox.dead_letters(op).await.len(), 1, "{moment:?}");
            },
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_a_step_is_cancelled_leaves_one_event() {
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;

    for moment in [
        Moment::Done,
        Moment::Recorded,
        Moment::Announced,
        Moment::Continued,
        Moment::Acked,
    ] {
        let mut dying = sandbox
            .run_with(Dummy, |options| options.probe = Dies::at(moment))
            .await;
        let op = sandbox.submit(&endless().operation()).await;
        sandbox.until_working(&op, 1).await;
        sandbox.bus().cancels().request(&op, "").await.unwrap();
        dying.until_left().await.unwrap_err();

        let successor = sandbox.run(Dummy).await;
        let record = sandbox.until_concluded(&op).await;
        successor.kill();

        assert_eq!(record.state, OperationState::Cancelled, "{moment:?}");
        let cancelled = count_events(&sandbox, &op, What::Cancelled).await;
        assert_eq!(cancelled, 1, "{moment:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_announced_once_after_ids_were_forgotten() {
    let sandbox = Sandbox::start().await;
    let mut dying = sandbox
        .run_with(Dummy, |options| options.probe = Dies::at(Moment::Acked))
        .await;
    sandbox.until_workers(Service::Dummy, 1).await;
    sandbox.forget_message_ids().await;
    let failing = RunDummy {
        fail_at: Some(1),
        ..short(1)
    };

    let op = sandbox.submit(&failing.operation()).await;
    dying.until_left().await.unwrap_err();

    // The active mark is still there: housekeeping concludes the operation again once its record is
    // older than two seconds.
    let _housekeeper = sandbox.start_housekeeper().await;
    sandbox.until_concluded(&op).await;
    assert_eq!(sandbox.story(&op).await, "1.started 1.failed");
    assert_eq!(sandbox.dead_letters(&op).await.len(), 1);
}

/// Fetches from the sample files.
fn new_fetcher() -> Fetcher {
    let bars = Path::new(env!("CARGO_MANIFEST_DIR")).join("bars");
    Fetcher::new(FetcherSettings {
        files: bars.display().to_string(),
        ..FetcherSettings::default()
    })
}

/// Asks for all daily bars of SPY.
fn fetch_daily_bars() -> FetchBars {
    FetchBars {
        provider: "file".to_owned(),
        series: vec![SeriesRequest {
            symbol: "SPY".to_owned(),
            timeframe: "1d".to_owned(),
        }],
        mode: FetchMode::Full,
        start: None,
        end: None,
        refetch: false,
        calendar: None,
        accept_finer: false,
        accept_stored: false,
    }
}

/// Loads the daily bars of SPY; returns the key of the series.
async fn load_daily_bars(sandbox: &Sandbox) -> String {
    let _fetcher = sandbox.run(new_fetcher()).await;
    let _validator = sandbox.run(Validator::default()).await;
    let load = DataLoad {
        fetch: fetch_daily_bars(),
        labels: [].into(),
    };

    let op = sandbox.submit(&load.operation()).await;
    sandbox.only_completion_of(&op).await;
    let record = sandbox.record(&op).await;
    let outcome: FetchOutcome = serde_json::from_value(record.steps[0].result.clone()).unwrap();
    outcome.series[0].series.clone()
}

/// An operation of the one step that carries out `command`.
fn one_step<C: Command>(command: &C, params: Value) -> NewOperation {
    let step = StepSpec {
        service: C::SERVICE,
        verb: C::VERB.to_owned(),
        lane: Lane::Default,
        weight: 1.0,
        command: serde_json::to_value(command).unwrap(),
    };

    NewOperation {
        kind: "test".to_owned(),
        labels: [].into(),
        params,
        plan: Plan::sequence(vec![step]),
        ..NewOperation::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetcher_that_crashes_anywhere_commits_once() {
    let sandbox = Sandbox::start().await;
    let series = sandbox.store().series();
    let request = one_step(&fetch_daily_bars(), Value::Null);
    // What a fetch has stored; taken away again, so that the next one has the same work.
    let take_away = async |op: &OperationId| {
        let completion = sandbox.only_completion_of(op).await;
        let outcome: FetchOutcome = serde_json::from_value(completion.result).unwrap();
        let key: SeriesKey = outcome.series[0].series.parse().unwrap();
        let stored = series.snapshot(&key, None).await.unwrap().unwrap();
        let now = Utc::from_timestamp(Timestamp::now());
        series.delete(&key, ALL_TIME, now).await.unwrap();
        (stored.manifest.revision, stored.content_sha256())
    };
    let (commits, content) = {
        let _worker = sandbox.run(new_fetcher()).await;
        take_away(&sandbox.submit(&request).await).await
    };

    let revisions = Mutex::new(vec![commits]);
    sandbox
        .crash_everywhere(new_fetcher, &request, async |op, moment| {
            let (revision, again) = take_away(op).await;
            assert_eq!(again, content, "{moment:?}");
            revisions.lock().unwrap().push(revision);
        })
        .await;

    // As many revisions of each fetch as of the first, and one of each deletion between two.
    let expected = (0..7).map(|number| commits + number * (commits + 1));
    assert_eq!(*revisions.lock().unwrap(), expected.collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_crashes_anywhere_reports_the_same() {
    let sandbox = Sandbox::start().await;
    let series = load_daily_bars(&sandbox).await;
    let validate = ValidateBars {
        series: vec![series],
        start: None,
        end: None,
    };
    let request = one_step(&validate, Value::Null);
    let undisturbed = {
        let _worker = sandbox.run(Validator::default()).await;
        let op = sandbox.submit(&request).await;
        sandbox.only_completion_of(&op).await.result
    };

    sandbox
        .crash_everywhere(Validator::default, &request, async |op, moment| {
            let completion = sandbox.only_completion_of(op).await;
            // The outcome names the report by its content: the same key is the same object.
            assert_eq!(completion.result, undisturbed, "{moment:?}");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_crashes_anywhere_builds_one_data_set() {
    let sandbox = Sandbox::start().await;
    let series = load_daily_bars(&sandbox).await;
    let process = ProcessBars {
        series: vec![series],
    };
    let train = TrainRequest {
        strategy: STRATEGY.to_owned(),
        overrides: Value::Null,
        model: None,
    };
    let request = one_step(&process, serde_json::to_value(&train).unwrap());
    let new_processor = || Processor::new(ProcessorSettings::default());

    let data_sets = Mutex::new(BTreeSet::new());
    sandbox
        .crash_everywhere(new_processor, &request, async |op, moment| {
            let completion = sandbox.only_completion_of(op).await;
            let outcome: ProcessOutcome = serde_json::from_value(completion.result).unwrap();
            assert!(outcome.rows > 0, "{moment:?}");
            data_sets.lock().unwrap().insert(outcome.dataset);
        })
        .await;

    assert_eq!(data_sets.lock().unwrap().len(), 1);
}
