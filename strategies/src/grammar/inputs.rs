//! The `indicators`, `fuzzy_sets` and `nn_inputs` sections, and the references between them.

use std::collections::BTreeMap;

use market::Timeframe;

use super::{FuzzySet, Input, InputSource, NamedIndicator, OutputRef, Scaling, TrainingData, cross, data};
use crate::fields::{Fields, number, wrong_type};
use crate::finding::Finding;
use crate::fuzzy::Membership;
use crate::indicators::{self, Indicator, IndicatorSpec, ParameterError, Value};
use crate::yaml::{Content, Entry};

/// Most entries of each of the three sections.
const ENTRIES_MAX: usize = 256;

/// Longest lag, in bars.
const LAG_MAX: u32 = 1_000;

/// Ids that would shadow a price column.
const PRICE_COLUMNS: [&str; 5] = ["open", "high", "low", "close", "volume"];

/// An indicator as far as it could be read: references to a broken one are still checked.
struct IndicatorDraft<'a> {
    id: &'a str,
    spec: Option<&'static IndicatorSpec>,
    indicator: Option<Indicator>,
}

/// A fuzzy set as far as it could be read.
struct SetDraft<'a> {
    id: &'a str,
    of: Option<OutputRef>,
    members: Vec<(String, Option<Membership>)>,
    line: usize,
}

pub(super) type Sections = (Vec<NamedIndicator>, Vec<FuzzySet>, Vec<Input>);

/// Reads the three sections; `None` after an error.
pub(super) fn read(fields: &Fields<'_>, training_data: Option<&TrainingData>) -> Option<Sections> {
    let indicators = fields.required_section("indicators").map(|section| read_indicators(&section));
    let indicators = indicators.unwrap_or_default();
    let sets = fields.required_section("fuzzy_sets").map(|section| read_sets(&section, &indicators));
    let sets = sets.unwrap_or_default();
    fields.required("nn_inputs");
    let items = fields.list("nn_inputs").unwrap_or_default();
    if fields.has("nn_inputs") && items.is_empty() {
        fields.finding("nn_inputs", "nn_inputs.empty", "the network has no input");
    }
    if items.len() > ENTRIES_MAX {
        fields.finding("nn_inputs", "list.long", format!("{} entries, the most is {ENTRIES_MAX}", items.len()));
    }
    let inputs: Vec<Option<Input>> = items
        .iter()
        .take(ENTRIES_MAX)
        .enumerate()
        .map(|(index, item)| {
            let entry = Fields::of(item, format!("nn_inputs[{index}]"), fields.sink);
            read_input(entry, &indicators, &sets, training_data)
        })
        .collect();
    let sections: Sections = (
        indicators
            .into_iter()
            .map(|each| Some(NamedIndicator { id: each.id.to_owned(), indicator: each.indicator? }))
            .collect::<Option<_>>()?,
        sets.into_iter().map(finished).collect::<Option<_>>()?,
        inputs.into_iter().collect::<Option<_>>()?,
    );
    cross::warn_unused(fields, &sections);
    if let Some(data) = training_data {
        cross::check_names(fields, &sections, &data.timeframes);
    }
    Some(sections)
}

fn finished(set: SetDraft<'_>) -> Option<FuzzySet> {
    let members = set.members.into_iter().map(|(name, function)| Some((name, function?))).collect::<Option<_>>()?;
    Some(FuzzySet { id: set.id.to_owned(), of: set.of?, members, line: set.line })
}

fn read_indicators<'a>(section: &Fields<'a>) -> Vec<IndicatorDraft<'a>> {
    let entries: Vec<&Entry> = section.rest().collect();
    if entries.is_empty() {
        section.sink.push(Finding::error(&section.path, section.line, "indicators.empty", "there is no indicator"));
    }
    limit(section, entries.len());
    entries.into_iter().take(ENTRIES_MAX).map(|entry| read_indicator(section, entry)).collect()
}

fn limit(section: &Fields<'_>, entries: usize) {
    if entries > ENTRIES_MAX {
        let message = format!("{entries} entries, the most is {ENTRIES_MAX}");
        section.sink.push(Finding::error(&section.path, section.line, "list.long", message));
    }
}

