//! Exchanges as their documentation describes them, over bars that are given: written from the
//! pages that the providers name, and independent of them.

use serde_json::{Value, json};

use crate::{Reply, Request};

/// A bar of an exchange: start in Unix seconds, open, high, low, close, volume.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candle {
    /// Start of the bar in Unix seconds.
    pub time: i64,
    /// Open, high, low, close.
    pub prices: [f64; 4],
    /// Amount of the base that was traded.
    pub volume: f64,
}

/// A candle every `seconds` from `first` on, whose open is its number from 100 on.
pub fn rising_candles(first: i64, seconds: i64, count: i64) -> Vec<Candle> {
    let candles = (0..count).map(|number| {
        let open = 100.0 + number as f64;
        Candle {
            time: first + number * seconds,
            prices: [open, open + 2.0, open - 2.0, open + 1.0],
            volume: 10.0,
        }
    });
    candles.collect()
}

/// The spot market or the perpetuals of Binance with one symbol, BTCUSDT.
pub fn binance(candles: &[Candle], request: &Request) -> Reply {
    let is_spot = request.path.starts_with("/api/v3/");
    let limit_max = if is_spot { 1000 } else { 1500 };

    match request.path.rsplit('/').next() {
        Some("klines") if request.value("symbol") != "BTCUSDT" => {
            Reply::of(400, json!({"code": -1121, "msg": "Invalid symbol."}))
        }
        Some("klines") => {
            let limit = request.number("limit", 500).min(limit_max);
            Reply::ok(json!(klines(candles, request, limit)))
        }
        Some("time") => Reply::ok(json!({"serverTime": 1_700_000_000_000_i64})),
        Some("exchangeInfo") => Reply::ok(json!({"timezone": "UTC", "symbols": [
            {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
             "contractType": if is_spot { Value::Null } else { json!("PERPETUAL") }},
            {"symbol": "BTCUSDT_270326", "status": "TRADING", "baseAsset": "BTC",
             "quoteAsset": "USDT", "contractType": "CURRENT_QUARTER"},
        ]})),
        _ => Reply::of(404, "<html>Not found</html>"),
    }
}

/// The oldest candles from `startTime` to `endTime`, both included.
fn klines(candles: &[Candle], request: &Request, limit: i64) -> Vec<Value> {
    let start = request.number("startTime", 0);
    let end = request.number("endTime", i64::MAX);
    let within = candles
        .iter()
        .filter(|candle| (start..=end).contains(&(candle.time * 1000)));

    // The last field is said to be ignored.
    let rows = within
        .take(usize::try_from(limit).unwrap_or(0))
        .map(|candle| {
            let [open, high, low, close] = candle.prices.map(|price| format!("{price:.8}"));
            let volume = format!("{:.8}", candle.volume);
            let time = candle.time * 1000;
            json!([
                time,
                open,
                high,
                low,
                close,
                volume,
                time + 59_999,
                "0",
                7,
                "0",
                "0",
                "0"
            ])
        });
    rows.collect()
}

/// Kraken with one pair, XBT/USD: the newest 720 candles, whatever is asked for.
pub fn kraken(candles: &[Candle], request: &Request) -> Reply {
    match request.path.as_str() {
        "/0/public/OHLC" if request.value("pair") != "XBTUSD" => {
            Reply::ok(json!({"error": ["EQuery:Unknown asset pair"]}))
        }
        "/0/public/OHLC" => {
            let newest = candles.get(candles.len().saturating_sub(720)..);
            let since = request.number("since", 0);
            let rows = newest.unwrap_or_default().iter();
            let rows = rows.filter(|candle| candle.time >= since).map(|candle| {
                let [open, high, low, close] = candle.prices.map(|price| format!("{price:.1}"));
                let volume = format!("{:.8}", candle.volume);
                json!([candle.time, open, high, low, close, "0", volume, 3])
            });
            let rows: Vec<Value> = rows.collect();
            Reply::ok(json!({"error": [], "result": {"XXBTZUSD": rows, "last": 1}}))
        }
        "/0/public/SystemStatus" => Reply::ok(json!({"error": [], "result": {"status": "online"}})),
        "/0/public/AssetPairs" => Reply::ok(json!({"error": [], "result": {
            "XXBTZUSD": {"altname": "XBTUSD", "wsname": "XBT/USD", "status": "online"},
            "XETHZEUR": {"altname": "ETHEUR", "wsname": "ETH/EUR", "status": "online"},
        }})),
        _ => Reply::ok(json!({"error": ["EGeneral:Unknown method"]})),
    }
}

/// Coinbase Exchange with one product, BTC-USD: newest candle first, 300 at most.
pub fn coinbase(candles: &[Candle], request: &Request) -> Reply {
    let path: Vec<&str> = request.path.split('/').skip(1).collect();
    match path.as_slice() {
        ["products", "BTC-USD", "candles"] => coinbase_candles(candles, request),
        ["products", _, "candles"] => Reply::of(404, json!({"message": "NotFound"})),
        ["products"] => Reply::ok(json!([
            {"id": "BTC-USD", "base_currency": "BTC", "quote_currency": "USD", "status": "online"},
            {"id": "ETH-BTC", "base_currency": "ETH", "quote_currency": "BTC", "status": "online"},
        ])),
        ["time"] => Reply::ok(json!({"iso": "2024-01-01T00:00:00Z", "epoch": 1_704_067_200.0})),
        _ => Reply::of(404, json!({"message": "NotFound"})),
    }
}

fn coinbase_candles(candles: &[Candle], request: &Request) -> Reply {
    let seconds_of = |name: &str| {
        let instant: Result<jiff::Timestamp, _> = request.value(name).parse();
        instant.map_or(0, jiff::Timestamp::as_second)
    };
    let start = seconds_of("start");
    let end = seconds_of("end");
    let granularity = request.number("granularity", 60);
    if (end - start) / granularity + 1 > 300 {
        return Reply::of(
            400,
            json!({"message": "granularity too small for the requested range"}),
        );
    }

    // A candle of a coarser granularity is made of those that begin in it.
    let mut rows: Vec<Value> = Vec::new();
    for part in candles.chunk_by(|one, next| one.time / granularity == next.time / granularity) {
        let Some(first) = part.first() else { continue };
        let time = first.time - first.time.rem_euclid(granularity);
        if (start..=end).contains(&time) {
            let [open, high, low, close] = first.prices;
            rows.push(json!([time, low, high, open, close, first.volume]));
        }
    }
    rows.reverse();
    Reply::ok(json!(rows))
}
