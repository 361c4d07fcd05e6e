//! Each message of the table, sent in place of bars: what kind of failure it is, how often the
//! question is asked, and how long is waited.

use std::time::{Duration, Instant};

use fake_tws::Verb;
use fetcher::provider::{FailureClass, Provider as _, ProviderError};
use schemas::codes::Advice as _;

use super::desk::{Desk, PAUSE, week};

/// The hours of AAPL in the week: four days of seven bars, since Monday was a holiday.
const BARS: usize = 28;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Bars(usize),
    Fails(FailureClass),
}

/// Sends a message `times` times before the answer; says what becomes of the request, and how long
/// after each other it was made.
async fn ask(code: i32, text: &str, times: usize) -> (End, Vec<Duration>) {
    let desk = Desk::with_verbs(vec![Verb::error(code, text); times]);
    let key = desk.key("AAPL", "1h");

    let end = match desk.provider.bars(&key, week()).await {
        Ok(bars) => End::Bars(bars.len()),
        Err(error) => End::Fails(error.class()),
    };

    let times: Vec<Instant> = desk.tws.bars_requests().iter().map(|made| made.0).collect();
    let gaps = times.windows(2).map(|two| two[1] - two[0]);
    (end, gaps.collect())
}

/// Expects that a request is made so often, without whole pauses in between.
async fn expect(code: i32, text: &str, times: usize, end: End, requests: usize) {
    let answer = ask(code, text, times).await;
    assert_eq!(answer.0, end, "{code} {text}");
    assert_eq!(answer.1.len() + 1, requests, "{code} {text}");
}

/// Expects a whole pause before each further request.
async fn expect_pauses(code: i32, text: &str, times: usize, end: End, requests: usize) {
    let answer = ask(code, text, times).await;
    assert_eq!(answer.0, end, "{code} {text}");
    assert_eq!(answer.1.len() + 1, requests, "{code} {text}");
    assert!(answer.1.iter().all(|gap| *gap >= PAUSE), "{:?}", answer.1);
}

#[tokio::test]
async fn pacing_waits_a_minute_and_is_no_attempt() {
    let bars = End::Bars(BARS);
    let violation = "Historical data request pacing violation";

    expect_pauses(162, violation, 2, bars, 3).await;
    expect_pauses(162, violation, 5, bars, 6).await;
    let given_up = End::Fails(FailureClass::Pacing);
    expect_pauses(162, violation, 9, given_up, 6).await;
    expect_pauses(100, "Max rate of messages exceeded", 1, bars, 2).await;
    expect_pauses(420, "Invalid Real-time Query: pacing", 1, bars, 2).await;
}

#[tokio::test]
async fn no_data_is_an_answer() {
    let nothing = End::Bars(0);

    let text = "HMDS query returned no data: AAPL@SMART Trades";
    expect(162, text, 1, nothing, 1).await;
    expect(430, "Fundamentals are not available", 1, nothing, 1).await;
}

