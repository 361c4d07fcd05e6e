//! How a command fails: what is shown, why, what to do next, and the exit code.

use std::error::Error;

use bus::{BusError, ChangeError, ResumeError, SubmitError};
use networks::NetworkError;
use runtime::settings::SettingsError;
use schemas::codes::{self, Advice};
use schemas::errors::{ErrorRecord, messages};
use schemas::ids::OperationId;
use serde_json::{Value, json};
use store::StoreError;
use store::files::FileError;
use strategies::{FeatureError, Findings};

use super::Exit;

/// Why a command failed: what is shown, and the exit code.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    /// Exit code.
    pub(crate) exit: Exit,
    /// Stable code for programs, as in error records.
    pub(crate) code: String,
    /// What failed.
    pub(crate) message: String,
    /// Why, outermost first.
    pub(crate) causes: Vec<String>,
    /// What to do next; may be empty.
    pub(crate) hint: String,
    /// The operation it is about.
    pub(crate) op: Option<Box<OperationId>>,
}

impl Failure {
    /// A failure without a cause.
    pub(crate) fn new(exit: Exit, code: impl AsRef<str>, message: impl Into<String>) -> Self {
        let (code, message) = (code.as_ref().to_owned(), message.into());
        Self {
            exit,
            code,
            message,
            causes: Vec::new(),
            hint: String::new(),
            op: None,
        }
    }

    /// From an error with its sources as causes.
    pub(crate) fn of(exit: Exit, code: impl AsRef<str>, error: &dyn Error) -> Self {
        let causes = messages(error).into_iter().skip(1).collect();
        Self {
            causes,
            ..Self::new(exit, code, error.to_string())
        }
    }

    /// Adds the next action.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: hint.into(),
            ..self
        }
    }

    /// Names the operation.
    pub(crate) fn about(self, op: &OperationId) -> Self {
        Self {
            op: Some(Box::new(op.clone())),
            ..self
        }
    }

    /// There is no such operation.
    pub(crate) fn no_operation(op: &OperationId) -> Self {
        Self::new(
            Exit::NotFound,
            "OPS-NotFound",
            format!("Operation not found: {op}"),
        )
        .with_hint("`ktrdr ops list` shows the operations that are known")
        .about(op)
    }

    /// The operation failed in a step; `place` names it.
    pub(crate) fn of_operation(op: &OperationId, place: &str, error: &ErrorRecord) -> Self {
        let hint = match error.hint.as_str() {
            "" => format!("`ktrdr resume {op}` tries again from where it stopped"),
            hint => hint.to_owned(),
        };
        let message = format!("operation {op} failed in {place}");
        Self {
            causes: vec![error.message.clone()],
            ..Self::new(Exit::Failed, &error.code, message)
        }
        .with_hint(hint)
        .about(op)
    }

    /// As people read it: `error:`, one `cause:` each, `hint:`.
    pub(crate) fn human(&self) -> String {
        let mut text = format!("error: {}", self.message);
        for cause in &self.causes {
            text.push_str(&format!("\n  cause: {cause}"));
        }
        if !self.hint.is_empty() {
            text.push_str(&format!("\nhint: {}", self.hint));
        }
        text
    }

    /// As programs read it.
    pub(crate) fn json(&self) -> Value {
        let Self {
            exit,
            code,
            message,
            causes,
            hint,
            op,
        } = self;
        let exit = exit.code();
        let op = op.as_ref().map(|op| op.as_str());
        json!({"type": "error", "code": code, "message": message, "causes": causes, "hint": hint, "op": op, "exit": exit})
    }
}

impl From<BusError> for Failure {
    fn from(error: BusError) -> Self {
        let (exit, code) = match &error {
            BusError::Connect { .. } => (Exit::Unreachable, "BUS-Unreachable"),
            BusError::Unauthorised { .. } => (Exit::Unreachable, "BUS-Unauthorised"),
            BusError::Credentials { .. } => (Exit::Usage, "CONFIG-Credentials"),
            BusError::ServerTooOld { .. } => (Exit::Unreachable, "BUS-ServerTooOld"),
            BusError::NoJetStream { .. } => (Exit::Unreachable, "BUS-NoJetStream"),
            BusError::Drift(_) => (Exit::Failed, "BUS-Drift"),
            BusError::Timeout { .. } => (Exit::Unreachable, "BUS-Timeout"),
            _ => (Exit::Failed, "BUS-RequestFailed"),
        };
        Self::of(exit, code, &error).with_hint(error.hint())
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::of(Exit::Usage, error.code(), &error).with_hint(error.hint())
    }
}

