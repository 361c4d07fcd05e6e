//! Why nothing moves: the one reason worth telling, decided from what is known about a step at one
//! moment.

use std::collections::BTreeMap;
use std::time::Duration;

use bus::Timing;
use jiff::Timestamp;
use schemas::ids::{Service, StepNumber, WorkerId};
use schemas::operation::{OperationRecord, OperationState, StepRecord, StepState};
use schemas::progress::ProgressRecord;

use crate::console::durations::{after, rough};

/// A worker repeats its progress every 5 s; after this much silence of the work something is odd.
const NO_NEWS: Duration = Duration::from_secs(15);

/// What is known about the queue in which a step waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueFacts {
    /// The step that waits.
    pub(crate) step: StepNumber,
    /// Commands ahead of its own; none when it is not waiting in the queue.
    pub(crate) ahead: Option<u64>,
    /// Workers that serve the queue.
    pub(crate) workers: usize,
    /// Those of them without a free slot.
    pub(crate) busy: usize,
}

/// Everything known at one moment.
#[derive(Clone, Debug)]
pub(crate) struct WaitingFacts<'a> {
    /// The record; none until it exists.
    pub(crate) record: Option<&'a OperationRecord>,
    /// The newest progress of each step.
    pub(crate) progress: &'a BTreeMap<StepNumber, ProgressRecord>,
    /// The queue of the step that waits.
    pub(crate) queue: Option<QueueFacts>,
    /// How long each holder has not been heard of.
    pub(crate) silent: &'a BTreeMap<WorkerId, Duration>,
    /// How long the connection has been down.
    pub(crate) offline: Option<Duration>,
    /// How long ago the cancel was asked for here.
    pub(crate) cancel_asked: Option<Duration>,
    /// The clocks of the system.
    pub(crate) timing: Timing,
    /// The moment.
    pub(crate) now: Timestamp,
}

/// How long after the silence has counted a takeover may take without anything being odd.
const TAKEOVER: Duration = Duration::from_secs(3);

/// A reason.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Why {
    /// We are not connected.
    Offline(Duration),
    /// Asked to stop, not confirmed yet.
    Cancelling(Option<Duration>),
    /// In the queue, and nobody serves it.
    NoWorker(Service),
    /// In the queue behind others.
    Behind(u64),
    /// First in the queue, but all workers are busy.
    Busy(usize),
    /// In the queue, nothing more is known.
    Queued(Option<String>),
    /// Waits for its next attempt.
    Retrying {
        /// Until when.
        left: Option<Duration>,
        /// Why it was interrupted.
        note: String,
    },
    /// The worker says that it waits.
    Waiting {
        /// For what.
        reason: String,
        /// How much longer.
        left: Option<Duration>,
    },
    /// The worker is not heard of.
    Silent {
        /// How long.
        silent: Duration,
        /// When another takes over; none when that is overdue.
        left: Option<Duration>,
    },
    /// The worker lives but its work reports nothing.
    NoNews(Duration),
}

