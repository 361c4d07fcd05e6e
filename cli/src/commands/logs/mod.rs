//! `ktrdr logs`: what the programs of a local system have logged, in the order of time.

mod growth;
mod line;

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use schemas::codes;
use schemas::ids::Service;
use schemas::spelling::nearest_name;

use crate::arguments::values::parse_since;
use crate::console::{Exit, Failure, Interrupts, Output};
use crate::context::{Context, VARIABLE, folders_above};
use crate::up::logs_of;
use growth::{LogReader, watch_folder};
use line::{LogLine, merge_by_time};

/// Lines that are shown where neither `--lines` nor `--since` says how many.
const LINES: usize = 50;
const ENDING: &str = ".log";

/// `ktrdr logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Whose logs to show: services, `nats-server`, `up`; without it all
    #[arg(value_name = "SERVICE")]
    names: Vec<String>,
    /// Go on with what is added, until Ctrl+C
    #[arg(long, short)]
    follow: bool,
    /// At most the last N lines; 50 unless --since is there
    #[arg(long, short = 'n', value_name = "N")]
    lines: Option<usize>,
    /// Only lines since a date, an instant, or a time ago as in 10m or 2h
    #[arg(long, value_name = "WHEN", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// Folder of the system; without it `.ktrdr` here, or in the nearest folder above
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// One log of the system.
struct Log {
    name: String,
    path: PathBuf,
}

impl Log {
    fn reader(&self) -> LogReader {
        LogReader::of(&self.name, &self.path)
    }
}

/// What a follower waits for.
struct Growth {
    /// Something in the folder was written.
    changes: tokio::sync::mpsc::Receiver<()>,
    interrupts: Interrupts,
    /// The folder, where logs that begin later are followed too.
    new_logs: Option<PathBuf>,
}

/// Shows the logs.
///
/// # Errors
/// No system has run here, or it has no such log.
pub(crate) async fn run(args: &LogsArgs, context: &Context) -> Result<Exit, Failure> {
    let folder = logs_folder(args, context)?;

    // Watched before the first look, so that nothing is written in between unseen.
    let growth = match args.follow {
        true => Some(Growth {
            changes: watch_folder(&folder).map_err(|error| cannot_watch(&error))?,
            interrupts: Interrupts::listen()?,
            new_logs: args.names.is_empty().then(|| folder.clone()),
        }),
        false => None,
    };
    let logs = choose_logs(&args.names, logs_in(&folder), &folder)?;
    let mut readers: Vec<LogReader> = logs.iter().map(Log::reader).collect();
    let mut lines: Vec<LogLine> = readers.iter_mut().flat_map(LogReader::read_all).collect();
    if !args.follow {
        lines.extend(readers.iter_mut().flat_map(LogReader::take_unfinished));
    }

    // Others may begin while all are followed.
    let has_names = readers.len() > 1 || (args.follow && args.names.is_empty());
    for line in selected(merge_by_time(lines), args) {
        print_line(&line, has_names, &context.output);
    }
    match growth {
        Some(growth) => follow(readers, growth, has_names, &context.output).await,
        None => Ok(Exit::Done),
    }
}

/// The folder of the logs: of the system that is named, else of the nearest one that has any.
fn logs_folder(args: &LogsArgs, context: &Context) -> Result<PathBuf, Failure> {
    let here = &context.working_directory;
    let context_file = context.environment.get(VARIABLE);
    let systems = match (&args.dir, context_file) {
        (Some(dir), _) => vec![here.join(dir)],
        (None, Some(file)) => here
            .join(file)
            .parent()
            .map(PathBuf::from)
            .into_iter()
            .collect(),
        (None, None) => folders_above(here),
    };

    systems
        .iter()
        .map(|system| logs_of(system))
        .find(|logs| logs.is_dir())
        .ok_or_else(|| {
            let message = "no system has run in this folder or above it";
            Failure::new(Exit::NotFound, codes::UP_NO_LOGS, message).with_hint(
                "`ktrdr up` starts one, --dir names the folder of another; a service that was \
                 started by itself logs to its standard error",
            )
        })
}

/// The logs in a folder, in alphabetical order.
fn logs_in(folder: &Path) -> Vec<Log> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut logs: Vec<Log> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?.strip_suffix(ENDING)?.to_owned();
            Some(Log { name, path })
        })
        .collect();
    logs.sort_by(|a, b| a.name.cmp(&b.name));
    logs
}

/// The logs of these names; all of them where none is named.
fn choose_logs(names: &[String], all: Vec<Log>, folder: &Path) -> Result<Vec<Log>, Failure> {
    for name in names {
        if !all.iter().any(|log| log.name == *name) {
            return Err(no_log(name, &all, folder));
        }
    }
    Ok(all
        .into_iter()
        .filter(|log| names.is_empty() || names.contains(&log.name))
        .collect())
}

fn no_log(name: &str, all: &[Log], folder: &Path) -> Failure {
    let is_service = Service::ALL.iter().any(|service| service.as_str() == name);
    let existing: Vec<&str> = all.iter().map(|log| log.name.as_str()).collect();
    let hint = match nearest_name(name, existing.iter().copied()) {
        Some(near) if !is_service => format!("did you mean `ktrdr logs {near}`?"),
        _ if existing.is_empty() => "`ktrdr up` starts the system".to_owned(),
        _ => format!("there are logs of {}", existing.join(", ")),
    };

    let message = match is_service {
        true => format!("the {name} has not run in {}", folder.display()),
        false => format!("there is no log `{name}` in {}", folder.display()),
    };
    Failure::new(Exit::NotFound, codes::UP_NO_LOGS, message).with_hint(hint)
}

fn cannot_watch(error: &std::io::Error) -> Failure {
    Failure::of(Exit::Failed, codes::UP_FOLDER, error)
        .with_hint("the host watches too many files; without --follow the logs can be read")
}

/// The lines that the arguments ask for.
fn selected(lines: Vec<LogLine>, args: &LogsArgs) -> Vec<LogLine> {
    let is_late = |line: &LogLine| args.since.is_none_or(|since| line.at >= Some(since));
    let lines: Vec<LogLine> = lines.into_iter().filter(is_late).collect();

    let count = match (args.lines, args.since) {
        (Some(count), _) => count,
        (None, Some(_)) => lines.len(),
        (None, None) => LINES,
    };
    let skipped = lines.len().saturating_sub(count);
    lines.into_iter().skip(skipped).collect()
}

fn print_line(line: &LogLine, has_names: bool, output: &Output) {
    output.json(&line.json());
    match has_names {
        true => output.line(&format!("{:<12} | {}", line.name, line.text)),
        false => output.line(&line.text),
    }
}

/// Shows what is added until a signal.
async fn follow(
    mut readers: Vec<LogReader>,
    mut growth: Growth,
    has_names: bool,
    output: &Output,
) -> Result<Exit, Failure> {
    loop {
        if let Some(folder) = &growth.new_logs {
            add_readers(&mut readers, logs_in(folder));
        }
        let lines = readers.iter_mut().flat_map(LogReader::read_new).collect();
        for line in merge_by_time(lines) {
            print_line(&line, has_names, output);
        }

        tokio::select! {
            interrupt = growth.interrupts.next() => return Ok(interrupt.exit_of_look()),
            change = growth.changes.recv() => if change.is_none() {
                return Ok(Exit::Done);
            },
        }
    }
}

/// Adds the logs that nobody reads yet.
fn add_readers(readers: &mut Vec<LogReader>, logs: Vec<Log>) {
    for log in logs {
        if !readers.iter().any(|reader| reader.name() == log.name) {
            readers.push(log.reader());
        }
    }
}
