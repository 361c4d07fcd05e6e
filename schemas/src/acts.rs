//! What a person removes or sends away on the bus, and who: the thing itself is gone then, and
//! nothing else would say.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::Message;
use crate::errors::shortened;
use crate::operation::BY_BYTES_MAX;

/// Most things that one act names.
pub const ACT_NAMES_MAX: usize = 100;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// Schedules were removed.
    ScheduleRemove,
    /// Workers were asked to take nothing new.
    WorkersDrain,
    /// Records of operations were removed.
    OpsPrune,
    /// Checkpoints of operations were deleted.
    CheckpointsDelete,
}

impl Deed {
    /// The last token of the subject.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ScheduleRemove => "schedule-remove",
            Self::WorkersDrain => "workers-drain",
            Self::OpsPrune => "ops-prune",
            Self::CheckpointsDelete => "checkpoints-delete",
        }
    }
}

/// One act of a person, written just before it is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Version of this layout.
    pub v: u16,
    /// What was done.
    pub deed: Deed,
    /// To what: names of schedules, ids of workers or operations, the first of them.
    pub of: Vec<String>,
    /// To how many.
    pub count: u64,
    /// Who did it: the name of the credential, else `user@host`.
    pub by: String,
    /// When, by the clock of the person's host.
    pub at: Timestamp,
}

impl Act {
    /// What `by` does to these things.
    pub fn new(deed: Deed, of: &[String], by: &str, at: Timestamp) -> Self {
        Self {
            v: Self::VERSION,
            deed,
            of: of.iter().take(ACT_NAMES_MAX).cloned().collect(),
            count: of.len() as u64,
            by: shortened(by, BY_BYTES_MAX),
            at,
        }
    }
}

impl Message for Act {
    const NAME: &'static str = "act";
    const VERSION: u16 = 1;
}
