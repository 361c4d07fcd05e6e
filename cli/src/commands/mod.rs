//! The command line: one entry for each command, with its help, its arguments and the function that
//! runs it.
//!
//! A command is a file or a folder here. It imports the rooms below (`arguments`, `console`,
//! `context`, `inputs`, `watch`, `up`) and no other command.

mod calendars;
mod checkpoints;
mod completions;
mod config;
mod data;
mod decode;
mod doctor;
mod down;
mod dummy;
mod help;
mod indicators;
mod infra;
mod logs;
mod man;
mod models;
mod operations;
mod provider;
mod run_file;
mod schedule;
mod store;
mod strategies;
mod tap;
mod workers;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use runtime::settings::process_environment;
use schemas::codes;
use schemas::operation::{NewOperation, OperationRecord};

use crate::arguments::GlobalArgs;
use crate::console::{Exit, Failure, Output, TableStyle, standard_output};
use crate::context::Context;
use crate::inputs::training_keys::TRAINING_PREFIX;
use crate::up;

/// Market bars in, trained and versioned neuro-fuzzy models out.
#[derive(Debug, Parser)]
#[command(
    name = "ktrdr",
    version,
    about,
    max_term_width = 100,
    propagate_version = true
)]
pub struct CommandLine {
    /// Flags of every command.
    #[command(flatten)]
    global: GlobalArgs,
    /// The subcommand with its arguments.
    #[command(subcommand)]
    command: Command,
    /// How the command writes its table.
    #[arg(skip)]
    table_style: TableStyle,
}

/// The command line as `clap` knows it, with the help of every command.
pub(crate) fn command() -> clap::Command {
    help::complete_command(CommandLine::command())
}

/// Reads a command line, whose first word is the name of the program.
///
/// # Errors
/// It is not a command line of this program, or asks for help or the version.
pub fn parse_from<Words>(words: Words) -> Result<CommandLine, clap::Error>
where
    Words: IntoIterator,
    Words::Item: Into<OsString> + Clone,
{
    let mut command = command();
    let matches = command.try_get_matches_from_mut(words)?;

    let line = CommandLine::from_arg_matches(&matches);
    let mut line = line.map_err(|error| error.format(&mut command))?;
    line.table_style = help::chosen_table_style(&matches);
    Ok(line)
}

