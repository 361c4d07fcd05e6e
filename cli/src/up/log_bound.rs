//! Bounds of the logs: each keeps what it was before it grew too long, once.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::folder::{Folder, logs_of};
use super::program::wait_for_stop;

/// A log that is longer becomes `<name>.log.1` in place of the one before.
const LENGTH_MAX: u64 = 8 << 20;
const CHECK_EVERY: Duration = Duration::from_secs(30);

/// Bounds every log now and then until the stop.
pub(super) async fn keep_logs_bounded(folder: Arc<Folder>, mut stop: watch::Receiver<bool>) {
    let mut checks = tokio::time::interval(CHECK_EVERY);
    loop {
        tokio::select! {
            () = wait_for_stop(&mut stop) => return,
            _ = checks.tick() => {}
        }
        if let Err(error) = bound_logs(&logs_of(folder.path()), LENGTH_MAX) {
            tracing::warn!(%error, "the logs cannot be bounded");
        }
    }
}

/// Cuts every log that is longer than `length_max`.
fn bound_logs(folder: &Path, length_max: u64) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let is_log = path.extension().is_some_and(|ending| ending == "log");
        if is_log && entry.metadata()?.len() > length_max {
            cut(&path)?;
        }
    }
    Ok(())
}

/// Copies a log aside and empties it. It cannot be renamed: the program that writes it has it open,
/// at its end, wherever that is. A line that is written between the two steps is lost.
fn cut(log: &Path) -> io::Result<()> {
    // A copy has the mode of the log.
    std::fs::copy(log, log.with_extension("log.1"))?;
    OpenOptions::new().write(true).open(log)?.set_len(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::context::append_to_private_file;

    #[test]
    fn a_log_that_is_too_long_is_kept_once_and_begins_again() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("fetcher.log");
        let mut log = append_to_private_file(&path).unwrap();
        let mut write = |text: &str| writeln!(log, "{text}").unwrap();
        let text_of = |name: &str| std::fs::read_to_string(root.path().join(name)).unwrap();

        write("first");
        bound_logs(root.path(), 6).unwrap();
        assert_eq!(text_of("fetcher.log"), "first\n");

        write("second");
        bound_logs(root.path(), 6).unwrap();
        write("third");

        assert_eq!(text_of("fetcher.log.1"), "first\nsecond\n");
        assert_eq!(text_of("fetcher.log"), "third\n");
    }
}
