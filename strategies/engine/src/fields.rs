//! Reads the keys of one mapping. Each key is asked for by name and type, and a key that nothing
//! asked for is reported as unknown: no key of a file is silently ignored.

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

    /// True when there is a finding at `path` or below it.
    fn has_finding_at(&self, path: &str) -> bool {
        let findings = self.0.borrow();
        findings.iter().any(|finding| {
            let rest = finding.path.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    pub(crate) fn into_findings(self) -> Vec<Finding> {
        self.0.into_inner()
    }
}

/// A key of an earlier grammar that has no effect any more.
#[derive(Clone, Copy)]
pub(crate) struct RetiredKey {
    key: &'static str,
    rule: &'static str,
    /// What to write instead, as the message of the finding.
    advice: &'static str,
}

impl RetiredKey {
    pub(crate) const fn new(key: &'static str, rule: &'static str, advice: &'static str) -> Self {
        Self { key, rule, advice }
    }
}

/// The keys of one mapping.
pub(crate) struct Fields<'a> {
    pub(crate) path: String,
    pub(crate) line: usize,
    /// `None` when the node is not a mapping.
    entries: Option<&'a [Entry]>,
    keys_read: RefCell<Vec<&'static str>>,
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
            keys_read: RefCell::default(),
            sink,
        }
    }

    /// The same mapping with no key read yet and another place for findings.
    pub(crate) fn unread_copy<'b>(&'b self, sink: &'b Sink) -> Fields<'b> {
        Fields {
            path: self.path.clone(),
            line: self.line,
            entries: self.entries,
            keys_read: RefCell::default(),
            sink,
        }
    }

    /// False when the node is something else, which is a finding already.
    pub(crate) fn is_mapping(&self) -> bool {
        self.entries.is_some()
    }

    /// True when the key is written.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// True when a finding is at the key or below it.
    pub(crate) fn has_finding(&self, key: &str) -> bool {
        self.sink.has_finding_at(&self.path_of(key))
    }

    /// The keys that were read so far, whether the file has them or not.
    pub(crate) fn keys_read(&self) -> Vec<&'static str> {
        self.keys_read.borrow().clone()
    }

    /// Every entry whose key was not read yet, in file order.
    pub(crate) fn unread_entries(&self) -> impl Iterator<Item = &'a Entry> {
        let keys_read = self.keys_read();
        self.entries
            .unwrap_or_default()
            .iter()
            .filter(move |entry| !keys_read.contains(&entry.key.as_str()))
    }

    /// The path of a key of this mapping.
    pub(crate) fn path_of(&self, key: &str) -> String {
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

    /// The line of a key of a mapping below this one, or of this mapping when it is absent.
    pub(crate) fn line_in_section(&self, section: &str, key: &str) -> usize {
        let entries = match self.entry(section).map(|entry| &entry.value.content) {
            Some(Content::Map(entries)) => entries.as_slice(),
            _ => &[],
        };
        entries
            .iter()
            .find(|entry| entry.key == key)
            .map_or(self.line, |entry| entry.line)
    }

    /// The node of an optional key.
    pub(crate) fn node(&self, key: &'static str) -> Option<&'a Node> {
        self.keys_read.borrow_mut().push(key);
        self.entry(key).map(|entry| &entry.value)
    }

    /// The node of a key that must be there.
    pub(crate) fn required(&self, key: &'static str) -> Option<&'a Node> {
        let node = self.node(key);
        if node.is_none() && self.is_mapping() {
            self.add_error(key, "key.missing", format!("the key `{key}` is missing"));
        }
        node
    }

    /// A mapping below this one.
    pub(crate) fn section(&self, key: &'static str) -> Option<Fields<'a>> {
        self.node(key)
            .map(|node| Fields::of(node, self.path_of(key), self.sink))
    }

    /// A mapping that must be there.
    pub(crate) fn required_section(&self, key: &'static str) -> Option<Fields<'a>> {
        self.required(key)
            .map(|node| Fields::of(node, self.path_of(key), self.sink))
    }

    /// A non-empty text.
    pub(crate) fn text(&self, key: &'static str) -> Option<&'a str> {
        let node = self.node(key)?;
        match &node.content {
            Content::Text(text) if !text.trim().is_empty() => Some(text),
            Content::Text(_) => self.refuse_value(key, "value.empty", "the text is empty"),
            _ => self.refuse_type(key, node, "a text (in quotes if it looks like a number)"),
        }
    }

    /// A non-empty text that must be there.
    pub(crate) fn required_text(&self, key: &'static str) -> Option<&'a str> {
        self.required(key).and_then(|_| self.text(key))
    }

    /// A whole number within `min..=max`.
    pub(crate) fn integer(&self, key: &'static str, min: u32, max: u32) -> Option<u32> {
        let node = self.node(key)?;
        let Content::Integer(value) = node.content else {
            return self.refuse_type(key, node, &format!("an integer from {min} to {max}"));
        };

        match u32::try_from(value) {
            Ok(value) if (min..=max).contains(&value) => Some(value),
            _ => {
                let message = format!("{value} is outside {min} to {max}");
                self.refuse_value(key, "value.range", &message)
            }
        }
    }

    /// A finite number for which `is_legal` holds; `expected` says in words what that is.
    pub(crate) fn number(
        &self,
        key: &'static str,
        expected: &str,
        is_legal: impl Fn(f64) -> bool,
    ) -> Option<f64> {
        let node = self.node(key)?;
        let Some(value) = number_of(&node.content) else {
            return self.refuse_type(key, node, expected);
        };

        // YAML can write .nan and .inf, so every number is checked for finiteness.
        if value.is_finite() && is_legal(value) {
            return Some(value);
        }
        self.refuse_value(key, "value.range", &format!("{value} is not {expected}"))
    }

    /// A number above 0.
    pub(crate) fn positive_number(&self, key: &'static str, expected: &str) -> Option<f64> {
        self.number(key, expected, |value| value > 0.0)
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self, key: &'static str) -> Option<bool> {
        let node = self.node(key)?;
        match node.content {
            Content::Boolean(value) => Some(value),
            _ => self.refuse_type(key, node, "true or false"),
        }
    }

    /// One of a few words, each with its meaning.
    pub(crate) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let node = self.node(key)?;
        let names = words.iter().map(|(name, _)| *name);
        let Content::Text(text) = &node.content else {
            let finding = wrong_type(&self.path_of(key), node, "one of these words");
            self.sink.push(finding.allowing("", names));
            return None;
        };

        let word = words.iter().find(|(name, _)| name == text);
        if word.is_none() {
            let message = format!("`{text}` is not one of the allowed words");
            let finding = Finding::error(self.path_of(key), node.line, "value.unknown", message);
            self.sink.push(finding.allowing(text, names));
        }
        word.map(|(_, meaning)| *meaning)
    }

    /// One of a few words, at a key that must be there.
    pub(crate) fn required_word<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Option<T> {
        self.required(key).and_then(|_| self.word(key, words))
    }

    /// A list; other content is a finding.
    pub(crate) fn list(&self, key: &'static str) -> Option<&'a [Node]> {
        let node = self.node(key)?;
        match &node.content {
            Content::List(items) => Some(items),
            _ => self.refuse_type(key, node, "a list"),
        }
    }

    /// A list that must be there.
    pub(crate) fn required_list(&self, key: &'static str) -> Option<&'a [Node]> {
        self.required(key).and_then(|_| self.list(key))
    }

    /// Reports every key that was not read: retired ones with what to write instead, all others as
    /// unknown.
    pub(crate) fn finish(self, retired_keys: &[RetiredKey]) {
        // A key may be read more than once, in any order.
        let mut known_keys = self.keys_read();
        known_keys.sort_unstable();
        known_keys.dedup();

        // Every key that could be meant is offered, also those that the file has already.
        for entry in self.unread_entries() {
            let path = self.path_of(&entry.key);
            let retired = retired_keys.iter().find(|retired| retired.key == entry.key);
            self.sink.push(match retired {
                Some(retired) => Finding::error(path, entry.line, retired.rule, retired.advice),
                None => Finding::error(path, entry.line, "key.unknown", "unknown key")
                    .allowing(&entry.key, &known_keys),
            });
        }
    }

    /// An error at a key of this mapping, which the caller may extend before it reports it.
    pub(crate) fn error_at(
        &self,
        key: &str,
        rule: &'static str,
        message: impl Into<String>,
    ) -> Finding {
        Finding::error(self.path_of(key), self.line_of(key), rule, message)
    }

    /// Reports an error at a key of this mapping.
    pub(crate) fn add_error(&self, key: &str, rule: &'static str, message: impl Into<String>) {
        self.sink.push(self.error_at(key, rule, message));
    }

    /// Reports an error of this mapping as a whole.
    pub(crate) fn add_own_error(&self, rule: &'static str, message: impl Into<String>) {
        self.sink
            .push(Finding::error(&self.path, self.line, rule, message));
    }

    fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.entries
            .unwrap_or_default()
            .iter()
            .find(|entry| entry.key == key)
    }

    fn refuse_value<T>(&self, key: &str, rule: &'static str, message: &str) -> Option<T> {
        self.add_error(key, rule, message);
        None
    }

    fn refuse_type<T>(&self, key: &str, node: &Node, expected: &str) -> Option<T> {
        self.sink
            .push(wrong_type(&self.path_of(key), node, expected));
        None
    }
}

/// The finding for a value of another kind than the grammar expects.
pub(crate) fn wrong_type(path: &str, node: &Node, expected: &str) -> Finding {
    let message = format!("expected {expected}, found {}", node.content.kind());
    Finding::error(path, node.line, "value.type", message)
}

/// The value of a number, whole or not.
pub(crate) fn number_of(content: &Content) -> Option<f64> {
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
