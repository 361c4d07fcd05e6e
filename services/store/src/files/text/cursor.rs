//! A position in the bytes of a cell, which moves past digits, words and separators.

use super::time::SECOND;

/// The bytes of a cell that are not read yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

/// A run of digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits {
    pub(super) value: i64,
    pub(super) length: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(cell: &'a [u8]) -> Self {
        Self {
            rest: cell.trim_ascii(),
        }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn starts_with_letter(&self) -> bool {
        self.rest.first().is_some_and(u8::is_ascii_alphabetic)
    }

    /// The next byte, whatever it is.
    pub(super) fn next_byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// Moves past one `byte` if it is the next.
    pub(super) fn skip(&mut self, byte: u8) -> bool {
        match self.rest.strip_prefix(&[byte]) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Moves past all of these bytes.
    pub(super) fn skip_any(&mut self, bytes: &[u8]) {
        self.take_while(|byte| bytes.contains(&byte));
    }

    /// A run of letters, empty if there is none.
    pub(super) fn word(&mut self) -> &'a [u8] {
        self.take_while(|byte| byte.is_ascii_alphabetic())
    }

    /// A run of 1 to 18 digits.
    pub(super) fn digits(&mut self) -> Option<Digits> {
        let run = self.take_while(|byte| byte.is_ascii_digit());
        if run.is_empty() || run.len() > 18 {
            return None;
        }
        let value = run
            .iter()
            .fold(0, |value, byte| value * 10 + i64::from(byte - b'0'));
        Some(Digits {
            value,
            length: run.len(),
        })
    }

    /// A separator of the parts of a date.
    pub(super) fn separator(&mut self) -> Option<u8> {
        let byte = *self.rest.first()?;
        if !b"-/. ".contains(&byte) {
            return None;
        }
        self.next_byte()
    }

    /// A fraction of a second in microseconds if one follows; digits beyond them are cut.
    pub(super) fn fraction(&mut self) -> i64 {
        let mut ahead = *self;
        if !ahead.skip(b'.') && !ahead.skip(b',') {
            return 0;
        }
        let run = ahead.take_while(|byte| byte.is_ascii_digit());
        if run.is_empty() {
            return 0;
        }

        // Only from here on: without digits the sign may belong to what follows the time.
        *self = ahead;
        let mut unit = SECOND;
        let mut micros = 0;
        for byte in run.iter().take(6) {
            unit /= 10;
            micros += i64::from(byte - b'0') * unit;
        }
        micros
    }

    fn take_while(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| !belongs(*byte));
        let (taken, rest) = match end {
            Some(end) => self.rest.split_at_checked(end).unwrap_or((self.rest, &[])),
            None => (self.rest, &[] as &[u8]),
        };
        self.rest = rest;
        taken
    }
}
