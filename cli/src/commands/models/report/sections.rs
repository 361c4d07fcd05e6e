//! The sections of a report in their order; one that a model has nothing for is left out.

use schemas::metrics::MetricsDocument;

use super::super::edge::edge_sentence;
use super::super::evaluation::describe_evaluation;
use super::ReportData;
use super::figures::{calibration_figure, importance_figure, losses_figure, months_figure};
use super::markup::{Markup, Table, definitions, details, section};
use super::membership::{SETS_MAX, rules_list, sets_of};
use super::origin::{data_table, describe_dropped, head_facts, lineage, settings};
use super::page::page;
use super::picture::DrawError;
use super::price::price_figure;
use super::tables::{confusion_tables, decisions_table, parts_table, symbols_table};
use super::verdict::verdict_of;
use crate::console::describe_ending;

/// Beside other figures of the test part.
const SHORT_TEST_NOTE: &str = "Test part: to judge the one version that was chosen, not to choose \
                               by.";

/// Most symbols whose prices are drawn.
const SYMBOLS_MAX: usize = 4;

/// Beside every figure of the test part.
const TEST_NOTE: &str = "Choose a version by its validation figures. Whoever looks at the test \
                         figures of several versions and takes the best has chosen by them, and \
                         they are too good then.";

/// The whole file.
///
/// # Errors
/// A picture cannot be drawn.
pub(super) fn report(data: &ReportData) -> Result<String, DrawError> {
    let mut sections = vec![head(data)];
    if let Some(document) = &data.stored.document {
        sections.extend(worth(document)?);
    }
    sections.extend(decisions(data)?);
    sections.extend(training(data)?);
    sections.extend(sets(data)?);
    sections.extend(rules(data));
    sections.push(section("settings", "Settings", settings(&data.stored)));
    let lineage = vec![lineage(&data.stored)];
    sections.push(section("lineage", "Where it comes from", lineage));

    let title = format!("{} – report", data.stored.title());
    Ok(page(&title, sections))
}

/// Name, verdict, warnings, data.
fn head(data: &ReportData) -> Markup {
    let stored = &data.stored;
    let mut inside = vec![Markup::line("h1", &stored.title())];
    inside.extend(judgement(stored.document.as_ref()));

    let strategy = data.model.as_ref().ok();
    let strategy = strategy.map(|model| model.resolved.name.as_str());
    inside.push(head_facts(stored, strategy));
    if let Some(data_set) = &stored.data_set {
        inside.push(data_table(data_set).html());
        let dropped = describe_dropped(data_set);
        inside.extend(dropped.map(|text| note(&text)));
    }
    if let Some(sealed) = &stored.sealed {
        inside.push(note(&sealed.sentence()));
    }
    Markup::element("header", inside)
}

/// Whether the model is better than its baseline and has an edge, and what was warned of.
fn judgement(document: Option<&MetricsDocument>) -> Vec<Markup> {
    let mut inside = Vec::new();
    match document.and_then(verdict_of) {
        None => inside.push(missing("This model has no metrics that can be read.")),
        Some(verdict) => {
            let lead = Markup::line("strong", verdict.judgement.words());
            let text = Markup::text(&verdict.sentence);
            let class = [("class", verdict.judgement.class())];
            inside.push(Markup::with("p", &class, vec![lead, text]));
        }
    }

    if let Some(sentence) = document.and_then(edge_sentence) {
        inside.push(note(&format!("Edge: {sentence}.")));
    }
    let warnings = document.map(|document| document.warnings.as_slice());
    let warnings: Vec<Markup> = warnings
        .unwrap_or_default()
        .iter()
        .map(|warning| Markup::line("li", &format!("Warning: {warning}")))
        .collect();
    if !warnings.is_empty() {
        inside.push(Markup::with("ul", &[("class", "warnings")], warnings));
    }
    inside
}

