//! Checks over all three input sections together: what nothing uses, what is given twice, what
//! would collide.
//!
//! They look at names as written, so that an error elsewhere in an entry does not hide what is
//! wrong between entries.

use std::collections::BTreeMap;

use market::Timeframe;
use schemas::spelling::nearest_name;

use super::drafts::{Drafts, InputDraft, InputTimeframes};
use super::entries::id_of_reference;
use crate::fields::Fields;
use crate::finding::Finding;
use crate::fuzzy::Membership;
use crate::strategy::{FuzzySet, Input, InputSource, OutputRef, SetColumns, feature_names};

/// Most feature columns.
const FEATURES_MAX: usize = 1_024;

/// Warns of indicators and fuzzy sets that nothing uses.
pub(super) fn warn_unused(fields: &Fields<'_>, drafts: &Drafts<'_>) {
    for id in unused_sets(drafts).unwrap_or_default() {
        let message = "no input uses this fuzzy set";
        warn(fields, "fuzzy_sets", id, "fuzzy_set.unused", message);
    }
    for id in unused_indicators(drafts).unwrap_or_default() {
        let message = "nothing uses this indicator";
        warn(fields, "indicators", id, "indicator.unused", message);
    }
}

fn warn(fields: &Fields<'_>, section: &str, id: &str, rule: &'static str, message: &str) {
    let path = format!("{section}.{id}");
    let line = fields.line_in_section(section, id);
    fields
        .sink
        .push(Finding::warning(path, line, rule, message));
}

/// Ids of the fuzzy sets that no input names; `None` while a section is missing or an input does
/// not say what it shows, because that input may use any of them.
fn unused_sets<'a>(drafts: &Drafts<'a>) -> Option<Vec<&'a str>> {
    drafts.indicators.as_ref()?;
    let sets = drafts.sets.as_ref()?;
    let inputs = inputs_with_references(drafts)?;

    let ids: Vec<&str> = sets.iter().map(|set| set.id).collect();
    let references = inputs.iter().filter_map(|input| input.set);
    Some(unreferenced(&ids, references))
}

/// Ids of the indicators that neither a fuzzy set nor an input names; `None` as for
/// [`unused_sets`], and while a fuzzy set does not say what it is of.
fn unused_indicators<'a>(drafts: &Drafts<'a>) -> Option<Vec<&'a str>> {
    let indicators = drafts.indicators.as_ref()?;
    let sets = drafts.sets.as_ref()?;
    let inputs = inputs_with_references(drafts)?;
    if sets.iter().any(|set| set.reference.is_none()) {
        return None;
    }

    // Fuzzy sets count even when no input uses them: they have a warning of their own.
    let ids: Vec<&str> = indicators.iter().map(|indicator| indicator.id).collect();
    let set_references = sets.iter().filter_map(|set| set.reference);
    let raw_references = inputs.iter().filter_map(|input| input.raw);
    let references = set_references.chain(raw_references).map(id_of_reference);
    Some(unreferenced(&ids, references))
}

/// The inputs, if each of them names something.
fn inputs_with_references<'a, 'd>(drafts: &'d Drafts<'a>) -> Option<&'d [InputDraft<'a>]> {
    let inputs = drafts.inputs.as_deref()?;
    inputs
        .iter()
        .all(|input| input.set.is_some() || input.raw.is_some())
        .then_some(inputs)
}

/// The ids that no reference names. A misspelt reference counts for the id that it resembles, so
/// that one mistake is one finding.
fn unreferenced<'a, 'r>(
    ids: &[&'a str],
    references: impl Iterator<Item = &'r str>,
) -> Vec<&'a str> {
    let referenced_ids: Vec<&str> = references
        .filter_map(|reference| {
            let same_id = ids.iter().copied().find(|id| *id == reference);
            same_id.or_else(|| nearest_name(reference, ids.iter().copied()))
        })
        .collect();

    // In the order of the file, in which findings are reported.
    ids.iter()
        .copied()
        .filter(|id| !referenced_ids.contains(id))
        .collect()
}

/// Reports repeated inputs, different inputs whose columns would have one name, and too many
/// columns.
pub(super) fn check_names(
    fields: &Fields<'_>,
    drafts: &Drafts<'_>,
    timeframes: &[Timeframe],
    set_columns: SetColumns,
) {
    let sets = sets_by_name(drafts);
    let mut earlier_inputs = EarlierInputs::default();
    let mut earlier_columns = BTreeMap::new();
    let mut column_count = 0;

    for (index, draft) in drafts.inputs.iter().flatten().enumerate() {
        let Some(subject) = Subject::of(draft) else {
            continue;
        };

        // All columns of a repeated input collide as well; that is not worth a second finding.
        if let Some(message) = earlier_inputs.add(index, draft, subject, timeframes) {
            report(fields, index, draft, "nn_inputs.duplicate", message);
            continue;
        }

        let Some(input) = input_by_name(draft, &sets) else {
            continue;
        };
        let columns = feature_names(&input, &sets, timeframes, set_columns);
        column_count += columns.len();
        for (position, column) in columns.into_iter().enumerate() {
            let place = ColumnPlace {
                input: index,
                position,
            };
            let first_place = *earlier_columns.entry(column.name.clone()).or_insert(place);
            if first_place != place {
                let message = format!(
                    "its column `{}` also comes from nn_inputs[{}]: rename a set or a member",
                    column.name, first_place.input
                );
                report(fields, index, draft, "feature.collision", message);
            }
        }
    }

    if column_count > FEATURES_MAX {
        let message =
            format!("there are {column_count} feature columns; at most {FEATURES_MAX} are allowed");
        fields.add_error("nn_inputs", "list.long", message);
    }
}

