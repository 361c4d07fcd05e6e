//! Which crate may import which, and which library belongs to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::checkout::{assert_none, files, read, root};

/// Which crates of the workspace each crate may import. `system-tests` may import anything.
const ARROWS: &[(&str, &[&str])] = &[
    ("schemas", &[]),
    ("market", &["schemas"]),
    ("quality", &["schemas", "market"]),
    ("strategies", &["schemas", "market"]),
    ("networks", &["schemas"]),
    ("statistics", &["schemas"]),
    ("exports", &["schemas", "networks"]),
    (
        "metrics",
        &["schemas", "strategies", "networks", "statistics"],
    ),
    ("bus", &["schemas"]),
    ("nats-test-server", &[]),
    ("fake-http", &[]),
    ("fake-tws", &[]),
    ("protocol-model", &["schemas"]),
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
            "metrics",
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
            "metrics",
            "store",
            "runtime",
        ],
    ),
    ("family", &["schemas", "bus", "store", "runtime"]),
    ("dummy", &["schemas", "runtime"]),
    (
        "cli",
        &[
            "schemas",
            "market",
            "quality",
            "strategies",
            "networks",
            "statistics",
            "exports",
            "bus",
            "store",
            "runtime",
            "fetcher",
        ],
    ),
];

/// Crates of others that only one crate of ours may import, by the beginning of their names.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("tch", &["trainer"]),
    ("torch", &["trainer"]),
    ("object_store", &["store"]),
    ("parquet", &["store"]),
    ("arrow", &["store"]),
    ("async-nats", &["bus", "nats-test-server"]),
    ("ibapi", &["fetcher"]),
    ("reqwest", &["fetcher", "runtime", "store"]),
    ("ureq", &["fetcher"]),
    ("hyper", &["fetcher", "runtime"]),
    ("prometheus", &["runtime"]),
];

/// Crate → its direct dependencies that are not for tests only.
fn read_dependencies() -> BTreeMap<String, BTreeSet<String>> {
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
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {errors}");

    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| (name_of(package), production_imports(package)))
        .collect()
}

fn production_imports(package: &Value) -> BTreeSet<String> {
    let dependencies = package["dependencies"].as_array().unwrap();
    let production = dependencies
        .iter()
        .filter(|dependency| dependency["kind"] != "dev");
    production.map(name_of).collect()
}

fn name_of(value: &Value) -> String {
    value["name"].as_str().unwrap().to_owned()
}

#[test]
fn crates_import_only_along_the_arrows_of_the_architecture() {
    let crates = read_dependencies();
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut violations = Vec::new();

    for (name, imports) in crates.iter().filter(|(name, _)| *name != "system-tests") {
        let Some(allowed) = arrows.get(name.as_str()) else {
            let advice = "is not in the table of arrows: decide what it may import";
            violations.push(format!("`{name}` {advice}"));
            continue;
        };

        for import in imports.iter().filter(|import| crates.contains_key(*import)) {
            if !allowed.contains(&import.as_str()) {
                violations.push(format!("{name} → {import}"));
            }
        }
    }

    assert_none(violations, "these imports are not allowed");
}

#[test]
fn heavy_libraries_stay_behind_the_crate_that_wraps_them() {
    let mut violations = Vec::new();

    for (name, imports) in read_dependencies() {
        for (library, owners) in ONLY_IN {
            if owners.contains(&name.as_str()) || name == "system-tests" {
                continue;
            }
            let strays = imports.iter().filter(|import| import.starts_with(library));
            let owners = owners.join(" and ");
            violations.extend(strays.map(|import| format!("{name} → {import}: only {owners} may")));
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
