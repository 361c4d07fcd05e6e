//! Dropping cancel requests of operations that do not exist: a typing error, or a flood, would
//! otherwise be stored for as long as a request may wait.

use std::collections::HashSet;

use bus::StoredCancel;
use futures::{StreamExt as _, stream};
use schemas::ids::OperationId;

use super::sweep::is_older_than;
use super::{CONCURRENCY, Housekeeper, Interrupted};

/// Stored requests that are looked at in one go.
const PAGE: u64 = 2_000;

impl Housekeeper {
    /// Looks at the requests from sequence `next` on, each of them once, and returns where to go
    /// on. A request may come before the record that it is for, so that a young one is left for
    /// later.
    pub(super) async fn drop_stale_cancels(&self, mut next: u64) -> Result<u64, Interrupted> {
        loop {
            let page = self.bus.cancels().stored(next, PAGE).await?;
            let is_old = |cancel: &&StoredCancel| is_older_than(cancel.at, self.patience());
            let old: Vec<&StoredCancel> = page.requests.iter().take_while(is_old).collect();

            // An operation that is being submitted has a mark before it has a record.
            let active = self.bus.active().list().await?.into_iter().collect();
            stream::iter(&old)
                .for_each_concurrent(CONCURRENCY, |cancel| self.drop_if_stale(cancel, &active))
                .await;

            // Either some are too young, or these were all.
            if let Some(young) = page.requests.get(old.len()) {
                return Ok(young.sequence);
            }
            if page.next <= next {
                return Ok(next);
            }
            next = page.next;
        }
    }

    async fn drop_if_stale(&self, cancel: &StoredCancel, active: &HashSet<OperationId>) {
        let is_stale = match &cancel.op {
            Some(op) if active.contains(op) => false,
            // One that cannot be read is there all the same.
            Some(op) => matches!(self.bus.operations().get(op).await, Ok(None)),
            None => true,
        };
        if !is_stale {
            return;
        }

        // Left behind, it takes room and does no harm.
        if let Err(error) = self.bus.cancels().delete(cancel.sequence).await {
            tracing::debug!(sequence = cancel.sequence, %error, "stale cancel not dropped");
        }
    }
}
