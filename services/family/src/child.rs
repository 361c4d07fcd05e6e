//! One child from its submission to its end, as its parent's step sees it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::{
    Bus, BusError, CancelRequest, ChangeError, News, OperationNews, ResumeError, SubmitError,
};
use runtime::{CancelledUnheld, StepError, UnheldError, cancel_unheld};
use schemas::codes::{self, Advice};
use schemas::errors::ErrorRecord;
use schemas::events::What;
use schemas::ids::OperationId;
use schemas::operation::{ChildStatus, OperationRecord, OperationState, Parent};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::listed::Listed;
use crate::roster::Roster;

/// After this much silence the record of a child is read again.
const SILENCE: Duration = Duration::from_secs(30);
/// Pause before a request that failed is made again, unless the connection comes back first.
const RETRY: Duration = Duration::from_secs(1);

/// Why the children that have not ended are stopped.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Abandoned {
    /// The parent was cancelled: its request, in the words of its children.
    WithParent(CancelRequest),
    /// A sibling failed: each child gets a request of its own with this reason.
    ForSibling(String),
}

/// What all children of a step share.
pub(crate) struct Siblings {
    pub(crate) bus: Bus,
    pub(crate) listed: Listed,
    pub(crate) roster: Mutex<Roster>,
    /// Requests for children that are under way at a time.
    pub(crate) requests: Semaphore,
    /// Cancelled children that are announced at a time: few, so that cancels go first.
    pub(crate) conclusions: Semaphore,
    pub(crate) abandoned: watch::Sender<Option<Abandoned>>,
    /// Who submitted the parent.
    pub(crate) by: Option<String>,
    /// Retries that the parent's request gives to each step.
    pub(crate) retries: Option<u16>,
}

impl Siblings {
    pub(crate) fn roster(&self) -> MutexGuard<'_, Roster> {
        // Nothing that is done under the lock can leave the roster half-changed.
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A child, and its place in the list of its step.
pub(crate) struct Child {
    pub(crate) op: OperationId,
    pub(crate) parent: Parent,
    pub(crate) place: u32,
    pub(crate) siblings: Arc<Siblings>,
}

/// Why a child was not brought to its end.
enum Trouble {
    /// It may pass: the server or the queue has no room for us now.
    Passing(String),
    /// It will not pass: the child counts as failed.
    Lasting(Box<ErrorRecord>),
}

/// Where a child is after a look at its record.
enum Position {
    Unfinished(Box<OperationRecord>),
    Ended(Box<OperationRecord>),
    /// There is no record, and the children are abandoned.
    NeverBegun,
}

impl Child {
    /// Brings the child to its end and notes it in the roster. Returns its id if it failed.
    pub(crate) async fn run(self) -> Option<OperationId> {
        let ended = self.until_ended().await;
        let mut roster = self.siblings.roster();

        match ended {
            Ok(Some(record)) => {
                roster.note_end(self.place, &record);
                (record.state == OperationState::Failed).then_some(record.op)
            }
            Ok(None) => {
                roster.note_never_begun(self.place);
                None
            }
            // Its siblings have nothing to do with it.
            Err(error) => {
                roster.note_lasting_trouble(self.place, &self.op, &error);
                Some(self.op)
            }
        }
    }

    /// The record of the child once it has ended; `None` for one that was never begun, because the
    /// family was abandoned.
    async fn until_ended(&self) -> Result<Option<OperationRecord>, Box<ErrorRecord>> {
        let mut news = None;
        let mut has_cancelled = false;
        loop {
            let position = self.position(&mut news).await?;
            let record = match position {
                Position::Unfinished(record) => record,
                Position::Ended(record) => return Ok(Some(*record)),
                Position::NeverBegun => return Ok(None),
            };

            // Of those that a worker holds the end is still waited for.
            let is_abandoned = self.siblings.abandoned.borrow().is_some();
            if is_abandoned && !has_cancelled {
                match self.cancel(&record).await {
                    Ok(Some(cancelled)) => {
                        let record = cancelled.record().clone();
                        tokio::spawn(conclude_later(self.siblings.clone(), cancelled));
                        return Ok(Some(record));
                    }
                    Ok(None) => has_cancelled = true,
                    Err(Trouble::Lasting(error)) => return Err(error),
                    Err(Trouble::Passing(reason)) => self.wait_out(&reason).await,
                }
                continue;
            }
            self.until_news(&record, &mut news, is_abandoned).await;
        }
    }

    /// Looks at the record until that works; submits or resumes the child where it is to run.
    async fn position(
        &self,
        news: &mut Option<OperationNews>,
    ) -> Result<Position, Box<ErrorRecord>> {
        loop {
            match self.look(news).await {
                Ok(position) => return Ok(position),
                Err(Trouble::Lasting(error)) => return Err(error),
                Err(Trouble::Passing(reason)) => self.wait_out(&reason).await,
            }
        }
    }

