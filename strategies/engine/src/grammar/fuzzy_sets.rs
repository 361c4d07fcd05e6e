//! The `fuzzy_sets` section: each entry an output of an indicator, and membership functions by
//! name.

use super::drafts::{IndicatorDraft, SetDraft};
use super::entries::{check_id, read_entries, resolve_output};
use crate::fields::{Fields, Sink, number_of, wrong_type};
use crate::finding::Finding;
use crate::fuzzy::{Membership, MembershipError};
use crate::yaml::{Content, Entry, Node};

pub(super) fn read_fuzzy_sets<'a>(
    section: &Fields<'a>,
    indicators: Option<&[IndicatorDraft<'_>]>,
) -> Vec<SetDraft<'a>> {
    read_entries(section)
        .into_iter()
        .map(|entry| read_fuzzy_set(section, entry, indicators))
        .collect()
}

fn read_fuzzy_set<'a>(
    section: &Fields<'a>,
    entry: &'a Entry,
    indicators: Option<&[IndicatorDraft<'_>]>,
) -> SetDraft<'a> {
    check_id(section, entry);
    let fields = Fields::of(&entry.value, section.path_of(&entry.key), section.sink);
    let reference = fields.required_text("indicator");
    let of = reference.and_then(|text| resolve_output(&fields, "indicator", text, indicators));

    // Every other key is a member, whatever its name.
    let members: Vec<(String, Option<Membership>)> = fields
        .unread_entries()
        .map(|member| (member.key.clone(), read_member(&fields, member)))
        .collect();
    if members.is_empty() && fields.is_mapping() {
        section.add_error(
            &entry.key,
            "fuzzy_set.empty",
            "the set has no membership function",
        );
    }

    SetDraft {
        id: &entry.key,
        reference,
        of,
        members,
        line: entry.line,
    }
}

/// A membership function: `[a, b, c]` is a triangle, anything else is `{type, parameters}`.
fn read_member(set: &Fields<'_>, member: &Entry) -> Option<Membership> {
    check_id(set, member);
    let path = set.path_of(&member.key);

    // A bare list has no type: it is the simplest function, a triangle.
    match &member.value.content {
        Content::List(items) => {
            let place = Place {
                path,
                line: member.line,
            };
            let triangle = WrittenMembership {
                type_name: "triangular",
                numbers: read_numbers(set.sink, &place.path, items),
                type_place: place.clone(),
                numbers_place: place,
            };
            triangle.build(set.sink)
        }
        Content::Map(_) => read_typed_member(Fields::of(&member.value, path, set.sink)),
        _ => {
            let expected = "a membership function: [a, b, c] or {type, parameters}";
            set.sink.push(wrong_type(&path, &member.value, expected));
            None
        }
    }
}

fn read_typed_member(fields: Fields<'_>) -> Option<Membership> {
    let type_name = fields.required_text("type");
    let items = fields.required_list("parameters");

    // Places are noted before `finish`, which consumes the fields.
    let type_place = Place::of(&fields, "type");
    let numbers_place = Place::of(&fields, "parameters");
    let numbers = items.and_then(|items| read_numbers(fields.sink, &numbers_place.path, items));
    let sink = fields.sink;
    fields.finish(&[]);

    let written = WrittenMembership {
        type_name: type_name?,
        type_place,
        numbers,
        numbers_place,
    };
    written.build(sink)
}

/// The numbers of a list; `None` when one of its items is not a number.
fn read_numbers(sink: &Sink, path: &str, items: &[Node]) -> Option<Vec<f64>> {
    let numbers = items.iter().enumerate().map(|(index, item)| {
        let number = number_of(&item.content);
        if number.is_none() {
            sink.push(wrong_type(&format!("{path}[{index}]"), item, "a number"));
        }
        number
    });

    // Collected twice: every item is checked before the first bad one makes the list unusable.
    numbers.collect::<Vec<_>>().into_iter().collect()
}

/// Where a finding belongs.
#[derive(Clone)]
struct Place {
    path: String,
    line: usize,
}

impl Place {
    fn of(fields: &Fields<'_>, key: &str) -> Self {
        Self {
            path: fields.path_of(key),
            line: fields.line_of(key),
        }
    }

    fn error(&self, rule: &'static str, message: String) -> Finding {
        Finding::error(&self.path, self.line, rule, message)
    }
}

/// A membership function as the file has it, not checked yet.
struct WrittenMembership<'a> {
    type_name: &'a str,
    type_place: Place,
    /// `None` when they could not be read.
    numbers: Option<Vec<f64>>,
    numbers_place: Place,
}

impl WrittenMembership<'_> {
    /// The function, if it is one; every reason why it is not is reported.
    fn build(self, sink: &Sink) -> Option<Membership> {
        for problem in Membership::problems(self.type_name, self.numbers.as_deref()) {
            let finding = self.finding_of(&problem);
            sink.push(finding);
        }
        Membership::new(self.type_name, &self.numbers?).ok()
    }

    fn finding_of(&self, problem: &MembershipError) -> Finding {
        if let MembershipError::UnknownType { .. } = problem {
            let finding = self.type_place.error("value.unknown", problem.to_string());
            return finding.allowing(self.type_name, Membership::type_names());
        }

        // Findings have no hint of their own, and a wrong function often needs one.
        let message = format!("{problem}; {}", problem.hint());
        self.numbers_place.error("membership.invalid", message)
    }
}
