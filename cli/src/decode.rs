//! `ktrdr decode`: one payload from standard input as one line of JSON, for
//! `nats sub --translate 'ktrdr decode'`.

use std::io::{Read as _, Write as _};

use schemas::codec;

use crate::exit::{Exit, Failure};

/// Reads standard input to its end. A payload that is neither MessagePack nor JSON is an error.
pub fn run() -> Result<Exit, Failure> {
    let mut payload = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut payload)
        .map_err(|error| Failure::of(Exit::Failed, "SYS-Input", &error))?;
    let value = codec::to_json(&payload).map_err(|error| {
        Failure::of(Exit::Failed, "BUS-Undecodable", &error)
            .with_hint("give exactly one payload, without the headers")
    })?;
    drop(writeln!(std::io::stdout().lock(), "{value}"));
    Ok(Exit::Done)
}
