//! What the progress lines of typical moments look like: a changed snapshot is a changed promise.

use std::collections::BTreeMap;

use bus::{Profile, TimingKey};
use jiff::{SignedDuration, Timestamp};
use schemas::errors::ErrorRecord;
use schemas::ids::{Lane, OperationId, WorkerId};
use schemas::operation::NewOperation;
use schemas::operation::{Holder, OperationRecord, Said};
use schemas::plan::{Plan, StepSpec};
use schemas::progress::{
    ChildCounts, Context, Count, Device, ProgressRecord, RunningChild, Waiting,
};
use schemas::timings::{TimedStep, Timings};

use super::*;
use crate::watch::expectations::Expectations;
use crate::watch::family_lines::child_lines;
use crate::watch::waiting_reason::QueueFacts;

/// A moment of a training of five steps that began at [`start`]; the knobs are set by each test.
struct Moment {
    record: OperationRecord,
    progress: BTreeMap<StepNumber, ProgressRecord>,
    expectations: Expectations,
    queue: Option<QueueFacts>,
    silent: BTreeMap<WorkerId, Duration>,
    offline: Option<Duration>,
    cancel_asked: Option<Duration>,
    now: Timestamp,
}

fn start() -> Timestamp {
    "2026-03-01T14:22:33Z".parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

fn number(number: usize) -> StepNumber {
    StepNumber::new(number).unwrap()
}

fn worker() -> WorkerId {
    "trainer-here-1-0001".parse().unwrap()
}

impl Moment {
    fn new() -> Self {
        let steps = [
            (Service::Fetcher, 15.0),
            (Service::Validator, 5.0),
            (Service::Processor, 15.0),
            (Service::Trainer, 60.0),
            (Service::Registry, 5.0),
        ];
        let steps = steps.map(|(service, weight)| StepSpec {
            service,
            verb: "run".to_owned(),
            lane: Lane::Default,
            weight,
            command: serde_json::Value::Null,
        });
        let plan = Plan::sequence(steps.into());

        let new = NewOperation {
            kind: "train".to_owned(),
            plan,
            ..NewOperation::default()
        };
        let op: OperationId = "op_train_20260301_142233_9f3a01bc".parse().unwrap();
        Self {
            record: OperationRecord::create(op, new, start()),
            progress: BTreeMap::new(),
            expectations: Expectations::default(),
            queue: None,
            silent: BTreeMap::new(),
            offline: None,
            cancel_asked: None,
            now: start(),
        }
    }

    fn claimed(mut self, step: usize, seconds: i64) -> Self {
        let holder = Holder {
            worker: worker(),
            ack_subject: "x".to_owned(),
            since: at(seconds),
        };
        let submission = self.record.steps[step - 1].submission;
        self.record
            .claim(number(step), submission, holder, None)
            .unwrap();
        self.now = at(seconds);
        self
    }

    fn completed(mut self, step: usize, seconds: i64, result: Value) -> Self {
        let attempt = self.record.steps[step - 1].attempt;
        self.record
            .complete(number(step), attempt, result, at(seconds))
            .unwrap();
        self.now = at(seconds);
        self
    }

    /// Data is there; the trainer has worked for 72 s and is at 45.2 %.
    fn training() -> Self {
        let moment = Self::new()
            .claimed(1, 0)
            .completed(
                1,
                12,
                serde_json::json!({"bars": 46_800, "series": "EURUSD 1h"}),
            )
            .claimed(2, 12)
            .completed(2, 13, serde_json::json!({"score": 0.98}))
            .claimed(3, 13)
            .completed(3, 20, serde_json::json!({"samples": 46_511}))
            .claimed(4, 20);

        let message = "Training MLP model on EURUSD [1h] [epoch 5/10] (batch 120/500)";

        moment.with_progress(4, 92, 45.2, message)
    }

    fn with_progress(
        mut self,
        step: usize,
        seconds: i64,
        step_percent: f64,
        message: &str,
    ) -> Self {
        let record = ProgressRecord {
            v: 1,
            op: self.record.op.clone(),
            step: number(step),
            steps: 5,
            service: self.record.plan.step(number(step)).unwrap().service,
            worker: worker(),
            attempt: self.record.steps[step - 1].attempt,
            seq: 1,
            at: at(seconds),
            started_at: at(20),
            percent: 0.0,
            step_percent,
            eta_s: Some(87.0),
            rate: Some(340.0),
            message: message.to_owned(),
            items: None,
            context: Context::None,
            waiting: None,
        };

        self.progress.insert(number(step), record);
        self.now = at(seconds);

        self
    }

    fn facts(&self) -> WaitingFacts<'_> {
        WaitingFacts {
            record: Some(&self.record),
            progress: &self.progress,
            expectations: &self.expectations,
            queue: self.queue,
            silent: &self.silent,
            offline: self.offline,
            cancel_asked: self.cancel_asked,
            timing: Profile::Dev.timing(),
            now: self.now,
        }
    }

    fn live(&self, style: Style) -> String {
        self.live_at(style, 120)
    }

    /// As on a terminal of this width.
    fn live_at(&self, style: Style, width: usize) -> String {
        step_lines(&self.facts())
            .iter()
            .map(|line| live_line(line, style, width) + "\n")
            .collect()
    }

    /// The one line of the step that is worked on or waits.
    fn current(&self) -> String {
        let lines = step_lines(&self.facts());
        let line = lines
            .iter()
            .find(|line| {
                line.state
                    .is_some_and(|state| state != StepState::Completed)
            })
            .unwrap();

        format!(
            "{}\n{}\n\n",
            live_line(line, Style::default(), 120),
            plain_line(line)
        )
    }
}

