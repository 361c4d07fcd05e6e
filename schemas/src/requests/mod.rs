//! What people ask for, as operations: the only place where the stages of a training, a data load
//! or a dummy run are written down.

mod dummy;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::command::Command;
use crate::commands::{
    FetchBars, ProcessBars, RegisterModel, TrainModel, TrainRequest, ValidateBars,
};
use crate::ids::Lane;
use crate::operation::NewOperation;
use crate::plan::{Plan, StepSpec};

/// Shares of a training's percent, as a typical one spends its time.
const FETCH_WEIGHT: f64 = 15.0;
const VALIDATE_WEIGHT: f64 = 5.0;
const PROCESS_WEIGHT: f64 = 15.0;
const TRAIN_WEIGHT: f64 = 60.0;
const REGISTER_WEIGHT: f64 = 5.0;

/// From bars to a registered model: fetch → validate → process → train → register.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// Strategy, overrides, name of the model: what the later steps share.
    pub request: TrainRequest,
    /// The series the strategy needs, and how they are fetched.
    pub fetch: FetchBars,
    /// Queue of the train step: `gpu` only when the user requires one.
    pub lane: Lane,
    /// For lists and filters: strategy, symbol, timeframe, …
    pub labels: BTreeMap<String, String>,
}

impl Training {
    /// The operation, kind `train`.
    pub fn operation(&self) -> NewOperation {
        let validate = ValidateBars {
            series: Vec::new(),
            start: self.fetch.start,
            end: self.fetch.end,
        };
        let train = StepSpec {
            lane: self.lane,
            ..step(&TrainModel::default(), TRAIN_WEIGHT)
        };
        NewOperation {
            kind: "train".to_owned(),
            labels: self.labels.clone(),
            params: json(&self.request),
            plan: Plan::sequence(vec![
                step(&self.fetch, FETCH_WEIGHT),
                step(&validate, VALIDATE_WEIGHT),
                step(&ProcessBars::default(), PROCESS_WEIGHT),
                train,
                step(&RegisterModel::default(), REGISTER_WEIGHT),
            ]),
        }
    }
}

/// Bars from a provider into the store, checked: fetch → validate.
#[derive(Clone, Debug, PartialEq)]
pub struct DataLoad {
    /// What is fetched, and how.
    pub fetch: FetchBars,
    /// For lists and filters: symbol, timeframe, mode.
    pub labels: BTreeMap<String, String>,
}

impl DataLoad {
    /// The operation, kind `data`.
    pub fn operation(&self) -> NewOperation {
        let validate = ValidateBars {
            series: Vec::new(),
            start: self.fetch.start,
            end: self.fetch.end,
        };
        NewOperation {
            kind: "data".to_owned(),
            labels: self.labels.clone(),
            params: Value::Null,
            plan: Plan::sequence(vec![
                step(&self.fetch, FETCH_WEIGHT),
                step(&validate, VALIDATE_WEIGHT),
            ]),
        }
    }
}

/// The step that carries out `command` on the default lane.
fn step<C: Command>(command: &C, weight: f64) -> StepSpec {
    StepSpec {
        service: C::SERVICE,
        verb: C::VERB.to_owned(),
        lane: Lane::Default,
        weight,
        command: json(command),
    }
}

/// Our own command types always have a JSON form; were one not to, the service would refuse the
/// null and name it.
fn json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::{FetchMode, SeriesRequest};
    use crate::ids::{OperationId, StepNumber};

    fn fetch() -> FetchBars {
        FetchBars {
            provider: "file".to_owned(),
            series: vec![SeriesRequest {
                symbol: "EURUSD".to_owned(),
                timeframe: "1h".to_owned(),
            }],
            mode: FetchMode::Local,
            start: None,
            end: Some("2024-01-01T00:00:00Z".parse().unwrap()),
            refetch: false,
        }
    }

    fn training() -> NewOperation {
        let request = TrainRequest {
            strategy: "name: x".to_owned(),
            overrides: Value::Null,
            model: None,
        };
        Training {
            request,
            fetch: fetch(),
            lane: Lane::Gpu,
            labels: BTreeMap::new(),
        }
        .operation()
    }

    #[test]
    fn a_training_goes_through_five_services_one_after_the_other() {
        let operation = training();
        let steps: Vec<String> = operation
            .plan
            .steps()
            .map(|step| format!("{} {}", step.service, step.verb))
            .collect();
        assert_eq!(
            steps,
            [
                "fetcher fetch",
                "validator validate",
                "processor process",
                "trainer train",
                "registry register"
            ]
        );
        assert_eq!(operation.plan.stages.len(), 5);
        let lanes: Vec<Lane> = operation.plan.steps().map(|step| step.lane).collect();
        assert_eq!(
            lanes,
            [
                Lane::Default,
                Lane::Default,
                Lane::Default,
                Lane::Gpu,
                Lane::Default
            ]
        );
    }

    #[test]
    fn the_train_step_covers_sixty_of_a_hundred_percent() {
        // 15 + 5 + 15 = 35 before it.
        assert_eq!(
            training().plan.percent_range(StepNumber::new(4).unwrap()),
            (35.0, 95.0)
        );
    }

    #[test]
    fn each_command_reads_back_from_its_step() {
        let operation = training();
        let command = |index: usize| operation.plan.steps().nth(index).unwrap().command.clone();
        assert_eq!(
            serde_json::from_value::<FetchBars>(command(0)).unwrap(),
            fetch()
        );
        assert_eq!(
            serde_json::from_value::<ValidateBars>(command(1))
                .unwrap()
                .end,
            fetch().end
        );
        serde_json::from_value::<ProcessBars>(command(2)).unwrap();
        serde_json::from_value::<TrainModel>(command(3)).unwrap();
        serde_json::from_value::<RegisterModel>(command(4)).unwrap();
    }

    #[test]
    fn both_operations_may_be_submitted() {
        let id = |kind: &str| {
            OperationId::new(kind, "2026-03-01T14:22:33Z".parse().unwrap(), 7).unwrap()
        };
        training().validate(&id("train")).unwrap();
        DataLoad {
            fetch: fetch(),
            labels: BTreeMap::new(),
        }
        .operation()
        .validate(&id("data"))
        .unwrap();
    }
}
