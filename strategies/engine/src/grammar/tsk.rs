//! The `architecture` of a neuro-fuzzy network, and what its inputs may be.

use schemas::manifests::{Architecture, Firing, RuleBase, RuleSource, TskShape};

use super::drafts::InputDraft;
use crate::fields::{Fields, RetiredKey};
use crate::finding::Finding;
use crate::strategy::{InputSource, Scaling};

/// Most rules: a few more than anybody reads.
const RULES_MAX: u32 = 256;
const RULES: u32 = 16;
const PRUNE_BELOW: f64 = 0.01;
const SHARE: &str = "a share of at least 0 and below 1";

const RETIRED_KEYS: &[RetiredKey] = &[
    RetiredKey::new(
        "hidden_layers",
        "model.key",
        "this is a key of mlp; tsk has rules",
    ),
    RetiredKey::new(
        "activation",
        "model.key",
        "this is a key of mlp; tsk has rules",
    ),
    RetiredKey::new(
        "dropout",
        "model.key",
        "this is a key of mlp, lstm and gru; in tsk nothing is dropped, and rules that hardly fire \
         are pruned",
    ),
    RetiredKey::new(
        "sequence_length",
        "model.key",
        "this is a key of lstm and gru; tsk sees earlier bars by `lags: [1, 2]` in nn_inputs",
    ),
];

/// Reads the keys of a rule base; `None` after an error. It gets its inputs when a request is
/// applied, and its rules before the first epoch.
pub(super) fn read_tsk(fields: Fields<'_>) -> Option<TskShape> {
    let sources = [("sets", RuleSource::Sets), ("data", RuleSource::Data)];
    let from = fields.word("rules_from", &sources);
    let rules = fields.integer("rules", 1, RULES_MAX);
    let firings = [("mean", Firing::Mean), ("product", Firing::Product)];
    let firing = fields.word("firing", &firings);
    let prune_below = fields.number("prune_below", SHARE, |share| (0.0..1.0).contains(&share));
    fields.finish(RETIRED_KEYS);

    Some(TskShape {
        from: from.unwrap_or_default(),
        rules_max: rules.unwrap_or(RULES) as usize,
        prune_below: prune_below.unwrap_or(PRUNE_BELOW),
        pruned_rules: 0,
        base: RuleBase {
            firing: firing.unwrap_or_default(),
            ..RuleBase::default()
        },
    })
}

/// Reports inputs that the rules of `model` cannot speak of. `fields` are those of the whole file.
pub(super) fn check_inputs(
    fields: &Fields<'_>,
    inputs: &[InputDraft<'_>],
    model: Option<&Architecture>,
) {
    let Some(Architecture::Tsk(shape)) = model else {
        return;
    };

    for (index, input) in inputs.iter().enumerate() {
        if let Some(message) = problem_of(input, shape.from) {
            let path = format!("nn_inputs[{index}]");
            let finding = Finding::error(path, input.line, "model.unsupported", message);
            fields.sink.push(finding);
        }
    }
}

fn problem_of(input: &InputDraft<'_>, from: RuleSource) -> Option<&'static str> {
    match (from, input.raw, &input.source) {
        (RuleSource::Sets, Some(_), _) => Some(
            "rules speak of fuzzy sets, and raw_indicator has none: use a fuzzy_set, or write \
             `rules_from: data` in model.architecture",
        ),
        (RuleSource::Data, None, _) => Some(
            "rules from data have members of their own: name the indicator by raw_indicator with \
             `normalization: zscore`, or write `rules_from: sets` in model.architecture",
        ),

        // Members are grown in units of the deviation.
        (RuleSource::Data, Some(_), Some(InputSource::Raw { scaling, .. }))
            if *scaling != Some(Scaling::Zscore) =>
        {
            Some(
                "rules from data are grown in units of the deviation: write `normalization: \
                 zscore`",
            )
        }
        _ => None,
    }
}
