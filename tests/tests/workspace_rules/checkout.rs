//! The files of the checkout, as the rules read them.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder that holds the workspace's `Cargo.toml`.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Every file of the project as a path from the root, sorted; what git ignores is left out.
pub fn files() -> Vec<String> {
    let mut paths = Vec::new();
    collect_files(&root(), &mut paths);

    paths.sort();
    paths
}

fn collect_files(folder: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name().into_string().unwrap();

        // Of the hidden entries only these belong to the project; the rest is git's, or ignored.
        let is_hidden = name.starts_with('.') && ![".ci", ".cargo", ".github"].contains(&&*name);
        if is_hidden || name == "target" {
            continue;
        }

        if path.is_dir() {
            collect_files(&path, paths);
        } else {
            paths.push(
                path.strip_prefix(root())
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
            );
        }
    }
}

/// The text of a file, named by its path from the root.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// A Rust file of the project.
pub struct Source {
    /// Path from the root.
    pub path: String,
    /// The whole file.
    pub text: String,
}

impl Source {
    /// Whether it is code that ships: under a `src`, and not a file of unit tests.
    pub fn is_production(&self) -> bool {
        let is_test = self.path.ends_with("tests.rs")
            || self.path.contains("/tests/")
            || self.path.starts_with("tests/");
        self.path.contains("src/") && !is_test
    }
}

/// Every Rust file, tests and benches included.
pub fn sources() -> impl Iterator<Item = Source> {
    let rust_files = files().into_iter().filter(|path| path.ends_with(".rs"));
    rust_files.map(|path| Source {
        text: read(&path),
        path,
    })
}

/// One line of production code.
pub struct CodeLine {
    /// Where it is, as `path:line`.
    pub place: String,
    /// The line as written.
    pub text: String,
}

/// Production code: lines of files under a `src`, without comments and without the test module at
/// the end.
pub fn production_lines() -> Vec<CodeLine> {
    let mut lines = production_lines_with_comments();
    lines.retain(|line| !line.text.trim_start().starts_with("//"));
    lines
}

/// The same with comments and docs.
pub fn production_lines_with_comments() -> Vec<CodeLine> {
    let mut lines = Vec::new();

    for source in sources().filter(Source::is_production) {
        let code = source.text.split("#[cfg(test)]\nmod ").next().unwrap();
        for (index, line) in code.lines().enumerate() {
            let place = format!("{}:{}", source.path, index + 1);
            lines.push(CodeLine {
                place,
                text: line.to_owned(),
            });
        }
    }
    lines
}

/// Fails with every violation at once.
pub fn assert_none(violations: Vec<String>, rule: &str) {
    let count = violations.len();
    assert!(
        violations.is_empty(),
        "{rule} ({count}):\n  {}",
        violations.join("\n  ")
    );
}
