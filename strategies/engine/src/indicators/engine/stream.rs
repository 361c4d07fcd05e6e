//! Streaming: an indicator that is fed one bar at a time, with a state that can be saved and
//! resumed.
//!
//! A stream runs the same kernel as a whole series does, so both give the same bits; a saved state
//! names the indicator it belongs to and carries a checksum, because it may come back from a file
//! that somebody edited or from a program of another version.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::bar::Bar;
use super::indicator::Indicator;
use super::runner::Engine;

/// Version of the layout of saved states. Raise it when the layout of any indicator's state
/// changes.
const VERSION: u32 = 6;

/// A running indicator. Each bar gives, bit for bit, what [`Indicator::compute`] gives at its row.
pub struct Stream {
    indicator: Indicator,
    engine: Box<dyn Engine>,
    outputs: Vec<f64>,
}

/// What a [`Stream`] knows after the bars so far: all that it needs to continue, in another process
/// if need be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamState {
    version: u32,
    /// Type and effective parameters.
    indicator: String,
    /// MessagePack, which holds NaN and infinities as they are.
    state: Vec<u8>,
    /// Over everything above.
    sha256: String,
}

/// Why a stream cannot be saved or resumed.
#[derive(Debug, Error)]
pub enum StreamError {
    /// The state was saved by a program that lays it out differently.
    #[error("the state of {indicator} has version {found}, this program reads version {VERSION}")]
    Version {
        /// Type and parameters in the state.
        indicator: String,
        /// Version of the state.
        found: u32,
    },
    /// The state belongs to another indicator.
    #[error("the state is of {found}, not of {expected}")]
    OtherIndicator {
        /// Type and parameters of the indicator that was to resume.
        expected: String,
        /// Type and parameters in the state.
        found: String,
    },
    /// The state is not what was saved.
    #[error("the state of {indicator} does not match its checksum")]
    Damaged {
        /// Type and parameters in the state.
        indicator: String,
    },
    /// The state cannot be written.
    #[error("the state of {indicator} cannot be written")]
    Write {
        /// Type and parameters of the stream.
        indicator: String,
        /// The serialiser's error.
        source: rmp_serde::encode::Error,
    },
    /// The state cannot be read.
    #[error("the state of {indicator} cannot be read")]
    Read {
        /// Type and parameters of the stream.
        indicator: String,
        /// The deserialiser's error.
        source: rmp_serde::decode::Error,
    },
}

impl StreamError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::OtherIndicator { .. } => {
                "use the state with the indicator and the parameters that it was saved from"
            }
            Self::Version { .. }
            | Self::Damaged { .. }
            | Self::Write { .. }
            | Self::Read { .. } => "start a new stream and feed it the bars again",
        }
    }
}

impl Indicator {
    /// A stream that has seen no bar.
    pub fn stream(&self) -> Stream {
        Stream {
            indicator: self.clone(),
            engine: self.start(),
            outputs: vec![f64::NAN; self.spec().output_count()],
        }
    }

    /// A stream that continues where `state` was saved.
    ///
    /// # Errors
    /// The state is damaged, of another indicator, or of another version.
    pub fn resume(&self, state: &StreamState) -> Result<Stream, StreamError> {
        let indicator = state.indicator.clone();

        // The checksum first: a damaged state may claim any version and any indicator.
        if state.sha256 != state.checksum() {
            return Err(StreamError::Damaged { indicator });
        }
        if state.version != VERSION {
            return Err(StreamError::Version {
                indicator,
                found: state.version,
            });
        }
        let expected = self.to_string();
        if indicator != expected {
            return Err(StreamError::OtherIndicator {
                expected,
                found: indicator,
            });
        }

        let mut stream = self.stream();
        stream
            .engine
            .load(&state.state)
            .map_err(|source| StreamError::Read { indicator, source })?;
        Ok(stream)
    }
}

impl Stream {
    /// The indicator that runs.
    pub fn indicator(&self) -> &Indicator {
        &self.indicator
    }

    /// Takes the next bar; one value per output in the specification's order, NaN = undefined. A
    /// volume that is not available is NaN.
    pub fn push(&mut self, bar: &Bar) -> &[f64] {
        self.engine.push(bar, &mut self.outputs);
        &self.outputs
    }

    /// The state after the bars so far.
    ///
    /// # Errors
    /// The state cannot be written, which does not happen to a state of plain numbers.
    pub fn save(&self) -> Result<StreamState, StreamError> {
        let indicator = self.indicator.to_string();
        let state = match self.engine.save() {
            Ok(state) => state,
            Err(source) => return Err(StreamError::Write { indicator, source }),
        };

        let mut saved = StreamState {
            version: VERSION,
            indicator,
            state,
            sha256: String::new(),
        };
        saved.sha256 = saved.checksum();
        Ok(saved)
    }
}

impl Clone for Stream {
    fn clone(&self) -> Self {
        Self {
            indicator: self.indicator.clone(),
            engine: self.engine.copy(),
            outputs: self.outputs.clone(),
        }
    }
}

impl StreamState {
    fn checksum(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.version.to_le_bytes());
        // The length separates the text from the bytes after it.
        hash.update((self.indicator.len() as u64).to_le_bytes());
        hash.update(self.indicator.as_bytes());
        hash.update(&self.state);

        let mut text = String::new();
        for byte in hash.finalize() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}