fn report(
    fields: &Fields<'_>,
    index: usize,
    draft: &InputDraft<'_>,
    rule: &'static str,
    message: String,
) {
    let path = format!("nn_inputs[{index}]");
    fields
        .sink
        .push(Finding::error(path, draft.line, rule, message));
}

/// Which column of which input.
#[derive(Clone, Copy, PartialEq)]
struct ColumnPlace {
    input: usize,
    position: usize,
}

/// What an input shows, however it is written: `adx_14` and `adx_14.adx` are the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Subject<'a> {
    Set(&'a str),
    Output(OutputRef),
    /// A reference that leads nowhere.
    Unresolved(&'a str),
}

impl<'a> Subject<'a> {
    fn of(draft: &InputDraft<'a>) -> Option<Self> {
        match (draft.set, &draft.source, draft.raw) {
            (Some(set), ..) => Some(Self::Set(set)),
            (None, Some(InputSource::Raw { of, .. }), _) => Some(Self::Output(*of)),
            (None, _, raw) => raw.map(Self::Unresolved),
        }
    }
}

/// One timeframe and lag of an input. The timeframe is `None` for every input that says `all` while
/// the strategy's own timeframes are not known.
type SubjectAt<'a> = (Subject<'a>, Option<Timeframe>, u32);

/// What the inputs so far show, and the first input that shows it.
#[derive(Default)]
struct EarlierInputs<'a>(BTreeMap<SubjectAt<'a>, usize>);

impl<'a> EarlierInputs<'a> {
    /// Adds what an input shows. The message says which earlier input shows the same, if one does.
    fn add(
        &mut self,
        index: usize,
        draft: &InputDraft<'_>,
        subject: Subject<'a>,
        strategy_timeframes: &[Timeframe],
    ) -> Option<String> {
        let timeframes: Vec<Option<Timeframe>> = match draft.timeframes.as_ref()? {
            InputTimeframes::Listed(listed) => listed.iter().copied().map(Some).collect(),
            InputTimeframes::All if strategy_timeframes.is_empty() => vec![None],
            InputTimeframes::All => strategy_timeframes.iter().copied().map(Some).collect(),
        };

        // Everything is added even after a repetition, for the inputs that follow.
        let mut message = None;
        for timeframe in timeframes {
            for lag in std::iter::once(0).chain(draft.lags.iter().copied()) {
                let key = (subject.clone(), timeframe, lag);
                let first = *self.0.entry(key).or_insert(index);
                if first != index && message.is_none() {
                    message = Some(match timeframe {
                        Some(timeframe) => {
                            format!("nn_inputs[{first}] already gives this input for {timeframe}")
                        }
                        None => format!("nn_inputs[{first}] already gives this input"),
                    });
                }
            }
        }
        message
    }
}

/// The input as far as the names of its columns depend on it.
fn input_by_name(draft: &InputDraft<'_>, sets: &[FuzzySet]) -> Option<Input> {
    let source = match draft.set {
        Some(id) => {
            // An unknown set gives no column: its position is behind the last one.
            let position = sets.iter().position(|set| set.id == id);
            InputSource::Fuzzy(position.unwrap_or(sets.len()))
        }
        None => InputSource::Raw {
            reference: draft.raw?.to_owned(),
            of: NO_OUTPUT,
            scaling: None,
        },
    };

    Some(Input {
        source,
        timeframes: draft.timeframes.clone()?.into_option(),
        lags: draft.lags.clone(),
        line: draft.line,
    })
}

/// The sets as far as the names of columns depend on them: their functions may be missing.
fn sets_by_name(drafts: &Drafts<'_>) -> Vec<FuzzySet> {
    // Which function a member has does not show in the name of its column.
    let any_function = Membership::Singleton { at: 0.0 };

    let sets = drafts.sets.iter().flatten().map(|set| FuzzySet {
        id: set.id.to_owned(),
        of: NO_OUTPUT,
        members: set
            .members
            .iter()
            .map(|(name, _)| (name.clone(), any_function))
            .collect(),
        line: set.line,
    });
    sets.collect()
}

/// Stands in for an output where only names matter.
const NO_OUTPUT: OutputRef = OutputRef {
    indicator: usize::MAX,
    output: usize::MAX,
};