impl Why {
    /// The same for reasons that differ in their numbers only.
    pub(crate) fn kind(&self) -> std::mem::Discriminant<Self> {
        std::mem::discriminant(self)
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Offline(since) => write!(
                formatter,
                "connection to NATS lost {} ago, reconnecting",
                rough(*since)
            ),
            Self::Cancelling(None) => write!(
                formatter,
                "asked to stop, waiting for the worker to confirm"
            ),
            Self::Cancelling(Some(since)) => {
                write!(
                    formatter,
                    "asked to stop {} ago, waiting for the worker to confirm",
                    rough(*since)
                )
            }
            Self::NoWorker(service) => write!(
                formatter,
                "queued: no {service} is running, see `ktrdr doctor`"
            ),
            Self::Behind(ahead) => write!(formatter, "queued behind {ahead}"),
            Self::Busy(1) => write!(formatter, "queued: the only worker is busy"),
            Self::Busy(workers) => write!(formatter, "queued: all {workers} workers are busy"),
            Self::Queued(None) => write!(formatter, "queued"),
            Self::Queued(Some(note)) => write!(formatter, "queued: {note}"),
            Self::Retrying {
                left: Some(left),
                note,
            } => write!(formatter, "retrying in {}: {note}", rough(*left)),
            Self::Retrying { left: None, note } => write!(formatter, "{note}"),
            Self::Waiting {
                reason,
                left: Some(left),
            } => write!(formatter, "waiting {} for {reason}", rough(*left)),
            Self::Waiting { reason, left: None } => write!(formatter, "waiting for {reason}"),
            Self::Silent {
                left: Some(left), ..
            } if left.is_zero() => {
                write!(formatter, "worker lost, another takes over any moment")
            }
            Self::Silent {
                left: Some(left), ..
            } => {
                write!(
                    formatter,
                    "worker lost, another takes over in {}",
                    rough(*left)
                )
            }
            Self::Silent { silent, left: None } => {
                write!(
                    formatter,
                    "worker lost {} ago, another takes over once its claim lapses",
                    rough(*silent)
                )
            }
            Self::NoNews(since) => {
                write!(
                    formatter,
                    "the worker lives, but its work has not reported for {}",
                    rough(*since)
                )
            }
        }
    }
}

/// The reason why a step of the current stage does not move; none while it does.
pub(crate) fn why(facts: &WaitingFacts<'_>, number: StepNumber) -> Option<Why> {
    if let Some(since) = facts.offline {
        return Some(Why::Offline(since));
    }
    let record = facts.record?;
    let (step, spec) = (record.step(number)?, record.plan.step(number)?);
    if step.state.is_terminal() || record.state.is_terminal() {
        return None;
    }
    if record.state == OperationState::Cancelling || facts.cancel_asked.is_some() {
        return Some(Why::Cancelling(facts.cancel_asked));
    }
    match step.state {
        StepState::Retrying => Some(retrying(facts, step)),
        StepState::Running => working(facts, number, step),
        _ => {
            let queue = facts.queue.filter(|queue| queue.step == number);
            Some(match queue {
                Some(QueueFacts { workers: 0, .. }) => Why::NoWorker(spec.service),
                Some(QueueFacts {
                    ahead: Some(ahead), ..
                }) if ahead > 0 => Why::Behind(ahead),
                Some(QueueFacts {
                    ahead: Some(_),
                    workers,
                    busy,
                    ..
                }) if busy == workers => Why::Busy(workers),
                _ => Why::Queued(step.note.clone()),
            })
        }
    }
}

fn retrying(facts: &WaitingFacts<'_>, step: &StepRecord) -> Why {
    let left = step
        .retry_at
        .map(|due| after(facts.now, due))
        .filter(|left| !left.is_zero());
    Why::Retrying {
        left,
        note: step
            .note
            .clone()
            .unwrap_or_else(|| "interrupted".to_owned()),
    }
}

fn working(facts: &WaitingFacts<'_>, number: StepNumber, step: &StepRecord) -> Option<Why> {
    // Two signs of life missed, and half a second for the way.
    let patience = facts.timing.alive * 2 + Duration::from_millis(500);
    let silent = step
        .holder
        .as_ref()
        .and_then(|holder| facts.silent.get(&holder.worker))
        .copied();
    if let Some(silent) = silent.filter(|silent| *silent > patience) {
        let soon = silent < facts.timing.silence + TAKEOVER;
        let left = soon.then(|| facts.timing.silence.saturating_sub(silent));
        return Some(Why::Silent { silent, left });
    }
    let progress = facts
        .progress
        .get(&number)
        .filter(|progress| progress.attempt == step.attempt)?;
    if let Some(waiting) = &progress.waiting {
        let left = waiting
            .until
            .map(|until| after(facts.now, until))
            .filter(|left| !left.is_zero());
        return Some(Why::Waiting {
            reason: waiting.reason.clone(),
            left,
        });
    }
    let quiet = after(progress.at, facts.now);
    (quiet >= NO_NEWS).then_some(Why::NoNews(quiet))
}
