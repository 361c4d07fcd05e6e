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

/// One log, and how far it was read.
pub(super) struct LogReader {
    name: String,
    path: PathBuf,
    /// Bytes that were read.
    position: u64,
    /// The beginning of a line whose end is not written yet.
    rest: String,
    last: Option<Timestamp>,
}

impl LogReader {
    /// A log whose lines were all read so far; one that is not there yet is waited for.
    pub(super) fn at_end(name: &str, path: &Path, last: Option<Timestamp>) -> Self {
        let length = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        Self {
            name: name.to_owned(),
            path: path.to_owned(),
            position: length,
            rest: String::new(),
            last,
        }
    }

    /// The whole lines that were added since the last call.
    pub(super) fn read_new(&mut self) -> Vec<LogLine> {
        // A log that is being replaced is read at the next call.
        let Ok(bytes) = self.read_bytes() else {
            return Vec::new();
        };
        self.rest.push_str(&String::from_utf8_lossy(&bytes));
        let Some(end) = self.rest.rfind('\n') else {
            return Vec::new();
        };

        let rest = self.rest.split_off(end + 1);
        let text = std::mem::replace(&mut self.rest, rest);
        let lines = lines_of(&self.name, &text, self.last);
        self.last = lines.last().and_then(|line| line.at);
        lines
    }

    fn read_bytes(&mut self) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        // A log that has become shorter was cut to its bound and begins again.
        if file.metadata()?.len() < self.position {
            self.position = 0;
        }
        file.seek(SeekFrom::Start(self.position))?;

        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        self.position += u64::try_from(bytes.len()).map_err(io::Error::other)?;
        Ok(bytes)
    }
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
        let mut log = LogReader::at_end("fetcher", &path, None);
        let mut file = File::options().append(true).open(&path).unwrap();

        write!(file, "one\nhal").unwrap();
        changes.recv().await.unwrap();
        assert_eq!(texts(&log.read_new()), ["one"]);

        writeln!(file, "f").unwrap();
        assert_eq!(texts(&log.read_new()), ["half"]);
        assert_eq!(texts(&log.read_new()), Vec::<&str>::new());

        file.set_len(0).unwrap();
        writeln!(file, "new").unwrap();
        assert_eq!(texts(&log.read_new()), ["new"]);
    }
}
