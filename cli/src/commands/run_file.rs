//! `ktrdr run FILE`: the operations of a file as one family.

use std::path::PathBuf;

use clap::Args;
use schemas::operation::NewOperation;
use schemas::requests::Family;

use crate::arguments::{FamilyArgs, RunArgs};
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::operation_files::read_operation_file;
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
`train` and `dummy start`.";

/// Starts the operations of the file, each made from the words of its line by `make_operations`.
///
/// # Errors
/// The file or a line of it is wrong, which starts nothing, or an operation fails.
pub(crate) async fn run(
    args: &RunFileArgs,
    context: &Context,
    make_operations: impl AsyncFn(&[String], &Context) -> Result<Vec<NewOperation>, Failure>,
) -> Result<Exit, Failure> {
    let file = read_operation_file(&args.file, context)?;

    let mut stages = Vec::with_capacity(file.stages.len());
    for lines in &file.stages {
        let mut stage = Vec::with_capacity(lines.len());
        for words in lines {
            let made = make_operations(words, context).await;
            stage.extend(made.map_err(|failure| in_line(words, failure))?);
        }
        stages.push(stage);
    }

    let name = args.file.file_name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    let family = Family {
        stages,
        limit: args.family.limit.unwrap_or(file.limit),
        on_failure: match args.family.fail_fast {
            true => args.family.on_failure(),
            false => file.on_failure,
        },
        labels: [("file".to_owned(), name)].into(),
    };
    start_family(context, family, &args.run).await
}

/// The failure of one line, which it names.
fn in_line(words: &[String], failure: Failure) -> Failure {
    let line = words.join(" ");
    Failure {
        message: format!("`{line}`: {}", failure.message),
        ..failure
    }
}
