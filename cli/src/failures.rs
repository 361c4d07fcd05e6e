//! Exit codes and codes for programs of what the store, files and strategies refuse.

use networks::NetworkError;
use store::StoreError;
use store::files::FileError;
use strategies::{FeatureError, Findings};

use crate::exit::{Exit, Failure};

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let (exit, code) = match &error {
            StoreError::Missing { .. } => (Exit::NotFound, "STORE-Missing"),
            StoreError::Url { .. } | StoreError::NotBuiltIn { .. } => (Exit::Usage, "STORE-Url"),
            StoreError::Open { .. } => (Exit::Unreachable, "STORE-Unreachable"),
            StoreError::Name { .. } => (Exit::Usage, "STORE-Name"),
            _ => (Exit::Failed, "STORE-Failed"),
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
        Self::of(exit, "DATA-File", &error).with_hint(error.hint())
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
        Self::of(Exit::Failed, "MODEL-Prediction", &error)
    }
}
