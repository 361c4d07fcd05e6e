//! What a watcher reads from the server, as streams that ask for it once they are polled: no signal
//! has to wait for an answer.

use std::future::ready;

use bus::{Bus, BusError, FollowOptions, TimingKey, Update};
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryFutureExt as _};
use schemas::ids::{OperationId, WorkerId};
use schemas::timings::Timings;

/// The updates of an operation; an error where the server cannot be asked for them.
pub(super) type Updates = BoxStream<'static, Result<Update, BusError>>;

/// Everything that the watcher of one operation reads.
pub(super) struct Sources {
    /// Updates of the operation, up to its end.
    pub(super) updates: Updates,
    /// The workers that live, as they say so.
    pub(super) signs_of_life: BoxStream<'static, WorkerId>,
    /// How long earlier steps have taken, once.
    pub(super) histories: BoxStream<'static, Vec<(TimingKey, Timings)>>,
}

impl Sources {
    /// Asks for nothing yet.
    pub(super) fn new(bus: &Bus, op: &OperationId, from_start: bool) -> Self {
        Self {
            updates: follow_updates(bus, op, from_start),
            signs_of_life: follow_signs_of_life(bus.clone()),
            histories: read_histories(bus.clone()),
        }
    }
}

/// The updates of an operation; with `from_start` first those that are stored.
pub(super) fn follow_updates(bus: &Bus, op: &OperationId, from_start: bool) -> Updates {
    let bus = bus.clone();
    let op = op.clone();

    let followed = async move {
        let options = FollowOptions { from_start };
        let updates = bus.operations().follow(&op, options).await?;
        Ok::<_, BusError>(updates.map(Ok))
    };
    followed.try_flatten_stream().boxed()
}

/// A connection that has ended for good brings none, which the updates say.
fn follow_signs_of_life(bus: Bus) -> BoxStream<'static, WorkerId> {
    let followed = async move { bus.workers().watch_signs_of_life().await };

    let followed = stream::once(followed).filter_map(|signs| ready(signs.ok()));
    followed.flatten().boxed()
}

/// An estimate is an extra: without a history nothing is expected.
fn read_histories(bus: Bus) -> BoxStream<'static, Vec<(TimingKey, Timings)>> {
    let listed = async move { bus.timings().list().await };

    let listed = stream::once(listed).filter_map(|histories| ready(histories.ok()));
    listed.fuse().boxed()
}
