//! What people ask for, as operations: the only place where the stages of a training, a data load
//! or a dummy run are written down.

mod dummy;
mod family;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::command::Command;
use crate::commands::{
    Bundle, ConfirmModel, FetchBars, FollowBars, ProcessBars, RegisterModel, TrainModel,
    TrainRequest, ValidateBars,
};
use crate::ids::Lane;
use crate::operation::NewOperation;
use crate::plan::{Plan, StepSpec};

pub use family::{Family, InvalidFamily};

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
    /// Several trainings of one step; without it the one of the request.
    pub bundle: Option<Bundle>,
    /// Queue of the train step: `gpu` only when the user requires one.
    pub lane: Lane,
    /// For lists and filters: strategy, symbol, timeframe, …
    pub labels: BTreeMap<String, String>,
}

impl Training {
    /// The operation, kind `train`.
    pub fn operation(&self) -> NewOperation {
        // Only training gains from a GPU; everything else stays on the default lane.
        let command = TrainModel {
            dataset: None,
            bundle: self.bundle.clone(),
        };
        let train = StepSpec {
            lane: self.lane,
            ..step(&command, TRAIN_WEIGHT)
        };

        NewOperation {
            kind: "train".to_owned(),
            labels: self.labels.clone(),
            params: json(&self.request),
            plan: Plan::sequence(vec![
                step(&self.fetch, FETCH_WEIGHT),
                validate(&self.fetch),
                step(&ProcessBars::default(), PROCESS_WEIGHT),
                train,
                step(&RegisterModel::default(), REGISTER_WEIGHT),
            ]),
            ..NewOperation::default()
        }
    }
}

/// A training on a data set that is there: train → register, or train alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Retraining {
    /// Strategy, overrides, name of the model.
    pub request: TrainRequest,
    /// `inputs_sha256` of the data set.
    pub dataset: String,
    /// Queue of the train step: `gpu` only when the user requires one.
    pub lane: Lane,
    /// Whether the artifact becomes a version of the model.
    pub is_registered: bool,
    /// For lists and filters: strategy, model, …
    pub labels: BTreeMap<String, String>,
}

impl Retraining {
    /// The operation, kind `train`.
    pub fn operation(&self) -> NewOperation {
        let command = TrainModel {
            dataset: Some(self.dataset.clone()),
            bundle: None,
        };
        let mut steps = vec![StepSpec {
            lane: self.lane,
            ..step(&command, TRAIN_WEIGHT)
        }];
        if self.is_registered {
            steps.push(step(&RegisterModel::default(), REGISTER_WEIGHT));
        }

        NewOperation {
            kind: "train".to_owned(),
            labels: self.labels.clone(),
            params: json(&self.request),
            plan: Plan::sequence(steps),
            ..NewOperation::default()
        }
    }
}

/// A version measured on the sealed rows of its data set: one step of the registry.
#[derive(Clone, Debug, PartialEq)]
pub struct Confirming {
    /// Names the version.
    pub command: ConfirmModel,
}

impl Confirming {
    /// The operation, kind `confirm`.
    pub fn operation(&self) -> NewOperation {
        let version = self.command.version.to_string();
        let labels = [("model", &self.command.name), ("version", &version)];

        NewOperation {
            kind: "confirm".to_owned(),
            labels: labels
                .map(|(key, value)| (key.to_owned(), value.clone()))
                .into(),
            plan: Plan::sequence(vec![step(&self.command, REGISTER_WEIGHT)]),
            ..NewOperation::default()
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
        NewOperation {
            kind: "data".to_owned(),
            labels: self.labels.clone(),
            plan: Plan::sequence(vec![step(&self.fetch, FETCH_WEIGHT), validate(&self.fetch)]),
            ..NewOperation::default()
        }
    }
}

/// Bars into the store as they close: one step, in the lane of those that wait for days.
#[derive(Clone, Debug, PartialEq)]
pub struct DataFollow {
    /// What is followed, and until when.
    pub follow: FollowBars,
    /// For lists and filters: symbol, timeframe.
    pub labels: BTreeMap<String, String>,
}

impl DataFollow {
    /// The operation, kind `data`.
    pub fn operation(&self) -> NewOperation {
        let follow = StepSpec {
            lane: Lane::Live,
            ..step(&self.follow, FETCH_WEIGHT)
        };

        NewOperation {
            kind: "data".to_owned(),
            labels: self.labels.clone(),
            plan: Plan::sequence(vec![follow]),
            ..NewOperation::default()
        }
    }
}

/// The step that checks what `fetch` brings, in its range.
fn validate(fetch: &FetchBars) -> StepSpec {
    let command = ValidateBars {
        series: Vec::new(),
        start: fetch.start,
        end: fetch.end,
    };
    step(&command, VALIDATE_WEIGHT)
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

/// Every command type has a JSON form; if one had none, the service would refuse the null and name
/// it.
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
            calendar: None,
            accept_finer: false,
            accept_stored: false,
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
            bundle: None,
            lane: Lane::Gpu,
            labels: BTreeMap::new(),
        }
        .operation()
    }

    #[test]
    fn a_training_goes_through_five_services_one_after_the_other() {
        let operation = training();
        assert_eq!(operation.plan.stages.len(), 5);

        let steps = operation.plan.steps();
        let steps: Vec<String> = steps
            .map(|step| format!("{} {} {}", step.service, step.verb, step.lane))
            .collect();
        assert_eq!(
            steps,
            [
                "fetcher fetch default",
                "validator validate default",
                "processor process default",
                "trainer train gpu",
                "registry register default"
            ]
        );
    }

    #[test]
    fn low_priority_moves_all_but_the_gpu_step() {
        let operation = training().in_background();

        let lanes: Vec<Lane> = operation.plan.steps().map(|step| step.lane).collect();
        let expected = [
            Lane::Background,
            Lane::Background,
            Lane::Background,
            Lane::Gpu,
            Lane::Background,
        ];
        assert_eq!(lanes, expected);
    }

    #[test]
    fn the_train_step_covers_sixty_of_a_hundred_percent() {
        // 15 + 5 + 15 = 35 before it.
        let train = StepNumber::new(4).unwrap();
        assert_eq!(training().plan.percent_range(train), (35.0, 95.0));
    }

    /// The command of a step of a training, counted from 0.
    fn command<C: Command>(index: usize) -> C {
        let operation = training();
        let step = operation.plan.steps().nth(index).unwrap();
        serde_json::from_value(step.command.clone()).unwrap()
    }

    #[test]
    fn each_command_reads_back_from_its_step() {
        assert_eq!(command::<FetchBars>(0), fetch());
        assert_eq!(command::<ValidateBars>(1).end, fetch().end);
        assert_eq!(command::<ProcessBars>(2), ProcessBars::default());
        assert_eq!(command::<TrainModel>(3), TrainModel::default());
        assert_eq!(command::<RegisterModel>(4), RegisterModel::default());
    }

    fn id(kind: &str) -> OperationId {
        let now = "2026-03-01T14:22:33Z".parse().unwrap();
        OperationId::new(kind, now, 7).unwrap()
    }

    #[test]
    fn a_training_may_be_submitted() {
        training().validate(&id("train")).unwrap();
    }

    #[test]
    fn a_data_load_may_be_submitted() {
        let load = DataLoad {
            fetch: fetch(),
            labels: BTreeMap::new(),
        };
        load.operation().validate(&id("data")).unwrap();
    }
}
