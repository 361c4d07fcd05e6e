//! A command as a queue delivered it: decoded, and with the ways to answer its message.

use std::time::Duration;

use bus::{BusError, Delivered};
use schemas::codec;
use schemas::ids::{OperationId, StepNumber};
use schemas::messages::CommandMessage;
use schemas::subjects::CommandAddress;

/// A readable command, with the message that must be answered once it is dealt with.
pub(crate) struct ReceivedCommand<'a> {
    pub(crate) delivered: &'a Delivered,
    pub(crate) address: CommandAddress,
    pub(crate) message: CommandMessage,
}

impl<'a> ReceivedCommand<'a> {
    /// Reads subject and payload.
    ///
    /// # Errors
    /// The reason in words, when either of them cannot be read.
    pub(crate) fn decode(delivered: &'a Delivered) -> Result<Self, String> {
        let address =
            CommandAddress::parse(delivered.subject()).map_err(|error| error.to_string())?;
        let message = codec::decode::<CommandMessage>(delivered.payload())
            .map_err(|error| error.to_string())?;

        Ok(Self {
            delivered,
            address,
            message,
        })
    }

    pub(crate) fn op(&self) -> &OperationId {
        &self.address.op
    }

    pub(crate) fn step(&self) -> StepNumber {
        self.address.step
    }

    /// Another worker is at it, or the record moved under us: the message comes back after half an
    /// `ack_wait`, and nothing counts as an attempt.
    pub(crate) async fn hand_back(&self, ack_wait: Duration) -> Result<(), BusError> {
        self.delivered.hand_back(ack_wait / 2).await
    }
}
