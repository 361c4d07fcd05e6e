//! Requests to a cluster that is choosing a leader: it answers them late, or not at all.

use std::time::Duration;

use async_nats::Client;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::error::BusError;

/// How long a cluster is waited for. After the death of a leader the others wait 4 to 9 s, and
/// choose.
const ELECTION_TIME_MAX: Duration = Duration::from_secs(25);
/// Between two questions, where the refusal comes at once.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Asks a server, and asks a cluster again until it answers or its time is over.
///
/// # Errors
/// The last refusal, or that there was no answer.
pub(crate) async fn ask_through_election<T, Answer>(
    client: &Client,
    ask: impl Fn() -> Answer,
) -> Result<T, BusError>
where
    Answer: Future<Output = Result<T, BusError>>,
{
    let started = Instant::now();
    let mut questions = interval(ASK_EVERY);
    questions.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_first = true;

    loop {
        questions.tick().await;
        let error = match ask().await {
            Err(error @ BusError::Request { .. }) => error,
            answer => return answer,
        };
        let is_cluster = client.server_info().cluster.is_some();
        if !is_cluster || started.elapsed() > ELECTION_TIME_MAX {
            return Err(error);
        }
        if is_first {
            tracing::warn!(%error, "waiting for the servers to choose a leader");
            is_first = false;
        }
    }
}
