//! Checks of everything that the NATS server knows: itself, its durability, streams and consumers,
//! workers, queues that no worker serves, records and schedules.

use std::collections::BTreeMap;

use bus::topology::{Topology, TopologyOptions};
use bus::{Bus, BusError};
use schemas::codes::Advice as _;
use schemas::errors::chain;
use schemas::ids::{Lane, Service};
use schemas::subjects;
use schemas::worker::WorkerInfo;

use super::check::Check;
use super::schedules::check_schedules;
use crate::console::count_of;
use crate::context::Setup;
use crate::up::{Durability, read_durability};
use crate::watch::{QueueLoad, read_queues};

/// The monitor of a server that `ktrdr up` did not start, if it runs on this host with the usual
/// port.
const DEFAULT_MONITOR: &str = "http://127.0.0.1:8222";
/// Differences that fit in a line; `ktrdr infra check` shows all.
const DIFFERENCES_MAX: usize = 3;

/// Every check that needs a connection.
pub(super) async fn check_server(bus: &Bus, setup: &Setup, deep: bool) -> Vec<Check> {
    // The first to be asked, because a cluster that is choosing a leader is waited for here.
    let topology = check_topology(bus, setup).await;
    let mut checks = vec![
        check_round_trip(bus).await,
        check_durability(setup).await,
        topology,
    ];

    // The queues are judged by the workers that serve them, so they need the list.
    match bus.workers().list().await {
        Ok(workers) => {
            checks.push(check_workers(&workers));
            checks.extend(workers.iter().filter_map(check_degraded));
            checks.extend(check_queues(bus, &workers).await);
        }
        Err(error) => checks.push(failed_request("workers", &error)),
    }
    checks.push(check_records(bus, deep).await);
    checks.push(check_schedules(bus).await);
    checks
}

/// Whether every record can be read, of all operations or of those that are not over.
async fn check_records(bus: &Bus, deep: bool) -> Check {
    let unreadable = match bus.operations().find_unreadable(deep).await {
        Ok(unreadable) => unreadable,
        Err(error) => return failed_request("records", &error),
    };
    let Some(first) = unreadable.first() else {
        return Check::ok(
            "records",
            match deep {
                true => "the records of all operations can be read",
                false => "the records of unfinished operations can be read",
            },
        );
    };

    let examples: Vec<String> = unreadable
        .iter()
        .take(DIFFERENCES_MAX)
        .map(|error| chain(error))
        .collect();
    let detail = format!(
        "{}: {}",
        count_of(unreadable.len(), "fault"),
        examples.join("; ")
    );
    Check::bad("records", detail, &first.hint())
}

fn failed_request(name: &'static str, error: &BusError) -> Check {
    Check::bad(name, chain(error), &error.hint())
}

async fn check_round_trip(bus: &Bus) -> Check {
    match bus.connection().rtt().await {
        Ok(round_trip) => {
            let ms = round_trip.as_secs_f64() * 1e3;
            let detail = format!(
                "{}, version {}, answers in {ms:.1} ms",
                bus.connection().url(),
                bus.connection().server_version()
            );
            Check::ok("server", detail)
        }
        Err(error) => failed_request("server", &error),
    }
}

/// Whether an acknowledged message survives a power cut.
async fn check_durability(setup: &Setup) -> Check {
    let url = &setup.settings.value.bus.url;
    // The usual monitor port says something only about a server on this host.
    let is_local = url.contains("127.0.0.1") || url.contains("localhost");
    let durability = match &setup.system {
        Some(system) => read_durability(&system.file.monitor_url).await,
        None if is_local => read_durability(DEFAULT_MONITOR).await,
        None => Durability::Unverified,
    };

    let detail = durability.to_string();
    match durability {
        Durability::Synced => Check::ok("durability", detail),
        Durability::SyncedLater { .. } => {
            Check::bad("durability", detail, "infra/nats/server.conf shows how")
        }
        Durability::Failing { .. } => Check::bad(
            "durability",
            detail,
            "after a full disk make room, and start the server again: `ktrdr down`, `ktrdr up`",
        ),
        Durability::Unverified => {
            Check::note("durability", detail, "run this on the server's host")
        }
    }
}

