//! Why nothing moves: the one reason that matters most, decided from the facts about a step at one
//! moment.

use std::collections::BTreeMap;
use std::fmt;
use std::mem::Discriminant;
use std::time::Duration;

use bus::Timing;
use jiff::Timestamp;
use schemas::ids::{Lane, Service, StepNumber, WorkerId};
use schemas::operation::{OperationRecord, OperationState, StepRecord, StepState};
use schemas::plan::StepSpec;
use schemas::progress::ProgressRecord;

use super::expectations::Expectations;
use crate::console::durations::{after, rough};

/// A worker repeats its progress every 5 s; silence of the work beyond this is odd.
const NO_NEWS: Duration = Duration::from_secs(15);
/// The time that a takeover may need once the silence of a worker counts.
const TAKEOVER: Duration = Duration::from_secs(3);
/// Allowance for a sign of life on its way.
const DELIVERY: Duration = Duration::from_millis(500);

/// Facts about the queue in which a step waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueueFacts {
    /// Number of the step that waits.
    pub(super) step: StepNumber,
    /// Commands before its own; none if its command is not in the queue.
    pub(super) ahead: Option<u64>,
    /// Workers that serve the queue.
    pub(super) workers: usize,
    /// Workers among them without a free slot.
    pub(super) busy: usize,
}

/// The facts of one moment, from which all that is shown follows.
#[derive(Clone, Debug)]
pub(super) struct WaitingFacts<'a> {
    /// Record of the operation; none until it exists.
    pub(super) record: Option<&'a OperationRecord>,
    /// Newest progress of each step.
    pub(super) progress: &'a BTreeMap<StepNumber, ProgressRecord>,
    /// How long steps have taken before.
    pub(super) expectations: &'a Expectations,
    /// Queue of the step that waits.
    pub(super) queue: Option<QueueFacts>,
    /// How long each worker that holds a step has been silent.
    pub(super) silent: &'a BTreeMap<WorkerId, Duration>,
    /// How long the connection has been down.
    pub(super) offline: Option<Duration>,
    /// How long ago Ctrl+C asked for the cancel here.
    pub(super) cancel_asked: Option<Duration>,
    /// Clocks of the system.
    pub(super) timing: Timing,
    /// The moment itself.
    pub(super) now: Timestamp,
}

/// A reason why a step does not move.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum WaitingReason {
    /// The connection has been down for this long.
    Offline(Duration),
    /// The worker was asked to stop, this long ago if from here, and has not confirmed it.
    Cancelling(Option<Duration>),
    /// The step is in the queue of this service and lane, and no worker serves it.
    NoWorker(Service, Lane),
    /// The step is in the queue behind this many commands.
    Behind(u64),
    /// The step is the first in the queue, but all of this many workers are busy.
    Busy(usize),
    /// The step is in the queue; the note of its record, if there is one.
    Queued(Option<String>),
    /// The step waits for its next attempt.
    Retrying {
        /// Time until the attempt; none if it is due.
        time_left: Option<Duration>,
        /// Why the last attempt was interrupted.
        note: String,
    },
    /// The worker reports that it waits.
    Waiting {
        /// What it waits for.
        reason: String,
        /// Time until the wait ends; none if that is unknown.
        time_left: Option<Duration>,
    },
    /// The worker gives no sign of life.
    Silent {
        /// Time since the last one.
        silent: Duration,
        /// Time until another worker takes over; none if that is overdue.
        time_left: Option<Duration>,
    },
    /// The worker is alive, but its work has reported nothing for this long.
    NoNews(Duration),
}

impl WaitingReason {
    /// The same for reasons that differ in their numbers only.
    pub(super) fn kind(&self) -> Discriminant<Self> {
        std::mem::discriminant(self)
    }
}

impl fmt::Display for WaitingReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Offline(since) => format!(
                "connection to NATS lost {} ago, reconnecting",
                rough(*since)
            ),
            Self::Cancelling(since) => cancelling_text(*since),
            Self::NoWorker(service, Lane::Default) => {
                format!("queued: no {service} is running, see `ktrdr doctor`")
            }
            Self::NoWorker(service, Lane::Gpu) => {
                format!("queued: no {service} with a GPU is running, see `ktrdr doctor`")
            }
            Self::NoWorker(service, lane) => {
                format!("queued: no {service} serves the lane {lane}, see `ktrdr doctor`")
            }
            Self::Behind(ahead) => format!("queued behind {ahead}"),
            Self::Busy(1) => "queued: the only worker is busy".to_owned(),
            Self::Busy(workers) => format!("queued: all {workers} workers are busy"),
            Self::Queued(None) => "queued".to_owned(),
            Self::Queued(Some(note)) => format!("queued: {note}"),
            Self::Retrying { time_left, note } => match time_left {
                Some(time_left) => format!("retrying in {}: {note}", rough(*time_left)),
                None => note.clone(),
            },
            Self::Waiting { reason, time_left } => match time_left {
                Some(time_left) => format!("waiting {} for {reason}", rough(*time_left)),
                None => format!("waiting for {reason}"),
            },
            Self::Silent { silent, time_left } => silent_text(*silent, *time_left),
            Self::NoNews(since) => format!(
                "the worker is alive, but its work has not reported for {}",
                rough(*since)
            ),
        };

        formatter.write_str(&text)
    }
}

