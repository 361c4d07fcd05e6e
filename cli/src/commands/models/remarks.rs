//! `ktrdr models note|tag`: what people say about a version after its training.

use std::collections::BTreeMap;

use clap::Args;
use jiff::Timestamp;
use market::Utc;
use schemas::codes;
use schemas::manifests::{
    ModelManifest, ModelNote, NOTE_CHARS_MAX, TAG_VALUE_CHARS_MAX, TAGS_MAX, TagsChange,
};
use serde_json::{Value, json};
use store::{ChangeOutcome, Store};

use super::registry::open_store_to_read;
use crate::arguments::values::parse_key_and_value;
use crate::console::{Exit, Failure, print_pairs};
use crate::context::Context;
use crate::inputs::models::{ModelArgs, find_model};
use crate::inputs::stored_series::open_existing_store;

/// Longest key of a tag, in characters.
const KEY_CHARS_MAX: usize = 64;

/// How often tags are changed again, each time after a change that somebody else has made.
const OVERTAKINGS_MAX: usize = 50;

/// `ktrdr models note`.
#[derive(Clone, Debug, Args)]
pub(super) struct NoteArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// What there is to say; without it the notes about the version are listed, oldest first
    #[arg(value_parser = parse_note)]
    text: Option<String>,
}

/// `ktrdr models tag`.
#[derive(Clone, Debug, Args)]
pub(super) struct TagArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Tags that the version has from now on; one that it has gets the new value. Unlike labels,
    /// which an operation is given once with --label, tags can be changed at any time
    #[arg(value_name = "KEY=VALUE", value_parser = parse_tag)]
    tags: Vec<(String, String)>,
    /// A tag that it has no longer; may be repeated. With neither the tags are shown
    #[arg(long, value_name = "KEY")]
    remove: Vec<String>,
}

fn parse_note(text: &str) -> Result<String, String> {
    let text = text.trim();
    let length = text.chars().count();
    let is_text = length > 0 && length <= NOTE_CHARS_MAX && !text.contains(char::is_control);
    match is_text {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "a note is 1 to {NOTE_CHARS_MAX} characters, without line breaks"
        )),
    }
}

fn parse_tag(text: &str) -> Result<(String, String), String> {
    let tag = parse_key_and_value(text)?;
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    if tag.0.len() > KEY_CHARS_MAX || !tag.0.chars().all(is_allowed) {
        return Err(format!(
            "the key of a tag is 1 to {KEY_CHARS_MAX} letters, digits, _, - and ."
        ));
    }

    if tag.1.chars().count() > TAG_VALUE_CHARS_MAX || tag.1.contains(char::is_control) {
        return Err(format!(
            "the value of a tag has at most {TAG_VALUE_CHARS_MAX} characters, without line breaks"
        ));
    }
    Ok(tag)
}

/// Adds a note to a version, or lists its notes.
///
/// # Errors
/// There is no such version, or the store cannot be read or written.
pub(super) async fn note(args: &NoteArgs, context: &Context) -> Result<Exit, Failure> {
    let Some(text) = &args.text else {
        let store = open_store_to_read(context).await?;
        let model = find_model(&store, &args.model.model).await?;
        list_notes(&store, &model, context).await?;
        return Ok(Exit::Done);
    };
    let store = open_existing_store(context).await?;
    let model = find_model(&store, &args.model.model).await?;

    let note = ModelNote {
        v: ModelNote::VERSION,
        model: model.name,
        version: model.version,
        revision: 0,
        text: text.clone(),
        by: context.person()?,
        at: Timestamp::now().as_microsecond(),
    };
    let note = store.models().add_note(note).await?;
    context.output.json(&note_json(&note));
    let text = format!(
        "{}@{}: note {} is written",
        note.model, note.version, note.revision
    );
    context.output.line(&text);
    Ok(Exit::Done)
}

async fn list_notes(
    store: &Store,
    model: &ModelManifest,
    context: &Context,
) -> Result<(), Failure> {
    let notes = notes_of(store, model).await?;
    if notes.is_empty() {
        let ModelManifest { name, version, .. } = model;
        context
            .output
            .note(&format!("nobody has written a note about {name}@{version}"));
        let hint = format!("hint: `ktrdr models note {name}@{version} 'TEXT'` writes one");
        context.output.note(&hint);
        return Ok(());
    }

    let mut lines = Vec::with_capacity(notes.len());
    for note in &notes {
        context.output.json(&note_json(note));
        lines.push((note.revision.to_string(), describe_note(note)));
    }
    print_pairs(&context.output, &lines);
    Ok(())
}

/// The notes about a version, oldest first.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn notes_of(
    store: &Store,
    model: &ModelManifest,
) -> Result<Vec<ModelNote>, Failure> {
    let mut notes = store.models().notes(&model.name).await?;
    notes.retain(|note| note.version == model.version);
    Ok(notes)
}

/// `2026-03-01T00:00:00Z by ann: holds since March`.
pub(super) fn describe_note(note: &ModelNote) -> String {
    format!("{} by {}: {}", Utc(note.at), note.by, note.text)
}

