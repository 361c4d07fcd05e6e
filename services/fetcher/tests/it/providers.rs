//! Every provider on the conformance suite, and what each exchange does in its own way. The
//! exchanges are fake servers written from their documentation, never the exchanges themselves.

use std::sync::Arc;

use fake_http::exchanges::{binance, coinbase, kraken};
use fetcher::FetcherSettings;
use fetcher::conformance::{RULES, Sample, check_provider};
use fetcher::provider::{FailureClass, Provider, ProviderError};
use fetcher::providers::Providers;
use fetcher::remote_error::Failure;
use jiff::SignedDuration;
use market::{Instrument, Timeframe, Utc};
use runtime::{OwnMemory, SharedMemory};
use schemas::codes::Advice as _;

use crate::fake_exchange::{Place, provider_at, settings_at};
use crate::scripted::{HOUR, utc};

fn instrument(text: &str) -> Instrument {
    Instrument::parse(text).unwrap()
}

async fn breaches_of(place: &Place, symbol: &str, unknown: &str) -> Vec<String> {
    let sample = Sample {
        instrument: instrument(symbol),
        timeframe: Timeframe::HOUR_1,
        range: place.label(300)..place.label(340),
        unknown: instrument(unknown),
    };
    let breaches = check_provider(&*place.provider, &sample).await.unwrap();
    breaches.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn files_pass_the_suite() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (10..20)
        .map(|hour| format!("2024-01-02T{hour}:00:00Z,1,3,1,2,5\n"))
        .collect();
    let text = format!("timestamp,open,high,low,close,volume\n{rows}");
    std::fs::write(folder.path().join("EURUSD_1h.csv"), text).unwrap();
    let settings = FetcherSettings {
        files: folder.path().display().to_string(),
        ..FetcherSettings::default()
    };

    let sample = Sample {
        instrument: instrument("EURUSD"),
        timeframe: Timeframe::HOUR_1,
        range: utc("2024-01-02T11:00:00Z")..utc("2024-01-02T17:00:00Z"),
        unknown: instrument("GBPUSD"),
    };
    let provider = Providers::new(settings).open("file").unwrap();

    assert_eq!(check_provider(&*provider, &sample).await.unwrap(), []);
}

#[tokio::test]
async fn exchanges_pass_the_suite() {
    let none: Vec<String> = Vec::new();

    let place = Place::of("binance", binance, 2_500);
    assert_eq!(breaches_of(&place, "BTCUSDT", "crypto:BTC/EUR").await, none);
    let perpetuals = breaches_of(&place, "BTCUSDT.P", "perp:ETH/USDT");
    assert_eq!(perpetuals.await, none);

    let place = Place::of("kraken", kraken, 700);
    assert_eq!(
        breaches_of(&place, "crypto:BTC/USD", "crypto:BTC/JPY").await,
        none
    );

    let place = Place::of("coinbase", coinbase, 1_000);
    assert_eq!(
        breaches_of(&place, "crypto:BTC/USD", "crypto:BTC/JPY").await,
        none
    );
}

#[tokio::test]
async fn the_suite_finds_a_provider_that_breaks_its_rules() {
    // The scripted provider has hours of the wrong year, and no look-up.
    let provider =
        crate::scripted::Scripted::hourly(utc("2020-03-02T00:00:00Z")..utc("2020-03-03T00:00:00Z"));
    let sample = Sample {
        instrument: instrument("EURUSD"),
        timeframe: Timeframe::HOUR_1,
        range: utc("2021-03-02T00:00:00Z")..utc("2021-03-03T00:00:00Z"),
        unknown: instrument("GBPUSD"),
    };

    let breaches = check_provider(&provider, &sample).await.unwrap();

    let rules: Vec<&str> = breaches.iter().map(|breach| breach.rule).collect();
    assert_eq!(rules, ["bars", "unknown", "search"]);
    for rule in rules {
        assert!(RULES.iter().any(|(name, _)| *name == rule), "{rule}");
    }
}

