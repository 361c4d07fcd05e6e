//! The permissions that are shipped, and their table on the page for operators, are made from the
//! table in the code; these tests fail while they are out of date.
//!
//! To write them: `KTRDR_WRITE_DOCS=1 cargo test -p bus --test it permissions_page`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bus::identity::{Direction, Grant, ServiceHolders, grants, shipped_server_file};

const HEADER: &str = "| Purpose | Subjects | Services | People |\n|---|---|---|---|\n";

fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn is_writing() -> bool {
    std::env::var_os("KTRDR_WRITE_DOCS").is_some()
}

fn quoted(names: &[&str]) -> String {
    let names = names.iter().map(|name| format!("`{name}`"));
    names.collect::<Vec<_>>().join(", ")
}

fn row(grant: &Grant) -> String {
    let subjects = match grant.readers_of {
        [] => quoted(grant.subjects),
        streams => format!("short-lived readers of {}", quoted(streams)),
    };

    let services = match grant.holders.services {
        ServiceHolders::None => "no",
        ServiceHolders::Housekeepers => "fetcher, registry, family",
        ServiceHolders::All => "yes",
    };
    let people = match grant.holders.people {
        true => "yes",
        false => "no",
    };

    format!("| {} | {subjects} | {services} | {people} |", grant.purpose)
}

fn table(direction: Direction) -> String {
    let mut table = HEADER.to_owned();
    for grant in grants().iter().filter(|grant| grant.direction == direction) {
        writeln!(table, "{}", row(grant)).unwrap();
    }
    table
}

/// The page with both tables as the code has them: the first is of what is published.
fn with_tables(page: &str) -> String {
    let mut parts = page.split(HEADER);
    let mut written = parts.next().unwrap().to_owned();
    for (direction, part) in [Direction::Publish, Direction::Subscribe]
        .into_iter()
        .zip(parts)
    {
        let after = part.find("\n\n").unwrap();
        written += &table(direction);
        written += &part[after + 1..];
    }
    written
}

#[test]
fn the_shipped_permissions_are_those_of_the_table() {
    let path = checkout("infra/nats/permissions.conf");
    if is_writing() {
        std::fs::write(&path, shipped_server_file()).unwrap();
    }

    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == shipped_server_file(),
        "infra/nats/permissions.conf is out of date: run the command at the top of this file"
    );
}

#[test]
fn the_page_for_operators_shows_the_table() {
    let path = checkout("docs/operating.md");
    let page = std::fs::read_to_string(&path).unwrap();
    assert_eq!(page.matches(HEADER).count(), 2, "the page has two tables");
    let expected = with_tables(&page);
    if is_writing() {
        std::fs::write(&path, &expected).unwrap();
    }

    let written = std::fs::read_to_string(&path).unwrap();
    assert!(
        written == expected,
        "docs/operating.md is out of date: run the command at the top of this file"
    );
}
