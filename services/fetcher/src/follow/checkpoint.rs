//! What an attempt at following leaves for the next one. Its instants are written as people read
//! them: a checkpoint is part of what `ktrdr status` says of a step.

use jiff::Timestamp;
use market::Utc;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What the next attempt goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowCheckpoint {
    /// When following began.
    #[serde(serialize_with = "write", deserialize_with = "read")]
    pub since: Utc,
    /// Bars that were due up to here have been announced, or were late.
    #[serde(serialize_with = "write", deserialize_with = "read")]
    pub announced: Utc,
}

fn write<S: Serializer>(instant: &Utc, serializer: S) -> Result<S::Ok, S::Error> {
    instant.timestamp().serialize(serializer)
}

/// The two forms of an instant: steps that began before it was text have numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(Timestamp),
    Micros(i64),
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Utc, D::Error> {
    Ok(match Written::deserialize(deserializer)? {
        Written::Text(instant) => Utc::from_timestamp(instant),
        Written::Micros(micros) => Utc(micros),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Half a second after 2020-03-03T14:20:00Z.
    const BEGIN: i64 = 1_583_245_200_500_000;

    #[test]
    fn instants_are_written_in_utc_and_read_in_both_forms() {
        let checkpoint = FollowCheckpoint {
            since: Utc(BEGIN),
            announced: Utc(BEGIN + 39 * 60_000_000),
        };
        let text = json!({
            "since": "2020-03-03T14:20:00.5Z",
            "announced": "2020-03-03T14:59:00.5Z",
        });
        assert_eq!(serde_json::to_value(checkpoint).unwrap(), text);

        let numbers = json!({"since": BEGIN, "announced": BEGIN + 39 * 60_000_000});
        for written in [text, numbers] {
            let read: FollowCheckpoint = serde_json::from_value(written).unwrap();
            assert_eq!(read, checkpoint);
        }
    }
}
