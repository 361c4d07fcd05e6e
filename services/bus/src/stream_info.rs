//! What the server says about a stream, and the profile that it keeps there.

use std::collections::HashMap;

use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::Info;
use async_nats::jetstream::{self, ErrorCode};
use schemas::subjects;
use serde::{Deserialize, Serialize};

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

/// What a question for the subjects of a stream asks.
#[derive(Serialize)]
struct SubjectsRequest<'a> {
    subjects_filter: &'a str,
    /// Subjects of the answers before.
    offset: usize,
}

/// The part of the server's answer that names subjects.
#[derive(Deserialize)]
struct SubjectsPage {
    /// All subjects, those of other answers included.
    #[serde(default)]
    total: usize,
    state: SubjectsState,
}

#[derive(Deserialize)]
struct SubjectsState {
    /// Subjects with their numbers of messages.
    #[serde(default)]
    subjects: HashMap<String, u64>,
}

/// Every subject of a stream that `filter` matches and that has a message, in no order: usually one
/// answer of the server, which names up to 100 000 in one.
pub(crate) async fn list_subjects(
    js: &jetstream::Context,
    name: &str,
    filter: &str,
) -> Result<Vec<String>, BusError> {
    // The client library asks once more for each list, only to hear that there is nothing left.
    let mut subjects = Vec::new();
    loop {
        let request = SubjectsRequest {
            subjects_filter: filter,
            offset: subjects.len(),
        };
        let page = ask_for_subjects(js, name, &request).await?;

        let count = page.state.subjects.len();
        subjects.extend(page.state.subjects.into_keys());
        if count == 0 || subjects.len() >= page.total {
            return Ok(subjects);
        }
    }
}

async fn ask_for_subjects(
    js: &jetstream::Context,
    name: &str,
    request: &SubjectsRequest<'_>,
) -> Result<SubjectsPage, BusError> {
    let failed = || format!("list the subjects of the stream {name}");
    let answer = js.request(format!("STREAM.INFO.{name}"), request).await;
    match answer.map_err(BusError::request(failed()))? {
        Response::Ok(page) => Ok(page),
        Response::Err { error } => Err(BusError::request(failed())(error)),
    }
}

/// The profile that `ktrdr infra apply` wrote into the server; none before the first one, or when a
/// newer program wrote one that this program does not know.
pub(crate) async fn read_profile(js: &jetstream::Context) -> Result<Option<Profile>, BusError> {
    let commands = read_stream_info(js, subjects::COMMANDS).await?;
    let word = commands.and_then(|info| info.config.metadata.get(PROFILE_KEY).cloned());
    Ok(word.and_then(|word| word.parse().ok()))
}
