//! Every stream, bucket and consumer, declared in one place as data, applied by one command,
//! checked by every service.
//!
//! Services never create streams: they compare what the server has with what is declared here, and
//! refuse to start on a difference. `apply` creates what is missing and changes what the server
//! lets it change; it deletes nothing.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PriorityPolicy, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, PersistenceMode, RetentionPolicy};
use schemas::ids::{Lane, Service};
use schemas::subjects;

use crate::timing::Profile;

const KIB: i32 = 1024;
const MIB: i64 = 1024 * 1024;
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Size of the command stream unless said otherwise.
pub const COMMANDS_BYTES_MAX: i64 = 256 * MIB;
/// Progress messages kept a step.
pub const PROGRESS_PER_STEP_MAX: i64 = 512;
/// Cancel requests kept: far more than anybody waits for, and few enough to look at one by one.
const CANCELS_MAX: i64 = 50_000;
/// Commands of one queue that may be claimed at once: far above any fleet, because delivery stops
/// silently at it.
pub const CLAIMED_MAX: i64 = 10_000;
/// Pulls that may wait at one queue.
const WAITING_MAX: i64 = 4_096;
/// The one priority group of prioritized consumers.
pub(crate) const PRIORITY_GROUP: &str = "jobs";
/// How long a bucket remembers that a key expired, so that whoever watches it learns of it.
const EXPIRED_KEY_MARKER_TTL: Duration = HOUR;
/// How long a bucket remembers that a mark or a schedule was removed: nothing watches for it.
pub(crate) const REMOVED_MARK_MARKER_TTL: Duration = Duration::from_secs(1);
/// How long the record of an operation is kept after its end: longer than any command or control
/// message lives.
pub(crate) const ENDED_RECORD_TTL: Duration = Duration::from_secs(30 * 24 * 3_600);
/// What the processes that ask one provider remember together is forgotten after this time, so that
/// it is learnt again now and then.
const MEMO_TTL: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Where the server keeps the profile: an entry in the metadata of the command stream.
pub(crate) const PROFILE_KEY: &str = "ktrdr_profile";

/// What an installation may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopologyOptions {
    /// Size of the command stream in bytes; full means that new operations are refused.
    pub commands_bytes_max: i64,
    /// Copies of each message: 1 on one node, 3 in a cluster.
    pub replicas: usize,
}

impl Default for TopologyOptions {
    fn default() -> Self {
        Self {
            commands_bytes_max: COMMANDS_BYTES_MAX,
            replicas: 1,
        }
    }
}

/// Everything that must exist on the server.
#[derive(Clone, Debug)]
pub struct Topology {
    /// Streams, and buckets in the form the server knows them: a stream `KV_<bucket>` each.
    pub streams: Vec<Config>,
    /// Durable pull consumers: one per queue of commands, and that of the schedules.
    pub consumers: Vec<Consumer>,
}

/// A durable pull consumer and the stream that it reads.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Name of the stream.
    pub stream: &'static str,
    /// Its settings on the server.
    pub config: pull::Config,
}

impl Consumer {
    /// Its name, by which processes share it.
    pub(crate) fn name(&self) -> &str {
        self.config.durable_name.as_deref().unwrap_or_default()
    }
}

impl Topology {
    /// The declaration for a profile.
    pub fn declare(profile: Profile, options: TopologyOptions) -> Self {
        let mut streams = streams(profile, options);
        streams.extend(buckets(profile));
        for stream in &mut streams {
            stream.num_replicas = options.replicas;
            // A stream on several servers cannot sync lazily: the server refuses it.
            if options.replicas > 1 {
                stream.persist_mode = None;
            }
        }

        let mut consumers = Vec::new();
        for service in Service::ALL {
            for lane in Lane::ALL {
                consumers.push(Consumer {
                    stream: subjects::COMMANDS,
                    config: consumer(profile, *service, *lane),
                });
            }
        }
        consumers.push(Consumer {
            stream: subjects::SCHEDULE_TIMERS,
            config: due_consumer(profile),
        });
        Self { streams, consumers }
    }
}

