//! Leaves a provider alone that fails again and again: after a rest one request is made as a probe,
//! and after several failed probes the work is given up. One per provider and process.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::asking_rules::AskingRules;
use crate::waits::wait_until;

/// Counts the failures of one provider.
#[derive(Debug, Default)]
pub struct Breaker {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Failed tries in a row.
    failures: u32,
    /// Failed probes in a row.
    failed_probes: u32,
    /// Nothing is asked before this instant; absent while all is well.
    rests_until: Option<Instant>,
    is_probing: bool,
    /// True once as many probes failed as there may be.
    is_spent: bool,
    /// Grows with each answer: failures of one number came in a row.
    row: u64,
    /// The rows of failures that led to a rest: the provider was away.
    outages: BTreeSet<u64>,
}

/// The provider was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spent;

/// The permission to make one request, which ends with what became of it.
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

/// What a request has to wait for.
enum Gate {
    Open { is_probe: bool },
    Rest(Instant),
    Probe,
    Spent,
}

impl Breaker {
    /// Lets later work try again what earlier work gave up, with a probe.
    pub(crate) fn begin(&self) {
        let mut state = self.state();
        if state.is_spent {
            state.is_spent = false;
            state.failed_probes = 0;
            state.rests_until = Some(Instant::now());
        }
    }

    /// Waits until a request may be made.
    pub(crate) async fn enter(&self) -> Result<Permit<'_>, Spent> {
        loop {
            let changed = self.changed.notified();
            match self.gate() {
                Gate::Open { is_probe } => {
                    let breaker = self;
                    return Ok(Permit { breaker, is_probe });
                }
                Gate::Spent => return Err(Spent),
                Gate::Probe => changed.await,
                Gate::Rest(until) => tokio::select! {
                    () = changed => {}
                    () = wait_until(until, "the provider failed again and again: it rests") => {}
                },
            }
        }
    }

    fn gate(&self) -> Gate {
        let mut state = self.state();
        if state.is_spent {
            return Gate::Spent;
        }

        match state.rests_until {
            None => Gate::Open { is_probe: false },
            Some(until) if until > Instant::now() => Gate::Rest(until),
            Some(_) if state.is_probing => Gate::Probe,
            Some(_) => {
                state.is_probing = true;
                Gate::Open { is_probe: true }
            }
        }
    }

    /// True once the provider was given up.
    pub(crate) fn is_spent(&self) -> bool {
        self.state().is_spent
    }

    /// True if a row of failures led to a rest: its requests did not fail for reasons of their own.
    pub(crate) fn was_outage(&self, row: u64) -> bool {
        self.state().outages.contains(&row)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// The provider has answered.
    pub(crate) fn succeed(self) {
        let mut state = self.breaker.state();
        state.failures = 0;
        state.failed_probes = 0;
        state.rests_until = None;
        state.is_spent = false;
        state.row += 1;
    }

    /// The provider has failed this number of tries; returns the number of the row of failures.
    pub(crate) fn fail(self, tries: u32, rules: &AskingRules) -> u64 {
        let mut state = self.breaker.state();
        let row = state.row;

        if self.is_probe {
            state.failed_probes += 1;
            state.is_spent = state.failed_probes >= rules.probes_max;
            state.rests_until = Some(Instant::now() + rules.rest);
        } else if state.rests_until.is_none() {
            state.failures = state.failures.saturating_add(tries);
            if state.failures >= rules.failures_max {
                state.rests_until = Some(Instant::now() + rules.rest);
                state.outages.insert(row);
            }
        }
        row
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.breaker.state().is_probing = false;
        }
        self.breaker.changed.notify_waiters();
    }
}
