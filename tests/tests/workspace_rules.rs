//! House rules that a machine can check: arrows between crates, sizes, names, first lines,
//! subjects, sleeps, promises.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test that fails may panic"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which crates of the workspace each crate may import. `system-tests` may import anything.
const ARROWS: &[(&str, &[&str])] = &[
    ("schemas", &[]),
    ("market", &["schemas"]),
    ("quality", &["schemas", "market"]),
    ("strategies", &["schemas", "market"]),
    ("networks", &["schemas"]),
    ("bus", &["schemas"]),
    ("store", &["schemas", "market"]),
    ("runtime", &["schemas", "bus", "store"]),
    ("fetcher", &["schemas", "market", "store", "runtime"]),
    (
        "validator",
        &["schemas", "market", "quality", "store", "runtime"],
    ),
    (
        "processor",
        &["schemas", "market", "strategies", "store", "runtime"],
    ),
    (
        "trainer",
        &[
            "schemas",
            "market",
            "strategies",
            "networks",
            "store",
            "runtime",
        ],
    ),
    (
        "registry",
        &[
            "schemas",
            "market",
            "strategies",
            "networks",
            "store",
            "runtime",
        ],
    ),
    ("dummy", &["schemas", "runtime"]),
    (
        "cli",
        &[
            "schemas",
            "market",
            "quality",
            "strategies",
            "networks",
            "bus",
            "store",
            "runtime",
        ],
    ),
];

/// Crates of others that only one crate of ours may import, by the beginning of their names.
const ONLY_IN: &[(&str, &str)] = &[
    ("tch", "trainer"),
    ("torch", "trainer"),
    ("object_store", "store"),
    ("parquet", "store"),
    ("arrow", "store"),
    ("async-nats", "bus"),
    ("ibapi", "fetcher"),
    ("reqwest", "fetcher"),
    ("ureq", "fetcher"),
    ("hyper", "fetcher"),
];

/// Where production code may wait for time to pass, and why nothing else would do.
const MAY_WAIT: &[(&str, &str)] = &[
    (
        "services/bus/src/",
        "back-off between attempts, and silence that is raced against messages",
    ),
    (
        "services/dummy/src/",
        "pretending to work is what it is for",
    ),
    (
        "services/runtime/src/",
        "back-off and periodic duties, always raced against a stop",
    ),
    (
        "services/fetcher/src/",
        "a provider's budget says until when, raced against a stop",
    ),
    (
        "cli/src/follow.rs",
        "the user's own time limit and a redraw each second, both raced against messages",
    ),
    (
        "cli/src/up/",
        "back-off before a crashed service is started again, raced against a stop",
    ),
];

const ROOT: &[&str] = &[
    ".cargo",
    ".ci",
    ".github",
    ".gitignore",
    "ARCHITECTURE.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "clippy.toml",
    "cli",
    "deny.toml",
    "docs",
    "infra",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "schemas",
    "services",
    "strategies",
    "tests",
];

const LINES_MAX: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Every file of the project as a path from the root; what git ignores is left out.
fn files() -> Vec<String> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            let hidden =
                name.starts_with('.') && ![".ci", ".cargo", ".github"].contains(&name.as_str());
            if path.is_dir() && !hidden && name != "target" {
                walk(&path, root, found);
            } else if path.is_file() && !hidden {
                found.push(
                    path.strip_prefix(root)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned(),
                );
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), &root(), &mut found);
    found.sort();
    found
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn sources() -> impl Iterator<Item = (String, String)> {
    files()
        .into_iter()
        .filter(|path| path.ends_with(".rs"))
        .map(|path| {
            let text = read(&path);
            (path, text)
        })
}

/// Production code: lines of files under a `src`, without comments and without the test module at
/// the end.
fn production_lines() -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for (path, text) in
        sources().filter(|(path, _)| path.contains("src/") && !path.starts_with("tests/"))
    {
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
        for (index, line) in code
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            lines.push((format!("{path}:{}", index + 1), line.to_owned()));
        }
    }
    lines
}

/// Crate → its direct dependencies that are not for tests only.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let all = package["dependencies"].as_array().unwrap().iter();
            (
                name(package),
                all.filter(|dependency| dependency["kind"] != "dev")
                    .map(name)
                    .collect(),
            )
        })
        .collect()
}

/// Fails with every violation at once.
fn assert_none(violations: Vec<String>, rule: &str) {
    assert!(
        violations.is_empty(),
        "{rule}:\n  {}",
        violations.join("\n  ")
    );
}

#[test]
fn crates_import_only_along_the_arrows_of_the_architecture() {
    let crates = dependencies();
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut violations = Vec::new();
    for (name, imports) in crates.iter().filter(|(name, _)| *name != "system-tests") {
        let Some(allowed) = allowed.get(name.as_str()) else {
            violations.push(format!(
                "`{name}` is not in the table of arrows: decide what it may import"
            ));
            continue;
        };
        let foreign = imports
            .iter()
            .filter(|import| crates.contains_key(*import) && !allowed.contains(&import.as_str()));
        violations.extend(foreign.map(|import| format!("{name} → {import}")));
    }
    assert_none(violations, "these imports are not allowed");
}

