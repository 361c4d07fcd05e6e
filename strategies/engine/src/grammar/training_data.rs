//! The `training_data` section: symbols, timeframes, dates.

use market::{Instrument, Timeframe, Utc};

use super::dates;
use super::lists::{self, Placed};
use crate::fields::{Fields, RetiredKey};
use crate::finding::Finding;
use crate::strategy::{DataSection, Split, TrainingSection};

const RETIRED_KEYS: &[RetiredKey] = &[RetiredKey::new(
    "date_range",
    "key.moved",
    "this section had no effect: write start_date and end_date under training_data",
)];

const RETIRED_SYMBOL_KEYS: &[RetiredKey] = &[RetiredKey::new(
    "selection_criteria",
    "key.no_effect",
    "symbols are never selected by criteria: list them",
)];

/// The section as far as it could be read.
#[derive(Default)]
pub(super) struct TrainingDataDraft {
    pub(super) timeframes: DraftTimeframes,
    pub(super) data: Option<DataSection>,
}

/// The timeframes as far as they could be read: inputs are checked against them whatever else is
/// wrong with the section.
#[derive(Default)]
pub(super) struct DraftTimeframes {
    /// Those that could be read, each once, in file order.
    pub(super) listed: Vec<Timeframe>,
    /// True when these are all that the file has, so that another one is certainly not among them.
    pub(super) is_complete: bool,
    /// `base_timeframe`, if it is written.
    base: Option<Timeframe>,
}

impl DraftTimeframes {
    /// The timeframe whose bars are the rows: unless the file says so, the finest one.
    fn base(&self) -> Option<Timeframe> {
        self.base.or_else(|| self.listed.iter().copied().min())
    }
}

/// Reads the section.
pub(super) fn read_training_data(fields: Fields<'_>) -> TrainingDataDraft {
    let symbols = fields.required_section("symbols").and_then(read_symbols);
    let timeframes = fields
        .required_section("timeframes")
        .map(read_timeframes)
        .unwrap_or_default();

    let history_required = fields
        .integer("history_required", 50, 10_000_000)
        .unwrap_or(200);
    let start = dates::read_instant(&fields, "start_date");
    let end = dates::read_end(&fields, "end_date");
    if start.zip(end).is_some_and(|(start, end)| end <= start) {
        fields.add_error("end_date", "date.order", "the end is not after the start");
    }
    let sealed_from = read_sealed_from(&fields, start, end);
    fields.finish(RETIRED_KEYS);

    // The timeframes are needed by the inputs even if the symbols could not be read.
    let data = symbols
        .zip(timeframes.base())
        .map(|(symbols, base)| DataSection {
            symbols,
            timeframes: timeframes.listed.clone(),
            base,
            history_required,
            start,
            end,
            sealed_from,
        });
    TrainingDataDraft { timeframes, data }
}

/// Where the sealed period begins: within the dates, so that both sides of it have bars.
fn read_sealed_from(fields: &Fields<'_>, start: Option<Utc>, end: Option<Utc>) -> Option<Utc> {
    let sealed_from = dates::read_instant(fields, "sealed_from")?;

    if let Some(start) = start.filter(|start| sealed_from <= *start) {
        let message = format!(
            "the sealed period begins at {sealed_from}, which is not after the start {start}: \
             choose a later date, so that bars before it can be learnt from"
        );
        fields.add_error("sealed_from", "date.order", message);
    }
    if let Some(end) = end.filter(|end| sealed_from >= *end) {
        let message = format!(
            "the sealed period begins at {sealed_from}, which is not before the end {end}: \
             choose an earlier date, or leave the key out to seal nothing"
        );
        fields.add_error("sealed_from", "date.order", message);
    }
    Some(sealed_from)
}

/// The test part begins before the sealed period does.
pub(super) fn check_sealed_split(
    fields: &Fields<'_>,
    data: Option<&DataSection>,
    training: Option<&TrainingSection>,
) {
    let sealed_from = data.and_then(|data| data.sealed_from);
    let Some((sealed_from, Split::Dates { test_start, .. })) =
        sealed_from.zip(training.map(|training| training.split))
    else {
        return;
    };

    if sealed_from <= test_start {
        let message = format!(
            "the sealed period begins at {sealed_from}, which is not after the start of the test \
             part {test_start}: choose a later date, or an earlier training.split.test_start"
        );
        let section = "training_data";
        let key = "sealed_from";
        let line = fields.line_in_section(section, key);
        let path = format!("{section}.{key}");
        let finding = Finding::error(path, line, "date.order", message);
        fields.sink.push(finding);
    }
}