fn check_id(section: &Fields<'_>, entry: &Entry) {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if entry.key.is_empty() || entry.key.len() > 64 || !entry.key.chars().all(word) {
        section.finding(
            &entry.key,
            "id.form",
            "an id is 1 to 64 letters, digits, `_` or `-`; a dot would make it unreachable",
        );
    }
}

fn read_indicator<'a>(section: &Fields<'a>, entry: &'a Entry) -> IndicatorDraft<'a> {
    check_id(section, entry);
    if PRICE_COLUMNS.contains(&entry.key.as_str()) {
        section.finding(&entry.key, "id.price_column", "this id is the name of a price column: choose another");
    }
    let fields = Fields::of(&entry.value, section.at(&entry.key), section.sink);
    let name = fields.required("type").and_then(|_| fields.text("type"));
    let spec = name.and_then(|name| known_type(&fields, name));
    if fields.has("data_source") {
        fields.node("data_source");
        fields.finding("data_source", "feature.unsupported", "context series are not supported yet: remove the key");
    }
    let mut parameters = BTreeMap::new();
    for parameter in fields.rest() {
        let value = match &parameter.value.content {
            Content::Integer(value) => Value::Integer(*value),
            Content::Float(value) => Value::Float(*value),
            Content::Boolean(value) => Value::Boolean(*value),
            Content::Text(value) => Value::Text(value.clone()),
            Content::Null | Content::List(_) | Content::Map(_) => {
                section.sink.push(wrong_type(
                    &fields.at(&parameter.key),
                    &parameter.value,
                    "a number, a word or a boolean",
                ));
                continue;
            }
        };
        parameters.insert(parameter.key.clone(), value);
    }
    let indicator = spec.and_then(|spec| match Indicator::new(spec, &parameters) {
        Ok(indicator) => Some(indicator),
        Err(errors) => {
            errors.iter().for_each(|error| section.sink.push(parameter_finding(&fields, error)));
            None
        }
    });
    IndicatorDraft { id: &entry.key, spec, indicator }
}

