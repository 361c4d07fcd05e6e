//! Checks over all three input sections together: what nothing uses, what is given twice, what
//! would collide.
//!
//! They look at names as written, so that an error elsewhere in an entry does not hide what is
//! wrong between entries.

use std::collections::BTreeMap;

use market::Timeframe;
use schemas::spelling::nearest_name;

use super::inputs::{Drafts, InputDraft};
use crate::fields::Fields;
use crate::finding::Finding;
use crate::fuzzy::Membership;
use crate::strategy::{FeatureName, FuzzySet, Input, InputSource, OutputRef, feature_names};

/// Most feature columns.
const FEATURES_MAX: usize = 1_024;

/// Warns of indicators and fuzzy sets that nothing uses. While a section is missing, or an entry
/// does not say what it is of, nobody can tell; a misspelt reference counts for the entry that it
/// resembles.
pub(super) fn warn_unused(fields: &Fields<'_>, drafts: &Drafts<'_>) {
    let (Some(indicators), Some(sets), Some(inputs)) =
        (&drafts.indicators, &drafts.sets, &drafts.inputs)
    else {
        return;
    };
    if inputs
        .iter()
        .any(|input| input.set.is_none() && input.raw.is_none())
    {
        return;
    }
    let warn = |section: &str, id: &str, rule, message: &str| {
        let line = fields.section_line(section, id);
        fields.sink.push(Finding::warning(
            format!("{section}.{id}"),
            line,
            rule,
            message,
        ));
    };
    let set_ids: Vec<&str> = sets.iter().map(|set| set.id).collect();
    let used = meant(inputs.iter().filter_map(|input| input.set), &set_ids);
    for id in set_ids.iter().filter(|id| !used.contains(id)) {
        warn(
            "fuzzy_sets",
            id,
            "fuzzy_set.unused",
            "no input uses this fuzzy set",
        );
    }
    if sets.iter().any(|set| set.reference.is_none()) {
        return;
    }
    let ids: Vec<&str> = indicators.iter().map(|indicator| indicator.id).collect();
    let references = sets
        .iter()
        .filter_map(|set| set.reference)
        .chain(inputs.iter().filter_map(|input| input.raw));
    let used = meant(
        references.map(|text| text.split_once('.').map_or(text, |(id, _)| id)),
        &ids,
    );
    for id in ids.iter().filter(|id| !used.contains(id)) {
        warn(
            "indicators",
            id,
            "indicator.unused",
            "nothing uses this indicator",
        );
    }
}

/// The ids that the references name, or resemble.
fn meant<'a, 'b>(references: impl Iterator<Item = &'b str>, ids: &[&'a str]) -> Vec<&'a str> {
    let named = references.filter_map(|text| {
        let same = ids.iter().copied().find(|id| *id == text);
        same.or_else(|| nearest_name(text, ids.iter().copied()))
    });
    named.collect()
}

/// What an input shows, however it is written: `adx_14` and `adx_14.adx` are the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Shown<'a> {
    Set(&'a str),
    Output(OutputRef),
    /// A reference that leads nowhere.
    Text(&'a str),
}

/// Repeated inputs, different inputs whose columns would have one name, and too many columns.
pub(super) fn check_names(fields: &Fields<'_>, drafts: &Drafts<'_>, timeframes: &[Timeframe]) {
    let sets = named_sets(drafts);
    let mut given = BTreeMap::new();
    let mut named = BTreeMap::new();
    let mut columns = 0;
    for (index, draft) in drafts.inputs.iter().flatten().enumerate() {
        let Some(shown) = shown(draft) else { continue };
        let refuse = |(rule, message)| {
            fields.sink.push(Finding::error(
                format!("nn_inputs[{index}]"),
                draft.line,
                rule,
                message,
            ));
        };
        if let Some(finding) = repetition(&mut given, index, draft, &shown, timeframes) {
            refuse(finding);
            continue;
        }
        let Some(input) = named_input(draft, &sets) else {
            continue;
        };
        for (position, FeatureName { name, .. }) in feature_names(&input, &sets, timeframes)
            .into_iter()
            .enumerate()
        {
            columns += 1;
            let (earlier, other) = *named.entry(name.clone()).or_insert((index, position));
            if (earlier, other) != (index, position) {
                let message = format!(
                    "its column `{name}` is also one of nn_inputs[{earlier}]: rename a set or a membership"
                );
                refuse(("feature.collision", message));
            }
        }
    }
    if columns > FEATURES_MAX {
        fields.finding(
            "nn_inputs",
            "list.long",
            format!("{columns} feature columns, the most is {FEATURES_MAX}"),
        );
    }
}

/// What each input shows, for which timeframe and how many bars back, and the first input with it.
/// The timeframe is `None` for all of them while the strategy's own are not known.
type Given<'a> = BTreeMap<(Shown<'a>, Option<Timeframe>, u32), usize>;

/// The finding for an input of which something was given before.
fn repetition<'a>(
    given: &mut Given<'a>,
    index: usize,
    draft: &InputDraft<'_>,
    shown: &Shown<'a>,
    strategy: &[Timeframe],
) -> Option<(&'static str, String)> {
    let timeframes: Vec<Option<Timeframe>> = match draft.timeframes.as_ref()? {
        Some(listed) => listed.iter().copied().map(Some).collect(),
        None if strategy.is_empty() => vec![None],
        None => strategy.iter().copied().map(Some).collect(),
    };
    let mut found = None;
    for timeframe in timeframes {
        for lag in std::iter::once(0).chain(draft.lags.iter().copied()) {
            let earlier = *given
                .entry((shown.clone(), timeframe, lag))
                .or_insert(index);
            if earlier != index && found.is_none() {
                let of = timeframe.map_or(String::new(), |timeframe| format!(" for {timeframe}"));
                let message =
                    format!("the same input was already given{of} by nn_inputs[{earlier}]");
                found = Some(("nn_inputs.duplicate", message));
            }
        }
    }
    found
}

fn shown<'a>(draft: &InputDraft<'a>) -> Option<Shown<'a>> {
    match (draft.set, &draft.source, draft.raw) {
        (Some(set), ..) => Some(Shown::Set(set)),
        (None, Some(InputSource::Raw { of, .. }), _) => Some(Shown::Output(*of)),
        (None, _, raw) => raw.map(Shown::Text),
    }
}

/// The input as far as its names go.
fn named_input(draft: &InputDraft<'_>, sets: &[FuzzySet]) -> Option<Input> {
    let source = match (draft.set, draft.raw) {
        (Some(id), _) => InputSource::Fuzzy(
            sets.iter()
                .position(|set| set.id == id)
                .unwrap_or(sets.len()),
        ),
        (None, raw) => InputSource::Raw {
            reference: raw?.to_owned(),
            of: NOWHERE,
            scaling: None,
        },
    };
    Some(Input {
        source,
        timeframes: draft.timeframes.clone()?,
        lags: draft.lags.clone(),
        line: draft.line,
    })
}

/// The sets as far as the names of columns go: their functions do not matter, and may be missing.
fn named_sets(drafts: &Drafts<'_>) -> Vec<FuzzySet> {
    let any = Membership::Singleton { at: 0.0 };
    let sets = drafts.sets.iter().flatten().map(|set| FuzzySet {
        id: set.id.to_owned(),
        of: NOWHERE,
        members: set
            .members
            .iter()
            .map(|(name, _)| (name.clone(), any))
            .collect(),
        line: set.line,
    });
    sets.collect()
}

/// Names do not depend on what is behind them.
const NOWHERE: OutputRef = OutputRef {
    indicator: usize::MAX,
    output: usize::MAX,
};
