//! The part of a [`StepContext`] that the work itself needs, so that it runs in a test without any
//! server.

use std::future::{Future, pending, ready};

use schemas::errors::ErrorRecord;
use schemas::progress::Progress;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::step_context::StepContext;
use crate::step_error::StepError;
use crate::time_left::Schedule;

/// What work tells whoever runs it, and asks of it. Services run it with a [`StepContext`], tests
/// with whatever they like to see.
pub trait StepReporter: Sync {
    /// Shows progress; the newest value replaces the one before.
    fn report(&self, progress: Progress);

    /// Says how long what is left takes by a limit that the work is held to.
    fn schedule(&self, _schedule: Schedule) {}

    /// Fails once the work must be left: call it at every check point.
    ///
    /// # Errors
    /// The reason to leave.
    fn check_stop(&self) -> Result<(), StepError>;

    /// Waits until the work must be left; never ends unless the runner can stop it.
    fn until_stop(&self) -> impl Future<Output = ()> + Send {
        pending()
    }

    /// Says that something is wrong which does not stop the work; nothing unless the runner tells
    /// people.
    fn warn(&self, _warning: &ErrorRecord) -> impl Future<Output = ()> + Send {
        ready(())
    }

    /// Says that something is in the store that others may use at once; nothing unless the runner
    /// tells others.
    ///
    /// # Errors
    /// As [`StepContext::announce_stored`].
    fn announce_stored<T: Serialize + Sync>(
        &self,
        _stored: &T,
    ) -> impl Future<Output = Result<(), StepError>> + Send {
        ready(Ok(()))
    }

    /// The last checkpoint of an earlier attempt. `None` unless the runner keeps checkpoints.
    fn resume_point<T: DeserializeOwned>(&self) -> Option<T> {
        None
    }

    /// Keeps a checkpoint for the next attempt; does nothing unless the runner keeps checkpoints.
    ///
    /// # Errors
    /// As [`StepContext::checkpoint`].
    fn checkpoint<T: Serialize + Sync>(
        &self,
        _checkpoint: &T,
    ) -> impl Future<Output = Result<(), StepError>> + Send {
        ready(Ok(()))
    }
}

impl StepReporter for StepContext {
    fn report(&self, progress: Progress) {
        Self::report(self, progress);
    }

    fn schedule(&self, schedule: Schedule) {
        self.progress.put_schedule(schedule);
    }

    fn check_stop(&self) -> Result<(), StepError> {
        Self::check_stop(self)
    }

    async fn until_stop(&self) {
        self.stop().requested().await;
    }

    async fn warn(&self, warning: &ErrorRecord) {
        Self::warn(self, warning).await;
    }

    async fn announce_stored<T: Serialize + Sync>(&self, stored: &T) -> Result<(), StepError> {
        Self::announce_stored(self, stored).await
    }

    fn resume_point<T: DeserializeOwned>(&self) -> Option<T> {
        Self::resume_point(self)
    }

    async fn checkpoint<T: Serialize + Sync>(&self, checkpoint: &T) -> Result<(), StepError> {
        Self::checkpoint(self, checkpoint).await
    }
}
