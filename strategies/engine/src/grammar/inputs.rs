//! The `nn_inputs` section, and the references between it, the fuzzy sets and the indicators.

use market::Timeframe;

use super::data::Timeframes;
use super::indicator::IndicatorDraft;
use super::set::SetDraft;
use super::{cross, data, indicator, set};
use crate::fields::{Fields, wrong_type};
use crate::finding::Finding;
use crate::strategy::{FuzzySet, Input, InputSource, NamedIndicator, OutputRef, Scaling};
use crate::yaml::{Content, Entry};

/// Most entries of each of the three sections.
const ENTRIES_MAX: usize = 256;

/// Longest lag, in bars.
const LAG_MAX: u32 = 1_000;

/// An input as far as it could be read.
pub(super) struct InputDraft<'a> {
    /// The fuzzy set that it names.
    pub(super) set: Option<&'a str>,
    /// The indicator output that it names.
    pub(super) raw: Option<&'a str>,
    pub(super) source: Option<InputSource>,
    /// `Some(None)` = all.
    pub(super) timeframes: Option<Option<Vec<Timeframe>>>,
    pub(super) lags: Vec<u32>,
    pub(super) line: usize,
}

impl InputDraft<'_> {
    /// The input, if it could be read; what was left out of a list has a finding.
    fn finished(self) -> Option<Input> {
        Some(Input {
            source: self.source?,
            timeframes: self.timeframes?,
            lags: self.lags,
            line: self.line,
        })
    }
}

/// The three sections.
pub(super) type Sections = (Vec<NamedIndicator>, Vec<FuzzySet>, Vec<Input>);

/// The three sections as far as they could be read; `None` for one that is not there, or no
/// collection.
pub(super) struct Drafts<'a> {
    pub(super) indicators: Option<Vec<IndicatorDraft<'a>>>,
    pub(super) sets: Option<Vec<SetDraft<'a>>>,
    pub(super) inputs: Option<Vec<InputDraft<'a>>>,
}

/// Reads the three sections; `None` after an error.
pub(super) fn read(fields: &Fields<'_>, timeframes: &Timeframes) -> Option<Sections> {
    let section = |key| fields.required_section(key).filter(Fields::is_mapping);
    let indicators = section("indicators").map(|section| indicator::read(&section));
    let sets = section("fuzzy_sets").map(|section| set::read(&section, indicators.as_deref()));
    let items = fields
        .required("nn_inputs")
        .and_then(|_| fields.list("nn_inputs"));
    if items.is_some_and(<[_]>::is_empty) {
        fields.finding("nn_inputs", "nn_inputs.empty", "the network has no input");
    }
    if let Some(entries) = items
        .map(<[_]>::len)
        .filter(|entries| *entries > ENTRIES_MAX)
    {
        fields.finding(
            "nn_inputs",
            "list.long",
            format!("{entries} entries, the most is {ENTRIES_MAX}"),
        );
    }
    let inputs = items.map(|items| {
        let read = items
            .iter()
            .take(ENTRIES_MAX)
            .enumerate()
            .map(|(index, item)| {
                let entry = Fields::of(item, format!("nn_inputs[{index}]"), fields.sink);
                read_input(entry, indicators.as_deref(), sets.as_deref(), timeframes)
            });
        read.collect::<Vec<_>>()
    });
    let drafts = Drafts {
        indicators,
        sets,
        inputs,
    };
    cross::warn_unused(fields, &drafts);
    cross::check_names(fields, &drafts, &timeframes.listed);
    Some((
        drafts
            .indicators?
            .into_iter()
            .map(|each| {
                Some(NamedIndicator {
                    id: each.id.to_owned(),
                    indicator: each.indicator?,
                })
            })
            .collect::<Option<_>>()?,
        drafts
            .sets?
            .into_iter()
            .map(SetDraft::finished)
            .collect::<Option<_>>()?,
        drafts
            .inputs?
            .into_iter()
            .map(InputDraft::finished)
            .collect::<Option<_>>()?,
    ))
}

