//! Findings: everything wrong with a strategy file, each with its place, its rule and a way out.

use std::fmt;

use schemas::spelling::nearest_name;
use serde::Serialize;

/// Whether a strategy with this finding can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The strategy is refused.
    Error,
    /// The strategy works; the author should look.
    Warning,
}

/// One thing that is wrong, or worth a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where: keys joined by dots, positions in brackets: `indicators.rsi_14.perod`,
    /// `nn_inputs[2].timeframes`.
    pub path: String,
    /// 1-based line of the file; 0 when the finding comes from the request.
    pub line: usize,
    /// The rule that was broken, for tests and for machines: `key.unknown`.
    pub rule: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in a sentence without its place.
    pub message: String,
    /// What would be right, where that is a short list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// The allowed word most similar to what was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

impl Finding {
    /// An error without a list of what is allowed.
    pub fn error(
        path: impl Into<String>,
        line: usize,
        rule: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            line,
            rule,
            severity: Severity::Error,
            message: message.into(),

            allowed: Vec::new(),
            nearest: None,
        }
    }

    /// A warning, without allowed values.
    pub fn warning(
        path: impl Into<String>,
        line: usize,
        rule: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(path, line, rule, message)
        }
    }

    /// True when the strategy is refused for it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The same finding with what is allowed, and the nearest of it to `written`.
    #[must_use]
    pub fn allowing<T: AsRef<str>>(
        mut self,
        written: &str,
        allowed: impl IntoIterator<Item = T>,
    ) -> Self {
        self.allowed = allowed
            .into_iter()
            .map(|word| word.as_ref().to_owned())
            .collect();
        self.nearest =
            nearest_name(written, self.allowed.iter().map(String::as_str)).map(str::to_owned);
        self
    }
}

impl fmt::Display for Finding {
    /// `error[key.unknown] line 7, indicators.rsi_14.perod: unknown key (did you mean period?)`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(formatter, "{severity}[{}] ", self.rule)?;

        // A finding about the request has no line, one about the whole file no path.
        if self.line > 0 {
            write!(formatter, "line {}, ", self.line)?;
        }
        let path = match self.path.as_str() {
            "" => "(file)",
            path => path,
        };
        write!(formatter, "{path}: {}", self.message)?;

        if let Some(nearest) = &self.nearest {
            write!(formatter, " (did you mean `{nearest}`?)")?;
        }
        if !self.allowed.is_empty() {
            write!(formatter, " [allowed: {}]", self.allowed.join(", "))?;
        }
        Ok(())
    }
}

/// All findings of one run over a file, in file order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Sorts by line, then by path.
    pub fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by(|a, b| (a.line, &a.path).cmp(&(b.line, &b.path)));
        Self(findings)
    }

    /// The findings in file order.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    /// True without any finding.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of findings.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Finding::is_error)
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        "correct the places listed; `ktrdr strategies validate <file>` checks them again without \
         starting anything"
    }
}

impl fmt::Display for Findings {
    /// How many there are, then one finding per line.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.0.iter().filter(|finding| finding.is_error()).count();
        let warnings = self.0.len() - errors;
        let counts = format!("{errors} error(s) and {warnings} warning(s)");

        write!(formatter, "the strategy has {counts}")?;
        for finding in &self.0 {
            write!(formatter, "\n  {finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A computed number as a person would write it: twelve digits, so that 0.6 + 0.3 reads 0.9.
pub(crate) fn rounded(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}
