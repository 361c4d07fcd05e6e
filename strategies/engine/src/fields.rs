//! The typed reader of one mapping: each key is asked for once, and what nobody asked for is an
//! unknown key.

use std::cell::RefCell;

use crate::finding::Finding;
use crate::yaml::{Content, Entry, Node};

/// Findings that are collected while several readers are alive.
#[derive(Default)]
pub(crate) struct Sink(RefCell<Vec<Finding>>);

impl Sink {
    pub(crate) fn push(&self, finding: Finding) {
        self.0.borrow_mut().push(finding);
    }

    pub(crate) fn into_inner(self) -> Vec<Finding> {
        self.0.into_inner()
    }
}

/// A key of an earlier grammar that has no effect here, and what to do instead.
pub(crate) type Retired = (&'static str, &'static str, &'static str);

/// The keys of one mapping.
pub(crate) struct Fields<'a> {
    pub(crate) path: String,
    pub(crate) line: usize,
    entries: Option<&'a [Entry]>,
    asked: RefCell<Vec<&'static str>>,
    pub(crate) sink: &'a Sink,
}

impl<'a> Fields<'a> {
    /// Reads `node`, which must be a mapping; anything else is a finding and reads as an empty
    /// mapping.
    pub(crate) fn of(node: &'a Node, path: impl Into<String>, sink: &'a Sink) -> Self {
        let path = path.into();
        let entries = match &node.content {
            Content::Map(entries) => Some(entries.as_slice()),
            _ => {
                sink.push(wrong_type(&path, node, "a mapping"));
                None
            }
        };
        Self {
            path,
            line: node.line,
            entries,
            asked: RefCell::default(),
            sink,
        }
    }

    /// False when the node was something else, which is a finding already.
    pub(crate) fn is_mapping(&self) -> bool {
        self.entries.is_some()
    }

    /// The same mapping, of which nothing has been asked yet, with another place for findings.
    pub(crate) fn mirrored<'b>(&'b self, sink: &'b Sink) -> Fields<'b> {
        Fields {
            path: self.path.clone(),
            line: self.line,
            entries: self.entries,
            asked: RefCell::default(),
            sink,
        }
    }

