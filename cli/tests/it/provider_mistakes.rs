//! What people read when they ask a provider for the wrong thing, or through the wrong port: what
//! has happened, what is safe, what to do, and a command that does it. Fake servers stand in for
//! the providers.

use fake_http::FakeHttp;
use fake_http::exchanges::{binance, rising_candles};
use fake_http::yahoo::yahoo;
use fake_tws::{FakeTws, Listed, Script, Verb};
use jiff::SignedDuration;

use crate::program::ktrdr_in;

const HOUR_S: i64 = 3_600;

/// Commands with the headings under which their output stands.
const MISTAKES: [(&str, &str); 9] = [
    (
        "the port of another account",
        "KTRDR_FETCHER_IB_PORT=1 ktrdr data plan AAPL -t 1h --mode full --provider ib",
    ),
    (
        "an expired contract",
        "ktrdr data load fut:ES:202312 -t 1h --mode full --provider ib --start 2023-12-01 \
         --end 2023-12-05",
    ),
    (
        "a timeframe that it does not have",
        "ktrdr data load BTCUSDT -t 45m --mode full --provider binance",
    ),
    (
        "a timeframe that Yahoo does not have",
        "ktrdr data load AAPL -t 4h --mode full --provider yahoo",
    ),
    (
        "a symbol of another class",
        "ktrdr data load AAPL -t 1h --mode full --provider binance",
    ),
    (
        "a perpetual at Interactive Brokers",
        "ktrdr data load perp:BTC/USDT -t 1h --mode full --provider ib",
    ),
    (
        "a start in the future",
        "ktrdr data load BTCUSDT -t 1h --mode full --provider binance --start 2099-01-01",
    ),
    (
        "a clock that is ten minutes off",
        "ktrdr data load BTCUSDT -t 1h --mode full --provider binance",
    ),
    (
        "a provider that does not exist",
        "ktrdr data load BTCUSDT -t 1h --mode full --provider binanse",
    ),
];

fn gateway() -> FakeTws {
    let mut future = Listed::new(3, "FUT", "ES", "CME", "USD");
    future.expiry = "20231215".to_owned();
    let refusal = Verb::error(
        166,
        "Expired contract violation: contract can not be traded",
    );

    FakeTws::start(Script {
        contracts: vec![future],
        head: Some("2022-12-16T00:00:00Z".parse().unwrap()),
        for_bars: vec![refusal; 9].into(),
        notices: vec![(2106, "HMDS data farm connection is OK:ushmds".to_owned())],
        ..Script::default()
    })
    .unwrap()
}

/// Without progress, and without what differs from run to run: operations and instants.
fn masked(text: &str) -> String {
    let is_progress = |line: &&str| {
        let beginnings = ["[", "Started", "Completed"];
        beginnings.iter().any(|begin| line.starts_with(begin))
    };
    let lines = text.lines().filter(|line| !is_progress(line));
    let lines = lines.map(|line| {
        let words = line.split(' ').map(masked_word);
        words.collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn masked_word(word: &str) -> String {
    let (before, after) = word.split_once("127.0.0.1:").unwrap_or((word, ""));
    if before != word {
        let rest = after.trim_start_matches(|sign: char| sign.is_ascii_digit());
        return format!("{before}127.0.0.1:PORT{rest}");
    }

    let bare = word.trim_matches(|sign: char| "`,;:.()".contains(sign));
    let is_instant = bare.len() >= 20 && bare.starts_with("20") && bare.ends_with('Z');
    let is_date = bare.len() == 10 && bare.starts_with("20");
    if bare.starts_with("op_data_") {
        word.replace(bare, "OPERATION")
    } else if is_instant || is_date {
        word.replace(bare, "TIME")
    } else {
        word.to_owned()
    }
}

#[test]
fn a_mistake_is_answered_with_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let now = jiff::Timestamp::now().as_second();
    let candles = rising_candles(now - now.rem_euclid(HOUR_S) - 99 * HOUR_S, HOUR_S, 100);
    let of_yahoo = candles.clone();
    let ahead = SignedDuration::from_mins(10);
    let binance = FakeHttp::start_with_clock(ahead, move |request| binance(&candles, request));
    let binance = binance.unwrap();
    let yahoo = FakeHttp::start(move |request| yahoo(&of_yahoo, request)).unwrap();
    let tws = gateway();

    let commands: Vec<String> = MISTAKES
        .iter()
        .map(|(heading, command)| format!("echo '== {heading}'; {command}; echo \"exit $?\""))
        .collect();
    let commands = format!("({}) 2>&1", commands.join("; "));
    let up = ["up", "--profile", "test", "--services", "fetcher,validator"];
    let arguments = [&up[..], &["--", "sh", "-c", &commands]].concat();
    let output = ktrdr_in(folder.path(), &arguments)
        .env("KTRDR_FETCHER_PROVIDERS_BINANCE_URL", binance.url())
        .env("KTRDR_FETCHER_PROVIDERS_YAHOO_URL", yahoo.url())
        .env("KTRDR_FETCHER_IB_PORT", tws.port().to_string())
        .env("KTRDR_FETCHER_IB_CONNECT_TIMEOUT", "2s")
        .output()
        .unwrap();

    let text = String::from_utf8(output.stdout).unwrap();
    insta::assert_snapshot!(masked(&text));
}
