//! `ktrdr data quality`: score, findings and what to do about them, of a file or a stored series.

use market::Utc;
use quality::{Finding, Report, Severity};
use serde_json::{Value, json};

use super::subject::{Subject, SubjectArgs};
use crate::console::{Exit, Failure, Output, count_of, time_or_blank};
use crate::context::Context;

/// Severities, worst first.
const SEVERITIES: [Severity; 5] = [
    Severity::Critical,
    Severity::High,
    Severity::Medium,
    Severity::Low,
    Severity::Info,
];

/// Shows the quality of bars: exit code 1 if a finding is critical.
///
/// # Errors
/// The file, the series or the rules cannot be read.
pub(super) async fn run(args: &SubjectArgs, context: &Context) -> Result<Exit, Failure> {
    let subject = Subject::read(args, context).await?;
    let report = subject.report();

    context.output.json(&json!({
        "type": "quality",
        "report": report,
        "coverage": subject.coverage,
        "advice": advice_of(report.findings.iter().chain(&subject.coverage)),
    }));
    show_score(&report, &context.output);
    for finding in report.findings.iter().chain(&subject.coverage) {
        show_finding(finding, &subject, &context.output);
    }

    // Only what an import would refuse fails the command, so that scripts can rely on it.
    if report.critical().next().is_some() {
        return Ok(Exit::Failed);
    }
    Ok(Exit::Done)
}

/// What to do, by check.
fn advice_of<'a>(findings: impl Iterator<Item = &'a Finding>) -> Value {
    let advice = findings.map(|finding| (name_of(finding), json!(finding.check.advice())));
    Value::Object(advice.collect())
}

/// The check as JSON and the page of the checks name it.
fn name_of(finding: &Finding) -> String {
    let name = serde_json::to_value(finding.check).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}

fn show_score(report: &Report, output: &Output) {
    let verdict = if report.healthy {
        "healthy"
    } else {
        "look at the findings"
    };
    let score = &report.score;

    output.line(&format!(
        "{} {}: {} bars, {} to {}",
        report.series.instrument.symbol(),
        report.series.timeframe,
        report.bars,
        time_or_blank(report.first),
        time_or_blank(report.last)
    ));
    output.line(&format!("score {:.1} of 100 ({verdict})", score.total));
    output.line(&format!(
        "  completeness {:.3}: {} of {} expected bars missing, {} known to be empty",
        score.completeness, report.missing, report.expected, report.known_empty
    ));
    output.line(&format!("  integrity    {:.3}", score.integrity));
    output.line(&format!("  plausibility {:.3}", score.plausibility));

    for severity in SEVERITIES {
        if let Some(tally) = report.totals.get(&severity) {
            let findings = count_of(tally.findings, "finding");
            let bars = count_of(tally.bars, "bar");
            output.line(&format!("  {:<12} {findings}, {bars}", word(severity)));
        }
    }
}

fn word(severity: Severity) -> String {
    format!("{severity:?}").to_lowercase()
}

fn show_finding(finding: &Finding, subject: &Subject, output: &Output) {
    let severity = word(finding.severity);
    let name = name_of(finding);
    output.line(&format!("{severity} {name}: {}", finding.message));

    let places: Vec<String> = finding
        .rows
        .iter()
        .map(|sample| describe_place(sample.row, sample.time, subject))
        .collect();
    if !places.is_empty() {
        output.line(&format!("    at {}", places.join(", ")));
    }
    output.line(&format!("    do: {}", finding.check.advice()));
}

/// `line 7 (2024-01-02T00:00:00Z)`; the time alone where the bars are of no file.
fn describe_place(row: Option<usize>, time: Utc, subject: &Subject) -> String {
    let lines = subject.lines.as_ref();
    match lines.zip(row).and_then(|(lines, row)| lines.get(row)) {
        Some(line) => format!("line {line} ({time})"),
        None => time.to_string(),
    }
}
