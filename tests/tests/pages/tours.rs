//! The README, followed from its first tour to its last, and the page of questions to a model.

use std::collections::BTreeMap;

use crate::comparison::missing_lines;
use crate::console::{Typed, read_console};
use crate::reader::PageReader;

const README: &str = include_str!("../../../README.md");
const QUESTIONS: &str = include_str!("../../../docs/questions.md");

/// `ktrdr up` starts a server, the housekeeping and seven services.
const SERVICES: usize = 9;

/// Runs the commands of one section and returns what differs from the page.
fn follow(section: &str, reader: &mut PageReader) -> Vec<String> {
    let mut differences = Vec::new();
    let mut operations = BTreeMap::new();

    for typed in read_console(section) {
        differences.extend(type_one(&typed, reader, &mut operations));
    }
    differences
}

fn type_one(
    typed: &Typed,
    reader: &mut PageReader,
    operations: &mut BTreeMap<String, String>,
) -> Vec<String> {
    if let Some(assignment) = typed.command.strip_prefix("export ") {
        reader.export(assignment);
        return Vec::new();
    }
    if typed.command == "ktrdr up" {
        let screen = reader.start_system(SERVICES);
        return differences_of(typed, &screen, reader, operations);
    }
    // The stock tool for NATS is not part of a checkout, nor is jq; `nats sub` would never end.
    let needs_jq = typed.command.contains("jq ") && !is_on_path("jq");
    if typed.command.starts_with("nats ") || needs_jq {
        return Vec::new();
    }

    let mut command = typed.command.clone();
    for (on_page, here) in operations.iter() {
        command = command.replace(on_page, here);
    }
    // A reader needs a moment to read and type; a cancel that came at once would find no progress.
    if let Some(cancelled) = command.strip_prefix("ktrdr cancel ") {
        let op = cancelled.split(' ').next().unwrap();
        reader.type_command(&format!("ktrdr follow {op} --wait-timeout 3s"));
    }
    let answer = reader.type_command(&command);
    let mut differences = differences_of(typed, &answer.screen, reader, operations);

    // A page shows refusals, too: their exit code is not 0, and their text is compared.
    let shows_refusal = typed.output.iter().any(|line| line.contains("error"));
    if answer.code != Some(0) && !shows_refusal {
        let place = format!("line {}: {}", typed.line, typed.command);
        differences.push(format!(
            "{place}\n  ended with {:?}\n{}",
            answer.code, answer.screen
        ));
    }
    differences
}

fn is_on_path(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

fn differences_of(
    typed: &Typed,
    screen: &str,
    reader: &PageReader,
    operations: &mut BTreeMap<String, String>,
) -> Vec<String> {
    let here = reader.folder().display().to_string();
    let screen = screen.replace(&here, "/home/ann/ktrdr");
    let missing = missing_lines(&typed.output, &screen, operations);
    if missing.is_empty() {
        return Vec::new();
    }

    let place = format!("line {}: {}", typed.line, typed.command);
    vec![format!(
        "{place}\n  not shown: {}\n  shown:\n{screen}",
        missing.join("\n             ")
    )]
}

/// The text of the section whose heading begins with `heading`, and how many lines precede it.
fn section(heading: &str) -> String {
    let start = README.find(&format!("\n## {heading}")).unwrap();
    let end = README[start + 1..]
        .find("\n## ")
        .map_or(README.len(), |end| start + 1 + end);

    // Blank lines in place of what precedes keep the numbers of lines right.
    let before = README[..start].matches('\n').count();
    "\n".repeat(before) + &README[start..end]
}

#[test]
fn the_tours_show_what_a_reader_gets() {
    let mut reader = PageReader::start();
    let mut differences = Vec::new();

    for tour in ["Tour 1", "Tour 2", "Tour 3", "Tour 4"] {
        differences.extend(follow(&section(tour), &mut reader));
    }

    // Each service has worked with no more than the permissions of its role.
    differences.extend(reader.refusals());

    assert!(
        differences.is_empty(),
        "README differs:\n{}",
        differences.join("\n\n")
    );
}

#[test]
fn the_questions_to_a_model_are_answered_as_the_page_says() {
    let mut reader = PageReader::start();

    let differences = follow(QUESTIONS, &mut reader);

    assert!(
        differences.is_empty(),
        "docs/questions.md differs:\n{}",
        differences.join("\n\n")
    );
}
