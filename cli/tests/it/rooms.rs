//! The rooms of this crate: a command imports no other command, and what commands stand on imports
//! no command.

use std::path::{Path, PathBuf};

/// Rooms from the lowest to the highest; each may import those before it.
const ROOMS: &[&str] = &[
    "arguments",
    "console",
    "context",
    "inputs",
    "watch",
    "up",
    "commands",
];

/// An import that the layout forbids.
#[derive(Debug, PartialEq)]
struct Violation {
    file: String,
    import: String,
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every file below `folder`, with its path from there and its text.
fn source_files(folder: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];

    while let Some(each) = folders.pop() {
        for entry in std::fs::read_dir(each).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                files.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }

    // The order of a folder differs from host to host; a message of a test must not.
    files.sort();

    files
}

/// The first word of `a/b.rs`, `a/mod.rs` or `a.rs`.
fn first_word(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap()
}

/// The imports of one file that the layout forbids.
fn violations(file: &str, text: &str) -> Vec<Violation> {
    let room = first_word(file);
    let Some(place) = ROOMS.iter().position(|each| *each == room) else {
        return Vec::new();
    };
    let command = file.strip_prefix("commands/").map(first_word);

    let mut imports = Vec::new();
    for (start, _) in text.match_indices("crate::") {
        let import: String = text[start + "crate::".len()..]
            .chars()
            .take_while(|each| each.is_alphanumeric() || "_:".contains(*each))
            .collect();
        let mut words = import.split("::");
        let target = words.next().unwrap_or_default();
        let is_higher = ROOMS
            .iter()
            .position(|each| *each == target)
            .is_some_and(|target| target > place);
        // Also where the list of commands imports one: it has them as its own modules.
        let is_other_command = target == "commands" && words.next() != command;
        if is_higher || is_other_command {
            imports.push(Violation {
                file: file.to_owned(),
                import,
            });
        }
    }
    imports
}

#[test]
fn no_room_imports_a_higher_one_and_no_command_another() {
    let files = source_files(&source_folder());
    assert!(files.len() > 30, "the sources are read");

    let imports: Vec<Violation> = files
        .iter()
        .flat_map(|(file, text)| violations(file, text))
        .collect();

    assert_eq!(imports, []);
}

#[test]
fn every_file_is_in_a_room() {
    let outside: Vec<String> = source_files(&source_folder())
        .into_iter()
        .map(|(file, _)| file)
        .filter(|file| !ROOMS.contains(&first_word(file)))
        .collect();

    assert_eq!(outside, ["lib.rs", "main.rs"]);
}

#[test]
fn a_command_reaches_its_own_modules_only() {
    // `super` of a command's root module is the list of commands.
    for (file, text) in source_files(&source_folder()) {
        let depth = file.matches('/').count();
        let is_root = file.ends_with("/mod.rs");
        let climbs = match (file.starts_with("commands/"), depth, is_root) {
            (true, 1, false) | (true, 2, true) => "super::",
            (true, 2, false) => "super::super::",
            _ => continue,
        };

        let uses: Vec<&str> = text
            .lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .filter(|line| line.contains(&format!("use {climbs}")))
            .collect();
        assert_eq!(uses, Vec::<&str>::new(), "{file}");
    }
}

#[test]
fn a_forbidden_import_is_found() {
    let sideways = violations(
        "commands/data/mod.rs",
        "use crate::commands::models::train;",
    );
    assert_eq!(sideways.len(), 1);

    let upwards = violations("watch/mod.rs", "let code = crate::commands::run();");
    assert_eq!(upwards.len(), 1);

    let allowed = violations("commands/data/mod.rs", "use crate::console::Exit;");
    assert_eq!(allowed, []);
}
