//! Lists operations without reading them all: what is active, and what was written last.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use schemas::codec;
use schemas::ids::OperationId;
use schemas::operation::{OperationRecord, OperationState};
use schemas::subjects;

use crate::error::BusError;
use crate::handles::Operations;
use crate::stream_info::read_stream_info;
use crate::topology::bucket_stream;

/// Revisions read first; twice as many each time they were not enough.
const STRETCH: u64 = 200;
const STRETCH_MAX: u64 = 5_000;
/// Of the active operations the oldest and the newest so many are read: the first run, the last
/// were just submitted.
const ACTIVE_ENDS: usize = 200;
/// Records read at once.
const CONCURRENCY: usize = 32;

/// Which operations to list; empty means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationFilter {
    /// In one of these states.
    pub states: Vec<OperationState>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Created at or after.
    pub since: Option<Timestamp>,
    /// Only what has not ended.
    pub active: bool,
    /// With all of these labels.
    pub labels: BTreeMap<String, String>,
}

impl OperationFilter {
    /// True for a record that is to be listed.
    pub fn matches(&self, record: &OperationRecord) -> bool {
        (self.states.is_empty() || self.states.contains(&record.state))
            && self.kind.as_ref().is_none_or(|kind| *kind == record.kind)
            && self.since.is_none_or(|since| record.created_at >= since)
            && !(self.active && record.state.is_terminal())
            && self
                .labels
                .iter()
                .all(|(key, value)| record.labels.get(key) == Some(value))
    }
}

impl Operations<'_> {
    /// Up to `limit` operations, newest first. Those that have begun and not ended come before all
    /// others get a place.
    pub async fn list(
        self,
        limit: usize,
        filter: &OperationFilter,
    ) -> Result<Vec<OperationRecord>, BusError> {
        let mut found: Vec<OperationRecord> = self.active_records().await?;
        found.retain(|record| filter.matches(record));
        if !filter.active {
            let known: BTreeSet<OperationId> =
                found.iter().map(|record| record.op.clone()).collect();
            found.extend(self.recent_records(limit, filter, &known).await?);
        }
        let waits =
            |record: &OperationRecord| record.state.is_terminal() || record.started_at.is_none();
        found.sort_by_key(|record| (waits(record), std::cmp::Reverse(record.created_at)));
        found.truncate(limit);
        found.sort_by(|a, b| (b.created_at, &b.op).cmp(&(a.created_at, &a.op)));
        Ok(found)
    }

    async fn active_records(self) -> Result<Vec<OperationRecord>, BusError> {
        let mut active = self.bus.active().list().await?;
        active.sort_by(|a, b| when(a).cmp(&when(b)));
        let middle = ACTIVE_ENDS..active.len().saturating_sub(ACTIVE_ENDS).max(ACTIVE_ENDS);
        let ends = active
            .into_iter()
            .enumerate()
            .filter(|(index, _)| !middle.contains(index))
            .map(|(_, op)| op);
        let records = stream::iter(ends)
            .map(|op| async move { self.get(&op).await })
            .buffered(CONCURRENCY);
        let records: Vec<_> = records.try_collect().await?;
        Ok(records
            .into_iter()
            .flatten()
            .map(|stored| stored.record)
            .collect())
    }

    /// The records written last: the end of the bucket's stream, read backwards in stretches until
    /// there are enough.
    async fn recent_records(
        self,
        limit: usize,
        filter: &OperationFilter,
        known: &BTreeSet<OperationId>,
    ) -> Result<Vec<OperationRecord>, BusError> {
        let name = bucket_stream(subjects::OPERATIONS);
        let Some(info) = read_stream_info(&self.bus.js, &name).await? else {
            return Ok(Vec::new());
        };
        let (first, mut end) = (info.state.first_sequence.max(1), info.state.last_sequence);
        let (mut stretch, mut found, mut until) = (STRETCH, Vec::new(), u64::MAX);
        while end >= first && found.len() < limit {
            let start = end.saturating_sub(stretch - 1).max(first);
            let page = self
                .bus
                .replay(
                    &name,
                    &format!("$KV.{}.>", subjects::OPERATIONS),
                    start,
                    until,
                )
                .await?;
            let written_before = page.first().map(|kept| kept.at);
            for kept in page.iter().rev().filter(|kept| kept.is_value) {
                match codec::decode::<OperationRecord>(&kept.payload) {
                    Ok(record) if !known.contains(&record.op) && filter.matches(&record) => {
                        found.push(record)
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(sequence = kept.sequence, %error, "a record cannot be read")
                    }
                }
            }
            // Nothing was created after it was last written, so what stands before is older than
            // asked for.
            if written_before
                .zip(filter.since)
                .is_some_and(|(written, since)| written < since)
            {
                break;
            }
            (end, until) = (start - 1, start - 1);
            stretch = (stretch * 2).min(STRETCH_MAX);
        }
        Ok(found)
    }
}

/// Day and time inside the id.
fn when(op: &OperationId) -> (&str, &str) {
    (op.day(), op.as_str().split('_').nth(3).unwrap_or_default())
}
