//! One long load whose fetcher is killed again and again, at random moments, as real processes: the
//! stored series is that of an undisturbed load, and little is asked for twice.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fake_http::exchanges::{Candle, binance};
use fake_http::{FakeHttp, Reply, Request};
use jiff::Timestamp;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use schemas::commands::{FetchBars, FetchMode, FetchOutcome, FetchedSeries, SeriesRequest};
use schemas::events::What;
use schemas::ids::OperationId;
use schemas::operation::{NewOperation, OperationState, StepState};
use schemas::requests::DataLoad;
use system_tests::{PATIENCE, Process, Sandbox};
use tokio::time::{interval, timeout};

/// 2010-01-04T00:00:00Z, the first minute of the exchange, in Unix seconds.
const FIRST: i64 = 1_262_563_200;
/// The exchange takes this long for an answer: four pages at a time are 66 000 bars in a second.
const LATENCY: Duration = Duration::from_millis(60);
/// The longest time from the beginning, or from the first commit, of an attempt to its end.
const LIFE_MAX: Duration = Duration::from_millis(700);
/// Bars of the load for each kill: an attempt with a commit brings 50 000 bars and what comes in
/// that time, and at least every third one has a commit.
const BARS_PER_KILL: i64 = 60_000;
/// Kills in a row before an attempt has committed anything: one more, and the step is given up.
const BARREN_IN_A_ROW_MAX: u32 = 2;
/// Bars that a kill may cost: 50 000 that are not committed yet, the answer that exceeds them, and
/// the four requests that are open.
const LOST_MAX: u64 = 50_000 + 5 * 1_000;

/// An exchange with this number of minutes of BTCUSDT.
#[derive(Clone, Copy)]
struct Minutes {
    count: i64,
}

impl Minutes {
    /// The numbers of the bars that a request is answered with.
    fn answered(self, request: &Request) -> Range<i64> {
        if !request.path.ends_with("klines") {
            return 0..0;
        }
        let number_of = |millis: i64| (millis / 1_000 - FIRST).div_euclid(60);
        let start = number_of(request.number("startTime", 0) + 59_999).max(0);
        // The end is included.
        let end = number_of(request.number("endTime", i64::MAX)) + 1;
        let page_end = start + request.number("limit", 500);
        start..end.min(page_end).min(self.count)
    }

    fn answer(self, request: &Request) -> Reply {
        let candles = self.answered(request).map(|number| {
            let open = 100.0 + (number % 977) as f64 / 100.0;
            Candle {
                time: FIRST + number * 60,
                prices: [open, open + 2.0, open - 2.0, open + 1.0],
                volume: (number % 13) as f64,
            }
        });
        let candles: Vec<Candle> = candles.collect();
        binance(&candles, request).after(LATENCY)
    }

    /// Loads all of them.
    fn load(self) -> NewOperation {
        let at = |number: i64| Timestamp::from_second(FIRST + number * 60).unwrap();

        let load = DataLoad {
            fetch: FetchBars {
                provider: "binance".to_owned(),
                series: vec![SeriesRequest {
                    symbol: "BTCUSDT".to_owned(),
                    timeframe: "1m".to_owned(),
                }],
                mode: FetchMode::Full,
                start: Some(at(0)),
                end: Some(at(self.count)),
                refetch: false,
                calendar: None,
                accept_finer: false,
                accept_stored: false,
            },
            labels: [].into(),
        };
        load.operation()
    }
}

/// Which bars were asked for, as the log of the exchange has it.
struct AskedBars {
    minutes: Minutes,
    server: FakeHttp,
    /// Bars that an attempt before this one was answered.
    before: Vec<bool>,
}

impl AskedBars {
    fn of(minutes: Minutes) -> Self {
        Self {
            minutes,
            server: FakeHttp::start(move |request| minutes.answer(request)).unwrap(),
            before: vec![false; usize::try_from(minutes.count).unwrap()],
        }
    }

    /// The bars that the attempt which ends here was answered, and of these the bars that one
    /// before it had been answered already.
    fn end_of_attempt(&mut self) -> (u64, u64) {
        let requests = self.server.take_requests();
        // The head of the series is one bar, asked for with a page of one.
        let pages = requests
            .iter()
            .filter(|each| each.number("limit", 0) == 1_000);
        let numbers = pages.flat_map(|page| self.minutes.answered(page));
        let numbers: Vec<usize> = numbers.map(|number| number.try_into().unwrap()).collect();

        let again = numbers.iter().filter(|number| self.before[**number]);
        let again = again.count() as u64;
        for number in &numbers {
            self.before[*number] = true;
        }
        (numbers.len() as u64, again)
    }

    fn start_fetcher(&self, sandbox: &Sandbox) -> Process {
        let url = format!("providers.binance.url={}", self.server.url());
        sandbox.spawn_with("ktrdr-fetcher", &["--set", &url])
    }
}

/// Waits until everything is fetched, which takes longer the more it is; nobody validates.
async fn until_fetched(sandbox: &Sandbox, op: &OperationId, minutes: Minutes) -> FetchedSeries {
    let looking = async {
        let mut looks = interval(Duration::from_millis(100));
        loop {
            looks.tick().await;
            let record = sandbox.record(op).await;
            assert_ne!(record.state, OperationState::Failed, "{record:#?}");
            if record.steps[0].state == StepState::Completed {
                break record.steps[0].result.clone();
            }
        }
    };

    let patience = PATIENCE + Duration::from_micros(200 * minutes.count.unsigned_abs());
    let result = timeout(patience, looking).await.expect("it ends in time");
    let outcome: FetchOutcome = serde_json::from_value(result).unwrap();
    outcome.series.into_iter().next().unwrap()
}

