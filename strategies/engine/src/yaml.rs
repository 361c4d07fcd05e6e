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
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in file order, without repeated keys.
    Map(Vec<Entry>),
}

impl Content {
    /// The kind in a reader's words.
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
    key: Option<(String, usize)>,
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
        let step = match event {
            Ok((event, span)) => tree.take(event, span),
            Err(error) => refuse(error.marker().line(), "yaml.syntax", error.info()),
        };
        if let Err(finding) = step {
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

struct Tree<'a> {
    open: Vec<Open>,
    root: Option<Node>,
    findings: &'a mut Vec<Finding>,
}

impl Tree<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Box<Finding>> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, _, tag) => {
                let content = match Scalar::parse_from_cow_and_metadata(text, style, tag.as_ref()) {
                    Some(Scalar::Null) => Content::Null,
                    Some(Scalar::Boolean(value)) => Content::Boolean(value),
                    Some(Scalar::Integer(value)) => Content::Integer(value),
                    Some(Scalar::FloatingPoint(value)) => Content::Float(value.into_inner()),
                    Some(Scalar::String(value)) => Content::Text(value.into_owned()),
                    None => return refuse(line, "yaml.tag", "the value does not fit its tag"),
                };
                self.place(Node { line, content })
            }
            Event::SequenceStart(..) => self.begin(Node {
                line,
                content: Content::List(Vec::new()),
            }),
            Event::MappingStart(..) => self.begin(Node {
                line,
                content: Content::Map(Vec::new()),
            }),
            Event::SequenceEnd | Event::MappingEnd => self
                .open
                .pop()
                .map_or(Ok(()), |finished| self.place(finished.node)),
            Event::Alias(_) => refuse(
                line,
                "yaml.alias",
                "aliases are not supported: write the value out",
            ),
            Event::DocumentStart(_) if self.root.is_some() => refuse(
                line,
                "yaml.documents",
                "the file holds more than one document",
            ),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, node: Node) -> Result<(), Box<Finding>> {
        if self.open.len() == DEPTH_MAX {
            return refuse(
                node.line,
                "yaml.depth",
                &format!("nested deeper than {DEPTH_MAX} levels"),
            );
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
        match (&mut parent.node.content, parent.key.take()) {
            (Content::List(items), _) => items.push(node),
            (Content::Map(_), None) => {
                let Some(key) = key_text(&node.content) else {
                    return Err(Box::new(Finding::error(
                        path,
                        node.line,
                        "yaml.key",
                        "a key must be a plain word",
                    )));
                };
                parent.key = Some((key, node.line));
            }
            (Content::Map(entries), Some((key, line))) => {
                if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                    let place = if path.is_empty() {
                        key
                    } else {
                        format!("{path}.{key}")
                    };
                    let message = format!("the key was already given on line {}", first.line);
                    self.findings
                        .push(Finding::error(place, line, "key.duplicate", message));
                } else {
                    entries.push(Entry {
                        key,
                        line,
                        value: node,
                    });
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The keys that lead to the innermost open collection.
    fn path(&self) -> String {
        let parents = self.open.iter().take(self.open.len().saturating_sub(1));
        parents.fold(String::new(), |path, open| {
            match (&open.node.content, &open.key) {
                (Content::List(items), _) => format!("{path}[{}]", items.len()),
                (_, Some((key, _))) if path.is_empty() => key.clone(),
                (_, Some((key, _))) => format!("{path}.{key}"),
                _ => path,
            }
        })
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
