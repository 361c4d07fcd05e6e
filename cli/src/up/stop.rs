//! Stopping a system from another process: its `ktrdr up` is asked to end, and what a killed one
//! left running is ended.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use super::error::UpError;
use super::processes::{ProcessHandle, ProcessList};
use crate::context::{FILE_NAME, SystemHolder, has_open, holder_of, open_existing_lock};

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
        if let Some(stopped) = stop_system(folder, timeout).await? {
            return Ok(Some(stopped));
        }
    }
    Ok(None)
}

/// Stops the system of one folder; none where nothing of it runs.
async fn stop_system(folder: &Path, timeout: Duration) -> Result<Option<StoppedSystem>, UpError> {
    let failed = |source| UpError::Folder {
        path: folder.to_owned(),
        source,
    };
    let Some(lock) = open_existing_lock(folder).map_err(failed)? else {
        return Ok(None);
    };
    let list = ProcessList::of(folder).map_err(failed)?;
    let mut programs = list.running();

    // With the lock in our hands no `ktrdr up` begins while its programs are ended and forgotten.
    let up = match lock.try_lock() {
        Ok(()) => {
            programs = list.end_running().await;
            let _ = std::fs::remove_file(folder.join(FILE_NAME));
            None
        }
        Err(TryLockError::WouldBlock) => end_up(folder, &lock, timeout).await?,
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    };
    let has_stopped = up.is_some() || !programs.is_empty();
    Ok(has_stopped.then(|| StoppedSystem {
        folder: folder.to_owned(),
        up,
        programs: programs.iter().map(|each| each.name().to_owned()).collect(),
    }))
}

/// Asks the `ktrdr up` that holds the lock to end, and waits for it; none if it has just ended by
/// itself.
async fn end_up(folder: &Path, lock: &File, waited: Duration) -> Result<Option<u32>, UpError> {
    let dir = || folder.to_owned();
    let cannot_stop = |source| UpError::CannotStop { dir: dir(), source };
    let pid = match holder_of(folder) {
        SystemHolder::Nobody => return Ok(None),
        SystemHolder::Up(None) => return Err(UpError::UnknownHolder { dir: dir() }),
        SystemHolder::Up(Some(pid)) => pid,
    };

    // The handle first: from here on the number cannot become that of another program.
    let process = ProcessHandle::open(pid).map_err(cannot_stop)?;
    let is_holder = has_open(pid, lock).map_err(cannot_stop)?;
    let Some(process) = process.filter(|_| is_holder) else {
        return Err(UpError::UnknownHolder { dir: dir() });
    };
    process.send(Signal::TERM).map_err(cannot_stop)?;
    match tokio::time::timeout(waited, process.wait()).await {
        Ok(ended) => ended.map(|()| Some(pid)).map_err(cannot_stop),
        Err(_) => Err(UpError::StillRunning {
            dir: dir(),
            pid,
            waited,
        }),
    }
}
