//! Damaged answers for the readers of JSON and for the session with a TWS: one round of each, for
//! the tests and for the program `fuzz_answers`. Whatever comes, a reader gives bars that can be
//! bars, or an error.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fake_http::Request;
use fake_http::exchanges::{binance, coinbase, kraken, rising_candles};
use fake_http::yahoo::{Share, answer};
use fake_tws::damage::damaged;
use fake_tws::{Bar, FakeTws, Greeting, Label, Listed, Script, Verb};
use fetcher::exchanges::{READERS, Reader};
use fetcher::http_account::{AccountRules, Answer, HttpAccount, Verdict, http_client};
use fetcher::ib::provider::IbProvider;
use fetcher::ib::settings::{IbSettings, IbWaits};
use fetcher::provider::Provider as _;
use fetcher::request_budget::BudgetRules;
use market::{Instrument, Timeframe, Utc};

/// Monday 2024-01-15 09:30 in New York, in Unix seconds.
const OPEN: i64 = 1_705_329_000;
const HOUR_S: i64 = 3_600;

/// A reader with honest answers for it.
pub struct Target {
    reader: Reader,
    account: HttpAccount,
    answers: Vec<Vec<u8>>,
}

impl Target {
    /// Every reader that there is.
    pub fn all() -> Vec<Self> {
        READERS.into_iter().map(Self::of).collect()
    }

    fn of(reader: Reader) -> Self {
        let rules = AccountRules {
            budget: BudgetRules {
                weight_max: 1,
                window: Duration::from_secs(1),
                spacing: Duration::ZERO,
            },
            used_header: "",
            pause: Duration::ZERO,
            judge: reader.judge,
        };
        let client = http_client().unwrap();
        let url = "http://127.0.0.1:1";
        let timeout = Duration::from_secs(1);
        let account = HttpAccount::open(reader.name, client, url, "url", timeout, rules);

        Self {
            reader,
            account: account.unwrap(),
            answers: honest_answers(reader.name),
        }
    }

    /// Name of the provider.
    pub const fn name(&self) -> &'static str {
        self.reader.name
    }

    /// Reads one answer, damaged by a seed; what became of it.
    ///
    /// # Panics
    /// A reader gives bars that are none.
    pub fn read_damaged(&self, seed: u64) -> &'static str {
        let index = usize::try_from(seed % self.answers.len() as u64).unwrap();
        let bytes = damaged(
            &self.answers[index],
            seed.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        );
        let Ok(content) = serde_json::from_slice(&bytes) else {
            return "no JSON";
        };

        let answer = Answer {
            status: [200, 200, 400, 404, 422][usize::try_from(seed / 7 % 5).unwrap()],
            address: "http://127.0.0.1:1".to_owned(),
            content,
        };
        if let Verdict::Fail(_) | Verdict::Pause = (self.reader.judge)(&answer) {
            return "judged as an error";
        }
        let listings = (self.reader.listings)(&answer, &self.account);
        let bars = (self.reader.bars)(&answer, &self.account);
        for bar in bars.as_deref().unwrap_or_default() {
            let is_finite = bar.prices.iter().all(|price| price.is_finite());
            assert!(is_finite, "{} seed {seed}: {bar:?}", self.name());
        }
        match (bars, listings) {
            (Ok(_), _) => "read as bars",
            (_, Ok(_)) => "read as instruments",
            (Err(_), Err(_)) => "refused",
        }
    }
}

