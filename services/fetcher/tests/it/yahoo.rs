//! Yahoo: which rows become bars, under which labels, and what a load says of splits and
//! dividends. A fake server stands in for it.

use std::sync::Arc;

use fake_http::exchanges::Candle;
use fake_http::yahoo::{Share, answer, refusal};
use fake_http::{FakeHttp, Reply, Request};
use fetcher::conformance::{Sample, check_provider};
use fetcher::provider::{FailureClass, Provider};
use market::{Calendar, HourAnchor, Instrument, SeriesKey, Session, Timeframe, Utc, expected};
use schemas::commands::FetchMode;
use serde_json::{Value, json};
use store::RawBars;

use crate::fake_exchange::provider_at;
use crate::fetching::{command, memory, run, stored};
use crate::scripted::{DAY, HOUR, utc};

/// A provider in front of a server that answers by a script.
pub struct Desk {
    server: FakeHttp,
    pub provider: Arc<dyn Provider>,
}

impl Desk {
    fn scripted(name: &str, script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let server = FakeHttp::start(script).unwrap();
        let provider = provider_at(name, &server.url());
        Self { server, provider }
    }

    pub fn of(name: &str, share: Share) -> Self {
        Self::scripted(name, move |request| answer(&share, request))
    }

    pub fn key(&self, symbol: &str, timeframe: &str) -> SeriesKey {
        let instrument = Instrument::parse(symbol).unwrap();
        let timeframe = timeframe.parse().unwrap();
        self.provider.series(instrument, timeframe).unwrap()
    }

    async fn bars(&self, key: &SeriesKey, start: &str, end: &str) -> RawBars {
        let range = utc(start)..utc(end);
        self.provider.bars(key, range).await.unwrap()
    }
}

pub fn now() -> Utc {
    Utc::from_timestamp(jiff::Timestamp::now())
}

fn seconds(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_second()
}

/// Hours of AAPL in regular hours, of the last days.
fn hours(days: i64) -> Vec<Candle> {
    let key = SeriesKey::standard(
        "yahoo",
        Instrument::parse("AAPL").unwrap(),
        Timeframe::HOUR_1,
    );
    let key = key.unwrap();
    let slots = expected(
        Calendar::for_key(&key),
        key.timeframe,
        key.day_boundary,
        HourAnchor::SessionOpen,
        now().plus_micros(-days * DAY)..now(),
    );

    let candles = slots.iter().zip(1_i32..).map(|(slot, number)| {
        let price = 100.0 + f64::from(number);
        Candle {
            time: slot.open.0 / 1_000_000,
            prices: [price, price + 1.0, price - 1.0, price + 0.5],
            volume: 10.0,
        }
    });
    candles.collect()
}

/// A chart with rows of time, prices and volume, each of which may be null.
fn chart_of(zone: &str, rows: &[(&str, Value)]) -> Value {
    let times: Vec<i64> = rows.iter().map(|(time, _)| seconds(time)).collect();
    let column =
        |place: usize| -> Vec<Value> { rows.iter().map(|(_, row)| row[place].clone()).collect() };
    let quote = json!({
        "open": column(0), "high": column(1), "low": column(2), "close": column(3),
        "volume": column(4),
    });

    let meta = json!({
        "currency": "USD", "firstTradeDate": 345_479_400, "exchangeTimezoneName": zone,
        "regularMarketTime": times.last(),
    });
    let result = json!({
        "meta": meta, "timestamp": times, "indicators": {"quote": [quote]},
    });
    json!({"chart": {"result": [result], "error": null}})
}

/// Yahoo with the same answer for every chart.
fn desk_with(chart: Value) -> Desk {
    Desk::scripted("yahoo", move |_| Reply::ok(&chart))
}

