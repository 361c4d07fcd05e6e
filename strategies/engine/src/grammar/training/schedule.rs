//! What happens from epoch to epoch: the schedule of the learning rate, and early stopping.

use schemas::training::{EarlyStopping, LearningRateSchedule, Monitor};

use crate::fields::{Fields, wrong_type};
use crate::yaml::{Content, Node};

/// Longest stretch of epochs that a key can name.
const EPOCHS_MAX: u32 = 100_000;

/// Parameters of all schedules, in the order in which they are read.
const PARAMETERS: [&str; 5] = ["step_size", "gamma", "factor", "patience", "min_lr"];

/// What `lr_scheduler` may be, with the parameters of each by default.
fn schedules() -> [(&'static str, LearningRateSchedule); 5] {
    let all = [
        LearningRateSchedule::None,
        LearningRateSchedule::step(),
        LearningRateSchedule::exponential(),
        LearningRateSchedule::cosine(),
        LearningRateSchedule::reduce_on_plateau(),
    ];
    all.map(|schedule| (schedule.name(), schedule))
}

fn parameters_of(schedule: &LearningRateSchedule) -> &'static [&'static str] {
    match schedule {
        LearningRateSchedule::None => &[],
        LearningRateSchedule::Step { .. } => &["step_size", "gamma"],
        LearningRateSchedule::Exponential { .. } => &["gamma"],
        LearningRateSchedule::Cosine { .. } => &["min_lr"],
        LearningRateSchedule::ReduceOnPlateau { .. } => &["factor", "patience", "min_lr"],
    }
}

/// `lr_scheduler`, as the name of a schedule or as a section with its `type`. A section keeps the
/// parameters that the same schedule had before, which of a file is none.
pub(super) fn read_schedule(
    fields: &Fields<'_>,
    before: LearningRateSchedule,
) -> Option<LearningRateSchedule> {
    let node = fields.node("lr_scheduler")?;

    // A word is a schedule with the parameters that are its own by default.
    match &node.content {
        Content::Text(_) => fields.word("lr_scheduler", &schedules()),
        Content::Map(_) => {
            let section = fields.section("lr_scheduler")?;
            read_section(section, before)
        }
        _ => {
            let expected = "a schedule, as in `lr_scheduler: cosine`, or a section with its \
                            `type` and parameters";
            refuse(fields, "lr_scheduler", node, expected, &names())
        }
    }
}

fn names() -> [&'static str; 5] {
    schedules().map(|(name, _)| name)
}

fn read_section(section: Fields<'_>, before: LearningRateSchedule) -> Option<LearningRateSchedule> {
    let has_schedule = before != LearningRateSchedule::None;
    let schedule = if has_schedule && !section.has("type") {
        Some(before)
    } else {
        let named = section.required_word("type", &schedules());
        named.map(|named| {
            if named.name() == before.name() {
                before
            } else {
                named
            }
        })
    };

    // Read whatever the schedule, so that a wrong one is reported in any case.
    let values = Parameters {
        step_size: section.integer("step_size", 1, EPOCHS_MAX),
        gamma: section.number("gamma", "a number above 0 and at most 1", |value| {
            value > 0.0 && value <= 1.0
        }),
        factor: section.number("factor", "a number above 0 and below 1", |value| {
            value > 0.0 && value < 1.0
        }),
        patience: section.integer("patience", 0, EPOCHS_MAX),
        min_lr: section.number("min_lr", "a number of 0 or more", |value| value >= 0.0),
    };
    if let Some(schedule) = &schedule {
        check_parameters(&section, schedule);
    }
    section.finish(&[]);

    Some(values.apply_to(schedule?))
}

/// The parameters that are written, whichever schedule they belong to.
struct Parameters {
    step_size: Option<u32>,
    gamma: Option<f64>,
    factor: Option<f64>,
    patience: Option<u32>,
    min_lr: Option<f64>,
}

impl Parameters {
    fn apply_to(&self, defaults: LearningRateSchedule) -> LearningRateSchedule {
        match defaults {
            LearningRateSchedule::None => LearningRateSchedule::None,
            LearningRateSchedule::Step { step_size, gamma } => LearningRateSchedule::Step {
                step_size: self.step_size.unwrap_or(step_size),
                gamma: self.gamma.unwrap_or(gamma),
            },
            LearningRateSchedule::Exponential { gamma } => LearningRateSchedule::Exponential {
                gamma: self.gamma.unwrap_or(gamma),
            },
            LearningRateSchedule::Cosine { min_lr } => LearningRateSchedule::Cosine {
                min_lr: self.min_lr.unwrap_or(min_lr),
            },
            LearningRateSchedule::ReduceOnPlateau {
                factor,
                patience,
                min_lr,
            } => LearningRateSchedule::ReduceOnPlateau {
                factor: self.factor.unwrap_or(factor),
                patience: self.patience.unwrap_or(patience),
                min_lr: self.min_lr.unwrap_or(min_lr),
            },
        }
    }
}

/// Reports parameters of another schedule: they would be ignored.
fn check_parameters(section: &Fields<'_>, schedule: &LearningRateSchedule) {
    let fitting = parameters_of(schedule);
    for key in PARAMETERS {
        if section.has(key) && !fitting.contains(&key) {
            let message = format!(
                "the schedule `{}` has no such parameter: remove the key",
                schedule.name()
            );
            let finding = section.error_at(key, "key.no_effect", message);
            section.sink.push(finding.allowing("", fitting));
        }
    }
}

/// `early_stopping`, as a section or `none`; `Some(None)` switches it off. A section keeps what it
/// does not say as it was before.
pub(super) fn read_early_stopping(
    fields: &Fields<'_>,
    before: Option<EarlyStopping>,
) -> Option<Option<EarlyStopping>> {
    let node = fields.node("early_stopping")?;

    // The one word is for requests: a file can leave the key out.
    match &node.content {
        Content::Text(_) => fields.word("early_stopping", &[("none", None)]),
        Content::Map(_) => {
            let section = fields.section("early_stopping")?;
            Some(Some(read_stopping_section(
                section,
                before.unwrap_or_default(),
            )))
        }
        _ => {
            let expected = "`none`, or a section as in {patience: 10, min_delta: 0.001}";
            refuse(fields, "early_stopping", node, expected, &[])
        }
    }
}

fn read_stopping_section(section: Fields<'_>, before: EarlyStopping) -> EarlyStopping {
    let patience = section.integer("patience", 1, EPOCHS_MAX);
    let min_delta = section.number(
        "min_delta",
        "a share of at least 0 and below 1, of the best value so far",
        |value| (0.0..1.0).contains(&value),
    );
    let monitors = [Monitor::ValLoss, Monitor::ValAccuracy];
    let monitor = section.word("monitor", &monitors.map(|each| (each.name(), each)));
    section.finish(&[]);

    EarlyStopping {
        patience: patience.unwrap_or(before.patience),
        min_delta: min_delta.unwrap_or(before.min_delta),
        monitor: monitor.unwrap_or(before.monitor),
    }
}

/// Reports a value that is neither a word nor a section.
pub(super) fn refuse<T>(
    fields: &Fields<'_>,
    key: &str,
    node: &Node,
    expected: &str,
    words: &[&str],
) -> Option<T> {
    let finding = wrong_type(&fields.path_of(key), node, expected);
    fields.sink.push(finding.allowing("", words));
    None
}
