//! Yahoo's chart and search endpoints as public descriptions of them say, over bars that are given.

use serde_json::{Value, json};

use crate::exchanges::Candle;
use crate::{Reply, Request};

/// A share with its bars and events.
#[derive(Clone, Debug)]
pub struct Share {
    /// Yahoo's name of it.
    pub symbol: String,
    /// Clock of its exchange.
    pub zone: String,
    /// Its bars, in the one length that it has.
    pub candles: Vec<Candle>,
    /// That length in Yahoo's words.
    pub interval: String,
    /// The close adjusted for dividends in relation to the close.
    pub adjusted_share: f64,
    /// Splits: Unix seconds and ratio.
    pub splits: Vec<(i64, String)>,
    /// Dividends: Unix seconds and amount.
    pub dividends: Vec<(i64, f64)>,
}

impl Share {
    /// Hours of a share around the clock, without events.
    pub fn hourly(symbol: &str, candles: &[Candle]) -> Self {
        Self {
            symbol: symbol.to_owned(),
            zone: "UTC".to_owned(),
            candles: candles.to_vec(),
            interval: "1h".to_owned(),
            adjusted_share: 1.0,
            splits: Vec::new(),
            dividends: Vec::new(),
        }
    }
}

/// A share of Frankfurt, whose hours nobody keeps, with hourly candles.
pub fn yahoo(candles: &[Candle], request: &Request) -> Reply {
    answer(&Share::hourly("BMW.F", candles), request)
}

/// The answer about one share, which is the only one there is.
pub fn answer(share: &Share, request: &Request) -> Reply {
    let path: Vec<&str> = request.path.split('/').skip(1).collect();
    match path.as_slice() {
        ["v8", "finance", "chart", symbol] if symbol.replace("%5E", "^") == share.symbol => {
            Reply::ok(chart(share, request))
        }
        ["v8", "finance", "chart", _] => {
            refusal(404, "Not Found", "No data found, symbol may be delisted")
        }
        ["v1", "finance", "search"] => Reply::ok(search(share, request)),
        _ => Reply::of(404, "<html>Not found</html>"),
    }
}

/// An answer in the form of its errors.
pub fn refusal(status: u16, code: &str, description: &str) -> Reply {
    let error = json!({"code": code, "description": description});
    Reply::of(status, json!({"chart": {"result": null, "error": error}}))
}

fn search(share: &Share, request: &Request) -> Value {
    let text = request.value("q").to_uppercase();
    let quotes = match share.symbol.contains(&text) {
        true => json!([
            {"symbol": share.symbol, "quoteType": "EQUITY", "exchDisp": "NASDAQ",
             "shortname": "The Share"},
            {"symbol": "ES=F", "quoteType": "FUTURE", "exchDisp": "CME"},
        ]),
        false => json!([]),
    };
    json!({"count": 0, "quotes": quotes, "news": []})
}

fn chart(share: &Share, request: &Request) -> Value {
    let start = request.number("period1", i64::MAX);
    let end = request.number("period2", i64::MAX);
    let is_within = |time: i64| (start..end).contains(&time);
    let candles = share.candles.iter();
    let candles: Vec<&Candle> = candles.filter(|candle| is_within(candle.time)).collect();

    let column = |value: fn(&Candle) -> f64| -> Vec<f64> {
        candles.iter().map(|candle| value(candle)).collect()
    };
    let times: Vec<i64> = candles.iter().map(|candle| candle.time).collect();
    let closes = column(|candle| candle.prices[3]);
    let adjusted: Vec<f64> = closes
        .iter()
        .map(|close| close * share.adjusted_share)
        .collect();
    let granularity = match request.value("range") {
        "" => share.interval.as_str(),
        _ => request.value("interval"),
    };

    let mut result = json!({
        "meta": {
            "currency": "USD",
            "symbol": share.symbol,
            "instrumentType": "EQUITY",
            "firstTradeDate": share.candles.first().map(|first| first.time),
            "regularMarketTime": share.candles.last().map(|last| last.time + 1),
            "exchangeTimezoneName": share.zone,
            "dataGranularity": granularity,
        },
        "indicators": {
            "quote": [{
                "open": column(|candle| candle.prices[0]),
                "high": column(|candle| candle.prices[1]),
                "low": column(|candle| candle.prices[2]),
                "close": closes,
                "volume": column(|candle| candle.volume),
            }],
            "adjclose": [{"adjclose": adjusted}],
        },
        "events": events(share, is_within),
    });
    // Without bars there is no list of times at all.
    if let Some(fields) = result.as_object_mut()
        && !times.is_empty()
    {
        fields.insert("timestamp".to_owned(), json!(times));
    }
    json!({"chart": {"result": [result], "error": null}})
}

fn events(share: &Share, is_within: impl Fn(i64) -> bool) -> Value {
    let splits = share.splits.iter().filter(|(time, _)| is_within(*time));
    let splits = splits.map(|(time, ratio)| {
        let split = json!({"date": time, "splitRatio": ratio});
        (time.to_string(), split)
    });
    let dividends = share.dividends.iter().filter(|(time, _)| is_within(*time));
    let dividends = dividends.map(|(time, amount)| {
        let dividend = json!({"date": time, "amount": amount});
        (time.to_string(), dividend)
    });

    json!({
        "splits": splits.collect::<serde_json::Map<String, Value>>(),
        "dividends": dividends.collect::<serde_json::Map<String, Value>>(),
    })
}
