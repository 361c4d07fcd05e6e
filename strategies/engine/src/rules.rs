//! The rules of the grammar by id: what each refuses, and why; where an earlier grammar was looser,
//! what that led to.

/// One rule of the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What findings carry: `key.unknown`.
    pub id: &'static str,
    /// What is refused, or warned of.
    pub refuses: &'static str,
    /// The reason, or what happened without the rule; empty where it is obvious.
    pub why: &'static str,
}

const fn new_rule(id: &'static str, refuses: &'static str, why: &'static str) -> Rule {
    Rule { id, refuses, why }
}

/// Every rule, sorted by id.
pub fn rules() -> &'static [Rule] {
    RULES
}

const EARLIER: &str =
    "the earlier grammar accepted it and ignored it, so a strategy could say what it did not do";
const LATER: &str = "the earlier grammar accepted it, and training failed or went wrong later";

static RULES: &[Rule] = &[
    new_rule(
        "date.form",
        "a date that is neither a date nor an instant",
        "\"soon\" was accepted, and the dates of the request were used instead",
    ),
    new_rule("date.order", "an end that is not after its start", LATER),
    new_rule(
        "decisions.unsupported",
        "rules about open positions",
        "they come with back-tests; accepted now, they would have no effect",
    ),
    new_rule(
        "feature.collision",
        "two inputs whose columns would have one name",
        "one column silently replaced the other",
    ),
    new_rule(
        "feature.unsupported",
        "context series and data_source",
        "series of other providers are not loaded; dates of observation were used as dates of \
         publication, which leaks the future",
    ),
    new_rule(
        "file.size",
        "a file larger than 32 KiB",
        "the text travels inside the operation",
    ),
    new_rule(
        "format.conflict",
        "labels or a loss of the other output format",
        "numbers learnt as classes, or classes as numbers, make a useless model",
    ),
    new_rule(
        "fuzzy_set.empty",
        "a fuzzy set without a membership function",
        "",
    ),
    new_rule(
        "fuzzy_set.hole",
        "warns, with --bars: values of the central 98 % that belong to no member",
        "all columns are 0 there, so the network cannot distinguish one hole from another",
    ),
    new_rule(
        "fuzzy_set.unused",
        "warns: a fuzzy set that no input uses",
        "",
    ),
    new_rule(
        "grammar.version",
        "keys of grammar version 1 or 2",
        "such files do not say in which order the inputs come",
    ),
    new_rule(
        "id.form",
        "an id with a dot, a blank or more than 64 characters",
        "the text after a dot names an output, so no reference can reach such an id",
    ),
    new_rule(
        "id.price_column",
        "an id that is the name of a price column",
        "it replaced the price, and later look-ups failed",
    ),
    new_rule(
        "indicator.parameter",
        "a parameter that the type does not have",
        "it was dropped: `macd: {fast: 5}` computed 12, 26, 9",
    ),
    new_rule(
        "indicator.repaints",
        "an indicator whose past values change as bars arrive",
        "as an input it leaks the future",
    ),
    new_rule("indicator.unknown", "an unknown indicator type", LATER),
    new_rule(
        "indicator.unused",
        "warns: an indicator that nothing uses",
        "",
    ),
    new_rule("indicators.empty", "no indicator at all", ""),
    new_rule(
        "key.duplicate",
        "a key that is written twice",
        "the last one won silently",
    ),
    new_rule(
        "key.missing",
        "a required key that is missing",
        "a missing symbol, list or model was noticed only once training ran",
    ),
    new_rule("key.moved", "a key that belongs in another place", EARLIER),
    new_rule("key.no_effect", "a key that has no effect", EARLIER),
    new_rule(
        "key.unknown",
        "a key that the grammar does not have",
        EARLIER,
    ),
    new_rule(
        "labels.order",
        "label parameters that contradict each other",
        LATER,
    ),
    new_rule(
        "labels.unsupported",
        "sample weights for a source other than triple_barrier",
        "labels of one length overlap evenly, and those of a segment end together: all weights \
         would be equal; the key was ignored",
    ),
    new_rule(
        "lags.order",
        "lags that do not ascend",
        "one strategy in two spellings would build two data sets",
    ),
    new_rule(
        "list.long",
        "a list longer than its limit",
        "the record of an operation has a size limit",
    ),
    new_rule(
        "membership.invalid",
        "numbers that are not a membership function",
        "NaN and infinite slopes gave undefined memberships, which were trained on as 0",
    ),
    new_rule(
        "mode.conflict",
        "a list with mode single, or a single value with another mode",
        "the list won silently over the single value",
    ),
    new_rule(
        "model.key",
        "a key of another type of model",
        "it would have no effect",
    ),
    new_rule(
        "model.unsupported",
        "lstm or gru beside a filter of events; inputs that the rules of tsk cannot speak of",
        "a window needs consecutive bars, and most bars would have no row; a rule needs members",
    ),
    new_rule(
        "name.form",
        "a name that cannot be a file name",
        "the model is stored under it",
    ),
    new_rule(
        "nn_inputs.duplicate",
        "the same input twice for one timeframe, under one name or two",
        "it made two equal columns",
    ),
    new_rule("nn_inputs.empty", "no input at all", LATER),
    new_rule(
        "nn_inputs.source",
        "an input with both fuzzy_set and raw_indicator, or with neither",
        "",
    ),
    new_rule(
        "nn_inputs.timeframes",
        "timeframes as a bare word other than `all`",
        "the word was read letter by letter: `1h` became the timeframes `1` and `h`",
    ),
    new_rule(
        "reference.output",
        "an output that the indicator does not have",
        "",
    ),
    new_rule(
        "reference.timeframe",
        "a timeframe that the strategy does not list",
        "",
    ),
    new_rule(
        "reference.unknown",
        "an indicator or fuzzy set that does not exist",
        "",
    ),
    new_rule(
        "split.sum",
        "shares that do not sum to 1",
        "rows were left out or used twice",
    ),
    new_rule("split.twice", "shares and dates at once", ""),
    new_rule("symbol.unknown", "an invalid symbol", LATER),
    new_rule(
        "timeframe.unknown",
        "a timeframe that does not exist",
        LATER,
    ),
    new_rule(
        "timeframes.base",
        "a base timeframe that is not listed",
        "the check existed but never took effect",
    ),
    new_rule("timeframes.few", "multi_timeframe with fewer than two", ""),
    new_rule(
        "value.duplicate",
        "a symbol, timeframe or entry that is listed twice",
        "it was loaded and counted twice",
    ),
    new_rule("value.empty", "an empty text or list", LATER),
    new_rule("value.range", "a number outside of its bounds", ""),
    new_rule(
        "value.type",
        "a value of the wrong type, such as a number in quotes",
        "\"14\" was a number in some places and a text in others",
    ),
    new_rule(
        "value.unknown",
        "a word that is not one of those allowed",
        "an unknown label source silently became zigzag, an unknown activation relu",
    ),
    new_rule(
        "yaml.alias",
        "an alias",
        "a small file can expand to an enormous one",
    ),
    new_rule(
        "yaml.depth",
        "nesting deeper than 16 levels",
        "the grammar needs six",
    ),
    new_rule("yaml.documents", "a second document", "it was never read"),
    new_rule("yaml.empty", "an empty file", ""),
    new_rule("yaml.key", "a key that is not a plain word", ""),
    new_rule("yaml.syntax", "a text that is not YAML", ""),
    new_rule("yaml.tag", "a value that does not fit its tag", ""),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Reads every file below a folder but tests and this one, which names all rules by itself.
    fn read_sources(folder: &Path, texts: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => read_sources(&path, texts),
                path if path.ends_with("rules.rs") || path.ends_with("tests.rs") => {}
                path => texts.push(std::fs::read_to_string(path).unwrap()),
            }
        }
    }

    /// `word.word` in quotes is the id of a rule and nothing else.
    fn is_id(text: &str) -> bool {
        text.split_once('.')
            .is_some_and(|(family, name)| is_word(family) && is_word(name))
    }

    fn is_word(text: &str) -> bool {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    }

    #[test]
    fn the_registry_has_exactly_the_rules_that_sources_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut texts = Vec::new();
        read_sources(&folder, &mut texts);

        let used_ids: BTreeSet<&str> = texts
            .iter()
            .flat_map(|text| text.split('"'))
            .filter(|text| is_id(text))
            .collect();
        let registered_ids: BTreeSet<&str> = rules().iter().map(|rule| rule.id).collect();

        assert_eq!(used_ids, registered_ids);
        assert!(rules().is_sorted_by_key(|rule| rule.id), "by id");
    }
}
