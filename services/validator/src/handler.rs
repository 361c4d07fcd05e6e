//! The validator as a step handler: which series it checks.

use jiff::Timestamp;
use market::Utc;
use runtime::{StepContext, StepError, StepHandler};
use schemas::commands::{FetchBars, ValidateBars, ValidateOutcome};

use crate::validate::{Request, validate};

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

        // In a load or a training: those of the fetch step before.
        if series.is_empty() {
            let fetched = step.outcome_of::<FetchBars>().await?.series;
            series = fetched.into_iter().map(|fetched| fetched.series).collect();
        }

        let request = Request { series, start, end };
        let now = Utc::from_timestamp(Timestamp::now());
        Ok(validate(step.store(), &request, now, step).await?)
    }
}
