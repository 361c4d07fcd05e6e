//! The typed form of a command: what each service must say about the work that it accepts.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

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

/// What the worker of a service carries out: one command, or one of several.
pub trait Work: Sized + Send + Sync + 'static {
    /// The service whose worker it is.
    const SERVICE: Service;
    /// The words in the plan that name its commands.
    const VERBS: &'static [&'static str];
    /// What a completed step records.
    type Outcome: Serialize + DeserializeOwned + Send;

    /// The command that `verb`, one of these words, names.
    ///
    /// # Errors
    /// It has another form.
    fn read(verb: &str, command: Value) -> Result<Self, serde_json::Error>;
}

impl<C: Command> Work for C {
    const SERVICE: Service = C::SERVICE;
    const VERBS: &'static [&'static str] = &[C::VERB];
    type Outcome = C::Outcome;

    fn read(_: &str, command: Value) -> Result<Self, serde_json::Error> {
        serde_json::from_value(command)
    }
}