fn cancelling_text(since: Option<Duration>) -> String {
    let request = match since {
        Some(since) => format!("asked to stop {} ago", rough(since)),
        None => "asked to stop".to_owned(),
    };
    format!("{request}, waiting for the worker to confirm")
}

fn silent_text(silent: Duration, time_left: Option<Duration>) -> String {
    match time_left {
        Some(time_left) if time_left.is_zero() => {
            "worker lost, another takes over any moment".to_owned()
        }
        Some(time_left) => format!("worker lost, another takes over in {}", rough(time_left)),
        None => format!(
            "worker lost {} ago, another takes over once its claim lapses",
            rough(silent)
        ),
    }
}

/// The reason why a step of the current stage does not move; none while it does.
pub(super) fn waiting_reason(
    facts: &WaitingFacts<'_>,
    number: StepNumber,
) -> Option<WaitingReason> {
    // Without a connection nothing else is known to be true.
    if let Some(since) = facts.offline {
        return Some(WaitingReason::Offline(since));
    }

    let record = facts.record?;
    let step = record.step(number)?;
    if step.state.is_terminal() || record.state.is_terminal() {
        return None;
    }
    if record.state == OperationState::Cancelling || facts.cancel_asked.is_some() {
        return Some(WaitingReason::Cancelling(facts.cancel_asked));
    }

    match step.state {
        StepState::Retrying => Some(reason_of_retry(facts, step)),
        StepState::Running => reason_of_running(facts, number, step),
        _ => {
            let spec = record.plan.step(number)?;
            Some(reason_in_queue(facts, number, spec, step))
        }
    }
}

fn reason_in_queue(
    facts: &WaitingFacts<'_>,
    number: StepNumber,
    spec: &StepSpec,
    step: &StepRecord,
) -> WaitingReason {
    // Facts about another step are older than the state of this one.
    let queue = facts.queue.filter(|queue| queue.step == number);

    match queue {
        Some(QueueFacts { workers: 0, .. }) => WaitingReason::NoWorker(spec.service, spec.lane),
        Some(QueueFacts {
            ahead: Some(ahead), ..
        }) if ahead > 0 => WaitingReason::Behind(ahead),
        Some(QueueFacts {
            ahead: Some(_),
            workers,
            busy,
            ..
        }) if busy == workers => WaitingReason::Busy(workers),
        _ => WaitingReason::Queued(step.note.clone()),
    }
}

fn reason_of_retry(facts: &WaitingFacts<'_>, step: &StepRecord) -> WaitingReason {
    let time_left = step.retry_at.map(|due| after(facts.now, due));
    let note = step.note.clone();
    WaitingReason::Retrying {
        time_left: time_left.filter(|time_left| !time_left.is_zero()),
        note: note.unwrap_or_else(|| "interrupted".to_owned()),
    }
}

fn reason_of_running(
    facts: &WaitingFacts<'_>,
    number: StepNumber,
    step: &StepRecord,
) -> Option<WaitingReason> {
    if let Some(reason) = reason_of_silence(facts, step) {
        return Some(reason);
    }

    // Progress of an earlier attempt says nothing about this one.
    let progress = facts
        .progress
        .get(&number)
        .filter(|progress| progress.attempt == step.attempt)?;
    if let Some(waiting) = &progress.waiting {
        let time_left = waiting.until.map(|until| after(facts.now, until));
        return Some(WaitingReason::Waiting {
            reason: waiting.reason.clone(),
            time_left: time_left.filter(|time_left| !time_left.is_zero()),
        });
    }

    let since_news = after(progress.at, facts.now);
    (since_news >= NO_NEWS).then_some(WaitingReason::NoNews(since_news))
}

fn reason_of_silence(facts: &WaitingFacts<'_>, step: &StepRecord) -> Option<WaitingReason> {
    let holder = step.holder.as_ref()?;
    let silent = *facts.silent.get(&holder.worker)?;
    // One sign of life may get lost; two in a row do not.
    if silent <= facts.timing.alive * 2 + DELIVERY {
        return None;
    }

    let is_overdue = silent >= facts.timing.silence + TAKEOVER;
    let time_left = facts.timing.silence.saturating_sub(silent);
    Some(WaitingReason::Silent {
        silent,
        time_left: (!is_overdue).then_some(time_left),
    })
}