fn live_line(line: &StepLine, style: Style, width: usize) -> String {
    line.live(style, 2, &format!("{:<15}", line.name()), width)
}

fn plain_line(line: &StepLine) -> String {
    line.plain(Style::default(), &line.name())
}

/// A training whose trainer reports its epoch, its batch and its losses.
fn training_with_losses() -> Moment {
    let mut moment = Moment::training();
    let progress = moment.progress.get_mut(&number(4)).unwrap();

    progress.context = Context::Train {
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
    };
    moment
}

#[test]
fn the_epoch_and_the_loss_survive_80_columns() {
    let moment = training_with_losses();

    let screens = [160, 120, 80, 60].map(|width| {
        let screen = moment.live_at(Style::default(), width);
        for line in screen.lines() {
            assert!(line.chars().count() < width, "{width}: {line}");
        }
        format!("{width} columns\n{screen}\n")
    });

    insta::assert_snapshot!(screens.concat());
}

#[test]
fn a_log_has_the_loss_and_the_rate() {
    let moment = training_with_losses();

    let line = plain_line(&step_lines(&moment.facts())[3]);

    assert!(
        line.contains("loss 0.8123, val 0.8346 · 340 it/s"),
        "{line}"
    );
}

#[test]
fn one_of_several_operations_is_one_line() {
    let moment = training_with_losses();

    let line = operation_line(&moment.facts()).unwrap();

    // 15 + 5 + 15 done, and 45.2 % of 60.
    assert!((line.percent - 62.12).abs() < 1e-9, "{}", line.percent);
    let text = line.live(Style::default(), 2, "train 9f3a01bc", 100);
    assert!(text.contains("train 9f3a01bc  "), "{text}");
    assert!(text.contains("trainer (4/5) Epoch 15/50"), "{text}");
}

/// The same training on a system that has trained twice before, 200 s each time.
fn training_with_history() -> Moment {
    let step = TimedStep {
        seconds: 200.0,
        at: at(-1_000),
    };
    let key = TimingKey {
        service: Service::Trainer,
        verb: "run".to_owned(),
        size: "small".to_owned(),
        device: "cpu".to_owned(),
    };

    let timings = Timings {
        steps: vec![step, step],
        ..Timings::default()
    };
    Moment {
        expectations: Expectations::new(vec![(key, timings)]),
        ..Moment::training()
    }
}

#[test]
fn a_queued_step_is_expected_to_take_what_others_took() {
    let mut moment = training_with_history();
    moment.progress.clear();
    moment
        .record
        .clear_hold(number(4), &worker(), at(92))
        .unwrap();

    let line = &step_lines(&moment.facts())[3];

    assert_eq!(line.remaining, Some(Duration::from_secs(200)));
    assert!(
        plain_line(line).contains("about 3m 20s left"),
        "{}",
        plain_line(line)
    );
}

#[test]
fn the_plan_has_a_line_of_its_own_with_the_time_left() {
    // The worker estimates 87 s for its step; the registry after it is a twentieth of the plan.
    let line = plan_line(&training_with_history().facts()).unwrap();

    assert_eq!(line, "train plan: 62%  1m 32s, about 1m 27s left");
}

#[test]
fn nothing_is_promised_for_a_large_step_without_history() {
    let mut moment = Moment::new().claimed(1, 0);
    moment.now = at(20);

    assert_eq!(plan_line(&moment.facts()).unwrap(), "train plan: 0%  20s");
}

#[test]
fn a_training_at_work() {
    insta::assert_snapshot!(Moment::training().live(Style::default()));
}

#[test]
fn a_training_at_work_on_an_ascii_terminal() {
    insta::assert_snapshot!(Moment::training().live(Style {
        ascii: true,
        color: false
    }));
}

#[test]
fn a_training_at_work_in_colour() {
    insta::assert_snapshot!(Moment::training().live(Style {
        ascii: false,
        color: true
    }));
}

