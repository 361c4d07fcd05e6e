//! The validator as a step handler: which series it checks.

use jiff::Timestamp;
use market::Utc;
use quality::Rules;
use runtime::{StepContext, StepError, StepHandler};
use schemas::commands::{FetchBars, ValidateBars, ValidateOutcome};
use serde::{Deserialize, Serialize};

use crate::validate::{Request, validate};

/// The configuration's section `[validator]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ValidatorSettings {
    /// Thresholds of the checks, section `[validator.rules]`; absent ones have their defaults.
    pub rules: Rules,
}

/// Checks stored series.
#[derive(Clone, Debug, Default)]
pub struct Validator {
    rules: Rules,
}

impl Validator {
    /// With these thresholds.
    pub const fn new(rules: Rules) -> Self {
        Self { rules }
    }
}

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

        let request = Request {
            series,
            start,
            end,
            rules: self.rules.clone(),
        };
        let now = Utc::from_timestamp(Timestamp::now());
        Ok(validate(step.store(), &request, now, step).await?)
    }
}
