//! The order of the modules: each imports only those below it, so that a reader can take them one
//! after the other. A circle cannot be put in an order and fails as well.

use std::path::{Path, PathBuf};

/// The modules of the crate, from the lowest to the highest.
const CRATE_LAYERS: &[&str] = &[
    "catalogue",
    "finding",
    "yaml",
    "json_nodes",
    "text_edit",
    "fields",
    "rules",
    "training_keys",
    "fuzzy",
    "ties",
    "indicators",
    "labels",
    "splits",
    "windows",
    "expression",
    "strategy",
    "grammar",
    "schema",
    "resolve",
    "request",
    "features",
    "holes",
    "leak",
    "folds",
    "dataset",
];

/// The modules of the grammar, from the lowest to the highest.
const GRAMMAR_LAYERS: &[&str] = &[
    "drafts",
    "entries",
    "dates",
    "lists",
    "training_data",
    "indicators",
    "fuzzy_sets",
    "inputs",
    "cross_checks",
    "tsk",
    "sections",
    "recurrent",
    "model",
    "decisions",
    "costs",
    "labels",
    "training",
    "read",
];

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file below `folder`: its path from there, and its text without tests and comments.
fn source_files(folder: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(each) = folders.pop() {
        for entry in std::fs::read_dir(each).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                files.push((name, production_text(&path)));
            }
        }
    }

    files.retain(|(name, _)| !name.ends_with("tests.rs") && name != "lib.rs");
    files.sort();
    files
}

fn production_text(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let production = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    production
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// `a` of `a/b.rs`, `a/mod.rs` and `a.rs`.
fn first_module(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap()
}

/// The modules that follow `prefix` in a text: `a` and `b` of `super::a::B` and `super::{a, b::C}`.
fn imported_modules(text: &str, prefix: &str) -> Vec<String> {
    let mut modules = Vec::new();

    for (start, _) in text.match_indices(prefix) {
        let rest = &text[start + prefix.len()..];
        let paths: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap().split(',').collect(),
            None => vec![rest],
        };
        for path in paths {
            let is_word = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
            modules.push(path.trim().chars().take_while(is_word).collect());
        }
    }
    modules
}

/// Imports that do not go down the layers, and modules that have no layer.
fn find_violations(files: &[(String, String)], prefix: &str, layers: &[&str]) -> Vec<String> {
    let mut violations = Vec::new();
    for (path, text) in files {
        let module = first_module(path);
        let Some(layer) = layers.iter().position(|each| *each == module) else {
            violations.push(format!("{path} is in no layer"));
            continue;
        };

        for import in imported_modules(text, prefix) {
            let target = layers.iter().position(|each| *each == import);
            if target.is_some_and(|target| target >= layer) && import != module {
                violations.push(format!("{path} imports {import}"));
            }
            // Everything public is also at the root; a path through the root has no layer.
            if target.is_none() && prefix == "crate::" {
                violations.push(format!("{path} imports {import} through the root"));
            }
        }
    }
    violations
}

#[test]
fn modules_of_the_crate_import_only_lower_ones() {
    let files = source_files(&source_folder());
    assert!(files.len() > 80, "the sources are read");

    let violations = find_violations(&files, "crate::", CRATE_LAYERS);

    assert_eq!(violations, Vec::<String>::new());
}

#[test]
fn modules_of_the_grammar_import_only_lower_ones() {
    let mut files = source_files(&source_folder().join("grammar"));
    // The root only lists the modules and starts the highest one.
    files.retain(|(path, _)| path != "mod.rs");

    let violations = find_violations(&files, "super::", GRAMMAR_LAYERS);

    assert_eq!(violations, Vec::<String>::new());
}

#[test]
fn an_import_upwards_is_a_violation() {
    let file = |path: &str, text: &str| [(path.to_owned(), text.to_owned())];

    let upwards = file("yaml.rs", "use crate::fields::Fields;");
    let nested = file("grammar/read.rs", "use crate::{finding::A, dataset};");
    let downwards = file("fields.rs", "use crate::yaml::Node;");

    assert_eq!(
        find_violations(&upwards, "crate::", CRATE_LAYERS),
        ["yaml.rs imports fields"]
    );
    assert_eq!(
        find_violations(&nested, "crate::", CRATE_LAYERS),
        ["grammar/read.rs imports dataset"]
    );
    assert!(find_violations(&downwards, "crate::", CRATE_LAYERS).is_empty());
}
