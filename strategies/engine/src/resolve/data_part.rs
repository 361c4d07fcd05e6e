//! What identifies a data set: everything that decides its rows, as canonical JSON, and the hash of
//! that text.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::{Feature, FeatureKind, Resolved};
use crate::fuzzy::Membership;
use crate::indicators::Value;
use crate::strategy::Split;

/// Version of everything that turns bars into a data set. It is part of a data set's key, so a new
/// number builds all of them again, and models tell by it which features they know. Raise it by one
/// in the change that lets equal inputs give another bit in any row (indicators, memberships,
/// joins, labels, weights, splits), or lets a manifest hold what older ones lack.
///
/// 2: indicators use fused multiply-add; manifests hold the thresholds that were fitted. 3: the
/// ultimate oscillator takes sums from running ones; manifests hold holes and distinguish events
/// from labels. 4: the weighted average and the regression slope add up shares that are divided
/// already; KAMA takes four steps together. 5: exponential averages and those of Wilder take four
/// steps together. 6: rows say which bar of their symbol they are. 7: rows
/// have a forward return that is no label.
pub const ENGINE_VERSION: u32 = 7;

impl Resolved {
    /// Everything that decides the rows of a data set, and nothing of model, optimiser or seed.
    /// `series` names the bars: content hash by series key.
    pub fn data_part(&self, series: &BTreeMap<String, String>) -> Json {
        let features: Vec<Json> = self
            .features
            .iter()
            .map(|feature| self.describe_feature(feature))
            .collect();
        let mut part = json!({
            "engine": ENGINE_VERSION,
            "series": series,
            "symbols": self.symbols,
            "base": self.base,
            "start": self.start,
            "end": self.end,
            "features": features,
            "labels": self.labels,
            "split": describe_split(&self.split),
            "embargo_bars": self.embargo_bars,
        });

        // Absent rather than null: the keys of data sets that have none of them must not change.
        if let Some(events) = self.events {
            insert(&mut part, "events", json!(events));
        }
        if let Some(sealed_from) = self.sealed_from {
            insert(&mut part, "sealed_from", json!(sealed_from));
        }
        if self.weighted {
            insert(&mut part, "weights", json!("uniqueness"));
        }
        part
    }

    fn describe_feature(&self, feature: &Feature) -> Json {
        let indicator = self
            .indicators
            .get(feature.indicator)
            .map(|planned| &planned.indicator);
        let parameters: BTreeMap<&str, Json> = indicator
            .iter()
            .flat_map(|indicator| indicator.parameters())
            .map(|(name, value)| (name, describe_value(value)))
            .collect();
        let kind = match &feature.kind {
            FeatureKind::Membership { function, .. } => describe_membership(function),
            kind => json!({ "scaling": kind.scaling() }),
        };

        let mut description = json!({
            "name": feature.name,
            "timeframe": feature.timeframe,
            "indicator": indicator.map(|indicator| indicator.spec().name),
            "parameters": parameters,
            "output": feature.output,
            "kind": kind,
        });

        // Absent rather than 0, so that the keys of older data sets stay as they are.
        if feature.lag > 0 {
            insert(&mut description, "lag", json!(feature.lag));
        }
        description
    }
}

/// The canonical text of a JSON value: keys sorted at every level, no blanks. Equal values have
/// equal texts.
pub fn canonical_json(value: &Json) -> String {
    match value {
        // The order of keys in memory is that of their insertion.
        Json::Object(map) => {
            let sorted: BTreeMap<&String, &Json> = map.iter().collect();
            let entries: Vec<String> = sorted
                .into_iter()
                .map(|(key, value)| {
                    let key = Json::from(key.as_str());
                    format!("{key}:{}", canonical_json(value))
                })
                .collect();
            format!("{{{}}}", entries.join(","))
        }

        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical_json).collect();
            format!("[{}]", items.join(","))
        }
        scalar => scalar.to_string(),
    }
}

/// SHA-256 of the canonical text, 64 lowercase hex digits: the key of a data set, of its [data
/// part](Resolved::data_part).
pub fn canonical_sha256(value: &Json) -> String {
    Sha256::digest(canonical_json(value).as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The share of the test part follows from the others.
fn describe_split(split: &Split) -> Json {
    match split {
        Split::Fractions {
            train, validation, ..
        } => json!({ "train": train, "validation": validation }),
        Split::Dates {
            validation_start,
            test_start,
        } => json!({ "validation_start": validation_start, "test_start": test_start }),
    }
}

/// Numbers are written as texts, because JSON has no infinities.
fn describe_membership(function: &Membership) -> Json {
    let (kind, numbers) = function.type_and_parameters();
    let numbers: Vec<String> = numbers.iter().map(f64::to_string).collect();
    json!({ "membership": kind, "parameters": numbers })
}

fn describe_value(value: &Value) -> Json {
    match value {
        Value::Integer(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::Boolean(value) => json!(value),
        Value::Text(value) => json!(value),
    }
}

fn insert(object: &mut Json, key: &str, value: Json) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}
