//! What a fuzzy set, an input or a feature column means, as a sentence.

use serde_json::Value;
use strategies::fuzzy::describe_set;
use strategies::indicators::Indicator;
use strategies::{
    Feature, FeatureKind, Input, InputSource, OutputRef, Resolved, Scaling, Strategy,
};

use crate::console::count_of;

/// An input of the network: its name, and what the network sees of it.
pub(super) struct InputMeaning {
    /// The fuzzy set, or the raw output as the strategy refers to it.
    pub(super) name: String,
    /// One or two sentences.
    pub(super) meaning: String,
}

/// The name and the meaning of an input; none for one whose fuzzy set does not exist.
pub(super) fn input_meaning(strategy: &Strategy, input: &Input) -> Option<InputMeaning> {
    let (name, meaning) = match &input.source {
        InputSource::Fuzzy(set) => {
            let set = strategy.fuzzy_sets.get(*set)?;
            let meaning = describe_set(&subject_of(strategy, set.of), &set.members);
            (set.id.clone(), meaning)
        }
        InputSource::Raw {
            reference,
            of,
            scaling,
        } => {
            let meaning = format!("{}.", with_scaling(&subject_of(strategy, *of), *scaling));
            (reference.clone(), meaning)
        }
    };

    let lags: Vec<String> = input.lags.iter().map(ToString::to_string).collect();
    let meaning = match lags.as_slice() {
        [] => meaning,
        [one] if one == "1" => format!("{meaning} Also 1 bar ago."),
        several => format!("{meaning} Also {} bars ago.", several.join(", ")),
    };
    Some(InputMeaning { name, meaning })
}

/// Every fuzzy set as a sentence, by its id.
pub(super) fn fuzzy_set_sentences(strategy: &Strategy) -> Value {
    let mut sentences = serde_json::Map::new();
    for set in strategy.fuzzy_sets.iter() {
        let text = describe_set(&subject_of(strategy, set.of), &set.members);
        sentences.insert(set.id.clone(), Value::from(text));
    }
    Value::Object(sentences)
}

/// The meaning of a column in a few words: `rsi_14 is low: full up to 20, falls to 0 at 40`.
pub(super) fn feature_meaning(resolved: &Resolved, feature: &Feature) -> String {
    let subject = match resolved.indicators.get(feature.indicator) {
        Some(planned) => output_name(&planned.id, &planned.indicator, feature.output),
        None => "?".to_owned(),
    };
    let subject = match feature.lag {
        0 => subject,
        lag => format!("{subject}, {} ago", count_of(lag as usize, "bar")),
    };

    match &feature.kind {
        FeatureKind::Membership { function, .. } => format!("{subject}: {}", function.describe()),
        FeatureKind::SetValue { set } => {
            format!(
                "{}; members of {set}",
                with_scaling(&subject, feature.kind.scaling())
            )
        }
        FeatureKind::Raw { scaling } => with_scaling(&subject, *scaling),
    }
}

/// The output that a set or an input refers to, as in `adx_14.adx`.
fn subject_of(strategy: &Strategy, of: OutputRef) -> String {
    match strategy.indicators.get(of.indicator) {
        Some(named) => output_name(&named.id, &named.indicator, of.output),
        None => "?".to_owned(),
    }
}

/// `adx_14.adx`, or the id alone where the indicator has one output without a name.
fn output_name(id: &str, indicator: &Indicator, output: usize) -> String {
    match indicator.spec().outputs.get(output) {
        Some(output) => format!("{id}.{output}"),
        None => id.to_owned(),
    }
}

fn with_scaling(subject: &str, scaling: Option<Scaling>) -> String {
    match serde_json::to_value(scaling) {
        Ok(Value::String(scaling)) => format!("{subject}, scaled by {scaling}"),
        _ => subject.to_owned(),
    }
}
