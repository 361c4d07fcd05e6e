//! Whole screens of 80 and 120 columns: what people look at for longer than a moment.

use std::path::Path;

use bus::Bus;
use jiff::{SignedDuration, Timestamp};
use nats_test_server::Server;
use runtime::settings::BusSettings;
use schemas::ids::{Lane, OperationId, Service, StepNumber, WorkerId};
use schemas::operation::{Holder, NewOperation, OperationRecord};
use schemas::plan::{Plan, StepSpec};
use schemas::progress::{Context, Count, Device, ProgressRecord};
use serde_json::{Value, json};

use crate::program::{ktrdr_in, run_in};
use crate::running_up::{RunningUp, launched_by, start_operation};
use crate::terminal::Terminal;

const WIDTHS: [u16; 2] = [80, 120];
/// What differs from run to run, with a text of the same width where columns depend on it.
const FILTERS: [(&str, &str); 7] = [
    (
        r"op_([a-z]+)_\d{8}_\d{6}_[0-9a-f]{8}",
        "op_${1}_20260301_142233_9f3a01bc",
    ),
    (r"(dummy|family) [0-9a-f]{8}", "${1} 9f3a01bc"),
    ("[⠋⠙⠹⠸⠼⠴⠦⠧]", "⠋"),
    (r"1m \d+s", "1m 12s"),
    (r"0%  \d+s", "0%  1s"),
    ("=operations.yaml.*", "=operations.yaml"),
    (r"\d+\.\ds +(file|iterations)=", "1.2s      ${1}="),
];

/// A dummy that has not done a percent of its work when the test ends.
const LONG_DUMMY: &str = "dummy start --iterations 60000 --duration 60000";

fn assert_screen(name: &str, terminal: &Terminal, columns: u16) {
    let mut settings = insta::Settings::clone_current();
    for (pattern, text) in FILTERS {
        settings.add_filter(pattern, text);
    }

    let name = format!("{name}_{columns}");
    settings.bind(|| insta::assert_snapshot!(name, terminal.text()));
}

/// A training of five steps whose fourth is at work, as its services left it.
struct Training {
    record: OperationRecord,
    start: Timestamp,
}

fn number(step: usize) -> StepNumber {
    StepNumber::new(step).unwrap()
}

fn trainer() -> WorkerId {
    "trainer-here-1-0001".parse().unwrap()
}

impl Training {
    fn new() -> Self {
        let services = [
            (Service::Fetcher, 15.0),
            (Service::Validator, 5.0),
            (Service::Processor, 15.0),
            (Service::Trainer, 60.0),
            (Service::Registry, 5.0),
        ];
        let steps = services.map(|(service, weight)| StepSpec {
            service,
            verb: "run".to_owned(),
            lane: Lane::Default,
            weight,
            command: Value::Null,
        });
        let new = NewOperation {
            kind: "train".to_owned(),
            plan: Plan::sequence(steps.into()),
            ..NewOperation::default()
        };
        let start = Timestamp::now() - SignedDuration::from_secs(92);
        let op: OperationId = "op_train_20260301_142233_9f3a01bc".parse().unwrap();
        let mut training = Self {
            record: OperationRecord::create(op, new, start),
            start,
        };

        training.complete(1, 0, 12, json!({"bars": 46_800, "series": "EURUSD 1h"}));
        training.complete(2, 12, 13, json!({"score": 0.98}));
        training.complete(3, 13, 20, json!({"samples": 46_511}));
        training.claim(4, 20);
        training
    }

    fn at(&self, seconds: i64) -> Timestamp {
        self.start + SignedDuration::from_secs(seconds)
    }

    fn claim(&mut self, step: usize, seconds: i64) {
        let holder = Holder {
            worker: trainer(),
            ack_subject: "x".to_owned(),
            since: self.at(seconds),
        };
        let submission = self.record.steps[step - 1].submission;
        let claimed = self.record.claim(number(step), submission, holder, None);
        claimed.unwrap();
    }

    fn complete(&mut self, step: usize, from: i64, to: i64, result: Value) {
        self.claim(step, from);
        let end = self.at(to);
        let completed = self.record.complete(number(step), 1, result, end);
        completed.unwrap();
    }

    /// The report number `seq` of the trainer.
    fn report(&self, seq: u64) -> ProgressRecord {
        ProgressRecord {
            v: 1,
            op: self.record.op.clone(),
            step: number(4),
            steps: 5,
            service: Service::Trainer,
            worker: trainer(),
            attempt: 1,
            seq,
            at: Timestamp::now(),
            started_at: self.at(20),
            percent: 62.1,
            step_percent: 45.2,
            eta_s: Some(87.0),
            rate: Some(340.0),
            message: "Training MLP model on EURUSD [1h] [epoch 15/50] (batch 342/500)".to_owned(),
            items: None,
            context: fifteenth_epoch(),
            waiting: None,
        }
    }
}

