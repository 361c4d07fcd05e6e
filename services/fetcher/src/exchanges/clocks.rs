//! Two clocks, ours and that of a host: which instant has passed by both, and when people should
//! know of a difference.

use jiff::{SignedDuration, Timestamp};
use market::Utc;

use crate::http_account::HttpAccount;

/// A difference of clocks that people should know of.
const CLOCK_AHEAD_MAX: SignedDuration = SignedDuration::from_secs(120);

/// The earlier one of our clock and the host's: a bar that ended before it is over by both.
pub(super) fn agreed_now(account: &HttpAccount) -> Utc {
    let ahead = account.clock_ahead().unwrap_or_default();
    let behind = ahead.min(SignedDuration::ZERO);
    let behind_micros = i64::try_from(behind.as_micros()).unwrap_or(0);
    Utc::from_timestamp(Timestamp::now()).plus_micros(behind_micros)
}

/// What people should know of the clock of a provider; nothing while it is like ours.
pub(super) fn clock_note(name: &str, account: &HttpAccount) -> Option<String> {
    let ahead = account.clock_ahead()?;
    if ahead.abs() <= CLOCK_AHEAD_MAX {
        return None;
    }

    let side = if ahead.is_negative() {
        "behind"
    } else {
        "ahead of"
    };
    let minutes = (ahead.abs().as_secs() + 30) / 60;
    Some(format!(
        "the clock of {name} is {minutes} min {side} ours: a bar is stored when it is over by \
         both; look at the clock of this machine"
    ))
}
