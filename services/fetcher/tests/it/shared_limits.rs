//! What the fetchers of one account share, in virtual time: whatever they do at once, and however
//! often they are restarted, no rule is broken.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fetcher::ib::pacing::{IbPacer, PacedRequest, PacingRules};
use fetcher::ib::settings::IbSettings;
use fetcher::pacer::Pacer;
use fetcher::request_budget::{BudgetRules, KindRules, RequestBudget, RequestKind};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use runtime::{Memo, MemoryAway, OwnMemory, SharedMemory};
use schemas::pacing::PacingRecord;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A memory at the other end of a line: everything takes a few milliseconds, never twice the same.
#[derive(Default)]
struct FarMemory {
    memory: OwnMemory,
    requests: AtomicU64,
    is_away: AtomicBool,
    /// What its clock is ahead of that of this machine.
    ahead: SignedDuration,
}

impl FarMemory {
    async fn travel(&self) -> Result<(), MemoryAway> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(1 + number * 7 % 19)).await;
        if self.is_away.load(Ordering::Relaxed) {
            let reason = "nobody answers".to_owned();
            return Err(MemoryAway { reason });
        }
        Ok(())
    }

    fn take_requests(&self) -> u64 {
        self.requests.swap(0, Ordering::Relaxed)
    }
}

#[async_trait]
impl SharedMemory for FarMemory {
    async fn read(&self, key: &str) -> Result<Option<Memo>, MemoryAway> {
        self.travel().await?;
        self.memory.read(key).await
    }

    async fn replace(
        &self,
        key: &str,
        value: Vec<u8>,
        revision: Option<u64>,
    ) -> Result<Option<u64>, MemoryAway> {
        self.travel().await?;
        self.memory.replace(key, value, revision).await
    }

    async fn put(&self, key: &str, value: Vec<u8>) -> Result<(), MemoryAway> {
        self.travel().await?;
        self.memory.put(key, value).await
    }

    async fn time(&self) -> Result<Timestamp, MemoryAway> {
        self.travel().await?;
        let time = self.memory.time().await?;
        Ok(time.checked_add(self.ahead).unwrap())
    }
}

/// One request as the provider saw it.
#[derive(Clone, Debug)]
struct Sent {
    at: Duration,
    request: PacedRequest,
}

