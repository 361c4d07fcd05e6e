//! How much waits in a queue, how much of it before a given command, and what is in no queue.

use std::collections::BTreeMap;

use async_nats::jetstream::consumer::{Info, pull};
use async_nats::jetstream::stream::DirectGetErrorKind;
use futures::StreamExt as _;
use jiff::Timestamp;
use schemas::ids::{Lane, OperationId, Service, StepNumber};
use schemas::subjects;

use crate::error::BusError;
use crate::handles::Commands;

/// Commands ahead are counted one by one up to here; beyond, the answer is the number of all that
/// wait.
const COUNTED_MAX: u64 = 50;

/// One queue at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Commands that wait.
    pub pending: u64,
    /// Commands that a worker has fetched and not settled.
    pub claimed: u64,
    /// Free slots that ask for work right now.
    pub waiting_pulls: u64,
}

/// One queue at one moment, with the age of what waits in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueView {
    /// How much waits, and how much is worked on.
    pub depth: QueueDepth,
    /// When the oldest command that no worker has had was published.
    pub oldest_at: Option<Timestamp>,
}

impl Commands<'_> {
    /// State of the queue of one service and lane, and since when its oldest command waits.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub async fn queue_view(self, service: Service, lane: Lane) -> Result<QueueView, BusError> {
        let (depth, delivered) = self.queue_state(service, lane).await?;
        if depth.pending == 0 {
            return Ok(QueueView {
                depth,
                oldest_at: None,
            });
        }

        let opened = self.bus.js.get_stream_no_info(subjects::COMMANDS).await;
        let stream = opened.map_err(BusError::request("open the command stream"))?;
        let queue = subjects::commands_of(service, lane);
        let first = stream.direct_get_next_for_subject(queue, Some(delivered + 1));
        let oldest_at = match first.await {
            Ok(message) => Timestamp::from_nanosecond(message.time.unix_timestamp_nanos()).ok(),
            // Taken meanwhile.
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => None,
            Err(error) => {
                return Err(BusError::request("look at the oldest command of a queue")(
                    error,
                ));
            }
        };
        Ok(QueueView { depth, oldest_at })
    }

    /// State of the queue of one service and lane.
    pub async fn queue_depth(self, service: Service, lane: Lane) -> Result<QueueDepth, BusError> {
        Ok(self.queue_state(service, lane).await?.0)
    }

    /// How many commands are ahead of a step's command in its queue; none when it is not waiting
    /// there.
    pub async fn ahead_of(
        self,
        service: Service,
        lane: Lane,
        op: &OperationId,
        step: StepNumber,
    ) -> Result<Option<u64>, BusError> {
        let opened = self.bus.js.get_stream_no_info(subjects::COMMANDS).await;
        let stream = opened.map_err(BusError::request("open the command stream"))?;
        let command = subjects::command(service, lane, op, step);
        let own_sequence = match stream.direct_get_last_for_subject(command).await {
            Ok(message) => message.sequence,
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(BusError::request(count_ahead_of(op))(error)),
        };

        // Up to this sequence a worker has each command already.
        let (depth, delivered) = self.queue_state(service, lane).await?;
        if own_sequence <= delivered {
            return Ok(None);
        }

        let queue = subjects::commands_of(service, lane);
        let mut ahead = 0;
        let mut next = delivered + 1;
        while ahead < COUNTED_MAX.min(depth.pending) {
            match stream
                .direct_get_next_for_subject(queue.clone(), Some(next))
                .await
            {
                Ok(message) if message.sequence < own_sequence => {
                    ahead += 1;
                    next = message.sequence + 1;
                }
                Ok(_) => return Ok(Some(ahead)),
                Err(error) if error.kind() == DirectGetErrorKind::NotFound => {
                    return Ok(Some(ahead));
                }
                Err(error) => return Err(BusError::request(count_ahead_of(op))(error)),
            }
        }

        // Too many to count one by one: all that is pending but our own command.
        Ok(Some(depth.pending.saturating_sub(1)))
    }

    /// How many commands are in no queue, because there is no such service or lane, by the names of
    /// both as `<service>.<lane>`.
    pub async fn in_no_queue(self) -> Result<BTreeMap<String, u64>, BusError> {
        const REQUEST: &str = "count the commands by their subjects";
        let stream = self.bus.js.get_stream_no_info(subjects::COMMANDS).await;
        let stream = stream.map_err(BusError::request("open the command stream"))?;
        let counts = stream.info_with_subjects(subjects::ALL_COMMANDS).await;
        let mut counts = counts.map_err(BusError::request(REQUEST))?;

        let mut queues = BTreeMap::new();
        while let Some(counted) = counts.next().await {
            let (subject, count) = counted.map_err(BusError::request(REQUEST))?;
            if let Some(queue) = subjects::unknown_queue(&subject) {
                *queues.entry(queue).or_default() += u64::try_from(count).unwrap_or(u64::MAX);
            }
        }
        Ok(queues)
    }

    /// The depth, and the stream sequence up to which the queue was handed out.
    async fn queue_state(
        self,
        service: Service,
        lane: Lane,
    ) -> Result<(QueueDepth, u64), BusError> {
        let info = self.queue_info(service, lane).await?;
        let depth = QueueDepth {
            pending: info.num_pending,
            claimed: u64::try_from(info.num_ack_pending).unwrap_or(u64::MAX),
            waiting_pulls: u64::try_from(info.num_waiting).unwrap_or(u64::MAX),
        };
        Ok((depth, info.delivered.stream_sequence))
    }

    /// What the server says of the queue of one service and lane.
    pub(crate) async fn queue_info(self, service: Service, lane: Lane) -> Result<Info, BusError> {
        let name = subjects::consumer(service, lane);
        let js = &self.bus.js;
        let consumer = js
            .get_consumer_from_stream::<pull::Config, _, _>(&name, subjects::COMMANDS)
            .await;

        let request = format!("read the state of the queue {name}");
        let consumer = consumer.map_err(BusError::request(request))?;
        Ok(consumer.cached_info().clone())
    }
}

fn count_ahead_of(op: &OperationId) -> String {
    format!("count what is queued before {op}")
}