fn streams(profile: Profile, options: TopologyOptions) -> Vec<Config> {
    let commands = Config {
        description: about(
            "work queue: at most one command per step, refused rather than replaced",
        ),
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        discard_new_per_subject: true,
        max_messages_per_subject: 1,
        max_bytes: options.commands_bytes_max,
        max_message_size: 256 * KIB,
        metadata: HashMap::from([(PROFILE_KEY.to_owned(), profile.to_string())]),
        ..stream(subjects::COMMANDS, subjects::ALL_COMMANDS, 14 * DAY, HOUR)
    };

    // A full stream refuses the next cancel, and its sender is told. It must not forget one that
    // somebody counts on.
    let control = Config {
        description: about("cancel requests: the durable flag"),
        discard: DiscardPolicy::New,
        max_messages_per_subject: 1,
        max_messages: CANCELS_MAX,
        max_bytes: 64 * MIB,
        max_message_size: 16 * KIB,
        ..stream(
            subjects::CONTROL,
            subjects::ALL_CANCELS,
            14 * DAY,
            Duration::ZERO,
        )
    };

    let events = Config {
        description: about("life-cycle events, each once under a deterministic id"),
        max_bytes: 512 * MIB,
        max_message_size: 128 * KIB,
        ..stream(subjects::EVENTS, subjects::ALL_EVENTS, 90 * DAY, HOUR)
    };

    // Losing progress is harmless, and syncing it would hold up the work.
    let progress = Config {
        description: about("progress, newest messages of each step; synced lazily"),
        max_messages_per_subject: PROGRESS_PER_STEP_MAX,
        max_bytes: 512 * MIB,
        max_message_size: 16 * KIB,
        persist_mode: Some(PersistenceMode::Async),
        ..stream(
            subjects::PROGRESS,
            subjects::ALL_PROGRESS,
            DAY,
            Duration::from_millis(100),
        )
    };

    let dead = Config {
        description: about("commands that could not be carried out, with the reason"),
        max_messages_per_subject: 10,
        max_bytes: 256 * MIB,
        max_message_size: 512 * KIB,
        ..stream(subjects::DEAD, subjects::ALL_DEAD, 30 * DAY, HOUR)
    };

    vec![commands, control, events, progress, dead, schedule_timers()]
}

/// The timers of schedules. The server wants a stream that discards old messages, and a target in
/// the same stream; of what is due, a message goes when it is acknowledged.
fn schedule_timers() -> Config {
    Config {
        description: about("when schedules are due: one timer each, moved to its target then"),
        retention: RetentionPolicy::WorkQueue,
        max_messages_per_subject: 1,
        max_bytes: 64 * MIB,
        max_message_size: 4 * KIB,
        allow_rollup: true,
        allow_message_schedules: true,
        ..stream(
            subjects::SCHEDULE_TIMERS,
            subjects::ALL_SCHEDULES,
            Duration::ZERO,
            Duration::ZERO,
        )
    }
}

/// Every bucket with the age at which its keys expire; zero keeps them until they are removed.
fn buckets(profile: Profile) -> Vec<Config> {
    let timing = profile.timing();
    let never = Duration::ZERO;

    vec![
        bucket(
            subjects::OPERATIONS,
            never,
            "operation records, the only truth about state",
        ),
        bucket(
            subjects::ACTIVE,
            never,
            "marks: a superset of the operations that are not over",
        ),
        bucket(
            subjects::WORKERS,
            timing.worker_ttl,
            "workers that are alive, renewed by each",
        ),
        bucket(
            subjects::LEASES,
            timing.lease_ttl,
            "leases, renewed by their holders",
        ),
        bucket(
            subjects::TIMINGS,
            never,
            "how long steps have taken, for estimates",
        ),
        bucket(
            subjects::SCHEDULES,
            never,
            "schedules by name, with what became of the last run",
        ),
        bucket(
            subjects::PACING,
            MEMO_TTL,
            "what the processes that ask one provider remember together",
        ),
    ]
}

