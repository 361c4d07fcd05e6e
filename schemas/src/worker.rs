//! What a worker process says about itself while it is alive: the value under its key in the
//! workers bucket, and its signs of life.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::Message;
use crate::ids::{Lane, OperationId, Service, WorkerId};
use crate::progress::Device;

/// One worker process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerInfo {
    /// Version of this layout.
    pub v: u16,
    /// The process; new at every start.
    pub worker: WorkerId,
    /// The service whose commands it takes.
    pub service: Service,
    /// The queues it takes from.
    pub lanes: Vec<Lane>,
    /// Name of its host.
    pub host: String,
    /// Process id on that host.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
    /// When the process started.
    pub started_at: Timestamp,
    /// Steps it takes at a time.
    pub slots: u16,
    /// Operations that it works on now.
    #[serde(default)]
    pub current: Vec<OperationId>,
    /// Of these, the ones of the lane `live`, which take no slot.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub live: u16,
    /// The device that it computes on; only trainers say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// Processor cores that it may use; 0 from a worker that does not say.
    #[serde(default)]
    pub cores: u16,
    /// Memory of its host in bytes; 0 from a worker that does not say.
    #[serde(default)]
    pub memory_bytes: u64,
    /// What the worker cannot use now; or, of one that drains without having been asked, why its
    /// host seems to be at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<String>,
    /// True once it takes nothing new.
    #[serde(default)]
    pub draining: bool,
}

impl WorkerInfo {
    /// Slots that are taken.
    pub fn busy_slots(&self) -> usize {
        self.current.len().saturating_sub(usize::from(self.live))
    }

    /// True if each of its slots is taken.
    pub fn has_no_slot(&self) -> bool {
        self.busy_slots() >= usize::from(self.slots)
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_zero(count: &u16) -> bool {
    *count == 0
}

impl Message for WorkerInfo {
    const NAME: &'static str = "worker";
    const VERSION: u16 = 1;
}

/// One sign of life. It carries the time of its sender, so that one that comes late does not look
/// like a worker that was silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignOfLife {
    /// Version of this layout.
    pub v: u16,
    /// Signs of this process so far, this one included.
    pub seq: u64,
    /// Milliseconds from the start of the process to the sending, by a clock that nobody sets.
    pub sent_ms: u64,
}

impl Message for SignOfLife {
    const NAME: &'static str = "alive";
    const VERSION: u16 = 1;
}