#[tokio::test]
async fn binance_is_asked_page_by_page_on_one_connection() {
    let place = Place::of("binance", binance, 2_500);
    let key = place.key("BTCUSDT");

    let bars = place
        .provider
        .bars(&key, place.label(0)..place.label(2_499))
        .await
        .unwrap();

    // 2 499 candles are over, in three answers of 1 000 at most.
    assert_eq!(bars.len(), 2_499);
    let first = bars.get(0).unwrap();
    assert_eq!(
        (first.prices, first.volume),
        ([100.0, 102.0, 98.0, 101.0], 10.0)
    );
    let requests = place.server.take_requests();
    assert_eq!(requests.len(), 3);
    assert!(
        requests
            .iter()
            .all(|request| request.path == "/api/v3/klines")
    );
    assert_eq!(requests[0].value("interval"), "1h");
    assert_eq!(requests[0].value("limit"), "1000");

    for _ in 0..97 {
        place
            .provider
            .bars(&key, place.label(5)..place.label(6))
            .await
            .unwrap();
    }
    assert_eq!(place.server.take_requests().len(), 97);
    assert_eq!(place.server.connections(), 1);
}

#[tokio::test]
async fn perpetuals_are_asked_of_the_futures_host() {
    let place = Place::of("binance", binance, 400);

    let key = place.key("BTCUSDT.P");
    place
        .provider
        .bars(&key, place.label(0)..place.label(9))
        .await
        .unwrap();

    assert_eq!(key.instrument, instrument("perp:BTC/USDT"));
    assert_eq!(place.server.take_requests()[0].path, "/fapi/v1/klines");
}

#[tokio::test]
async fn the_head_is_asked_once_and_the_open_bar_is_left_out() {
    let place = Place::of("binance", binance, 400);
    let key = place.key("BTCUSDT");

    let coverage = place.provider.coverage(&key).await.unwrap().unwrap();
    let again = place.provider.coverage(&key).await.unwrap().unwrap();

    // The last candle of the server is not over: its label is the end.
    assert_eq!(coverage, place.label(0)..place.label(399));
    assert_eq!(coverage, again);
    assert_eq!(place.server.take_requests().len(), 1);
    let newest = place.provider.bars(
        &key,
        place.label(390)..place.label(399).plus_micros(9 * HOUR),
    );
    assert_eq!(newest.await.unwrap().len(), 9);
}

#[tokio::test]
async fn kraken_has_the_newest_bars_only() {
    let place = Place::of("kraken", kraken, 1_000);
    let key = place.key("crypto:BTC/USD");

    let coverage = place.provider.coverage(&key).await.unwrap().unwrap();
    let bars = place.provider.bars(&key, coverage.clone()).await.unwrap();

    // Of 720 one is not over, and the oldest one may be gone when the next answer comes.
    assert_eq!(bars.len(), 718);
    assert_eq!(bars.open_time[0], coverage.start);
    let requests = place.server.take_requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].value("pair"), "XBTUSD");
    assert_eq!(requests[0].value("interval"), "60");
}

#[tokio::test]
async fn coinbase_is_asked_for_300_candles_at_a_time() {
    let place = Place::of("coinbase", coinbase, 700);
    let key = place.key("crypto:BTC/USD");

    let bars = place
        .provider
        .bars(&key, place.label(0)..place.label(699))
        .await
        .unwrap();

    assert_eq!(bars.len(), 699);
    assert_eq!(bars.get(1).unwrap().prices, [101.0, 103.0, 99.0, 102.0]);
    assert_eq!(place.server.take_requests().len(), 3);

    // The first day with a candle is the head, for every timeframe.
    let head = place.provider.coverage(&key).await.unwrap().unwrap().start;
    assert_eq!(head, Utc::midnight(place.label(0).date()));
}

/// Error, class and hint of a request that cannot be met, without the port of the server.
async fn refusal(provider: &dyn Provider, symbol: &str, timeframe: &str) -> String {
    let key = provider.series(instrument(symbol), timeframe.parse().unwrap());
    let error = provider.coverage(&key.unwrap()).await.unwrap_err();
    let text = format!(
        "{error}\n{} {}\n{}",
        error.class().as_str(),
        error.code(),
        error.hint()
    );

    let words = text
        .split_inclusive(' ')
        .map(|word| match word.split_once("127.0.0.1:") {
            Some((before, after)) => {
                let rest = after.trim_start_matches(|sign: char| sign.is_ascii_digit());
                format!("{before}127.0.0.1:PORT{rest}")
            }
            None => word.to_owned(),
        });
    words.collect()
}

