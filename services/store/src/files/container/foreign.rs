//! Files that are not bars by their first bytes: web pages, databases, workbooks. Each is refused
//! for what it is, with what to do.

use crate::files::FileError;

/// A kind of file that is refused, and the way out.
pub(super) struct Foreign {
    what: &'static str,
    advice: &'static str,
}

/// A workbook of Excel.
pub(super) const EXCEL: Foreign = Foreign {
    what: "an Excel workbook",
    advice: "save the sheet as CSV: in Excel with File, Save as, CSV UTF-8",
};

/// A workbook of LibreOffice.
pub(super) const OPEN_DOCUMENT: Foreign = Foreign {
    what: "an OpenDocument workbook",
    advice: "save the sheet as CSV: in LibreOffice with File, Save a copy, Text CSV",
};

const WEB_PAGE: Foreign = Foreign {
    what: "a web page",
    advice: "the server sent a page in place of the file: open it in a browser to read why, \
             then fetch the file again",
};

const JSON: Foreign = Foreign {
    what: "JSON",
    advice: "if it is an answer of a server, read what it says; \
             if it holds bars, write them as CSV, in pandas with read_json and to_csv",
};

const XML: Foreign = Foreign {
    what: "XML",
    advice: "export the bars as CSV",
};

const FEATHER_1: Foreign = Foreign {
    what: "Feather of version 1",
    advice: "write it again with version 2, in pandas with read_feather and to_feather",
};

const LOCKED: Foreign = Foreign {
    what: "encrypted Parquet",
    advice: "write it without encryption",
};

/// First bytes of other formats.
const MARKS: [(&[u8], Foreign); 14] = [
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", EXCEL),
    (b"PARE", LOCKED),
    (b"FEA1", FEATHER_1),
    (
        b"SQLite format 3\0",
        to_export(
            "an SQLite database",
            "export the table as CSV, with `.mode csv` of sqlite3",
        ),
    ),
    (
        b"\x89HDF\r\n\x1a\n",
        to_export(
            "an HDF5 file",
            "export it as Parquet, in pandas with read_hdf and to_parquet",
        ),
    ),
    (
        b"\x93NUMPY",
        to_export(
            "a NumPy array",
            "export it with a header, in pandas with to_parquet",
        ),
    ),
    (
        b"ORC",
        to_export(
            "an ORC file",
            "export it as Parquet, in pandas with read_orc and to_parquet",
        ),
    ),
    (
        b"Obj\x01",
        to_export("an Avro file", "export it as Parquet"),
    ),
    (
        b"%PDF",
        to_export("a PDF document", "fetch the bars as CSV"),
    ),
    (b"BZh", to_export("a bzip2 file", "unpack it with bunzip2")),
    (
        b"\xfd7zXZ\0",
        to_export("an xz file", "unpack it with unxz"),
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        to_export("a 7-Zip archive", "unpack it with 7z x"),
    ),
    (
        b"Rar!\x1a\x07",
        to_export("a RAR archive", "unpack it with unrar x"),
    ),
    (
        b"\x04\x22\x4d\x18",
        to_export("an lz4 file", "unpack it with lz4 -d"),
    ),
];

const fn to_export(what: &'static str, advice: &'static str) -> Foreign {
    Foreign { what, advice }
}

impl Foreign {
    /// The error of a file that is this.
    pub(super) fn refusal(&self, name: &str) -> FileError {
        FileError::Foreign {
            file: name.to_owned(),
            what: self.what,
            advice: self.advice,
        }
    }
}

/// Refuses what is certainly not lines of cells.
pub(super) fn refuse_foreign(name: &str, bytes: &[u8]) -> Result<(), FileError> {
    match foreign_of(name, bytes) {
        Some(foreign) => Err(foreign.refusal(name)),
        None => Ok(()),
    }
}

fn foreign_of(name: &str, bytes: &[u8]) -> Option<Foreign> {
    // Two formats have their mark further in.
    if bytes.get(8..12) == Some(b"DUCK".as_slice()) {
        let advice = "export the table, with COPY … TO 'bars.parquet' in DuckDB";
        return Some(to_export("a DuckDB database", advice));
    }
    if bytes.get(257..262) == Some(b"ustar".as_slice()) {
        return Some(to_export("a tar archive", "unpack it with tar -xf"));
    }

    let mark = MARKS.into_iter().find(|(mark, _)| bytes.starts_with(mark));
    if let Some((_, foreign)) = mark {
        return Some(foreign);
    }

    // A workbook by name that is no zip file is damaged, and would not help if it were whole.
    let lower = name.to_ascii_lowercase();
    let endings = [".xlsx", ".xlsm", ".xls"];
    if endings.iter().any(|ending| lower.ends_with(ending)) && !is_text(bytes) {
        return Some(EXCEL);
    }
    markup_of(bytes)
}

/// Text that is marked up: a header of bars may begin with `<TICKER>`, and a page may not.
fn markup_of(bytes: &[u8]) -> Option<Foreign> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = bytes.trim_ascii_start();
    let start = text.get(..64.min(text.len())).unwrap_or_default();
    let start = start.to_ascii_lowercase();

    let second = start
        .get(1..)
        .unwrap_or_default()
        .trim_ascii_start()
        .first();
    match start.first() {
        Some(b'{') => Some(JSON),
        // A list of JSON, and not the date `[2020-01-02]` of some log.
        Some(b'[') if matches!(second, Some(b'{' | b'[' | b'"' | b']')) => Some(JSON),
        Some(b'<') if start.starts_with(b"<!doctype") => Some(WEB_PAGE),
        Some(b'<') if start.starts_with(b"<html") || start.starts_with(b"<head") => Some(WEB_PAGE),
        Some(b'<') if start.starts_with(b"<?xml") => Some(XML),
        _ => None,
    }
}

fn is_text(bytes: &[u8]) -> bool {
    let start = bytes.get(..512.min(bytes.len())).unwrap_or_default();
    !start.contains(&0)
}
