//! One thing that the doctor looked at, and what came of it.

use serde::Serialize;

use crate::console::{Output, Tone, pair_lines};

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// It can be used.
    Ok,
    /// It can be used, but a person may want to know something.
    Note,
    /// It cannot be used: the exit code is not 0.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    name: &'static str,
    pub(super) verdict: Verdict,
    detail: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    hint: String,
}

/// Whether the exit code is not 0.
pub(super) fn any_bad(checks: &[Check]) -> bool {
    checks.iter().any(|check| check.verdict == Verdict::Bad)
}

impl Check {
    pub(super) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Ok,
            detail: detail.into(),
            hint: String::new(),
        }
    }

    pub(super) fn note(name: &'static str, detail: impl Into<String>, hint: &str) -> Self {
        Self {
            verdict: Verdict::Note,
            hint: hint.to_owned(),
            ..Self::ok(name, detail)
        }
    }

    pub(super) fn bad(name: &'static str, detail: impl Into<String>, hint: &str) -> Self {
        Self {
            verdict: Verdict::Bad,
            ..Self::note(name, detail, hint)
        }
    }

    pub(super) fn print(&self, output: &Output) {
        let (word, tone) = match self.verdict {
            Verdict::Ok => ("ok  ", Tone::Good),
            Verdict::Note => ("note", Tone::Odd),
            Verdict::Bad => ("BAD ", Tone::Bad),
        };
        let word = output.style.paint(tone, word);

        // A long text goes on below its beginning.
        let detail = pair_lines(&[(format!("    {:<11}", self.name), self.detail.clone())]);
        for (index, line) in detail.iter().enumerate() {
            match index {
                0 => output.line(&format!("{word}{}", line.get(4..).unwrap_or_default())),
                _ => output.line(line),
            }
        }
        if !self.hint.is_empty() {
            output.sentence(&format!("      hint: {}", self.hint));
        }
    }
}
