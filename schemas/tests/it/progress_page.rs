//! `docs/progress.md` describes the context of every kind: its examples are what programs read and
//! write, and its tables have every field.

use std::path::Path;

use schemas::progress::Context;
use serde_json::Value;

/// The kinds that programs write. A new one stops the compiler below: describe it in the page too.
const KINDS: [&str; 7] = [
    "none",
    "dummy",
    "data",
    "train",
    "train_bundle",
    "family",
    "live",
];

fn read_page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/progress.md");
    std::fs::read_to_string(path).unwrap()
}

fn kind_of(context: &Context) -> &'static str {
    match context {
        Context::None => "none",
        Context::Dummy { .. } => "dummy",
        Context::Data { .. } => "data",
        Context::Train { .. } => "train",
        Context::TrainBundle { .. } => "train_bundle",
        Context::Family { .. } => "family",
        Context::Live { .. } => "live",
        Context::Other => "other",
    }
}

/// The part of the page about one kind.
fn section_of<'a>(page: &'a str, kind: &str) -> &'a str {
    let heading = format!("`{kind}`\n");
    let mut sections = page.split("\n## ");
    let section = sections.find(|section| section.starts_with(&heading));
    section.unwrap_or_else(|| panic!("no section about {kind}"))
}

fn example_in(section: &str) -> Value {
    let block = section.split("```json\n").nth(1).unwrap();
    let text = block.split("```").next().unwrap();
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_examples_of_the_page_are_what_programs_write() {
    let page = read_page();

    for kind in KINDS {
        let example = example_in(section_of(&page, kind));
        let context: Context = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(kind_of(&context), kind);

        // Neither a field too few nor one too many.
        assert_eq!(serde_json::to_value(&context).unwrap(), example);
    }
}

#[test]
fn the_page_has_a_row_for_every_field() {
    let page = read_page();

    for kind in KINDS {
        let section = section_of(&page, kind);
        let example = example_in(section);
        let fields = example.as_object().unwrap().keys();
        for field in fields.filter(|field| *field != "kind") {
            let row = format!("\n| `{field}` | ");
            assert!(section.contains(&row), "{kind}: no row for {field}");
        }
    }
}

#[test]
fn the_page_describes_no_kind_that_is_not_written() {
    let page = read_page();
    let headings: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| heading.trim_matches('`'))
        .collect();

    assert_eq!(headings, KINDS);
}
