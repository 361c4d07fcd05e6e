//! The whole pipeline as real processes: fetch, validate, process, train, register, whoever is
//! killed or cancelled when.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use networks::Model;
use networks::tsk::RuleReport;
use schemas::commands::{
    FetchBars, FetchMode, FetchOutcome, ProcessOutcome, RegisterOutcome, SeriesRequest,
    TrainOutcome, TrainRequest,
};
use schemas::events::What;
use schemas::ids::{Lane, OperationId, Service};
use schemas::manifests::Architecture;
use schemas::metrics::MetricsDocument;
use schemas::operation::{NewOperation, OperationRecord, OperationState};
use schemas::requests::Training;
use serde::de::DeserializeOwned;
use system_tests::{Process, Sandbox};

const STRATEGY: &str = include_str!("../../../../strategies/catalog/eurusd_rsi_macd.yaml");
const RECURRENT: &str = include_str!("../../../../strategies/catalog/spy_lstm.yaml");
const RULES: &str = include_str!("../../../../strategies/catalog/eurusd_rules.yaml");
const SERVICES: [Service; 5] = [
    Service::Fetcher,
    Service::Validator,
    Service::Processor,
    Service::Trainer,
    Service::Registry,
];

/// Two years of hourly EURUSD from the sample files, `epochs` epochs to the end, a fixed seed.
fn training(epochs: u32) -> NewOperation {
    training_of(STRATEGY, epochs)
}

/// The same by another strategy.
fn training_of(strategy: &str, epochs: u32) -> NewOperation {
    let start = "2014-01-01T00:00:00Z";
    let end = "2016-01-01T00:00:00Z";
    let micros = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let overrides = serde_json::json!({ "epochs": epochs, "seed": 7, "start": micros(start), "end": micros(end) });
    let request = TrainRequest {
        strategy: strategy.replace("  early_stopping:", "  #"),
        overrides,
        model: None,
    };
    let fetch = FetchBars {
        start: Some(start.parse().unwrap()),
        end: Some(end.parse().unwrap()),
        ..fetch_of("EURUSD", "1h")
    };

    operation_of(request, fetch)
}

/// Daily SPY from the sample files, read in windows by the network of this type.
fn recurrent_training(kind: &str, epochs: u32) -> NewOperation {
    let request = TrainRequest {
        strategy: RECURRENT
            .replace("  early_stopping:", "  #")
            .replace("type: lstm", &format!("type: {kind}")),
        overrides: serde_json::json!({ "epochs": epochs }),
        model: Some(format!("spy_{kind}")),
    };
    operation_of(request, fetch_of("SPY", "1d"))
}

