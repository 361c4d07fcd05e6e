//! Files that are packed: gzip, zstd, and zip with one file of bars inside.

use std::io::{Cursor, Error, Read};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use zip::ZipArchive;

use super::foreign::{EXCEL, OPEN_DOCUMENT};
use super::{Contents, ENDINGS};
use crate::files::{FILE_BYTES_MAX, FileError};

/// Names that an error lists.
const NAMES_MAX: usize = 8;

/// Replaces packed contents by what is inside; false if they are not packed.
pub(super) fn unpack(contents: &mut Contents) -> Result<bool, FileError> {
    let bytes = contents.bytes.clone();

    // The first bytes of each kind of packing.
    if bytes.starts_with(&[0x1f, 0x8b]) {
        contents.note_packing("a gzip file", &[".gz", ".gzip", ".tgz"]);
        contents.bytes = read_all(&contents.name, MultiGzDecoder::new(bytes.as_ref()))?;
    } else if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        contents.note_packing("a zstd file", &[".zst", ".zstd"]);
        let decoder = zstd::stream::read::Decoder::with_buffer(bytes.as_ref());
        let decoder = decoder.map_err(|source| unpack_error(&contents.name, source))?;
        contents.bytes = read_all(&contents.name, decoder)?;
    } else if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        contents.note_packing("a zip file", &[".zip", ".xlsx", ".xlsm", ".ods"]);
        unpack_zip(contents)?;
    } else {
        return Ok(false);
    }

    Ok(true)
}

impl Contents {
    fn note_packing(&mut self, what: &str, endings: &[&str]) {
        let lower = self.name.to_ascii_lowercase();
        if !endings.iter().any(|ending| lower.ends_with(ending)) {
            let note = format!("`{}` is {what} in spite of its name: unpacked", self.name);
            self.notes.push(note);
        }
    }
}

/// Everything that a decoder gives, up to a size that no file of bars has.
fn read_all(name: &str, decoder: impl Read) -> Result<Bytes, FileError> {
    let mut unpacked = Vec::new();
    let outcome = decoder.take(FILE_BYTES_MAX).read_to_end(&mut unpacked);
    match outcome {
        Err(source) => Err(unpack_error(name, source)),
        // A small file may unpack to one that fills the memory.
        Ok(size) if size as u64 == FILE_BYTES_MAX => {
            let reason = format!("more than {FILE_BYTES_MAX} bytes");
            Err(unpack_error(name, Error::other(reason)))
        }
        Ok(_) => Ok(unpacked.into()),
    }
}

fn unpack_error(name: &str, source: Error) -> FileError {
    FileError::Unpack {
        file: name.to_owned(),
        source,
    }
}

/// The only file of bars in a zip file.
fn unpack_zip(contents: &mut Contents) -> Result<(), FileError> {
    let zip_error = |error: zip::result::ZipError| unpack_error(&contents.name, error.into());

    // A workbook is a zip file of XML; what it needs is said before anything else fails.
    let lower = contents.name.to_ascii_lowercase();
    if lower.ends_with(".xlsx") || lower.ends_with(".xlsm") {
        return Err(EXCEL.refusal(&contents.name));
    }
    let mut archive = ZipArchive::new(Cursor::new(contents.bytes.clone())).map_err(zip_error)?;
    let names = archive.file_names().map(|name| Ok(name?.into_owned()));
    let names: Vec<String> = names.collect::<Result<_, _>>().map_err(zip_error)?;
    if names.iter().any(|name| name.starts_with("xl/")) {
        return Err(EXCEL.refusal(&contents.name));
    }
    if names.iter().any(|name| name == "content.xml") {
        return Err(OPEN_DOCUMENT.refusal(&contents.name));
    }

    let inner = only_file_of_bars(&contents.name, &names)?;
    let file = archive.by_name(&inner).map_err(zip_error)?;
    let name = format!("{}/{inner}", contents.name);
    contents.bytes = read_all(&name, file)?;
    contents.name = name;
    Ok(())
}

/// The one file inside, or the one whose name is that of bars.
fn only_file_of_bars(archive: &str, names: &[String]) -> Result<String, FileError> {
    let mut files: Vec<&String> = names.iter().filter(|name| is_data(name)).collect();

    // Exports put a report of the same name beside the bars: `x.csv` with `x.txt`.
    if files.len() > 1 {
        let bars: Vec<&String> = files.iter().copied().filter(|name| is_bars(name)).collect();
        if !bars.is_empty() {
            files = bars;
        }
    }

    match files.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(FileError::Empty {
            file: archive.to_owned(),
        }),
        several => Err(FileError::Several {
            file: archive.to_owned(),
            count: several.len(),
            names: list_names(several),
        }),
    }
}

/// True for a name with an ending of bars that reports do not have.
fn is_bars(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ENDINGS.iter().any(|ending| lower.ends_with(ending)) && !lower.ends_with(".txt")
}

/// True for what is neither a folder nor hidden, as the notes that macOS adds are.
fn is_data(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or_default();
    !last.is_empty() && !last.starts_with('.') && !name.starts_with("__MACOSX/")
}

fn list_names(names: &[&String]) -> String {
    let first_names: Vec<&str> = names
        .iter()
        .take(NAMES_MAX)
        .map(|name| name.as_str())
        .collect();
    let more = if names.len() > NAMES_MAX { ", …" } else { "" };
    format!("{}{more}", first_names.join(", "))
}
