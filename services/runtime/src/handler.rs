//! The code of a service: one handler for one command type.

use std::future::Future;

use schemas::command::Command;

use crate::step_context::StepContext;
use crate::step_error::StepError;

/// Carries out one kind of command. Effects are objects named by their content, so that carrying it
/// out twice does no harm.
pub trait StepHandler: Send + Sync + 'static {
    /// The command: names its service, its verb and its outcome.
    type Command: Command;

    /// Does the work. Returns when it is done, failed, or the stop token was obeyed.
    fn handle(
        &self,
        command: Self::Command,
        step: &StepContext,
    ) -> impl Future<Output = Result<<Self::Command as Command>::Outcome, StepError>> + Send;
}