/// All bars of a series in the sample files.
fn fetch_of(symbol: &str, timeframe: &str) -> FetchBars {
    FetchBars {
        provider: "file".to_owned(),
        series: vec![SeriesRequest {
            symbol: symbol.to_owned(),
            timeframe: timeframe.to_owned(),
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

fn operation_of(request: TrainRequest, fetch: FetchBars) -> NewOperation {
    Training {
        request,
        fetch,
        bundle: None,
        lane: Lane::Default,
        labels: [].into(),
    }
    .operation()
}

fn spawn(sandbox: &Sandbox, service: Service) -> Process {
    let bars = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bars");
    let files = format!("files={}", bars.display());
    let flags: &[&str] = if service == Service::Fetcher {
        &["--set", &files]
    } else {
        &[]
    };
    sandbox.spawn_with(&format!("ktrdr-{service}"), flags)
}

fn spawn_all(sandbox: &Sandbox) -> Vec<Process> {
    SERVICES
        .iter()
        .map(|service| spawn(sandbox, *service))
        .collect()
}

fn outcome<T: DeserializeOwned>(record: &OperationRecord, step: usize) -> T {
    serde_json::from_value(record.steps[step - 1].result.clone()).unwrap()
}

async fn completed(sandbox: &Sandbox, op: &OperationId) -> OperationRecord {
    let record = sandbox.until_concluded(op).await;
    assert_eq!(
        record.state,
        OperationState::Completed,
        "{:#?}",
        record.failure
    );
    sandbox.only_completion_of(op).await;
    record
}

/// Hash of the weights that a completed training left.
async fn weights(sandbox: &Sandbox, record: &OperationRecord) -> String {
    let artifact = outcome::<TrainOutcome>(record, 4).artifact;
    sandbox
        .store()
        .artifacts()
        .manifest(&artifact)
        .await
        .unwrap()
        .files["model.safetensors"]
        .sha256
        .clone()
}

/// Weights of a training in a system of its own that nothing disturbs.
async fn undisturbed(epochs: u32) -> String {
    let sandbox = Sandbox::start().await;
    let _services = spawn_all(&sandbox);
    let op = sandbox.submit(&training(epochs)).await;
    weights(&sandbox, &completed(&sandbox, &op).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_training_on_the_same_data_reuses_the_data_set() {
    let sandbox = Sandbox::start().await;
    let _services = spawn_all(&sandbox);

    let op = sandbox.submit(&training(3)).await;
    let first = completed(&sandbox, &op).await;
    let data = outcome::<ProcessOutcome>(&first, 3);
    let version = outcome::<RegisterOutcome>(&first, 5);
    assert!(data.rows > 10_000, "{data:?}");
    assert!(!data.reused);
    assert_eq!(version.version, 1);

    let op = sandbox.submit(&training(4)).await;
    let second = completed(&sandbox, &op).await;
    let fetched = outcome::<FetchOutcome>(&second, 1);
    assert_eq!(fetched.series[0].work.fetched, 0);
    let again = outcome::<ProcessOutcome>(&second, 3);
    assert_eq!((again.dataset, again.reused), (data.dataset, true));
    assert_eq!(outcome::<RegisterOutcome>(&second, 5).version, 2);

    let stored = sandbox.store().models().find(&version.name, Some(1)).await;
    let stored = stored.unwrap().unwrap();
    assert_eq!(stored.lineage.operation, first.op.to_string());
}

/// Kills the worker that has claimed `step`, as soon as it has.
async fn kill_holder(sandbox: &Sandbox, services: &mut [Process], op: &OperationId, step: u16) {
    let started = sandbox
        .until_event(op, "started", |event| {
            event.step.get() == step && event.what == What::Started
        })
        .await;
    let holder = started.worker.unwrap();
    let process = services.iter_mut().find(|process| process.runs(&holder));
    process.unwrap().kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_killed_in_its_step_leaves_the_model_the_same() {
    const EPOCHS: u32 = 20;
    let sandbox = Sandbox::start().await;
    let mut services: Vec<Process> = spawn_all(&sandbox)
        .into_iter()
        .chain(spawn_all(&sandbox))
        .collect();
    for service in SERVICES {
        sandbox.until_workers(service, 2).await;
    }

    let op = sandbox.submit(&training(EPOCHS)).await;
    for step in 1..=5 {
        kill_holder(&sandbox, &mut services, &op, step).await;
    }
    let record = completed(&sandbox, &op).await;

    let interrupted = record.steps.iter().filter(|step| step.attempt > 1).count();
    assert!(
        interrupted >= 3,
        "fetch, process and train are long enough to be hit: {interrupted}"
    );
    let version = outcome::<RegisterOutcome>(&record, 5);
    assert_eq!(version.version, 1, "the version was assigned once");
    assert_eq!(weights(&sandbox, &record).await, undisturbed(EPOCHS).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_cancelled_twenty_times_ends_with_the_same_weights() {
    // So many that twenty stretches of some tens of milliseconds do not end it.
    const EPOCHS: u32 = 300;
    let sandbox = Sandbox::start().await;
    let _services = spawn_all(&sandbox);
    let op = sandbox.submit(&training(EPOCHS)).await;
    sandbox
        .until_event(&op, "training", |event| {
            event.step.get() == 4 && event.what == What::Started
        })
        .await;

    let mut slowest = Duration::ZERO;
    for attempt in 1..=20 {
        // Moments that differ from attempt to attempt, and are the same in every run.
        sandbox.until_working_on(&op, 4, attempt).await;
        let pause = Duration::from_millis(u64::from(attempt * 37 % 30));
        sandbox.after(pause).await;

        let request_time = Instant::now();
        sandbox.bus().cancels().request(&op, "").await.unwrap();
        let record = sandbox.until_ended(&op).await;
        slowest = slowest.max(request_time.elapsed());
        assert_eq!(record.state, OperationState::Cancelled);
        sandbox.bus().operations().resume(&op).await.unwrap();
    }

    assert!(slowest < Duration::from_secs(1), "slowest {slowest:?}");
    let record = completed(&sandbox, &op).await;
    assert_eq!(weights(&sandbox, &record).await, undisturbed(EPOCHS).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_lstm_and_a_gru_become_versions_that_predict() {
    let sandbox = Sandbox::start().await;
    let _services = spawn_all(&sandbox);

    for kind in ["lstm", "gru"] {
        let op = sandbox.submit(&recurrent_training(kind, 2)).await;
        let record = completed(&sandbox, &op).await;

        // No day is missing between the first and the last row of a part.
        let windows = outcome::<TrainOutcome>(&record, 4).windows.unwrap();
        assert_eq!(windows.length, 20);
        let lost: Vec<u64> = windows.rows_lost.into_values().collect();
        assert_eq!(lost, [19, 19, 19]);

        // The registry has predicted with it before it gave the version.
        let version = outcome::<RegisterOutcome>(&record, 5);
        assert_eq!((version.name, version.version), (format!("spy_{kind}"), 1));
        let artifact = sandbox.store().artifacts().read(&version.artifact);
        let artifact = artifact.await.unwrap();
        let network = &artifact.manifest.network;
        assert_eq!(network.architecture.name(), kind);
        let model = Model::from_safetensors(network, &artifact.files["model.safetensors"]).unwrap();
        let window = vec![0.5; 20 * network.features.len()];
        let sum: f32 = model.predict(&[window]).unwrap()[0].iter().sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_base_becomes_a_version_that_can_be_read() {
    let sandbox = Sandbox::start().await;
    let _services = spawn_all(&sandbox);

    let calibrated = RULES.replace("\ntraining:\n", "\ntraining:\n  calibration: temperature\n");
    let op = sandbox.submit(&training_of(&calibrated, 60)).await;
    let record = completed(&sandbox, &op).await;

    let progress = sandbox.progress_of(&op).await;
    let mut messages = progress.iter().map(|each| each.message.as_str());
    let expected = "Training TSK model on EURUSD [1h] [epoch ";
    assert!(messages.any(|message| message.starts_with(expected)));

    // The registry has predicted with it before it gave the version.
    let version = outcome::<RegisterOutcome>(&record, 5);
    assert_eq!(version.version, 1);
    let artifact = sandbox.store().artifacts().read(&version.artifact);
    let artifact = artifact.await.unwrap();
    let network = &artifact.manifest.network;
    let Architecture::Tsk(shape) = &network.architecture else {
        panic!("{network:?}");
    };

    // 3 x 3 x 2 combinations, of which training leaves those that fire.
    let rules = shape.base.rules.len();
    assert_eq!(rules + shape.pruned_rules, 18);
    let report: RuleReport = serde_json::from_slice(&artifact.files["rules.json"]).unwrap();
    assert_eq!(report.rules.len(), rules);
    let trained = outcome::<TrainOutcome>(&record, 4);
    assert_eq!(trained.parameters, network.parameter_count() as u64);
    let sentence = report.rules[0].sentence(&shape.base, &network.output);
    assert!(
        sentence.starts_with("IF rsi_zone is oversold"),
        "{sentence}"
    );

    // Its strategy leaves the threshold to the validation part.
    let metrics: MetricsDocument = serde_json::from_slice(&artifact.files["metrics.json"]).unwrap();
    let decisions = metrics.evaluation.decisions.unwrap();
    let chosen = artifact.manifest.confidence_threshold;
    assert_eq!(chosen, Some(decisions.threshold.value()));
    let temperature = metrics.evaluation.temperature.unwrap();
    assert!(temperature.uncalibrated.is_some(), "{temperature:?}");
    assert_eq!(artifact.manifest.temperature, Some(temperature.value));
    let validation = decisions.parts["validation"];
    let acted = validation.buy + validation.sell;
    assert!(20 * acted >= validation.rows(), "{validation:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_lstm_killed_after_a_checkpoint_ends_with_the_same_bits() {
    const EPOCHS: u32 = 40;
    let sandbox = Sandbox::start().await;
    let mut services = spawn_all(&sandbox);
    services.push(spawn(&sandbox, Service::Trainer));
    sandbox.until_workers(Service::Trainer, 2).await;

    let op = sandbox.submit(&recurrent_training("lstm", EPOCHS)).await;
    sandbox
        .until_event(&op, "checkpointed", |event| {
            event.step.get() == 4 && event.what == What::Checkpointed
        })
        .await;
    kill_holder(&sandbox, &mut services, &op, 4).await;
    let record = completed(&sandbox, &op).await;

    let resumed_at = outcome::<TrainOutcome>(&record, 4).resumed_at;
    assert!(resumed_at >= 10, "resumed after {resumed_at}");
    let op = sandbox.submit(&recurrent_training("lstm", EPOCHS)).await;
    let undisturbed = completed(&sandbox, &op).await;
    assert_eq!(outcome::<TrainOutcome>(&undisturbed, 4).resumed_at, 0);
    assert_eq!(
        weights(&sandbox, &record).await,
        weights(&sandbox, &undisturbed).await
    );
}

/// Changes one bit in the middle of a stored file of bars; returns the hash in its name.
fn damage_stored_bars(sandbox: &Sandbox) -> String {
    let files = files_under(&sandbox.folder().join("objects/bars"));
    let is_parquet = |path: &&PathBuf| path.extension().is_some_and(|it| it == "parquet");
    let file = files.iter().find(is_parquet).unwrap();

    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();

    // `<period>.<sha256>.parquet`
    let stem = file.file_stem().unwrap().to_str().unwrap();
    stem.rsplit('.').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_trained_on_stored_bars_with_a_flipped_bit() {
    let sandbox = Sandbox::start().await;
    let _services = spawn_all(&sandbox);
    let op = sandbox.submit(&training(3)).await;
    completed(&sandbox, &op).await;
    let hash = damage_stored_bars(&sandbox);

    // More epochs are another training of the same data: without the damage it would complete.
    let op = sandbox.submit(&training(4)).await;
    let record = sandbox.until_concluded(&op).await;

    assert_eq!(record.state, OperationState::Failed);
    let failure = record.failure.expect("the training fails");
    assert!(failure.step.get() < 4, "{failure:?}");
    assert!(failure.error.message.contains(&hash), "{failure:?}");
    assert!(!failure.error.hint.is_empty());
    let models = sandbox.store().models().list().await.unwrap();
    assert_eq!(models.len(), 1, "only the model from before");
}

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_under(&path));
        } else {
            files.push(path);
        }
    }
    files
}
