//! Another value in the text of a strategy: everything else stays as it was written, comments
//! included.

use saphyr_parser::{Event, Parser, Span};
use schemas::spelling::nearest_name;

use crate::yaml::parse;

/// Why a value cannot be put into a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is not YAML.
    #[error("the strategy cannot be read as YAML: {0}")]
    Syntax(String),
    /// No value stands at this path.
    #[error("the strategy has no key `{path}`{}", describe_nearest(.nearest.as_deref()))]
    UnknownKey {
        /// As it was asked for.
        path: String,
        /// The path that looks most like it.
        nearest: Option<String>,
    },
    /// The new text would be another document than the old one with this value.
    #[error("`{value}` cannot stand as the value of `{path}`")]
    Value {
        /// Where it was to stand.
        path: String,
        /// As it was written.
        value: String,
    },
}

fn describe_nearest(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| {
        format!("; did you mean `{nearest}`?")
    })
}

/// `text` with `value`, in the words of a file, at `path`: keys between dots, items of lists by
/// their index, as in `model.architecture.hidden_layers` or `nn_inputs[0].timeframes`.
///
/// # Errors
/// The text is not YAML, has no such path, or the value does not fit on its place.
pub fn with_value(text: &str, path: &str, value: &str) -> Result<String, EditError> {
    let values = find_values(text)?;
    let place = values.iter().find(|place| place.path == path);
    let place = place.ok_or_else(|| EditError::UnknownKey {
        path: path.to_owned(),
        nearest: nearest_name(path, values.iter().map(|place| place.path.as_str()))
            .map(str::to_owned),
    })?;

    // Positions of the parser count characters.
    let before: String = text.chars().take(place.start).collect();
    let after: String = text.chars().skip(place.end).collect();
    let edited = format!("{before}{value}{after}");

    // A value with a line break in it could be a value and something else.
    let alone = parse(value, &mut Vec::new());
    let is_value = alone.is_some_and(|alone| alone.is_like_at(&edited, path));
    if !is_value || has_other_paths(&edited, &values, path) {
        return Err(EditError::Value {
            path: path.to_owned(),
            value: value.to_owned(),
        });
    }
    Ok(edited)
}

/// True if anything but the value at `path` has come or gone.
fn has_other_paths(edited: &str, before: &[PlacedValue], path: &str) -> bool {
    let Ok(after) = find_values(edited) else {
        return true;
    };

    let is_outside = |place: &&PlacedValue| !is_at_or_below(&place.path, path);
    let before = before.iter().filter(is_outside).map(|place| &place.path);
    let after = after.iter().filter(is_outside).map(|place| &place.path);
    !before.eq(after)
}