/// Declares every command once: its help, its arguments, and the function that runs it.
macro_rules! commands {
    ($($(#[$help:meta])* $name:ident($arguments:ty) => $run:path,)+) => {
        /// The commands of `ktrdr`.
        #[derive(Debug, Subcommand)]
        enum Command {
            $($(#[$help])* $name($arguments),)+
        }

        impl Command {
            async fn run(&self, context: &Context) -> Result<Exit, Failure> {
                match self {
                    $(Self::$name(arguments) => $run(arguments, context).await,)+
                }
            }
        }
    };
}

commands! {
    /// Start a local system: NATS server, services, housekeeping
    Up(Box<up::UpArgs>) => up::run,
    /// Stop the local system of this folder, or the one above
    Down(down::DownArgs) => down::run,
    /// Show what the programs of the local system have logged
    Logs(logs::LogsArgs) => logs::run,
    /// Show or check the settings, with their origins
    Config(config::ConfigArgs) => config::run,
    /// Check the settings, the server, the queues, the store and the programs
    Doctor(doctor::DoctorArgs) => doctor::run,
    /// Apply or check the streams, buckets and consumers on the server
    Infra(infra::InfraArgs) => infra::run,
    /// Load, import, check and show bars
    Data(data::DataArgs) => data::run,
    /// List, ask, search and test the providers of bars; needs no server
    Provider(provider::ProviderArgs) => provider::run,
    /// Delete what nothing in the object store needs any more
    Store(store::StoreArgs) => store::run,
    /// List and show when markets trade, and add calendars; needs no server
    Calendars(calendars::CalendarsArgs) => calendars::run,
    /// List, show and check strategies, their features and folds; needs no server
    Strategies(strategies::StrategiesArgs) => strategies::run,
    /// List, describe and compute indicators; needs no server
    Indicators(indicators::IndicatorsArgs) => indicators::run,
    /// Train a model from a strategy
    Train(Box<models::TrainArgs>) => models::train,
    /// List and show models, and predict with them
    Models(models::ModelsArgs) => models::run,
    /// Start the operations of a file as one: side by side, or in stages
    Run(run_file::RunFileArgs) => run_file,
    /// Start operations by themselves: at times of day, or in intervals
    Schedule(schedule::ScheduleArgs) => run_schedule,
    /// List operations, newest first
    Ops(operations::OpsArgs) => operations::run,
    /// Show one operation, or the whole system
    Status(operations::StatusArgs) => operations::status,
    /// Follow operations to their end
    Follow(operations::FollowArgs) => operations::follow,
    /// Wait for the end of operations without showing them; the exit code is that of the worst
    Wait(operations::WaitArgs) => operations::wait,
    /// Print progress and events from the bus as they come
    Tap(tap::TapArgs) => tap::run,
    /// Ask for operations to be stopped
    Cancel(operations::CancelArgs) => operations::cancel,
    /// Put a failed or cancelled operation back on its queue; it continues from its last checkpoint
    Resume(operations::ResumeArgs) => operations::resume,
    /// Start a failed or cancelled operation again from its beginning, as a new operation
    Retry(operations::RetryArgs) => operations::retry,
    /// List, show and delete the checkpoints that interrupted steps can go on from
    Checkpoints(checkpoints::CheckpointsArgs) => checkpoints::run,
    /// List the running workers, or drain one
    Workers(workers::WorkersArgs) => workers::run,
    /// Run the reference service: a number of iterations of equal length
    Dummy(dummy::DummyArgs) => dummy::run,
    /// Decode one message payload from standard input to a line of JSON, as in
    /// `nats sub --translate 'ktrdr decode'`
    Decode(decode::DecodeArgs) => decode::run,
    /// Print a script that completes commands, flags and operations in a shell
    Completions(completions::CompletionsArgs) => print_completions,
    /// Write a manual page for each command
    Man(man::ManArgs) => write_pages,
}

/// Runs `ktrdr completions`, which needs to know all other commands.
async fn print_completions(
    args: &completions::CompletionsArgs,
    _context: &Context,
) -> Result<Exit, Failure> {
    Ok(completions::run(*args, command()))
}

/// Runs `ktrdr man`, which needs to know all other commands.
async fn write_pages(args: &man::ManArgs, context: &Context) -> Result<Exit, Failure> {
    man::run(args, &command(), context)
}

/// Runs the program: the exit code is that of the command, and a failure is printed.
pub fn run(line: &CommandLine) -> ExitCode {
    let environment = process_environment();
    let output = Output::new(&line.global, line.table_style, &environment);

    let ended = tokio::runtime::Runtime::new()
        .map_err(|error| {
            Failure::of(Exit::Failed, codes::SYS_RUNTIME, &error)
                .with_hint("this user may start too few threads: raise `ulimit -u`")
        })
        .and_then(|runtime| runtime.block_on(run_command(line, output.clone(), environment)));

    let mut exit = match ended {
        Ok(exit) => exit,
        Err(failure) => {
            output.failure(&failure);
            failure.exit
        }
    };

    // A table for programs is written whole, once all its rows are there.
    if let Some(rows) = output.rows.as_ref().filter(|_| exit == Exit::Done)
        && let Err(failure) = rows.write()
    {
        output.failure_for_people(&failure);
        exit = failure.exit;
    }

    // A result that did not arrive whole is a failure, whatever the command says.
    if let Err(failure) = standard_output::finish() {
        output.failure_for_people(&failure);
        if exit == Exit::Done {
            exit = failure.exit;
        }
    }
    exit.into()
}

async fn run_command(
    line: &CommandLine,
    output: Output,
    environment: BTreeMap<String, String>,
) -> Result<Exit, Failure> {
    let working_directory = std::env::current_dir().map_err(|error| {
        Failure::of(Exit::Failed, codes::SYS_FOLDER, &error)
            .with_hint("change to a folder that exists and that this user may read")
    })?;

    let context = Context::new(
        &global_of(line),
        output,
        environment,
        working_directory,
        describe_result,
    );
    line.command.run(&context).await
}

async fn run_file(args: &run_file::RunFileArgs, context: &Context) -> Result<Exit, Failure> {
    run_file::run(args, context, make_operations).await
}

async fn run_schedule(args: &schedule::ScheduleArgs, context: &Context) -> Result<Exit, Failure> {
    schedule::run(args, context, make_request).await
}

/// The operations that a command line would start, its words without the name of the program.
async fn make_operations(
    words: &[String],
    context: &Context,
) -> Result<Vec<NewOperation>, Failure> {
    let line = parse_words(words, run_file::refuse_options_of_whole)?;
    match &line.command {
        Command::Data(args) => data::make_operations(args, context).await,
        Command::Train(args) => models::make_operations(args, context),
        Command::Dummy(args) => Ok(vec![dummy::make_request(args)]),
        _ => Err(starts_nothing()
            .with_hint("use `data load`, `train` or `dummy start`; nothing was started")),
    }
}

/// The one request that a command line would submit; of several operations that of their family.
async fn make_request(words: &[String], context: &Context) -> Result<NewOperation, Failure> {
    let line = parse_words(words, run_file::refuse_options_of_terminal)?;
    match &line.command {
        Command::Data(args) => data::make_request(args, context).await,
        Command::Train(args) => models::make_request(args, context),
        Command::Dummy(args) => Ok(dummy::make_request(args)),
        Command::Run(args) => run_file::make_request(args, context, make_operations).await,
        _ => Err(starts_nothing()
            .with_hint("use `data load`, `train`, `run` or `dummy start`; nothing was scheduled")),
    }
}

/// Parses the words of a command without the name of the program, unless it has an option that
/// `refuse_options` refuses.
fn parse_words(
    words: &[String],
    refuse_options: impl Fn(&clap::Command, &clap::ArgMatches) -> Result<(), Failure>,
) -> Result<CommandLine, Failure> {
    let words = std::iter::once("ktrdr").chain(words.iter().map(String::as_str));
    let mut program = CommandLine::command();
    let matches = program.try_get_matches_from_mut(words);
    let matches = matches.map_err(|error| wrong_words(&error))?;

    refuse_options(&program, &matches)?;
    CommandLine::from_arg_matches(&matches).map_err(|error| wrong_words(&error))
}

fn starts_nothing() -> Failure {
    let message = "the command starts no operation";
    Failure::new(Exit::Usage, codes::OPS_INVALID, message)
}

fn wrong_words(error: &clap::Error) -> Failure {
    // What is written asks for help, or is nothing at all, and clap answers with a whole page.
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        return starts_nothing()
            .with_hint("use `data load`, `train` or `dummy start`; nothing was started");
    }

    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or_default();
    let message = first.trim_start_matches("error: ").to_owned();
    Failure::new(Exit::Usage, codes::OPS_INVALID, message)
        .with_hint("write it as you would after `ktrdr`; nothing was started")
}

/// The flags of every command. `--set` of `retry` changes its request, and no setting; that of
/// `train` changes its strategy where it names a key of the section `training`.
fn global_of(line: &CommandLine) -> GlobalArgs {
    let mut global = line.global.clone();
    let is_training = match &line.command {
        Command::Train(_) => true,
        Command::Models(args) => args.is_training(),
        _ => false,
    };

    if matches!(line.command, Command::Retry(_)) {
        global.set.clear();
    } else if is_training {
        let is_setting = |key: &str| !key.starts_with(TRAINING_PREFIX);
        global.set.retain(|(key, _)| is_setting(key));
    }
    global
}

/// The result of a completed operation in the words of the command that starts its kind; none where
/// the scalars of its steps say enough.
fn describe_result(record: &OperationRecord) -> Option<Vec<(String, String)>> {
    match record.kind.as_str() {
        "train" => models::describe_training(record),
        "data" => data::describe_load(record),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::help::{GLOBAL_OPTIONS, all_pages, page_of};
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    /// Every command with its path, but for `help`.
    fn all_commands(
        command: &clap::Command,
        path: &str,
        commands: &mut Vec<(String, clap::Command)>,
    ) {
        commands.push((path.to_owned(), command.clone()));
        for sub in command.get_subcommands() {
            if sub.get_name() != "help" {
                let path = format!("{path} {}", sub.get_name()).trim().to_owned();
                all_commands(sub, &path, commands);
            }
        }
    }

    /// The words of a line, as a shell splits it.
    fn words_of(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (index, part) in line.split('\'').enumerate() {
            // What stands between two quotation marks is one word.
            match index % 2 {
                0 => words.extend(part.split_whitespace().map(str::to_owned)),
                _ => words.push(part.to_owned()),
            }
        }
        words
    }

    #[test]
    fn every_command_has_examples_that_parse() {
        let mut commands = Vec::new();
        all_commands(&command(), "", &mut commands);
        assert!(commands.len() > 40, "{}", commands.len());

        for (path, command) in &commands {
            let page = page_of(path).unwrap_or_else(|| panic!("`ktrdr {path}` has no page"));
            assert!(!page.examples.is_empty(), "{path}");
            let help = command.get_after_help().unwrap().to_string();
            assert!(help.contains("Examples:"), "{path}: {help}");
            assert!(help.contains("Exit codes:"), "{path}: {help}");

            for example in page.examples {
                // What a shell does with the output is not part of the command.
                let line = example.split(" > ").next().unwrap();
                let line = line.split(" < ").next().unwrap();
                assert!(line.starts_with(&format!("ktrdr {path}")), "{path}: {line}");
                parse_from(words_of(line)).unwrap_or_else(|error| panic!("{example}\n{error}"));
            }
        }
    }

    #[test]
    fn every_page_belongs_to_a_command() {
        let mut commands = Vec::new();
        all_commands(&command(), "", &mut commands);

        for page in all_pages() {
            let has_command = commands.iter().any(|(path, _)| path == page.path);
            assert!(has_command, "{}", page.path);
        }
    }

    #[test]
    fn global_options_are_in_the_help_of_the_program_only() {
        let mut commands = Vec::new();
        all_commands(&command(), "", &mut commands);

        for (path, command) in &mut commands {
            let help = command.render_long_help().to_string();
            let has_them = help.contains("--creds") && help.contains("--ascii");
            assert_eq!(has_them, path.is_empty(), "{path}: {help}");
            assert_eq!(help.contains(GLOBAL_OPTIONS), !path.is_empty(), "{path}");
        }
    }
}
