//! What ARCHITECTURE.md names must exist: the tests of its promises, the places of its walks.

use std::fs;

use crate::checkout::{assert_none, read, root};

/// One row of the table under `## Promises`.
struct Promise {
    /// What is promised.
    text: String,
    /// The cell that names its tests.
    tests: String,
}

/// The text of a section of ARCHITECTURE.md, its heading included.
fn read_section(heading: &str) -> String {
    let text = read("ARCHITECTURE.md");
    let mut sections = text.split("\n## ");
    sections
        .find(|section| section.starts_with(heading))
        .unwrap()
        .to_owned()
}

fn read_promises() -> Vec<Promise> {
    let section = read_section("Promises");

    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(read_row).collect()
}

fn read_row(row: &str) -> Promise {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    Promise {
        text: cells[0].to_owned(),
        tests: (*cells.last().unwrap()).to_owned(),
    }
}

/// Whether a name such as `tests/tests/loop.rs::a_test`, or a path, exists in the checkout.
fn exists(name: &str) -> bool {
    let Some((path, test)) = name.split_once("::") else {
        return root().join(name).is_file();
    };
    let text = fs::read_to_string(root().join(path)).unwrap_or_default();
    let heads = [format!("fn {test}("), format!("fn {test}<")];
    heads.iter().any(|head| text.contains(head))
}

#[test]
fn each_promise_names_a_test_that_exists() {
    let promises = read_promises();
    let mut violations = Vec::new();

    for promise in &promises {
        let names: Vec<&str> = promise.tests.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            violations.push(format!("{}: no test", promise.text));
        }
        let missing = names.iter().filter(|name| !exists(name));
        violations.extend(missing.map(|name| format!("{}: there is no `{name}`", promise.text)));
    }

    assert!(
        promises.len() >= 8,
        "the table of promises is shorter than the design's"
    );
    assert_none(
        violations,
        "each row ends with its test, as in `tests/tests/loop.rs::a_test`",
    );
}

#[test]
fn every_room_of_the_walks_exists() {
    let section = read_section("Five walks");
    let paragraphs = section.split("\n\n");
    let walks: Vec<&str> = paragraphs.filter(|text| text.starts_with("**")).collect();
    let mut violations = Vec::new();

    for walk in &walks {
        let rooms: Vec<&str> = walk.split('`').skip(1).step_by(2).collect();
        if rooms.len() > 8 {
            violations.push(format!("{} rooms are too many: {walk}", rooms.len()));
        }
        let missing = rooms.iter().filter(|room| !exists(room));
        violations.extend(missing.map(|room| format!("there is no `{room}`")));
    }

    assert_eq!(walks.len(), 5);
    assert_none(
        violations,
        "each walk names at most eight files and functions",
    );
}

#[test]
fn every_place_in_the_guide_for_a_service_exists() {
    let page = read("docs/adding-a-service.md");
    let names = page.split('`').skip(1).step_by(2);
    let places: Vec<&str> = names
        .filter(|name| name.contains('/') && !name.contains(' '))
        .collect();

    assert!(places.len() >= 15, "the guide names its places");
    let missing = places.iter().filter(|place| !root().join(place).exists());
    assert_none(
        missing
            .map(|place| format!("there is no `{place}`"))
            .collect(),
        "name a file or folder of the checkout",
    );
}