    async fn look(&self, news: &mut Option<OperationNews>) -> Result<Position, Trouble> {
        let _permit = self.siblings.requests.acquire().await;
        let bus = &self.siblings.bus;
        let is_abandoned = self.siblings.abandoned.borrow().is_some();
        let round = self.parent.round;

        // A first look without subscriptions: after a takeover most children have ended.
        let stored = bus.operations().get(&self.op).await?;
        let record = stored.map(|stored| stored.record);
        if let Some(record) = record.as_ref().filter(|record| has_ended(record, round)) {
            self.check_parent(record)?;
            return Ok(Position::Ended(Box::new(record.clone())));
        }
        let is_first = news.is_none();
        if is_first {
            *news = Some(bus.operations().watch_news(&self.op).await?);
        }

        let record = match record {
            None if is_abandoned => return Ok(Position::NeverBegun),
            None => self.submit().await?,
            Some(record) if record.status_in(round) == ChildStatus::Resumable => {
                if is_abandoned {
                    return Ok(Position::Ended(Box::new(record)));
                }
                self.resume().await?
            }
            Some(record) => {
                // It may have ended before the subscription.
                let record = match is_first {
                    true => self.read_again(record).await?,
                    false => record,
                };
                self.finish_resume(&record).await?;
                record
            }
        };
        self.check_parent(&record)?;
        Ok(self.place_of(record))
    }

    async fn read_again(&self, record: OperationRecord) -> Result<OperationRecord, Trouble> {
        let stored = self.siblings.bus.operations().get(&self.op).await?;
        Ok(stored.map_or(record, |stored| stored.record))
    }

    /// Whoever resumed the child, we ourselves maybe, may have lost the server or died before its
    /// commands were on their queues.
    async fn finish_resume(&self, record: &OperationRecord) -> Result<(), Trouble> {
        if record.state == OperationState::Resuming {
            let commands = self.siblings.bus.commands();
            commands.publish_outstanding(record).await?;
        }
        Ok(())
    }

    fn place_of(&self, record: OperationRecord) -> Position {
        let mut roster = self.siblings.roster();
        match record.status_in(self.parent.round) {
            ChildStatus::Ended(_) => return Position::Ended(Box::new(record)),
            ChildStatus::Running => roster.note_running(self.place, &record),
            ChildStatus::Waiting | ChildStatus::Resumable => roster.note_waiting(self.place),
        }
        Position::Unfinished(Box::new(record))
    }

    async fn submit(&self) -> Result<OperationRecord, Trouble> {
        let place = self.place as usize;
        let Siblings { by, retries, .. } = &*self.siblings;
        let child = self.siblings.listed.operation(place).await?;
        let child = child.into_child(self.parent.clone(), by.clone(), *retries);

        let operations = self.siblings.bus.operations();
        Ok(operations.submit(&self.op, &child).await?)
    }

    async fn resume(&self) -> Result<OperationRecord, Trouble> {
        let operations = self.siblings.bus.operations();
        let Parent {
            round,
            cancel_floor,
            ..
        } = self.parent;

        let resumed = operations.resume_child(&self.op, round, cancel_floor).await;
        match resumed {
            Ok(record) => Ok(record),
            // Another attempt at the parent's step, or a person, was faster.
            Err(ResumeError::Change(ChangeError::Refused { record, .. })) => Ok(*record),
            Err(error) => Err(error.into()),
        }
    }

    /// Another operation may have the id by chance, however small that is.
    fn check_parent(&self, record: &OperationRecord) -> Result<(), Trouble> {
        let parent = record.parent.as_ref();
        if parent.is_some_and(|parent| parent.op == self.parent.op) {
            return Ok(());
        }

        let message = format!("{} is not a child of {}", self.op, self.parent.op);
        let hint = "submit the parent again: it gets other ids";
        let error = ErrorRecord::new(codes::OPS_CHILD_ID_TAKEN, message, hint);
        Err(Trouble::Lasting(Box::new(error)))
    }

    /// Cancels the child if nobody holds it; a holder sees the request itself.
    async fn cancel(&self, record: &OperationRecord) -> Result<Option<CancelledUnheld>, Trouble> {
        let _permit = self.siblings.requests.acquire().await;
        let bus = &self.siblings.bus;

        let abandoned = self.siblings.abandoned.borrow().clone();
        let request = match abandoned {
            Some(Abandoned::WithParent(request)) => request,
            Some(Abandoned::ForSibling(reason)) => CancelRequest {
                sequence: bus.cancels().request(&self.op, &reason).await?,
                reason,
                ..CancelRequest::default()
            },
            None => return Ok(None),
        };
        Ok(cancel_unheld(bus, record, &request).await?)
    }

