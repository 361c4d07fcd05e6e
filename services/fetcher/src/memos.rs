//! What was learnt of a provider and holds for a while: in this process, and in the memory that
//! processes share, so that a restart does not ask again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use runtime::SharedMemory;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// How long nobody asks for the memory after it was away.
const AWAY: Duration = Duration::from_secs(10);
/// What was learnt that far in the future was written with a wrong clock.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(24);

/// A key of the shared memory: its parts in the signs that keys have, the others as `=2e`.
pub(crate) fn memo_key(parts: &[&str]) -> String {
    let parts = parts.iter().map(|part| {
        let bytes = part.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
            _ => format!("={byte:02x}"),
        });
        bytes.collect::<String>()
    });
    parts.collect::<Vec<_>>().join(".")
}

/// As it is written.
#[derive(Debug, Serialize, Deserialize)]
struct Written<T> {
    /// Seconds since 1970.
    at: i64,
    value: T,
}

/// Something that was learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Learnt<T> {
    pub(crate) value: T,
    /// True while it holds.
    pub(crate) is_fresh: bool,
}

/// Answers of one kind by what they are about.
pub(crate) struct Memos<T> {
    provider: &'static str,
    kind: &'static str,
    holds: Duration,
    memory: Arc<dyn SharedMemory>,
    here: Mutex<BTreeMap<String, (Instant, T)>>,
    away_until: Mutex<Option<Instant>>,
}

impl<T: Clone + Serialize + DeserializeOwned> Memos<T> {
    /// Of a provider, each of which holds for a while.
    pub(crate) const fn new(
        memory: Arc<dyn SharedMemory>,
        provider: &'static str,
        kind: &'static str,
        holds: Duration,
    ) -> Self {
        Self {
            provider,
            kind,
            holds,
            memory,
            here: Mutex::new(BTreeMap::new()),
            away_until: Mutex::new(None),
        }
    }

    /// What was learnt, by whoever did; absent if nobody did lately.
    pub(crate) async fn recall(&self, about: &str) -> Option<Learnt<T>> {
        let here = self.look_here(about);
        if here.as_ref().is_some_and(|learnt| learnt.is_fresh) {
            return here;
        }

        // Another process may have asked since.
        match self.read(about).await {
            Some((value, age)) => {
                let at = Instant::now().checked_sub(age);
                let entry = (at.unwrap_or_else(Instant::now), value.clone());
                lock(&self.here).insert(about.to_owned(), entry);
                let is_fresh = age < self.holds;
                Some(Learnt { value, is_fresh })
            }
            None => here,
        }
    }

    /// What is fresh, here and without asking anybody.
    pub(crate) fn look_here(&self, about: &str) -> Option<Learnt<T>> {
        let here = lock(&self.here);
        let (at, value) = here.get(about)?;
        Some(Learnt {
            value: value.clone(),
            is_fresh: at.elapsed() < self.holds,
        })
    }

    /// Keeps what was learnt now.
    pub(crate) async fn keep(&self, about: &str, value: &T) {
        let entry = (Instant::now(), value.clone());
        lock(&self.here).insert(about.to_owned(), entry);
        let written = Written {
            at: Timestamp::now().as_second(),
            value,
        };
        let Ok(payload) = serde_json::to_vec(&written) else {
            return;
        };

        if !self.is_away() {
            let key = memo_key(&[self.kind, self.provider, about]);
            self.note_end(self.memory.put(&key, payload).await.is_err());
        }
    }

    /// The value in the shared memory, and its age.
    async fn read(&self, about: &str) -> Option<(T, Duration)> {
        if self.is_away() {
            return None;
        }

        let key = memo_key(&[self.kind, self.provider, about]);
        let memo = self.memory.read(&key).await;
        self.note_end(memo.is_err());
        let written: Written<T> = serde_json::from_slice(&memo.ok()??.value).ok()?;
        let age = Timestamp::now().duration_since(Timestamp::from_second(written.at).ok()?);
        let is_believable = age > -AHEAD_MAX;
        is_believable.then(|| (written.value, Duration::try_from(age).unwrap_or_default()))
    }

    fn is_away(&self) -> bool {
        lock(&self.away_until).is_some_and(|until| Instant::now() < until)
    }

    /// What is learnt is learnt again without the memory: nobody need be told.
    fn note_end(&self, is_away: bool) {
        let until = is_away.then(|| Instant::now() + AWAY);
        *lock(&self.away_until) = until;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use runtime::OwnMemory;

    use super::*;

    #[test]
    fn different_names_have_different_keys() {
        assert_eq!(
            memo_key(&["head", "ib", "fx:EUR.USD"]),
            "head.ib.fx=3aEUR=2eUSD"
        );
        assert_ne!(memo_key(&["a.b"]), memo_key(&["a", "b"]));
        assert_ne!(memo_key(&["a=2eb"]), memo_key(&["a.b"]));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_learnt_outlives_its_process() {
        let memory: Arc<dyn SharedMemory> = Arc::new(OwnMemory::default());
        let new = || Memos::new(Arc::clone(&memory), "ib", "head", Duration::from_secs(60));
        let first = new();
        assert_eq!(first.recall("AAPL").await, None);

        first.keep("AAPL", &7).await;
        let learnt = Learnt {
            value: 7,
            is_fresh: true,
        };
        assert_eq!(new().recall("AAPL").await, Some(learnt));
        assert_eq!(new().recall("IBM").await, None);

        // Held for too long, it is still better than nothing.
        let second = new();
        second.recall("AAPL").await;
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(!second.look_here("AAPL").unwrap().is_fresh);
    }
}