async fn check_topology(bus: &Bus, setup: &Setup) -> Check {
    let profile = setup.settings.value.bus.profile.unwrap_or(bus.profile());
    let declared = Topology::declare(profile, TopologyOptions::default());
    let differences = match bus.infra().differences(&declared).await {
        Ok(differences) => differences,
        Err(error) => return failed_request("topology", &error),
    };
    if differences.is_empty() {
        let detail = format!(
            "{} streams and buckets, {} consumers, profile {profile}: as declared",
            declared.streams.len(),
            declared.consumers.len()
        );
        return Check::ok("topology", detail);
    }

    // Another profile explains the differences: to name it helps more than to list them.
    if profile != bus.profile() {
        let server = bus.profile();
        let detail = format!("the server has the profile {server}, the settings say {profile}");
        let hint = format!(
            "leave bus.profile out of the settings, or `ktrdr infra apply --profile {profile}`"
        );
        return Check::bad("topology", detail, &hint);
    }

    let examples: Vec<String> = differences
        .iter()
        .take(DIFFERENCES_MAX)
        .map(ToString::to_string)
        .collect();
    let detail = format!(
        "{}: {}",
        count_of(differences.len(), "difference"),
        examples.join("; ")
    );
    let hint = "`ktrdr infra check` shows all, `ktrdr infra apply` removes them";
    Check::bad("topology", detail, hint)
}

fn check_workers(workers: &[WorkerInfo]) -> Check {
    let mut counts: BTreeMap<Service, usize> = BTreeMap::new();
    for worker in workers {
        *counts.entry(worker.service).or_default() += 1;
    }

    let running: Vec<String> = counts
        .iter()
        .map(|(service, count)| format!("{count} {service}"))
        .collect();
    let detail = match running.as_slice() {
        [] => "none".to_owned(),
        running => running.join(", "),
    };

    let absent: Vec<&str> = Service::ALL
        .iter()
        .filter(|service| !counts.contains_key(service))
        .map(|service| service.as_str())
        .collect();
    if absent.is_empty() {
        return Check::ok("workers", detail);
    }

    // A note only: nothing is wrong until a command waits, which the check of queues finds.
    let hint = format!(
        "no worker runs for {}: commands for them would wait",
        absent.join(", ")
    );
    Check::note("workers", detail, &hint)
}

/// The fault of a worker that gave up because of its host, or that cannot use what it needs.
fn check_degraded(worker: &WorkerInfo) -> Option<Check> {
    let reason = worker.degraded.as_ref()?;
    let id = &worker.worker;
    if !worker.draining {
        let detail = format!("{id} is degraded: {reason}");
        let hint = "mend what it names on the host of the worker; it goes on by itself";
        return Some(Check::bad("worker", detail, hint));
    }

    let detail = format!("{id} takes nothing new: {reason}");
    let hint = format!("look at its host and its log, then end it with `ktrdr workers drain {id}`");
    Some(Check::bad("worker", detail, &hint))
}

/// A check of all queues, or one for each queue whose commands wait for ever.
async fn check_queues(bus: &Bus, workers: &[WorkerInfo]) -> Vec<Check> {
    let mut checks = match read_queues(bus, workers).await {
        Ok(queues) => judge_queues(&queues),
        Err(error) => vec![failed_request("queues", &error)],
    };

    match bus.commands().in_no_queue().await {
        Ok(counts) => checks.extend(
            counts
                .iter()
                .map(|(queue, count)| unknown_queue(queue, *count)),
        ),
        Err(error) => checks.push(failed_request("queues", &error)),
    }
    checks
}

