//! The strategy file, grammar version 3: what every key means, which values it takes, and which
//! keys are refused.
//!
//! Every key is either honoured or refused; nothing is ignored. All stages (syntax, types,
//! references, indicator parameters, membership functions, feature names) run in one pass and
//! report every finding they have.

mod cross;
mod data;
mod indicator;
mod inputs;
mod labels;
mod model;
mod set;
mod train;

use crate::fields::{Fields, Retired, Sink};
use crate::finding::Findings;
use crate::strategy::{Decisions, NAME_LENGTH_MAX, Strategy, is_name, signals_of};
use crate::yaml;

const RETIRED: &[Retired] = &[
    (
        "scope",
        "key.no_effect",
        "this key had no effect in earlier versions either: remove it",
    ),
    (
        "deployment",
        "key.no_effect",
        "nothing reads this section: remove it",
    ),
    (
        "context_data",
        "feature.unsupported",
        "context series are not supported yet",
    ),
    (
        "feature_id",
        "grammar.version",
        "this is a key of grammar version 1 or 2: write version 3",
    ),
];

impl Strategy {
    /// Reads a strategy file.
    ///
    /// # Errors
    /// Every finding of every stage, warnings included, if one of them is an error.
    pub fn parse(text: &str) -> Result<Self, Findings> {
        let mut findings = Vec::new();
        let root = yaml::parse(text, &mut findings);
        let sink = Sink::default();
        let strategy = root
            .as_ref()
            .map(|root| Fields::of(root, "", &sink))
            .filter(Fields::is_mapping)
            .and_then(read);
        findings.extend(sink.into_inner());
        let findings = Findings::new(findings);
        match strategy {
            Some(strategy) if !findings.has_errors() => Ok(Self {
                warnings: findings,
                ..strategy
            }),
            _ => Err(findings),
        }
    }
}

/// Reads all sections; `None` when one of them cannot be used, in which case there is a finding.
fn read(fields: Fields<'_>) -> Option<Strategy> {
    let name = fields.required("name").and_then(|_| fields.text("name"));
    if let Some(name) = name.filter(|name| !is_name(name)) {
        let message = format!(
            "`{name}` is no name: 1 to {NAME_LENGTH_MAX} of a-z, 0-9, _ and -, a letter or digit first"
        );
        fields.finding("name", "name.form", message);
    }
    let version = fields.text("version").unwrap_or("3.0").to_owned();
    let description = fields.text("description").map(str::to_owned);
    let data = fields
        .required_section("training_data")
        .map(data::read)
        .unwrap_or_default();
    let sections = inputs::read(&fields, &data.timeframes);
    let model = fields.required_section("model").and_then(model::read);
    let decisions = fields
        .required_section("decisions")
        .map(model::read_decisions)
        .unwrap_or_default();
    let training = fields
        .required_section("training")
        .and_then(|section| train::read(section, decisions.regression));
    fields.finish(RETIRED);
    let (indicators, fuzzy_sets, inputs) = sections?;
    let training = training?;
    let decisions = match decisions.decisions? {
        Decisions::Classification {
            confidence_threshold,
            ..
        } => Decisions::Classification {
            confidence_threshold,
            signals: signals_of(&training.labels),
        },
        regression @ Decisions::Regression { .. } => regression,
    };
    Some(Strategy {
        name: name?.to_owned(),
        version,
        description,
        data: data.finished?,
        indicators,
        fuzzy_sets,
        inputs,
        model: model?,
        decisions,
        training,
        warnings: Findings::default(),
    })
}
