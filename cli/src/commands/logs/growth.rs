//! What is added to logs while somebody reads them, as the file system reports it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::sync::mpsc;

use super::line::{LogLine, lines_of};

/// One log, and how far it was read: what is read later begins where the last read has ended.
pub(super) struct LogReader {
    name: String,
    path: PathBuf,
    /// Bytes that were read.
    position: u64,
    /// The beginning of a line whose end is not written yet.
    rest: Vec<u8>,
    last: Option<Timestamp>,
}

impl LogReader {
    /// A log of which nothing was read so far; one that is not there yet is waited for.
    pub(super) fn of(name: &str, path: &Path) -> Self {
        Self {
            name: name.to_owned(),
            path: path.to_owned(),
            position: 0,
            rest: Vec::new(),
            last: None,
        }
    }

    /// Name of the log.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The whole lines of what was cut off lately, and of the log.
    pub(super) fn read_all(&mut self) -> Vec<LogLine> {
        self.rest = std::fs::read(older_of(&self.path)).unwrap_or_default();
        self.read_new()
    }

    /// The whole lines that were added since the last call.
    pub(super) fn read_new(&mut self) -> Vec<LogLine> {
        // A log that is gone, or not there yet, is read at the next call.
        let bytes = self.read_bytes().unwrap_or_default();
        self.rest.extend(bytes);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };

        let rest = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, rest);
        self.lines_of(&whole)
    }

    /// The last line, if its end is not written.
    pub(super) fn take_unfinished(&mut self) -> Vec<LogLine> {
        let rest = std::mem::take(&mut self.rest);
        self.lines_of(&rest)
    }

    fn lines_of(&mut self, bytes: &[u8]) -> Vec<LogLine> {
        let lines = lines_of(&self.name, &String::from_utf8_lossy(bytes), self.last);
        self.last = lines.last().map_or(self.last, |line| line.at);
        lines
    }

    fn read_bytes(&mut self) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        let mut bytes = Vec::new();

        // A log that has become shorter was cut to its bound and begins again; what was not read
        // before is in the copy that was made of it.
        if file.metadata()?.len() < self.position {
            bytes = read_from(&older_of(&self.path), self.position).unwrap_or_default();
            self.position = 0;
        }
        file.seek(SeekFrom::Start(self.position))?;
        let count = file.read_to_end(&mut bytes)?;
        self.position += u64::try_from(count).map_err(io::Error::other)?;
        Ok(bytes)
    }
}

/// The copy of a log that was made when it was cut to its bound.
fn older_of(log: &Path) -> PathBuf {
    log.with_extension("log.1")
}

fn read_from(path: &Path, position: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(position))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reports that something in `folder` was written; several writes may count as one.
///
/// # Errors
/// The system does not watch the folder.
pub(super) fn watch_folder(folder: &Path) -> io::Result<mpsc::Receiver<()>> {
    let watch = inotify::init(CreateFlags::CLOEXEC)?;
    inotify::add_watch(&watch, folder, WatchFlags::MODIFY | WatchFlags::CREATE)?;

    // One place: a change that nobody has looked at yet stands for all that follow.
    let (sender, changes) = mpsc::channel(1);
    // A thread and not a task, which would keep the program from ending.
    std::thread::spawn(move || {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(watch, &mut buffer);
        report_changes(&mut reader, &sender);
    });
    Ok(changes)
}

fn report_changes(reader: &mut Reader<'_, std::os::fd::OwnedFd>, sender: &mpsc::Sender<()>) {
    loop {
        match reader.next() {
            Err(Errno::INTR) => continue,
            Err(_) => return,
            Ok(_) => {}
        }
        if let Err(mpsc::error::TrySendError::Closed(())) = sender.try_send(()) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn texts(lines: &[LogLine]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[tokio::test]
    async fn whole_lines_are_read_once_also_after_a_cut() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("fetcher.log");
        std::fs::write(&path, "before\n").unwrap();
        let mut changes = watch_folder(root.path()).unwrap();
        let mut log = LogReader::of("fetcher", &path);
        assert_eq!(texts(&log.read_all()), ["before"]);
        let mut file = File::options().append(true).open(&path).unwrap();

        write!(file, "one\nhal").unwrap();
        changes.recv().await.unwrap();
        assert_eq!(texts(&log.read_new()), ["one"]);

        writeln!(file, "f").unwrap();
        assert_eq!(texts(&log.read_new()), ["half"]);
        assert_eq!(texts(&log.read_new()), Vec::<&str>::new());

        writeln!(file, "late").unwrap();
        std::fs::copy(&path, root.path().join("fetcher.log.1")).unwrap();
        file.set_len(0).unwrap();
        writeln!(file, "new").unwrap();
        assert_eq!(texts(&log.read_new()), ["late", "new"]);
    }

    #[test]
    fn a_line_that_was_unfinished_at_first_comes_whole() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("fetcher.log");
        std::fs::write(root.path().join("fetcher.log.1"), "older\n").unwrap();
        std::fs::write(&path, "one\nhalf of ß".as_bytes().split_last().unwrap().1).unwrap();
        let mut log = LogReader::of("fetcher", &path);

        assert_eq!(texts(&log.read_all()), ["older", "one"]);
        std::fs::write(&path, "one\nhalf of ß\ntwo").unwrap();
        assert_eq!(texts(&log.read_new()), ["half of ß"]);
        assert_eq!(texts(&log.take_unfinished()), ["two"]);
    }
}
