//! `ktrdr run FILE`: the operations of a file as one family.

use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command};
use schemas::codes;
use schemas::operation::NewOperation;
use schemas::requests::Family;

use crate::arguments::{FamilyArgs, RunArgs};
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::operation_files::{OperationLine, read_operation_file};
use crate::inputs::training_keys::TRAINING_PREFIX;
use crate::watch::start_family;

/// `ktrdr run`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLE)]
pub(crate) struct RunFileArgs {
    /// YAML file with the operations; `-` for standard input
    file: PathBuf,
    /// How the operations run, instead of what the file says.
    #[command(flatten)]
    family: FamilyArgs,
    /// How to run the whole.
    #[command(flatten)]
    run: RunArgs,
}

const EXAMPLE: &str = "A file of operations:

  limit: 4                    # at a time; 64 without it
  on_failure: keep_going      # or fail_fast
  stages:                     # each begins when the one before it is completed
    - - data load AAPL MSFT --mode full
    - - train eurusd_rsi_macd --symbols AAPL
      - train: eurusd_rsi_macd
        symbols: MSFT
        seed: 7

Without stages write `operations:` with one list, or the list alone. Operations may be `data load`,
`train` and `dummy start`, with --label, --priority and --retries of their own; what counts for the
whole, such as --detach and --dry-run, is given to `ktrdr run`.";

/// Wrong lines of a file that are named.
const WRONG_LINES_MAX: usize = 20;

/// Starts the operations of the file, each made from the words of its line by `make_operations`.
///
/// # Errors
/// The file or a line of it is wrong, which starts nothing, or an operation fails.
pub(crate) async fn run(
    args: &RunFileArgs,
    context: &Context,
    make_operations: impl AsyncFn(&[String], &Context) -> Result<Vec<NewOperation>, Failure>,
) -> Result<Exit, Failure> {
    let family = read_family(args, context, make_operations).await?;
    start_family(context, family, &args.run).await
}

/// The request of the whole file.
///
/// # Errors
/// The file or a line of it is wrong.
pub(crate) async fn make_request(
    args: &RunFileArgs,
    context: &Context,
    make_operations: impl AsyncFn(&[String], &Context) -> Result<Vec<NewOperation>, Failure>,
) -> Result<NewOperation, Failure> {
    let mut family = read_family(args, context, make_operations).await?;
    for child in family.stages.iter_mut().flatten() {
        args.run.mark(child);
    }

    let mut request = family.operation();
    args.run.mark(&mut request);
    Ok(request)
}

/// The operations of the file as one family.
async fn read_family(
    args: &RunFileArgs,
    context: &Context,
    make_operations: impl AsyncFn(&[String], &Context) -> Result<Vec<NewOperation>, Failure>,
) -> Result<Family, Failure> {
    let file = read_operation_file(&args.file, context)?;

    let mut stages = Vec::with_capacity(file.stages.len());
    let mut failures = Vec::new();
    for lines in &file.stages {
        let mut stage = Vec::with_capacity(lines.len());
        for line in lines {
            match make_operations(&line.words, context).await {
                Ok(operations) => stage.extend(operations),
                Err(failure) if is_of_line(&failure) => failures.push(in_line(line, failure)),
                // A server that is away is away for each line.
                Err(failure) => return Err(in_line(line, failure)),
            }
        }
        stages.push(stage);
    }
    refuse_wrong_lines(&args.file, failures)?;

    let name = args.file.file_name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    Ok(Family {
        stages,
        limit: args.family.limit.unwrap_or(file.limit),
        on_failure: match args.family.fail_fast {
            true => args.family.on_failure(),
            false => file.on_failure,
        },
        labels: [("file".to_owned(), name)].into(),
    })
}

/// True for a mistake in the line itself.
fn is_of_line(failure: &Failure) -> bool {
    matches!(failure.exit, Exit::Usage | Exit::NotFound)
}