/// A training whose first step waits in its queue.
fn queued(ahead: Option<u64>, workers: usize, busy: usize) -> Moment {
    let facts = QueueFacts {
        step: StepNumber::FIRST,
        ahead,
        workers,
        busy,
    };
    Moment {
        queue: Some(facts),
        ..Moment::new()
    }
}

/// A training whose trainer reports that it waits.
fn waiting(reason: &str, until: Option<Timestamp>) -> Moment {
    let mut moment = Moment::training();
    let progress = moment.progress.get_mut(&number(4)).unwrap();
    progress.waiting = Some(Waiting {
        reason: reason.to_owned(),
        until,
    });
    moment
}

/// A training whose trainer has been silent.
fn silent(seconds: u64) -> Moment {
    Moment {
        silent: [(worker(), Duration::from_secs(seconds))].into(),
        ..Moment::training()
    }
}

/// A training whose trainer failed for a moment and will try again.
fn retrying() -> Moment {
    let mut moment = Moment::training();
    moment
        .record
        .retry(number(4), 1, "provider timed out", at(100), at(92))
        .unwrap();
    moment
}

/// A training whose trainer was lost.
fn lost() -> Moment {
    let mut moment = Moment::training();
    moment
        .record
        .clear_hold(number(4), &worker(), at(92))
        .unwrap();
    moment
}

/// A training that ran out of memory.
fn failed() -> Moment {
    let mut moment = Moment::training();
    let error = ErrorRecord::new("TRAIN-GpuError", "out of memory", "");
    moment.record.fail(number(4), 1, error, at(95)).unwrap();
    moment.now = at(100);
    moment
}

#[test]
fn every_reason_why_nothing_moves() {
    let no_news = Moment {
        now: at(92 + 20),
        ..Moment::training()
    };
    let cancelling = Moment {
        cancel_asked: Some(Duration::from_secs(2)),
        ..Moment::training()
    };
    let offline = Moment {
        offline: Some(Duration::from_secs(3)),
        ..Moment::training()
    };
    let moments = [
        Moment::new(),
        queued(Some(3), 2, 2),
        queued(Some(0), 0, 0),
        queued(Some(0), 1, 1),
        queued(Some(0), 4, 4),
        // A worker has just taken it, and is busy with it.
        queued(None, 1, 1),
        waiting("provider pacing", Some(at(92 + 37))),
        waiting("object store", None),
        silent(1),
        silent(4),
        silent(6),
        lost(),
        retrying(),
        no_news,
        cancelling,
        offline,
    ];

    let lines = moments.map(|moment| moment.current());

    insta::assert_snapshot!(lines.concat());
}

#[test]
fn a_failed_step_keeps_its_last_message() {
    insta::assert_snapshot!(failed().live(Style::default()));
}

#[test]
fn percent_of_the_operation_is_weighted_by_the_plan() {
    let moment = Moment::training();

    let lines = step_lines(&moment.facts());

    // 15 + 5 + 15 done, and 45.2 % of 60: 62.12.
    assert!((lines[3].operation_percent - 62.12).abs() < 1e-9);
}

#[test]
fn a_resumed_step_without_checkpoint_begins_at_nothing() {
    let mut moment = failed();
    moment.record.resume(0, &Said::default(), at(200)).unwrap();

    let pending = step_lines(&moment.facts())[3].clone();
    let pending = plain_line(&pending);

    let start = "[ 35.0%] trainer (4/5)  queued";
    assert!(pending.starts_with(start), "{pending}");
}

#[test]
fn a_claimed_step_shows_its_last_percent_until_it_reports() {
    let mut moment = failed();
    moment.record.resume(0, &Said::default(), at(200)).unwrap();
    let moment = moment.claimed(4, 201);

    let claimed = step_lines(&moment.facts())[3].clone();
    let claimed = plain_line(&claimed);

    let start = "[ 62.1%] trainer (4/5)  started";
    assert!(claimed.starts_with(start), "{claimed}");
}

#[test]
fn children_at_work_are_ascii_on_an_ascii_terminal() {
    let mut moment = Moment::training();
    let child = RunningChild {
        op: "op_data_20260301_142233_9f3a01bd".parse().unwrap(),
        about: "größe → 1d".to_owned(),
        percent: 45.9,
    };
    let progress = moment.progress.get_mut(&number(4)).unwrap();
    progress.context = Context::Family {
        counts: ChildCounts::default(),
        running: vec![child],
    };

    let lines = |ascii| {
        let style = Style {
            ascii,
            color: false,
        };
        child_lines(&moment.facts(), style)
    };

    let of_child = "    op_data_20260301_142233_9f3a01bd";
    assert_eq!(lines(false), [format!("{of_child}   45%  größe → 1d")]);
    assert_eq!(lines(true), [format!("{of_child} 45% gre -> 1d")]);
}
