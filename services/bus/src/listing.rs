//! Lists operations without reading them all: what is active, and what was written last.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use schemas::errors::chain;
use schemas::ids::OperationId;
use schemas::operation::{OperationRecord, OperationState};

use crate::buckets::Bucket;
use crate::error::BusError;
use crate::handles::Operations;
use crate::operations::Stored;
use crate::recent::RecentRecords;

/// Of the active operations at least the N oldest (running) and the N newest (just submitted) are
/// read, and as many as are to be listed, up to the maximum.
const ACTIVE_ENDS: usize = 200;
/// Active operations that are read at each end for one list.
const ACTIVE_ENDS_MAX: usize = 1_000;
/// Records read at once.
const CONCURRENCY: usize = 32;

/// Which operations to list; empty means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationFilter {
    /// In one of these states.
    pub states: Vec<OperationState>,
    /// Of this kind of operation.
    pub kind: Option<String>,
    /// Created at or after.
    pub since: Option<Timestamp>,
    /// Only what has not ended.
    pub active: bool,
    /// With all of these labels.
    pub labels: BTreeMap<String, String>,
    /// Without the operations that other operations have made.
    pub without_children: bool,
}

/// The first operations of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperationPage {
    /// Their records, newest first.
    pub records: Vec<OperationRecord>,
    /// True if there are operations that are neither here nor known to be left out by the filter.
    pub more: bool,
}

impl OperationFilter {
    /// True for a record that is to be listed.
    pub fn matches(&self, record: &OperationRecord) -> bool {
        (self.states.is_empty() || self.states.contains(&record.state))
            && self.kind.as_ref().is_none_or(|kind| *kind == record.kind)
            && self.since.is_none_or(|since| record.created_at >= since)
            && !(self.active && record.state.is_terminal())
            && !(self.without_children && record.parent.is_some())
            && self
                .labels
                .iter()
                .all(|(key, value)| record.labels.get(key) == Some(value))
    }
}