/// The entries of a section, as many as are read.
pub(super) fn entries<'a>(section: &Fields<'a>) -> Vec<&'a Entry> {
    let mut entries: Vec<&Entry> = section.rest().collect();
    if entries.len() > ENTRIES_MAX {
        let message = format!("{} entries, the most is {ENTRIES_MAX}", entries.len());
        section.sink.push(Finding::error(
            &section.path,
            section.line,
            "list.long",
            message,
        ));
    }
    entries.truncate(ENTRIES_MAX);
    entries
}

pub(super) fn check_id(section: &Fields<'_>, entry: &Entry) {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if entry.key.is_empty() || entry.key.len() > 64 || !entry.key.chars().all(word) {
        section.finding(
            &entry.key,
            "id.form",
            "an id is 1 to 64 letters, digits, `_` or `-`; a dot would make it unreachable",
        );
    }
}

/// Finds what `id` or `id.output` points at.
pub(super) fn resolve(
    fields: &Fields<'_>,
    key: &str,
    text: &str,
    indicators: Option<&[IndicatorDraft<'_>]>,
) -> Option<OutputRef> {
    let (id, output) = text
        .split_once('.')
        .map_or((text, None), |(id, output)| (id, Some(output)));
    // A section that is missing or empty is a finding already.
    let indicators = indicators.filter(|indicators| !indicators.is_empty())?;
    let Some(indicator) = indicators.iter().position(|each| each.id == id) else {
        let finding = Finding::error(
            fields.at(key),
            fields.line_of(key),
            "reference.unknown",
            format!("there is no indicator `{id}`"),
        );
        fields
            .sink
            .push(finding.allowing(id, indicators.iter().map(|each| each.id)));
        return None;
    };
    let Some(output) = output else {
        return Some(OutputRef {
            indicator,
            output: 0,
        });
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
        let dotted: Vec<String> = spec
            .outputs
            .iter()
            .map(|name| format!("{id}.{name}"))
            .collect();
        fields.sink.push(finding.allowing(
            text,
            if dotted.is_empty() {
                bare.as_slice()
            } else {
                dotted.as_slice()
            },
        ));
    }
    found.map(|output| OutputRef { indicator, output })
}

fn read_input<'a>(
    fields: Fields<'a>,
    indicators: Option<&[IndicatorDraft<'_>]>,
    sets: Option<&[SetDraft<'_>]>,
    strategy: &Timeframes,
) -> InputDraft<'a> {
    let set = fields.text("fuzzy_set");
    let raw = fields.text("raw_indicator");
    if fields.is_mapping() && fields.has("fuzzy_set") == fields.has("raw_indicator") {
        let message = "an input has exactly one of `fuzzy_set` and `raw_indicator`";
        fields.sink.push(Finding::error(
            &fields.path,
            fields.line,
            "nn_inputs.source",
            message,
        ));
    }
    let scalings = [
        ("minmax", Some(Scaling::Minmax)),
        ("zscore", Some(Scaling::Zscore)),
        ("none", None),
    ];
    let scaling = fields.word("normalization", &scalings);
    if set.is_some() && fields.has("normalization") {
        fields.finding(
            "normalization",
            "key.no_effect",
            "memberships are never scaled: remove the key",
        );
    }
    // With both of them only one can stay; that either is there is checked all the same.
    let of_set = set
        .and_then(|id| find_set(&fields, id, sets))
        .map(InputSource::Fuzzy);
    let of_raw = raw
        .and_then(|text| resolve(&fields, "raw_indicator", text, indicators).map(|of| (text, of)));
    let of_raw = of_raw.map(|(text, of)| InputSource::Raw {
        reference: text.to_owned(),
        of,
        scaling: scaling.flatten(),
    });
    let source = if set.is_some() { of_set } else { of_raw };
    let timeframes = read_timeframes(&fields, strategy);
    let lags = read_lags(&fields);
    let line = fields.line;
    fields.finish(&[(
        "weight",
        "key.no_effect",
        "inputs have no weights: the network finds them; remove the key",
    )]);
    InputDraft {
        set,
        raw,
        source,
        timeframes,
        lags,
        line,
    }
}

/// `lags: [1, 2]`: ascending numbers of bars; none unless given. What is no such number is left
/// out.
fn read_lags(fields: &Fields<'_>) -> Vec<u32> {
    let items = if fields.has("lags") {
        fields.list("lags")
    } else {
        None
    };
    if items.is_some_and(<[_]>::is_empty) {
        fields.finding("lags", "value.empty", "the list is empty");
    }
    fields.node("lags");
    let mut lags: Vec<u32> = Vec::new();
    for (index, item) in items.unwrap_or_default().iter().enumerate() {
        let path = format!("{}[{index}]", fields.at("lags"));
        let Content::Integer(value) = item.content else {
            fields.sink.push(wrong_type(
                &path,
                item,
                &format!("an integer from 1 to {LAG_MAX}"),
            ));
            continue;
        };
        let Some(lag) = u32::try_from(value)
            .ok()
            .filter(|lag| (1..=LAG_MAX).contains(lag))
        else {
            let message = format!(
                "{value} is outside 1 to {LAG_MAX}: a lag counts bars back, the current bar is there anyway"
            );
            fields
                .sink
                .push(Finding::error(path, item.line, "value.range", message));
            continue;
        };
        if lags.last().is_some_and(|last| *last >= lag) {
            let message = format!("{lag} does not ascend: write each lag once, the smallest first");
            fields
                .sink
                .push(Finding::error(path, item.line, "lags.order", message));
        }
        if !lags.contains(&lag) {
            lags.push(lag);
        }
    }
    lags
}

fn find_set(fields: &Fields<'_>, id: &str, sets: Option<&[SetDraft<'_>]>) -> Option<usize> {
    // A section that is missing is a finding already.
    let sets = sets?;
    let found = sets.iter().position(|set| set.id == id);
    if found.is_none() {
        let line = fields.line_of("fuzzy_set");
        let message = format!("there is no fuzzy set `{id}`");
        let finding = Finding::error(fields.at("fuzzy_set"), line, "reference.unknown", message);
        fields
            .sink
            .push(finding.allowing(id, sets.iter().map(|set| set.id)));
    }
    found
}