    /// The keys that were asked for so far.
    pub(crate) fn asked(&self) -> Vec<&'static str> {
        self.asked.borrow().clone()
    }

    fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.entries
            .unwrap_or_default()
            .iter()
            .find(|entry| entry.key == key)
    }

    /// The line of a key of a mapping below this one.
    pub(crate) fn section_line(&self, section: &str, key: &str) -> usize {
        let Some(Content::Map(entries)) = self.entry(section).map(|entry| &entry.value.content)
        else {
            return self.line;
        };
        entries
            .iter()
            .find(|entry| entry.key == key)
            .map_or(self.line, |entry| entry.line)
    }

    /// The path of a key below this mapping.
    pub(crate) fn at(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The line of a key, or of the mapping when it is absent.
    pub(crate) fn line_of(&self, key: &str) -> usize {
        self.entry(key).map_or(self.line, |entry| entry.line)
    }

    /// Every key that was not asked for yet, in file order.
    pub(crate) fn rest(&self) -> impl Iterator<Item = &'a Entry> {
        let asked = self.asked();
        self.entries
            .unwrap_or_default()
            .iter()
            .filter(move |entry| !asked.contains(&entry.key.as_str()))
    }

    /// True when the key is written.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// The node of an optional key.
    pub(crate) fn node(&self, key: &'static str) -> Option<&'a Node> {
        self.asked.borrow_mut().push(key);
        self.entry(key).map(|entry| &entry.value)
    }

    /// The node of a key that must be there.
    pub(crate) fn required(&self, key: &'static str) -> Option<&'a Node> {
        let node = self.node(key);
        if node.is_none() && self.is_mapping() {
            self.finding(key, "key.missing", format!("the key `{key}` is missing"));
        }
        node
    }

    /// A mapping below this one.
    pub(crate) fn section(&self, key: &'static str) -> Option<Fields<'a>> {
        self.node(key)
            .map(|node| Fields::of(node, self.at(key), self.sink))
    }

    /// A mapping that must be there.
    pub(crate) fn required_section(&self, key: &'static str) -> Option<Fields<'a>> {
        self.required(key)
            .map(|node| Fields::of(node, self.at(key), self.sink))
    }

    /// A non-empty text.
    pub(crate) fn text(&self, key: &'static str) -> Option<&'a str> {
        let node = self.node(key)?;
        match &node.content {
            Content::Text(text) if !text.trim().is_empty() => Some(text),
            Content::Text(_) => self.refuse(key, "value.empty", "the text is empty"),
            _ => self.wrong(key, node, "a text (in quotes if it looks like a number)"),
        }
    }

    /// A whole number within `min..=max`.
    pub(crate) fn integer(&self, key: &'static str, min: u32, max: u32) -> Option<u32> {
        let node = self.node(key)?;
        let Content::Integer(value) = node.content else {
            return self.wrong(key, node, &format!("an integer from {min} to {max}"));
        };
        let legal = u32::try_from(value)
            .ok()
            .filter(|value| (min..=max).contains(value));
        legal.or_else(|| {
            self.refuse(
                key,
                "value.range",
                &format!("{value} is outside {min} to {max}"),
            )
        })
    }

    /// A finite number for which `legal` holds; `wanted` says in words what that is.
    pub(crate) fn number(
        &self,
        key: &'static str,
        wanted: &str,
        legal: impl Fn(f64) -> bool,
    ) -> Option<f64> {
        let node = self.node(key)?;
        let Some(value) = number(&node.content) else {
            return self.wrong(key, node, wanted);
        };
        if value.is_finite() && legal(value) {
            return Some(value);
        }
        self.refuse(key, "value.range", &format!("{value} is not {wanted}"))
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self, key: &'static str) -> Option<bool> {
        let node = self.node(key)?;
        match node.content {
            Content::Boolean(value) => Some(value),
            _ => self.wrong(key, node, "true or false"),
        }
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let node = self.node(key)?;
        let Content::Text(text) = &node.content else {
            let finding = wrong_type(&self.at(key), node, "one of a few words");
            self.sink
                .push(finding.allowing("", words.iter().map(|(name, _)| *name)));
            return None;
        };
        let found = words
            .iter()
            .find(|(name, _)| name == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let finding = Finding::error(
                self.at(key),
                node.line,
                "value.unknown",
                format!("`{text}` is not known here"),
            );
            self.sink
                .push(finding.allowing(text, words.iter().map(|(name, _)| *name)));
        }
        found
    }

    /// True, with a finding, when the key holds one of the words that name something not built yet.
    pub(crate) fn is_unsupported(
        &self,
        key: &str,
        words: &[&str],
        rule: &'static str,
        message: &str,
    ) -> bool {
        let text = self.entry(key).map(|entry| &entry.value.content);
        let found = matches!(text, Some(Content::Text(text)) if words.contains(&text.as_str()));
        if found {
            self.finding(key, rule, message);
        }
        found
    }

    /// A list; other content is a finding.
    pub(crate) fn list(&self, key: &'static str) -> Option<&'a [Node]> {
        let node = self.node(key)?;
        match &node.content {
            Content::List(items) => Some(items),
            _ => self.wrong(key, node, "a list"),
        }
    }

    /// Reports what nobody asked for: keys of `retired` with where they belong now, all others as
    /// unknown.
    pub(crate) fn finish(self, retired: &[Retired]) {
        let mut asked = self.asked();
        asked.sort_unstable();
        asked.dedup();
        for entry in self.rest() {
            let place = self.at(&entry.key);
            let finding = match retired.iter().find(|(key, ..)| *key == entry.key) {
                Some((_, rule, message)) => Finding::error(place, entry.line, rule, *message),
                None => Finding::error(place, entry.line, "key.unknown", "unknown key")
                    .allowing(&entry.key, &asked),
            };
            self.sink.push(finding);
        }
    }

    /// Adds an error at a key of this mapping.
    pub(crate) fn finding(&self, key: &str, rule: &'static str, message: impl Into<String>) {
        self.sink.push(Finding::error(
            self.at(key),
            self.line_of(key),
            rule,
            message,
        ));
    }

    fn refuse<T>(&self, key: &str, rule: &'static str, message: &str) -> Option<T> {
        self.finding(key, rule, message);
        None
    }

    fn wrong<T>(&self, key: &str, node: &Node, wanted: &str) -> Option<T> {
        self.sink.push(wrong_type(&self.at(key), node, wanted));
        None
    }
}

/// The finding for a value of another kind than the grammar wants.
pub(crate) fn wrong_type(path: &str, node: &Node, wanted: &str) -> Finding {
    let message = format!("this is {} and must be {wanted}", node.content.kind());
    Finding::error(path, node.line, "value.type", message)
}

/// A number, whole or not.
pub(crate) fn number(content: &Content) -> Option<f64> {
    match content {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a parameter beyond 2^53 is refused by its bounds"
        )]
        Content::Integer(value) => Some(*value as f64),
        Content::Float(value) => Some(*value),
        _ => None,
    }
}
