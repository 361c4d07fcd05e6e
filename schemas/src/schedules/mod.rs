//! Schedules: requests that become operations by themselves, at times that a person has named.
//!
//! A schedule knows the one instant at which it is due next. Whoever carries it out decides with
//! [`Schedule::decide`], notes what became of it, and moves on to the first instant that is still
//! to come, so that what was missed is caught up once.

mod cron;
mod words;

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::codec::Message;
use crate::ids::{InvalidId, OperationId, is_token};
use crate::operation::{NewOperation, OperationState};
use crate::trace::hash_64;

pub use cron::{Cron, CronError};

/// Longest name of a schedule.
pub const NAME_BYTES_MAX: usize = 48;
/// Label of an operation that names the schedule which started it.
pub const SCHEDULE_LABEL: &str = "schedule";
/// The time zone of schedules that name none.
pub const DEFAULT_ZONE: &str = "UTC";
/// Intervals that are looked through for one on a day that a calendar trades: ten weeks of minutes.
const INTERVALS_MAX: usize = 100_000;

/// The name of a schedule: 1 to 48 of `[a-z0-9_-]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScheduleName(String);

impl ScheduleName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ScheduleName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if is_token(text, NAME_BYTES_MAX) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                what: "name of a schedule",
                text: text.to_owned(),
                expected: "1 to 48 lower-case letters, digits, `-` and `_`",
            })
        }
    }
}

impl TryFrom<String> for ScheduleName {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<ScheduleName> for String {
    fn from(name: ScheduleName) -> Self {
        name.0
    }
}

impl fmt::Display for ScheduleName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// When a schedule is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// At times of day on days.
    #[serde(rename = "cron")]
    Cron(Cron),
    /// In intervals of this length in milliseconds, counted from when the schedule was added.
    #[serde(rename = "every_ms")]
    Every(NonZeroU64),
}

impl When {
    /// The times in words.
    pub fn describe(&self) -> String {
        match self {
            Self::Cron(cron) => words::describe(cron),
            Self::Every(_) => self.to_string(),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron(cron) => cron.fmt(formatter),
            Self::Every(interval) => {
                let milliseconds = i64::try_from(interval.get()).unwrap_or(i64::MAX);
                write!(
                    formatter,
                    "every {:#}",
                    SignedDuration::from_millis(milliseconds)
                )
            }
        }
    }
}

/// What becomes of a run that is due while the one before has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// It is skipped.
    #[default]
    Skip,
    /// It is started once the one before has ended; what is due meanwhile is the same run.
    Queue,
}

impl Overlap {
    /// The name of the choice, as people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Queue => "queue",
        }
    }
}

/// A request, and when it is to become an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Version of this layout.
    pub v: u16,
    /// Its name, which no other schedule has.
    pub name: ScheduleName,
    /// When it is due.
    pub when: When,
    /// Name of the time zone of its times of day, as in `America/New_York`.
    pub time_zone: String,
    /// The calendar on whose trading days alone it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// What becomes of a run that is due while the one before works.
    #[serde(default)]
    pub on_overlap: Overlap,
    /// The command line that made the request, for people.
    pub command: String,
    /// What is submitted each time.
    pub operation: NewOperation,
    /// When it was added.
    pub created: Timestamp,
    /// The instant that is to be carried out next; none when there is no further one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// The last operation that it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Run>,
    /// The last instant that started none, if that was after the last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Skip>,
}

impl Message for Schedule {
    const NAME: &'static str = "schedule";
    const VERSION: u16 = 1;
}

/// An operation that a schedule has started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The instant it was due.
    pub due: Timestamp,
    /// When it was started.
    pub at: Timestamp,
    /// The operation that it started.
    pub op: OperationId,
}

/// An instant at which a schedule was due and started nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// The instant it was due.
    pub due: Timestamp,
    /// Why nothing was started.
    pub reason: String,
}

/// What becomes of a schedule now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is not due yet, or never again.
    Wait,
    /// It is due, and starts once the run before has ended.
    Queue,
    /// It starts this operation for the instant at which it was due.
    Start {
        /// The instant it was due.
        due: Timestamp,
        /// The id of the operation, the same whoever starts it.
        op: OperationId,
    },
    /// It was due and starts nothing.
    Skip(Skip),
}

/// Why a schedule cannot be carried out here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleFault {
    /// This host does not know the time zone.
    #[error("the time zone `{0}` is not known on this host")]
    Zone(String),
    /// The kind of its operation does not fit an id.
    #[error("the operation of a schedule has no valid id")]
    Id(#[from] InvalidId),
}

impl Schedule {
    /// The first instant after `after` at which it is due, among those at which `trades` is true;
    /// none when there is none for years.
    pub fn next_after(
        &self,
        after: Timestamp,
        trades: &dyn Fn(Timestamp) -> bool,
    ) -> Result<Option<Timestamp>, ScheduleFault> {
        match &self.when {
            When::Cron(cron) => {
                let zone = TimeZone::get(&self.time_zone)
                    .map_err(|_| ScheduleFault::Zone(self.time_zone.clone()))?;
                Ok(cron.next_after(after, &zone, trades))
            }
            When::Every(interval) => Ok(self.next_interval(*interval, after, trades)),
        }
    }

    /// The first end of an interval after `after`, counted from when the schedule was added.
    fn next_interval(
        &self,
        interval: NonZeroU64,
        after: Timestamp,
        trades: &dyn Fn(Timestamp) -> bool,
    ) -> Option<Timestamp> {
        let interval = i64::try_from(interval.get()).ok()?;
        let start = self.created.as_millisecond();
        let passed = after.as_millisecond().checked_sub(start)?.max(0);

        let first = passed.checked_div(interval)?.checked_add(1)?;
        let ends = (first..).take(INTERVALS_MAX).map_while(|count| {
            let end = start.checked_add(count.checked_mul(interval)?)?;
            Timestamp::from_millisecond(end).ok()
        });
        ends.into_iter().find(|end| *end > after && trades(*end))
    }

    /// What becomes of it at `now`; `last_state` is that of the operation that it started last.
    pub fn decide(
        &self,
        now: Timestamp,
        last_state: Option<OperationState>,
    ) -> Result<Decision, ScheduleFault> {
        let Some(due) = self.next.filter(|due| *due <= now) else {
            return Ok(Decision::Wait);
        };

        // Two of the same at work would do the same work twice.
        let at_work = last_state.filter(|state| !state.is_terminal());
        if let (Some(state), Some(last)) = (at_work, &self.last) {
            let reason = format!("{} was still {state}", last.op);
            return Ok(match self.on_overlap {
                Overlap::Skip => Decision::Skip(Skip { due, reason }),
                Overlap::Queue => Decision::Queue,
            });
        }
        Ok(Decision::Start {
            due,
            op: self.operation_id(due)?,
        })
    }

    /// The id of the operation for an instant: whoever derives it gets the same, so that starting
    /// it twice is one operation.
    pub fn operation_id(&self, due: Timestamp) -> Result<OperationId, InvalidId> {
        let seed = format!("{} {} {due}", self.name, self.created);
        let number = u32::try_from(hash_64(&seed) >> 32).unwrap_or(u32::MAX);
        OperationId::new(&self.operation.kind, due, number)
    }

    /// Notes what became of the instant at which it was due.
    pub fn note(&mut self, decision: Decision, at: Timestamp) {
        match decision {
            Decision::Wait | Decision::Queue => {}
            Decision::Start { due, op } => {
                self.last = Some(Run { due, at, op });
                self.skipped = None;
            }
            Decision::Skip(skip) => self.skipped = Some(skip),
        }
    }
}
