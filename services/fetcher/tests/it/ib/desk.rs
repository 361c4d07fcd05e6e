//! A provider before a fake TWS: what the tests of this folder share.

use std::ops::Range;
use std::time::Duration;

use fake_tws::{Bar, FakeTws, Label, Listed, Script, Verb};
use fetcher::ib::provider::IbProvider;
use fetcher::ib::settings::{IbSettings, IbWaits};
use fetcher::provider::Provider as _;
use market::{Calendar, Instrument, SeriesKey, Timeframe, Utc, expected};
use tokio::time::timeout;

use crate::scripted::utc;

/// The pause of these tests after a message about pacing: a minute elsewhere.
pub const PAUSE: Duration = Duration::from_millis(300);

/// Everything that the fake TWS has.
pub fn contracts() -> Vec<Listed> {
    let mut future = Listed::new(3, "FUT", "ES", "CME", "USD");
    future.expiry = "20241220".to_owned();
    vec![
        Listed::new(1, "STK", "AAPL", "NASDAQ", "USD"),
        Listed::new(2, "CASH", "EUR", "IDEALPRO", "USD"),
        future,
        Listed::new(4, "CONTFUT", "ES", "CME", "USD"),
        Listed::new(5, "CRYPTO", "BTC", "PAXOS", "USD"),
        Listed::new(6, "STK", "TWIN", "NYSE", "USD"),
        Listed::new(7, "STK", "TWIN", "AMEX", "USD"),
    ]
}

/// A week of trading in January 2024, with a holiday on its Monday.
pub fn week() -> Range<Utc> {
    utc("2024-01-15T00:00:00Z")..utc("2024-01-22T00:00:00Z")
}

/// One bar per slot of a series; the prices count.
pub fn bars_of(key: &SeriesKey, range: Range<Utc>) -> Vec<Bar> {
    let calendar = Calendar::for_key(key);
    let anchor = market::HourAnchor::ClockHour;
    let slots = expected(calendar, key.timeframe, key.day_boundary, anchor, range);

    let numbered = slots.iter().zip(1_i32..);
    let bars = numbered.map(|(slot, number)| {
        let price = 100.0 + f64::from(number);
        let label = match key.timeframe.is_intraday() {
            true => Label::At(first_trade(slot.open)),
            false => Label::On(slot.open.date()),
        };
        Bar {
            label,
            prices: [price, price + 1.0, price - 1.0, price + 0.5],
            volume: 10.0 * f64::from(number),
        }
    });
    bars.collect()
}

/// The gateway labels the first hour in New York 09:30, where the grid has 09:00.
fn first_trade(open: Utc) -> jiff::Timestamp {
    let local = open.timestamp().in_tz("America/New_York").unwrap();
    match (local.hour(), local.minute()) {
        (9, 0) => open.plus_micros(1_800_000_000).timestamp(),
        _ => open.timestamp(),
    }
}

/// A provider and the gateway that it asks.
pub struct Desk {
    pub tws: FakeTws,
    pub provider: IbProvider,
}

impl Desk {
    /// With a week of hours of AAPL.
    pub fn open(change: impl FnOnce(&mut Script)) -> Self {
        Self::open_with(|_| {}, change)
    }

    pub fn open_with(set: impl FnOnce(&mut IbSettings), change: impl FnOnce(&mut Script)) -> Self {
        let mut script = Script {
            contracts: contracts(),
            head: Some("2020-01-02T14:30:00Z".parse().unwrap()),
            bars: bars_of(&key_of("AAPL", "1h"), week()),
            notices: vec![(2106, "HMDS data farm connection is OK:ushmds".to_owned())],
            ..Script::default()
        };
        change(&mut script);
        let tws = FakeTws::start(script).unwrap();

        let mut settings = quick_settings(tws.port());
        set(&mut settings);
        let provider = IbProvider::new(settings, quick_waits());
        Self { tws, provider }
    }

    /// Whose next questions for bars are answered so.
    pub fn with_verbs(verbs: impl IntoIterator<Item = Verb>) -> Self {
        Self::open(|script| script.for_bars = verbs.into_iter().collect())
    }

    /// The same, with a provider that waits for a second only.
    pub fn impatient(verbs: impl IntoIterator<Item = Verb>) -> Self {
        let verbs = verbs.into_iter().collect();
        Self::open_with(make_impatient, |script| script.for_bars = verbs)
    }

    pub fn key(&self, symbol: &str, timeframe: &str) -> SeriesKey {
        let instrument = Instrument::parse(symbol).unwrap();
        self.provider
            .series(instrument, timeframe.parse().unwrap())
            .unwrap()
    }

    /// Waits until the gateway has had this number of requests for bars.
    pub async fn until_asked(&self, count: usize) {
        until("requests for bars", || {
            self.tws.bars_requests().len() >= count
        })
        .await;
    }
}

/// Waits until something is so.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let waited = timeout(Duration::from_secs(20), async {
        while !is_so() {
            ticks.tick().await;
        }
    });
    assert!(waited.await.is_ok(), "still waiting for {what}");
}

/// The series of trades in regular hours.
pub fn key_of(symbol: &str, timeframe: &str) -> SeriesKey {
    let instrument = Instrument::parse(symbol).unwrap();
    let timeframe: Timeframe = timeframe.parse().unwrap();
    SeriesKey::standard("ib", instrument, timeframe).unwrap()
}

pub fn quick_settings(port: u16) -> IbSettings {
    IbSettings {
        port,
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(10),
        outage: Duration::from_secs(15),
        spacing: Duration::ZERO,
        limit_percent: 100,
        ..IbSettings::default()
    }
}

pub fn quick_waits() -> IbWaits {
    IbWaits {
        pause: PAUSE,
        next_id: Duration::from_secs(1),
        ready: Duration::from_millis(100),
        probe: Duration::from_secs(2),
        identical: Duration::ZERO,
        back_off_percent: 1,
        reconnect: vec![Duration::from_millis(100)],
    }
}

pub fn make_impatient(settings: &mut IbSettings) {
    settings.connect_timeout = Duration::from_secs(1);
    settings.timeout = Duration::from_secs(1);
}
