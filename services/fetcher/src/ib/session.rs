//! The one connection of a process to a gateway: made when it is needed, probed when it is in
//! doubt, closed when it is idle.
//!
//! The library's own reconnecting is off: it would hide from the pacer what is asked twice, and
//! knows nothing of client ids that stay taken for a while.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ibapi::{Client, Error, RateLimiter};
use jiff::Timestamp;
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, timeout, timeout_at};

use super::error::{IbError, IbFailure};
use super::link::Link;
use super::settings::{IbSettings, IbWaits};
use crate::waits::wait_until;

/// Client ids that are tried for one connection.
const IDS_MAX: usize = 3;
/// A connection that was not heard of for longer is probed before it is used.
const TRUSTED_FOR: Duration = Duration::from_secs(120);
/// A difference between two clocks that says that this machine has slept.
const SLEPT: Duration = Duration::from_secs(10);
/// How long a disconnect may take.
const DISCONNECT_MAX: Duration = Duration::from_secs(3);

/// The connection of a process, if there is one.
pub struct Connector {
    settings: IbSettings,
    waits: IbWaits,
    limiter: RateLimiter,
    live: AsyncMutex<Option<Arc<Connected>>>,
    /// True once there has been a connection: a later failure is an outage.
    was_connected: AtomicBool,
    /// The gateway's clock minus ours in milliseconds; `i64::MAX` before the first sign of life.
    clock_ahead_ms: AtomicI64,
}

/// A connection that was ready.
pub struct Connected {
    /// The library's client.
    pub client: Client,
    /// The links of the gateway.
    pub link: watch::Receiver<Link>,
    /// True once an answer stayed out: it is probed before it is used again.
    pub is_doubted: AtomicBool,
    last_sign: Mutex<Sign>,
    listener: JoinHandle<()>,
}

/// When the gateway was heard of last, by a clock that sleeps with the machine and by one that does
/// not.
#[derive(Clone, Copy)]
struct Sign {
    at: Instant,
    on_the_wall: Timestamp,
}

impl Sign {
    fn now() -> Self {
        Self {
            at: Instant::now(),
            on_the_wall: Timestamp::now(),
        }
    }

    fn is_old(self) -> bool {
        let elapsed = self.at.elapsed();
        let on_the_wall = Timestamp::now().duration_since(self.on_the_wall);
        let on_the_wall = Duration::try_from(on_the_wall).unwrap_or_default();
        elapsed > TRUSTED_FOR || on_the_wall.abs_diff(elapsed) > SLEPT
    }
}

impl Connected {
    /// Notes that an answer came.
    pub fn note_sign(&self) {
        *self.sign() = Sign::now();
        self.is_doubted.store(false, Ordering::Relaxed);
    }

    fn needs_probe(&self) -> bool {
        self.is_doubted.load(Ordering::Relaxed) || self.sign().is_old()
    }

    fn sign(&self) -> std::sync::MutexGuard<'_, Sign> {
        self.last_sign
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn is_open(&self) -> bool {
        self.client.is_connected() && !self.link.borrow().is_closed
    }

    /// Ends it, whatever its state is said to be: the gateway has few places for clients.
    async fn close(&self) {
        // A disconnect that hangs leaves the socket to the end of the process.
        let _ = timeout(DISCONNECT_MAX, self.client.disconnect()).await;
        self.listener.abort();
    }
}

impl Connector {
    /// Without a connection yet.
    pub fn new(settings: IbSettings, waits: IbWaits) -> Self {
        Self {
            settings,
            waits,
            limiter: RateLimiter::default(),
            live: AsyncMutex::new(None),
            was_connected: AtomicBool::new(false),
            clock_ahead_ms: AtomicI64::new(i64::MAX),
        }
    }

    /// A failure of this gateway.
    pub fn error(&self, failure: IbFailure) -> IbError {
        IbError {
            address: self.settings.address(),
            failure,
        }
    }

    /// A connection that works: the one that is there, or a new one. Waits for a gateway that was
    /// there before.
    pub async fn connected(&self) -> Result<Arc<Connected>, IbError> {
        let began = Instant::now();
        let mut tries = 0;

        loop {
            let error = match self.connect_once().await {
                Ok(connected) => return Ok(connected),
                Err(error) => error,
            };

            let is_outage = self.was_connected.load(Ordering::Relaxed)
                && matches!(error.failure, IbFailure::Unreachable { .. });
            if !is_outage || began.elapsed() >= self.settings.outage {
                return Err(error);
            }
            let pause = self.pause_before_try(tries);
            tries += 1;
            wait_until(Instant::now() + pause, &error.to_string()).await;
        }
    }

    fn pause_before_try(&self, tries: usize) -> Duration {
        let pauses = &self.waits.reconnect;
        let pause = pauses.get(tries).or(pauses.last());
        pause.copied().unwrap_or(self.waits.pause)
    }

    /// One try at a connection that works.
    pub async fn connect_once(&self) -> Result<Arc<Connected>, IbError> {
        let mut live = self.live.lock().await;
        if let Some(connected) = live.take() {
            if connected.is_open() && self.is_alive(&connected).await {
                *live = Some(Arc::clone(&connected));
                return Ok(connected);
            }
            connected.close().await;
        }

        let connected = Arc::new(self.connect().await?);
        if self.probe(&connected).await.is_none() {
            connected.close().await;
            let seconds = self.waits.probe.as_secs();
            return Err(self.error(IbFailure::Silent { seconds }));
        }
        tokio::spawn(close_when_idle(
            Arc::downgrade(&connected),
            self.settings.idle,
        ));
        self.was_connected.store(true, Ordering::Relaxed);
        *live = Some(Arc::clone(&connected));
        Ok(connected)
    }

