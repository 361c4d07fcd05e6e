//! The deep check: reads streams, buckets and objects of a system, and says whether every promise
//! holds.
//!
//! It judges what it has read by rules of its own, and asks nothing that services use to keep their
//! books. What looks wrong is read again, and counts where it is still the same: at once where no
//! time makes it right, and otherwise when whoever is at work has had the time for it.

mod facts;
mod finding;
mod judge;
mod objects;
mod reading;
mod report;
mod rules;
mod values;

use std::collections::BTreeSet;
use std::time::Duration;

use bus::Bus;
use jiff::Timestamp;
use store::Store;
use tokio::time::{Instant, timeout_at};

use crate::console::{Failure, Output};
use facts::{Count, Facts};
use finding::Finding;
use rules::{Rule, Weight};

/// Waits for an acknowledgement after which a sweep has put right what it can: it looks every two,
/// leaves alone what is younger than two, and may have begun a moment before.
const SWEPT_AFTER_WAITS: u32 = 6;

/// What a deep check has found.
#[derive(Debug)]
pub(super) struct Checked {
    findings: Vec<Finding>,
    count: Count,
    /// How often everything was read.
    readings: usize,
    took: Duration,
}

impl Checked {
    /// Whether a promise is broken.
    pub(super) fn has_fault(&self) -> bool {
        let mut rules = self.findings.iter().map(|finding| finding.rule);
        rules.any(|rule| rule.text().weight == Weight::Fault)
    }
}

/// Reads everything, and again where something looks wrong.
///
/// # Errors
/// The server cannot be asked.
pub(super) async fn check(
    bus: &Bus,
    store: Option<&Store>,
    output: &Output,
) -> Result<Checked, Failure> {
    let started = Instant::now();
    let grace = bus.timing().ack_wait * SWEPT_AFTER_WAITS;
    let facts = reading::read(bus).await?;
    let mut checked = Checked {
        findings: judge::judge(&facts),
        count: facts.count,
        readings: 1,
        took: Duration::ZERO,
    };

    // What was under way between two messages is over in the second reading.
    if checked.has_fault() {
        checked.read_again(bus).await?;
    }
    let now = Timestamp::now();
    let waits = checked.findings.iter();
    let waits = waits.filter_map(|finding| finding.time_left(now, grace));
    if let Some(wait) = waits.max() {
        let seconds = wait.as_secs() + 1;
        output.note(&format!(
            "something looks wrong that may still be put right: looking again in {seconds} s"
        ));
        wait_for(bus, wait).await;
        checked.read_again(bus).await?;
    }

    if let Some(store) = store {
        checked.check_objects(bus, store, &facts).await?;
    }
    checked.took = started.elapsed();
    Ok(checked)
}

impl Checked {
    /// Adds what the store says.
    async fn check_objects(
        &mut self,
        bus: &Bus,
        store: &Store,
        facts: &Facts,
    ) -> Result<(), Failure> {
        let mut objects = objects::check(store, facts).await?;
        self.count.objects = objects.objects;
        self.count.bytes = objects.bytes;

        // A step that goes on has another checkpoint now, and the one before may be gone.
        let lost = |finding: &Finding| finding.rule == Rule::CheckpointMissing;
        if objects.findings.iter().any(lost) {
            let named = objects::checkpoints_of(&reading::read(bus).await?);
            let findings = &mut objects.findings;
            findings.retain(|finding| !lost(finding) || named.contains(&finding.subject));
        }
        self.findings.append(&mut objects.findings);
        self.findings.sort();
        Ok(())
    }

    /// Keeps what another reading finds as well.
    async fn read_again(&mut self, bus: &Bus) -> Result<(), Failure> {
        let facts = reading::read(bus).await?;
        let again = judge::judge(&facts);
        let same: BTreeSet<_> = again.iter().map(Finding::identity).collect();

        self.findings
            .retain(|finding| same.contains(&finding.identity()));
        self.readings += 1;
        Ok(())
    }
}

/// Waits until whoever is at work has had this time, or the server is gone, which the next reading
/// says.
async fn wait_for(bus: &Bus, time: Duration) {
    let mut state = bus.connection().state();
    let deadline = Instant::now() + time;
    let _ = timeout_at(deadline, state.wait_for(Option::is_none)).await;
}
