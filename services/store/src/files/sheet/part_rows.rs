//! Rows of a folder of Parquet files, as Spark and partitioned data sets write them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::{FileError, Mapping};
use super::Sheet;

/// Folders inside of folders, as in `year=2024/month=01/part-0.parquet`.
const DEPTH_MAX: usize = 8;

/// Reads every part under `folder`, in the order of their names.
pub(super) fn read(folder: &Path, mapping: &Mapping) -> Result<Sheet, FileError> {
    let name = folder.display().to_string();
    let mut parts = Vec::new();
    collect_parts(folder, DEPTH_MAX, &mut parts).map_err(|source| FileError::Open {
        file: name.clone(),
        source,
    })?;

    // File systems list in any order, which would give one data set several orders of rows.
    parts.sort_unstable();

    let mut whole: Option<Sheet> = None;
    for part in &parts {
        let sheet = Sheet::read_file(part, mapping, None)?;
        match &mut whole {
            None => whole = Some(sheet),
            Some(whole) => append(whole, sheet, part)?,
        }
    }

    let mut sheet = whole.ok_or(FileError::NoParts { file: name })?;
    if parts.len() > 1 {
        sheet
            .notes
            .push(format!("{} parts in the order of their names", parts.len()));
    }
    Ok(sheet)
}

/// Files that hold rows: not hidden, and not the marks that Spark leaves.
fn collect_parts(folder: &Path, depth: usize, parts: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
        if name.starts_with(['.', '_']) {
            continue;
        }

        let path = entry.path();
        if path.is_dir() {
            // The bound ends links that lead back into a folder above them.
            if depth > 0 {
                collect_parts(&path, depth - 1, parts)?;
            }
        } else if name.ends_with(".parquet") || name.ends_with(".pq") {
            parts.push(path);
        }
    }
    Ok(())
}

/// Puts the rows of a part behind the others; lines count on.
fn append(whole: &mut Sheet, part: Sheet, path: &Path) -> Result<(), FileError> {
    if whole.columns != part.columns {
        return Err(FileError::Part {
            file: path.display().to_string(),
            columns: part.columns.join(", "),
        });
    }

    let rows_before = whole.lines.last().copied().unwrap_or(0);
    whole
        .lines
        .extend(part.lines.iter().map(|line| line + rows_before));

    // A sheet has one clock, which parts with and without a zone do not share.
    if !whole.stamps.append(part.stamps) {
        return Err(FileError::Row {
            file: path.display().to_string(),
            line: 1,
            reason: "times with a zone and times without one in two parts".to_owned(),
        });
    }
    for (values, more) in whole.prices.iter_mut().zip(part.prices) {
        values.extend(more);
    }
    whole.volume.extend(part.volume);
    if let Some(symbols) = &mut whole.symbols
        && let Some(more) = &part.symbols
    {
        symbols.extend(more);
    }
    Ok(())
}
