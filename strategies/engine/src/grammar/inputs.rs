//! The entries of `nn_inputs`: each a fuzzy set or the output of an indicator, on some timeframes.

use super::drafts::{Drafts, InputDraft, InputTimeframes, SetDraft};
use super::entries::resolve_output;
use super::lists;
use super::training_data::DraftTimeframes;
use crate::fields::{Fields, RetiredKey, wrong_type};
use crate::finding::Finding;
use crate::strategy::{InputSource, Scaling};
use crate::yaml::{Content, Node};

/// Longest lag, in bars.
const LAG_MAX: u32 = 1_000;

const RETIRED_KEYS: &[RetiredKey] = &[RetiredKey::new(
    "weight",
    "key.no_effect",
    "inputs have no weights, the network learns them: remove the key",
)];

/// The words of `normalization`.
const SCALINGS: [(&str, Option<Scaling>); 3] = [
    ("minmax", Some(Scaling::Minmax)),
    ("zscore", Some(Scaling::Zscore)),
    ("none", None),
];

/// Reads one entry; `drafts` holds the sections that it may refer to.
pub(super) fn read_input<'a>(
    fields: Fields<'a>,
    drafts: &Drafts<'_>,
    strategy_timeframes: &DraftTimeframes,
) -> InputDraft<'a> {
    let set = fields.text("fuzzy_set");
    let raw = fields.text("raw_indicator");
    if fields.is_mapping() && fields.has("fuzzy_set") == fields.has("raw_indicator") {
        fields.add_own_error(
            "nn_inputs.source",
            "an input must have exactly one of `fuzzy_set` and `raw_indicator`",
        );
    }

    let scaling = fields.word("normalization", &SCALINGS);
    if set.is_some() && fields.has("normalization") {
        fields.add_error(
            "normalization",
            "key.no_effect",
            "memberships are never scaled: remove the key",
        );
    }

    // Both references are followed even though only one of them can stay: each may be wrong.
    let set_source = set
        .and_then(|id| find_set(&fields, id, drafts.sets.as_deref()))
        .map(InputSource::Fuzzy);
    let raw_source = raw.and_then(|reference| {
        let indicators = drafts.indicators.as_deref();
        let of = resolve_output(&fields, "raw_indicator", reference, indicators)?;
        Some(InputSource::Raw {
            reference: reference.to_owned(),
            of,
            scaling: scaling.flatten(),
        })
    });
    let source = if set.is_some() {
        set_source
    } else {
        raw_source
    };

    let timeframes = read_timeframes(&fields, strategy_timeframes);
    let lags = read_lags(&fields);
    let line = fields.line;
    fields.finish(RETIRED_KEYS);
    InputDraft {
        set,
        raw,
        source,
        timeframes,
        lags,
        line,
    }
}

/// The position of the fuzzy set that an input names.
fn find_set(fields: &Fields<'_>, id: &str, sets: Option<&[SetDraft<'_>]>) -> Option<usize> {
    // A section that is missing is a finding already.
    let sets = sets?;

    let position = sets.iter().position(|set| set.id == id);
    if position.is_none() {
        let message = format!("there is no fuzzy set `{id}`");
        let finding = fields.error_at("fuzzy_set", "reference.unknown", message);
        let ids = sets.iter().map(|set| set.id);
        fields.sink.push(finding.allowing(id, ids));
    }
    position
}

/// `all` or a list of the strategy's timeframes.
fn read_timeframes(
    fields: &Fields<'_>,
    strategy_timeframes: &DraftTimeframes,
) -> Option<InputTimeframes> {
    let node = fields.required("timeframes")?;
    let items = match &node.content {
        Content::Text(text) if text == "all" => return Some(InputTimeframes::All),
        Content::List(items) => items,
        Content::Text(text) => {
            let message = format!("`{text}` is neither `all` nor a list: write [\"{text}\"]");
            fields.add_error("timeframes", "nn_inputs.timeframes", message);
            return None;
        }
        _ => {
            let path = fields.path_of("timeframes");
            fields.sink.push(wrong_type(&path, node, "`all` or a list"));
            return None;
        }
    };

    let timeframes = lists::read_timeframes(fields, "timeframes", items).timeframes;
    for timeframe in &timeframes {
        // While the strategy's own list is not known in full, this one may well be in it.
        if !strategy_timeframes.is_complete || strategy_timeframes.listed.contains(&timeframe.value)
        {
            continue;
        }
        let word = timeframe.value.to_string();
        let message = format!("{word} is not one of the strategy's timeframes");
        let finding = timeframe.error("reference.timeframe", message);
        let allowed_words = strategy_timeframes.listed.iter().map(ToString::to_string);
        fields.sink.push(finding.allowing(&word, allowed_words));
    }

    let timeframes = timeframes.into_iter().map(|each| each.value);
    Some(InputTimeframes::Listed(timeframes.collect()))
}

/// `lags: [1, 2]`: ascending numbers of bars; none without the key. An item that is not a lag is
/// reported and left out.
fn read_lags(fields: &Fields<'_>) -> Vec<u32> {
    let items = fields.list("lags");
    if items.is_some_and(<[_]>::is_empty) {
        fields.add_error("lags", "value.empty", "the list is empty");
    }

    // A lag out of order is kept: the columns that it makes are checked for collisions.
    let mut lags: Vec<u32> = Vec::new();
    for (index, item) in items.unwrap_or_default().iter().enumerate() {
        let path = format!("{}[{index}]", fields.path_of("lags"));
        let lag = match read_lag(&path, item) {
            Ok(lag) => lag,
            Err(finding) => {
                fields.sink.push(*finding);
                continue;
            }
        };

        if lags.last().is_some_and(|last| *last >= lag) {
            let message = format!("{lag} is out of order: write each lag once, smallest first");
            let finding = Finding::error(path, item.line, "lags.order", message);
            fields.sink.push(finding);
        }
        if !lags.contains(&lag) {
            lags.push(lag);
        }
    }
    lags
}

fn read_lag(path: &str, item: &Node) -> Result<u32, Box<Finding>> {
    let Content::Integer(value) = item.content else {
        let expected = format!("an integer from 1 to {LAG_MAX}");
        return Err(Box::new(wrong_type(path, item, &expected)));
    };

    // Negative and huge numbers do not fit the type, and are out of range like any other.
    match u32::try_from(value) {
        Ok(lag) if (1..=LAG_MAX).contains(&lag) => Ok(lag),
        _ => {
            let message = format!(
                "{value} is outside 1 to {LAG_MAX}: a lag counts bars back, and the current bar is \
                 always included"
            );
            let finding = Finding::error(path, item.line, "value.range", message);
            Err(Box::new(finding))
        }
    }
}
