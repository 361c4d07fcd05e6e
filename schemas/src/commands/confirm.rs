//! The confirmation of a version on the sealed rows of its data set, and what the registry does
//! beside it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RegisterModel, RegisterOutcome};
use crate::command::{Command, Work};
use crate::ids::Service;

/// Measures a version on the sealed rows of its data set, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmModel {
    /// Name of the model.
    pub name: String,
    /// Its version, from 1 on.
    pub version: u32,
    /// True to go on where another candidate was measured on this period.
    #[serde(default)]
    pub again: bool,
}

impl Command for ConfirmModel {
    const SERVICE: Service = Service::Registry;
    const VERB: &'static str = "confirm";
    type Outcome = ConfirmOutcome;
}

/// Where the confirmation is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmOutcome {
    /// Number of its record.
    pub confirmation: u32,
    /// True when it was there before.
    pub reused: bool,
}

/// What the registry carries out.
#[derive(Clone, Debug, PartialEq)]
pub enum RegistryWork {
    /// An artifact becomes a version.
    Register(RegisterModel),
    /// A version is measured on sealed rows.
    Confirm(ConfirmModel),
}

/// What the registry records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RegistryOutcome {
    /// Of a registration.
    Register(RegisterOutcome),
    /// Of a confirmation.
    Confirm(ConfirmOutcome),
}

impl Work for RegistryWork {
    const SERVICE: Service = Service::Registry;
    const VERBS: &'static [&'static str] = &[RegisterModel::VERB, ConfirmModel::VERB];
    type Outcome = RegistryOutcome;

    fn read(verb: &str, command: Value) -> Result<Self, serde_json::Error> {
        if verb == ConfirmModel::VERB {
            serde_json::from_value(command).map(Self::Confirm)
        } else {
            serde_json::from_value(command).map(Self::Register)
        }
    }
}