fn about(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn stream(name: &str, subjects: &str, max_age: Duration, duplicate_window: Duration) -> Config {
    Config {
        name: name.to_owned(),
        subjects: vec![subjects.to_owned()],
        max_age,
        duplicate_window,
        allow_direct: true,
        ..unlimited()
    }
}

/// A key-value bucket as a stream: history 1, expiry seen by watchers. `max_age` zero keeps keys
/// for good.
fn bucket(name: &str, max_age: Duration, text: &str) -> Config {
    Config {
        name: bucket_stream(name),
        description: about(text),
        subjects: vec![format!("$KV.{name}.>")],
        discard: DiscardPolicy::New,
        max_messages_per_subject: 1,
        max_message_size: 128 * KIB,
        max_age,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        allow_message_ttl: true,
        subject_delete_marker_ttl: Some(EXPIRED_KEY_MARKER_TTL),
        ..unlimited()
    }
}

/// Name of the stream behind a bucket.
pub fn bucket_stream(bucket: &str) -> String {
    format!("KV_{bucket}")
}

fn unlimited() -> Config {
    Config {
        max_bytes: -1,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_message_size: -1,
        max_consumers: -1,
        ..Config::default()
    }
}

fn consumer(profile: Profile, service: Service, lane: Lane) -> pull::Config {
    let name = subjects::consumer(service, lane);
    // Trainers share one lane: those with a GPU ask with priority 0, those without with 5, as the
    // spare.
    let is_prioritized = service == Service::Trainer && lane == Lane::Default;
    let (priority_policy, priority_groups) = if is_prioritized {
        (PriorityPolicy::Prioritized, vec![PRIORITY_GROUP.to_owned()])
    } else {
        (PriorityPolicy::None, Vec::new())
    };

    pull::Config {
        durable_name: Some(name.clone()),
        name: Some(name),
        filter_subject: subjects::commands_of(service, lane),
        ack_policy: AckPolicy::Explicit,
        ack_wait: profile.timing().ack_wait,
        max_deliver: -1,
        max_ack_pending: CLAIMED_MAX,
        max_waiting: WAITING_MAX,
        priority_policy,
        priority_groups,
        ..pull::Config::default()
    }
}

/// The consumer of the schedules that are due.
fn due_consumer(profile: Profile) -> pull::Config {
    let name = subjects::DUE_CONSUMER.to_owned();
    pull::Config {
        durable_name: Some(name.clone()),
        name: Some(name),
        filter_subject: subjects::ALL_DUE.to_owned(),
        ack_policy: AckPolicy::Explicit,
        ack_wait: profile.timing().ack_wait,
        max_deliver: -1,
        max_ack_pending: CLAIMED_MAX,
        max_waiting: WAITING_MAX,
        ..pull::Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_has_exactly_one_consumer_that_never_gives_up() {
        let topology = Topology::declare(Profile::Dev, TopologyOptions::default());
        assert_eq!(
            topology.consumers.len(),
            Service::ALL.len() * Lane::ALL.len() + 1
        );
        for Consumer { config, .. } in &topology.consumers {
            assert_eq!(config.max_deliver, -1, "{config:?}");
            assert!(config.backoff.is_empty(), "{config:?}");
        }

        let consumers = topology.consumers.iter().map(|consumer| &consumer.config);
        let prioritized = consumers.filter(|consumer| !consumer.priority_groups.is_empty());
        let names: Vec<_> = prioritized
            .filter_map(|consumer| consumer.durable_name.as_deref())
            .collect();
        assert_eq!(names, ["trainer_default"]);
    }

    #[test]
    fn nothing_on_several_servers_syncs_lazily() {
        let options = TopologyOptions {
            replicas: 3,
            ..TopologyOptions::default()
        };

        let replicated = Topology::declare(Profile::Prod, options).streams;

        for stream in replicated {
            assert_eq!(stream.num_replicas, 3, "{}", stream.name);
            assert_eq!(stream.persist_mode, None, "{}", stream.name);
        }
        let alone = Topology::declare(Profile::Prod, TopologyOptions::default()).streams;
        assert!(alone.iter().any(|stream| stream.persist_mode.is_some()));
    }

    #[test]
    fn only_what_is_renewed_or_learnt_again_expires() {
        let mut expiring = buckets(Profile::Dev);
        expiring.retain(|bucket| !bucket.max_age.is_zero());

        let ages: Vec<_> = expiring
            .iter()
            .map(|bucket| (bucket.name.as_str(), bucket.max_age.as_secs()))
            .collect();
        let month = 30 * 24 * 3_600;
        assert_eq!(
            ages,
            [
                ("KV_ktrdr_workers", 15),
                ("KV_ktrdr_leases", 10),
                ("KV_ktrdr_pacing", month)
            ]
        );
    }
}
