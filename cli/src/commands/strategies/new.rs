//! `ktrdr strategies new`: a commented strategy to start from.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use schemas::codes;
use serde_json::json;

use crate::console::{Exit, Failure, path_json};
use crate::context::Context;
use crate::inputs::strategy_files::{find_strategy, in_file, parse_and_resolve};

/// The strategy that is copied unless another one is named.
const STARTER_NAME: &str = "eurusd_rsi_macd";

/// `ktrdr strategies new`.
#[derive(Clone, Debug, Args)]
pub(super) struct NewArgs {
    /// Name of the strategy: a-z, 0-9, _ and -; the file is called NAME.yaml
    name: String,
    /// Strategy to copy: a name of `ktrdr strategies list`, or a .yaml file
    #[arg(long, value_name = "CATALOG", default_value = STARTER_NAME)]
    from: String,
}

/// Writes the file; one that exists is never overwritten.
///
/// # Errors
/// The name cannot be that of a strategy, or the file exists or cannot be written.
pub(super) fn run(args: &NewArgs, context: &Context) -> Result<Exit, Failure> {
    let name = &args.name;
    let (path, original) = find_strategy(&args.from, context)?;
    let (strategy, _) =
        parse_and_resolve(&original).map_err(|findings| in_file(&path, findings.into()))?;
    let text = rename_strategy(&original, &strategy.name, name);
    // The only part that can be wrong is the name: the finding names its rule.
    let (renamed, _) = parse_and_resolve(&text)?;
    if renamed.name != *name {
        return Err(not_renamed(&path, name));
    }

    let file = PathBuf::from(format!("{name}.yaml"));
    let path = context.working_directory.join(&file);
    write_new_file(&path, &text).map_err(|error| not_written(&file, &error))?;

    let output = &context.output;
    output.json(&json!({"type": "strategy", "name": name, "file": path_json(&path)}));
    output.line(&format!("wrote {}", file.display()));
    output.note(&format!(
        "hint: edit it, then `ktrdr strategies validate {}`",
        file.display()
    ));
    Ok(Exit::Done)
}

/// The text with another name, also in the command that its comment names.
fn rename_strategy(text: &str, before: &str, name: &str) -> String {
    let mut renamed = String::with_capacity(text.len());
    let mut is_renamed = false;
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("name:") {
            Some(value) if !is_renamed => {
                is_renamed = true;
                renamed.push_str(&format!("name: {name}{}", rest_of_line(value)));
            }
            _ => renamed.push_str(line),
        }
    }

    renamed.replace(
        &format!("validate {before}`"),
        &format!("validate {name}.yaml`"),
    )
}

/// What follows a value in its line: a comment, and the end of the line.
fn rest_of_line(value: &str) -> &str {
    let (before_comment, _) = value.split_once(" #").unwrap_or((value, ""));
    let end = before_comment.trim_end().len();
    value.get(end..).unwrap_or_default()
}

fn not_renamed(path: &Path, name: &str) -> Failure {
    let message = format!("the name in {} cannot be replaced", path.display());
    Failure::new(Exit::Refused, codes::STRATEGY_NOT_WRITTEN, message).with_hint(format!(
        "write it as a line of its own, `name: …`, or copy the file and write `name: {name}` into \
         the copy"
    ))
}

fn write_new_file(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}

fn not_written(file: &Path, error: &std::io::Error) -> Failure {
    let message = format!("cannot write {}", file.display());

    // A file that exists may be somebody's work: it is refused, never overwritten.
    let (exit, hint) = match error.kind() {
        ErrorKind::AlreadyExists => (
            Exit::Refused,
            "choose another name, or remove the file first; nothing was changed",
        ),
        _ => (Exit::Failed, "the working folder must be writable"),
    };

    Failure {
        causes: vec![error.to_string()],
        ..Failure::new(exit, codes::STRATEGY_NOT_WRITTEN, message)
    }
    .with_hint(hint)
}

#[cfg(test)]
mod tests {
    use strategies::CATALOGUE;

    use super::*;

    #[test]
    fn the_name_is_replaced_however_it_is_written() {
        let cases = [
            ("name: old\n", "name: new\n"),
            ("name: 'old'\nv: 1\n", "name: new\nv: 1\n"),
            ("name:   old  # mine\n", "name: new  # mine\n"),
            ("name: \"old\"\r\nv: 1\r\n", "name: new\r\nv: 1\r\n"),
            ("# name: old\nname: old", "# name: old\nname: new"),
            (
                "rsi:\n  name: old\nname: old\n",
                "rsi:\n  name: old\nname: new\n",
            ),
        ];

        for (text, expected) in cases {
            assert_eq!(rename_strategy(text, "old", "new"), expected, "{text}");
        }
    }

    #[test]
    fn every_strategy_of_the_catalogue_can_be_renamed() {
        for (name, text) in CATALOGUE {
            let renamed = rename_strategy(text, name, "mine");
            let (strategy, _) = parse_and_resolve(&renamed).unwrap();
            assert_eq!(strategy.name, "mine", "{name}");
        }
    }
}
