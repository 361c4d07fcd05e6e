//! Dead letters: commands that could not be carried out, as their stream keeps them.

use async_nats::jetstream::stream::DirectGetErrorKind;
use schemas::codec;
use schemas::messages::DeadLetter;
use schemas::subjects;

use crate::error::BusError;
use crate::handles::DeadLetters;

/// A letter with its number in the stream, by which people name it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredLetter {
    /// Its sequence in the stream of dead letters.
    pub number: u64,
    /// The letter itself.
    pub letter: DeadLetter,
}

impl DeadLetters<'_> {
    /// All letters, oldest first. One that this program cannot read is only logged.
    pub async fn list(self) -> Result<Vec<StoredLetter>, BusError> {
        let messages = self
            .bus
            .replay(subjects::DEAD, subjects::ALL_DEAD, 1, u64::MAX)
            .await?;

        let mut letters = Vec::with_capacity(messages.len());
        for message in messages {
            match codec::decode(&message.payload) {
                Ok(letter) => letters.push(StoredLetter {
                    number: message.sequence,
                    letter,
                }),
                Err(error) => tracing::warn!(
                    number = message.sequence,
                    %error,
                    "a dead letter cannot be read"
                ),
            }
        }
        Ok(letters)
    }

    /// The numbers of all letters, oldest first, also of those that this program cannot read.
    pub async fn numbers(self) -> Result<Vec<u64>, BusError> {
        let messages = self
            .bus
            .replay(subjects::DEAD, subjects::ALL_DEAD, 1, u64::MAX)
            .await?;
        Ok(messages.iter().map(|message| message.sequence).collect())
    }

    /// One letter; `None` when there is none of that number.
    pub async fn get(self, number: u64) -> Result<Option<StoredLetter>, BusError> {
        let stream = self.bus.js.get_stream_no_info(subjects::DEAD).await;
        let stream = stream.map_err(BusError::request("open the stream of dead letters"))?;

        match stream.direct_get(number).await {
            Ok(message) => Ok(Some(StoredLetter {
                number,
                letter: codec::decode(&message.payload)?,
            })),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(error) => {
                let request = format!("read the dead letter {number}");
                Err(BusError::request(request)(error))
            }
        }
    }

    /// Deletes one letter. One that is gone already is no error.
    pub async fn delete(self, number: u64) -> Result<(), BusError> {
        let stream = self.bus.js.get_stream_no_info(subjects::DEAD).await;
        let stream = stream.map_err(BusError::request("open the stream of dead letters"))?;
        let Err(error) = stream.delete_message(number).await else {
            return Ok(());
        };

        let look = stream.direct_get(number).await;
        if look.is_err_and(|error| error.kind() == DirectGetErrorKind::NotFound) {
            return Ok(());
        }
        Err(BusError::request(format!(
            "delete the dead letter {number}"
        ))(error))
    }
}
