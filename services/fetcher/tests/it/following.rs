//! Following by a clock that only the test moves: what is loaded at which instant, over weekends,
//! late bars, outages and takeovers.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fetcher::follow::{Clock, Source, follow};
use fetcher::plan::RequestCost;
use fetcher::provider::{Health, Listing, Provider, ProviderError};
use fetcher::remote_error::{Failure, RemoteError};
use fetcher::{FetchError, GapSettings};
use market::{Calendar, HourAnchor, SeriesKey, Timeframe, Utc, expected};
use runtime::StepError;
use schemas::commands::{FollowBars, FollowOutcome, SeriesRequest};
use store::{RawBar, RawBars, Store};

use crate::fetching::{memory, stored};
use crate::scripted::{HOUR, Runner, bar, euro, utc};

const MINUTE: i64 = HOUR / 60;
const SECOND: i64 = MINUTE / 60;

/// A clock that stands still unless somebody waits.
struct TestClock {
    now: Mutex<Utc>,
    /// Called when a wait ends at or after this instant, which then never returns.
    end: Option<Utc>,
    runner: Arc<Runner>,
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Utc {
        *self.now.lock().unwrap()
    }

    async fn pass(&self, time: Duration) {
        let now = self
            .now()
            .plus_micros(i64::try_from(time.as_micros()).unwrap());
        if self.end.is_some_and(|end| now >= end) {
            *self.now.lock().unwrap() = self.end.unwrap();
            self.runner.stop.notify_one();
            std::future::pending::<()>().await;
        }
        *self.now.lock().unwrap() = now;
    }
}

/// A market whose bars can be had some time after their closes.
struct Market {
    clock: Arc<TestClock>,
    /// Each bar with the instant from which the provider has it.
    bars: Vec<(Utc, RawBar)>,
    /// When it answers nothing at all.
    away: Range<Utc>,
    /// When it was asked for bars.
    asked: Mutex<Vec<Utc>>,
}

#[async_trait]
impl Provider for Market {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn request_cost(&self, _: Timeframe) -> RequestCost {
        RequestCost {
            per_request: Duration::ZERO,
            per_day: Duration::ZERO,
        }
    }

    async fn coverage(&self, _: &SeriesKey) -> Result<Option<Range<Utc>>, ProviderError> {
        let now = self.clock.now();
        if self.away.contains(&now) {
            let failure = Failure::Connection {
                address: "market".to_owned(),
                reason: "refused".to_owned(),
            };
            let provider = "scripted".to_owned();
            return Err(RemoteError { provider, failure }.into());
        }
        Ok(Some(self.bars[0].1.open_time..now))
    }

    async fn bars(&self, _: &SeriesKey, range: Range<Utc>) -> Result<RawBars, ProviderError> {
        let now = self.clock.now();
        self.asked.lock().unwrap().push(now);
        let there = self
            .bars
            .iter()
            .filter(|(from, bar)| *from <= now && range.contains(&bar.open_time));
        Ok(there.map(|(_, bar)| *bar).collect())
    }

    async fn search(&self, _: &str) -> Result<Vec<Listing>, ProviderError> {
        Ok(Vec::new())
    }

    async fn health(&self) -> Result<Health, ProviderError> {
        Ok(Health::default())
    }
}

/// What a test says about a market of EURUSD in hours.
struct Scene {
    store: Store,
    runner: Arc<Runner>,
    begin: Utc,
    end: Option<Utc>,
    /// Microseconds from the close of the bar with this label until it can be had.
    late: Option<(Utc, i64)>,
    away: Range<Utc>,
    bars: Option<u64>,
    /// How often the command names the series.
    named: usize,
    until: Option<Utc>,
}

/// What came of a scene.
struct Seen {
    result: Result<FollowOutcome, FetchError>,
    asked: Vec<String>,
    now: String,
}

impl Scene {
    async fn from(begin: &str) -> Self {
        let begin = utc(begin);
        Self {
            store: memory().await,
            runner: Arc::default(),
            begin,
            end: None,
            late: None,
            away: begin..begin,
            bars: None,
            named: 1,
            until: None,
        }
    }

