//! Starting the operations of schedules that are due, each instant once: its operation has the same
//! id whoever starts it, and the record of the schedule moves on by compare-and-set.

use std::time::Duration;

use bus::{Delivered, Queues, StoredSchedule, SubmitError};
use jiff::Timestamp;
use schemas::errors::chain;
use schemas::ids::OperationId;
use schemas::operation::OperationState;
use schemas::schedules::{Decision, Schedule, ScheduleName, Skip};
use tokio::sync::watch;

use super::{Housekeeper, Interrupted, warn_interrupted};
use crate::ticks::unhurried_ticks;

impl Housekeeper {
    /// Starts what the server says is due.
    pub(super) async fn start_due_schedules(&self, queue: Queues) {
        // Never true: whoever ends the housekeeping drops this.
        let (_running, mut stop) = watch::channel(false);
        let mut slot = queue.slot();

        while let Some(message) = slot.next(&mut stop).await {
            if let Err(error) = self.start_announced(&message).await {
                warn_interrupted(Err(error));
                // Its message comes back, and the look at what is overdue finds it as well.
                let _ = message.hand_back(self.patience()).await;
            }
        }
    }

    async fn start_announced(&self, message: &Delivered) -> Result<(), Interrupted> {
        // A subject without a schedule in it is somebody's mistake.
        if let Some((name, due)) = message.due_schedule() {
            self.carry_out(&name, due).await?;
        }
        Ok(message.ack().await?)
    }

    /// Starts what should have been started a while ago: of a timer that was lost, or was never set
    /// because whoever added the schedule died, and what waits for the run before.
    pub(super) async fn start_overdue_schedules(&self) {
        let mut looks = unhurried_ticks(self.patience());

        loop {
            looks.tick().await;
            warn_interrupted(self.start_overdue().await);
        }
    }

    async fn start_overdue(&self) -> Result<(), Interrupted> {
        for schedule in self.bus.schedules().list().await? {
            // What is wrong with one schedule keeps no other from its run.
            if schedule.next.is_some_and(|due| self.is_overdue(due)) {
                warn_interrupted(self.carry_out(&schedule.name, None).await);
            }
        }
        Ok(())
    }

    /// True for an instant so long ago that its timer must have been lost.
    fn is_overdue(&self, due: Timestamp) -> bool {
        let late = Timestamp::now().duration_since(due);
        Duration::try_from(late).is_ok_and(|late| late > self.patience())
    }

    /// Does what the schedule needs now: nothing, or one operation for all that is due. `announced`
    /// is the instant of the timer by which the server says that it is due.
    async fn carry_out(
        &self,
        name: &ScheduleName,
        announced: Option<Timestamp>,
    ) -> Result<(), Interrupted> {
        let schedules = self.bus.schedules();
        let Some(stored) = schedules.get(name).await? else {
            // Removed meanwhile.
            return Ok(());
        };
        let StoredSchedule {
            mut schedule,
            revision,
        } = stored;

        // The server's clock has decided that the instant has come; ours may be behind.
        let now = Timestamp::now();
        let now = announced
            .filter(|due| schedule.next == Some(*due))
            .map_or(now, |due| due.max(now));
        let last_state = self.last_state(&schedule).await?;
        let mut decision = schedule.decide(now, last_state)?;
        match decision {
            // Whoever wrote the record may have died before it set the timer.
            Decision::Wait => return Ok(schedules.set_timer(&schedule).await?),
            // It stays due, and the look at what is overdue comes back to it.
            Decision::Queue => return Ok(()),
            Decision::Start { .. } | Decision::Skip(_) => {}
        }

        // Before anything is started: what cannot move on would be started again and again.
        let next = self.next_of(&schedule, now).await?;
        if let Decision::Start { due, op } = &decision
            && let Some(reason) = self.submit_for(&schedule, op).await?
        {
            let due = *due;
            decision = Decision::Skip(Skip { due, reason });
        }

        schedule.note(decision, now);
        schedule.next = next;
        // Otherwise it was removed, or another housekeeper was faster and sets the timer.
        if schedules.write_over(&schedule, revision).await? {
            schedules.set_timer(&schedule).await?;
        }
        Ok(())
    }

    /// The state of the operation that the schedule started last; none when its record is gone.
    async fn last_state(&self, schedule: &Schedule) -> Result<Option<OperationState>, Interrupted> {
        let Some(last) = &schedule.last else {
            return Ok(None);
        };

        let stored = self.get_readable(&last.op).await?;
        Ok(stored.map(|stored| stored.record.state))
    }

    /// The first instant after `now`: what was missed before it is not made up for.
    async fn next_of(
        &self,
        schedule: &Schedule,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Interrupted> {
        let calendar = match &schedule.calendar {
            None => None,
            Some(name) => {
                let calendar = self.store.calendars().named(name).await?;
                Some(calendar.ok_or_else(|| Interrupted::Calendar(name.clone()))?)
            }
        };

        let trades = |instant| calendar.is_none_or(|calendar| calendar.trades_at(instant));
        Ok(schedule.next_after(now, &trades)?)
    }

    /// Submits the operation; the reason when it never can be.
    async fn submit_for(
        &self,
        schedule: &Schedule,
        op: &OperationId,
    ) -> Result<Option<String>, Interrupted> {
        let submitted = self.bus.operations().submit(op, &schedule.operation).await;

        match submitted {
            Ok(_) => {
                tracing::info!(schedule = %schedule.name, %op, "a schedule was due");
                Ok(None)
            }
            Err(error @ SubmitError::Invalid { .. }) => {
                tracing::warn!(schedule = %schedule.name, error = %chain(&error), "not started");
                Ok(Some(chain(&error)))
            }
            Err(error) => Err(error.into()),
        }
    }
}
