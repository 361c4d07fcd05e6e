//! The providers on the network as a user meets them. A fake server stands in for the exchange, and
//! no test asks a real one.

use std::process::Command;

use fake_http::exchanges::{Candle, binance, rising_candles};
use fake_http::{FakeHttp, Reply, Request};
use serde_json::Value;

use crate::program::{Ended, ktrdr_in};

const HOUR_S: i64 = 3_600;

/// Binance with 2 400 hours up to now.
fn exchange() -> (FakeHttp, Vec<Candle>) {
    let now = jiff::Timestamp::now().as_second();
    let this_hour = now - now.rem_euclid(HOUR_S);
    let candles = rising_candles(this_hour - 2_399 * HOUR_S, HOUR_S, 2_400);
    let of_server = candles.clone();
    let server = FakeHttp::start(move |request| binance(&of_server, request));
    (server.unwrap(), candles)
}

/// The same, which never answers for the second thousand of its hours.
fn exchange_with_a_hole() -> FakeHttp {
    let now = jiff::Timestamp::now().as_second();
    let first = now - now.rem_euclid(HOUR_S) - 2_399 * HOUR_S;
    let candles = rising_candles(first, HOUR_S, 2_400);
    let hole = (first + 1_000 * HOUR_S) * 1_000..(first + 2_000 * HOUR_S) * 1_000;

    let server = FakeHttp::start(move |request| {
        if hole.contains(&request.number("startTime", 0)) {
            return Reply::of(503, "away");
        }
        binance(&candles, request)
    });
    server.unwrap()
}

/// Runs `ktrdr` with Binance at a URL.
fn run_at(url: &str, folder: &tempfile::TempDir, arguments: &str) -> Ended {
    let words: Vec<&str> = arguments.split(' ').collect();
    let mut command = ktrdr_in(folder.path(), &words);
    with_binance(&mut command, url).output().unwrap().into()
}

fn with_binance<'a>(command: &'a mut Command, url: &str) -> &'a mut Command {
    command
        .env("KTRDR_FETCHER_PROVIDERS_BINANCE_URL", url)
        .env("KTRDR_FETCHER_PROVIDERS_BINANCE_PERP_URL", url)
        .env("KTRDR_FETCHER_PROVIDERS_BINANCE_TIMEOUT", "2s")
}

/// Runs shell commands inside a local system whose Binance is at a URL.
fn run_in_system_at(url: &str, folder: &tempfile::TempDir, commands: &str) -> Ended {
    let up = ["up", "--profile", "test", "--services", "fetcher,validator"];
    let arguments = [&up[..], &["--", "sh", "-c", commands]].concat();
    let mut command = ktrdr_in(folder.path(), &arguments);
    with_binance(&mut command, url).output().unwrap().into()
}

fn lines_of(ended: &Ended) -> Vec<Value> {
    let lines = ended.out.lines().map(serde_json::from_str);
    lines.filter_map(Result::ok).collect()
}