    async fn play(&self) -> Seen {
        let clock = Arc::new(TestClock {
            now: Mutex::new(self.begin),
            end: self.end,
            runner: Arc::clone(&self.runner),
        });
        let market = Arc::new(Market {
            clock: Arc::clone(&clock),
            bars: self.bars_of_market(),
            away: self.away.clone(),
            asked: Mutex::default(),
        });
        let series = SeriesRequest {
            symbol: "EURUSD".to_owned(),
            timeframe: "1h".to_owned(),
        };
        let command = FollowBars {
            provider: "scripted".to_owned(),
            series: vec![series; self.named],
            until: self.until.map(Utc::timestamp),
            bars: self.bars,
            calendar: None,
        };

        let opened: Arc<dyn Provider> = Arc::clone(&market) as _;
        let source = Source {
            store: &self.store,
            open: &|| Ok(Arc::clone(&opened)),
            clock: &*clock,
        };
        let settings = GapSettings::default();
        let result = follow(source, &command, &settings, &*self.runner).await;
        let instants = market.asked.lock().unwrap().clone();
        Seen {
            result,
            asked: instants.iter().map(Utc::to_string).collect(),
            now: clock.now().to_string(),
        }
    }

    /// From two days before the beginning to two weeks after it.
    fn bars_of_market(&self) -> Vec<(Utc, RawBar)> {
        let key = euro();
        let range = self.begin.plus_micros(-48 * HOUR)..self.begin.plus_micros(14 * 24 * HOUR);
        let slots = expected(
            Calendar::for_key(&key),
            Timeframe::HOUR_1,
            key.day_boundary,
            HourAnchor::ClockHour,
            range,
        );
        let from = |open: Utc, close: Utc| match self.late {
            Some((label, delay)) if label == open => close.plus_micros(delay),
            _ => close,
        };

        slots
            .iter()
            .map(|slot| (from(slot.open, slot.close), bar(slot.open, 1.0)))
            .collect()
    }

    async fn stored_opens(&self) -> Vec<Utc> {
        stored(&self.store, &euro()).await.open_time
    }

