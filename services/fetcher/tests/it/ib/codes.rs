//! What each numbered message of a TWS means.

use std::time::Duration;

use fetcher::ib::codes::{Meaning, classify, pause_before_attempt};
use fetcher::ib::link::Link;

fn check(table: &[(i32, &str, Meaning)]) {
    for (code, text, meaning) in table {
        assert_eq!(classify(*code, text), *meaning, "{code} {text}");
    }
}

#[test]
fn the_text_decides_what_162_165_and_200_mean() {
    use Meaning::*;

    let history = "Historical Market Data Service error message:";
    check(&[
        (162, "Historical data request pacing violation", Pacing),
        (162, "HMDS query returned no data: AAPL@SMART Trades", Empty),
        (162, "No data of type EODChart is available", Empty),
        (
            162,
            "No market data permissions for NASDAQ STK",
            NoPermission,
        ),
        (
            162,
            "Trading TWS session is connected from a different IP address",
            SessionElsewhere,
        ),
        (162, "API historical data query cancelled: 3", Cancelled),
        (162, "invalid step: 30 mins", TooLong),
        (162, "Time length exceed max.", TooLong),
        (162, "Invalid bar size", TooLong),
        (162, history, Transient),
        (165, "HMDS server connection was successful.", Information),
        (
            165,
            "Historical Market Data Service query message:",
            Transient,
        ),
        (165, "pacing violation", Pacing),
        (
            200,
            "No security definition has been found for the request",
            UnknownInstrument,
        ),
        (
            200,
            "The contract description specified for AAPL is ambiguous.",
            Ambiguous,
        ),
    ]);
}

#[test]
fn each_other_code_has_its_meaning() {
    use Meaning::*;

    check(&[
        (
            100,
            "Max rate of messages per second has been exceeded",
            Pacing,
        ),
        (420, "Invalid Real-time Query", Pacing),
        (
            203,
            "The security AAPL is not available or allowed for this account.",
            NoPermission,
        ),
        (
            354,
            "Requested market data is not subscribed.",
            NoPermission,
        ),
        (
            10186,
            "Requested market data is not subscribed.",
            NoPermission,
        ),
        (166, "HMDS Expired Contract Violation:", Unavailable),
        (321, "Error validating request:-'bW'", BadRequest),
        (
            386,
            "Duplicate ticker ID for API historical data query",
            BadRequest,
        ),
        (10299, "Expected what to show is AGGTRADES", BadRequest),
        (
            10314,
            "End Date/Time: The date, time, or time-zone entered is invalid.",
            BadRequest,
        ),
        (
            320,
            "Server error when reading an API client request.",
            Transient,
        ),
        (
            322,
            "Server error when processing an API client request.",
            Transient,
        ),
        (323, "Server error: cause - null", Transient),
        (10187, "Failed to request historical ticks", Transient),
        (
            430,
            "The fundamentals data for the security is not available",
            Empty,
        ),
        (
            326,
            "Unable to connect as the client id is already in use.",
            ClientIdInUse,
        ),
        (
            366,
            "No historical data query found for ticker id:3",
            Information,
        ),
        (502, "Couldn't connect to TWS.", Connection),
        (504, "Not connected", Connection),
        (507, "Bad Message Length", Connection),
        (1300, "TWS socket port has been reset", Connection),
    ]);
}

#[test]
fn what_is_said_of_links_and_farms_is_no_error() {
    use Meaning::*;

    check(&[
        (
            1100,
            "Connectivity between IB and TWS has been lost.",
            LinkLost,
        ),
        (
            2110,
            "Connectivity between TWS and server is broken.",
            LinkLost,
        ),
        (
            1101,
            "Connectivity has been restored - data lost.",
            LinkBackWithoutData,
        ),
        (
            1102,
            "Connectivity has been restored - data maintained.",
            LinkBack,
        ),
        (
            2103,
            "Market data farm connection is broken:usfarm",
            FarmBroken,
        ),
        (
            2105,
            "HMDS data farm connection is broken:ushmds",
            FarmBroken,
        ),
        (
            2157,
            "Sec-def data farm connection is broken:secdefnj",
            FarmBroken,
        ),
        (2104, "Market data farm connection is OK:usfarm", FarmFine),
        (2106, "HMDS data farm connection is OK:ushmds", FarmFine),
        (
            2158,
            "Sec-def data farm connection is OK:secdefnj",
            FarmFine,
        ),
        (
            2107,
            "HMDS data farm connection is inactive but available:ushmds",
            FarmFine,
        ),
        (
            2108,
            "Market data farm connection is inactive:usfarm",
            FarmFine,
        ),
        (2119, "Market data farm is connecting:usfarm", FarmFine),
    ]);
}

#[test]
fn advice_about_subscriptions_is_no_error() {
    use Meaning::*;

    check(&[
        (
            10089,
            "Requested market data requires additional subscription",
            Advisory,
        ),
        (
            10090,
            "Part of requested market data is not subscribed.",
            Advisory,
        ),
        (
            10091,
            "Part of requested market data requires more",
            Advisory,
        ),
        (10167, "Displaying delayed market data.", Advisory),
        (2188, "Delayed data", Advisory),
        (
            10197,
            "No market data during competing live session",
            SessionCompeting,
        ),
    ]);
}

#[test]
fn the_words_of_an_unlisted_code_decide() {
    use Meaning::*;

    check(&[
        (9999, "The socket is not there", Connection),
        (9999, "Transport failed", Connection),
        (9999, "Peer closed", Connection),
        (9999, "We were disconnected", Connection),
        (9999, "You are not subscribed to that", NoPermission),
        (9999, "Missing permission", NoPermission),
        (9999, "Something else", Transient),
    ]);
}

#[test]
fn pauses_double_up_to_a_minute() {
    let seconds = |meaning| -> Vec<u64> {
        let pauses = (1..=6).map(|failed| pause_before_attempt(meaning, failed));
        pauses.map(|pause| pause.as_secs()).collect()
    };

    assert_eq!(seconds(Meaning::Connection), [2, 4, 8, 16, 32, 60]);
    assert_eq!(seconds(Meaning::Transient), [5, 10, 20, 40, 60, 60]);
    let many = pause_before_attempt(Meaning::Transient, u32::MAX);
    assert_eq!(many, Duration::from_secs(60));
}

#[test]
fn a_farm_is_away_until_it_reports() {
    let mut link = Link::default();

    link.note(2105, "HMDS data farm connection is broken:ushmds");
    link.note(2103, "Market data farm connection is broken:usfarm");
    assert_eq!(link.broken_history(), Some("ushmds"));

    let changes = link.note(2106, "HMDS data farm connection is OK:ushmds");
    assert!(changes);
    assert_eq!(link.broken_history(), None);
    assert!(!link.note(2106, "HMDS data farm connection is OK:ushmds"));
    assert_eq!(link.broken_farms.len(), 1);
}

#[test]
fn a_link_that_comes_back_says_whether_answers_are_lost() {
    let mut link = Link::default();
    link.note(1100, "Connectivity between IB and TWS has been lost.");
    assert!(!link.is_up);

    link.note(1102, "Connectivity has been restored - data maintained.");
    assert!(link.is_up);
    assert_eq!(link.losses, 0);

    link.note(1101, "Connectivity has been restored - data lost.");
    assert_eq!(link.losses, 1);
}