/// Every request to an account, whoever sent it.
#[derive(Clone)]
struct Log {
    began: Instant,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Log {
    fn begin() -> Self {
        Self {
            began: Instant::now(),
            sent: Arc::default(),
        }
    }

    fn note(&self, request: PacedRequest) {
        let at = self.began.elapsed();
        self.sent.lock().unwrap().push(Sent { at, request });
    }

    /// In the order of time.
    fn sent(&self) -> Vec<Sent> {
        let mut sent = self.sent.lock().unwrap().clone();
        sent.sort_by_key(|each| each.at);
        sent
    }
}

/// The heaviest window of all that begin with a request, of those that `belongs` says.
fn heaviest(sent: &[Sent], window: Duration, belongs: impl Fn(&Sent) -> bool) -> u32 {
    let sent: Vec<&Sent> = sent.iter().filter(|each| belongs(each)).collect();
    let weight_from = |start: Duration| -> u32 {
        let inside = sent
            .iter()
            .filter(|each| (start..start + window).contains(&each.at));
        inside.map(|each| each.request.weight).sum()
    };
    sent.iter()
        .map(|each| weight_from(each.at))
        .max()
        .unwrap_or(0)
}

/// Checks every rule of the provider against what was sent, by nothing but the log.
fn assert_all_rules(sent: &[Sent]) {
    assert!(heaviest(sent, seconds(600), |_| true) <= 48);
    for pair in sent.windows(2) {
        assert!(pair[1].at - pair[0].at >= seconds(1), "{pair:?}");
    }

    let mut last_of: BTreeMap<&str, Duration> = BTreeMap::new();
    for each in sent {
        let tick = &each.request.tick;
        assert!(heaviest(sent, seconds(2), |other| other.request.tick == *tick) <= 5);
        let before = last_of.insert(&each.request.identity, each.at);
        assert!(before.is_none_or(|before| each.at - before >= seconds(15)));
    }
}

/// Request number `number`: every seventh asks for what was asked for two before, and every fifth
/// for bid and ask at once.
fn request(number: u32) -> PacedRequest {
    let what = if number % 7 == 6 { number - 2 } else { number };
    let weight = if number % 5 == 4 { 2 } else { 1 };
    PacedRequest {
        identity: format!("hours {what}"),
        tick: format!("contract {}", number % 3),
        weight,
    }
}

fn pacer_of(memory: &Arc<FarMemory>) -> Arc<IbPacer> {
    let memory = Arc::clone(memory) as Arc<dyn SharedMemory>;
    let rules = PacingRules::default();
    Arc::new(IbPacer::new(rules, memory, "127.0.0.1:4002"))
}

#[tokio::test(start_paused = true)]
async fn two_fetchers_of_one_account_break_no_rule() {
    let memory = Arc::new(FarMemory::default());
    let log = Log::begin();
    let work = Arc::new(Mutex::new(0..200_u32));

    let mut fetchers = JoinSet::new();
    for fetcher in 0..2 {
        let memory = Arc::clone(&memory);
        let log = log.clone();
        let work = Arc::clone(&work);
        fetchers.spawn(async move {
            let mut pacer = pacer_of(&memory);
            loop {
                let Some(number) = work.lock().unwrap().next() else {
                    return;
                };

                // Each is restarted in the middle, one of them while the window is full.
                if number / 2 == 25 + 24 * fetcher {
                    pacer = pacer_of(&memory);
                }
                let request = request(number);
                pacer.admit(&request).await;
                log.note(request);
            }
        });
    }
    fetchers.join_all().await;

    // 240 is the weight of all: five windows of 48 at the earliest, and not much later.
    let sent = log.sent();
    assert_eq!(sent.len(), 200);
    assert_all_rules(&sent);
    let last = sent.last().unwrap().at;
    assert!((seconds(2400)..seconds(2700)).contains(&last), "{last:?}");
}

#[test]
fn an_account_is_host_and_port_unless_it_has_a_name() {
    assert_eq!(account_of("gateway", None), "gateway:4002");
    assert_eq!(account_of("gateway", Some(" ")), "gateway:4002");
    // Two names of one gateway are one account if both say so.
    assert_eq!(
        account_of("gateway", Some("DU1")),
        account_of("10.0.0.7", Some("DU1"))
    );
    assert_ne!(account_of("gateway", None), account_of("10.0.0.7", None));
}

#[tokio::test(start_paused = true)]
async fn two_names_of_one_gateway_share_its_budget() {
    let memory = Arc::new(FarMemory::default());
    let asking = pacer_at(&memory, "gateway", Some("DU1"));
    let same = pacer_at(&memory, "10.0.0.7", Some("DU1"));
    let other = pacer_at(&memory, "10.0.0.7", None);

    // Each of them has a weight of 1.
    for number in 0..4 {
        asking.admit(&request(number)).await;
    }
    same.look().await;
    other.look().await;

    assert_eq!((same.used(), other.used()), (4, 0));
}

/// Of a gateway of that name, and of an account.
fn pacer_at(memory: &Arc<FarMemory>, host: &str, account: Option<&str>) -> IbPacer {
    let memory = Arc::clone(memory) as Arc<dyn SharedMemory>;
    IbPacer::new(PacingRules::default(), memory, &account_of(host, account))
}

fn account_of(host: &str, account: Option<&str>) -> String {
    let settings = IbSettings {
        host: host.to_owned(),
        account: account.map(str::to_owned),
        ..IbSettings::default()
    };
    settings.paced_account()
}

#[tokio::test(start_paused = true)]
async fn a_restart_does_not_give_a_new_budget() {
    let memory = Arc::new(FarMemory::default());
    let log = Log::begin();

    for number in 0..60 {
        // A process of its own for each request.
        let pacer = pacer_of(&memory);
        let request = PacedRequest {
            identity: number.to_string(),
            tick: number.to_string(),
            weight: 1,
        };
        pacer.admit(&request).await;
        log.note(request);
    }

    let sent = log.sent();
    assert_all_rules(&sent);
    assert!(sent[47].at < seconds(80), "{:?}", sent[47].at);
    assert!(sent[48].at >= seconds(600), "{:?}", sent[48].at);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_wrong_does_not_matter() {
    // The clock that they share is ten minutes ahead of this machine's.
    let memory = Arc::new(FarMemory {
        ahead: SignedDuration::from_mins(10),
        ..FarMemory::default()
    });
    let began = Instant::now();
    let pacer = pacer_of(&memory);

    pacer.admit(&request(0)).await;
    assert!(began.elapsed() < seconds(1));
    let other = pacer_of(&memory);
    other.admit(&request(0)).await;

    // Identical requests are 15 s apart, and not ten minutes.
    let apart = began.elapsed();
    assert!((seconds(15)..seconds(16)).contains(&apart), "{apart:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_alone_is_one_write() {
    let memory = Arc::new(FarMemory::default());
    let pacer = pacer_of(&memory);
    pacer.admit(&request(0)).await;
    // The first one of a process reads the clock and the record as well.
    assert_eq!(memory.take_requests(), 3);

    for number in 1..40 {
        pacer.admit(&request(number)).await;
    }
    assert_eq!(memory.take_requests(), 39);
}

/// Of a host that allows a weight of 6000 a minute, of which 80 percent are used.
fn http_pacer(memory: &Arc<FarMemory>) -> Pacer {
    let rules = BudgetRules {
        weight_max: 4_800,
        window: seconds(60),
        spacing: Duration::ZERO,
    };
    let memory = Arc::clone(memory) as Arc<dyn SharedMemory>;
    let reason = |_| "the limit".to_owned();
    Pacer::shared(memory, "binance", RequestBudget::new(rules), reason)
}

#[tokio::test(start_paused = true)]
async fn thousands_of_requests_share_few_writes() {
    let memory = Arc::new(FarMemory::default());
    let log = Log::begin();
    let mut fetchers = JoinSet::new();
    for fetcher in 0..2 {
        let pacer = Arc::new(http_pacer(&memory));
        // Eight requests at a time, each answered after 50 ms.
        for lane in 0..8 {
            let pacer = Arc::clone(&pacer);
            let log = log.clone();
            fetchers.spawn(async move {
                for number in 0..300 {
                    pacer.admit(2).await;
                    log.note(PacedRequest {
                        identity: format!("{fetcher} {lane} {number}"),
                        tick: String::new(),
                        weight: 2,
                    });
                    sleep(Duration::from_millis(50)).await;
                }
            });
        }
    }
    fetchers.join_all().await;

    let sent = log.sent();
    assert_eq!(sent.len(), 4_800);
    assert!(heaviest(&sent, seconds(60), |_| true) <= 4_800);
    // Twice the budget of a window: the second half waits for the next one.
    let last = sent.last().unwrap().at;
    assert!((seconds(60)..seconds(80)).contains(&last), "{last:?}");
    let requests = memory.take_requests();
    assert!(requests < 4_800 / 10, "{requests} for 4800 requests");
}

#[tokio::test(start_paused = true)]
async fn what_is_reserved_and_not_used_is_given_back() {
    let memory = Arc::new(FarMemory::default());
    let busy = http_pacer(&memory);
    for _ in 0..70 {
        busy.admit(2).await;
    }
    // What is left is given back with the next write, long after.
    sleep(seconds(10)).await;
    busy.admit(2).await;

    let other = http_pacer(&memory);
    other.look().await;
    assert_eq!(other.used(), 142);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_for_all_of_the_account() {
    let memory = Arc::new(FarMemory::default());
    let began = Instant::now();
    let first = pacer_of(&memory);
    let second = pacer_of(&memory);
    second.admit(&request(0)).await;

    first.pause_for(seconds(60)).await;
    second.admit(&request(1)).await;

    assert!(began.elapsed() >= seconds(60), "{:?}", began.elapsed());
    let third = pacer_of(&memory);
    third.admit(&request(2)).await;
    assert!(began.elapsed() < seconds(65), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn without_the_bus_half_of_the_budget_is_used() {
    let memory = Arc::new(FarMemory::default());
    memory.is_away.store(true, Ordering::Relaxed);
    let log = Log::begin();
    let pacers = [pacer_of(&memory), pacer_of(&memory)];

    let mut fetchers = JoinSet::new();
    for pacer in &pacers {
        let pacer = Arc::clone(pacer);
        let log = log.clone();
        fetchers.spawn(async move {
            for number in 0..30 {
                let mut request = request(number);
                request.weight = 1;
                pacer.admit(&request).await;
                log.note(request);
            }
        });
    }
    fetchers.join_all().await;
    let sent = log.sent();
    assert!(heaviest(&sent, seconds(600), |_| true) <= 48);
    assert!(sent[48].at >= seconds(600), "{:?}", sent[48].at);

    // It is back: both tell what they have done, and a third one counts it.
    memory.is_away.store(false, Ordering::Relaxed);
    sleep(seconds(100)).await;
    for (pacer, number) in pacers.iter().zip([100, 200]) {
        pacer.admit(&request(number)).await;
    }
    let third = pacer_of(&memory);
    third.look().await;
    assert_eq!(third.used(), 14);
}

/// What one of several processes does: which one, after which time, what it asks for, and how much
/// later than it could it sends that.
type Turn = (usize, u64, u64, u32, u32);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_interleaving_breaks_a_rule(
        turns in prop::collection::vec(
            (0..3_usize, 0..4_000_u64, 0..1_000_u64, 0..6_u32, 1..3_u32),
            1..150,
        ),
        holds_ms in 0..1_000_u64,
    ) {
        check_interleaving(&turns, Duration::from_millis(holds_ms))?;
    }
}

const HOST: BudgetRules = BudgetRules {
    weight_max: 12,
    window: seconds(60),
    spacing: Duration::ZERO,
};
const KINDS: KindRules = KindRules {
    identical_apart: seconds(15),
    burst_max: 5,
    burst_window: seconds(2),
};

/// Processes that see what the others have done only when their write meets one of those.
struct Processes {
    views: Vec<(RequestBudget, u64)>,
    record: PacingRecord,
    revision: u64,
}

impl Processes {
    fn start(count: usize) -> Self {
        let empty = RequestBudget::with_kinds(HOST, KINDS);
        Self {
            record: empty.record(),
            views: vec![(empty, 0); count],
            revision: 0,
        }
    }

    /// Reserves a request that is sent until an instant; false if the rules do not allow it.
    fn reserve(
        &mut self,
        process: usize,
        now: Duration,
        until: Duration,
        kind: RequestKind,
    ) -> bool {
        let view = &mut self.views[process];
        let mut draft = view.0.clone();
        let mut taken = draft.take_until(now, until, kind);

        // A write in place of an old revision is refused: read, and decide again.
        if taken.is_ok() && view.1 != self.revision {
            draft.load(&self.record, now);
            *view = (draft.clone(), self.revision);
            taken = draft.take_until(now, until, kind);
        }
        if taken.is_ok() {
            self.revision += 1;
            self.record = draft.record();
            *view = (draft, self.revision);
        }
        taken.is_ok()
    }
}

fn check_interleaving(turns: &[Turn], holds: Duration) -> Result<(), TestCaseError> {
    let mut processes = Processes::start(3);
    let mut now = seconds(1_000_000);
    let mut sent: Vec<Sent> = Vec::new();
    for (process, after_ms, late, what, weight) in turns {
        now += Duration::from_millis(*after_ms);
        let kind = RequestKind {
            weight: *weight,
            identity: u64::from(*what) + 1,
            stream: u64::from(*what % 2) + 1,
        };
        if processes.reserve(*process, now, now + holds, kind) {
            sent.push(Sent {
                at: now + holds.mul_f64(*late as f64 / 1_000.0),
                request: PacedRequest {
                    identity: what.to_string(),
                    tick: (*what % 2).to_string(),
                    weight: *weight,
                },
            });
        }
    }

    sent.sort_by_key(|each| each.at);
    prop_assert!(heaviest(&sent, HOST.window, |_| true) <= HOST.weight_max);
    for tick in ["0", "1"] {
        let burst = heaviest(&sent, KINDS.burst_window, |each| each.request.tick == tick);
        prop_assert!(burst <= KINDS.burst_max);
    }
    for what in 0..6_u32 {
        let identity = what.to_string();
        let same = sent.iter().filter(|each| each.request.identity == identity);
        let instants: Vec<Duration> = same.map(|each| each.at).collect();
        let mut apart = instants.windows(2).map(|two| two[1] - two[0]);
        prop_assert!(apart.all(|apart| apart >= KINDS.identical_apart));
    }
    Ok(())
}
