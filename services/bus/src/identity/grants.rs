//! The table of permissions: which role may publish and read which subjects.
//!
//! To grant a new subject add a row, or a subject to a row, and run the test `permissions_page`
//! with `KTRDR_WRITE_DOCS=1`. In a subject `{service}` stands for the service of the role,
//! `{queue}` for each of its queues, `{name}` for the identity.

use schemas::ids::{Lane, Service};
use schemas::subjects;

use super::role::{Identity, Role};

/// Services that do the housekeeping beside their work.
const HOUSEKEEPERS: &[Service] = &[Service::Fetcher, Service::Registry, Service::Family];

/// What one may do with a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Send messages and requests.
    Publish,
    /// Read what is sent.
    Subscribe,
}

/// Which of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Services {
    /// None of them.
    None,
    /// Those that do the housekeeping: fetcher, registry and family.
    Housekeepers,
    /// Each of them.
    All,
}

/// Who has a grant; `infra` has them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holders {
    /// Among the services.
    pub services: Services,
    /// Whether people have it.
    pub people: bool,
}

const SERVICES: Holders = holders(Services::All, false);
const KEEPERS: Holders = holders(Services::Housekeepers, false);
const KEEPERS_AND_PEOPLE: Holders = holders(Services::Housekeepers, true);
const PEOPLE: Holders = holders(Services::None, true);
const EVERYBODY: Holders = holders(Services::All, true);

const fn holders(services: Services, people: bool) -> Holders {
    Holders { services, people }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// What it is for, in a few words.
    pub purpose: &'static str,
    /// Whether the subjects are sent on or read.
    pub direction: Direction,
    /// The subjects, with `{service}`, `{queue}` and `{name}` in them.
    pub subjects: &'static [&'static str],
    /// Streams and buckets that may be read through short-lived readers, by the names of their
    /// streams.
    pub readers_of: &'static [&'static str],
    /// Who has it.
    pub holders: Holders,
}

const fn publish(
    purpose: &'static str,
    holders: Holders,
    subjects: &'static [&'static str],
) -> Grant {
    Grant {
        purpose,
        direction: Direction::Publish,
        subjects,
        readers_of: &[],
        holders,
    }
}

const fn subscribe(
    purpose: &'static str,
    holders: Holders,
    subjects: &'static [&'static str],
) -> Grant {
    Grant {
        direction: Direction::Subscribe,
        ..publish(purpose, holders, subjects)
    }
}

const fn read(
    purpose: &'static str,
    holders: Holders,
    readers_of: &'static [&'static str],
) -> Grant {
    Grant {
        readers_of,
        ..publish(purpose, holders, &[])
    }
}

/// Every row of the table.
pub const fn grants() -> &'static [Grant] {
    GRANTS
}