/// What an undisturbed load in a system of its own stores.
async fn undisturbed(minutes: Minutes) -> FetchedSeries {
    let sandbox = Sandbox::start().await;
    let mut log = AskedBars::of(minutes);
    let _fetcher = log.start_fetcher(&sandbox);
    let op = sandbox.submit(&minutes.load()).await;

    let fetched = until_fetched(&sandbox, &op, minutes).await;
    let (bars, _) = log.end_of_attempt();
    assert_eq!(bars, fetched.rows, "each bar is asked for once");
    fetched
}

/// The moments of the kills, from a seed.
struct Moments {
    random: SmallRng,
    barren: u32,
}

impl Moments {
    fn of_seed(seed: u64) -> Self {
        Self {
            random: SmallRng::seed_from_u64(seed),
            barren: 0,
        }
    }

    /// Waits for the next one: somewhere after the start of an attempt, or somewhere after its
    /// first commit. An attempt that ends before its first commit has brought nothing, and a step
    /// with more than three of them is given up: two in a row are the most.
    async fn wait(&mut self, sandbox: &Sandbox, op: &OperationId, attempt: u32) {
        let may_be_barren = self.barren < BARREN_IN_A_ROW_MAX;
        let is_early = may_be_barren && self.random.random_bool(0.5);
        let awaited = if is_early {
            What::Started
        } else {
            What::Checkpointed
        };
        self.barren = if is_early { self.barren + 1 } else { 0 };
        let delay = self.random.random_range(Duration::ZERO..LIFE_MAX);

        let event = sandbox
            .until_event(op, "of the attempt to kill", |event| {
                let is_meant = event.what == awaited && event.attempt >= attempt;
                is_meant || event.what.is_terminal()
            })
            .await;
        assert_eq!(event.what, awaited, "ended before kill {attempt}");
        sandbox.after(delay).await;
    }
}

/// Kills the fetcher this often in one load, and compares what is stored in the end.
async fn kill_again_and_again(kills: u32, seed: u64) {
    let minutes = Minutes {
        count: i64::from(kills) * BARS_PER_KILL,
    };
    let sandbox = Arc::new(Sandbox::start().await);
    let _housekeeper = sandbox.start_housekeeper().await;
    let mut log = AskedBars::of(minutes);
    let mut moments = Moments::of_seed(seed);
    let began = Instant::now();
    let mut fetcher = log.start_fetcher(&sandbox);
    let op = sandbox.submit(&minutes.load()).await;

    let mut losses = Vec::new();
    for attempt in 1..=kills {
        moments.wait(&sandbox, &op, attempt).await;
        fetcher.kill();
        losses.push(log.end_of_attempt().1);
        fetcher = log.start_fetcher(&sandbox);
    }
    let disturbed = until_fetched(&sandbox, &op, minutes).await;
    losses.push(log.end_of_attempt().1);

    let attempts = sandbox.record(&op).await.steps[0].attempt;
    let again: u64 = losses.iter().sum();
    let most = losses.iter().max().unwrap();
    eprintln!(
        "seed {seed}: {kills} kills in {:.0} s, {attempts} attempts, {} bars; {again} asked for \
         again, {most} at most after one kill",
        began.elapsed().as_secs_f64(),
        disturbed.rows
    );
    assert_eq!(attempts, kills + 1);
    assert!(*most <= LOST_MAX, "{losses:?}");
    assert_eq!(disturbed.rows, minutes.count.unsigned_abs());
    let undisturbed = undisturbed(minutes).await;
    assert_eq!(disturbed.content_sha256, undisturbed.content_sha256);
    assert_eq!(disturbed.remaining, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_killed_at_random_moments_stores_the_same() {
    // More of them, or others: SANDBOX_KILLS=100 SANDBOX_SEED=7 cargo test -p system-tests killed_at
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let kills = u32::try_from(number("SANDBOX_KILLS", 8)).unwrap();
    let seed = number("SANDBOX_SEED", 1);
    eprintln!("seed {seed}");

    kill_again_and_again(kills, seed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_given_up_before_its_first_commit_can_be_resumed() {
    let minutes = Minutes { count: 40_000 };
    let sandbox = Sandbox::start().await;
    let _housekeeper = sandbox.start_housekeeper().await;
    let log = AskedBars::of(minutes);
    let op = sandbox.submit(&minutes.load()).await;

    // The fourth attempt at what has killed three workers is not made.
    for attempt in 1..=BARREN_IN_A_ROW_MAX + 1 {
        let mut fetcher = log.start_fetcher(&sandbox);
        sandbox
            .until_event(&op, "started", |event| event.attempt == attempt)
            .await;
        fetcher.kill();
    }
    let _fetcher = log.start_fetcher(&sandbox);
    let record = sandbox.until_concluded(&op).await;
    assert_eq!(record.failure.unwrap().error.code, "OPS-AttemptsExhausted");

    sandbox.bus().operations().resume(&op).await.unwrap();
    let fetched = until_fetched(&sandbox, &op, minutes).await;
    let undisturbed = undisturbed(minutes).await;
    assert_eq!(fetched.content_sha256, undisturbed.content_sha256);
}
