//! Cancelling an operation that nobody holds, when housekeeping comes upon a request for it.

use bus::CancelRequest;
use schemas::ids::OperationId;
use schemas::operation::OperationRecord;

use super::{Housekeeper, Interrupted};
use crate::unheld::cancel_unheld;

impl Housekeeper {
    /// Cancels an operation if a request for it is in force and nobody holds it.
    pub(super) async fn cancel_if_requested(
        &self,
        record: &OperationRecord,
    ) -> Result<(), Interrupted> {
        match self.bus.cancels().in_force(record).await? {
            Some(request) => self.cancel_unheld(record, &request).await,
            None => Ok(()),
        }
    }

    /// The same for a request that has just arrived on the control subject, and that the stream may
    /// not show yet.
    pub(super) async fn cancel_announced(&self, op: &OperationId) -> Result<(), Interrupted> {
        let Some(stored) = self.get_readable(op).await? else {
            return Ok(());
        };
        let record = stored.record;
        if record.state.is_terminal() || record.is_held() {
            return Ok(());
        }

        match self.bus.cancels().await_announced(&record).await? {
            Some(request) => self.cancel_unheld(&record, &request).await,
            None => Ok(()),
        }
    }

    async fn cancel_unheld(
        &self,
        record: &OperationRecord,
        request: &CancelRequest,
    ) -> Result<(), Interrupted> {
        match cancel_unheld(&self.bus, record, request).await? {
            Some(cancelled) => Ok(cancelled.conclude(&self.bus).await?),
            None => Ok(()),
        }
    }
}