fn read_symbols(fields: Fields<'_>) -> Option<Vec<Instrument>> {
    let modes = [("single", Mode::Single), ("multi_symbol", Mode::List)];
    let mode = fields.required_word("mode", &modes);

    let single = fields.text("symbol").map(|text| {
        let text = Placed {
            path: fields.path_of("symbol"),
            line: fields.line_of("symbol"),
            value: text,
        };
        let symbol = lists::parse_symbol(&fields, text);
        symbol.into_iter().map(|symbol| symbol.value).collect()
    });

    // The list is read whatever the mode: a list with mode single is a finding about the mode.
    let list_key = list_key(&fields, "symbols");
    let list = fields
        .list(list_key)
        .map(|items| lists::read_symbols(&fields, list_key, items));

    let symbols = SingleOrList {
        mode,
        single_key: "symbol",
        single,
        list_key,
        list,
    };
    let symbols = symbols.choose(&fields);
    fields.finish(RETIRED_SYMBOL_KEYS);
    symbols
}

fn read_timeframes(fields: Fields<'_>) -> DraftTimeframes {
    let modes = [("single", Mode::Single), ("multi_timeframe", Mode::List)];
    let mode = fields.required_word("mode", &modes);

    // `has` and not the value: an unreadable timeframe must not look like a missing key.
    let single = fields.has("timeframe").then(|| {
        let timeframe = lists::read_timeframe(&fields, "timeframe");
        timeframe.into_iter().collect()
    });
    let list_key = list_key(&fields, "timeframes");
    let items = fields.list(list_key);
    let list = items.map(|items| lists::read_timeframes(&fields, list_key, items));

    let is_list_complete = list.as_ref().is_none_or(|list| list.is_complete);
    let listed_values = list.map(|list| {
        let timeframes = list.timeframes.into_iter();
        timeframes.map(|timeframe| timeframe.value).collect()
    });
    let timeframes = SingleOrList {
        mode,
        single_key: "timeframe",
        single,
        list_key,
        list: listed_values,
    };
    let listed = timeframes.choose(&fields).unwrap_or_default();

    // The base may be written with either mode.
    let base = lists::read_timeframe(&fields, "base_timeframe");
    if mode == Some(Mode::List) && items.is_some_and(|items| items.len() < 2) {
        let message = "multi_timeframe needs at least two timeframes";
        fields.add_error(list_key, "timeframes.few", message);
    }
    let draft = DraftTimeframes {
        is_complete: is_list_complete && !listed.is_empty(),
        listed,
        base,
    };
    check_base(&fields, &draft);
    fields.finish(&[]);
    draft
}

/// Reports a base timeframe that is not listed.
fn check_base(fields: &Fields<'_>, timeframes: &DraftTimeframes) {
    let listed = &timeframes.listed;
    let Some(base) = timeframes.base.filter(|base| !listed.contains(base)) else {
        return;
    };

    // An unknown word among the timeframes may well be the base.
    if timeframes.is_complete {
        let message = format!("the base timeframe {base} is not one of the timeframes");
        let finding = fields.error_at("base_timeframe", "timeframes.base", message);
        let words = listed.iter().map(Timeframe::to_string);
        fields.sink.push(finding.allowing(&base.to_string(), words));
    }
}

/// Which of two keys a section is read from.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// The one with one value.
    Single,
    /// The one with a list of values.
    List,
}

/// Values that a section gives under one of two keys, and what both of them hold.
struct SingleOrList<T> {
    mode: Option<Mode>,
    single_key: &'static str,
    single: Option<Vec<T>>,
    list_key: &'static str,
    list: Option<Vec<T>>,
}

impl<T> SingleOrList<T> {
    /// The values of the key that fits the mode; the other key, or a missing one, is a finding.
    fn choose(self, fields: &Fields<'_>) -> Option<Vec<T>> {
        let expected_key;
        let values;
        let other_key;
        match self.mode {
            Some(Mode::Single) => {
                expected_key = self.single_key;
                values = self.single;
                other_key = self.list.map(|_| self.list_key);
            }
            Some(Mode::List) => {
                expected_key = self.list_key;
                values = self.list;
                other_key = self.single.map(|_| self.single_key);
            }
            // Without a mode, what the file has is taken so that it can be checked.
            None => {
                let values = self.list.or(self.single);
                return values.filter(|values| !values.is_empty());
            }
        }

        if let Some(other_key) = other_key {
            let message = format!("`{other_key}` does not fit this mode: use `{expected_key}`");
            fields.add_error(other_key, "mode.conflict", message);
        }
        if !fields.has(expected_key) {
            let message = format!("the key `{expected_key}` is missing");
            fields.add_error(expected_key, "key.missing", message);
        }
        values.filter(|values| !values.is_empty())
    }
}

/// `list`, or the other name that a file may use for it.
fn list_key(fields: &Fields<'_>, other_name: &'static str) -> &'static str {
    if fields.node("list").is_none() && fields.node(other_name).is_some() {
        other_name
    } else {
        "list"
    }
}
