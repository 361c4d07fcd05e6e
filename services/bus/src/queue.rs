//! Work queues seen by one free slot: ask for exactly one message, answer it exactly once.

use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::{Batch, FetchBuilder};
use async_nats::jetstream::{AckKind, Message};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::SelectAll;
use schemas::ids::{Lane, Service};
use schemas::subjects;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::connect::Bus;
use crate::error::BusError;
use crate::handles::Commands;
use crate::topology::PRIORITY_GROUP;

/// Longest time that a pull stays open.
const PULL_MAX: Duration = Duration::from_secs(5);
/// Longest wait for the end of a pull, which the server announces: after it the answer is lost.
const ANSWER_MAX: Duration = Duration::from_secs(7);
/// Delay of a message that arrived on a pull we no longer wanted.
const UNWANTED_DELAY: Duration = Duration::from_millis(100);
/// Pause after a pull that failed, unless the client reconnects first.
const PULL_RETRY: Duration = Duration::from_millis(250);

/// The queues of the lanes that a worker serves, the preferred lane first.
#[derive(Clone)]
pub struct Queues {
    lanes: Arc<[LaneQueue]>,
}

/// One slot of a worker: it asks the queues of all lanes, and takes exactly one message.
pub struct Slot {
    queues: Queues,
    /// Pulls of the other lanes that were open when a message came: read to their end.
    leftover_pulls: JoinSet<()>,
}

/// The queue of one service and lane.
struct LaneQueue {
    bus: Bus,
    consumer: PullConsumer,
    priority: Option<usize>,
    name: String,
}

/// One delivery of a command. Dropping it without an answer leaves it to redelivery after
/// `ack_wait`.
pub struct Delivered {
    message: Message,
}

impl Commands<'_> {
    /// Opens the shared consumers of the lanes, the preferred one first. `priority` (0 = first)
    /// counts where a consumer is prioritized.
    pub async fn open_queues(
        self,
        service: Service,
        lanes: &[Lane],
        priority: usize,
    ) -> Result<Queues, BusError> {
        let mut queues = Vec::with_capacity(lanes.len());
        for lane in lanes {
            queues.push(self.open_lane(service, *lane, priority).await?);
        }

        Ok(Queues {
            lanes: queues.into(),
        })
    }

    async fn open_lane(
        self,
        service: Service,
        lane: Lane,
        priority: usize,
    ) -> Result<LaneQueue, BusError> {
        let name = subjects::consumer(service, lane);
        let consumer = open_consumer(self.bus, &name, subjects::COMMANDS).await?;

        let prioritized = !consumer.cached_info().config.priority_groups.is_empty();
        Ok(LaneQueue {
            bus: self.bus.clone(),
            consumer,
            priority: prioritized.then_some(priority),
            name,
        })
    }
}

async fn open_consumer(bus: &Bus, name: &str, stream: &str) -> Result<PullConsumer, BusError> {
    let consumer = bus.js.get_consumer_from_stream(name, stream).await;
    consumer.map_err(BusError::request(format!("open the consumer {name}")))
}

/// Opens one shared consumer of any stream.
pub(crate) async fn open_queue(bus: &Bus, name: &str, stream: &str) -> Result<Queues, BusError> {
    let lane = LaneQueue {
        bus: bus.clone(),
        consumer: open_consumer(bus, name, stream).await?,
        priority: None,
        name: name.to_owned(),
    };

    Ok(Queues {
        lanes: Arc::new([lane]),
    })
}

impl Queues {
    /// A slot that takes from these queues.
    pub fn slot(&self) -> Slot {
        Slot {
            queues: self.clone(),
            leftover_pulls: JoinSet::new(),
        }
    }
}

/// What one round of asking brought.
enum Asked {
    Taken(Box<Delivered>),
    /// No command waits, or the answer is lost.
    Nothing,
    /// The connection is new, or the slot must stop.
    Interrupted,
    /// The server could not be asked.
    Refused,
}

/// The open pulls of several lanes as one stream.
type Pulls = SelectAll<Batch>;