#[tokio::test]
async fn a_wrong_wish_is_refused_with_what_there_is() {
    let place = Place::of("binance", binance, 400);
    let provider = &*place.provider;

    insta::assert_snapshot!(refusal(provider, "AAPL", "1h").await, @"
    binance: it has no AAPL: it has crypto pairs and crypto perpetuals only
    request PROVIDER-Unsupported
    `ktrdr provider list` shows which provider has what
    ");
    insta::assert_snapshot!(refusal(provider, "BTCUSDT", "45m").await, @"
    binance: it has no 45m bars; it has 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 8h, 12h, 1d, 1w, 1mo
    request PROVIDER-Unsupported
    `ktrdr data load BTCUSDT -t 15m --mode full --provider binance` loads shorter ones, and `ktrdr data resample BTCUSDT -t 15m --to 45m --provider binance --yes` makes 45m bars of them
    ");
    assert_eq!(place.server.take_requests().len(), 0);
    insta::assert_snapshot!(refusal(provider, "crypto:BTC/EUR", "1h").await, @"
    binance: it has no BTCEUR; it has BTCUSDT
    unknown_symbol PROVIDER-UnknownInstrument
    `ktrdr provider search BTC --provider binance` lists what it has
    ");
    insta::assert_snapshot!(refusal(&*provider_at("kraken", "http://127.0.0.1:1"), "crypto:BTC/USD", "1h").await, @"
    kraken: http://127.0.0.1:PORT/0/public/OHLC cannot be reached: Connection refused (os error 111)
    connection PROVIDER-Unreachable
    look at the network, a firewall and `fetcher.providers.kraken.url`; `ktrdr provider status kraken` asks again
    ");

    let error = Providers::new(FetcherSettings::default())
        .open("binanse")
        .err()
        .unwrap();
    insta::assert_snapshot!(format!("{error}\n{}\n{}", error.class().as_str(), error.hint()), @"
    there is no provider `binanse`; there are: file, binance, kraken, coinbase, ib, yahoo, yahoo_adjusted
    request
    use --provider binance; `ktrdr provider list` shows what each one has
    ");
    let settings = crate::fake_exchange::settings_at("kraken", "api.kraken.com");
    let error = Providers::new(settings).open("kraken").err().unwrap();
    insta::assert_snapshot!(format!("{error}\n{}\n{}", error.class().as_str(), error.hint()), @"
    kraken: the setting `fetcher.providers.kraken.url` cannot be used: `api.kraken.com`: relative URL without a base
    request
    give `fetcher.providers.kraken.url` a URL such as https://host
    ");
}

#[tokio::test]
async fn a_symbol_without_bars_is_no_unknown_symbol() {
    let place = Place::scripted("binance", 400, |_, request| binance(&[], request));

    let error = place
        .provider
        .coverage(&place.key("BTCUSDT"))
        .await
        .unwrap_err();

    assert_eq!(error.class(), FailureClass::NoData);
    assert_eq!(
        error.to_string(),
        "binance: it has no bars of BTCUSDT 1h yet"
    );
}

#[tokio::test]
async fn a_slow_clock_of_the_exchange_holds_bars_back() {
    let behind = SignedDuration::from_mins(-190);
    let place = Place::with_clock("binance", 400, behind, binance);
    let key = place.key("BTCUSDT");

    let newest = place.label(390)..place.label(399).plus_micros(HOUR);
    let bars = place.provider.bars(&key, newest).await.unwrap();

    // The bar of this hour is the last label. Three hours ago that of four hours ago was the newest
    // that was over, and ten minutes before that the same or the one before it.
    let last = *bars.open_time.last().unwrap();
    let over = place.label(394)..=place.label(395);
    assert!(over.contains(&last), "{last}");
    let notes = place.provider.notes(&key);
    assert_eq!(notes.len(), 1);
    let start = "the clock of binance is 190 min behind ours: ";
    assert!(
        notes[0].replace("189", "190").starts_with(start),
        "{notes:?}"
    );
    let coverage = place.provider.coverage(&key).await.unwrap().unwrap();
    assert_eq!(coverage.end, last.plus_micros(HOUR));
}

#[tokio::test]
async fn a_fast_clock_of_the_exchange_shows_no_bar_early() {
    let ahead = SignedDuration::from_mins(600);
    let place = Place::with_clock("binance", 400, ahead, binance);
    let key = place.key("BTCUSDT");

    let newest = place.label(390)..place.label(399).plus_micros(HOUR);
    let bars = place.provider.bars(&key, newest).await.unwrap();

    assert_eq!(bars.open_time.last(), Some(&place.label(398)));
    assert!(place.provider.notes(&key)[0].contains("ahead of ours"));
}

#[tokio::test]
async fn instruments_are_looked_up_in_any_spelling() {
    let place = Place::of("kraken", kraken, 10);
    let symbols = |text: &'static str| async {
        let listings = place.provider.search(text).await.unwrap();
        let ids = listings.iter().map(|each| each.instrument.id());
        ids.collect::<Vec<_>>()
    };

    assert_eq!(symbols("btc").await, ["crypto:BTC.USD"]);
    assert_eq!(symbols("XBTUSD").await, ["crypto:BTC.USD"]);
    assert_eq!(symbols("eth/eur").await, ["crypto:ETH.EUR"]);
    // The list is asked for once.
    assert_eq!(place.server.take_requests().len(), 1);
}

#[tokio::test]
async fn odd_times_are_left_out_or_refused() {
    let odd = |candles: &[fake_http::exchanges::Candle], request: &fake_http::Request| {
        let mut candles = candles.to_vec();
        candles[5].time += 60;
        binance(&candles, request)
    };
    let place = Place::scripted("binance", 400, odd);
    let key = place.key("BTCUSDT");
    let range = place.label(0)..place.label(10);

    let bars = place.provider.bars(&key, range.clone()).await.unwrap();

    assert_eq!(bars.len(), 9);
    assert!(place.provider.notes(&key)[0].starts_with("1 bars with times of no 1h bar"));
    let day = key.in_timeframe(Timeframe::HOUR_4);
    let only_odd = place.label(5)..place.label(6);
    let error = place.provider.bars(&day, only_odd).await.unwrap_err();
    let ProviderError::Remote(error) = error else {
        panic!("{error}");
    };
    assert!(matches!(error.failure, Failure::Protocol { .. }), "{error}");
}

/// The page about providers.
const PAGE: &str = include_str!("../../../../docs/providers.md");

#[test]
fn the_page_says_what_the_providers_say_of_themselves() {
    let providers = Providers::new(FetcherSettings::default());
    let mut classes = vec![
        "connection",
        "timeout",
        "pacing",
        "permission",
        "unknown_symbol",
    ];
    classes.extend(["no_data", "protocol", "request"]);
    for class in classes {
        assert!(PAGE.contains(&format!("| `{class}` | `")), "{class}");
    }

    for name in ["binance", "kraken", "coinbase", "yahoo"] {
        let capabilities = providers.open(name).unwrap().capabilities();
        let timeframes = capabilities.timeframes.iter().map(ToString::to_string);
        let timeframes = timeframes.collect::<Vec<_>>().join(" ");
        assert!(
            PAGE.contains(&format!("| {timeframes} |")),
            "{name}: {timeframes}"
        );
        assert!(PAGE.contains(&capabilities.limits), "{name}");
    }
}

#[test]
fn every_provider_on_the_network_has_its_settings() {
    let settings = FetcherSettings::default().providers;

    let names: Vec<&str> = settings.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["binance", "coinbase", "kraken", "yahoo", "yahoo_adjusted"]
    );
    for (name, provider) in &settings {
        assert!(provider.url.starts_with("https://"), "{name}");
        assert_eq!(provider.timeout.as_secs(), 30);
        assert_eq!(provider.limit_percent, 80);
    }
    assert_eq!(
        settings["binance"].perp_url.as_deref(),
        Some("https://fapi.binance.com")
    );
}

#[tokio::test]
async fn the_head_of_a_series_outlives_the_process() {
    let place = Place::of("binance", binance, 50);
    let memory: Arc<dyn SharedMemory> = Arc::new(OwnMemory::default());
    let key = place.key("BTCUSDT");

    let mut heads = Vec::new();
    for _ in 0..3 {
        let settings = settings_at("binance", &place.server.url());
        let provider = Providers::with_memory(settings, Arc::clone(&memory));
        let coverage = provider.open("binance").unwrap().coverage(&key).await;
        heads.push(coverage.unwrap().unwrap().start);
    }

    assert_eq!(heads, [place.label(0); 3]);
    assert_eq!(place.server.take_requests().len(), 1);
}