#[tokio::test]
async fn what_cannot_help_is_asked_once() {
    use FailureClass::{NoData, Permission, Request, UnknownSymbol};

    let table = [
        (162, "No market data permissions for NASDAQ STK", Permission),
        (
            162,
            "session is connected from a different IP address",
            Permission,
        ),
        (
            203,
            "The security is not allowed for this account",
            Permission,
        ),
        (354, "Requested market data is not subscribed", Permission),
        (10186, "Requested market data is not subscribed", Permission),
        (9999, "You are not subscribed to that", Permission),
        (166, "HMDS Expired Contract Violation", NoData),
        (200, "No security definition has been found", UnknownSymbol),
        (200, "The contract description is ambiguous", UnknownSymbol),
        (162, "invalid step", Request),
        (321, "Error validating request", Request),
        (386, "Duplicate ticker ID", Request),
        (10299, "Expected what to show is AGGTRADES", Request),
        (10314, "End Date/Time is invalid", Request),
    ];

    for (code, text, class) in table {
        expect(code, text, 9, End::Fails(class), 1).await;
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_three_times() {
    let table = [
        (162, "Historical Market Data Service error message"),
        (162, "API historical data query cancelled"),
        (165, "Historical Market Data Service query message"),
        (320, "Server error when reading"),
        (322, "Server error when processing"),
        (323, "Server error: cause - null"),
        (10187, "Failed to request historical ticks"),
        (504, "Not connected"),
        (9999, "The socket is not there"),
        (9999, "Something else"),
    ];

    for (code, text) in table {
        expect(code, text, 2, End::Bars(BARS), 3).await;
        let failed = End::Fails(FailureClass::Connection);
        expect(code, text, 9, failed, 3).await;
    }
}

#[tokio::test]
async fn a_competing_login_is_waited_for_three_times() {
    let text = "No market data during competing live session";

    expect_pauses(10197, text, 3, End::Bars(BARS), 4).await;
    let given_up = End::Fails(FailureClass::Permission);
    expect_pauses(10197, text, 9, given_up, 4).await;
}

#[tokio::test]
async fn advice_beside_an_answer_does_not_stop_it() {
    let notices = [
        (165, "HMDS server connection was successful."),
        (
            10089,
            "Requested market data requires additional subscription",
        ),
        (10090, "Part of requested market data is not subscribed."),
        (10091, "Part of requested market data requires more"),
        (10167, "Displaying delayed market data."),
        (2188, "Delayed data"),
    ];

    for (code, text) in notices {
        let desk = Desk::with_verbs([Verb::Notice(code, text.to_owned())]);
        let bars = desk
            .provider
            .bars(&desk.key("AAPL", "1h"), week())
            .await
            .unwrap();
        assert_eq!(bars.len(), BARS, "{code} {text}");
        assert_eq!(desk.tws.bars_requests().len(), 1, "{code} {text}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_amid_bars_gives_none_twice() {
    let desk = Desk::with_verbs([Verb::DropMidAnswer]);

    let bars = desk
        .provider
        .bars(&desk.key("AAPL", "1h"), week())
        .await
        .unwrap();

    assert_eq!(bars.len(), BARS);
    assert_eq!(desk.tws.bars_requests().len(), 2);
    assert_eq!(desk.tws.client_ids().len(), 2);
}

#[tokio::test]
async fn bars_without_their_end_are_no_answer() {
    let desk = Desk::impatient([Verb::Truncate]);

    let bars = desk
        .provider
        .bars(&desk.key("AAPL", "1h"), week())
        .await
        .unwrap();

    assert_eq!(bars.len(), BARS);
    assert_eq!(desk.tws.bars_requests().len(), 2);
}

#[tokio::test]
async fn a_late_answer_is_an_answer() {
    let desk = Desk::with_verbs([Verb::Delay(Duration::from_millis(400))]);

    let bars = desk
        .provider
        .bars(&desk.key("AAPL", "1h"), week())
        .await
        .unwrap();

    assert_eq!(bars.len(), BARS);
    assert_eq!(desk.tws.bars_requests().len(), 1);
}

#[tokio::test]
async fn a_length_that_is_refused_is_asked_for_in_parts() {
    let refusal = Verb::error(162, "Time length exceed max.");
    let desk = Desk::with_verbs([refusal]);
    let key = desk.key("AAPL", "4h");

    // 120 days are one request of 4h bars, and four of 30 days.
    let end = week().end;
    let range = end.plus_micros(-120 * crate::scripted::DAY)..end;
    desk.provider.bars(&key, range).await.unwrap();

    let requests = desk.tws.bars_requests();
    let durations: Vec<&str> = requests.iter().map(|(_, each)| &*each.duration).collect();
    assert_eq!(durations, ["121 D", "31 D", "31 D", "31 D", "31 D"]);
}

/// Says what a person reads of an error.
fn text_of(error: &ProviderError) -> String {
    format!("{error}\nhint: {}", error.hint())
}

#[tokio::test]
async fn an_error_says_what_is_safe_and_what_to_do() {
    let desk = Desk::with_verbs([Verb::error(354, "Requested market data is not subscribed.")]);
    let error = desk
        .provider
        .bars(&desk.key("AAPL", "1h"), week())
        .await
        .unwrap_err();
    let port = desk.tws.port().to_string();

    insta::assert_snapshot!(text_of(&error).replace(&port, "PORT"), @"
    ib at 127.0.0.1:PORT: it may not show AAPL 1h to this account (code 354): Requested market data is not subscribed.
    hint: subscribe to the data of that exchange in the account's settings, or share the subscription with the paper account
    ");
}

#[tokio::test]
async fn dropping_a_request_cancels_it() {
    let desk = Desk::with_verbs([Verb::Silent]);
    let key = desk.key("AAPL", "1h");

    let answer = desk.provider.bars(&key, week());
    tokio::select! {
        _ = answer => panic!("nobody answers"),
        () = desk.until_asked(1) => {}
    }

    let cancelled = || {
        desk.tws
            .requests()
            .iter()
            .any(|(_, each)| *each == fake_tws::Request::Cancel)
    };
    super::desk::until("a cancel", cancelled).await;
}