/// What the model is worth, part by part.
fn worth(document: &MetricsDocument) -> Result<Vec<Markup>, DrawError> {
    let mut figures = vec![note(TEST_NOTE), parts_table(document).html()];
    let words = definitions(&describe_evaluation(document));
    figures.push(details("The same in words", words));
    let mut sections = vec![section("figures", "Figures of each part", figures)];

    let mut answers = confusion_tables(document);
    answers.extend(calibration_figure(document)?.map(|figure| figure.html("small")));
    if !answers.is_empty() {
        let inside = vec![note(SHORT_TEST_NOTE), side_by_side(answers)];
        sections.push(section("answers", "Right and wrong answers", inside));
    }

    let groups = &document.evaluation.groups;
    let mut places = Vec::new();
    places.extend(symbols_table(groups).map(Table::html));
    let months = months_figure(groups)?.map(|figure| figure.html("small"));
    places.extend(months.map(|figure| side_by_side(vec![figure])));
    if !places.is_empty() {
        places.insert(0, note(SHORT_TEST_NOTE));
        sections.push(section("groups", "Where it holds", places));
    }
    Ok(sections)
}

/// What the strategy decides, and when.
fn decisions(data: &ReportData) -> Result<Option<Markup>, DrawError> {
    let document = data.stored.document.as_ref();
    let report = document.and_then(|document| document.evaluation.decisions.as_ref());
    let mut inside = Vec::new();
    inside.extend(report.map(|report| decisions_table(report).html()));

    match &data.decisions {
        Err(reason) => inside.push(missing(&format!("Decisions cannot be drawn: {reason}."))),
        Ok(symbols) => {
            inside.push(note(SHORT_TEST_NOTE));
            for symbol in symbols.iter().take(SYMBOLS_MAX) {
                inside.push(price_figure(symbol)?);
            }
            if symbols.len() > SYMBOLS_MAX {
                inside.push(note(&format!(
                    "The first {SYMBOLS_MAX} of {} symbols are drawn.",
                    symbols.len()
                )));
            }
        }
    }
    Ok(Some(section("decisions", "Decisions on the price", inside)))
}

/// How the training went, and what the network looks at since.
fn training(data: &ReportData) -> Result<Option<Markup>, DrawError> {
    let document = data.stored.document.as_ref();
    let best = document.map(|document| document.best_epoch);
    let ending = document.and_then(|document| document.ending.as_ref());
    let ending = ending.map(describe_ending).unwrap_or_default();
    let importance = document.and_then(|document| document.evaluation.importance.as_ref());

    let mut figures = Vec::new();
    figures.extend(losses_figure(&data.stored.losses, best, &ending)?);
    if let Some(importance) = importance.filter(|importance| !importance.features.is_empty()) {
        figures.push(importance_figure(importance)?);
    }
    if figures.is_empty() {
        return Ok(None);
    }
    let figures = figures.into_iter().map(|figure| figure.html("small"));
    let inside = vec![side_by_side(figures.collect())];
    Ok(Some(section(
        "training",
        "Training, and what it looks at",
        inside,
    )))
}

fn sets(data: &ReportData) -> Result<Option<Markup>, DrawError> {
    let Ok(model) = &data.model else {
        return Ok(None);
    };
    let sets = sets_of(model);
    if sets.is_empty() {
        return Ok(None);
    }

    let mut figures = Vec::new();
    for set in sets.iter().take(SETS_MAX) {
        figures.push(set.figure()?);
    }
    let mut inside = vec![side_by_side(figures)];
    if sets.len() > SETS_MAX {
        let count = sets.len();
        inside.push(note(&format!(
            "The first {SETS_MAX} of {count} sets are drawn."
        )));
    }
    Ok(Some(section("sets", "Fuzzy sets", inside)))
}

fn rules(data: &ReportData) -> Option<Markup> {
    let report = data.rules.as_ref()?;
    let list = rules_list(&data.stored.artifact.network, report)?;
    Some(section("rules", "What it has learnt, in words", vec![list]))
}

fn side_by_side(figures: Vec<Markup>) -> Markup {
    Markup::with("div", &[("class", "pair")], figures)
}

fn note(text: &str) -> Markup {
    Markup::with("p", &[("class", "note")], vec![Markup::text(text)])
}

/// Why something is not here.
fn missing(text: &str) -> Markup {
    Markup::with("p", &[("class", "missing")], vec![Markup::text(text)])
}