/// `all` (inner `None`) or a list of the strategy's timeframes.
#[expect(
    clippy::option_option,
    reason = "the outer one says readable, the inner one is the word `all`"
)]
fn read_timeframes(fields: &Fields<'_>, strategy: &Timeframes) -> Option<Option<Vec<Timeframe>>> {
    let node = fields.required("timeframes")?;
    let items = match &node.content {
        Content::Text(text) if text == "all" => return Some(None),
        Content::List(items) => items,
        Content::Text(text) => {
            let message =
                format!("the text `{text}` is neither `all` nor a list: write [\"{text}\"]");
            fields.finding("timeframes", "nn_inputs.timeframes", message);
            return None;
        }
        _ => {
            fields.sink.push(wrong_type(
                &fields.at("timeframes"),
                node,
                "`all` or a list",
            ));
            return None;
        }
    };
    let found = data::list(fields, "timeframes", items).timeframes;
    let known = || strategy.listed.iter().map(|each| each.as_str());
    for other in found
        .iter()
        .filter(|each| strategy.complete && !strategy.listed.contains(&each.value))
    {
        let message = format!("{} is not among the strategy's timeframes", other.value);
        let finding = other.error("reference.timeframe", message);
        fields
            .sink
            .push(finding.allowing(other.value.as_str(), known()));
    }
    Some(Some(found.into_iter().map(|each| each.value).collect()))
}
