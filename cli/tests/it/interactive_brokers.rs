//! The provider `ib` as a user meets it. A fake TWS stands in for the gateway.

use std::process::Command;
use std::time::{Duration, Instant};

use fake_tws::{Bar, FakeTws, Greeting, Label, Listed, Request, Script};

use crate::program::{Ended, ktrdr_in};

/// 2024-01-16T14:30:00Z, a Tuesday: the first hour of trading in New York.
const OPEN: &str = "2024-01-16T14:30:00Z";

/// The seven hours of one day of AAPL: a short one, and six from 15:00 on.
fn day() -> Vec<Bar> {
    let open: jiff::Timestamp = OPEN.parse().unwrap();
    let minutes = [0, 30, 90, 150, 210, 270, 330];
    let bars = minutes.into_iter().map(|minute| {
        let begin = open + jiff::SignedDuration::from_mins(minute);
        let price = 100.0 + minute as f64 / 100.0;
        Bar {
            label: Label::At(begin),
            prices: [price, price + 1.0, price - 1.0, price],
            volume: 10.0,
        }
    });
    bars.collect()
}

fn gateway(change: impl FnOnce(&mut Script)) -> FakeTws {
    let mut script = Script {
        contracts: vec![Listed::new(1, "STK", "AAPL", "NASDAQ", "USD")],
        head: Some("2020-01-02T14:30:00Z".parse().unwrap()),
        bars: day(),
        notices: vec![(2106, "HMDS data farm connection is OK:ushmds".to_owned())],
        ..Script::default()
    };
    change(&mut script);
    FakeTws::start(script).unwrap()
}

fn with_port(command: &mut Command, port: u16) -> Ended {
    command.env("KTRDR_FETCHER_IB_PORT", port.to_string());
    command.env("KTRDR_FETCHER_IB_CONNECT_TIMEOUT", "2s");
    command.output().unwrap().into()
}

/// Runs `ktrdr` with the gateway at a port.
fn run_at(port: u16, folder: &tempfile::TempDir, arguments: &str) -> Ended {
    let words: Vec<&str> = arguments.split(' ').collect();
    with_port(&mut ktrdr_in(folder.path(), &words), port)
}

#[test]
fn a_load_through_a_gateway_stores_its_bars() {
    let folder = tempfile::tempdir().unwrap();
    let tws = gateway(|_| {});
    let range = "--start 2024-01-16 --end 2024-01-17";
    let commands = format!(
        "ktrdr data load AAPL -t 1h --mode full {range} --provider ib --quiet; echo exit $?; \
         ktrdr data show AAPL -t 1h --provider ib --rows 2"
    );

    let up = ["up", "--profile", "test", "--services", "fetcher,validator"];
    let arguments = [&up[..], &["--", "sh", "-c", &commands]].concat();
    let ended = with_port(&mut ktrdr_in(folder.path(), &arguments), tws.port());

    assert!(ended.out.contains("exit 0"), "{}{}", ended.out, ended.err);
    let counts = "7 bars, 2024-01-16T14:30:00Z to 2024-01-16T20:00:00Z; 7 new";
    assert!(ended.out.contains(counts), "{}", ended.out);
    let last_row = "2024-01-16T20:00:00Z  103.3  104.3  102.3  103.3  10      2024-01-16T21:00:00Z";
    assert!(ended.out.contains(last_row), "{}", ended.out);
    assert_eq!(tws.bars_requests().len(), 1);
    assert_eq!(tws.client_ids().len(), 1);
}

#[test]
fn a_gateway_tells_its_state_and_its_contracts() {
    let folder = tempfile::tempdir().unwrap();
    let tws = gateway(|_| {});

    let status = run_at(tws.port(), &folder, "provider status ib");
    assert_eq!(status.exit, Some(0), "{}{}", status.out, status.err);
    assert!(status.out.contains("client id 111"), "{}", status.out);

    let search = run_at(tws.port(), &folder, "provider search aapl --provider ib");
    assert_eq!(search.exit, Some(0), "{}{}", search.out, search.err);
    assert!(
        search.out.contains("STK on NASDAQ in USD"),
        "{}",
        search.out
    );
    assert_eq!(tws.bars_requests(), []);
}

#[test]
fn a_gateway_that_is_away_or_silent_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let port = gateway(|_| {}).port();

    let away = run_at(port, &folder, "provider status ib");
    assert_eq!(away.exit, Some(1), "{}", away.out);
    assert!(
        away.err.contains("start TWS or Gateway"),
        "{}{}",
        away.out,
        away.err
    );

    let tws = gateway(|script| script.greeting = Greeting::Silent);
    let silent = run_at(tws.port(), &folder, "provider status ib");
    assert_eq!(silent.exit, Some(1), "{}", silent.out);
    assert!(
        silent.err.contains("restart the gateway"),
        "{}{}",
        silent.out,
        silent.err
    );
}

#[test]
fn a_gateway_is_seen_to_go_and_to_come_back() {
    // Within 5 s, and without a request for history.
    let folder = tempfile::tempdir().unwrap();
    let tws = gateway(|_| {});
    let port = tws.port();
    let is_connected = || {
        let began = Instant::now();
        let status = run_at(port, &folder, "provider status ib --json");
        assert!(began.elapsed() < Duration::from_secs(5), "{}", status.err);
        let line: serde_json::Value = serde_json::from_str(&status.out).unwrap();
        line["connected"].as_bool().unwrap()
    };

    assert!(is_connected());
    let mut requests = tws.requests();
    drop(tws);
    assert!(!is_connected());
    let back = FakeTws::start_at(port, Script::default()).unwrap();
    assert!(is_connected());

    requests.extend(back.requests());
    let is_history = |request: &Request| matches!(request, Request::Bars(_) | Request::Head(_));
    assert!(!requests.iter().any(|(_, request)| is_history(request)));
}

#[test]
fn a_status_counts_what_services_have_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let tws = gateway(|_| {});
    let commands = "ktrdr data load AAPL -t 1h --mode full --start 2024-01-16 --end 2024-01-17 \
                    --provider ib --quiet; ktrdr provider status ib";

    let up = ["up", "--profile", "test", "--services", "fetcher,validator"];
    let arguments = [&up[..], &["--", "sh", "-c", commands]].concat();
    let ended = with_port(&mut ktrdr_in(folder.path(), &arguments), tws.port());

    // The head, and one request for bars.
    let count = "2 historical requests in 10 minutes";
    assert!(ended.out.contains(count), "{}{}", ended.out, ended.err);
}
