//! What the numbered messages of a TWS mean.
//!
//! Codes 162, 165 and 200 stand for many things: there the text decides, and the code only where
//! the text says nothing that is known.

use std::time::Duration;

/// What a message means for a request, or for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Too many requests: wait, then ask the same again; it is not an attempt.
    Pacing,
    /// The answer: there are no bars.
    Empty,
    /// A subscription is missing, or the account may not see the data.
    NoPermission,
    /// Another address uses the data session: only a person can end that.
    SessionElsewhere,
    /// Another login uses the data session for now.
    SessionCompeting,
    /// The answer to our own cancel.
    Cancelled,
    /// The duration does not go with the bar size: ask for less at a time.
    TooLong,
    /// The request is wrong: asking again gives the same answer.
    BadRequest,
    /// There is no such contract.
    UnknownInstrument,
    /// There are several such contracts.
    Ambiguous,
    /// The contract exists and has no bars any more.
    Unavailable,
    /// Another program holds the client id.
    ClientIdInUse,
    /// The connection between us and the gateway is broken.
    Connection,
    /// The gateway has lost its link to the servers: wait, nothing has failed.
    LinkLost,
    /// The link is back, and what was asked before is lost.
    LinkBackWithoutData,
    /// The link is back, and what was asked before will be answered.
    LinkBack,
    /// A server of market data is away: pause, then ask again.
    FarmBroken,
    /// A server of market data is there, will be when it is needed, or is being connected.
    FarmFine,
    /// Something to say beside the bars.
    Advisory,
    /// Nothing to do.
    Information,
    /// Something else went wrong: asking again may help.
    Transient,
}

/// The pause after a message about pacing, and while another login uses the data session.
pub const PAUSE: Duration = Duration::from_secs(60);
/// Pauses for pacing that one request sits out.
pub const PACING_PAUSES_MAX: u32 = 5;
/// Pauses for a login elsewhere that one request sits out.
pub const SESSION_PAUSES_MAX: u32 = 3;
/// Attempts at one request.
pub const ATTEMPTS_MAX: u32 = 3;

/// Reads a message.
pub fn classify(code: i32, text: &str) -> Meaning {
    let text = text.to_ascii_lowercase();
    match code {
        162 | 165 | 200 => by_text(code, &text),
        100 | 420 => Meaning::Pacing,
        203 | 354 | 10186 => Meaning::NoPermission,
        166 => Meaning::Unavailable,
        321 | 386 | 10299 | 10314 => Meaning::BadRequest,
        320 | 322 | 323 | 10187 => Meaning::Transient,
        430 => Meaning::Empty,
        326 => Meaning::ClientIdInUse,
        366 => Meaning::Information,

        502 | 504 | 507 | 1300 => Meaning::Connection,
        1100 | 2110 => Meaning::LinkLost,
        1101 => Meaning::LinkBackWithoutData,
        1102 => Meaning::LinkBack,
        2103 | 2105 | 2157 => Meaning::FarmBroken,
        2104 | 2106 | 2107 | 2108 | 2119 | 2158 => Meaning::FarmFine,
        10089 | 10090 | 10091 | 10167 | 2188 => Meaning::Advisory,
        10197 => Meaning::SessionCompeting,
        _ => by_word(&text),
    }
}

/// Codes of the historical data service and of contracts, in lower case.
fn by_text(code: i32, text: &str) -> Meaning {
    const TEXTS: [(&str, Meaning); 13] = [
        ("pacing violation", Meaning::Pacing),
        (
            "hmds server connection was successful",
            Meaning::Information,
        ),
        ("no market data permissions", Meaning::NoPermission),
        ("different ip", Meaning::SessionElsewhere),
        ("query cancelled", Meaning::Cancelled),
        ("query canceled", Meaning::Cancelled),
        ("invalid step", Meaning::TooLong),
        ("time length", Meaning::TooLong),
        ("bar size", Meaning::TooLong),
        ("no data", Meaning::Empty),
        ("ambiguous", Meaning::Ambiguous),
        ("no security definition", Meaning::UnknownInstrument),
        ("no contract", Meaning::UnknownInstrument),
    ];

    let meaning = TEXTS.iter().find(|(part, _)| text.contains(part));
    match meaning {
        Some((_, meaning)) => *meaning,
        None if code == 200 => Meaning::UnknownInstrument,
        None => Meaning::Transient,
    }
}

/// A code that is not in the table, in lower case.
fn by_word(text: &str) -> Meaning {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));

    if says(&["socket", "transport", "closed", "disconnected"]) {
        Meaning::Connection
    } else if says(&["not subscribed", "permission"]) {
        Meaning::NoPermission
    } else {
        Meaning::Transient
    }
}

/// The pause before the next attempt after `failed` ones: 2 s after a broken connection, 5 s after
/// anything else, doubled each time, 60 s at most.
pub fn pause_before_attempt(meaning: Meaning, failed: u32) -> Duration {
    let first = match meaning {
        Meaning::Connection => Duration::from_secs(2),
        _ => Duration::from_secs(5),
    };
    let doubled = first.saturating_mul(2_u32.saturating_pow(failed.saturating_sub(1)));
    doubled.min(Duration::from_secs(60))
}