fn is_at_or_below(path: &str, parent: &str) -> bool {
    let rest = path.strip_prefix(parent);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Where a value stands in a text, in characters.
struct PlacedValue {
    path: String,
    start: usize,
    end: usize,
}

/// A collection that is still open.
struct OpenCollection {
    path: String,
    start: usize,
    /// True between brackets, false on lines of its own.
    is_flow: bool,
    /// The key whose value comes next; none in a list, and before a key.
    key: Option<String>,
    /// Items of a list so far; none in a mapping.
    items: Option<usize>,
}

impl OpenCollection {
    /// The path of the value that comes next; none where a key comes next.
    fn next_path(&self) -> Option<String> {
        match (self.items, &self.key) {
            (Some(items), _) => Some(format!("{}[{items}]", self.path)),
            (None, Some(key)) if self.path.is_empty() => Some(key.clone()),
            (None, Some(key)) => Some(format!("{}.{key}", self.path)),
            (None, None) => None,
        }
    }

    fn note_value(&mut self) {
        self.key = None;
        self.items = self.items.map(|items| items + 1);
    }
}

/// The values of a document with their paths, inner ones before those around them.
#[derive(Default)]
struct Places {
    open: Vec<OpenCollection>,
    values: Vec<PlacedValue>,
    /// End of the last scalar or bracket.
    last_end: usize,
}

impl Places {
    fn add_scalar(&mut self, text: &str, span: Span) {
        self.last_end = span.end.index();
        let Some(parent) = self.open.last_mut() else {
            return;
        };

        match parent.next_path() {
            None => parent.key = Some(text.to_owned()),
            Some(path) => {
                parent.note_value();
                self.values.push(PlacedValue {
                    path,
                    start: span.start.index(),
                    end: span.end.index(),
                });
            }
        }
    }

    fn open(&mut self, span: Span, is_flow: bool, items: Option<usize>) {
        let path = self.open.last().and_then(OpenCollection::next_path);
        self.open.push(OpenCollection {
            path: path.unwrap_or_default(),
            start: span.start.index(),
            is_flow,
            key: None,
            items,
        });
    }

    /// Ends a collection. One in brackets ends behind its bracket, any other with its last value:
    /// the parser notices its end only at what comes after it.
    fn close(&mut self, span: Span) {
        let Some(closed) = self.open.pop() else {
            return;
        };
        if closed.is_flow {
            self.last_end = span.start.index() + 1;
        }

        if let Some(parent) = self.open.last_mut() {
            parent.note_value();
            self.values.push(PlacedValue {
                path: closed.path,
                start: closed.start,
                end: self.last_end,
            });
        }
    }
}

fn find_values(text: &str) -> Result<Vec<PlacedValue>, EditError> {
    let chars: Vec<char> = text.chars().collect();
    let begins = |span: &Span, bracket: char| chars.get(span.start.index()) == Some(&bracket);
    let mut places = Places::default();

    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| EditError::Syntax(error.to_string()))?;
        match event {
            Event::Scalar(text, ..) => places.add_scalar(&text, span),
            Event::SequenceStart(..) => places.open(span, begins(&span, '['), Some(0)),
            Event::MappingStart(..) => places.open(span, begins(&span, '{'), None),
            Event::SequenceEnd | Event::MappingEnd => places.close(span),
            _ => {}
        }
    }
    Ok(places.values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{STARTER, Strategy};

    const TEXT: &str = "name: é_x # kept
model:
  architecture: # layers
    hidden_layers: [32, 16]  # two
    dropout: 0.2
    rule: # a mapping
      patience: 3
symbols:
  - EURUSD # first
  - SPY
# end
";

    #[test]
    fn only_the_value_changes() {
        let edited = with_value(TEXT, "model.architecture.hidden_layers", "[64]").unwrap();
        assert_eq!(edited, TEXT.replace("[32, 16]", "[64]"));

        let edited = with_value(TEXT, "symbols[1]", "AAPL").unwrap();
        assert_eq!(edited, TEXT.replace("SPY", "AAPL"));
        let edited = with_value(TEXT, "model.architecture.hidden_layers[1]", "8").unwrap();
        assert_eq!(edited, TEXT.replace("16", "8"));
    }

    #[test]
    fn a_list_of_lines_and_a_mapping_are_values_too() {
        let edited = with_value(TEXT, "symbols", "[AAPL, MSFT]").unwrap();
        assert!(
            edited.ends_with("symbols:\n  [AAPL, MSFT]\n# end\n"),
            "{edited}"
        );

        let edited = with_value(TEXT, "model.architecture.rule", "{patience: 5}").unwrap();
        assert!(edited.contains("      {patience: 5}\nsymbols:"), "{edited}");
    }

    #[test]
    fn a_key_that_is_not_there_is_answered_with_the_nearest() {
        let error = with_value(TEXT, "model.architecture.hiden_layers", "[1]").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the strategy has no key `model.architecture.hiden_layers`; did you mean \
             `model.architecture.hidden_layers`?"
        );
    }

    #[test]
    fn a_value_that_would_say_something_else_is_refused() {
        for value in ["0.1\nother: 2", "[1", "a: b", "0.1\n    seed: 3", ""] {
            let edited = with_value(TEXT, "model.architecture.dropout", value);
            assert!(edited.is_err(), "{value:?}: {edited:?}");
        }
    }

    #[test]
    fn every_value_of_the_starter_can_be_written_again() {
        for place in find_values(STARTER).unwrap() {
            let chars = STARTER.chars().skip(place.start);
            let value: String = chars.take(place.end - place.start).collect();
            if !value.contains(['\n', '#']) {
                assert_eq!(with_value(STARTER, &place.path, &value).unwrap(), STARTER);
            }
        }

        let edited = with_value(STARTER, "model.architecture.dropout", "0.35").unwrap();
        Strategy::parse(&edited).unwrap();
    }
}
