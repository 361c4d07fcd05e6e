//! The children of an operation, read from their own records: their ids follow from the parent's.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use schemas::command::Command as _;
use schemas::commands::Spread;
use schemas::ids::OperationId;
use schemas::operation::OperationRecord;

use crate::error::BusError;
use crate::handles::Operations;

/// Records read at once.
const CONCURRENCY: usize = 64;

impl Operations<'_> {
    /// The records of all children that `parent` has made so far, in their order.
    pub async fn children(
        self,
        parent: &OperationRecord,
    ) -> Result<Vec<OperationRecord>, BusError> {
        let reads = stream::iter(child_ids(parent)).map(|op| async move { self.get(&op).await });
        let stored: Vec<_> = reads.buffered(CONCURRENCY).try_collect().await?;

        // Another operation may have the id of a child that was never made.
        let records = stored.into_iter().flatten().map(|stored| stored.record);
        Ok(records
            .filter(|record| is_child(record, &parent.op))
            .collect())
    }
}

fn is_child(record: &OperationRecord, parent: &OperationId) -> bool {
    let its_parent = record.parent.as_ref();
    its_parent.is_some_and(|its_parent| its_parent.op == *parent)
}

/// The ids of all children that `parent` has or will have, in their order.
fn child_ids(parent: &OperationRecord) -> Vec<OperationId> {
    let mut ids = Vec::new();
    for spec in parent.plan.steps() {
        if spec.service == Spread::SERVICE
            && let Ok(spread) = serde_json::from_value::<Spread>(spec.command.clone())
        {
            ids.extend(spread.child_ids(&parent.op).map(|child| child.1));
        }
    }
    ids
}
