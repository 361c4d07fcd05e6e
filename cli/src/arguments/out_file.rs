//! The file that a command writes a table to: which endings there are, and what it must not
//! replace.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use store::TableFormat;

/// Where a table goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OutFile {
    /// CSV on standard output, written `-`.
    Standard,
    /// A file whose ending says its format.
    File(PathBuf),
}

impl OutFile {
    /// The parser of a flag whose value is `-` or a file; an ending without a format is refused.
    pub(crate) fn parser() -> impl TypedValueParser<Value = Self> {
        PathBufValueParser::new().try_map(Self::of)
    }

    /// The same without standard output.
    pub(crate) fn file_parser() -> impl TypedValueParser<Value = PathBuf> {
        PathBufValueParser::new().try_map(|path| match Self::of(path)? {
            Self::File(path) => Ok(path),
            Self::Standard => Err("this command writes files only".to_owned()),
        })
    }

    /// Reads `-` or the name of a file.
    ///
    /// # Errors
    /// The ending of the name says no format: a sentence that lists those that do.
    pub(crate) fn of(path: PathBuf) -> Result<Self, String> {
        if path.as_os_str() == OsStr::new("-") {
            return Ok(Self::Standard);
        }
        match TableFormat::of(&path) {
            Some(_) => Ok(Self::File(path)),
            None => Err(format!(
                "the name must end in {}",
                TableFormat::ENDINGS.join(", ")
            )),
        }
    }

    /// The one of these inputs that a write to this output would replace, also where links lead to
    /// it. Paths are relative to `folder`.
    pub(crate) fn replaced_input<'a>(
        &self,
        inputs: impl IntoIterator<Item = &'a Path>,
        folder: &Path,
    ) -> Option<&'a Path> {
        let Self::File(out) = self else {
            return None;
        };
        // A file that does not exist yet replaces nothing.
        let out = identity_of(&folder.join(out))?;
        inputs
            .into_iter()
            .find(|input| identity_of(&folder.join(input)) == Some(out))
    }
}

/// Device and number of a file, the same for all its names.
fn identity_of(path: &Path) -> Option<(u64, u64)> {
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
    path.metadata().ok().map(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_says_the_format_or_is_refused() {
        for name in ["x.csv", "x.CSV", "x.csv.gz", "a.b/x.parquet"] {
            let file = OutFile::of(name.into());
            assert_eq!(file, Ok(OutFile::File(name.into())), "{name}");
        }
        for name in ["x.json", "x.xlsx", "x.txt", "x.gz", "x", "", "csv"] {
            let error = OutFile::of(name.into()).unwrap_err();
            assert!(error.contains(".csv, .csv.gz"), "{name}: {error}");
        }
        assert_eq!(OutFile::of("-".into()), Ok(OutFile::Standard));
    }

    #[test]
    fn an_input_is_recognised_by_each_of_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        std::fs::write(here.join("bars.csv"), "x").unwrap();
        std::fs::hard_link(here.join("bars.csv"), here.join("hard.csv")).unwrap();
        std::os::unix::fs::symlink("bars.csv", here.join("soft.csv")).unwrap();
        std::fs::write(here.join("other.csv"), "x").unwrap();
        let bars = Path::new("bars.csv");

        for name in ["bars.csv", "./bars.csv", "hard.csv", "soft.csv"] {
            let out = OutFile::File(name.into());
            assert_eq!(out.replaced_input([bars], here), Some(bars), "{name}");
        }
        for name in ["other.csv", "new.csv"] {
            let out = OutFile::File(name.into());
            assert_eq!(out.replaced_input([bars], here), None, "{name}");
        }
        assert_eq!(OutFile::Standard.replaced_input([bars], here), None);
    }
}
