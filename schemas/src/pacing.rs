//! What the processes that ask one account of a provider share: the requests that were made lately,
//! and pauses.

use serde::{Deserialize, Serialize};

use crate::codec::Message;

/// A request, or a few in one. Written as a list of four numbers: there are many of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(i64, u32, u64, u64)", into = "(i64, u32, u64, u64)")]
pub struct MadeRequest {
    /// When it was made at the latest, in microseconds since 1970 by the clock of the bus.
    pub at: i64,
    /// What it counts.
    pub weight: u32,
    /// Hash of everything that was asked for; 0 where no rule looks at it.
    pub identity: u64,
    /// Hash of the stream of prices that was asked for; 0 where no rule looks at it.
    pub stream: u64,
}

impl From<(i64, u32, u64, u64)> for MadeRequest {
    fn from(numbers: (i64, u32, u64, u64)) -> Self {
        Self {
            at: numbers.0,
            weight: numbers.1,
            identity: numbers.2,
            stream: numbers.3,
        }
    }
}

impl From<MadeRequest> for (i64, u32, u64, u64) {
    fn from(made: MadeRequest) -> Self {
        (made.at, made.weight, made.identity, made.stream)
    }
}

/// The requests of the last window of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacingRecord {
    /// Version of this layout.
    pub v: u16,
    /// Those of the last window, oldest first.
    pub made: Vec<MadeRequest>,
    /// Nothing may be asked before, in microseconds since 1970; 0 without a pause.
    #[serde(default)]
    pub paused_until: i64,
}

impl Message for PacingRecord {
    const NAME: &'static str = "pacing";
    const VERSION: u16 = 1;
}

impl Default for PacingRecord {
    fn default() -> Self {
        Self {
            v: Self::VERSION,
            made: Vec::new(),
            paused_until: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn a_full_window_has_room_in_a_message() {
        let made = MadeRequest {
            at: 1_764_354_000_000_000,
            weight: u32::MAX,
            identity: u64::MAX,
            stream: u64::MAX,
        };
        let record = PacingRecord {
            made: vec![made; 512],
            ..PacingRecord::default()
        };

        let payload = codec::encode(&record).unwrap();

        // Four numbers of at most nine bytes each, and their heads.
        assert!(payload.len() < 512 * 36, "{}", payload.len());
        assert_eq!(codec::decode::<PacingRecord>(&payload).unwrap(), record);
    }
}
