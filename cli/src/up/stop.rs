//! Stopping a system from another process: its `ktrdr up` is asked to end, and what a killed one
//! left running is ended.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::error::UpError;
use super::processes::{ProcessList, StartedProgram, wait_for_exit};
use crate::context::{FILE_NAME, SystemHolder, holder_of};

/// What was stopped.
#[derive(Debug)]
pub(crate) struct StoppedSystem {
    /// Folder of the system.
    pub(crate) folder: PathBuf,
    /// Process id of its `ktrdr up`; none where a killed one had left programs running.
    pub(crate) up: Option<u32>,
    /// Names of the programs that ran, in the order of their start.
    pub(crate) programs: Vec<String>,
}

/// Stops the first of these systems that runs, or of which programs still run; none if there is no
/// such system.
///
/// # Errors
/// It does not end within `timeout`, or belongs to another user.
pub(crate) async fn stop_first(
    folders: &[PathBuf],
    timeout: Duration,
) -> Result<Option<StoppedSystem>, UpError> {
    for folder in folders {
        let list = ProcessList::of(folder).map_err(|source| UpError::Folder {
            path: folder.clone(),
            source,
        })?;
        let running = list.running();

        let up = match holder_of(folder) {
            SystemHolder::Nobody if running.is_empty() => {
                // Only what a killed process or a copy left; the system itself is gone.
                list.clear();
                let _ = std::fs::remove_file(folder.join(FILE_NAME));
                continue;
            }
            SystemHolder::Nobody => {
                list.end_running().await;
                let _ = std::fs::remove_file(folder.join(FILE_NAME));
                None
            }
            SystemHolder::Up(process) => Some(end_up(folder, process, timeout).await?),
        };
        return Ok(Some(StoppedSystem {
            folder: folder.clone(),
            up,
            programs: names_of(&running),
        }));
    }
    Ok(None)
}

/// Asks a `ktrdr up` to end, and waits for it.
async fn end_up(folder: &Path, process: Option<u32>, waited: Duration) -> Result<u32, UpError> {
    let cannot_stop = |source| UpError::CannotStop {
        dir: folder.to_owned(),
        source,
    };
    let unknown = || std::io::Error::other("its process id is unknown");
    let pid = process.ok_or_else(unknown).map_err(cannot_stop)?;
    let number = i32::try_from(pid).map_err(|error| cannot_stop(std::io::Error::other(error)))?;

    kill(Pid::from_raw(number), Signal::SIGTERM).map_err(|error| cannot_stop(error.into()))?;
    match tokio::time::timeout(waited, wait_for_exit(number)).await {
        Ok(ended) => ended.map(|()| pid).map_err(cannot_stop),
        Err(_) => Err(UpError::StillRunning {
            dir: folder.to_owned(),
            pid,
            waited,
        }),
    }
}

/// Each name once: a program that crashed was started more than once.
fn names_of(programs: &[StartedProgram]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for program in programs {
        let name = program.name().to_owned();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