    async fn is_alive(&self, connected: &Connected) -> bool {
        !connected.needs_probe() || self.probe(connected).await.is_some()
    }

    /// Asks for the gateway's time, which costs nothing; absent if it does not answer.
    pub async fn probe(&self, connected: &Connected) -> Option<()> {
        let answer = timeout(self.waits.probe, connected.client.server_time()).await;
        let time = answer.ok()?.ok()?.unix_timestamp();
        connected.note_sign();

        // Its time has whole seconds: it was true for up to one second.
        let ahead_ms = time * 1000 - Timestamp::now().as_millisecond();
        let ahead_ms = if (-1500..=500).contains(&ahead_ms) {
            0
        } else {
            ahead_ms
        };
        self.clock_ahead_ms.store(ahead_ms, Ordering::Relaxed);
        Some(())
    }

    /// The gateway's clock minus ours in milliseconds; absent before the first sign of life.
    pub fn clock_ahead_ms(&self) -> Option<i64> {
        let ahead_ms = self.clock_ahead_ms.load(Ordering::Relaxed);
        (ahead_ms != i64::MAX).then_some(ahead_ms)
    }

    /// What the gateway had to say about its data.
    pub async fn advice(&self) -> Vec<String> {
        let live = self.live.lock().await;
        let advice = live.as_ref().map(|each| each.link.borrow().advice.clone());
        advice.unwrap_or_default()
    }

    /// Closes the connection.
    pub async fn close(&self) {
        if let Some(connected) = self.live.lock().await.take() {
            connected.close().await;
        }
    }

    /// Connects with the first client id that is free.
    async fn connect(&self) -> Result<Connected, IbError> {
        let ids: Vec<i32> = self
            .settings
            .client_ids
            .iter()
            .copied()
            .take(IDS_MAX)
            .collect();

        for (index, id) in ids.iter().enumerate() {
            match self.connect_as(*id).await? {
                Some(connected) => return Ok(connected),
                None if index + 1 < ids.len() => {
                    let reason = format!("client id {id} belongs to another program");
                    wait_until(Instant::now() + self.waits.next_id, &reason).await;
                }
                None => {}
            }
        }

        Err(self.error(IbFailure::ClientIds { ids }))
    }

    /// Connects with a client id; nothing if another program holds it.
    async fn connect_as(&self, id: i32) -> Result<Option<Connected>, IbError> {
        let builder = Client::builder()
            .address(self.settings.address())
            .client_id(id)
            .max_reconnect_attempts(0)
            .rate_limiter(self.limiter.clone())
            .one_shot_timeout(self.settings.timeout);

        // The library waits for ever for a gateway that takes a connection and says nothing.
        let limit = self.settings.connect_timeout;
        let (client, mut notices) = match timeout(limit, builder.connect_with_notice_stream()).await
        {
            Ok(Ok(connection)) => connection,
            Ok(Err(Error::ClientIdInUse { .. })) => return Ok(None),
            Ok(Err(error)) => return Err(self.connect_error(&error)),
            Err(_) => {
                let seconds = limit.as_secs();
                return Err(self.error(IbFailure::Silent { seconds }));
            }
        };

        let (sender, mut link) = watch::channel(Link::default());
        let listener = tokio::spawn(async move {
            while let Some(notice) = notices.next().await {
                sender.send_if_modified(|link| link.note(notice.code, &notice.message));
            }
            sender.send_modify(|link| link.is_closed = true);
        });

        // A gateway that is asked too early may fall silent for good.
        let until = Instant::now() + self.waits.ready;
        let reports = link.wait_for(|link| link.has_history || link.is_closed);
        let _ = timeout_at(until, reports).await;
        Ok(Some(Connected {
            client,
            link,
            is_doubted: AtomicBool::new(false),
            last_sign: Mutex::new(Sign::now()),
            listener,
        }))
    }

    fn connect_error(&self, error: &Error) -> IbError {
        let reason = error.to_string();

        self.error(match error {
            Error::ConnectionRejected(_) => IbFailure::Rejected { reason },
            Error::ServerVersion(needed, version, _) => IbFailure::Old {
                version: *version,
                needed: *needed,
            },
            Error::Io(_) | Error::ConnectionFailed | Error::ConnectionReset => {
                IbFailure::Unreachable { reason }
            }

            Error::Notice(notice) => IbFailure::Away {
                subject: "the connection".to_owned(),
                code: notice.code,
                text: notice.message.clone(),
            },
            _ => IbFailure::Protocol {
                subject: "the connection".to_owned(),
                reason,
            },
        })
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        let connected = self.live.get_mut().take();
        let runtime = tokio::runtime::Handle::try_current();
        if let (Some(connected), Ok(runtime)) = (connected, runtime) {
            runtime.spawn(async move { connected.close().await });
        }
    }
}

/// Closes a connection that nobody has used for a while.
async fn close_when_idle(connected: Weak<Connected>, idle: Duration) {
    let mut ticks = interval(idle);
    loop {
        ticks.tick().await;
        let Some(connected) = connected.upgrade() else {
            return;
        };

        // Its owner and this task hold it; anybody else is asking something.
        let is_unused = Arc::strong_count(&connected) <= 2;
        if is_unused && connected.sign().at.elapsed() >= idle {
            connected.close().await;
            return;
        }
    }
}