impl Slot {
    /// Waits for the next message; `None` once `stop` is true. Pulls that are open by then are read
    /// to their end, and what still arrives is handed back: a waiting pull that is dropped would
    /// lose its message for one `ack_wait`.
    ///
    /// A lane comes before those after it: as long as a command waits in it, none is taken from
    /// them.
    pub async fn next(&mut self, stop: &mut watch::Receiver<bool>) -> Option<Delivered> {
        let lanes = self.queues.lanes.clone();
        let mut reconnects = lanes.first()?.bus.connection().reconnects();

        while !*stop.borrow() {
            match self.ask(&lanes, &mut reconnects, stop).await {
                Asked::Taken(delivered) => return Some(*delivered),
                Asked::Nothing | Asked::Interrupted => {}
                Asked::Refused => pause(&mut reconnects, stop).await,
            }
        }

        while self.leftover_pulls.join_next().await.is_some() {}
        None
    }

    /// Asks lane after lane for a command that waits, so that none of a later lane is taken before
    /// it; then waits for a command in all of them. The last lane has none after it, so it needs no
    /// round trip of its own.
    async fn ask(
        &mut self,
        lanes: &[LaneQueue],
        reconnects: &mut watch::Receiver<u64>,
        stop: &mut watch::Receiver<bool>,
    ) -> Asked {
        let started = Instant::now();
        let preferred = lanes.split_last().map_or(lanes, |(_, preferred)| preferred);
        for lane in preferred {
            let look = open_pulls(slice::from_ref(lane), None).await;
            match self.wait_for_answer(look, reconnects, stop).await {
                Asked::Nothing => {}
                answer => return answer,
            }
        }

        // How long the looks took says how slow the link is.
        let pulls = open_pulls(lanes, Some(started.elapsed())).await;
        self.wait_for_answer(pulls, reconnects, stop).await
    }

    /// Waits for the first message of the pulls; what the others still bring is given back. The
    /// error of `opened` holds the pulls that were open when one more could not be opened.
    async fn wait_for_answer(
        &mut self,
        opened: Result<Pulls, Pulls>,
        reconnects: &mut watch::Receiver<u64>,
        stop: &mut watch::Receiver<bool>,
    ) -> Asked {
        let mut pulls = match opened {
            Ok(pulls) => pulls,
            Err(pulls) => {
                self.give_back_in_background(pulls);
                return Asked::Refused;
            }
        };

        // The server ends every pull. An answer that is lost on its way is not waited for for ever.
        let answer = tokio::select! {
            biased;
            answer = timeout(ANSWER_MAX, pulls.next()) => answer.ok().flatten(),
            _ = reconnects.changed() => {
                self.give_back_in_background(pulls);
                return Asked::Interrupted;
            }
            () = wait_for_stop(stop) => {
                self.give_back_in_background(pulls);
                return Asked::Interrupted;
            }
        };

        self.give_back_in_background(pulls);
        match answer {
            Some(Ok(message)) => Asked::Taken(Box::new(Delivered { message })),
            Some(Err(error)) => {
                tracing::debug!(error = %error, "pull ended, asking again");
                Asked::Refused
            }
            None => Asked::Nothing,
        }
    }

    /// Reads pulls to their end while the slot works on its message. The server ends them, or has
    /// lost them.
    fn give_back_in_background(&mut self, mut pulls: Pulls) {
        // Those that have ended meanwhile are forgotten, so that the set stays small.
        while self.leftover_pulls.try_join_next().is_some() {}

        if !pulls.is_empty() {
            self.leftover_pulls.spawn(async move {
                let _ = timeout(ANSWER_MAX, give_back_rest(&mut pulls)).await;
            });
        }
    }
}

/// Opens a pull on every lane; an error with those that are open when one could not be opened.
/// `look` is how long the looks before it took: on a slow link a pull stays open for longer, or
/// none would be open most of the time. Without it a pull ends at once if nothing waits.
async fn open_pulls(lanes: &[LaneQueue], look: Option<Duration>) -> Result<Pulls, Pulls> {
    let mut pulls = SelectAll::new();
    for lane in lanes {
        let pull = match look {
            Some(look) => lane.pull().expires(pull_time(lane.bus.timing().pull, look)),
            None => lane.pull(),
        };

        // Without one of them the slot would not see the commands of that lane.
        match pull.messages().await {
            Ok(batch) => pulls.push(batch),
            Err(error) => {
                let consumer = &lane.name;
                tracing::debug!(consumer, error = %error, "pull failed, asking again");
                return Err(pulls);
            }
        }
    }
    Ok(pulls)
}

/// How long a pull stays open: the profile's time, and eight times as long as the looks before it,
/// so that a command which comes on a slow link seldom finds none open.
fn pull_time(of_profile: Duration, look: Duration) -> Duration {
    of_profile.max((look * 8).min(PULL_MAX))
}

