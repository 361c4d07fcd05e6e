//! Trace context: one trace per operation, one span per attempt, derived from ids so that nothing
//! has to be carried.
//!
//! The form is W3C Trace Context, `00-<trace id>-<parent id>-01`. Ids are FNV-1a hashes (128 and 64
//! bit).

use crate::ids::{OperationId, StepNumber};

const FNV_128_OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV_128_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
const FNV_64_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_64_PRIME: u64 = 0x0000_0100_0000_01b3;

/// The `traceparent` header of everything that an attempt publishes; attempt 0 is the
/// submitter's.
pub fn traceparent(op: &OperationId, step: StepNumber, attempt: u32) -> String {
    let trace = trace_id(op);
    let span = span_id(op, step, attempt);
    format!("00-{trace:032x}-{span:016x}-01")
}

/// The trace of an operation.
pub fn trace_id(op: &OperationId) -> u128 {
    hash_128(op.as_str())
}

/// The span of an attempt at a step; attempt 0 of the first step is the operation as a whole.
pub fn span_id(op: &OperationId, step: StepNumber, attempt: u32) -> u64 {
    hash_64(&format!("{op}.{step}.{attempt}"))
}

fn hash_128(text: &str) -> u128 {
    let mut hash = FNV_128_OFFSET;
    for byte in text.bytes() {
        hash = (hash ^ u128::from(byte)).wrapping_mul(FNV_128_PRIME);
    }
    hash
}

/// The FNV-1a hash of a text, the same on every host.
pub(crate) fn hash_64(text: &str) -> u64 {
    let mut hash = FNV_64_OFFSET;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(FNV_64_PRIME);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_one_operation_share_the_trace_but_not_the_span() {
        let op: OperationId = "op_train_20260301_142233_9f3a01bc".parse().unwrap();
        let first = traceparent(&op, StepNumber::FIRST, 1);
        let second = traceparent(&op, StepNumber::new(2).unwrap(), 1);
        assert_eq!(first.len(), 55);
        assert_eq!(first.get(..35), second.get(..35));
        assert_ne!(first, second);
    }
}
