//! Several trainings as one step of a trainer: one strategy text and one data set, with other seeds
//! and other keys of the section `training`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::commands::TrainRequest;
use crate::errors::ErrorRecord;

/// Most trainings of one bundle.
pub const BUNDLE_TRAININGS_MAX: usize = 64;

/// The trainings of one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// At least one, at most [`BUNDLE_TRAININGS_MAX`], with different numbers.
    pub members: Vec<BundleMember>,
    /// Whether the first training that fails ends all others.
    #[serde(default)]
    pub fail_fast: bool,
}

/// One training of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleMember {
    /// Its number in the sweep, from 1.
    pub training: u32,
    /// Seed of its random choices, in place of the request's.
    pub seed: u64,
    /// Its values of the swept keys, as in `learning_rate=1e-3`; empty where none is swept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub combination: String,
    /// Keys of the strategy's section `training`, in place of those that the request changes.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub set: Map<String, Value>,
}

impl BundleMember {
    /// The request that would train this member alone.
    pub fn request_alone(&self, shared: &TrainRequest) -> TrainRequest {
        let mut overrides = match &shared.overrides {
            Value::Object(changes) => changes.clone(),
            _ => Map::new(),
        };
        overrides.insert("seed".to_owned(), json!(self.seed));
        overrides.insert("training".to_owned(), json!(self.set));

        TrainRequest {
            overrides: Value::Object(overrides),
            ..shared.clone()
        }
    }
}

/// What one training of a bundle came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BundleResult {
    /// Its number in the sweep, from 1.
    pub training: u32,
    /// Name of its artifact; absent where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// Epochs trained, over all attempts.
    #[serde(default)]
    pub epochs: u32,
    /// Finished epochs that the last attempt found in a checkpoint.
    #[serde(default)]
    pub resumed_at: u32,
    /// Seconds that a thread of the last attempt trained and measured it.
    #[serde(default)]
    pub seconds: f64,
    /// Why it has no artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorRecord>,
}

/// The version that a training of a bundle became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleVersion {
    /// Its number in the sweep, from 1.
    pub training: u32,
    /// 1 for the first version of the model.
    pub version: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_alone_is_the_request_with_its_seed_and_keys() {
        let shared = TrainRequest {
            strategy: "name: x".to_owned(),
            overrides: json!({"epochs": 5, "seed": 1, "training": {"batch_size": 8}}),
            model: None,
        };
        let set = json!({"learning_rate": 0.1});
        let member = BundleMember {
            training: 3,
            seed: 7,
            combination: "learning_rate=0.1".to_owned(),
            set: set.as_object().unwrap().clone(),
        };

        let alone = member.request_alone(&shared);

        let expected = json!({"epochs": 5, "seed": 7, "training": {"learning_rate": 0.1}});
        assert_eq!(alone.overrides, expected);
        assert_eq!(alone.strategy, shared.strategy);
    }
}
