//! The bytes of a file as UTF-8 text with line feeds, and what a file is that is no text.

use std::borrow::Cow;

/// How the characters of a file are written as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16,
    Windows1252,
}

impl Encoding {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16 => "UTF-16",
            Self::Windows1252 => "Windows-1252",
        }
    }
}

/// A text as its rows are read from it.
#[derive(Debug)]
pub(super) struct Decoded<'a> {
    pub(super) text: Cow<'a, [u8]>,
    pub(super) encoding: Encoding,
}

/// Decodes by the byte order mark, by the zeros of UTF-16, else as UTF-8, else as Windows-1252.
pub(super) fn decode(bytes: &[u8]) -> Decoded<'_> {
    let (text, encoding) = match bytes {
        [0xff, 0xfe, rest @ ..] => (utf16(rest, u16::from_le_bytes), Encoding::Utf16),
        [0xfe, 0xff, rest @ ..] => (utf16(rest, u16::from_be_bytes), Encoding::Utf16),
        // UTF-16 without a mark: digits and Latin letters have a zero in every other byte.
        [first, 0, _, 0, ..] if *first != 0 => (utf16(bytes, u16::from_le_bytes), Encoding::Utf16),
        [0, first, 0, _, ..] if *first != 0 => (utf16(bytes, u16::from_be_bytes), Encoding::Utf16),
        _ => {
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            match std::str::from_utf8(text) {
                Ok(_) => (Cow::Borrowed(text), Encoding::Utf8),
                Err(_) => (windows_1252(text), Encoding::Windows1252),
            }
        }
    };

    Decoded {
        text: with_line_feeds(without_end_mark(text)),
        encoding,
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Cow<'_, [u8]> {
    let units = bytes
        .chunks_exact(2)
        .filter_map(|pair| Some(unit(pair.try_into().ok()?)));
    let text: String = char::decode_utf16(units)
        .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    Cow::Owned(text.into_bytes())
}

/// Latin-1 and Windows-1252 agree on every letter; the signs of the latter between 0x80 and 0x9f
/// that matter here are the euro and the apostrophe.
fn windows_1252(bytes: &[u8]) -> Cow<'_, [u8]> {
    let text: String = bytes.iter().map(|byte| windows_character(*byte)).collect();
    Cow::Owned(text.into_bytes())
}

fn windows_character(byte: u8) -> char {
    match byte {
        0x80 => '€',
        0x91 | 0x92 => '\u{2019}',
        0x96 => '\u{2013}',
        0x97 => '\u{2014}',
        _ => char::from(byte),
    }
}

/// DOS programs end a text with Ctrl-Z, and some pad it with zeros.
fn without_end_mark(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let is_mark = |byte: &u8| matches!(byte, 0 | 0x1a);
    let marks = text.iter().rev().take_while(|byte| is_mark(byte)).count();
    if marks == 0 {
        return text;
    }
    let length = text.len() - marks;

    match text {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(..length).unwrap_or_default()),
        Cow::Owned(mut bytes) => {
            bytes.truncate(length);
            Cow::Owned(bytes)
        }
    }
}

/// Old Macs end lines with a carriage return alone.
fn with_line_feeds(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let has_line_feed = memchr::memchr(b'\n', &text).is_some();
    if has_line_feed || memchr::memchr(b'\r', &text).is_none() {
        return text;
    }
    let mut bytes = text.into_owned();
    for byte in &mut bytes {
        if *byte == b'\r' {
            *byte = b'\n';
        }
    }
    Cow::Owned(bytes)
}
