//! What outlives a process: what the gateway was asked for is not asked again.

use std::collections::VecDeque;
use std::sync::Arc;

use fake_tws::{Request, Verb};
use fetcher::ib::provider::IbProvider;
use fetcher::provider::{FailureClass, Provider as _};
use market::Timeframe;
use runtime::{OwnMemory, SharedMemory};

use super::desk::{Desk, make_impatient, quick_settings, quick_waits, week};
use crate::scripted::DAY;

/// A gateway and what its providers remember together.
struct Office {
    desk: Desk,
    memory: Arc<dyn SharedMemory>,
}

impl Office {
    fn open() -> Self {
        Self {
            desk: Desk::open(|_| {}),
            memory: Arc::new(OwnMemory::default()),
        }
    }

    /// The provider of another process.
    fn start(&self) -> IbProvider {
        let mut settings = quick_settings(self.desk.tws.port());
        make_impatient(&mut settings);
        IbProvider::with_memory(settings, quick_waits(), Arc::clone(&self.memory))
    }

    fn count(&self, belongs: impl Fn(&Request) -> bool) -> usize {
        let requests = self.desk.tws.requests();
        requests.iter().filter(|(_, each)| belongs(each)).count()
    }
}

#[tokio::test]
async fn heads_and_contracts_are_not_asked_for_again() {
    let office = Office::open();
    let key = office.desk.key("AAPL", "1h");

    let mut coverages = Vec::new();
    for _ in 0..3 {
        let provider = office.start();
        let coverage = provider.coverage(&key).await.unwrap();
        coverages.push(coverage.unwrap().start);
        provider.close().await;
    }

    assert_eq!(coverages[0], coverages[2]);
    assert_eq!(office.count(|each| matches!(each, Request::Head(_))), 1);
    assert_eq!(
        office.count(|each| matches!(each, Request::Contract(..))),
        1
    );
}

#[tokio::test]
async fn a_symbol_that_was_valid_stays_so_over_a_restart() {
    // The process that looked it up is gone, and the gateway does not tell contracts any more.
    let office = Office::open();
    let key = office.desk.key("AAPL", "1h");
    office.start().bars(&key, week()).await.unwrap();
    office
        .desk
        .tws
        .change(|script| script.for_contracts = VecDeque::from(vec![Verb::Silent; 9]));

    let bars = office.start().bars(&key, week()).await.unwrap();

    assert_eq!(bars.len(), 28);
}

#[tokio::test]
async fn an_unknown_symbol_is_not_looked_up_again() {
    let office = Office::open();
    let key = office.desk.key("stk:AAPLX", "1h");
    let first = office.start().coverage(&key).await.unwrap_err();
    let look_ups = |each: &Request| matches!(each, Request::Contract(..) | Request::Symbols(_));
    let before = office.count(look_ups);

    let second = office.start().coverage(&key).await.unwrap_err();

    assert_eq!(second.class(), FailureClass::UnknownSymbol);
    assert_eq!(second.to_string(), first.to_string());
    assert_eq!(office.count(look_ups), before);
}

#[tokio::test]
async fn a_length_that_was_refused_is_not_asked_for_again() {
    // Bars of four hours are asked for by 120 days, and by 30 where those are refused.
    let office = Office::open();
    let key = office.desk.key("AAPL", "4h");
    let span_of = |provider: &IbProvider| provider.span_max(key.timeframe);
    let is_bars = |each: &Request| matches!(each, Request::Bars(_));
    office.desk.tws.change(|script| {
        let refusal = Verb::error(162, "Time length exceed max.");
        script.for_bars = VecDeque::from([refusal]);
    });
    let range = week().end.plus_micros(-120 * DAY)..week().end;

    let first = office.start();
    assert_eq!(span_of(&first), Some(120 * DAY));
    first.bars(&key, range.clone()).await.unwrap();
    // One that was refused, and four in its place.
    assert_eq!(office.count(is_bars), 5);

    let second = office.start();
    second.coverage(&key).await.unwrap();
    assert_eq!(span_of(&second), Some(30 * DAY));
    second.bars(&key, range).await.unwrap();
    assert_eq!(office.count(is_bars), 9);
}

#[tokio::test]
async fn a_shorter_request_is_learnt_for_its_timeframe_alone() {
    let office = Office::open();
    let key = office.desk.key("AAPL", "1h");
    office.start().learn_span(Timeframe::HOUR_1, 15 * DAY).await;

    let provider = office.start();
    provider.coverage(&key).await.unwrap();
    assert_eq!(provider.span_max(Timeframe::HOUR_1), Some(15 * DAY));
    assert_eq!(provider.span_max(Timeframe::DAY_1), Some(365 * DAY));

    // A longer one is nothing to learn.
    provider.learn_span(Timeframe::HOUR_1, 20 * DAY).await;
    assert_eq!(provider.span_max(Timeframe::HOUR_1), Some(15 * DAY));
}
