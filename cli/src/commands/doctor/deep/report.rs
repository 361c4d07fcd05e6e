//! What the deep check says: sentences for people, one value for programs.

use serde_json::{Value, json};

use super::Checked;
use super::finding::Finding;
use super::rules::{Rule, Weight};
use crate::console::{Output, Tone, count_of};

/// Findings of one rule that people see; programs get all.
const SHOWN_MAX: usize = 10;
/// Of notes they see fewer.
const NOTES_SHOWN_MAX: usize = 3;

impl Checked {
    /// The value for programs.
    pub(crate) fn to_json(&self) -> Value {
        let findings: Vec<Value> = self.findings.iter().map(Finding::to_json).collect();

        json!({
            "findings": findings,
            "readings": self.readings,
            "rules": Rule::ALL.len(),
            "read": {
                "records": self.count.records,
                "events": self.count.events,
                "commands": self.count.commands,
                "others": self.count.others,
                "objects": self.count.objects,
                "bytes": self.count.bytes,
            },
            "seconds": self.took.as_secs_f64(),
        })
    }

    /// Writes sentences for people.
    pub(crate) fn print(&self, output: &Output) {
        output.line("");
        output.sentence(&self.summary());
        for rule in Rule::ALL {
            let findings: Vec<_> = self.findings.iter().collect();
            let findings: Vec<&Finding> = findings
                .into_iter()
                .filter(|finding| finding.rule == *rule)
                .collect();
            if !findings.is_empty() {
                print_rule(*rule, &findings, output);
            }
        }
    }

    fn count_of(&self, weight: Weight) -> usize {
        let findings = self.findings.iter();
        findings
            .filter(|finding| finding.rule.text().weight == weight)
            .count()
    }

    fn summary(&self) -> String {
        let count = &self.count;
        let times = match self.readings {
            1 => "once".to_owned(),
            2 => "twice".to_owned(),
            times => format!("{times} times"),
        };
        let read = format!(
            "deep check: {} records, {} events, {} commands and {} other messages, read {times}; \
             {} objects, {:.1} MB of content; {:.1} s",
            count.records,
            count.events,
            count.commands,
            count.others,
            count.objects,
            count.bytes as f64 / 1e6,
            self.took.as_secs_f64()
        );

        let rules = count_of(Rule::ALL.len(), "rule");
        match (self.count_of(Weight::Fault), self.count_of(Weight::Note)) {
            (0, 0) => format!("{read}: all {rules} hold"),
            (0, notes) => format!("{read}: no fault, {}", count_of(notes, "note")),
            (faults, 0) => format!("{read}: {}", count_of(faults, "fault")),
            (faults, notes) => format!(
                "{read}: {}, {}",
                count_of(faults, "fault"),
                count_of(notes, "note")
            ),
        }
    }
}

fn print_rule(rule: Rule, findings: &[&Finding], output: &Output) {
    let text = rule.text();
    let (word, tone, shown_max) = match text.weight {
        Weight::Fault => ("BAD ", Tone::Bad, SHOWN_MAX),
        Weight::Note => ("note", Tone::Odd, NOTES_SHOWN_MAX),
    };
    let word = output.style.paint(tone, word);
    output.line(&format!("{word}  {}", text.name));

    for finding in findings.iter().take(shown_max) {
        output.sentence(&format!("      {}: {}", finding.subject, finding.what));
        // The same for all of them, but for the name of each.
        if text.next.contains("{}") {
            output.sentence(&format!("        next: {}", finding.next()));
        }
    }
    if findings.len() > shown_max {
        let left_out = findings.len() - shown_max;
        output.line(&format!("      and {left_out} more: --json lists all"));
    }

    output.sentence(&format!("      why it matters: {}", text.why));
    if !text.next.contains("{}") {
        output.sentence(&format!("      next: {}", text.next));
    }
}
