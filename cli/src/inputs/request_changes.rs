//! Changes to the request of an operation, as `--set KEY=VALUE` names them: found by name, checked
//! by type.

use schemas::codes;
use schemas::commands::TrainRequest;
use schemas::commands::form::{Form, form_of};
use schemas::operation::NewOperation;
use schemas::spelling::nearest_name;
use serde_json::{Value, json};
use strategies::{Overrides, Strategy, TrainingKey, training_keys};

use super::training_keys::put_training_key;
use crate::console::{Exit, Failure};

/// Parameters of a training that decide which bars are fetched and checked before it.
const FETCHED: [&str; 6] = [
    "symbols",
    "timeframes",
    "start",
    "end",
    "series",
    "strategy",
];

/// Where a parameter is in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// Below `params`.
    Params(Vec<&'static str>),
    /// A key of the section `training` that the overrides of a training change.
    Training(&'static TrainingKey),
    /// A field of the command of the n-th step.
    Command(usize, &'static str),
}

/// A parameter under its whole name, as in `overrides.epochs` or `fetcher.mode`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parameter {
    name: String,
    place: Place,
}

/// Applies changes in their order. Labels that repeat a parameter follow it.
///
/// # Errors
/// A name that the request does not have, a value of another type, or a training that its strategy
/// refuses.
pub(crate) fn change_request(
    new: &mut NewOperation,
    changes: &[(String, String)],
) -> Result<(), Failure> {
    // On a copy: a request is changed as a whole or not at all.
    let mut changed = new.clone();
    for (key, text) in changes {
        change(&mut changed, key, text)?;
    }
    check_training(&changed)?;
    *new = changed;
    Ok(())
}

fn change(new: &mut NewOperation, key: &str, text: &str) -> Result<(), Failure> {
    let parameters = parameters_of(new);
    let named: Vec<&Parameter> = parameters
        .iter()
        .filter(|parameter| is_named(parameter, key))
        .collect();
    if named.is_empty() {
        return Err(unknown(key, &parameters));
    }

    let last = key.rsplit('.').next().unwrap_or(key);
    if new.kind == "train" && FETCHED.contains(&last) {
        let message = format!("`{key}` also decides which bars are fetched");
        return Err(Failure::new(Exit::Usage, codes::OPS_INVALID, message)
            .with_hint("start a new training with `ktrdr train`"));
    }

    for parameter in named {
        set(new, &parameter.place, key, text)?;
    }
    if let Some(label) = new.labels.get_mut(last) {
        text.clone_into(label);
    }
    Ok(())
}

/// True for the whole name and for its last parts. A key of a section in `training` needs the name
/// of the section: several have a `patience`.
fn is_named(parameter: &Parameter, key: &str) -> bool {
    let is_in_section =
        matches!(parameter.place, Place::Training(named) if !named.section.is_empty());
    if is_in_section && !key.contains('.') {
        return false;
    }

    let rest = parameter.name.strip_suffix(key);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Everything in a request that may be changed.
fn parameters_of(new: &NewOperation) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    if new.kind == "train" {
        for field in Form::of::<TrainRequest>().fields {
            parameters.push(param(vec![field]));
        }
        for field in Form::of::<Overrides>().fields {
            parameters.push(param(vec!["overrides", field]));
        }
        parameters.extend(training_keys().iter().map(|key| Parameter {
            name: format!("overrides.training.{}", key.path()),
            place: Place::Training(key),
        }));
    }

    for (index, spec) in new.plan.steps().enumerate() {
        for field in form_of(spec).map_or(&[][..], |form| form.fields) {
            parameters.push(Parameter {
                name: format!("{}.{field}", spec.service),
                place: Place::Command(index, field),
            });
        }
    }
    parameters
}

fn param(path: Vec<&'static str>) -> Parameter {
    Parameter {
        name: path.join("."),
        place: Place::Params(path),
    }
}

fn unknown(key: &str, parameters: &[Parameter]) -> Failure {
    // People write the last part alone.
    let names = parameters.iter().flat_map(|parameter| {
        let last = parameter.name.rsplit('.').next();
        [Some(parameter.name.as_str()), last].into_iter().flatten()
    });

    let hint = match nearest_name(key, names) {
        Some(name) => format!("did you mean `{name}`?"),
        None => {
            let names: Vec<&str> = parameters.iter().map(|each| each.name.as_str()).collect();
            format!("it has {}", names.join(", "))
        }
    };
    let message = format!("the request has no parameter `{key}`");
    Failure::new(Exit::Usage, codes::OPS_INVALID, message).with_hint(hint)
}

fn set(new: &mut NewOperation, place: &Place, key: &str, text: &str) -> Result<(), Failure> {
    if let Place::Training(named) = place {
        return set_training_key(new, &named.path(), text);
    }
    let mut refusal = String::new();

    // A number may also be meant as a text, as in the name of a model.
    for value in [
        serde_json::from_str(text).unwrap_or(json!(text)),
        json!(text),
    ] {
        let mut changed = new.clone();
        let checked = match place {
            Place::Params(path) => set_param(&mut changed, path, value),
            Place::Training(_) => Ok(()),
            Place::Command(index, field) => set_field(&mut changed, *index, field, value),
        };
        match checked {
            Ok(()) => {
                *new = changed;
                return Ok(());
            }
            Err(reason) if refusal.is_empty() => refusal = reason,
            Err(_) => {}
        }
    }

    let message = format!("`{key}` cannot be `{text}`: {refusal}");
    Err(Failure::new(Exit::Usage, codes::OPS_INVALID, message)
        .with_hint("give a value of that type, as in --set epochs=20"))
}

/// Changes a key of the section `training`; the grammar checks it together with all others.
fn set_training_key(new: &mut NewOperation, name: &str, text: &str) -> Result<(), Failure> {
    let mut target = &mut new.params;
    for part in ["overrides", "training"] {
        // Overrides may be null: nothing was changed then.
        if target.is_null() {
            *target = json!({});
        }
        let fields = target.as_object_mut().ok_or_else(|| {
            let message = "the request has another form";
            Failure::new(Exit::Usage, codes::OPS_INVALID, message)
                .with_hint("start a new training with `ktrdr train`")
        })?;
        target = fields.entry(part).or_insert_with(|| json!({}));
    }

    if let Some(changes) = target.as_object_mut() {
        put_training_key(changes, name, text);
    }
    Ok(())
}

fn set_param(new: &mut NewOperation, path: &[&str], value: Value) -> Result<(), String> {
    let mut target = &mut new.params;
    for part in path {
        // Overrides may be null: nothing was changed then.
        if target.is_null() {
            *target = json!({});
        }
        let Some(fields) = target.as_object_mut() else {
            return Err("the request has another form".to_owned());
        };
        target = fields.entry(*part).or_insert(Value::Null);
    }
    *target = value;

    Form::of::<TrainRequest>().check(&new.params)?;
    match new.params.get("overrides") {
        None | Some(Value::Null) => Ok(()),
        Some(overrides) => Form::of::<Overrides>().check(overrides),
    }
}

fn set_field(
    new: &mut NewOperation,
    index: usize,
    field: &str,
    value: Value,
) -> Result<(), String> {
    let missing = || "the request has another form".to_owned();
    let mut specs = new.plan.stages.iter_mut().flatten();
    let spec = specs.nth(index).ok_or_else(missing)?;
    if spec.command.is_null() {
        spec.command = json!({});
    }

    let fields = spec.command.as_object_mut().ok_or_else(missing)?;
    fields.insert(field.to_owned(), value);
    form_of(spec).ok_or_else(missing)?.check(&spec.command)
}

/// Checks that the strategy of a training accepts its overrides, as `ktrdr train` does.
fn check_training(new: &NewOperation) -> Result<(), Failure> {
    if new.kind != "train" {
        return Ok(());
    }
    let invalid = |error: serde_json::Error| Failure::of(Exit::Usage, codes::OPS_INVALID, &error);
    let request: TrainRequest = serde_json::from_value(new.params.clone()).map_err(invalid)?;
    let overrides: Option<Overrides> =
        serde_json::from_value(request.overrides).map_err(invalid)?;

    let strategy = Strategy::parse(&request.strategy).map_err(Failure::from)?;
    strategy
        .resolve(&overrides.unwrap_or_default())
        .map(drop)
        .map_err(|findings| Failure::from(findings).with_hint("change the value after --set"))
}

#[cfg(test)]
mod tests {
    use schemas::commands::{FetchBars, FetchMode, RunDummy};
    use schemas::requests::DataLoad;

    use super::*;

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    fn data_load() -> NewOperation {
        let fetch = FetchBars {
            provider: "file".to_owned(),
            series: Vec::new(),
            mode: FetchMode::Tail,
            start: None,
            end: None,
            refetch: false,
            calendar: None,
            accept_finer: false,
            accept_stored: false,
        };

        let labels = [("mode".to_owned(), "tail".to_owned())].into();
        DataLoad { fetch, labels }.operation()
    }

    /// A training of the strategy to start with.
    fn training() -> NewOperation {
        let request = TrainRequest {
            strategy: strategies::STARTER.to_owned(),
            overrides: Value::Null,
            model: None,
        };
        NewOperation {
            kind: "train".to_owned(),
            params: serde_json::to_value(request).unwrap(),
            ..data_load()
        }
    }

    #[test]
    fn keys_of_the_section_training_are_changed_by_their_names() {
        let mut new = training();
        let changes = [
            pair("training.optimizer", "sgd"),
            pair("momentum", "0.8"),
            pair("early_stopping.patience", "8"),
            pair("epochs", "3"),
        ];

        change_request(&mut new, &changes).unwrap();

        let overrides = json!({
            "epochs": 3,
            "training": {
                "optimizer": "sgd", "momentum": 0.8, "early_stopping": {"patience": 8},
                "epochs": 3,
            },
        });
        assert_eq!(new.params["overrides"], overrides);
    }

    /// What is said of a change that a training refuses.
    fn refused(key: &str, value: &str) -> String {
        let failure = change_request(&mut training(), &[pair(key, value)]).unwrap_err();
        [vec![failure.message], failure.causes].concat().join("; ")
    }

    #[test]
    fn what_the_grammar_refuses_cannot_be_set() {
        let text = refused("training.learning_rate", "1e9");
        let finding = "1000000000 is not a number above 0 and at most 1";
        assert!(text.contains(finding), "{text}");
        // Two sections have one, so its name alone says too little.
        let text = refused("patience", "8");
        assert_eq!(text, "the request has no parameter `patience`");
    }

    /// The hint after a change that is refused.
    fn refusal(key: &str, value: &str) -> Failure {
        let mut new = RunDummy::default().operation();
        let before = new.clone();
        let failure = change_request(&mut new, &[pair(key, value)]).unwrap_err();
        assert_eq!(new, before, "nothing was changed");
        failure
    }

    #[test]
    fn a_parameter_and_its_label_are_changed() {
        let mut new = RunDummy::default().operation();
        change_request(&mut new, &[pair("iterations", "7"), pair("fail_at", "3")]).unwrap();

        let spec = &new.plan.stages[0][0];
        assert_eq!(spec.command["iterations"], 7);
        assert_eq!(spec.command["fail_at"], 3);
        assert_eq!(new.labels["iterations"], "7");
    }

    #[test]
    fn a_name_without_its_service_reaches_every_step() {
        let mut new = data_load();
        let start = "2024-01-01T00:00:00Z";
        let changes = [pair("start", start), pair("fetcher.mode", "full")];
        change_request(&mut new, &changes).unwrap();

        assert_eq!(new.plan.stages[0][0].command["start"], start);
        assert_eq!(new.plan.stages[1][0].command["start"], start);
        assert_eq!(new.plan.stages[0][0].command["mode"], "full");
        assert_eq!(new.labels["mode"], "full");
    }

    #[test]
    fn an_unknown_parameter_is_refused_with_the_nearest() {
        assert_eq!(
            refusal("iteratoins", "7").hint,
            "did you mean `iterations`?"
        );
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        let failure = refusal("iterations", "many");
        assert_eq!(
            failure.message,
            "`iterations` cannot be `many`: invalid type: string \"many\", expected u64"
        );
    }
}