#[test]
fn a_dry_run_of_a_load_shows_its_requests_and_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _) = exchange();
    let load = "data load BTCUSDT -t 1h --mode full --provider binance --dry-run --json";

    let ended = run_at(&server.url(), &folder, load);

    let lines = lines_of(&ended);
    let [request, plan] = lines.as_slice() else {
        panic!("{}{}", ended.out, ended.err)
    };
    assert_eq!(request["kind"], "data");
    assert_eq!(request["plan"][0][0]["service"], "fetcher");
    // 2 399 hours are over; Binance gives 1 000 of them for a request.
    assert_eq!(plan["type"], "plan");
    assert_eq!(
        (&plan["missing"], &plan["requests"]),
        (&2_399.into(), &3.into())
    );
    assert!(plan["estimated_seconds"].as_f64().unwrap() > 0.0, "{plan}");

    // Only where the series begins was asked for, and nothing is stored.
    let requests = server.take_requests();
    assert!(requests.iter().all(|request| request.value("limit") == "1"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A pipeline must not go on as if all bars were there.
#[test]
fn a_load_in_part_has_an_exit_code_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let server = exchange_with_a_hole();
    let commands = "ktrdr data load BTCUSDT -t 1h --mode full --provider binance --json; \
                    echo load $?; \
                    ktrdr follow last; echo follow $?; ktrdr wait last; echo wait $?";

    let ended = run_in_system_at(&server.url(), &folder, commands);

    let lines = lines_of(&ended);
    let result = lines.iter().find(|line| line["type"] == "result").unwrap();
    assert_eq!(result["exit"], 7);
    let series = &result["results"]["fetcher"]["series"][0];
    assert_eq!(series["state"], "partial");
    // 2 399 hours are over: each is stored or named as unanswered.
    let unanswered = series["unanswered"][0]["bars"].as_u64().unwrap();
    assert!(unanswered > 100, "{series}");
    assert_eq!(series["rows"], 2_399 - unanswered);
    for expected in ["load 7", "follow 7", "wait 7"] {
        let named = ended.out.lines().any(|line| line == expected);
        assert!(named, "{expected}: {}{}", ended.out, ended.err);
    }
}

#[test]
fn a_load_from_an_exchange_stores_its_bars() {
    let folder = tempfile::tempdir().unwrap();
    let (server, candles) = exchange();
    let commands = "ktrdr data plan BTCUSDT -t 1h --mode full --provider binance; \
                    ktrdr data load BTCUSDT -t 1h --mode full --provider binance --quiet; \
                    echo exit $?; \
                    ktrdr data show BTCUSDT -t 1h --provider binance --rows 1 --json; \
                    ktrdr data load BTCUSDT -t 1h --mode full --provider binance --json";

    let ended = run_in_system_at(&server.url(), &folder, commands);

    // The plan asks for the head, and the load for 2 399 bars that are over.
    assert!(ended.out.contains("exit 0"), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("for 2399 bars"), "{}", ended.out);
    let last_open = candles[2_398].prices[0];
    let lines = lines_of(&ended);
    let last = lines.iter().find(|line| line["open"] == last_open);
    assert!(last.is_some(), "{}", ended.out);

    let klines = server.take_requests();
    assert!(
        klines
            .iter()
            .all(|request| request.path == "/api/v3/klines")
    );
    let heads = klines
        .iter()
        .filter(|request| request.value("limit") == "1");
    // That of the plan, which the fetcher remembers for both loads.
    assert_eq!(heads.count(), 1);
    let pages = klines
        .iter()
        .filter(|request| request.value("limit") == "1000");
    let pages: Vec<&Request> = pages.collect();
    assert!((3..=4).contains(&pages.len()), "{}", pages.len());
}

#[test]
fn providers_are_listed_with_what_they_have() {
    let folder = tempfile::tempdir().unwrap();

    let ended = run_at("http://127.0.0.1:1", &folder, "provider list --json");

    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    let lines = lines_of(&ended);
    let names: Vec<&str> = lines
        .iter()
        .map(|line| line["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "file",
            "binance",
            "kraken",
            "coinbase",
            "ib",
            "yahoo",
            "yahoo_adjusted"
        ]
    );
    assert_eq!(lines[1]["classes"], serde_json::json!(["crypto", "perp"]));
    assert_eq!(lines[2]["newest_bars"], 720);
}

#[test]
fn a_status_says_who_answers_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _) = exchange();

    let good = run_at(&server.url(), &folder, "provider status binance --json");
    assert_eq!(good.exit, Some(0), "{}{}", good.out, good.err);
    assert_eq!(lines_of(&good)[0]["state"], "ok");

    let bad = run_at("http://127.0.0.1:1", &folder, "provider status binance");
    assert_eq!(bad.exit, Some(1), "{}", bad.out);
    assert!(bad.out.contains("connection"), "{}", bad.out);
    assert!(
        bad.err.contains("fetcher.providers.binance.url"),
        "{}",
        bad.err
    );

    let none = run_at(&server.url(), &folder, "provider status binanse");
    assert_eq!(none.exit, Some(2), "{}", none.err);
    assert!(none.err.contains("use --provider binance"), "{}", none.err);
}

#[test]
fn instruments_are_found_by_a_part_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _) = exchange();

    let search = "provider search btc-usdt --provider binance";
    let ended = run_at(&server.url(), &folder, search);
    insta::assert_snapshot!(ended.out, @"
    PROVIDER  ITS NAME  SYMBOL     STATE
    binance   BTCUSDT   BTCUSDT    TRADING
    binance   BTCUSDT   BTCUSDT.P  TRADING
    ");

    let nothing = run_at(
        &server.url(),
        &folder,
        "provider search doge --provider binance",
    );
    assert_eq!(nothing.exit, Some(4), "{}", nothing.err);
}

#[test]
fn a_provider_is_tested_by_its_rules() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _) = exchange();

    let ended = run_at(
        &server.url(),
        &folder,
        "provider test binance BTCUSDT -t 1h",
    );
    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    assert_eq!(ended.out.lines().count(), 12, "{}", ended.out);

    let wild = FakeHttp::start(|request: &Request| {
        let reply = exchange_of_today(request);
        if request.value("limit") == "1" {
            reply
        } else {
            Reply::ok("[]")
        }
    });
    let ended = run_at(
        &wild.unwrap().url(),
        &folder,
        "provider test binance BTCUSDT -t 1h",
    );
    assert_eq!(ended.exit, Some(1), "{}", ended.out);
    assert!(ended.out.contains("broken  bars"), "{}", ended.out);
}

fn exchange_of_today(request: &Request) -> Reply {
    binance(&rising_candles(1_704_067_200, HOUR_S, 10), request)
}

#[test]
fn a_load_that_is_refused_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _) = exchange();
    let load = "ktrdr data load --provider binance --quiet -t";
    let commands = format!(
        "{load} 45m BTCUSDT; echo exit $?; {load} 1h crypto:BTC/EUR; echo exit $?; \
         {load} 1h AAPL; echo exit $?; {load} 1h BTCUSDT --start 2099-01-01; echo exit $?"
    );

    let ended = run_in_system_at(&server.url(), &folder, &commands);

    let exits: Vec<&str> = ended
        .out
        .lines()
        .filter(|line| line.starts_with("exit"))
        .collect();
    assert_eq!(
        exits,
        ["exit 1", "exit 1", "exit 1", "exit 1"],
        "{}",
        ended.err
    );
    for text in [
        "it has no 45m bars",
        "it has no BTCEUR; it has BTCUSDT",
        "it has no AAPL: it has crypto pairs and crypto perpetuals only",
    ] {
        assert!(ended.err.contains(text), "{text}: {}", ended.err);
    }
}
