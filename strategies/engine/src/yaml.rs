//! A YAML 1.2 document as a tree whose every node and key knows its line. Repeated keys become
//! findings, not losses.

use saphyr::Scalar;
use saphyr_parser::{Event, Parser, Span};

use crate::finding::Finding;

/// Largest strategy text that is read: it travels inside the operation.
pub const TEXT_BYTES_MAX: usize = 32 * 1024;

/// Deepest nesting that is read; the grammar needs six levels.
const DEPTH_MAX: usize = 16;

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number, infinities included.
    Float(f64),
    /// Everything else, and everything in quotes.
    Text(String),
    /// A sequence of values.
    List(Vec<Node>),
    /// A mapping in file order, without repeated keys.
    Map(Vec<Entry>),
}

impl Content {
    /// What the author of a file would call it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// A value and where it starts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) content: Content,
}

impl Node {
    /// True if `text` holds a value equal to this one at `path`, wherever its lines are.
    pub(crate) fn is_like_at(&self, text: &str, path: &str) -> bool {
        let root = parse(text, &mut Vec::new());
        let place = root.as_ref().and_then(|root| root.at(path));
        place.is_some_and(|place| place.is_like(self))
    }

    /// The node at `path`: keys between dots, items of lists by their index in brackets.
    fn at(&self, path: &str) -> Option<&Self> {
        let words = path.split(['.', '[']);
        words.into_iter().try_fold(self, |node, word| {
            let index = word.strip_suffix(']').and_then(|index| index.parse().ok());
            match (&node.content, index) {
                (Content::List(items), Some(index)) => items.get::<usize>(index),
                (Content::Map(entries), None) => {
                    let entry = entries.iter().find(|entry| entry.key == word);
                    entry.map(|entry| &entry.value)
                }
                _ => None,
            }
        })
    }

    fn is_like(&self, other: &Self) -> bool {
        match (&self.content, &other.content) {
            (Content::List(ours), Content::List(theirs)) => {
                let pairs = ours.iter().zip(theirs);
                ours.len() == theirs.len() && pairs.into_iter().all(|(a, b)| a.is_like(b))
            }
            (Content::Map(ours), Content::Map(theirs)) => {
                let mut pairs = ours.iter().zip(theirs);
                let is_equal =
                    |(a, b): (&Entry, &Entry)| a.key == b.key && a.value.is_like(&b.value);
                ours.len() == theirs.len() && pairs.all(is_equal)
            }
            (ours, theirs) => ours == theirs,
        }
    }
}

/// One key of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) line: usize,
    pub(crate) value: Node,
}

/// A collection that is still open.
struct Open {
    node: Node,
    /// The key that waits for its value.
    key: Option<Key>,
}

struct Key {
    name: String,
    line: usize,
}

/// Reads one document. What cannot be read is a finding; a tree comes back only if the text is
/// well-formed YAML.
pub(crate) fn parse(text: &str, findings: &mut Vec<Finding>) -> Option<Node> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!(
            "the file has {} bytes; at most {TEXT_BYTES_MAX} are allowed",
            text.len()
        );
        findings.push(Finding::error("", 0, "file.size", message));
        return None;
    }

    let mut tree = Tree {
        open: Vec::new(),
        root: None,
        findings,
    };
    for event in Parser::new_from_str(text) {
        let outcome = match event {
            Ok((event, span)) => tree.add_event(event, span),
            Err(error) => refuse(error.marker().line(), "yaml.syntax", error.info()),
        };
        // What follows a fault of the text would be read at the wrong depth.
        if let Err(finding) = outcome {
            tree.findings.push(*finding);
            return None;
        }
    }

    let root = tree.root.take();
    if root.is_none() {
        findings.push(Finding::error("", 1, "yaml.empty", "the file is empty"));
    }
    root
}

/// The part of the document that has been read.
struct Tree<'a> {
    /// The collections that are still open, the innermost last.
    open: Vec<Open>,
    root: Option<Node>,
    findings: &'a mut Vec<Finding>,
}

