//! Cancel as an attempt sees it: armed before the work runs, applied at once, noted in the record.

use std::time::Duration;

use bus::{BusError, CancelRequest, ControlWatch};
use jiff::Timestamp;
use schemas::events::What;
use tokio::sync::{OnceCell, watch};
use tokio::time::{Instant, sleep_until};

use crate::announce;
use crate::step_context::StepContext;
use crate::stop::StopReason;

/// The control subjects of one attempt: that of its operation, and that of the parent if there is
/// one.
pub(crate) struct CancelWatch<'a> {
    context: &'a StepContext,
    /// Filled once a request is noted in the record: one note is enough.
    noted: OnceCell<()>,
    /// When the attempt is ended by force; none until somebody asks for it.
    deadline: watch::Sender<Option<Instant>>,
}

impl<'a> CancelWatch<'a> {
    pub(crate) fn new(context: &'a StepContext) -> Self {
        Self {
            context,
            noted: OnceCell::new(),
            deadline: watch::Sender::new(None),
        }
    }

    /// Subscribes to the control subject, then reads its last stored message.
    pub(crate) async fn arm(&self) -> Result<ControlWatch, BusError> {
        let (messages, request) = self.context.bus.cancels().arm(&self.context.record).await?;
        self.apply_if_requested(request).await?;

        Ok(messages)
    }

    /// Reads the last stored control message, for one that a broken connection may have swallowed.
    pub(crate) async fn check_stored_request(&self) -> Result<(), BusError> {
        let context = self.context;
        let request = context.bus.cancels().in_force(&context.record).await?;

        self.apply_if_requested(request).await
    }

    async fn apply_if_requested(&self, request: Option<CancelRequest>) -> Result<(), BusError> {
        match request {
            Some(request) => {
                self.limit(request.grace);
                self.apply_cancel().await
            }
            None => Ok(()),
        }
    }

    /// Leaves the work at once, then notes the request in the record. A message that arrives on the
    /// control subject was sent after our claim, so it counts before the stream shows it.
    pub(crate) async fn apply_cancel(&self) -> Result<(), BusError> {
        self.context.stop.request(StopReason::Cancelled);
        self.noted.get_or_try_init(|| self.note_cancel()).await?;

        Ok(())
    }

    /// Ends the attempt by force after the grace period of a request that names one. Of several
    /// requests the earliest end counts.
    pub(crate) fn limit(&self, grace: Option<Duration>) {
        let Some(grace) = grace else { return };
        let end = Instant::now() + grace;

        self.deadline.send_if_modified(|deadline| {
            let is_earlier = deadline.is_none_or(|deadline| end < deadline);
            if is_earlier {
                *deadline = Some(end);
            }
            is_earlier
        });
    }

    /// Waits until the attempt is to be ended by force.
    pub(crate) async fn until_forced(&self) {
        let mut deadlines = self.deadline.subscribe();
        loop {
            let deadline = *deadlines.borrow_and_update();
            tokio::select! {
                () = sleep_until_if(deadline) => return,
                // Only an error ends it for good, and the sender lives as long as this borrow.
                _ = deadlines.changed() => {}
            }
        }
    }

    async fn note_cancel(&self) -> Result<(), BusError> {
        let context = self.context;
        let cancels = context.bus.cancels();
        let Some(request) = cancels.await_announced(&context.record).await? else {
            return Ok(());
        };

        tracing::info!(reason = request.reason, "cancel requested");
        let at = Timestamp::now();
        let changed = context
            .bus
            .operations()
            .change(context.op(), |record| {
                record.see_cancel(request.sequence, &request.said(), at)
            })
            .await;

        match changed {
            Ok(changed) => {
                let event = announce::event(
                    &changed.record,
                    context.number,
                    What::Cancelling,
                    Some(&context.worker),
                    at,
                );
                announce::emit_lossy(&context.bus, event).await;
            }
            // The record need not show `cancelling`: how the step ends is what counts.
            Err(error) => tracing::debug!(error = %error, "cancelling was not recorded"),
        }
        Ok(())
    }

    /// Logs a control subject that could not be read; it is read again with the next check.
    pub(crate) fn warn_control_unread(&self, result: Result<(), BusError>) {
        if let Err(error) = result {
            tracing::warn!(
                operation = %self.context.op(),
                error = %error,
                "control subject not read, trying again soon"
            );
        }
    }
}

/// Waits until `deadline`; for ever where there is none.
async fn sleep_until_if(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
