//! Lengths that packed buffers of an Arrow file state of themselves. The decoder asks for that much
//! memory before it reads any of it, and a program that asks for too much is ended.

use arrow_ipc::{Block, Message, RecordBatch, root_as_footer, root_as_message};
use bytes::Bytes;

use super::super::FILE_BYTES_MAX;

/// Before the metadata of a message: four bytes of ones, then its length in four bytes.
const PREFIX: usize = 8;

/// After the footer of a file: its length in four bytes, and `ARROW1`.
const TRAILER: usize = 10;

/// Before the data of a packed buffer: its length when it is unpacked, or -1.
const LENGTH: usize = 8;

/// Checks a file, whose footer says where its messages are.
///
/// # Errors
/// A buffer would be larger than a file of bars can be, or what says so cannot be read.
pub(super) fn check_file(bytes: &Bytes) -> Result<(), String> {
    let blocks = blocks_of(bytes).ok_or_else(|| "its footer cannot be read".to_owned())?;
    for (start, metadata_length) in blocks {
        check_message(bytes, start, metadata_length)?;
    }
    Ok(())
}

/// Checks a stream, whose messages follow each other.
///
/// # Errors
/// A buffer would be larger than a file of bars can be, or what says so cannot be read.
pub(super) fn check_stream(bytes: &Bytes) -> Result<(), String> {
    let mut start = 0_usize;
    while let Some(length) = metadata_length_at(bytes, start) {
        let metadata_length = PREFIX.saturating_add(length);
        let body_length = check_message(bytes, start, metadata_length)?;
        start = start
            .saturating_add(metadata_length)
            .saturating_add(body_length);
    }
    Ok(())
}

/// Start and length of the metadata of every message that the footer names.
fn blocks_of(bytes: &[u8]) -> Option<Vec<(usize, usize)>> {
    let end = bytes.len().checked_sub(TRAILER)?;
    let length = u32::from_le_bytes(array_at(bytes, end)?);
    let start = end.checked_sub(usize::try_from(length).ok()?)?;
    let footer = root_as_footer(bytes.get(start..end)?).ok()?;

    let batches = footer.recordBatches().into_iter().flatten();
    let dictionaries = footer.dictionaries().into_iter().flatten();
    batches.chain(dictionaries).map(place_of).collect()
}

fn place_of(block: &Block) -> Option<(usize, usize)> {
    let start = usize::try_from(block.offset()).ok()?;
    Some((start, usize::try_from(block.metaDataLength()).ok()?))
}

fn metadata_length_at(bytes: &[u8], start: usize) -> Option<usize> {
    let length = u32::from_le_bytes(array_at(bytes, start.checked_add(4)?)?);
    usize::try_from(length).ok().filter(|length| *length > 0)
}

/// Checks the buffers of one message; the length of its body.
fn check_message(bytes: &[u8], start: usize, metadata_length: usize) -> Result<usize, String> {
    let body_start = start.saturating_add(metadata_length);
    let message = message_at(bytes, start)
        .ok_or_else(|| format!("its message at byte {start} cannot be read"))?;

    let dictionary = message.header_as_dictionary_batch();
    let batch = message
        .header_as_record_batch()
        .or_else(|| dictionary.and_then(|dictionary| dictionary.data()));
    if let Some(batch) = batch {
        check_batch(bytes.get(body_start..).unwrap_or_default(), &batch)?;
    }
    usize::try_from(message.bodyLength()).map_err(|_| "a message of negative length".to_owned())
}

/// A message, with or without the four bytes of ones that older programs did not write. The decoder
/// reads damaged metadata beyond its end, so this does.
fn message_at(bytes: &[u8], start: usize) -> Option<Message<'_>> {
    let is_marked = array_at(bytes, start) == Some([0xff; 4]);
    let prefix = if is_marked { PREFIX } else { PREFIX / 2 };
    root_as_message(bytes.get(start.checked_add(prefix)?..)?).ok()
}

fn check_batch(body: &[u8], batch: &RecordBatch<'_>) -> Result<(), String> {
    // Buffers that are not packed are within the bytes of the file, and need no bound.
    if batch.compression().is_none() {
        return Ok(());
    }

    for buffer in batch.buffers().into_iter().flatten() {
        let Ok(start) = usize::try_from(buffer.offset()) else {
            continue;
        };
        let stated = array_at::<LENGTH>(body, start).map(i64::from_le_bytes);
        if let Some(length) = stated.filter(|length| *length > FILE_BYTES_MAX as i64) {
            return Err(format!("a buffer states a length of {length} bytes"));
        }
    }
    Ok(())
}

fn array_at<const N: usize>(bytes: &[u8], start: usize) -> Option<[u8; N]> {
    let piece = bytes.get(start..start.checked_add(N)?)?;
    piece.try_into().ok()
}