/// A note as programs read it.
pub(super) fn note_json(note: &ModelNote) -> Value {
    json!({
        "type": "note",
        "model": note.model,
        "version": note.version,
        "revision": note.revision,
        "text": note.text,
        "by": note.by,
        "at": Utc(note.at).to_string(),
    })
}

/// Changes the tags of a version, or shows them.
///
/// # Errors
/// There is no such version, it has not a tag that is to be removed, or the store cannot be read or
/// written.
pub(super) async fn tag(args: &TagArgs, context: &Context) -> Result<Exit, Failure> {
    let is_change = !(args.tags.is_empty() && args.remove.is_empty());
    let store = match is_change {
        true => open_existing_store(context).await?,
        false => open_store_to_read(context).await?,
    };
    let model = find_model(&store, &args.model.model).await?;
    let mut before = tags_of(&store, &model).await?;

    for _ in 0..OVERTAKINGS_MAX {
        let tags_before = before.as_ref().map(|change| change.tags.clone());
        let tags_before = tags_before.unwrap_or_default();
        let tags = changed_tags(args, &model, tags_before.clone())?;
        if tags == tags_before {
            show_tags(&model, &tags, context);
            return Ok(Exit::Done);
        }

        let change = TagsChange {
            v: TagsChange::VERSION,
            model: model.name.clone(),
            version: model.version,
            revision: before.map_or(1, |change| change.revision + 1),
            tags,
            by: context.person()?,
            at: Timestamp::now().as_microsecond(),
        };
        match store.models().change_tags(change).await? {
            ChangeOutcome::Made(change) => {
                show_tags(&model, &change.tags, context);
                return Ok(Exit::Done);
            }
            // The same changes are made again, of what the other one has left.
            ChangeOutcome::Overtaken(other) => before = Some(other),
        }
    }
    let message = format!(
        "others go on changing the tags of {}@{}",
        model.name, model.version
    );
    Err(Failure::new(Exit::Refused, codes::MODEL_HELD, message).with_hint("run the command again"))
}

/// The newest change of the tags of a version; none if it never had any.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn tags_of(
    store: &Store,
    model: &ModelManifest,
) -> Result<Option<TagsChange>, Failure> {
    let changes = store.models().tags(Some(&model.name)).await?;
    let mut changes = changes.into_iter();
    Ok(changes.find(|change| change.version == model.version))
}

fn changed_tags(
    args: &TagArgs,
    model: &ModelManifest,
    mut tags: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Failure> {
    let ModelManifest { name, version, .. } = model;
    for key in &args.remove {
        if tags.remove(key).is_none() {
            let message = format!("{name}@{version} has no tag `{key}`");
            return Err(
                Failure::new(Exit::NotFound, codes::MODEL_TAG, message).with_hint(format!(
                    "`ktrdr models tag {name}@{version}` shows its tags"
                )),
            );
        }
    }

    tags.extend(args.tags.iter().cloned());
    if tags.len() > TAGS_MAX {
        let message = format!("{name}@{version} would have {} tags", tags.len());
        return Err(
            Failure::new(Exit::Usage, codes::MODEL_TAG, message).with_hint(format!(
                "a version has at most {TAGS_MAX}; --remove KEY takes one away"
            )),
        );
    }
    Ok(tags)
}

fn show_tags(model: &ModelManifest, tags: &BTreeMap<String, String>, context: &Context) {
    let ModelManifest { name, version, .. } = model;
    context.output.json(&json!({
        "type": "tags", "model": name, "version": version, "tags": tags,
    }));
    let text = match tags.is_empty() {
        true => format!("{name}@{version} has no tags"),
        false => format!("{name}@{version}: {}", describe_tags(tags)),
    };
    context.output.line(&text);
}

/// `desk=fx, run=a`.
pub(super) fn describe_tags(tags: &BTreeMap<String, String>) -> String {
    let tags = tags.iter().map(|(key, value)| format!("{key}={value}"));
    tags.collect::<Vec<String>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_has_at_most_1000_characters() {
        assert_eq!(parse_note(&"ö".repeat(1_000)).unwrap(), "ö".repeat(1_000));
        assert_eq!(
            parse_note(&"ö".repeat(1_001)).unwrap_err(),
            "a note is 1 to 1000 characters, without line breaks"
        );
    }

    #[test]
    fn a_tag_has_a_key_of_64_and_a_value_of_128_characters() {
        let tag_of = |key: usize, value: usize| {
            parse_tag(&format!("{}={}", "k".repeat(key), "ö".repeat(value)))
        };

        assert_eq!(tag_of(64, 128).unwrap(), ("k".repeat(64), "ö".repeat(128)));
        assert_eq!(
            tag_of(65, 1).unwrap_err(),
            "the key of a tag is 1 to 64 letters, digits, _, - and ."
        );
        assert_eq!(
            tag_of(1, 129).unwrap_err(),
            "the value of a tag has at most 128 characters, without line breaks"
        );
    }
}
