//! Why a network cannot be written in a format.

use thiserror::Error;

/// Why a network cannot be written in a format.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The format has no form for such a network.
    #[error("a network of type {network} cannot be written as {format}")]
    Unsupported {
        /// The type of the network, as a strategy writes it.
        network: &'static str,
        /// The format that was asked for.
        format: &'static str,
    },
    /// The archive could not be put together.
    #[error("the archive of the module could not be written")]
    Archive(#[from] zip::result::ZipError),
    /// A part of the archive could not be written.
    #[error("a part of the archive could not be written")]
    Part(#[from] std::io::Error),
}
