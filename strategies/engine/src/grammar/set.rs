//! The `fuzzy_sets` section: each entry an output of an indicator, and membership functions by
//! name.

use super::indicator::IndicatorDraft;
use super::inputs::{check_id, entries, resolve};
use crate::fields::{Fields, number, wrong_type};
use crate::finding::Finding;
use crate::fuzzy::{Membership, MembershipError};
use crate::strategy::{FuzzySet, OutputRef};
use crate::yaml::{Content, Entry};

/// A fuzzy set as far as it could be read.
pub(super) struct SetDraft<'a> {
    pub(super) id: &'a str,
    /// What it says it is of.
    pub(super) reference: Option<&'a str>,
    pub(super) of: Option<OutputRef>,
    pub(super) members: Vec<(String, Option<Membership>)>,
    pub(super) line: usize,
}

impl SetDraft<'_> {
    /// The set, if it could be read.
    pub(super) fn finished(self) -> Option<FuzzySet> {
        let members = self
            .members
            .into_iter()
            .map(|(name, function)| Some((name, function?)))
            .collect::<Option<_>>()?;
        Some(FuzzySet {
            id: self.id.to_owned(),
            of: self.of?,
            members,
            line: self.line,
        })
    }
}

pub(super) fn read<'a>(
    section: &Fields<'a>,
    indicators: Option<&[IndicatorDraft<'_>]>,
) -> Vec<SetDraft<'a>> {
    let read = entries(section).into_iter().map(|entry| {
        check_id(section, entry);
        let fields = Fields::of(&entry.value, section.at(&entry.key), section.sink);
        let reference = fields
            .required("indicator")
            .and_then(|_| fields.text("indicator"));
        let of = reference.and_then(|text| resolve(&fields, "indicator", text, indicators));
        let members: Vec<(String, Option<Membership>)> = fields
            .rest()
            .map(|member| (member.key.clone(), membership(&fields, member)))
            .collect();
        if members.is_empty() && fields.is_mapping() {
            section.finding(
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
    });
    read.collect()
}

/// A membership function: `[a, b, c]` is a triangle, anything else is `{type, parameters}`.
fn membership(set: &Fields<'_>, member: &Entry) -> Option<Membership> {
    check_id(set, member);
    let path = set.at(&member.key);
    match &member.value.content {
        Content::List(items) => {
            let numbers = numbers(set, &path, items);
            function(
                set,
                ("triangular", (&path, member.line)),
                (numbers, (&path, member.line)),
            )
        }
        Content::Map(_) => {
            let fields = Fields::of(&member.value, path, set.sink);
            let kind = fields.required("type").and_then(|_| fields.text("type"));
            let items = fields
                .required("parameters")
                .and_then(|_| fields.list("parameters"));
            let (at_type, at_numbers) = (fields.at("type"), fields.at("parameters"));
            let numbers = items.and_then(|items| numbers(set, &at_numbers, items));
            let (type_line, line) = (fields.line_of("type"), fields.line_of("parameters"));
            fields.finish(&[]);
            function(
                set,
                (kind?, (&at_type, type_line)),
                (numbers, (&at_numbers, line)),
            )
        }
        _ => {
            set.sink.push(wrong_type(
                &path,
                &member.value,
                "a membership function: [a, b, c] or {type, parameters}",
            ));
            None
        }
    }
}

fn numbers(set: &Fields<'_>, path: &str, items: &[crate::yaml::Node]) -> Option<Vec<f64>> {
    let read = items.iter().enumerate().map(|(index, item)| {
        let value = number(&item.content);
        if value.is_none() {
            set.sink
                .push(wrong_type(&format!("{path}[{index}]"), item, "a number"));
        }
        value
    });
    // Every item is looked at before the first bad one makes the list unusable.
    read.collect::<Vec<_>>().into_iter().collect()
}

/// A type and its numbers, each with its place.
fn function(
    set: &Fields<'_>,
    (kind, at_kind): (&str, (&str, usize)),
    (numbers, at_numbers): (Option<Vec<f64>>, (&str, usize)),
) -> Option<Membership> {
    let problems = Membership::problems(kind, numbers.as_deref());
    for problem in &problems {
        let finding =
            |(path, line): (&str, usize), rule, message| Finding::error(path, line, rule, message);
        set.sink.push(match problem {
            MembershipError::UnknownType { .. } => {
                finding(at_kind, "value.unknown", problem.to_string())
                    .allowing(kind, Membership::type_names())
            }
            _ => finding(
                at_numbers,
                "membership.invalid",
                format!("{problem}; {}", problem.hint()),
            ),
        });
    }
    Membership::new(kind, &numbers?).ok()
}