fn opens(bars: &RawBars) -> Vec<String> {
    bars.open_time.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn yahoo_keeps_every_rule() {
    let share = Share {
        zone: "America/New_York".to_owned(),
        ..Share::hourly("AAPL", &hours(40))
    };
    let end = utc(&jiff::Timestamp::now().to_string());
    let desk = Desk::of("yahoo", share);
    let sample = Sample {
        instrument: Instrument::parse("AAPL").unwrap(),
        timeframe: Timeframe::HOUR_1,
        range: end.plus_micros(-20 * DAY)..end.plus_micros(-10 * DAY),
        unknown: Instrument::parse("stk:ZZZZ").unwrap(),
    };

    let breaches = check_provider(&*desk.provider, &sample).await.unwrap();

    assert_eq!(breaches, []);
}

#[tokio::test]
async fn a_load_stores_hours_as_the_calendar_expects_them() {
    let candles = hours(30);
    let desk = Desk::of(
        "yahoo",
        Share {
            zone: "America/New_York".to_owned(),
            ..Share::hourly("AAPL", &candles)
        },
    );
    let store = memory().await;
    let load = command("AAPL", "1h", FetchMode::Full);

    let loaded = run(&store, &*desk.provider, &load, now()).await.unwrap();

    // Every slot that is over has its bar: nothing is left to ask for.
    assert_eq!(loaded.remaining, 0);
    let bars = stored(&store, &desk.key("AAPL", "1h")).await;
    assert!(bars.len() + 1 >= candles.len(), "{} bars", bars.len());
    desk.server.take_requests();
    run(&store, &*desk.provider, &load, now()).await.unwrap();
    assert_eq!(desk.server.take_requests().len(), 0);
}

#[tokio::test]
async fn a_request_says_what_the_key_says() {
    let desk = desk_with(chart_of("America/New_York", &[]));
    let start = "2024-01-02T00:00:00Z";
    let end = "2024-01-05T00:00:00Z";
    let mut extended = desk.key("AAPL", "1h");
    extended.session = Session::Extended;
    let recent = now().plus_micros(-5 * DAY)..now().plus_micros(-4 * DAY);

    desk.bars(&desk.key("BRK.B", "1d"), start, end).await;
    desk.bars(&desk.key("^GSPC", "1w"), start, end).await;
    desk.bars(&desk.key("EURUSD", "1d"), start, end).await;
    desk.provider.bars(&extended, recent).await.unwrap();

    let requests = desk.server.take_requests();
    let texts: Vec<String> = requests
        .iter()
        .map(|each| {
            let name = each.path.rsplit('/').next().unwrap().replace("%5E", "^");
            let extended = each.value("includePrePost");
            format!("{name} {} {extended}", each.value("interval"))
        })
        .collect();
    assert_eq!(
        texts,
        [
            "BRK-B 1d false",
            "^GSPC 1wk false",
            "EURUSD=X 1d false",
            "AAPL 1h true"
        ]
    );
    // A day more on both sides: dates begin at other instants elsewhere.
    let first = &requests[0];
    assert_eq!(first.number("period1", 0), seconds("2024-01-01T00:00:00Z"));
    assert_eq!(first.number("period2", 0), seconds("2024-01-06T00:00:00Z"));
    assert_eq!(first.value("events"), "div,splits");
}

#[tokio::test]
async fn days_have_the_date_of_their_exchange() {
    // A day of New York has the time of its open, one of London midnight there: in summer that is
    // the evening before in UTC.
    let row = json!([1.0, 2.0, 0.5, 1.5, 7.0]);
    let table = [
        ("America/New_York", "2024-01-03T14:30:00Z", "AAPL"),
        ("Asia/Tokyo", "2024-01-03T00:00:00Z", "7203.T"),
        ("Australia/Sydney", "2024-01-02T23:00:00Z", "BHP.AX"),
        ("Europe/London", "2024-01-03T00:00:00Z", "EURUSD"),
    ];
    for (zone, time, symbol) in table {
        let desk = desk_with(chart_of(zone, &[(time, row.clone())]));
        let key = desk.key(symbol, "1d");
        let bars = desk
            .bars(&key, "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z")
            .await;
        assert_eq!(opens(&bars), ["2024-01-03T00:00:00Z"], "{symbol}");
    }

    let summer = ("2024-07-02T23:00:00Z", row);
    let desk = desk_with(chart_of("Europe/London", &[summer]));
    let key = desk.key("EURUSD", "1d");
    let bars = desk
        .bars(&key, "2024-07-01T00:00:00Z", "2024-08-01T00:00:00Z")
        .await;
    assert_eq!(opens(&bars), ["2024-07-03T00:00:00Z"]);
}

#[tokio::test]
async fn rows_with_a_null_price_are_no_bars() {
    let chart = chart_of(
        "America/New_York",
        &[
            ("2024-01-02T14:30:00Z", json!([1.0, 2.0, 0.5, 1.5, 7])),
            (
                "2024-01-03T14:30:00Z",
                json!([null, null, null, null, null]),
            ),
            ("2024-01-04T14:30:00Z", json!([1.0, 2.0, null, 1.5, 7])),
            ("2024-01-05T14:30:00Z", json!([1.0, 2.0, 0.5, 1.5, null])),
        ],
    );
    let desk = desk_with(chart);

    let key = desk.key("AAPL", "1d");
    let bars = desk
        .bars(&key, "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z")
        .await;

    assert_eq!(
        opens(&bars),
        ["2024-01-02T00:00:00Z", "2024-01-05T00:00:00Z"]
    );
    assert_eq!(bars.volume[0], 7.0);
    assert!(bars.volume[1].is_nan(), "an unknown volume is not 0");
}

#[tokio::test]
async fn a_volume_of_zero_is_unknown_where_none_is_counted() {
    let row = json!([1.0, 2.0, 0.5, 1.5, 0]);
    let desk = desk_with(chart_of("Europe/London", &[("2024-01-03T00:00:00Z", row)]));

    let pair = desk.key("EURUSD", "1d");
    let share = desk.key("VOD.L", "1d");
    let range = ("2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z");
    let of_pair = desk.bars(&pair, range.0, range.1).await;
    let of_share = desk.bars(&share, range.0, range.1).await;

    assert!(of_pair.volume[0].is_nan());
    assert_eq!(of_share.volume[0], 0.0);
}

#[tokio::test]
async fn the_close_of_a_session_is_no_bar() {
    // The last price of the day comes as a row at 16:00, and while trading goes on as one at the
    // second of the newest trade.
    let day = now().plus_micros(-10 * DAY).date();
    let calendar = Calendar::named("us_equities").unwrap();
    let session = calendar.sessions(day..day.saturating_add(jiff::Span::new().days(7)));
    let session = session.first().unwrap();
    let at = |micros: i64| session.open.plus_micros(micros).to_string();
    let texts = [
        at(0),
        at(HOUR),
        at(HOUR + 1_234_000_000),
        session.close.to_string(),
    ];
    let row = json!([1.0, 2.0, 0.5, 1.5, 0]);
    let rows: Vec<(&str, Value)> = texts
        .iter()
        .map(|text| (text.as_str(), row.clone()))
        .collect();
    let desk = desk_with(chart_of("America/New_York", &rows));

    let key = desk.key("AAPL", "1h");
    let range = session.open..session.close.plus_micros(DAY);
    let bars = desk.provider.bars(&key, range).await.unwrap();

    assert_eq!(
        bars.open_time,
        [session.open, session.open.plus_micros(HOUR)]
    );
    // The row at the second 1234 is of no bar, and not the newest trade: it is told.
    let notes = desk.provider.notes(&key);
    assert!(
        notes[0].starts_with("1 bars with times of no 1h bar"),
        "{notes:?}"
    );
}

#[tokio::test]
async fn the_day_of_the_newest_trade_comes_once() {
    let chart = chart_of(
        "America/New_York",
        &[
            ("2024-01-03T14:30:00Z", json!([1.0, 2.0, 0.5, 1.5, 7])),
            ("2024-01-03T21:00:01Z", json!([1.0, 3.0, 0.5, 2.5, 9])),
        ],
    );
    let desk = desk_with(chart);

    let key = desk.key("AAPL", "1d");
    let bars = desk
        .bars(&key, "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z")
        .await;

    assert_eq!(bars.len(), 1);
    assert_eq!(bars.get(0).unwrap().prices, [1.0, 3.0, 0.5, 2.5]);
}

#[tokio::test]
async fn a_week_in_two_rows_waits_until_it_is_one() {
    let row = json!([1.0, 2.0, 0.5, 1.5, 7]);
    let weeks = [
        ("2024-01-01T05:00:00Z", row.clone()),
        ("2024-01-08T05:00:00Z", row.clone()),
        ("2024-01-12T21:00:01Z", row.clone()),
    ];
    let desk = desk_with(chart_of("America/New_York", &weeks));
    let key = desk.key("AAPL", "1w");
    let range = ("2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z");
    assert_eq!(
        opens(&desk.bars(&key, range.0, range.1).await),
        ["2024-01-01T00:00:00Z"]
    );

    // Weeks that begin on a Tuesday hold other days than ours.
    let tuesday = [
        ("2024-01-02T05:00:00Z", row.clone()),
        ("2024-01-10T15:00:00Z", row),
    ];
    let desk = desk_with(chart_of("America/New_York", &tuesday));
    let error = desk
        .provider
        .bars(&key, utc(range.0)..utc(range.1))
        .await
        .unwrap_err();
    assert_eq!(error.class(), FailureClass::Protocol);
    assert!(error.to_string().contains("begins on Tuesday"), "{error}");
}

/// Days of AAPL in August 2020, when it paid 0.82 and split 4:1.
pub fn august() -> Share {
    let days = (3..29).map(|day| format!("2020-08-{day:02}T13:30:00Z"));
    let candles = days.map(|day| Candle {
        time: seconds(&day),
        prices: [100.0, 110.0, 90.0, 100.0],
        volume: 10.0,
    });

    Share {
        symbol: "AAPL".to_owned(),
        zone: "America/New_York".to_owned(),
        candles: candles.collect(),
        interval: "1d".to_owned(),
        adjusted_share: 0.5,
        splits: vec![(seconds("2020-08-31T13:30:00Z"), "4:1".to_owned())],
        dividends: vec![(seconds("2020-08-07T13:30:00Z"), 0.205)],
    }
}

#[tokio::test]
async fn splits_and_dividends_are_told_with_the_load() {
    let desk = Desk::of("yahoo", august());
    let store = memory().await;
    let mut load = command("AAPL", "1d", FetchMode::Full);
    load.end = Some(utc("2020-09-02T00:00:00Z").timestamp());

    let loaded = run(&store, &*desk.provider, &load, now()).await.unwrap();

    insta::assert_snapshot!(loaded.warnings.join("\n"), @"
    AAPL split 4:1 on 2020-08-31: earlier prices are adjusted for it
    AAPL paid a dividend on 2020-08-07: prices are not adjusted for dividends; those of `--provider yahoo_adjusted` are
    ");
    assert!(
        loaded
            .series
            .ends_with("trades-regular-split-session_close/1d")
    );
}

#[tokio::test]
async fn prices_adjusted_for_dividends_are_a_series_of_their_own() {
    let desk = Desk::of("yahoo_adjusted", august());
    let key = desk.key("AAPL", "1d");

    let bars = desk
        .bars(&key, "2020-08-03T00:00:00Z", "2020-09-02T00:00:00Z")
        .await;

    // The adjusted close is half of the close, so all prices are halved; the volume is not.
    let prefix = "bars/yahoo_adjusted/stk-aapl/trades-regular-split_dividend-session_close/1d";
    assert_eq!(key.prefix(), prefix);
    let first = bars.get(0).unwrap();
    assert_eq!(
        (first.prices, first.volume),
        ([50.0, 55.0, 45.0, 50.0], 10.0)
    );
    insta::assert_snapshot!(desk.provider.notes(&key).join("\n"), @"
    AAPL split 4:1 on 2020-08-31: earlier prices are adjusted for it
    AAPL paid a dividend on 2020-08-07: each one changes all earlier prices of this series; `ktrdr data load AAPL -t 1d --mode full --refetch --provider yahoo_adjusted` renews them
    ");

    // Adjusted closes come with days and weeks only.
    let hourly = desk.key("AAPL", "1h");
    let error = desk.provider.coverage(&hourly).await.unwrap_err();
    insta::assert_snapshot!(error, @"
    yahoo_adjusted: it has no 1h bars; it has 1d, 1w
    ");
}

#[tokio::test]
async fn only_as_much_history_is_asked_for_as_there_is() {
    let desk = desk_with(chart_of("America/New_York", &[]));
    let table = [("1m", 29), ("5m", 59), ("30m", 59), ("1h", 729)];

    for (timeframe, days) in table {
        let key = desk.key("AAPL", timeframe);
        let coverage = desk.provider.coverage(&key).await.unwrap().unwrap();
        let age = now().0 - coverage.start.0;
        assert!(
            (days * DAY..=(days + 1) * DAY).contains(&age),
            "{timeframe}"
        );

        desk.server.take_requests();
        desk.provider
            .bars(&key, utc("2000-01-01T00:00:00Z")..now())
            .await
            .unwrap();
        for request in desk.server.take_requests() {
            let start = request.number("period1", 0);
            assert!(start * 1_000_000 >= coverage.start.0, "{timeframe}");
            let span = request.number("period2", 0) - start;
            assert!(timeframe != "1m" || span <= 7 * 86_400, "{timeframe}");
        }
    }

    // Days go back to the first trade: 345479400 is 1980-12-12T14:30:00Z.
    let coverage = desk
        .provider
        .coverage(&desk.key("AAPL", "1d"))
        .await
        .unwrap();
    assert_eq!(coverage.unwrap().start, utc("1980-12-12T00:00:00Z"));
}

#[tokio::test]
async fn a_range_without_bars_is_an_answer() {
    let texts = [
        (400, "Data doesn't exist for startDate = 1, endDate = 2"),
        (
            422,
            "1m data not available for startTime=1 and endTime=2. The requested range must be \
               within the last 30 days.",
        ),
    ];

    for (status, text) in texts {
        let desk = Desk::scripted("yahoo", move |_| refusal(status, "Bad Request", text));
        let key = desk.key("AAPL", "1d");
        let bars = desk
            .bars(&key, "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z")
            .await;
        assert!(bars.is_empty(), "{text}");
    }
}

#[tokio::test]
async fn an_unknown_symbol_is_unknown_in_every_form() {
    let phantom = json!({"chart": {"error": null, "result": [{
        "meta": {"currency": null, "firstTradeDate": null}, "indicators": {"quote": [{}]},
    }]}});
    let replies = [
        refusal(404, "Not Found", "No data found, symbol may be delisted"),
        Reply::ok(phantom),
    ];

    for reply in replies {
        let desk = Desk::scripted("yahoo", move |request| match request.path.as_str() {
            "/v1/finance/search" => answer(&Share::hourly("ZZZA", &[]), request),
            _ => reply.clone(),
        });
        let error = desk
            .provider
            .coverage(&desk.key("stk:ZZZ", "1d"))
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "yahoo: it has no ZZZ; it has ZZZA");
        assert_eq!(error.class(), FailureClass::UnknownSymbol);
    }
}

#[tokio::test]
async fn bars_of_another_length_are_refused() {
    let share = Share {
        interval: "3mo".to_owned(),
        ..august()
    };
    let desk = Desk::of("yahoo", share);

    let range = utc("2020-08-01T00:00:00Z")..utc("2020-09-01T00:00:00Z");
    let error = desk
        .provider
        .bars(&desk.key("AAPL", "1d"), range)
        .await
        .unwrap_err();

    assert_eq!(error.class(), FailureClass::Protocol);
    assert!(
        error.to_string().ends_with("asked for 1d bars it gave 3mo"),
        "{error}"
    );
}

#[tokio::test]
async fn what_yahoo_never_has_is_refused_without_asking() {
    let desk = desk_with(json!({}));
    let mut days = desk.key("AAPL", "1d");
    days.session = Session::Extended;
    let keys = [
        desk.key("fut:ES", "1d"),
        desk.key("crypto:BTC/USD", "1d"),
        desk.key("AAPL", "4h"),
        days,
    ];

    let mut texts = Vec::new();
    for key in keys {
        let error = desk.provider.coverage(&key).await.unwrap_err();
        assert_eq!(error.class(), FailureClass::Request);
        texts.push(error.to_string());
    }
    insta::assert_snapshot!(texts.join("\n"), @"
    yahoo: it has no fut:ES: it has shares, funds, indices and currency pairs only
    yahoo: it has no crypto:BTC/USD: it has shares, funds, indices and currency pairs only
    yahoo: it has no 4h bars; it has 1m, 5m, 15m, 30m, 1h, 1d, 1w
    yahoo: it has no extended-hours 1d bars; it has 1m, 5m, 15m, 30m, 1h
    ");
    assert_eq!(desk.server.take_requests().len(), 0);
}

#[tokio::test]
async fn a_search_finds_what_there_are_bars_of() {
    let desk = Desk::of("yahoo", august());
    let search = async |text| {
        let listings = desk.provider.search(text).await.unwrap();
        let texts = listings
            .iter()
            .map(|each| format!("{} {}", each.instrument, each.state));
        texts.collect::<Vec<_>>()
    };

    // The future that Yahoo finds as well is none of those.
    assert_eq!(search("aapl").await, ["stk:AAPL EQUITY NASDAQ The Share"]);
    assert_eq!(search("NO7SUCH3NAME").await, [""; 0]);
    assert!(
        search("")
            .await
            .contains(&"idx:GSPC INDEX, an example".to_owned())
    );
}

#[test]
fn the_page_says_what_is_asked_for() {
    let page = include_str!("../../../../docs/providers.md");

    let days = "1m: 29 days; 5m to 30m: 59 days; 1h: 729 days; 1d and 1w: all";
    assert!(page.contains(days));
    assert!(page.contains("`AAPL split 4:1 on 2020-08-31: earlier prices are adjusted for it`"));
    let name = format!("ktrdr/{}", env!("CARGO_PKG_VERSION"));
    let agent = format!("Mozilla/5.0 (compatible; {name})");
    assert!(page.contains(&agent.replace(env!("CARGO_PKG_VERSION"), "VERSION")));
}