/// The failure of one line, which it names.
fn in_line(line: &OperationLine, failure: Failure) -> Failure {
    let words = line.words.join(" ");
    Failure {
        message: format!("line {}: `{words}`: {}", line.number, failure.message),
        ..failure
    }
}

/// All that is wrong with the lines of a file, if anything is: one alone as it is, several as the
/// causes of one.
fn refuse_wrong_lines(file: &Path, mut failures: Vec<Failure>) -> Result<(), Failure> {
    if failures.len() < 2 {
        return failures.pop().map_or(Ok(()), Err);
    }

    let count = failures.len();
    let message = format!("{count} lines of {} are wrong", file.display());
    let mut whole = Failure::new(Exit::Usage, codes::OPS_INVALID, message)
        .with_hint("correct each line; nothing was started");
    let named = failures.iter().take(WRONG_LINES_MAX);
    whole.causes = named.map(|failure| failure.message.clone()).collect();
    if count > WRONG_LINES_MAX {
        let rest = count - WRONG_LINES_MAX;
        whole.causes.push(format!("and {rest} more"));
    }
    Err(whole)
}

/// Refuses the options of a line that say how a command of its own is run or what it prints: the
/// operations of a file run as one.
///
/// # Errors
/// The line has such an option.
pub(super) fn refuse_options_of_whole(
    program: &Command,
    matches: &ArgMatches,
) -> Result<(), Failure> {
    let options = [RunArgs::OF_WHOLE.as_slice(), &FamilyArgs::OF_WHOLE].concat();
    let Some(option) = find_written_option(program, matches, &options) else {
        return Ok(());
    };

    let message = format!("--{option} is for a command of its own, not for a line of a file");
    Err(
        Failure::new(Exit::Usage, codes::OPS_INVALID, message).with_hint(format!(
            "take it out of the line; `ktrdr run FILE --{option}` has it for all operations of the \
         file. Nothing was started"
        )),
    )
}

/// Refuses the options of a scheduled command that say how a command is run on a terminal or what
/// it prints: they would be passed over in silence.
///
/// # Errors
/// The command has such an option.
pub(super) fn refuse_options_of_terminal(
    program: &Command,
    matches: &ArgMatches,
) -> Result<(), Failure> {
    let Some(option) = find_written_option(program, matches, &RunArgs::OF_WHOLE) else {
        return Ok(());
    };

    let message = format!("--{option} is for a command on a terminal, not for a scheduled one");
    Err(Failure::new(Exit::Usage, codes::OPS_INVALID, message)
        .with_hint("take it out of the command; nothing was scheduled"))
}

/// The first that somebody wrote of these options and of those that every command has, as it is
/// typed.
fn find_written_option(
    program: &Command,
    matches: &ArgMatches,
    options: &[&str],
) -> Option<String> {
    let mut deepest = matches;
    let mut command = "";
    while let Some((name, below)) = deepest.subcommand() {
        command = name;
        deepest = below;
    }

    let globals = program.get_arguments().filter(|each| each.is_global_set());
    let globals = globals.map(|argument| argument.get_id().as_str());
    let mut refused = globals.chain(options.iter().copied());
    let option = refused.find(|option| {
        is_written(option, deepest) && !(command == "train" && is_of_strategy(option, deepest))
    })?;
    Some(option.replace('_', "-"))
}

/// True for `--set` of a training that changes keys of its strategy and no setting.
fn is_of_strategy(option: &str, matches: &ArgMatches) -> bool {
    if option != "set" {
        return false;
    }
    let pairs = matches.try_get_many::<(String, String)>("set");
    let mut pairs = pairs.ok().flatten().unwrap_or_default();
    pairs.all(|(key, _)| key.starts_with(TRAINING_PREFIX))
}

/// True for an option that somebody wrote; the others have their defaults.
fn is_written(option: &str, matches: &ArgMatches) -> bool {
    let mut ids = matches.ids();
    ids.any(|id| id == option) && matches.value_source(option) == Some(ValueSource::CommandLine)
}
