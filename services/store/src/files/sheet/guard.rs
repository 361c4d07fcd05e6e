//! Decoders of others check most of what they read, and panic on some damaged files. Here such a
//! file becomes an error like every other.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// True while a panic of this thread is an answer and not a fault to report.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Runs a decoder, which keeps nothing when it fails.
///
/// # Errors
/// It panicked: what it said.
pub(super) fn guard<T>(decode: impl FnOnce() -> T) -> Result<T, String> {
    // Reported as an error, such a panic need not be on standard error, too.
    HOOK.call_once(|| {
        let report = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_GUARDED.get() {
                report(panic);
            }
        }));
    });

    IS_GUARDED.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(decode));
    IS_GUARDED.set(false);
    outcome.map_err(|payload| words_of(payload.as_ref()))
}

fn words_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("its decoder stopped").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_that_panics_gives_an_error() {
        let damaged: Vec<u8> = Vec::new();
        assert_eq!(guard(|| damaged.len()), Ok(0));

        let reason = guard(|| damaged[7]).unwrap_err();
        assert!(reason.contains("index is 7"), "{reason}");
    }
}