fn known_type(fields: &Fields<'_>, name: &str) -> Option<&'static IndicatorSpec> {
    if name.to_ascii_lowercase().starts_with("zigzag") {
        let message = "a zigzag's last pivot moves as bars arrive, so it is a label source and never an input";
        fields.finding("type", "indicator.repaints", message);
        return None;
    }
    let spec = indicators::find(name);
    if spec.is_none() {
        let finding = Finding::error(
            fields.at("type"),
            fields.line_of("type"),
            "indicator.unknown",
            format!("`{name}` is no indicator type"),
        );
        let known = indicators::specs().iter().map(|spec| spec.name);
        fields.sink.push(Finding {
            nearest: indicators::nearest_name(name).map(str::to_owned),
            ..finding.allowing(name, known)
        });
    }
    spec
}

fn parameter_finding(fields: &Fields<'_>, error: &ParameterError) -> Finding {
    let key = error.parameter();
    let rule = match error {
        ParameterError::Unknown { .. } => "indicator.parameter",
        ParameterError::WrongType { .. } => "value.type",
        ParameterError::OutOfBounds { .. } => "value.range",
    };
    let finding = Finding::error(fields.at(key), fields.line_of(key), rule, error.to_string());
    match error {
        ParameterError::Unknown { nearest, known, .. } => {
            Finding { nearest: nearest.map(str::to_owned), ..finding.allowing("", known) }
        }
        ParameterError::WrongType { .. } | ParameterError::OutOfBounds { .. } => finding,
    }
}

fn read_sets<'a>(section: &Fields<'a>, indicators: &[IndicatorDraft<'_>]) -> Vec<SetDraft<'a>> {
    let entries: Vec<&Entry> = section.rest().collect();
    limit(section, entries.len());
    let read = entries.into_iter().take(ENTRIES_MAX).map(|entry| {
        check_id(section, entry);
        let fields = Fields::of(&entry.value, section.at(&entry.key), section.sink);
        let reference = fields.required("indicator").and_then(|_| fields.text("indicator"));
        let of = reference.and_then(|text| resolve(&fields, "indicator", text, indicators));
        let members: Vec<(String, Option<Membership>)> =
            fields.rest().map(|member| (member.key.clone(), membership(&fields, member))).collect();
        if members.is_empty() {
            section.finding(&entry.key, "fuzzy_set.empty", "the set has no membership function");
        }
        SetDraft { id: &entry.key, of, members, line: entry.line }
    });
    read.collect()
}

/// A membership function: `[a, b, c]` is a triangle, anything else is `{type, parameters}`.
fn membership(set: &Fields<'_>, member: &Entry) -> Option<Membership> {
    check_id(set, member);
    let path = set.at(&member.key);
    let (kind, items, line) = match &member.value.content {
        Content::List(items) => ("triangular", items.as_slice(), member.line),
        Content::Map(_) => {
            let fields = Fields::of(&member.value, path.clone(), set.sink);
            let kind = fields.required("type").and_then(|_| fields.text("type"));
            let items = fields.required("parameters").and_then(|_| fields.list("parameters"));
            let line = fields.line_of("parameters");
            fields.finish(&[]);
            (kind?, items?, line)
        }
        _ => {
            set.sink.push(wrong_type(&path, &member.value, "a membership function: [a, b, c] or {type, parameters}"));
            return None;
        }
    };
    let mut parameters = Vec::with_capacity(items.len());
    for item in items {
        let Some(value) = number(&item.content) else {
            set.sink.push(wrong_type(&path, item, "a list of numbers"));
            return None;
        };
        parameters.push(value);
    }
    Membership::new(kind, &parameters)
        .map_err(|error| {
            let message = format!("{error}; {}", error.hint());
            set.sink.push(Finding::error(&path, line, "membership.invalid", message));
        })
        .ok()
}

/// Finds what `id` or `id.output` points at.
fn resolve(fields: &Fields<'_>, key: &str, text: &str, indicators: &[IndicatorDraft<'_>]) -> Option<OutputRef> {
    let (id, output) = text.split_once('.').map_or((text, None), |(id, output)| (id, Some(output)));
    // A section that is missing is a finding already.
    if indicators.is_empty() {
        return None;
    }
    let Some(indicator) = indicators.iter().position(|each| each.id == id) else {
        let finding = Finding::error(
            fields.at(key),
            fields.line_of(key),
            "reference.unknown",
            format!("there is no indicator `{id}`"),
        );
        fields.sink.push(finding.allowing(id, indicators.iter().map(|each| each.id)));
        return None;
    };
    let Some(output) = output else {
        return Some(OutputRef { indicator, output: 0 });
    };
    let spec = indicators.get(indicator)?.spec?;
    let found = spec.outputs.iter().position(|name| *name == output);
    if found.is_none() {
        let finding = Finding::error(
            fields.at(key),
            fields.line_of(key),
            "reference.output",
            format!("{} has no output `{output}`", spec.name),
        );
        let bare = [id.to_owned()];
        let dotted: Vec<String> = spec.outputs.iter().map(|name| format!("{id}.{name}")).collect();
        fields.sink.push(finding.allowing(text, if dotted.is_empty() { bare.as_slice() } else { dotted.as_slice() }));
    }
    found.map(|output| OutputRef { indicator, output })
}

fn read_input(
    fields: Fields<'_>,
    indicators: &[IndicatorDraft<'_>],
    sets: &[SetDraft<'_>],
    training_data: Option<&TrainingData>,
) -> Option<Input> {
    let set = fields.text("fuzzy_set");
    let raw = fields.text("raw_indicator");
    if fields.has("fuzzy_set") == fields.has("raw_indicator") {
        let message = "an input has exactly one of `fuzzy_set` and `raw_indicator`";
        fields.sink.push(Finding::error(&fields.path, fields.line, "nn_inputs.source", message));
    }
    let scalings = [("minmax", Some(Scaling::Minmax)), ("zscore", Some(Scaling::Zscore)), ("none", None)];
    let scaling = fields.word("normalization", &scalings);
    if set.is_some() && fields.has("normalization") {
        fields.finding("normalization", "key.no_effect", "memberships are never scaled: remove the key");
    }
    let source = match (set, raw) {
        (Some(id), None) => find_set(&fields, id, sets).map(InputSource::Fuzzy),
        (None, Some(text)) => resolve(&fields, "raw_indicator", text, indicators).map(|of| InputSource::Raw {
            reference: text.to_owned(),
            of,
            scaling: scaling.flatten(),
        }),
        _ => None,
    };
    let timeframes = read_timeframes(&fields, training_data);
    let lags = read_lags(&fields);
    let line = fields.line;
    fields.finish(&[("weight", "key.no_effect", "inputs have no weights: the network finds them; remove the key")]);
    Some(Input { source: source?, timeframes: timeframes?, lags: lags?, line })
}

/// `lags: [1, 2]`: ascending numbers of bars; none unless given.
fn read_lags(fields: &Fields<'_>) -> Option<Vec<u32>> {
    if !fields.has("lags") {
        fields.node("lags");
        return Some(Vec::new());
    }
    let items = fields.list("lags")?;
    if items.is_empty() {
        fields.finding("lags", "value.empty", "the list is empty");
    }
    let mut lags: Vec<u32> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let path = format!("{}[{index}]", fields.at("lags"));
        let Content::Integer(value) = item.content else {
            fields.sink.push(wrong_type(&path, item, &format!("an integer from 1 to {LAG_MAX}")));
            return None;
        };
        let Some(lag) = u32::try_from(value).ok().filter(|lag| (1..=LAG_MAX).contains(lag)) else {
            let message =
                format!("{value} is outside 1 to {LAG_MAX}: a lag counts bars back, the current bar is there anyway");
            fields.sink.push(Finding::error(path, item.line, "value.range", message));
            return None;
        };
        if lags.last().is_some_and(|last| *last >= lag) {
            let message = format!("{lag} does not ascend: write each lag once, the smallest first");
            fields.sink.push(Finding::error(path, item.line, "lags.order", message));
        }
        lags.push(lag);
    }
    Some(lags)
}

fn find_set(fields: &Fields<'_>, id: &str, sets: &[SetDraft<'_>]) -> Option<usize> {
    let found = sets.iter().position(|set| set.id == id);
    if found.is_none() {
        let finding = Finding::error(
            fields.at("fuzzy_set"),
            fields.line_of("fuzzy_set"),
            "reference.unknown",
            format!("there is no fuzzy set `{id}`"),
        );
        fields.sink.push(finding.allowing(id, sets.iter().map(|set| set.id)));
    }
    found
}

/// `all` (inner `None`) or a list of the strategy's timeframes.
#[expect(clippy::option_option, reason = "the outer one says readable, the inner one is the word `all`")]
fn read_timeframes(fields: &Fields<'_>, training_data: Option<&TrainingData>) -> Option<Option<Vec<Timeframe>>> {
    let node = fields.required("timeframes")?;
    let items = match &node.content {
        Content::Text(text) if text == "all" => return Some(None),
        Content::List(items) => items,
        Content::Text(text) => {
            let message = format!("the text `{text}` is neither `all` nor a list: write [\"{text}\"]");
            fields.finding("timeframes", "nn_inputs.timeframes", message);
            return None;
        }
        _ => {
            fields.sink.push(wrong_type(&fields.at("timeframes"), node, "`all` or a list"));
            return None;
        }
    };
    if items.is_empty() {
        fields.finding("timeframes", "value.empty", "the list is empty");
    }
    let found = data::list(fields, "timeframes", items);
    for missing in training_data.iter().flat_map(|data| found.iter().filter(|each| !data.timeframes.contains(each))) {
        let message = format!("{missing} is not among the strategy's timeframes");
        let finding =
            Finding::error(fields.at("timeframes"), fields.line_of("timeframes"), "reference.timeframe", message);
        let known = training_data.iter().flat_map(|data| data.timeframes.iter().map(|each| each.as_str()));
        fields.sink.push(finding.allowing(missing.as_str(), known));
    }
    Some(Some(found))
}