/// The fault of commands that no service of this version can ever take.
fn unknown_queue(queue: &str, count: u64) -> Check {
    let wait = match count {
        1 => "1 command waits".to_owned(),
        count => format!("{count} commands wait"),
    };
    let detail = format!("{wait} for {queue}, and there is no such service or lane");

    let subject = subjects::commands_of_any(queue);
    let hint = format!(
        "a newer version may have it: `ktrdr --version`; otherwise `nats stream purge {} \
         --subject='{subject}'` removes them",
        subjects::COMMANDS
    );
    Check::bad("queues", detail, &hint)
}

fn judge_queues(queues: &[QueueLoad]) -> Vec<Check> {
    let stranded: Vec<Check> = queues.iter().filter_map(stranded_queue).collect();
    if !stranded.is_empty() {
        return stranded;
    }

    let waiting: u64 = queues.iter().map(|queue| queue.pending).sum();
    let detail = match waiting {
        0 => "no command waits".to_owned(),
        1 => "1 command waits, and a worker serves its queue".to_owned(),
        waiting => format!("{waiting} commands wait, and workers serve their queues"),
    };
    vec![Check::ok("queues", detail)]
}

/// The fault of a queue that no worker serves while commands wait in it.
fn stranded_queue(queue: &QueueLoad) -> Option<Check> {
    let QueueLoad { service, lane, .. } = queue;
    let wait = match queue.stranded() {
        0 => return None,
        1 => "1 command waits".to_owned(),
        count => format!("{count} commands wait"),
    };

    // Nobody chooses the default lane by name, so the sentence does not name it either.
    let of_lane = match lane {
        Lane::Default => String::new(),
        lane => format!(" of the lane {lane}"),
    };
    let detail = format!("{wait} for a {service}{of_lane}, and no worker serves this queue");
    let cancel = "`ktrdr ops list --active` shows which operations wait, `ktrdr cancel` stops one";
    let start = match lane {
        Lane::Default => format!("start a {service}"),
        Lane::Gpu => format!(
            "start a {service} with --set lanes=gpu on a host with a GPU, or start the operation \
             again without --gpu"
        ),
        lane => format!("start a {service} with --set lanes={lane}"),
    };
    Some(Check::bad("queues", detail, &format!("{start}; {cancel}")))
}

#[cfg(test)]
mod tests {
    use super::super::check::Verdict;
    use super::*;

    fn queue(lane: Lane, pending: u64, workers: usize) -> QueueLoad {
        QueueLoad {
            service: Service::Trainer,
            lane,
            pending,
            claimed: 0,
            workers,
            taking: workers,
        }
    }

    #[test]
    fn a_queue_that_no_worker_serves_is_a_fault() {
        let queues = [queue(Lane::Default, 5, 1), queue(Lane::Gpu, 2, 0)];

        let checks = judge_queues(&queues);

        assert_eq!(checks.len(), 1);
        assert_eq!(checks[0].verdict, Verdict::Bad);
        insta::assert_json_snapshot!(checks[0], @r#"
        {
          "name": "queues",
          "verdict": "bad",
          "detail": "2 commands wait for a trainer of the lane gpu, and no worker serves this queue",
          "hint": "start a trainer with --set lanes=gpu on a host with a GPU, or start the operation again without --gpu; `ktrdr ops list --active` shows which operations wait, `ktrdr cancel` stops one"
        }
        "#);
    }

    #[test]
    fn commands_of_a_service_that_does_not_exist_are_a_fault() {
        let check = unknown_queue("baker.default", 2);

        assert_eq!(check.verdict, Verdict::Bad);
        insta::assert_json_snapshot!(check, @r#"
        {
          "name": "queues",
          "verdict": "bad",
          "detail": "2 commands wait for baker.default, and there is no such service or lane",
          "hint": "a newer version may have it: `ktrdr --version`; otherwise `nats stream purge KTRDR_COMMANDS --subject='ktrdr.cmd.baker.default.>'` removes them"
        }
        "#);
    }

    #[test]
    fn queues_that_workers_serve_are_ok() {
        let checks = judge_queues(&[queue(Lane::Default, 5, 1), queue(Lane::Gpu, 0, 0)]);

        assert_eq!(checks[0].verdict, Verdict::Ok);
    }
}
