//! The code of a service: one handler for what it carries out.

use std::future::Future;

use schemas::command::Work;

use crate::step_context::StepContext;
use crate::step_error::StepError;

/// Carries out one kind of command, or those of a service that has several. Effects are objects
/// named by their content, so that carrying it out twice does no harm.
pub trait StepHandler: Send + Sync + 'static {
    /// The command: names its service, its verb and its outcome.
    type Command: Work;

    /// Does the work. Returns when it is done, failed, or the stop token was obeyed.
    fn handle(
        &self,
        command: Self::Command,
        step: &StepContext,
    ) -> impl Future<Output = Result<<Self::Command as Work>::Outcome, StepError>> + Send;
}