const GRANTS: &[Grant] = &[
    publish("commands", EVERYBODY, &["ktrdr.cmd.*.*.*.*"]),
    publish(
        "events of steps of the service",
        SERVICES,
        &["ktrdr.event.{service}.*.*.*"],
    ),
    publish("events of any step", KEEPERS, &["ktrdr.event.*.*.*.*"]),
    publish(
        "progress of steps of the service",
        SERVICES,
        &["ktrdr.progress.{service}.*.*"],
    ),
    publish(
        "dead letters of the service",
        SERVICES,
        &["ktrdr.dead.{service}.*.*"],
    ),
    publish(
        "dead letters of any service",
        KEEPERS,
        &["ktrdr.dead.*.*.*"],
    ),
    publish("signs of life", SERVICES, &["ktrdr.alive.*"]),
    publish("cancel requests", EVERYBODY, &["ktrdr.control.cancel.*"]),
    publish("drain requests", PEOPLE, &["ktrdr.control.drain.*"]),
    publish(
        "what people remove and send away",
        PEOPLE,
        &["ktrdr.event.act.*"],
    ),
    publish(
        "questions to services, and their discovery",
        PEOPLE,
        &["ktrdr.svc.>", "$SRV.>"],
    ),
    publish(
        "records of operations, active marks",
        EVERYBODY,
        &["$KV.ktrdr_operations.>", "$KV.ktrdr_active.*"],
    ),
    publish(
        "schedules and their timers",
        KEEPERS_AND_PEOPLE,
        &["$KV.ktrdr_schedules.*", "ktrdr.schedule.timer.*"],
    ),
    publish("keys of workers", SERVICES, &["$KV.ktrdr_workers.*"]),
    publish("leases", KEEPERS, &["$KV.ktrdr_leases.*"]),
    publish(
        "durations of steps of the service",
        SERVICES,
        &["$KV.ktrdr_timings.{service}.*.*.*"],
    ),
    publish(
        "what all who ask a provider share",
        KEEPERS_AND_PEOPLE,
        &["$KV.ktrdr_pacing.>"],
    ),
    publish(
        "taking and acknowledging commands of the service",
        SERVICES,
        &[
            "$JS.API.CONSUMER.MSG.NEXT.KTRDR_COMMANDS.{queue}",
            "$JS.ACK.KTRDR_COMMANDS.{queue}.>",
            "$JS.ACK.*.*.KTRDR_COMMANDS.{queue}.>",
        ],
    ),
    publish(
        "handing on the command of a silent worker",
        KEEPERS,
        &["$JS.ACK.KTRDR_COMMANDS.>", "$JS.ACK.*.*.KTRDR_COMMANDS.>"],
    ),
    publish(
        "taking and acknowledging schedules that are due",
        KEEPERS,
        &[
            "$JS.API.CONSUMER.MSG.NEXT.KTRDR_SCHEDULES.*",
            "$JS.ACK.KTRDR_SCHEDULES.>",
            "$JS.ACK.*.*.KTRDR_SCHEDULES.>",
        ],
    ),
    publish(
        "settings and state of streams and consumers",
        EVERYBODY,
        &[
            "$JS.API.INFO",
            "$JS.API.STREAM.INFO.*",
            "$JS.API.CONSUMER.INFO.KTRDR_COMMANDS.*",
            "$JS.API.CONSUMER.INFO.KTRDR_SCHEDULES.*",
        ],
    ),
    publish(
        "lists of streams and consumers",
        PEOPLE,
        &[
            "$JS.API.STREAM.NAMES",
            "$JS.API.STREAM.LIST",
            "$JS.API.CONSUMER.NAMES.*",
            "$JS.API.CONSUMER.LIST.*",
            "$JS.API.CONSUMER.INFO.*.*",
            "$JS.API.STREAM.MSG.GET.*",
        ],
    ),
    publish(
        "reading one stored message or key",
        EVERYBODY,
        &["$JS.API.DIRECT.GET.*", "$JS.API.DIRECT.GET.*.>"],
    ),
    publish(
        "removing one command",
        EVERYBODY,
        &["$JS.API.STREAM.MSG.DELETE.KTRDR_COMMANDS"],
    ),
    publish(
        "removing one cancel request",
        KEEPERS,
        &["$JS.API.STREAM.MSG.DELETE.KTRDR_CONTROL"],
    ),
    publish(
        "deleting one timer of a schedule, one dead letter",
        PEOPLE,
        &[
            "$JS.API.STREAM.MSG.DELETE.KTRDR_SCHEDULES",
            "$JS.API.STREAM.MSG.DELETE.KTRDR_DEAD",
        ],
    ),
    read("readers of active marks", EVERYBODY, &["KV_ktrdr_active"]),
    read("readers of workers", EVERYBODY, &["KV_ktrdr_workers"]),
    read(
        "readers of schedules",
        KEEPERS_AND_PEOPLE,
        &["KV_ktrdr_schedules"],
    ),
    read("readers of cancel requests", KEEPERS, &["KTRDR_CONTROL"]),
    read(
        "readers of records, events, progress, dead letters and durations",
        PEOPLE,
        &[
            "KV_ktrdr_operations",
            "KTRDR_EVENTS",
            "KTRDR_PROGRESS",
            "KTRDR_DEAD",
            "KV_ktrdr_timings",
        ],
    ),
    publish("pace of short-lived readers", EVERYBODY, &["$JS.FC.>"]),
    subscribe("own answers", EVERYBODY, &["_INBOX_{name}.>"]),
    subscribe(
        "cancel and drain requests",
        SERVICES,
        &["ktrdr.control.cancel.*", "ktrdr.control.drain.*"],
    ),
    subscribe(
        "questions to the service, and discovery",
        SERVICES,
        &[
            "ktrdr.svc.{service}.>",
            "$SRV.*",
            "$SRV.*.ktrdr-{service}",
            "$SRV.*.ktrdr-{service}.*",
        ],
    ),
    subscribe("signs of life", KEEPERS, &["ktrdr.alive.*"]),
    subscribe(
        "events and progress of any step",
        KEEPERS,
        &["ktrdr.event.>", "ktrdr.progress.>"],
    ),
    subscribe(
        "whatever passes",
        PEOPLE,
        &["ktrdr.>", "$KV.ktrdr_active.>", "$JS.FC.>"],
    ),
];

impl Holders {
    /// Whether a role is among them.
    pub fn include(self, role: Role) -> bool {
        match role {
            Role::Infra => true,
            Role::Person => self.people,
            Role::Service(service) => match self.services {
                Services::None => false,
                Services::Housekeepers => HOUSEKEEPERS.contains(&service),
                Services::All => true,
            },
        }
    }
}

impl Grant {
    /// The subjects that it gives to an identity; none if it gives nothing.
    pub fn subjects_of(&self, identity: &Identity) -> Vec<String> {
        if !self.holders.include(identity.role()) {
            return Vec::new();
        }

        let of_readers = self.readers_of.iter().flat_map(|stream| reading(stream));
        let subjects = self.subjects.iter().map(|subject| (*subject).to_owned());
        subjects
            .chain(of_readers)
            .flat_map(|subject| filled_in(&subject, identity))
            .collect()
    }
}