impl From<SubmitError> for Failure {
    fn from(error: SubmitError) -> Self {
        let (exit, code, op) = match &error {
            SubmitError::Invalid { op, .. } => (Exit::Usage, "OPS-Invalid", op.clone()),
            SubmitError::Full { op, .. } => (Exit::Refused, "BUS-QueueFull", op.clone()),
            SubmitError::Bus { op, .. } => (Exit::Failed, "BUS-RequestFailed", op.clone()),
        };
        Self::of(exit, code, &error)
            .with_hint(error.hint())
            .about(&op)
    }
}

impl From<ResumeError> for Failure {
    fn from(error: ResumeError) -> Self {
        let status = |op| format!("`ktrdr status {op}` shows the state it is in");
        match &error {
            ResumeError::Change(ChangeError::NotFound(op)) => Self::no_operation(op),
            ResumeError::Change(ChangeError::Refused { refusal, record }) => {
                let message = format!("Operation {} cannot be resumed", record.op);
                Self {
                    causes: vec![refusal.to_string()],
                    ..Self::new(Exit::Refused, "OPS-NotResumable", message)
                }
                .with_hint(status(&record.op))
                .about(&record.op)
            }
            ResumeError::Change(ChangeError::GaveUp { op, .. }) => {
                Self::of(Exit::Failed, "BUS-RequestFailed", &error)
                    .with_hint(status(op))
                    .about(op)
            }
            ResumeError::Bus(cause) => {
                Self::of(Exit::Failed, "BUS-RequestFailed", &error).with_hint(cause.hint())
            }
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = error.code();
        let exit = match code {
            codes::STORE_MISSING => Exit::NotFound,
            codes::STORE_URL | codes::STORE_NAME => Exit::Usage,
            codes::STORE_UNREACHABLE => Exit::Unreachable,
            _ => Exit::Failed,
        };
        Self::of(exit, code, &error).with_hint(error.hint())
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let exit = if matches!(error, FileError::Open { .. }) {
            Exit::NotFound
        } else {
            Exit::Usage
        };
        Self::of(exit, error.code(), &error).with_hint(error.hint())
    }
}

impl From<Findings> for Failure {
    fn from(findings: Findings) -> Self {
        Self::new(Exit::Usage, "STRATEGY-Invalid", findings.to_string()).with_hint(findings.hint())
    }
}

impl From<FeatureError> for Failure {
    fn from(error: FeatureError) -> Self {
        Self::of(Exit::Failed, "MODEL-Features", &error).with_hint(error.hint())
    }
}

impl From<NetworkError> for Failure {
    fn from(error: NetworkError) -> Self {
        Self::of(Exit::Failed, error.code(), &error).with_hint(error.hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op() -> OperationId {
        "op_dummy_20260301_142233_9f3a01bc".parse().unwrap()
    }

    #[test]
    fn messages_that_users_rely_on() {
        let url = || "nats://127.0.0.1:4222".to_owned();
        let failures: Vec<Failure> = vec![
            BusError::Connect {
                url: url(),
                source: "Connection refused (os error 111)".into(),
            }
            .into(),
            BusError::Unauthorised {
                url: url(),
                source: "authorization violation".into(),
            }
            .into(),
            BusError::ServerTooOld {
                url: url(),
                found: "2.10.4".to_owned(),
                needed: "2.14",
            }
            .into(),
            BusError::NoJetStream { url: url() }.into(),
            Failure::no_operation(&op()),
            SubmitError::Full {
                op: op(),
                percent: 83,
                bytes: 83,
                bytes_max: 100,
            }
            .into(),
            ResumeError::Change(ChangeError::NotFound(op())).into(),
            Failure::of_operation(
                &op(),
                "step dummy (1/1)",
                &ErrorRecord::new("DUMMY-Failed", "told to fail at 3", ""),
            ),
        ];
        let text: Vec<String> = failures
            .iter()
            .map(|failure| format!("{}\nexit {}", failure.human(), failure.exit.code()))
            .collect();
        insta::assert_snapshot!(text.join("\n\n"));
    }

    #[test]
    fn a_failure_for_programs_names_code_operation_and_exit() {
        insta::assert_json_snapshot!(Failure::no_operation(&op()).json());
    }
}
