//! The clock of the server, compared with ours, and how long a question to it takes.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use schemas::subjects;
use serde::Deserialize;
use serde_json::json;

use crate::error::BusError;
use crate::handles::Connection;

/// What one question to the server says about its clock and the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerClock {
    /// How far the clock of the server is ahead of ours; negative when it is behind.
    pub ahead: SignedDuration,
    /// From the question to its answer.
    pub round_trip: Duration,
}

/// The part of an answer that names the time at which it was made.
#[derive(Deserialize)]
struct Answered {
    ts: Timestamp,
}

impl Connection<'_> {
    /// Asks JetStream for the state of the command queue: the answer carries the time.
    ///
    /// # Errors
    /// The server cannot be asked, or there is no command queue.
    pub async fn clock(self) -> Result<ServerClock, BusError> {
        const REQUEST: &str = "ask the server for its time";
        let subject = format!("STREAM.INFO.{}", subjects::COMMANDS);

        let asked_at = Timestamp::now();
        let began = Instant::now();
        let answer = self
            .bus
            .js
            .request::<_, _, Answered>(subject, &json!({}))
            .await;
        let round_trip = began.elapsed();
        let answered = answer.map_err(BusError::request(REQUEST))?;

        Ok(ServerClock {
            ahead: ahead_of_middle(answered.ts, asked_at, round_trip),
            round_trip,
        })
    }
}

/// The server wrote its time half-way between the question and its answer, as far as one can know.
fn ahead_of_middle(server: Timestamp, asked_at: Timestamp, round_trip: Duration) -> SignedDuration {
    let half = SignedDuration::try_from(round_trip / 2).unwrap_or_default();
    server.duration_since(asked_at) - half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_round_trip_is_no_skew() {
        let asked_at: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let round_trip = Duration::from_millis(400);

        for (server, ahead_ms) in [
            ("2026-03-01T12:00:00.2Z", 0),
            ("2026-03-01T12:00:03.2Z", 3_000),
            ("2026-03-01T11:59:59.2Z", -1_000),
        ] {
            let ahead = ahead_of_middle(server.parse().unwrap(), asked_at, round_trip);
            assert_eq!(ahead.as_millis(), ahead_ms);
        }
    }
}