    /// The opens that others were told of, in order.
    fn announced(&self) -> Vec<String> {
        let stored = self.runner.stored.lock().unwrap();
        let bars = stored
            .iter()
            .flat_map(|news| news["bars"].as_array().unwrap());
        bars.map(|bar| bar["open"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The reasons for waits, each once.
    fn reasons(&self) -> Vec<String> {
        let waitings = self.runner.waitings.lock().unwrap();
        let mut reasons: Vec<String> = waitings.iter().map(|each| each.reason.clone()).collect();
        reasons.dedup();
        reasons
    }
}

/// True if every trading hour from the first to the last of these is among them.
fn is_whole(opens: &[Utc]) -> bool {
    let key = euro();
    let range = opens[0]..opens.last().unwrap().plus_micros(1);
    let calendar = Calendar::for_key(&key);
    let anchor = HourAnchor::ClockHour;
    let slots = expected(calendar, key.timeframe, key.day_boundary, anchor, range);
    slots.iter().map(|slot| slot.open).eq(opens.iter().copied())
}

#[tokio::test(start_paused = true)]
async fn each_bar_is_loaded_at_its_close_and_nothing_is_asked_between() {
    let scene = Scene {
        bars: Some(3),
        ..Scene::from("2020-03-03T14:20:00Z").await
    };

    let seen = scene.play().await;

    // The tail at first, then one request for each bar.
    assert_eq!(
        seen.asked,
        [
            "2020-03-03T14:20:00Z",
            "2020-03-03T15:00:00Z",
            "2020-03-03T16:00:00Z",
            "2020-03-03T17:00:00Z"
        ]
    );
    let outcome = seen.result.unwrap();
    assert_eq!(
        (outcome.followed[0].bars, outcome.followed[0].missing),
        (3, 0)
    );
    assert_eq!(
        scene.announced(),
        [
            "2020-03-03T14:00:00Z",
            "2020-03-03T15:00:00Z",
            "2020-03-03T16:00:00Z"
        ]
    );
    assert!(is_whole(&scene.stored_opens().await));
}

#[tokio::test(start_paused = true)]
async fn a_wait_names_the_bar_and_its_close() {
    let scene = Scene {
        bars: Some(1),
        ..Scene::from("2020-03-03T14:20:00Z").await
    };

    scene.play().await.result.unwrap();

    assert_eq!(
        scene.reasons(),
        ["the bar 14:00 of EURUSD 1h, which closes at 15:00 UTC"]
    );
    let waitings = scene.runner.waitings.lock().unwrap();
    let ends: Vec<_> = waitings.iter().map(|each| each.until.unwrap()).collect();
    assert!(
        ends.iter()
            .all(|end| *end == utc("2020-03-03T15:00:00Z").timestamp())
    );
    // 40 minutes, of which each half is said: the work must not look as if it hung.
    assert_eq!(ends.len(), 80);
}

#[tokio::test(start_paused = true)]
async fn over_a_weekend_it_waits_for_the_first_close_of_the_week() {
    // The week of currencies ended at 22:00 on Friday.
    let scene = Scene {
        bars: Some(2),
        ..Scene::from("2020-03-06T20:30:00Z").await
    };

    let seen = scene.play().await;

    // In New York clocks went forward on that Sunday: the week begins at 21:00 UTC.
    assert_eq!(
        seen.asked[1..],
        ["2020-03-06T21:00:00Z", "2020-03-06T22:00:00Z"]
    );
    let scene = Scene {
        store: scene.store.clone(),
        bars: Some(1),
        ..Scene::from("2020-03-06T22:10:00Z").await
    };
    assert_eq!(scene.play().await.asked, ["2020-03-08T22:00:00Z"]);
    assert_eq!(
        scene.reasons(),
        [
            "the bar 2020-03-08 21:00 of EURUSD 1h, which closes at 2020-03-08 22:00 UTC",
            "the bar 21:00 of EURUSD 1h, which closes at 22:00 UTC",
        ]
    );
    assert!(is_whole(&scene.stored_opens().await));
}

#[tokio::test(start_paused = true)]
async fn a_bar_that_is_late_is_asked_for_after_1_2_and_4_seconds() {
    let scene = Scene {
        bars: Some(1),
        late: Some((utc("2020-03-03T14:00:00Z"), 5 * SECOND)),
        ..Scene::from("2020-03-03T14:20:00Z").await
    };

    let seen = scene.play().await;

    assert_eq!(
        seen.asked[1..],
        [
            "2020-03-03T15:00:00Z",
            "2020-03-03T15:00:01Z",
            "2020-03-03T15:00:03Z",
            "2020-03-03T15:00:07Z"
        ]
    );
    assert!(
        scene.reasons().contains(
            &"the bar 14:00 of EURUSD 1h, which the provider does not have yet".to_owned()
        )
    );
    assert_eq!(seen.result.unwrap().followed[0].bars, 1);
}

#[tokio::test(start_paused = true)]
async fn a_bar_that_does_not_come_is_noted_and_comes_with_a_later_one() {
    let scene = Scene {
        bars: Some(3),
        late: Some((utc("2020-03-03T14:00:00Z"), 90 * MINUTE)),
        ..Scene::from("2020-03-03T14:20:00Z").await
    };

    let seen = scene.play().await;

    // Six times at its close, the last one after 31 s; at 16:00 it is not there either, and at
    // 17:00 it is asked for beside the newest bar.
    assert_eq!(seen.asked.len(), 1 + 6 + 3);
    assert_eq!(
        seen.asked[6..],
        [
            "2020-03-03T15:00:31Z",
            "2020-03-03T16:00:00Z",
            "2020-03-03T17:00:00Z",
            "2020-03-03T17:00:00Z"
        ]
    );
    assert_eq!(
        scene.announced(),
        [
            "2020-03-03T15:00:00Z",
            "2020-03-03T14:00:00Z",
            "2020-03-03T16:00:00Z"
        ]
    );
    let messages = scene.runner.messages.lock().unwrap().clone();
    assert!(messages.contains(&"No bar 14:00 of EURUSD 1h".to_owned()));
    assert!(is_whole(&scene.stored_opens().await));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_away_for_hours_leaves_no_hole() {
    let scene = Scene {
        bars: Some(4),
        away: utc("2020-03-03T14:30:00Z")..utc("2020-03-03T17:10:00Z"),
        ..Scene::from("2020-03-03T14:20:00Z").await
    };

    let seen = scene.play().await;

    // Said once, not at each of the attempts.
    assert_eq!(scene.runner.warnings.lock().unwrap().len(), 1);
    assert!(
        scene
            .reasons()
            .contains(&"the provider scripted, which could not be asked".to_owned())
    );
    // It is asked every five minutes at the end: three bars come at once.
    assert!(
        seen.asked[1].as_str() < "2020-03-03T17:15:00Z",
        "{:?}",
        seen.asked
    );
    assert_eq!(seen.result.unwrap().followed[0].bars, 4);
    assert_eq!(scene.announced().len(), 4);
    assert!(is_whole(&scene.stored_opens().await));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_away_at_the_beginning_is_an_error() {
    let begin = utc("2020-03-03T14:20:00Z");
    let scene = Scene {
        away: begin..begin.plus_micros(HOUR),
        ..Scene::from("2020-03-03T14:20:00Z").await
    };

    let error = scene.play().await.result.unwrap_err();

    assert!(matches!(error, FetchError::Unanswered { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_takeover_announces_what_closed_meanwhile_without_a_hole() {
    let mut scene = Scene {
        end: Some(utc("2020-03-03T16:20:00Z")),
        ..Scene::from("2020-03-03T14:20:00Z").await
    };
    let killed = scene.play().await;
    assert!(matches!(
        killed.result,
        Err(FetchError::Step(StepError::Stopped))
    ));
    assert_eq!(scene.announced().len(), 2);

    // Nobody was there at 17:00 and 18:00.
    scene.begin = utc("2020-03-03T18:40:00Z");
    scene.end = None;
    scene.bars = Some(5);
    let seen = scene.play().await;

    assert_eq!(
        scene.announced()[2..],
        [
            "2020-03-03T16:00:00Z",
            "2020-03-03T17:00:00Z",
            "2020-03-03T18:00:00Z"
        ]
    );
    assert_eq!(seen.asked, ["2020-03-03T18:40:00Z", "2020-03-03T19:00:00Z"]);
    assert_eq!(seen.result.unwrap().followed[0].bars, 5);
    assert!(is_whole(&scene.stored_opens().await));
}

#[tokio::test(start_paused = true)]
async fn a_bar_noted_as_late_before_a_takeover_is_asked_for_after_it() {
    let mut scene = Scene {
        end: Some(utc("2020-03-03T16:20:00Z")),
        late: Some((utc("2020-03-03T14:00:00Z"), 2 * HOUR)),
        ..Scene::from("2020-03-03T14:20:00Z").await
    };
    scene.play().await.result.unwrap_err();
    assert_eq!(scene.announced(), ["2020-03-03T15:00:00Z"]);

    scene.begin = utc("2020-03-03T17:20:00Z");
    scene.end = None;
    scene.bars = Some(3);
    scene.play().await.result.unwrap();

    assert_eq!(
        scene.announced()[1..],
        ["2020-03-03T14:00:00Z", "2020-03-03T16:00:00Z"]
    );
    assert!(is_whole(&scene.stored_opens().await));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_wait_and_keeps_what_is_stored() {
    let scene = Scene {
        end: Some(utc("2020-03-03T15:30:00Z")),
        ..Scene::from("2020-03-03T14:20:00Z").await
    };

    let seen = scene.play().await;

    assert!(matches!(
        seen.result,
        Err(FetchError::Step(StepError::Stopped))
    ));
    assert_eq!(seen.now, "2020-03-03T15:30:00Z");
    let last = *scene.stored_opens().await.last().unwrap();
    assert_eq!(last, utc("2020-03-03T14:00:00Z"));
}

#[tokio::test(start_paused = true)]
async fn it_ends_before_the_first_close_after_its_time() {
    let scene = Scene {
        until: Some(utc("2020-03-03T16:30:00Z")),
        ..Scene::from("2020-03-03T14:20:00Z").await
    };

    let seen = scene.play().await;

    assert_eq!(seen.result.unwrap().followed[0].bars, 2);
    assert_eq!(seen.now, "2020-03-03T16:00:00Z");
    let fractions = scene.runner.fractions.lock().unwrap();
    assert!(fractions.iter().all(|share| (0.0..=1.0).contains(share)));
}

#[tokio::test(start_paused = true)]
async fn a_command_follows_at_most_64_series() {
    let scene_of = async |named| Scene {
        named,
        until: Some(utc("2020-03-03T14:30:00Z")),
        ..Scene::from("2020-03-03T14:20:00Z").await
    };

    let seen = scene_of(64).await.play().await;
    assert_eq!(seen.result.unwrap().followed.len(), 64);

    let seen = scene_of(65).await.play().await;
    assert_eq!(
        seen.result.unwrap_err().to_string(),
        "following is for 1 to 64 series, not 65"
    );
}