impl Tree<'_> {
    fn add_event(&mut self, event: Event<'_>, span: Span) -> Result<(), Box<Finding>> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, _, tag) => {
                match Scalar::parse_from_cow_and_metadata(text, style, tag.as_ref()) {
                    Some(scalar) => self.place(Node {
                        line,
                        content: content_of(scalar),
                    }),
                    None => refuse(line, "yaml.tag", "the value does not fit its tag"),
                }
            }

            Event::SequenceStart(..) => self.open_collection(Node {
                line,
                content: Content::List(Vec::new()),
            }),
            Event::MappingStart(..) => self.open_collection(Node {
                line,
                content: Content::Map(Vec::new()),
            }),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(finished) => self.place(finished.node),
                None => Ok(()),
            },

            Event::Alias(_) => {
                let message = "aliases are not supported: write the value out";
                refuse(line, "yaml.alias", message)
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                let message = "the file holds more than one document";
                refuse(line, "yaml.documents", message)
            }
            _ => Ok(()),
        }
    }

    fn open_collection(&mut self, node: Node) -> Result<(), Box<Finding>> {
        if self.open.len() == DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX} levels");
            return refuse(node.line, "yaml.depth", &message);
        }
        self.open.push(Open { node, key: None });
        Ok(())
    }

    /// Puts a finished node where it belongs: as the root, a list item, a key, or the value of the
    /// waiting key.
    fn place(&mut self, node: Node) -> Result<(), Box<Finding>> {
        let path = self.path();
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };

        // In a mapping keys and values take turns.
        let waiting_key = parent.key.take();
        match (&mut parent.node.content, waiting_key) {
            (Content::List(items), _) => items.push(node),
            (Content::Map(_), None) => {
                let Some(name) = key_text(&node.content) else {
                    let message = "a key must be a plain word";
                    let finding = Finding::error(path, node.line, "yaml.key", message);
                    return Err(Box::new(finding));
                };
                parent.key = Some(Key {
                    name,
                    line: node.line,
                });
            }
            (Content::Map(entries), Some(key)) => {
                let finding = add_entry(entries, key, node, &path);
                self.findings.extend(finding);
            }
            _ => {}
        }
        Ok(())
    }

    /// The keys that lead to the innermost open collection.
    fn path(&self) -> String {
        // Without the innermost one: its key is in the collection around it.
        let parents = self.open.iter().take(self.open.len().saturating_sub(1));
        parents.fold(String::new(), |path, open| {
            match (&open.node.content, &open.key) {
                (Content::List(items), _) => format!("{path}[{}]", items.len()),
                (_, Some(key)) => join_path(&path, &key.name),
                _ => path,
            }
        })
    }
}

/// Adds an entry to a mapping. Of a repeated key the first value stays, and the finding is given
/// back.
fn add_entry(entries: &mut Vec<Entry>, key: Key, value: Node, path: &str) -> Option<Finding> {
    if let Some(first) = entries.iter().find(|entry| entry.key == key.name) {
        let path = join_path(path, &key.name);
        let message = format!("the key was already given on line {}", first.line);
        return Some(Finding::error(path, key.line, "key.duplicate", message));
    }

    entries.push(Entry {
        key: key.name,
        line: key.line,
        value,
    });
    None
}

fn join_path(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn content_of(scalar: Scalar<'_>) -> Content {
    match scalar {
        Scalar::Null => Content::Null,
        Scalar::Boolean(value) => Content::Boolean(value),
        Scalar::Integer(value) => Content::Integer(value),
        Scalar::FloatingPoint(value) => Content::Float(value.into_inner()),
        Scalar::String(value) => Content::Text(value.into_owned()),
    }
}

fn refuse(line: usize, rule: &'static str, message: &str) -> Result<(), Box<Finding>> {
    Err(Box::new(Finding::error("", line, rule, message)))
}

fn key_text(content: &Content) -> Option<String> {
    match content {
        Content::Text(text) => Some(text.clone()),
        Content::Integer(value) => Some(value.to_string()),
        Content::Float(value) => Some(value.to_string()),
        Content::Boolean(value) => Some(value.to_string()),
        Content::Null | Content::List(_) | Content::Map(_) => None,
    }
}
