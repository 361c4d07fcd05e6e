//! The operations whose records were written last, without reading the children of large families.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::time::Duration;

use jiff::tz::TimeZone;
use schemas::codec;
use schemas::ids::OperationId;
use schemas::operation::OperationRecord;
use schemas::subjects;

use crate::error::BusError;
use crate::handles::Operations;
use crate::listing::OperationFilter;
use crate::replay::StoredMessage;
use crate::stream_info::{list_subjects, read_stream_info};
use crate::topology::bucket_stream;

/// Revisions read first; the number doubles each time they were not enough.
const PAGE: u64 = 200;
/// Revisions read at once for the newest operations.
const PAGE_MAX: u64 = 5_000;
/// Records read one by one at a time.
const BATCH: usize = 32;
/// Most time between the making of an id and that of its record.
const CREATION_DELAY_MAX: Duration = Duration::from_secs(60);

/// Reads the end of the bucket's stream backwards, page by page, until there are enough records.
///
/// Where children are not asked for, the server leaves them out of the pages. After a second page,
/// which a large family may leave empty, the ids of all others are asked for, which the server
/// knows by heart, and gone through by their submission, newest first.
pub(crate) struct RecentRecords<'a> {
    operations: Operations<'a>,
    filter: &'a OperationFilter,
    /// What has been listed already.
    listed: HashSet<OperationId>,
}

impl<'a> RecentRecords<'a> {
    /// A reader of what matches `filter` and is not in `listed`.
    pub(crate) fn new(
        operations: Operations<'a>,
        filter: &'a OperationFilter,
        listed: &[OperationRecord],
    ) -> Self {
        let ops_listed = listed.iter().map(|record| record.op.clone());
        Self {
            operations,
            filter,
            listed: ops_listed.collect(),
        }
    }

    /// About `limit` records, those written last first; fewer where there are no more.
    pub(crate) async fn read(&mut self, limit: usize) -> Result<Vec<OperationRecord>, BusError> {
        let bus = self.operations.bus;
        let name = bucket_stream(subjects::OPERATIONS);
        let Some(info) = read_stream_info(&bus.js, &name).await? else {
            return Ok(Vec::new());
        };
        let keys = match self.filter.without_children {
            true => subjects::records_without_children("*"),
            false => format!("$KV.{}.>", subjects::OPERATIONS),
        };
        let first = info.state.first_sequence.max(1);
        let mut start = info.state.last_sequence.saturating_sub(PAGE - 1).max(first);

        // What is written while the first page is read belongs to it.
        let mut page = bus.replay(&name, &keys, start, u64::MAX).await?;
        let mut records = self.take_whole(&page);
        let mut page_size = PAGE;
        while start > first && records.len() < limit && !self.is_too_old(&page) {
            if self.filter.without_children && page_size == PAGE_MAX {
                let ops = self.newest_first(&name, &keys).await?;
                records.extend(self.take_by_id(ops, limit - records.len()).await?);
                break;
            }

            page_size = match self.filter.without_children {
                true => PAGE_MAX,
                false => (page_size * 2).min(PAGE_MAX),
            };
            let until = start - 1;
            start = start.saturating_sub(page_size).max(first);
            page = bus.replay(&name, &keys, start, until).await?;
            records.extend(self.take_whole(&page));
        }
        Ok(records)
    }

    /// All operations with one of these keys by the second of their submission, newest first. Those
    /// before the filter begins are left out.
    async fn newest_first(&self, name: &str, keys: &str) -> Result<Vec<OperationId>, BusError> {
        let subjects = list_subjects(&self.operations.bus.js, name, keys).await?;
        let mut ops: Vec<OperationId> = subjects
            .iter()
            .filter_map(|key| operation_of(key))
            .collect();

        // A record is created at the second in its id, or a little later.
        if let Some(since) = self.filter.since {
            let since = (since - CREATION_DELAY_MAX).to_zoned(TimeZone::UTC);
            let day = since.strftime("%Y%m%d").to_string();
            let time = since.strftime("%H%M%S").to_string();
            ops.retain(|op| (op.day(), op.time()) >= (day.as_str(), time.as_str()));
        }
        ops.sort_by_cached_key(|op| Reverse(second_of(op)));
        Ok(ops)
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

    /// The matching records of these operations, up to about `limit`.
    async fn take_by_id(
        &mut self,
        ops: Vec<OperationId>,
        limit: usize,
    ) -> Result<Vec<OperationRecord>, BusError> {
        let mut ops = ops.into_iter();
        let mut taken = Vec::new();
        while taken.len() < limit {
            let batch: Vec<OperationId> = ops.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }

            let records = self.operations.records_of(batch).await?;
            taken.extend(self.take_matching(records));
        }
        Ok(taken)
    }

    fn take_matching(&mut self, mut records: Vec<OperationRecord>) -> Vec<OperationRecord> {
        records.retain(|record| !self.listed.contains(&record.op) && self.filter.matches(record));
        self.listed
            .extend(records.iter().map(|record| record.op.clone()));
        records
    }
}

/// Day and time of the submission as one number, as in 20260301142233.
fn second_of(op: &OperationId) -> u64 {
    let digits = format!("{}{}", op.day(), op.time());
    digits.parse().unwrap_or_default()
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
