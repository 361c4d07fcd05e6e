//! Texts that a command reads as a whole, up to a size that none of them has.

use std::io::{Error, Read};
use std::path::Path;

/// Longest text that a command reads at once: a hundred times the largest strategy.
const TEXT_FILE_BYTES_MAX: u64 = 4 << 20;

/// The text of a file.
///
/// # Errors
/// It cannot be read, is not UTF-8, or is too long.
pub(crate) fn read_text(path: &Path) -> std::io::Result<String> {
    read_text_from(std::fs::File::open(path)?)
}

/// The text of a file or of standard input; one without an end is not waited for.
///
/// # Errors
/// It cannot be read, is not UTF-8, or is too long.
pub(crate) fn read_text_from(source: impl Read) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    source
        .take(TEXT_FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > TEXT_FILE_BYTES_MAX {
        let message = format!(
            "it has more than {TEXT_FILE_BYTES_MAX} bytes, the most that is read: name a shorter \
             file, or make several of it"
        );
        return Err(Error::other(message));
    }

    String::from_utf8(bytes).map_err(|_| Error::other("it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_the_most_bytes_is_read() {
        let text = std::io::repeat(b'x').take(TEXT_FILE_BYTES_MAX);
        let length = read_text_from(text).unwrap().len();
        assert_eq!(length as u64, TEXT_FILE_BYTES_MAX);
    }

    #[test]
    fn a_text_without_an_end_is_refused_with_the_limit() {
        let error = read_text(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it has more than 4194304 bytes, the most that is read: name a shorter file, or make \
             several of it"
        );
    }

    #[test]
    fn a_text_that_is_one_byte_too_long_is_refused() {
        let text = std::io::repeat(b'x').take(TEXT_FILE_BYTES_MAX + 1);
        assert!(read_text_from(text).is_err());
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let error = read_text_from(&[0xff, 0xfe][..]).unwrap_err();
        assert_eq!(error.to_string(), "it is not UTF-8");
    }
}
