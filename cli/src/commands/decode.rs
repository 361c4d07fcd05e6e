//! `ktrdr decode`: one payload from standard input as one line of JSON, for
//! `nats sub --translate 'ktrdr decode'`.

use std::io::Read as _;

use clap::Args;
use schemas::{codec, codes};

use crate::console::{Exit, Failure, standard_output};
use crate::context::Context;

/// `ktrdr decode`, which has no arguments of its own.
#[derive(Debug, Args)]
pub(crate) struct DecodeArgs {}

/// Reads standard input to its end and prints it as JSON. It reads no settings.
///
/// # Errors
/// The payload is neither MessagePack nor JSON.
pub(crate) async fn run(_args: &DecodeArgs, _context: &Context) -> Result<Exit, Failure> {
    let mut payload = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut payload)
        .map_err(|error| {
            Failure::of(Exit::Failed, codes::SYS_INPUT, &error)
                .with_hint("pipe one payload into standard input")
        })?;

    let value = codec::to_json(&payload).map_err(|error| {
        Failure::of(Exit::Failed, codes::BUS_UNDECODABLE, &error)
            .with_hint("give exactly one payload, without the headers")
    })?;

    standard_output::write_line(&value.to_string());
    Ok(Exit::Done)
}
