//! One followed series: what of it was seen, what closes next, and what has not come.

use market::{Calendar, CloseTimeError, SeriesKey, Slot, Utc, close_times, missing, slot_index};
use schemas::commands::{SeriesRequest, StoredBar, StoredBars};
use store::{RawBars, SeriesSnapshot, Store, StoreError};

use super::schedule::Schedule;
use crate::error::FetchError;
use crate::plan::final_at;

/// Bars of a series that have not come, and are asked for with each of the next ones.
const LATE_MAX: usize = 5;
/// How often a bar is asked for once it has closed: after 1, 2, 4, 8 and 16 seconds again.
const ASKS_MAX: u32 = 6;
/// Longest pause between two attempts at a provider that is away.
const AWAY_MAX: i64 = 300 * SECOND;
/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next close.
    Close { slot: Slot, due: Utc },
    /// A bar that has closed and that the provider does not have yet.
    Again { slot: Slot, at: Utc, asks: u32 },
    /// The provider, which could not be asked `failures` times in a row.
    Away { at: Utc, failures: u32 },
    /// Nothing: the market does not open again.
    Over,
}

/// One followed series.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) request: SeriesRequest,
    pub(super) schedule: Schedule,
    /// Label of the newest bar that was due when the series was loaded last.
    pub(super) handled: Utc,
    /// When it was loaded last.
    pub(super) loaded: Utc,
    /// Bars that were due and have not come, the newest of them; oldest first.
    pub(super) late: Vec<Slot>,
    pub(super) next: Next,
    /// Bars that have closed since the beginning, and are stored.
    pub(super) bars: u64,
    /// Bars that were due since the beginning and were given up.
    pub(super) given_up: u64,
}

/// What a load has brought of a series.
#[derive(Debug)]
pub(super) struct Arrived {
    /// What others are told; none where no bar came.
    pub(super) news: Option<StoredBars>,
    /// The newest bar that is due, where it has not come.
    pub(super) absent: Option<Slot>,
}

impl Watched {
    /// A series as it stands at `announced`, up to which it was followed since `since`.
    pub(super) async fn at(
        store: &Store,
        request: SeriesRequest,
        schedule: Schedule,
        since: Utc,
        announced: Utc,
    ) -> Result<Self, FetchError> {
        let handled = schedule.newest_due(announced);
        let beginning = schedule.newest_due(since);
        let due = schedule.due_after(beginning, announced);
        let snapshot = store.series().snapshot(&schedule.key, None).await?;
        let opens = stored_opens(store, snapshot.as_ref(), beginning.plus_micros(1)).await?;

        let late = missing(&due, &opens);
        let mut watched = Self {
            request,
            schedule,
            handled,
            loaded: announced,
            bars: (due.len() - late.len()) as u64,
            late,
            next: Next::Over,
            given_up: 0,
        };
        watched.give_up_old();
        Ok(watched)
    }

    pub(super) const fn key(&self) -> &SeriesKey {
        &self.schedule.key
    }

    /// `EURUSD 1h`.
    pub(super) fn title(&self) -> String {
        let key = self.key();
        format!("{} {}", key.instrument.symbol(), key.timeframe)
    }

    /// Where the next load begins, if that is before the last stored bar.
    pub(super) fn start(&self) -> Option<Utc> {
        self.late.first().map(|slot| slot.open)
    }

    /// When it is looked at again; none for one that is over.
    pub(super) const fn due(&self) -> Option<Utc> {
        match self.next {
            Next::Close { due, .. } => Some(due),
            Next::Again { at, .. } | Next::Away { at, .. } => Some(at),
            Next::Over => None,
        }
    }

    /// True once nothing is waited for that is due before `until`.
    pub(super) fn is_past(&self, until: Option<Utc>) -> bool {
        let Some(until) = until else {
            return self.next == Next::Over;
        };
        match self.next {
            Next::Close { due: at, .. } | Next::Away { at, .. } => at > until,
            Next::Again { .. } => false,
            Next::Over => true,
        }
    }

    /// Up to when every bar was announced, or is known to be late.
    pub(super) fn announced(&self, now: Utc) -> Utc {
        match self.next {
            Next::Close { due, .. } => now.min(due.plus_micros(-1)),
            Next::Away { .. } => self.loaded,
            Next::Again { .. } | Next::Over => now,
        }
    }

    /// Bars that were due and are not stored.
    pub(super) const fn missing(&self) -> u64 {
        self.given_up + self.late.len() as u64
    }

