//! What the help of each command says beside its arguments: examples, exit codes, and where the
//! global options are.
//!
//! [`complete_command`] adds it to what `clap` makes of the declarations. A command without a page
//! here fails a test.

mod form;
mod model_pages;
mod pages;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};

use crate::console::{Exit, TableStyle};
pub(super) use form::Page;
use model_pages::MODEL_PAGES;
pub(super) use pages::PAGES;

/// Id of the flag that says how a table is written; `--format` is taken where files are read.
const TABLE_FLAG: &str = "table_format";
/// Where the options are that every command has.
pub(super) const GLOBAL_OPTIONS: &str =
    "Global options such as --json, --quiet and --server: `ktrdr --help`";

/// The command line with the help of every command in it.
pub(super) fn complete_command(root: Command) -> Command {
    let mut root = map_commands(root, "", &add_table_flag);

    // Only now every command has the global options, which its own help leaves out.
    root.build();
    let globals: Vec<String> = root
        .get_arguments()
        .filter(|argument| argument.is_global_set())
        .map(|argument| argument.get_id().to_string())
        .collect();
    let root = root.after_help(help_of(""));
    map_commands(root, "", &|command, path| {
        complete_help(command, path, &globals)
    })
}

/// Changes every command below `command`, each with its path, but for `help`.
fn map_commands(
    command: Command,
    path: &str,
    change: &dyn Fn(Command, &str) -> Command,
) -> Command {
    command.mut_subcommands(|below| {
        let name = below.get_name().to_owned();
        if name == "help" {
            return below;
        }
        let path = format!("{path} {name}").trim().to_owned();
        map_commands(change(below, &path), &path, change)
    })
}

fn add_table_flag(command: Command, path: &str) -> Command {
    // Where files of bars are read, the flag says how they are written.
    let reads_files = command
        .get_arguments()
        .any(|argument| argument.get_long() == Some("format"));
    match page_of(path) {
        Some(page) if page.has_table && !reads_files => command.arg(table_flag()),
        _ => command,
    }
}

fn complete_help(command: Command, path: &str, globals: &[String]) -> Command {
    let is_global = |argument: &Arg| globals.iter().any(|id| argument.get_id() == id.as_str());
    let command = command.mut_args(|argument| match is_global(&argument) {
        true => argument.hide(true),
        false => argument,
    });

    // What a command says itself comes first.
    let own_help = command.get_after_long_help().or(command.get_after_help());
    let own_help = own_help.map(ToString::to_string);
    let sections = [
        own_help,
        Some(help_of(path)),
        Some(GLOBAL_OPTIONS.to_owned()),
    ];
    let sections: Vec<String> = sections.into_iter().flatten().collect();
    let text = sections.join("\n\n");
    command.after_help(text.clone()).after_long_help(text)
}

fn table_flag() -> Arg {
    Arg::new(TABLE_FLAG)
        .long("format")
        .value_name("FORMAT")
        .value_parser(PossibleValuesParser::new(TableStyle::NAMES))
        .help("How the table is written; csv and parquet have the fields of json as columns")
}

/// How the command that was chosen writes its table.
pub(super) fn chosen_table_style(matches: &ArgMatches) -> TableStyle {
    let mut deepest = matches;
    while let Some((_, below)) = deepest.subcommand() {
        deepest = below;
    }

    match deepest.try_get_one::<String>(TABLE_FLAG) {
        Ok(Some(name)) => TableStyle::named(name),
        _ => TableStyle::Table,
    }
}

/// One page for each command.
pub(super) fn all_pages() -> impl Iterator<Item = &'static Page> {
    PAGES.iter().chain(MODEL_PAGES)
}

/// The page of a command, by its words.
pub(super) fn page_of(path: &str) -> Option<&'static Page> {
    all_pages().find(|page| page.path == path)
}

fn help_of(path: &str) -> String {
    let Some(page) = page_of(path) else {
        return String::new();
    };

    let examples = page.examples.iter().map(|line| format!("  {line}"));
    let examples: Vec<String> = examples.collect();
    let codes: Vec<String> = page.exits.iter().map(|exit| describe_exit(*exit)).collect();
    format!(
        "{}\n{}\n\n{}\n{}",
        heading("Examples"),
        examples.join("\n"),
        heading("Exit codes"),
        codes.join("\n")
    )
}

/// A heading in the style of those that `clap` writes.
fn heading(text: &str) -> String {
    format!("\x1b[1m\x1b[4m{text}:\x1b[0m")
}

fn describe_exit(exit: Exit) -> String {
    format!("  {:<4} {}", exit.code(), exit.meaning())
}
