//! What is asked for a series, and what is made of the answer.

use std::collections::VecDeque;

use fake_tws::{Bar, Label, Listed, Request, Verb};
use fetcher::conformance::{Sample, check_provider};
use fetcher::provider::{FailureClass, Provider as _};
use market::{DayBoundary, Instrument, PriceKind, Session, Utc};
use schemas::codes::Advice as _;

use super::desk::{Desk, bars_of, make_impatient, week};
use crate::scripted::{DAY, utc};

#[tokio::test]
async fn the_provider_keeps_every_rule() {
    let desk = Desk::open(|_| {});
    let sample = Sample {
        instrument: Instrument::parse("AAPL").unwrap(),
        timeframe: "1h".parse().unwrap(),
        range: week(),
        unknown: Instrument::parse("stk:ZZZZ").unwrap(),
    };

    let breaches = check_provider(&desk.provider, &sample).await.unwrap();

    assert_eq!(breaches, []);
}

#[tokio::test]
async fn a_request_says_what_the_key_says() {
    let desk = Desk::open(|_| {});
    let range = utc("2024-01-16T00:00:00Z")..utc("2024-01-18T00:00:00Z");
    let keys = [
        "AAPL",
        "EURUSD",
        "crypto:BTC/USD",
        "fut:ES:202412",
        "fut:ES",
    ];

    for symbol in keys {
        desk.provider
            .bars(&desk.key(symbol, "1h"), range.clone())
            .await
            .unwrap();
    }

    let requests = desk.tws.bars_requests();
    let texts: Vec<String> = requests
        .iter()
        .map(|(_, each)| {
            let hours = if each.use_rth { "regular" } else { "all" };
            let contract = format!("{} {} {}", each.con_id, each.sec_type, each.exchange);
            format!("{contract} {} {hours} {}", each.what, each.bar_size)
        })
        .collect();
    assert_eq!(
        texts,
        [
            "1 STK SMART TRADES regular 1 hour",
            "2 CASH IDEALPRO MIDPOINT regular 1 hour",
            "5 CRYPTO PAXOS AGGTRADES regular 1 hour",
            "3 FUT CME TRADES regular 1 hour",
            "4 CONTFUT CME TRADES regular 1 hour",
        ]
    );
    assert_eq!(requests[0].1.end, "20240118 00:00:00 UTC");
    assert_eq!(requests[0].1.duration, "3 D");
    assert_eq!(
        requests[4].1.end, "",
        "the end of a continuous future is now"
    );
}

#[tokio::test]
async fn settings_choose_price_and_hours() {
    let desk = Desk::open_with(
        |settings| {
            settings.fx_price = PriceKind::Ask;
            settings.hours = Session::Extended;
        },
        |_| {},
    );

    let share = desk.key("AAPL", "1h");
    assert_eq!(share.session, Session::Extended);
    let pair = desk.key("EURUSD", "1h");
    assert_eq!(pair.what, PriceKind::Ask);
    assert_eq!(pair.day_boundary, DayBoundary::SessionClose);

    desk.provider.bars(&share, week()).await.unwrap();
    desk.provider.bars(&pair, week()).await.unwrap();
    let requests = desk.tws.bars_requests();
    assert!(!requests[0].1.use_rth);
    assert_eq!(requests[1].1.what, "ASK");
}

#[tokio::test]
async fn an_unknown_volume_stays_unknown() {
    let desk = Desk::open(|script| {
        for bar in &mut script.bars {
            bar.volume = -1.0;
        }
    });

    let bars = desk
        .provider
        .bars(&desk.key("EURUSD", "1h"), week())
        .await
        .unwrap();

    assert!(!bars.is_empty());
    assert!(bars.volume.iter().all(|volume| volume.is_nan()));
}

#[tokio::test]
async fn days_weeks_and_months_have_their_first_date() {
    // The gateway names a week by any of its days: here by its Friday, and a month by its last day.
    let dated = |text: &str| Bar {
        label: Label::On(text.parse().unwrap()),
        prices: [1.0, 2.0, 0.5, 1.5],
        volume: 7.0,
    };
    let table = [
        ("1d", "2024-01-16", "2024-01-16T00:00:00Z"),
        ("1w", "2024-01-19", "2024-01-15T00:00:00Z"),
        ("1w", "2024-01-15", "2024-01-15T00:00:00Z"),
        ("1mo", "2024-01-31", "2024-01-01T00:00:00Z"),
    ];

    for (timeframe, sent, label) in table {
        let desk = Desk::open(|script| script.bars = vec![dated(sent)]);
        let range = utc("2024-01-01T00:00:00Z")..utc("2024-02-01T00:00:00Z");
        let bars = desk
            .provider
            .bars(&desk.key("AAPL", timeframe), range)
            .await
            .unwrap();
        assert_eq!(bars.open_time, [utc(label)], "{timeframe} {sent}");
    }
}

#[tokio::test]
async fn a_bar_that_is_not_over_is_left_out() {
    let now = Utc::from_timestamp(jiff::Timestamp::now());
    let around = now.plus_micros(-2 * DAY)..now.plus_micros(DAY);
    let desk = Desk::open(|_| {});
    let key = desk.key("crypto:BTC/USD", "1h");
    let all = bars_of(&key, around.clone());
    desk.tws.change(|script| script.bars = all);

    let bars = desk.provider.bars(&key, around).await.unwrap();

    let last = bars.open_time.last().unwrap();
    assert!(key.timeframe.nominal_end(*last) <= now.plus_micros(60_000_000));
    assert!(bars.len() >= 47);
}

