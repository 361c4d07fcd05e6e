//! The typed form of a command: what each service must say about the work that it accepts.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ids::Service;

/// The typed form of a step's command.
pub trait Command: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The service that handles it.
    const SERVICE: Service;
    /// The word in the plan that names it.
    const VERB: &'static str;
    /// What a completed step records: keys and counts, small; details are objects.
    type Outcome: Serialize + DeserializeOwned + Send;
}
