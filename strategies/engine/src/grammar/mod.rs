//! The strategy file, grammar version 3: what every key means, which values it takes, and which
//! keys are refused.
//!
//! Every key is either honoured or refused; nothing is ignored. All stages (syntax, types,
//! references, indicator parameters, membership functions, feature names) run in one pass and
//! report every finding they have, so that one run shows an author everything.
//!
//! [`read`] reads the whole file and [`sections`] the three sections that refer to each other. They
//! become [`drafts`], which lack whatever could not be read, so that [`cross_checks`] can still
//! compare the rest.

mod costs;
mod cross_checks;
mod dates;
mod decisions;
mod drafts;
mod entries;
mod fuzzy_sets;
mod indicators;
mod inputs;
mod labels;
mod lists;
mod model;
mod read;
mod recurrent;
mod sections;
mod training;
mod training_data;
mod tsk;

use crate::fields::{Fields, Sink};
use crate::finding::Findings;
use crate::strategy::Strategy;
use crate::yaml;

pub(crate) use training::{ChangedSettings, change_settings};

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
            .and_then(read::read_strategy);

        // Findings of the text come from the parser, those of the meaning from the sink.
        findings.extend(sink.into_findings());
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