impl LaneQueue {
    /// A request for exactly one message.
    fn pull(&self) -> FetchBuilder<'_> {
        let pull = self.consumer.fetch().max_messages(1);
        match self.priority {
            Some(priority) => pull.group(PRIORITY_GROUP).priority(priority),
            None => pull,
        }
    }
}

async fn pause(reconnects: &mut watch::Receiver<u64>, stop: &mut watch::Receiver<bool>) {
    let news = async {
        tokio::select! {
            _ = reconnects.changed() => {}
            () = wait_for_stop(stop) => {}
        }
    };

    // Which of the three ended the pause does not matter.
    let _ = timeout(PULL_RETRY, news).await;
}

async fn wait_for_stop(stop: &mut watch::Receiver<bool>) {
    // A closed channel means that nothing can be asked for any more: stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Hands back what open pulls still bring.
async fn give_back_rest(pulls: &mut Pulls) {
    while let Some(answer) = pulls.next().await {
        if let Ok(message) = answer {
            give_back(&message).await;
        }
    }
}

async fn give_back(message: &Message) {
    if let Err(error) = message.ack_with(AckKind::Nak(Some(UNWANTED_DELAY))).await {
        tracing::debug!(error = %error, "could not hand back an unwanted message");
    }
}

impl Delivered {
    /// Subject of the command.
    pub fn subject(&self) -> &str {
        &self.message.subject
    }

    /// Payload of the command.
    pub fn payload(&self) -> &Bytes {
        &self.message.payload
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.message
            .headers
            .as_ref()?
            .get(name)
            .map(async_nats::HeaderValue::as_str)
    }

    /// Where answers to this delivery go; kept in the record so that housekeeping can hand the
    /// message on.
    pub fn ack_subject(&self) -> &str {
        self.message.reply.as_deref().unwrap_or_default()
    }

    /// Its sequence in the command stream.
    pub fn sequence(&self) -> u64 {
        self.message.info().map_or(0, |info| info.stream_sequence)
    }

    /// Deliveries the server counts, this one included.
    pub fn deliveries(&self) -> u64 {
        self.message
            .info()
            .map_or(1, |info| u64::try_from(info.delivered).unwrap_or(1))
    }

    /// Settles the message, confirmed by the server.
    pub async fn ack(&self) -> Result<(), BusError> {
        self.message
            .double_ack()
            .await
            .map_err(|error| BusError::request("acknowledge a message")(error))
    }

    /// Ends the message for good without success, confirmed by the server.
    pub async fn term(&self) -> Result<(), BusError> {
        self.message
            .double_ack_with(AckKind::Term)
            .await
            .map_err(|error| BusError::request("terminate a message")(error))
    }

    /// Gives the message back; the server delivers it again after `delay`.
    pub async fn hand_back(&self, delay: Duration) -> Result<(), BusError> {
        let kind = AckKind::Nak(Some(delay));
        self.message
            .ack_with(kind)
            .await
            .map_err(|error| BusError::request("hand back a message")(error))
    }
}

impl Commands<'_> {
    /// Renews several deliveries for another `ack_wait`, in one flush.
    pub async fn renew(self, ack_subjects: Vec<String>) -> Result<(), BusError> {
        let failed = |error| BusError::request("renew deliveries")(error);
        for ack_subject in ack_subjects {
            let kind: Bytes = AckKind::Progress.into();
            let published = self.bus.client.publish(ack_subject, kind).await;
            published.map_err(failed)?;
        }

        self.bus.flush().await
    }

    /// Hands on the message behind `ack_subject`, which a silent worker held. Only to be sent after
    /// the hold was cleared by compare-and-set in the record that named the subject.
    pub async fn hand_on(self, ack_subject: &str) -> Result<(), BusError> {
        let kind: Bytes = AckKind::Nak(Some(Duration::from_millis(1))).into();
        let failed =
            |error| BusError::request(format!("hand on the message of {ack_subject}"))(error);
        self.bus
            .client
            .publish(ack_subject.to_owned(), kind)
            .await
            .map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulls_stay_open_longer_on_a_slow_link() {
        let ms = Duration::from_millis;

        assert_eq!(pull_time(ms(500), ms(1)), ms(500));
        assert_eq!(pull_time(ms(500), ms(600)), ms(4_800));
        assert_eq!(pull_time(ms(500), ms(9_000)), PULL_MAX);
        assert_eq!(pull_time(ms(2_000), ms(0)), ms(2_000));
    }
}
