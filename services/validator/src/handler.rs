//! The validator as a step handler: which series, and the bridge to the runtime.

use jiff::Timestamp;
use market::Utc;
use runtime::{StepContext, StepError, StepHandler};
use schemas::commands::{FetchBars, ValidateBars, ValidateOutcome};
use schemas::progress::Progress;

use crate::validate::{Attempt, Request, validate};

/// Checks stored series; it has no state.
pub struct Validator;

impl StepHandler for Validator {
    type Command = ValidateBars;

    async fn handle(
        &self,
        command: ValidateBars,
        step: &StepContext,
    ) -> Result<ValidateOutcome, StepError> {
        let ValidateBars {
            mut series,
            start,
            end,
        } = command;
        if series.is_empty() {
            let fetched = step.outcome_of::<FetchBars>().await?.series;
            series = fetched.into_iter().map(|fetched| fetched.series).collect();
        }
        let now = Utc::from_timestamp(Timestamp::now());
        Ok(validate(step.store(), &Request { series, start, end }, now, step).await?)
    }
}

impl Attempt for StepContext {
    fn report(&self, progress: Progress) {
        Self::report(self, progress);
    }

    fn check_stop(&self) -> Result<(), StepError> {
        Self::check_stop(self)
    }
}
