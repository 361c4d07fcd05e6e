//! The `ktrdr` program: read the command line, settle the settings, run the command, end with its
//! exit code.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Parser as _;
use cli::args::{Command, CommandLine};
use cli::context::Context;
use cli::exit::{Exit, Failure};
use cli::output::Output;
use cli::{
    data, decode, doctor, dummy, follow, indicators, infra, logs, models, ops, status, strategies,
    train, up, workers,
};

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let output = Output::new(&line.global, |name| std::env::var(name).ok());
    let ended = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::of(Exit::Failed, "SYS-Runtime", &error))
        .and_then(|runtime| runtime.block_on(run(&line, output.clone())));
    match ended {
        Ok(code) => code,
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

async fn run(line: &CommandLine, output: Output) -> Result<ExitCode, Failure> {
    if matches!(line.command, Command::Decode) {
        return decode::run().map(ExitCode::from);
    }
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let here =
        std::env::current_dir().map_err(|error| Failure::of(Exit::Failed, "SYS-Folder", &error))?;
    let context = Context::new(&line.global, output, environment, here)?;
    logs::init(&context, line.global.verbose)?;
    let exit = match &line.command {
        Command::Up(args) => {
            return Ok(
                up::run(args, &context.environment, &context.working_directory)
                    .await?
                    .into(),
            );
        }
        Command::Doctor => doctor::run(&context).await?,
        Command::Infra { command } => infra::run(command, &context).await?,
        Command::Data { command } => data::run(command, &context).await?,
        Command::Strategies { command } => strategies::run(command, &context)?,
        Command::Indicators { command } => indicators::run(command, &context)?,
        Command::Train(args) => train::run(args, &context).await?,
        Command::Models { command } => models::run(command, &context).await?,
        Command::Ops(args) => ops::run(&context, args).await?,
        Command::Status(args) => status::run(&context, args).await?,
        Command::Follow(args) => follow::run(&context, args).await?,
        Command::Cancel(args) => ops::cancel(&context, args).await?,
        Command::Resume(args) => ops::resume(&context, args).await?,
        Command::Workers(args) => workers::run(&context, args).await?,
        Command::Dummy { command } => dummy::run(&context, command).await?,
        Command::Decode => Exit::Done,
    };
    Ok(exit.into())
}
