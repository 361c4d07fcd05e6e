//! How a command fails: what is shown, why, what to do next, and the exit code.

use std::error::Error;

use bus::{BackupError, BusError, ChangeError, ResumeError, SubmitError};
use networks::NetworkError;
use runtime::settings::SettingsError;
use schemas::codes::{self, Advice, Code};
use schemas::errors::{ErrorRecord, messages};
use schemas::ids::OperationId;
use serde_json::{Value, json};
use store::StoreError;
use store::files::FileError;
use strategies::{FeatureError, Findings};

use super::Exit;

/// Why a command failed, and how the program ends because of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    /// Exit code of the program.
    pub(crate) exit: Exit,
    /// Stable code for programs, as in error records.
    pub(crate) code: String,
    /// What failed, as one phrase.
    pub(crate) message: String,
    /// Why it failed, outermost cause first.
    pub(crate) causes: Vec<String>,
    /// The next action of the person who reads it.
    pub(crate) hint: String,
    /// The operation that failed or cannot be found.
    pub(crate) op: Option<Box<OperationId>>,
}

impl Failure {
    /// A failure without causes and, until [`Self::with_hint`], without advice.
    pub(crate) fn new(exit: Exit, code: Code, message: impl Into<String>) -> Self {
        Self {
            exit,
            code: code.into(),
            message: message.into(),
            causes: Vec::new(),
            hint: String::new(),
            op: None,
        }
    }

    /// The failure of an error, with its sources as causes.
    pub(crate) fn of(exit: Exit, code: Code, error: &dyn Error) -> Self {
        let causes = messages(error).into_iter().skip(1).collect();
        Self {
            causes,
            ..Self::new(exit, code, error.to_string())
        }
    }

    /// The failure of an error that knows its code and its advice.
    pub(crate) fn advised(exit: Exit, error: &impl Advice) -> Self {
        Self::of(exit, error.code(), error).with_hint(error.hint())
    }

    /// Adds the next action.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: hint.into(),
            ..self
        }
    }

    /// Adds one cause.
    pub(crate) fn with_cause(mut self, cause: &dyn Error) -> Self {
        self.causes.push(cause.to_string());
        self
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
        let message = format!("Operation not found: {op}");
        Self::new(Exit::NotFound, codes::OPS_NOT_FOUND, message)
            .with_hint("`ktrdr ops list` shows the operations that exist")
            .about(op)
    }

    /// The operation failed in a step; `place` names it, as in `step trainer (4/5)`.
    pub(crate) fn of_operation(op: &OperationId, place: &str, error: &ErrorRecord) -> Self {
        let hint = match error.hint.as_str() {
            "" => format!("`ktrdr resume {op}` tries again from where it stopped"),
            hint => hint.to_owned(),
        };
        Self {
            exit: Exit::Failed,
            code: error.code.clone(),
            message: format!("operation {op} failed in {place}"),
            causes: vec![error.message.clone()],
            hint,
            op: Some(Box::new(op.clone())),
        }
    }

    /// The text for people: `error:`, one `cause:` each, `hint:`.
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

    /// The value for programs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "type": "error",
            "code": self.code,
            "message": self.message,
            "causes": self.causes,
            "hint": self.hint,
            "op": self.op.as_ref().map(|op| op.as_str()),
            "exit": self.exit.code(),
        })
    }
}

impl From<BusError> for Failure {
    fn from(error: BusError) -> Self {
        let exit = match &error {
            BusError::Connect { .. }
            | BusError::Unauthorised { .. }
            | BusError::ServerTooOld { .. }
            | BusError::NoJetStream { .. }
            | BusError::Timeout { .. } => Exit::Unreachable,
            BusError::Credentials { .. } | BusError::OtherProfile { .. } => Exit::Usage,
            BusError::Drift(_)
            | BusError::Request { .. }
            | BusError::Codec(_)
            | BusError::UnreadableRecord { .. } => Exit::Failed,
        };

        Self::advised(exit, &error)
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::advised(Exit::Usage, &error)
    }
}

impl From<SubmitError> for Failure {
    fn from(error: SubmitError) -> Self {
        let (SubmitError::Invalid { op, .. }
        | SubmitError::Full { op, .. }
        | SubmitError::Bus { op, .. }) = &error;
        let exit = match &error {
            SubmitError::Invalid { .. } => Exit::Usage,
            SubmitError::Full { .. } => Exit::Refused,
            SubmitError::Bus { .. } => Exit::Failed,
        };
        Self::advised(exit, &error).about(op)
    }
}

impl From<ResumeError> for Failure {
    fn from(error: ResumeError) -> Self {
        match &error {
            ResumeError::Change(ChangeError::NotFound(op)) => Self::no_operation(op),
            ResumeError::Change(ChangeError::Refused { refusal, record }) => {
                let message = format!("Operation {} cannot be resumed", record.op);

                Self::new(Exit::Refused, error.code(), message)
                    .with_cause(refusal)
                    .with_hint(error.hint())
                    .about(&record.op)
            }
            ResumeError::Change(ChangeError::GaveUp { op, .. }) => {
                Self::advised(Exit::Failed, &error).about(op)
            }
            ResumeError::Bus(_) => Self::advised(Exit::Failed, &error),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match error.code() {
            codes::STORE_MISSING => Exit::NotFound,
            codes::STORE_URL | codes::STORE_NAME => Exit::Usage,
            codes::STORE_UNREACHABLE => Exit::Unreachable,
            _ => Exit::Failed,
        };
        Self::advised(exit, &error)
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Bus(error) => error.into(),
            error => Self::advised(Exit::Failed, &error),
        }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let exit = if matches!(error, FileError::Open { .. }) {
            Exit::NotFound
        } else {
            Exit::Usage
        };
        Self::advised(exit, &error)
    }
}

impl From<Findings> for Failure {
    fn from(findings: Findings) -> Self {
        Self::new(Exit::Usage, codes::STRATEGY_INVALID, findings.to_string())
            .with_hint(findings.hint())
    }
}

impl From<FeatureError> for Failure {
    fn from(error: FeatureError) -> Self {
        Self::of(Exit::Failed, codes::MODEL_FEATURES, &error).with_hint(error.hint())
    }
}

impl From<NetworkError> for Failure {
    fn from(error: NetworkError) -> Self {
        Self::advised(Exit::Failed, &error)
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
                &ErrorRecord::new(codes::DUMMY_ASKED, "told to fail at 3", ""),
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
