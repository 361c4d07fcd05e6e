//! `ktrdr man`: a manual page for the program and one for each command.

use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;
use schemas::codes;
use serde_json::json;

use crate::console::{Exit, Failure, count_of, path_json};
use crate::context::Context;

/// `ktrdr man`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ManArgs {
    /// Folder for the pages; it is made if there is none
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Writes `ktrdr.1`, `ktrdr-data.1`, `ktrdr-data-load.1`, …
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn run(args: &ManArgs, command: &Command, context: &Context) -> Result<Exit, Failure> {
    let folder = context.working_directory.join(&args.out);
    std::fs::create_dir_all(&folder).map_err(|error| not_written(&args.out, &error))?;

    let mut pages = Vec::new();
    collect_pages(command, "ktrdr", &mut pages);
    for (name, page) in &pages {
        let file = folder.join(format!("{name}.1"));
        let text = render(page).and_then(|text| std::fs::write(&file, text));
        text.map_err(|error| not_written(&args.out, &error))?;
    }

    let output = &context.output;
    output.json(&json!({"type": "man", "folder": path_json(&folder), "pages": pages.len()}));
    output.line(&format!(
        "{} written to {}",
        count_of(pages.len(), "page"),
        args.out.display()
    ));
    Ok(Exit::Done)
}

/// The command and everything below it, each under the name of its page.
fn collect_pages(command: &Command, name: &str, pages: &mut Vec<(String, Command)>) {
    pages.push((name.to_owned(), command.clone()));
    for sub in command.get_subcommands() {
        if sub.get_name() != "help" {
            collect_pages(sub, &format!("{name}-{}", sub.get_name()), pages);
        }
    }
}

fn render(page: &Command) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    Man::new(page.clone()).render(&mut text)?;
    Ok(text)
}

fn not_written(folder: &Path, error: &std::io::Error) -> Failure {
    let message = format!("cannot write the pages to {}", folder.display());
    Failure::new(Exit::Failed, codes::SYS_OUTPUT, message)
        .with_cause(error)
        .with_hint("name a folder that this user may write")
}