/// The requests by which a short-lived reader of a stream is made, asked and removed. A reader
/// without a name is made on the short subject.
fn reading(stream: &str) -> [String; 4] {
    [
        format!("$JS.API.CONSUMER.CREATE.{stream}"),
        format!("$JS.API.CONSUMER.CREATE.{stream}.>"),
        format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.*"),
        format!("$JS.API.CONSUMER.DELETE.{stream}.*"),
    ]
}

/// The subject for one identity: several where it has several queues.
fn filled_in(subject: &str, identity: &Identity) -> Vec<String> {
    let subject = subject.replace("{name}", identity.name());
    let Role::Service(service) = identity.role() else {
        // `infra` and people hold no grant that names a service, but for all of them.
        let any = subject
            .replace("{service}", "*")
            .replace("ktrdr-*", "*")
            .replace("{queue}", "*");
        return vec![any];
    };

    let subject = subject.replace("{service}", service.as_str());
    if !subject.contains("{queue}") {
        return vec![subject];
    }
    let queues = Lane::ALL
        .iter()
        .map(|lane| subjects::consumer(service, *lane));
    queues
        .map(|queue| subject.replace("{queue}", &queue))
        .collect()
}

#[cfg(test)]
mod tests {
    use schemas::ids::{StepNumber, WorkerId};

    use super::*;

    fn subjects_of(role: Role, direction: Direction) -> Vec<String> {
        let identity = Identity::of(role);
        let rows = grants().iter().filter(|row| row.direction == direction);
        rows.flat_map(|row| row.subjects_of(&identity)).collect()
    }

    #[test]
    fn a_trainer_takes_commands_of_trainers_only() {
        let subjects = subjects_of(Role::Service(Service::Trainer), Direction::Publish);
        let mut taking: Vec<_> = subjects
            .iter()
            .filter_map(|subject| subject.strip_prefix("$JS.API.CONSUMER.MSG.NEXT."))
            .collect();
        taking.sort_unstable();

        assert_eq!(
            taking,
            [
                "KTRDR_COMMANDS.trainer_background",
                "KTRDR_COMMANDS.trainer_default",
                "KTRDR_COMMANDS.trainer_gpu",
                "KTRDR_COMMANDS.trainer_live",
                "KV_ktrdr_active.*",
                "KV_ktrdr_workers.*",
            ]
        );
    }

    #[test]
    fn nobody_reads_the_answers_to_another() {
        for role in Role::all().filter(|role| *role != Role::Infra) {
            let subjects = subjects_of(role, Direction::Subscribe);
            let inboxes: Vec<_> = subjects
                .iter()
                .filter(|subject| subject.starts_with("_INBOX"))
                .collect();
            assert_eq!(inboxes, [&format!("_INBOX_{role}.>")]);
        }
    }

    /// Whether a subject has as many tokens as the pattern, and the same ones.
    fn matches(pattern: &str, subject: &str) -> bool {
        let tokens: Vec<&str> = subject.split('.').collect();
        let patterns: Vec<&str> = pattern.split('.').collect();
        patterns.len() == tokens.len()
            && patterns
                .iter()
                .zip(tokens)
                .all(|(pattern, token)| *pattern == "*" || *pattern == token)
    }

    #[test]
    fn what_a_trainer_publishes_is_granted_to_it() {
        let op = "op_train_20260301_142233_9f3a01bc".parse().unwrap();
        let step = StepNumber::FIRST;
        let trainer = Service::Trainer;
        let worker = WorkerId::new(trainer, "host", 1, 2);
        let timing = subjects::timing_key(trainer, "train", "9", "cpu");
        let published = [
            subjects::command(Service::Registry, Lane::Default, &op, step),
            subjects::event(trainer, &op, step, "started"),
            subjects::progress(trainer, &op, step),
            subjects::dead(trainer, &op, step),
            subjects::dead_unreadable(trainer),
            subjects::alive(&worker),
            subjects::cancel(&op),
            format!("$KV.{}.{worker}", subjects::WORKERS),
            format!("$KV.{}.{op}", subjects::ACTIVE),
            format!("$KV.{}.{timing}", subjects::TIMINGS),
        ];

        let granted = subjects_of(Role::Service(trainer), Direction::Publish);
        for subject in published {
            let is_granted = granted.iter().any(|pattern| matches(pattern, &subject));
            assert!(is_granted, "{subject}");
        }
        let others = subjects::progress(Service::Fetcher, &op, step);
        assert!(!granted.iter().any(|pattern| matches(pattern, &others)));
    }

    #[test]
    fn every_bucket_is_in_the_table() {
        let buckets = [
            subjects::OPERATIONS,
            subjects::ACTIVE,
            subjects::WORKERS,
            subjects::LEASES,
            subjects::TIMINGS,
            subjects::SCHEDULES,
            subjects::PACING,
        ];
        let subjects = Role::all().flat_map(|role| subjects_of(role, Direction::Publish));
        let subjects: Vec<String> = subjects.collect();

        for bucket in buckets {
            let prefix = format!("$KV.{bucket}.");
            let is_written = subjects.iter().any(|subject| subject.starts_with(&prefix));
            assert!(is_written, "nobody may write {bucket}");
        }
    }
}