#[tokio::test]
async fn the_head_is_asked_for_once_a_day() {
    let desk = Desk::open(|_| {});

    let hours = desk
        .provider
        .coverage(&desk.key("AAPL", "1h"))
        .await
        .unwrap();
    let days = desk
        .provider
        .coverage(&desk.key("AAPL", "1d"))
        .await
        .unwrap();

    assert_eq!(hours.unwrap().start, utc("2020-01-02T14:00:00Z"));
    assert_eq!(days.unwrap().start, utc("2020-01-02T00:00:00Z"));
    let requests = desk.tws.requests();
    let heads = requests
        .iter()
        .filter(|(_, each)| matches!(each, Request::Head(_)));
    assert_eq!(heads.count(), 1);
}

#[tokio::test]
async fn a_head_of_a_pair_is_looked_for_in_turn() {
    let none = || Verb::error(162, "HMDS query returned no data: no head time stamp");
    let desk = Desk::open(|script| script.for_heads = VecDeque::from([none(), none()]));

    let coverage = desk
        .provider
        .coverage(&desk.key("EURUSD", "1h"))
        .await
        .unwrap();

    assert!(coverage.is_some());
    let requests = desk.tws.requests();
    let heads: Vec<&str> = requests
        .iter()
        .filter_map(|(_, each)| match each {
            Request::Head(what) => Some(what.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(heads, ["MIDPOINT", "BID", "ASK"]);
}

#[tokio::test]
async fn an_unknown_head_stops_nothing() {
    let desk = Desk::open(|script| script.head = None);

    let coverage = desk
        .provider
        .coverage(&desk.key("AAPL", "1h"))
        .await
        .unwrap();

    assert_eq!(coverage, None);
}

#[tokio::test]
async fn an_unknown_symbol_is_answered_with_similar_ones() {
    let desk = Desk::open(|_| {});
    let key = desk.key("stk:AAPLX", "1h");

    let error = desk.provider.coverage(&key).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::UnknownSymbol);
    let text = error.to_string();
    assert!(text.ends_with("it has no AAPLX; it has AAPL"), "{text}");
    assert!(error.hint().contains("EUR.USD"), "{}", error.hint());

    // The answer holds for an hour.
    let count = desk.tws.requests().len();
    desk.provider.coverage(&key).await.unwrap_err();
    assert_eq!(desk.tws.requests().len(), count);
}

#[tokio::test]
async fn a_symbol_of_two_contracts_names_them() {
    let desk = Desk::open(|_| {});

    let error = desk
        .provider
        .coverage(&desk.key("TWIN", "1h"))
        .await
        .unwrap_err();

    let text = error.to_string();
    let both = "TWIN can be stk:TWIN on AMEX in USD or stk:TWIN on NYSE in USD";
    assert!(text.ends_with(both), "{text}");
}

#[tokio::test]
async fn a_lost_connection_does_not_unmake_a_symbol() {
    // Valid once, then its details stay out: they are not needed again.
    let desk = Desk::open_with(make_impatient, |_| {});
    let key = desk.key("AAPL", "1h");
    desk.provider.bars(&key, week()).await.unwrap();
    desk.tws
        .change(|script| script.for_contracts = VecDeque::from(vec![Verb::Silent; 9]));
    desk.tws.hang_up();

    let bars = desk.provider.bars(&key, week()).await.unwrap();
    assert_eq!(bars.len(), 28);

    // A symbol whose details time out is not unknown either.
    let other = desk.key("TWIN", "1h");
    let error = desk.provider.bars(&other, week()).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Timeout);
    desk.tws.change(|script| {
        script.for_contracts.clear();
        script.contracts = vec![Listed::new(6, "STK", "TWIN", "NYSE", "USD")];
    });
    desk.provider.bars(&other, week()).await.unwrap();
}

#[tokio::test]
async fn what_it_never_has_is_refused_without_asking() {
    let desk = Desk::open(|_| {});

    let perpetual = desk.key("perp:BTC/USDT", "1h");
    let error = desk.provider.bars(&perpetual, week()).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Request);
    let error = desk
        .provider
        .bars(&desk.key("AAPL", "6h"), week())
        .await
        .unwrap_err();
    assert_eq!(error.class(), FailureClass::Request);
    assert!(
        error
            .to_string()
            .contains("it has no 6h bars; it has 1m, 2m"),
        "{error}"
    );
    assert_eq!(desk.tws.requests(), []);
}

#[tokio::test]
async fn a_search_finds_contracts_and_pairs() {
    let desk = Desk::open(|_| {});
    let search = async |text| {
        let listings = desk.provider.search(text).await.unwrap();
        let texts = listings
            .iter()
            .map(|each| format!("{} {}", each.instrument, each.state));
        texts.collect::<Vec<_>>()
    };

    assert_eq!(search("aapl").await, ["stk:AAPL STK on NASDAQ in USD"]);
    assert_eq!(search("EUR/USD").await[0], "fx:EUR.USD CASH on IDEALPRO");
    assert_eq!(search("NO7SUCH3NAME").await, [""; 0]);
}