#[test]
fn heavy_libraries_stay_behind_the_crate_that_wraps_them() {
    let mut violations = Vec::new();
    for (name, imports) in dependencies()
        .iter()
        .filter(|(name, _)| *name != "system-tests")
    {
        for (library, owner) in ONLY_IN.iter().filter(|(_, owner)| owner != name) {
            let found = imports.iter().filter(|import| import.starts_with(library));
            violations.extend(found.map(|import| format!("{name} → {import}: only {owner} may")));
        }
    }
    assert_none(violations, "these libraries have one owner");
}

#[test]
fn every_crate_inherits_the_lints_of_the_workspace() {
    let manifests = files()
        .into_iter()
        .filter(|path| path.ends_with("/Cargo.toml"));
    let without = manifests.filter(|path| !read(path).contains("[lints]\nworkspace = true"));
    assert_none(
        without.collect(),
        "these manifests do not say `[lints] workspace = true`",
    );
}

#[test]
fn no_source_file_is_longer_than_six_hundred_lines() {
    let long = sources()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX);
    assert_none(
        long.map(|(path, lines)| format!("{path}: {lines}"))
            .collect(),
        "split these files",
    );
}

#[test]
fn the_first_line_of_every_file_says_what_it_is_for() {
    let mut violations = Vec::new();
    for path in files() {
        let name = path.rsplit('/').next().unwrap();
        let marker = match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("rs") => "//! ",
            Some("toml" | "yaml" | "yml" | "sh" | "conf" | "service") => "# ",
            None if name == "Makefile"
                || path.starts_with("infra/")
                || path.starts_with(".ci/") =>
            {
                "# "
            }
            Some(_) | None => continue,
        };
        let text = read(&path);
        let first = text
            .lines()
            .find(|line| !line.starts_with("#!/"))
            .unwrap_or_default();
        let words = first
            .strip_prefix(marker)
            .map_or(0, |prose| prose.split_whitespace().count());
        if words < if marker == "# " { 4 } else { 2 } {
            violations.push(format!("{path}: {first}"));
        }
    }
    assert_none(
        violations,
        "these first lines do not say in prose what the file is for",
    );
}

#[test]
fn nothing_is_called_utils_common_helpers_base_or_misc() {
    let banned = [
        "util", "utils", "common", "helper", "helpers", "base", "misc",
    ];
    let named = |path: &String| {
        path.split('/')
            .any(|part| banned.contains(&part.split('.').next().unwrap()))
    };
    assert_none(
        files().into_iter().filter(named).collect(),
        "find the noun these files are about",
    );
}

#[test]
fn subjects_are_written_in_one_file_only() {
    let tokens = [
        "cmd", "control", "event", "progress", "dead", "alive", "svc",
    ]
    .map(|token| format!("ktrdr.{token}."));
    let elsewhere = production_lines().into_iter().filter(|(place, line)| {
        !place.starts_with("schemas/src/subjects.rs")
            && tokens.iter().any(|token| line.contains(token))
    });
    let found = elsewhere.map(|(place, line)| format!("{place}: {}", line.trim()));
    assert_none(found.collect(), "use the functions of schemas::subjects");
}

#[test]
fn production_code_waits_for_events_not_for_time() {
    let mut violations = Vec::new();
    for (place, line) in production_lines() {
        let waits = line.contains("thread::sleep")
            || line.contains("time::sleep")
            || line.contains(" sleep(");
        if waits && !MAY_WAIT.iter().any(|(path, _)| place.starts_with(path)) {
            violations.push(format!("{place}: {}", line.trim()));
        }
    }
    assert_none(violations, "wait for an event here");
}

#[test]
fn the_root_holds_what_the_architecture_lists_and_nothing_else() {
    let ignored = |name: &str| [".git", ".deps", ".demo", ".ktrdr", "target"].contains(&name);
    let entries = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_none(
        entries
            .filter(|name| !ignored(name) && !ROOT.contains(&name.as_str()))
            .collect(),
        "not in the root",
    );
}

/// The rows of the table under `## Promises`: what is promised, and the cell that names its test.
fn promises() -> Vec<(String, String)> {
    let text = read("ARCHITECTURE.md");
    let section = text
        .split("\n## ")
        .find(|section| section.starts_with("Promises"))
        .expect("a section Promises");
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        (cells[0].to_owned(), (*cells.last().unwrap()).to_owned())
    })
    .collect()
}

#[test]
fn each_promise_of_the_architecture_names_a_test_that_exists() {
    let mut violations = Vec::new();
    for (promise, cell) in promises() {
        let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        let missing = named.iter().filter(|name| match name.split_once("::") {
            Some((path, test)) => !fs::read_to_string(root().join(path))
                .is_ok_and(|text| text.contains(&format!("fn {test}"))),
            None => !root().join(name).is_file(),
        });
        violations.extend(missing.map(|name| format!("{promise}: there is no `{name}`")));
        if named.is_empty() {
            violations.push(format!("{promise}: no test"));
        }
    }
    assert!(
        promises().len() >= 8,
        "the table of promises is shorter than the design's"
    );
    assert_none(
        violations,
        "each row ends with the test that keeps it, as in `tests/tests/loop.rs::a_test`",
    );
}