    /// Waits until the record is worth another look; notes what needs none.
    async fn until_news(
        &self,
        record: &OperationRecord,
        news: &mut Option<OperationNews>,
        is_abandoned: bool,
    ) {
        let mut abandoned = self.siblings.abandoned.subscribe();
        let abandon = abandoned.wait_for(|reason| reason.is_some() && !is_abandoned);
        let Some(news) = news else { return };

        tokio::select! {
            () = self.until_telling(record, news) => {}
            _ = abandon => {}
        }
    }

    async fn until_telling(&self, record: &OperationRecord, news: &mut OperationNews) {
        // An error is the silence that is long enough for a look.
        while let Ok(Some(news)) = timeout(SILENCE, news.next()).await {
            let mut roster = self.siblings.roster();
            match news {
                News::Progress(progress) => roster.note_percent(self.place, progress.percent),
                News::Event(event) if event.state.is_terminal() => return,
                News::Event(event) if event.what == What::Started => {
                    roster.note_running(self.place, record);
                }
                News::Event(event) if event.what == What::Retrying => {
                    roster.note_waiting(self.place);
                }
                News::Event(_) => {}
                News::Reconnected => return,
            }
        }
    }

    /// Waits before a request is made again: a second, or until the connection is back.
    async fn wait_out(&self, reason: &str) {
        tracing::debug!(child = %self.op, reason, "trying again soon");
        let mut reconnects = self.siblings.bus.connection().reconnects();

        // Which of the two ended the wait does not matter.
        let _ = timeout(RETRY, reconnects.changed()).await;
    }
}

/// Does what follows from a cancel beside those of the siblings: all have ended before the first is
/// announced. What is lost with the process, the sweep of the housekeeping does.
async fn conclude_later(siblings: Arc<Siblings>, cancelled: CancelledUnheld) {
    let _permit = siblings.conclusions.acquire().await;

    if let Err(error) = cancelled.conclude(&siblings.bus).await {
        tracing::debug!(child = %cancelled.record().op, %error, "its cancel is not concluded yet");
    }
}

fn has_ended(record: &OperationRecord, round: u32) -> bool {
    matches!(record.status_in(round), ChildStatus::Ended(_))
}

impl Trouble {
    fn lasting(error: &impl Advice) -> Self {
        Self::Lasting(Box::new(ErrorRecord::from_advice(error)))
    }
}

impl From<BusError> for Trouble {
    fn from(error: BusError) -> Self {
        match error.is_permanent() {
            true => Self::lasting(&error),
            false => Self::Passing(error.to_string()),
        }
    }
}

impl From<ChangeError> for Trouble {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::GaveUp { last, .. } if last.is_permanent() => (*last).into(),
            error => Self::Passing(error.to_string()),
        }
    }
}

impl From<SubmitError> for Trouble {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Invalid { .. } => Self::lasting(&error),
            // A queue without room has some when other operations have ended.
            SubmitError::Full { .. } => Self::Passing(error.to_string()),
            SubmitError::Bus { source, .. } => source.into(),
        }
    }
}

impl From<ResumeError> for Trouble {
    fn from(error: ResumeError) -> Self {
        match error {
            ResumeError::Bus(error) => error.into(),
            ResumeError::Change(error) => error.into(),
        }
    }
}

impl From<UnheldError> for Trouble {
    fn from(error: UnheldError) -> Self {
        match error {
            UnheldError::Bus(error) => error.into(),
            UnheldError::Record(error) => error.into(),
        }
    }
}

impl From<StepError> for Trouble {
    fn from(error: StepError) -> Self {
        match error {
            // The store is away or full: the stored list is there when it is back.
            StepError::Retry { error, .. } => Self::Passing(error.to_string()),
            StepError::Permanent(error) => Self::Lasting(error),
            // No read of the store ends so; whoever stops the step is obeyed elsewhere.
            StepError::Stopped => Self::Passing("stopped".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use schemas::retries::RetryClass;

    use super::*;

    fn error() -> ErrorRecord {
        ErrorRecord::new(codes::STORE_UNREACHABLE, "the store is away", "wait")
    }

    #[test]
    fn a_store_that_is_away_is_a_passing_trouble() {
        let away = StepError::retry(RetryClass::System, error());
        assert!(matches!(Trouble::from(away), Trouble::Passing(_)));

        let gone = StepError::from(error());
        assert!(matches!(Trouble::from(gone), Trouble::Lasting(_)));
    }
}
