//! The operations whose records were written last, without reading the children of families.

use std::collections::HashSet;

use schemas::codec;
use schemas::ids::OperationId;
use schemas::operation::OperationRecord;
use schemas::subjects;

use crate::error::BusError;
use crate::families::child_ids;
use crate::handles::Operations;
use crate::listing::OperationFilter;
use crate::replay::StoredMessage;
use crate::stream_info::read_stream_info;
use crate::topology::bucket_stream;

/// Revisions read first; the number doubles each time they were not enough.
const PAGE: u64 = 200;
const PAGE_MAX: u64 = 5_000;
/// Records read one by one at a time.
const BATCH: usize = 32;

/// Reads the end of the bucket's stream backwards, page by page, until there are enough records.
///
/// The first page is read whole. Where children are not asked for, later ones are read without
/// their values: a family of thousands would fill them. The record of a family is written when it
/// ends, after those of its children, so going backwards its children are recognised by their ids.
pub(crate) struct RecentRecords<'a> {
    operations: Operations<'a>,
    filter: &'a OperationFilter,
    listed: HashSet<OperationId>,
    /// Children of the families that have been read; empty where children are asked for.
    children: HashSet<OperationId>,
}

impl<'a> RecentRecords<'a> {
    /// A reader of what matches `filter` and is not in `listed`.
    pub(crate) fn new(
        operations: Operations<'a>,
        filter: &'a OperationFilter,
        listed: &[OperationRecord],
    ) -> Self {
        let ops_listed = listed.iter().map(|record| record.op.clone());
        let mut recent = Self {
            operations,
            filter,
            listed: ops_listed.collect(),
            children: HashSet::new(),
        };

        recent.note_children(listed);
        recent
    }

    /// About `limit` records, those written last first; fewer where there are no more.
    pub(crate) async fn read(&mut self, limit: usize) -> Result<Vec<OperationRecord>, BusError> {
        let bus = self.operations.bus;
        let name = bucket_stream(subjects::OPERATIONS);
        let Some(info) = read_stream_info(&bus.js, &name).await? else {
            return Ok(Vec::new());
        };
        let keys = format!("$KV.{}.>", subjects::OPERATIONS);
        let first = info.state.first_sequence.max(1);
        let mut start = info.state.last_sequence.saturating_sub(PAGE - 1).max(first);

        // What is written while the first page is read belongs to it.
        let mut page = bus.replay(&name, &keys, start, u64::MAX).await?;
        let mut records = self.take_whole(&page);
        let mut page_size = PAGE;
        while start > first && records.len() < limit && !self.is_too_old(&page) {
            page_size = (page_size * 2).min(PAGE_MAX);
            let until = start - 1;
            start = start.saturating_sub(page_size).max(first);

            if self.filter.without_children {
                page = bus.replay_heads(&name, &keys, start, until).await?;
                records.extend(self.take_by_id(&page, limit - records.len()).await?);
            } else {
                page = bus.replay(&name, &keys, start, until).await?;
                records.extend(self.take_whole(&page));
            }
        }
        Ok(records)
    }

    /// True if all that is older than `page` was created before the filter begins: nothing was
    /// created after it was last written.
    fn is_too_old(&self, page: &[StoredMessage]) -> bool {
        let oldest_write = page.first().map(|message| message.at);
        let limits = oldest_write.zip(self.filter.since);
        limits.is_some_and(|(write, since)| write < since)
    }

    /// The matching records of a page that was read whole.
    fn take_whole(&mut self, page: &[StoredMessage]) -> Vec<OperationRecord> {
        let records = page.iter().rev().filter_map(read_record).collect();
        self.take_matching(records)
    }

    /// The matching records of a page that was read without values, up to about `limit`: whatever
    /// may not be a child is read by itself.
    async fn take_by_id(
        &mut self,
        page: &[StoredMessage],
        limit: usize,
    ) -> Result<Vec<OperationRecord>, BusError> {
        let values = page.iter().rev().filter(|message| message.is_value);
        let mut ops = values.filter_map(|message| operation_of(&message.subject));

        let mut taken = Vec::new();
        while taken.len() < limit {
            // A family that was read in the batch before leaves its children out of this one.
            let others = ops.by_ref().filter(|op| !self.children.contains(op));
            let batch: Vec<OperationId> = others.take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            let records = self.operations.records_of(batch).await?;
            taken.extend(self.take_matching(records));
        }
        Ok(taken)
    }

    fn note_children(&mut self, families: &[OperationRecord]) {
        if self.filter.without_children {
            self.children.extend(families.iter().flat_map(child_ids));
        }
    }

    fn take_matching(&mut self, mut records: Vec<OperationRecord>) -> Vec<OperationRecord> {
        self.note_children(&records);

        records.retain(|record| !self.listed.contains(&record.op) && self.filter.matches(record));
        records
    }
}

/// The operation whose record a message of the bucket holds.
fn operation_of(subject: &str) -> Option<OperationId> {
    subject.rsplit_once('.')?.1.parse().ok()
}

/// The record in a revision of the bucket; `None` for a marker, and for what cannot be read.
fn read_record(message: &StoredMessage) -> Option<OperationRecord> {
    if !message.is_value {
        return None;
    }
    match codec::decode(&message.payload) {
        Ok(record) => Some(record),
        Err(error) => {
            tracing::warn!(sequence = message.sequence, %error, "a record cannot be read");
            None
        }
    }
}
