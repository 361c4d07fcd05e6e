//! A real gateway, for people who have one. Nothing here runs unless it is asked for:
//! `KTRDR_IB_LIVE_PORT=4002 cargo test -p fetcher --test it ib::live -- --ignored`, with a Gateway
//! or a TWS of a paper account on this machine.

use fetcher::conformance::{Sample, check_provider};
use fetcher::ib::provider::IbProvider;
use fetcher::ib::settings::{IbSettings, IbWaits};
use market::Instrument;

use crate::scripted::utc;

#[tokio::test]
#[ignore = "needs a Gateway or a TWS of a paper account"]
async fn a_real_gateway_keeps_every_rule() {
    let port: u16 = std::env::var("KTRDR_IB_LIVE_PORT")
        .unwrap()
        .parse()
        .unwrap();
    assert!([4002, 7497].contains(&port), "the port of a paper account");
    let settings = IbSettings {
        port,
        ..IbSettings::default()
    };
    let provider = IbProvider::new(settings, IbWaits::default());

    let sample = Sample {
        instrument: Instrument::parse("EURUSD").unwrap(),
        timeframe: "1h".parse().unwrap(),
        range: utc("2024-01-08T00:00:00Z")..utc("2024-01-13T00:00:00Z"),
        unknown: Instrument::parse("stk:ZZZZZZZZZ").unwrap(),
    };
    let breaches = check_provider(&provider, &sample).await.unwrap();
    provider.close().await;

    assert_eq!(breaches, []);
}
