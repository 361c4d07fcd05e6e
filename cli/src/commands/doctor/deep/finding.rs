//! One thing that is wrong, as a rule says it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::rules::Rule;

/// What a rule has found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    /// The rule that does not hold.
    pub(super) rule: Rule,
    /// The operation, object, subject or key that it does not hold for.
    pub(super) subject: String,
    /// What is wrong. The same in two readings if nothing has changed in between.
    pub(super) what: String,
    /// Since when it is as it is; none where no time makes it right.
    pub(super) since: Option<Timestamp>,
}

impl Finding {
    /// Something that no time makes right.
    pub(super) fn new(rule: Rule, subject: impl ToString, what: impl Into<String>) -> Self {
        Self {
            rule,
            subject: subject.to_string(),
            what: what.into(),
            since: None,
        }
    }

    /// Something that whoever is at work may still put right.
    pub(super) fn since(self, at: Timestamp) -> Self {
        Self {
            since: Some(at),
            ..self
        }
    }

    /// What two readings that have found the same agree in.
    pub(super) fn identity(&self) -> (Rule, &str, &str) {
        (self.rule, &self.subject, &self.what)
    }

    /// How long whoever is at work may still take to put it right; none where it counts now.
    pub(super) fn time_left(&self, now: Timestamp, grace: Duration) -> Option<Duration> {
        let age = now.duration_since(self.since?);
        let age = Duration::try_from(age).unwrap_or_default();
        let time_left = grace.saturating_sub(age);
        (!time_left.is_zero()).then_some(time_left)
    }

    /// What to do.
    pub(super) fn next(&self) -> String {
        self.rule.text().next.replace("{}", &self.subject)
    }

    /// The finding for programs.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "rule": self.rule,
            "weight": self.rule.text().weight,
            "subject": self.subject,
            "what": self.what,
            "why": self.rule.text().why,
            "next": self.next(),
        })
    }
}