fn fifteenth_epoch() -> Context {
    Context::Train {
        model_type: "mlp".to_owned(),
        strategy: "eurusd_rsi_macd".to_owned(),
        symbols: vec!["fx:EUR.USD".to_owned()],
        timeframes: vec!["1h".to_owned()],
        epoch: Count {
            done: 15,
            total: 50,
        },
        batch: Count {
            done: 342,
            total: 500,
        },
        train_loss: Some(0.81234),
        val_loss: Some(0.83456),
        learning_rate: 1e-3,
        device: Device {
            kind: "cpu".to_owned(),
            name: String::new(),
            ..Device::default()
        },
    }
}

/// A trainer that reports again and again, so that nobody takes it for silent.
async fn report_on(url: String, training: Training) {
    let settings = BusSettings {
        url,
        ..BusSettings::default()
    };
    let options = settings.connect_options("test", false);
    let bus = Bus::connect(&options).await.unwrap();
    let created = bus.operations().create(training.record.clone()).await;
    created.unwrap();

    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(200));
    for seq in 1.. {
        ticks.tick().await;
        let report = training.report(seq);
        // The server ends with the test.
        if bus.progress().publish(&report).await.is_err() {
            return;
        }
    }
}

#[test]
fn the_epoch_and_the_loss_of_a_training_stay_on_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), false);
    let url = server.url();
    let applied = run_in(folder.path(), &["infra", "apply", "--server", &url]);
    assert_eq!(applied.exit, Some(0), "{}", applied.err);
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(1).enable_all().build().unwrap();
    let training = Training::new();
    let op = training.record.op.to_string();
    runtime.spawn(report_on(url.clone(), training));

    for columns in WIDTHS {
        let arguments = ["follow", &op, "--server", &url];
        let mut follower = Terminal::start(folder.path(), &arguments, columns);
        follower.until("loss 0.8123");
        follower.until("registry (5/5)");
        leave(follower, "training", columns);
    }
    runtime.shutdown_background();
}

/// A system with a family service and a dummy that works on one step at a time.
fn start_system(folder: &Path) -> RunningUp {
    let arguments = ["up", "--profile", "test", "--services", "family,dummy"];
    let up = ktrdr_in(folder, &arguments);
    RunningUp::start_command(launched_by("env", &[], &up))
}

#[test]
fn families_and_lists_fit_on_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let _up = start_system(folder.path());
    let operations =
        format!("stages:\n  - - {LONG_DUMMY}\n    - {LONG_DUMMY}\n  - - {LONG_DUMMY}\n");
    std::fs::write(folder.path().join("operations.yaml"), operations).unwrap();
    let family = start_operation(folder.path(), "run operations.yaml");

    let start = |arguments: &[&str], columns| Terminal::start(folder.path(), arguments, columns);
    for columns in WIDTHS {
        let mut follower = start(&["follow", &family], columns);
        follower.until("1 running, 1 queued");
        follower.until("iterations 60000");
        leave(follower, "family", columns);
    }

    // The dummy is at work for the family by now.
    let single = start_operation(folder.path(), LONG_DUMMY);
    for columns in WIDTHS {
        let mut several = start(&["follow", &family, &single], columns);
        several.until("1 running, 1 queued");
        several.until("◌ dummy");
        leave(several, "several", columns);

        let mut list = start(&["ops", "--watch"], columns);
        list.until("running");
        leave(list, "operations", columns);
    }
}

#[test]
fn no_row_of_the_workers_goes_on_in_the_next_line() {
    let folder = tempfile::tempdir().unwrap();
    let _up = start_system(folder.path());
    start_operation(folder.path(), LONG_DUMMY);

    for columns in WIDTHS {
        let mut list = Terminal::start(folder.path(), &["workers", "list"], columns);
        assert_eq!(list.until_ended(), Some(0));

        let screen = list.text();
        let starts = screen.lines().map(|line| line.split([' ', '-']).next());
        let starts: Vec<&str> = starts.flatten().collect();
        assert_eq!(starts, ["WORKER", "dummy", "family"], "{screen}");
    }
}

/// Compares the screen with what it was, and ends the program.
fn leave(mut terminal: Terminal, name: &str, columns: u16) {
    assert_screen(name, &terminal, columns);
    terminal.type_keys("\x03");
    assert_eq!(terminal.until_ended(), Some(0));
}
