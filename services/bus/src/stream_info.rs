//! What the server says about a stream, and the profile that it keeps there.

use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::Info;
use async_nats::jetstream::{self, ErrorCode};
use futures::TryStreamExt as _;
use schemas::subjects;

use crate::error::BusError;
use crate::timing::Profile;
use crate::topology::PROFILE_KEY;

/// Settings and state of a stream; none when it does not exist.
pub(crate) async fn read_stream_info(
    js: &jetstream::Context,
    name: &str,
) -> Result<Option<Info>, BusError> {
    let error = match js.get_stream(name).await {
        Ok(stream) => return Ok(Some(stream.cached_info().clone())),
        Err(error) => error,
    };

    match error.kind() {
        GetStreamErrorKind::JetStream(refusal)
            if refusal.error_code() == ErrorCode::STREAM_NOT_FOUND =>
        {
            Ok(None)
        }
        _ => Err(BusError::request(format!(
            "read the state of the stream {name}"
        ))(error)),
    }
}

/// Every subject of a stream that `filter` matches and that has a message, in no order: a few
/// answers of the server, each of up to 100 000 subjects.
pub(crate) async fn list_subjects(
    js: &jetstream::Context,
    name: &str,
    filter: &str,
) -> Result<Vec<String>, BusError> {
    let failed = format!("list the subjects of the stream {name}");
    let stream = js.get_stream_no_info(name).await;
    let stream = stream.map_err(BusError::request(failed.clone()))?;
    let subjects = stream.info_with_subjects(filter).await;
    let subjects = subjects.map_err(BusError::request(failed.clone()))?;

    let subjects = subjects.map_ok(|subject| subject.0);
    subjects
        .try_collect()
        .await
        .map_err(BusError::request(failed))
}

/// The profile that `ktrdr infra apply` wrote into the server; none before the first one, or when a
/// newer program wrote one that this program does not know.
pub(crate) async fn read_profile(js: &jetstream::Context) -> Result<Option<Profile>, BusError> {
    let commands = read_stream_info(js, subjects::COMMANDS).await?;
    let word = commands.and_then(|info| info.config.metadata.get(PROFILE_KEY).cloned());
    Ok(word.and_then(|word| word.parse().ok()))
}