/// What a provider answers to requests for bars and for instruments.
fn honest_answers(name: &str) -> Vec<Vec<u8>> {
    let candles = rising_candles(OPEN, HOUR_S, 6);
    let share = Share {
        zone: "America/New_York".to_owned(),
        splits: vec![(OPEN, "4:1".to_owned())],
        dividends: vec![(OPEN, 0.24)],
        ..Share::hourly("AAPL", &candles)
    };
    let requests = match name {
        "binance" => ["/api/v3/klines?symbol=BTCUSDT", "/api/v3/exchangeInfo?"],
        "kraken" => ["/0/public/OHLC?pair=XBTUSD", "/0/public/AssetPairs?"],
        "coinbase" => [
            "/products/BTC-USD/candles?start=2024-01-15T00:00:00Z&end=2024-01-16T00:00:00Z&\
             granularity=3600",
            "/products?",
        ],
        _ => [
            "/v8/finance/chart/AAPL?period1=0&period2=9999999999",
            "/v1/finance/search?q=AAPL",
        ],
    };

    let replies = requests.map(|text| {
        let request = request_of(text);
        match name {
            "binance" => binance(&candles, &request),
            "kraken" => kraken(&candles, &request),
            "coinbase" => coinbase(&candles, &request),
            _ => answer(&share, &request),
        }
    });
    replies
        .map(|reply| reply.body().as_bytes().to_vec())
        .to_vec()
}

fn request_of(text: &str) -> Request {
    let (path, query) = text.split_once('?').unwrap();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query: BTreeMap<String, String> = pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Request {
        path: path.to_owned(),
        query,
        at: Instant::now(),
    }
}

/// Loads a day of bars through a session in which one frame after the other is damaged by a seed;
/// what became of it.
///
/// # Panics
/// It does not end in time, or gives bars that were not asked for.
pub async fn load_damaged(seed: u64) -> String {
    let tws = FakeTws::start(script_of(seed)).unwrap();
    let settings = IbSettings {
        port: tws.port(),
        connect_timeout: Duration::from_millis(300),
        timeout: Duration::from_millis(300),
        outage: Duration::from_millis(500),
        spacing: Duration::ZERO,
        limit_percent: 100,
        ..IbSettings::default()
    };
    let provider = IbProvider::new(settings, short_waits());

    let share = Instrument::parse("AAPL").unwrap();
    let key = provider.series(share, Timeframe::HOUR_1).unwrap();
    let range = Utc((OPEN - 2 * HOUR_S) * 1_000_000)..Utc((OPEN + 24 * HOUR_S) * 1_000_000);
    let work = async {
        let coverage = provider.coverage(&key).await;
        let bars = provider.bars(&key, range.clone()).await?;
        coverage.map(|_| bars)
    };
    let ended = tokio::time::timeout(Duration::from_secs(60), work).await;
    provider.close().await;

    match ended.unwrap_or_else(|_| panic!("seed {seed} does not end")) {
        Ok(bars) => {
            assert!(
                bars.open_time.is_sorted_by(|one, next| one < next),
                "seed {seed}"
            );
            assert!(
                bars.open_time.iter().all(|open| range.contains(open)),
                "seed {seed}"
            );
            format!("{} bars", bars.len())
        }
        Err(error) => error.class().as_str().to_owned(),
    }
}

/// An honest gateway, but for what the seed damages: the greeting, contracts, heads or bars.
fn script_of(seed: u64) -> Script {
    let hours = (0..6).map(|hour| Bar {
        label: Label::At(jiff::Timestamp::from_second(OPEN + hour * HOUR_S).unwrap()),
        prices: [100.0, 101.0, 99.0, 100.5],
        volume: 10.0,
    });
    let mut script = Script {
        contracts: vec![Listed::new(1, "STK", "AAPL", "NASDAQ", "USD")],
        head: Some("2020-01-02T14:30:00Z".parse().unwrap()),
        bars: hours.collect(),
        notices: vec![(2106, "HMDS data farm connection is OK:ushmds".to_owned())],
        ..Script::default()
    };

    let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    match seed % 8 {
        0 => script.greeting = Greeting::Damaged(mixed),
        1 => script.for_contracts.push_back(Verb::Damaged(mixed)),
        2 => script.for_heads.push_back(Verb::Damaged(mixed)),
        _ => script.for_bars.push_back(Verb::Damaged(mixed)),
    }
    script
}

fn short_waits() -> IbWaits {
    IbWaits {
        pause: Duration::from_millis(20),
        next_id: Duration::from_millis(20),
        ready: Duration::from_millis(20),
        probe: Duration::from_millis(200),
        identical: Duration::ZERO,
        back_off_percent: 1,
        reconnect: vec![Duration::from_millis(20)],
    }
}