    /// Looks at what a load at `now` has left in the store.
    pub(super) async fn look(&mut self, store: &Store, now: Utc) -> Result<Arrived, FetchError> {
        let due = self.schedule.due_after(self.handled, now);
        let awaited: Vec<Slot> = self.late.iter().chain(&due).copied().collect();
        let start = awaited.first().map_or(now, |slot| slot.open);
        let snapshot = store.series().snapshot(self.key(), None).await?;
        let opens = stored_opens(store, snapshot.as_ref(), start).await?;

        let in_slot = |open: &Utc| slot_index(&awaited, *open).is_some();
        let new: Vec<Utc> = opens.iter().copied().filter(in_slot).collect();
        self.late = missing(&awaited, &opens);
        self.bars += (awaited.len() - self.late.len()) as u64;
        self.handled = due.last().map_or(self.handled, |slot| slot.open);
        self.loaded = now;
        let absent = due.last().filter(|slot| self.late.last() == Some(*slot));
        let arrived = Arrived {
            news: self.news(snapshot.as_ref(), &new)?,
            absent: absent.copied(),
        };
        self.give_up_old();
        Ok(arrived)
    }

    fn news(
        &self,
        snapshot: Option<&SeriesSnapshot>,
        opens: &[Utc],
    ) -> Result<Option<StoredBars>, CloseTimeError> {
        let key = self.key();
        let closes = close_times(Calendar::for_key(key), key, opens)?;
        let bars: Vec<StoredBar> = opens
            .iter()
            .zip(closes)
            .map(|(open, close)| StoredBar {
                open: open.timestamp(),
                close: close.timestamp(),
            })
            .collect();

        Ok(snapshot
            .filter(|_| !bars.is_empty())
            .map(|snapshot| StoredBars {
                series: key.prefix(),
                symbol: key.instrument.symbol(),
                timeframe: key.timeframe.to_string(),
                revision: snapshot.manifest.revision,
                bars,
            }))
    }

    /// Asks for a bar that has not come once more, after a pause that doubles; or goes on to the
    /// next close, and returns the bar that is left behind.
    pub(super) fn ask_again(&mut self, absent: Option<Slot>, now: Utc) -> Option<Slot> {
        let asked_for = match self.next {
            Next::Again { slot, .. } if self.late.contains(&slot) => Some(slot),
            _ => absent,
        };
        let asks = match (self.next, absent) {
            (Next::Again { slot, asks, .. }, _) if self.late.contains(&slot) => asks + 1,
            (_, Some(slot)) if self.has_just_closed(slot, now) => 1,
            _ => ASKS_MAX,
        };

        self.next = match self.late.last() {
            Some(slot) if asks < ASKS_MAX => Next::Again {
                slot: *slot,
                at: now.plus_micros(SECOND << (asks - 1)),
                asks,
            },
            _ => self.next_close(now),
        };
        asked_for.filter(|_| !matches!(self.next, Next::Again { .. }))
    }

    /// The provider could not be asked: the pause doubles, up to five minutes.
    pub(super) fn be_away(&mut self, now: Utc) {
        let failures = match self.next {
            Next::Away { failures, .. } => failures + 1,
            _ => 1,
        };
        let pause = (SECOND << failures.min(10)).min(AWAY_MAX);

        self.next = Next::Away {
            at: now.plus_micros(pause),
            failures,
        };
    }

    fn next_close(&self, now: Utc) -> Next {
        match self.schedule.next_after(self.handled, now) {
            Some(slot) => Next::Close {
                slot,
                due: self.schedule.due(slot),
            },
            None => Next::Over,
        }
    }

    /// False for a bar that closed long before it was asked for: its provider has had its time.
    fn has_just_closed(&self, slot: Slot, now: Utc) -> bool {
        now < final_at(self.key().timeframe, slot.close).plus_micros(60 * SECOND)
    }

    fn give_up_old(&mut self) {
        let old = self.late.len().saturating_sub(LATE_MAX);
        self.late.drain(..old);
        self.given_up += old as u64;
    }
}

/// Labels of the stored bars from `start` on.
async fn stored_opens(
    store: &Store,
    snapshot: Option<&SeriesSnapshot>,
    start: Utc,
) -> Result<Vec<Utc>, StoreError> {
    let bars = match snapshot {
        Some(snapshot) => {
            let range = start..Utc(i64::MAX);
            store.series().raw_bars(snapshot, range).await?
        }
        None => RawBars::default(),
    };
    Ok(bars.open_time)
}