impl Operations<'_> {
    /// The ids of all operations that have a record, in the order of their submission.
    pub async fn ids(self) -> Result<Vec<OperationId>, BusError> {
        let keys = self.bus.keys_of(Bucket::Operations).await?;
        let ids = keys.iter().filter_map(|key| key.rsplit_once('.'));
        let mut ids: Vec<OperationId> = ids.filter_map(|(_, op)| op.parse().ok()).collect();

        ids.sort_by(|a, b| submission_time(a).cmp(&submission_time(b)));
        Ok(ids)
    }

    /// Up to `limit` operations, newest first. If there are more, running ones are listed rather
    /// than others.
    pub async fn list(
        self,
        limit: usize,
        filter: &OperationFilter,
    ) -> Result<Vec<OperationRecord>, BusError> {
        Ok(self.list_page(limit, filter).await?.records)
    }

    /// [`list`](Self::list), and whether there are more.
    pub async fn list_page(
        self,
        limit: usize,
        filter: &OperationFilter,
    ) -> Result<OperationPage, BusError> {
        let mut active = self.bus.active().list().await?;
        active.retain(|op| !(filter.without_children && op.is_child()));
        let active_count = active.len();
        let active = worth_reading(active, limit.clamp(ACTIVE_ENDS, ACTIVE_ENDS_MAX));
        let mut more = active.len() < active_count;
        let mut records = self.records_of(active).await?;
        records.retain(|record| filter.matches(record));

        // One more than is asked for shows whether there are more.
        if !filter.active {
            let mut recent = RecentRecords::new(self, filter, &records);
            records.extend(recent.read(limit.saturating_add(1)).await?);
        }
        more |= records.len() > limit;

        // What runs gets its place first; then the list is put in the order in which it is shown.
        records.sort_by_key(|record| (!is_running(record), Reverse(record.created_at)));
        records.truncate(limit);
        records.sort_by(|a, b| (b.created_at, &b.op).cmp(&(a.created_at, &a.op)));
        Ok(OperationPage { records, more })
    }

    /// Every unfinished operation that matches, oldest first.
    pub async fn unfinished(
        self,
        filter: &OperationFilter,
    ) -> Result<Vec<OperationRecord>, BusError> {
        let mut active = self.bus.active().list().await?;
        active.sort_by(|a, b| submission_time(a).cmp(&submission_time(b)));

        let mut records = self.records_of(active).await?;
        records.retain(|record| !record.state.is_terminal() && filter.matches(record));
        Ok(records)
    }

    /// The records of these operations, as far as there are any, in the same order.
    pub(crate) async fn records_of(
        self,
        ops: Vec<OperationId>,
    ) -> Result<Vec<OperationRecord>, BusError> {
        let reads = stream::iter(ops).map(|op| async move { self.get_readable(&op).await });
        let stored: Vec<_> = reads.buffered(CONCURRENCY).try_collect().await?;
        Ok(stored
            .into_iter()
            .flatten()
            .map(|stored| stored.record)
            .collect())
    }

    /// The record of an operation; none when there is none that can be read.
    async fn get_readable(self, op: &OperationId) -> Result<Option<Stored>, BusError> {
        match self.get(op).await {
            Err(error @ BusError::UnreadableRecord { .. }) => {
                tracing::warn!(error = %chain(&error), "left out of the list");
                Ok(None)
            }
            read => read,
        }
    }

    /// The operations whose records cannot be read, each with the reason: of those that are marked
    /// as active, or of all that there are.
    pub async fn find_unreadable(self, all: bool) -> Result<Vec<BusError>, BusError> {
        let operations = if all {
            self.ids().await?
        } else {
            self.bus.active().list().await?
        };

        let reads = stream::iter(operations).map(|op| async move { self.get(&op).await });
        let mut reads = reads.buffered(CONCURRENCY);
        let mut unreadable = Vec::new();
        while let Some(read) = reads.next().await {
            match read {
                Ok(_) => {}
                Err(error @ BusError::UnreadableRecord { .. }) => unreadable.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(unreadable)
    }
}

fn is_running(record: &OperationRecord) -> bool {
    record.started_at.is_some() && !record.state.is_terminal()
}

/// The `ends` operations at each end of the queues, of all that are active: with thousands of them,
/// those in the middle only wait. Children count apart, or they would hide all others.
fn worth_reading(mut active: Vec<OperationId>, ends: usize) -> Vec<OperationId> {
    active.sort_by(|a, b| submission_time(a).cmp(&submission_time(b)));
    let (mut children, mut others): (Vec<_>, Vec<_>) =
        active.into_iter().partition(OperationId::is_child);

    drop_middle(&mut children, ends);
    drop_middle(&mut others, ends);
    others.append(&mut children);
    others
}

fn drop_middle(ops: &mut Vec<OperationId>, ends: usize) {
    let end = ops.len().saturating_sub(ends);
    if end > ends {
        ops.drain(ends..end);
    }
}

/// Day and time of the submission, which the id holds.
fn submission_time(op: &OperationId) -> (&str, &str) {
    (op.day(), op.time())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A parent of one second, and its children.
    fn family(second: u32, children: u32) -> Vec<OperationId> {
        let parent = format!("op_family_20260301_1422{second:02}_00000000");
        let parent: OperationId = parent.parse().unwrap();
        let children = (0..children).map(|index| parent.child("dummy", index).unwrap());
        std::iter::once(parent.clone()).chain(children).collect()
    }

    #[test]
    fn parents_are_not_hidden_by_their_children() {
        let families = [family(1, 300), family(2, 300), family(3, 300)];
        let parents = families.each_ref().map(|family| family[0].clone());

        let read = worth_reading(families.concat(), ACTIVE_ENDS);

        assert!(parents.iter().all(|parent| read.contains(parent)));
        // Of 900 children the first 200 and the last 200.
        assert_eq!(read.len(), 403);
    }
}
