//! What a file is by its first bytes, and what is inside where it is packed. Names are only used to
//! say where the two differ: downloads are packed, renamed, and replaced by web pages.

mod foreign;
mod packed;

use bytes::Bytes;

use super::FileError;

/// Packed files inside of packed files, as in a zip file of a gzip file.
const DEPTH_MAX: usize = 3;

/// Endings of files that may hold bars; the longer one of two comes first.
pub(super) const ENDINGS: [&str; 17] = [
    ".csv.gz", ".csv.zst", ".csv.zip", ".txt.gz", ".csv", ".tsv", ".txt", ".asc", ".dat", ".prn",
    ".parquet", ".pq", ".feather", ".arrow", ".ipc", ".arrows", ".zip",
];

/// Endings of text files.
const TEXT_ENDINGS: [&str; 6] = [".csv", ".tsv", ".txt", ".asc", ".dat", ".prn"];

/// The forms in which rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Lines of cells.
    Text,
    /// Columns of Apache Parquet.
    Parquet,
    /// Arrow IPC with a footer, which is Feather version 2.
    ArrowFile,
    /// Arrow IPC without a footer.
    ArrowStream,
}

/// A file that is not packed any more.
pub(super) struct Contents {
    /// Name of the file; with the name inside, where it lay in a zip file.
    pub(super) name: String,
    /// How its rows are read.
    pub(super) kind: Kind,
    /// The bytes to read.
    pub(super) bytes: Bytes,
    /// What was done that the name does not say, for people.
    pub(super) notes: Vec<String>,
}

/// Finds out what the bytes of a file called `name` are, and unpacks them.
///
/// # Errors
/// The bytes are something else than bars, damaged, or several files.
pub(super) fn open(name: &str, bytes: Bytes) -> Result<Contents, FileError> {
    let mut contents = Contents {
        name: name.to_owned(),
        kind: Kind::Text,
        bytes,
        notes: Vec::new(),
    };

    // A zip file can be made to unpack into itself for ever, which the bound ends.
    for _ in 0..DEPTH_MAX {
        if let Some(kind) = kind_of(&contents.bytes) {
            contents.kind = kind;
            contents.note_other_name();
            return Ok(contents);
        }
        if !packed::unpack(&mut contents)? {
            return contents.into_text();
        }
    }
    Err(FileError::Foreign {
        file: name.to_owned(),
        what: "packed more than three times",
        advice: "unpack it, and give the file that is inside",
    })
}

/// Forms whose first bytes say what they are.
fn kind_of(bytes: &[u8]) -> Option<Kind> {
    if bytes.starts_with(b"PAR1") {
        Some(Kind::Parquet)
    } else if bytes.starts_with(b"ARROW1") {
        Some(Kind::ArrowFile)
    } else if bytes.starts_with(&[0xff, 0xff, 0xff, 0xff]) {
        // The mark that opens every message of a stream; no text begins so.
        Some(Kind::ArrowStream)
    } else {
        None
    }
}

impl Contents {
    /// A text of lines, unless its bytes or its name are those of something else.
    fn into_text(mut self) -> Result<Self, FileError> {
        foreign::refuse_foreign(&self.name, &self.bytes)?;

        let lower = self.name.to_ascii_lowercase();
        let unpacked = lower.trim_end_matches(".gz").trim_end_matches(".zst");
        let has_ending = |endings: &[&str]| endings.iter().any(|ending| unpacked.ends_with(ending));

        // A text of another ending may be anything, as a page of notes is.
        if !has_ending(&ENDINGS) {
            return Err(FileError::Format { file: self.name });
        }
        if !has_ending(&TEXT_ENDINGS) && !lower.ends_with(".zip") && !self.bytes.is_empty() {
            let note = format!(
                "`{}` holds text in spite of its name: read as CSV",
                self.name
            );
            self.notes.push(note);
        }
        Ok(self)
    }

    /// Says what the file is, where its name says something else.
    fn note_other_name(&mut self) {
        let lower = self.name.to_ascii_lowercase();
        if TEXT_ENDINGS.iter().any(|ending| lower.ends_with(ending)) {
            let what = self.kind.words();
            let note = format!(
                "`{}` is {what} in spite of its name: read as such",
                self.name
            );
            self.notes.push(note);
        }
    }
}

impl Kind {
    /// For people, with an article.
    fn words(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Parquet => "a Parquet file",
            Self::ArrowFile => "an Arrow file",
            Self::ArrowStream => "an Arrow stream",
        }
    }
}
