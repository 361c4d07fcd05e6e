//! The rules of the grammar by id: what each refuses, and why; where an earlier grammar was looser,
//! what that led to.

/// One rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What findings carry: `key.unknown`.
    pub id: &'static str,
    /// What is refused, or warned of.
    pub refuses: &'static str,
    /// Why; empty where it goes without saying.
    pub why: &'static str,
}

const fn rule(id: &'static str, refuses: &'static str, why: &'static str) -> Rule {
    Rule { id, refuses, why }
}

/// Every rule, by id.
pub fn rules() -> &'static [Rule] {
    RULES
}

/// The rule with that id.
pub fn rule_of(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

const EARLIER: &str =
    "the earlier grammar accepted it and ignored it, so a strategy could say what it did not do";
const LATER: &str = "the earlier grammar accepted it and failed, or went astray, once training ran";

static RULES: &[Rule] = &[
    rule(
        "date.form",
        "a date that is neither a date nor an instant",
        "\"soon\" used to pass and the dates of the request were used instead",
    ),
    rule("date.order", "an end that is not after its start", LATER),
    rule(
        "decisions.unsupported",
        "rules about open positions",
        "they come with back-tests; accepting them now would promise what does not happen",
    ),
    rule(
        "feature.collision",
        "two inputs whose columns would have one name",
        "one column silently stood for both",
    ),
    rule(
        "feature.unsupported",
        "context series and data_source",
        "series of other providers are not loaded; dates of observation used to stand for dates of publication, which knows the future",
    ),
    rule(
        "file.size",
        "a file larger than 32 KiB",
        "the text travels inside the operation",
    ),
    rule(
        "format.conflict",
        "labels or a loss of the other output format",
        "numbers learnt as classes, or the reverse, train to nonsense",
    ),
    rule(
        "fuzzy_set.empty",
        "a fuzzy set without a membership function",
        "",
    ),
    rule(
        "fuzzy_set.hole",
        "warns, where --bars are given: values of the central 98 % that belong to no member",
        "all columns are 0 there, which a network cannot tell from any other hole",
    ),
    rule(
        "fuzzy_set.unused",
        "warns: a fuzzy set that no input uses",
        "",
    ),
    rule(
        "grammar.version",
        "keys of grammar version 1 or 2",
        "those files have no order of inputs",
    ),
    rule(
        "id.form",
        "an id with a dot, a blank or more than 64 characters",
        "text after a dot is the name of an output, so such an id cannot be referred to",
    ),
    rule(
        "id.price_column",
        "an id that is the name of a price column",
        "it replaced the price and later look-ups failed",
    ),
    rule(
        "indicator.parameter",
        "a parameter that the type does not have",
        "it was dropped: `macd: {fast: 5}` computed 12, 26, 9",
    ),
    rule(
        "indicator.repaints",
        "an indicator whose past changes as bars arrive",
        "as an input it knows the future",
    ),
    rule("indicator.unknown", "an unknown indicator type", LATER),
    rule(
        "indicator.unused",
        "warns: an indicator that nothing uses",
        "",
    ),
    rule("indicators.empty", "no indicator at all", ""),
    rule(
        "key.duplicate",
        "a key that is written twice",
        "the last one won silently",
    ),
    rule(
        "key.missing",
        "a key that must be there and is not",
        "an absent symbol, list or model was noticed only once training ran",
    ),
    rule("key.moved", "a key that has its effect elsewhere", EARLIER),
    rule("key.no_effect", "a key without effect", EARLIER),
    rule(
        "key.unknown",
        "a key that the grammar does not have",
        EARLIER,
    ),
    rule(
        "labels.order",
        "label parameters that contradict each other",
        LATER,
    ),
    rule(
        "labels.unsupported",
        "sample weights for a source other than triple_barrier",
        "labels of one length overlap evenly, and those of a segment end together: there is nothing to weigh; the key was ignored",
    ),
    rule(
        "lags.order",
        "lags that do not ascend",
        "two spellings of one strategy would be two data sets",
    ),
    rule(
        "list.long",
        "a list longer than its limit",
        "a record has a size",
    ),
    rule(
        "membership.invalid",
        "numbers that are no membership function",
        "NaN, and infinite slopes, gave undefined memberships that were trained on as 0",
    ),
    rule(
        "mode.conflict",
        "a list with mode single, or the reverse",
        "the list won silently over the single value",
    ),
    rule(
        "model.unsupported",
        "recurrent networks and their keys",
        "only mlp is built",
    ),
    rule(
        "name.form",
        "a name that cannot be a file's",
        "it names the model",
    ),
    rule(
        "nn_inputs.duplicate",
        "the same input twice for one timeframe, under one name or two",
        "it gave two equal columns",
    ),
    rule("nn_inputs.empty", "no input at all", LATER),
    rule(
        "nn_inputs.source",
        "an input with both or neither of fuzzy_set and raw_indicator",
        "",
    ),
    rule(
        "nn_inputs.timeframes",
        "timeframes as a bare word other than `all`",
        "the word was read letter by letter: `1h` asked for the timeframes `1` and `h`",
    ),
    rule(
        "reference.output",
        "an output that the indicator does not have",
        "",
    ),
    rule(
        "reference.timeframe",
        "a timeframe that the strategy does not list",
        "",
    ),
    rule(
        "reference.unknown",
        "an indicator or fuzzy set that is not there",
        "",
    ),
    rule(
        "split.sum",
        "shares that do not sum to 1",
        "rows were left out or used twice",
    ),
    rule("split.twice", "shares and dates at once", ""),
    rule("symbol.unknown", "a symbol that cannot be one", LATER),
    rule(
        "timeframe.unknown",
        "a timeframe that does not exist",
        LATER,
    ),
    rule(
        "timeframes.base",
        "a base timeframe that is not listed",
        "the check existed and never fired",
    ),
    rule("timeframes.few", "multi_timeframe with fewer than two", ""),
    rule(
        "training.unsupported",
        "learning rate schedules and optimisers other than adam",
        EARLIER,
    ),
    rule(
        "value.duplicate",
        "a symbol, timeframe or entry that is listed twice",
        "it was loaded and counted twice",
    ),
    rule("value.empty", "an empty text or list", LATER),
    rule("value.range", "a number outside of its bounds", ""),
    rule(
        "value.type",
        "a value of another type, such as a number in quotes",
        "\"14\" was a number in some places and a text in others",
    ),
    rule(
        "value.unknown",
        "a word that is not one of those allowed",
        "an unknown label source silently became zigzag, an unknown activation relu",
    ),
    rule(
        "yaml.alias",
        "an alias",
        "a small file can stand for an enormous one",
    ),
    rule(
        "yaml.depth",
        "nesting deeper than 16 levels",
        "the grammar needs six",
    ),
    rule("yaml.documents", "a second document", "it was never read"),
    rule("yaml.empty", "an empty file", ""),
    rule("yaml.key", "a key that is no plain word", ""),
    rule("yaml.syntax", "a text that is no YAML", ""),
    rule("yaml.tag", "a value that does not fit its tag", ""),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn sources(folder: &Path, texts: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => sources(&path, texts),
                path if path.file_name().is_some_and(|name| name == "rules.rs") => {}
                path => texts.push(std::fs::read_to_string(path).unwrap()),
            }
        }
    }

    /// `"word.word"` in the sources is the id of a rule and nothing else.
    #[test]
    fn every_rule_that_the_sources_name_is_in_the_registry_and_the_reverse() {
        let mut texts = Vec::new();
        sources(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut texts,
        );
        let is_word = |word: &str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        };
        let is_id = |text: &&str| {
            text.split_once('.')
                .is_some_and(|(one, two)| is_word(one) && is_word(two))
        };
        let used: BTreeSet<&str> = texts
            .iter()
            .flat_map(|text| text.split('"'))
            .filter(is_id)
            .collect();
        let known: BTreeSet<&str> = rules().iter().map(|rule| rule.id).collect();
        assert_eq!(used, known);
        assert!(rules().is_sorted_by_key(|rule| rule.id), "by id");
        assert_eq!(rule_of("key.unknown").map(|rule| rule.why), Some(EARLIER));
    }
}
