//! Three servers, each message on all of them: leaders are killed, servers are restarted one after
//! the other, and what was accepted still ends right.
//!
//! The whole hour: `CLUSTER_KILLS=20 CLUSTER_OPERATIONS=500 cargo test -p system-tests --test
//! promises cluster -- --nocapture`.

use std::time::{Duration, Instant};

use bus::Profile;
use bus::topology::{Topology, TopologyOptions};
use jiff::Timestamp;
use schemas::commands::RunDummy;
use schemas::ids::{OperationId, Service};
use schemas::operation::{NewOperation, OperationState};
use schemas::subjects;
use system_tests::{Cluster, Housekeeper, Process, Sandbox, new_id, side_by_side, steps, until};

use crate::commands::short;

/// The servers wait 4 to 9 s for a leader that is gone before they choose another; the rest is for
/// a host that is busy with other tests.
const ENTRY_TIME_MAX: Duration = Duration::from_secs(30);
/// Operations are submitted while a leader is dead, and before and after.
const BETWEEN_OPERATIONS: Duration = Duration::from_millis(300);
/// The streams whose leaders are killed in turn.
const STREAMS: &[&str] = &[subjects::COMMANDS, "KV_ktrdr_operations", subjects::EVENTS];

/// An operation that the servers have accepted.
struct Accepted {
    op: OperationId,
    /// When it was submitted first.
    asked_at: Timestamp,
    /// How long the submission took, with what was tried again.
    time: Duration,
    is_cancelled: bool,
}

/// A cluster with a fleet of dummies.
struct Fleet {
    sandbox: Sandbox,
    _housekeepers: [Housekeeper; 2],
    _workers: [Process; 2],
}

impl Fleet {
    async fn start(cluster: &Cluster) -> Self {
        let sandbox = Sandbox::on_cluster(cluster).await;
        let housekeepers = [
            sandbox.start_housekeeper().await,
            sandbox.start_housekeeper().await,
        ];
        let flags = ["--set", "slots=4"];
        let workers = [0, 1].map(|_| sandbox.spawn_with("ktrdr-dummy", &flags));
        sandbox.until_workers(Service::Dummy, 2).await;

        Self {
            sandbox,
            _housekeepers: housekeepers,
            _workers: workers,
        }
    }

    /// Submits operations of several shapes one after the other; one of five is cancelled.
    async fn submit_mixed(&self, count: usize) -> Vec<Accepted> {
        let mut accepted = Vec::with_capacity(count);
        for index in 0..count {
            let new = match index % 5 {
                0 | 1 => steps(&[short(4)]),
                2 => steps(&[short(2), short(2)]),
                3 => side_by_side(&[short(2), short(2)], short(1)),
                _ => steps(&[work()]),
            };
            accepted.push(self.submit(&new, index % 5 == 4).await);
            self.sandbox.after(BETWEEN_OPERATIONS).await;
        }
        accepted
    }

    /// Submits until the servers have accepted it, under one id.
    async fn submit(&self, new: &NewOperation, is_cancelled: bool) -> Accepted {
        let bus = self.sandbox.bus();
        let op = new_id(&new.kind);
        let asked_at = Timestamp::now();
        let started = Instant::now();
        until(format!("{op} to be accepted"), || async {
            bus.operations().submit(&op, new).await.ok()
        })
        .await;
        let time = started.elapsed();

        if is_cancelled {
            until(format!("the cancel of {op} to be accepted"), || async {
                bus.cancels().request(&op, "a bad hour").await.ok()
            })
            .await;
        }
        Accepted {
            op,
            asked_at,
            time,
            is_cancelled,
        }
    }

    /// Waits for the end of every operation; returns how long each waited for its handler.
    async fn check_that_nothing_is_lost(&self, accepted: &[Accepted]) -> Vec<Duration> {
        let mut entry_times = Vec::new();
        for each in accepted {
            let record = self.sandbox.until_concluded(&each.op).await;
            match each.is_cancelled {
                true => assert!(record.state.is_terminal(), "{record:#?}"),
                false => {
                    assert_eq!(record.state, OperationState::Completed, "{record:#?}");
                    self.sandbox.only_completion_of(&each.op).await;
                }
            }
            assert!(self.sandbox.dead_letters(&each.op).await.is_empty());
            if let Some(started_at) = record.steps[0].started_at {
                let entry_time = started_at.duration_since(each.asked_at);
                entry_times.push(Duration::try_from(entry_time).unwrap_or_default());
            }
        }

        let waiting_commands = self.sandbox.stored(subjects::COMMANDS, "ktrdr.cmd.>").await;
        assert!(waiting_commands.is_empty(), "{}", waiting_commands.len());
        entry_times
    }
}

/// Two seconds of work, which a cancel comes upon.
fn work() -> RunDummy {
    RunDummy {
        iterations: 100,
        seconds: 0.02,
        checkpoint_every: 10,
        ..RunDummy::default()
    }
}

/// A number from the environment.
fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() - 1) * percent / 100]
}

/// Prints how long operations waited, and how many of them an election touched.
fn print_figures(name: &str, accepted: &[Accepted], entry_times: &mut [Duration]) -> Duration {
    let slow = entry_times
        .iter()
        .filter(|time| time.as_secs() >= 2)
        .count();
    let slow_submits = accepted.iter().filter(|each| each.time.as_secs() >= 2);

    let [p50, p95, p99, max] = [50, 95, 99, 100].map(|each| percentile(entry_times, each));
    eprintln!(
        "{name}: {} operations, submitted → handler p50 {p50:.2?}, p95 {p95:.2?}, p99 {p99:.2?}, \
         max {max:.2?}; {slow} took 2 s and more, of which the submission did for {}",
        accepted.len(),
        slow_submits.count()
    );
    max
}

/// Kills the leader of a stream, and starts it again once another one leads; returns how long the
/// stream had none.
async fn kill_leader(cluster: &mut Cluster, stream: &str) -> Duration {
    let leader = cluster.followed_leader_of(stream).await;
    cluster.kill(leader);
    let killed = Instant::now();
    cluster.until_led_by_another(stream, leader).await;
    let time = killed.elapsed();
    cluster.restart(leader);
    cluster.followed_leader_of(stream).await;
    time
}

#[tokio::test(flavor = "multi_thread")]
async fn leaders_of_a_cluster_are_killed_and_nothing_is_lost() {
    let kills = number("CLUSTER_KILLS", 3);
    let operations = number("CLUSTER_OPERATIONS", 60);
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path(), Profile::Dev).await;
    let fleet = Fleet::start(&cluster).await;

    let mut accepted = Vec::new();
    let mut elections = Vec::new();
    for kill in 0..kills {
        let stream = STREAMS[kill % STREAMS.len()];
        let (submitted, election) = tokio::join!(
            fleet.submit_mixed(operations / kills),
            kill_leader(&mut cluster, stream)
        );
        accepted.extend(submitted);
        elections.push(election);
    }

    let mut entry_times = fleet.check_that_nothing_is_lost(&accepted).await;
    let slowest = print_figures("leaders killed", &accepted, &mut entry_times);
    let longest = percentile(&mut elections, 100);
    let median = percentile(&mut elections, 50);
    eprintln!("{kills} elections: median {median:.2?}, longest {longest:.2?}");
    assert!(slowest < ENTRY_TIME_MAX, "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_a_cluster_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path(), Profile::Dev).await;
    let fleet = Fleet::start(&cluster).await;

    let restart = async {
        for number in 0..3 {
            cluster.end(number).await;
            cluster.restart(number);
            for stream in STREAMS {
                cluster.followed_leader_of(stream).await;
            }
        }
    };
    let (accepted, ()) = tokio::join!(fleet.submit_mixed(40), restart);

    let mut entry_times = fleet.check_that_nothing_is_lost(&accepted).await;
    let slowest = print_figures("rolling restart", &accepted, &mut entry_times);
    assert!(slowest < ENTRY_TIME_MAX, "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_during_an_election_waits_for_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path(), Profile::Dev).await;
    let sandbox = Sandbox::on_cluster(&cluster).await;
    let leader = cluster.followed_leader_of(subjects::COMMANDS).await;

    cluster.kill(leader);

    // The profile is read when one connects, the streams and their consumers afterwards.
    let late = sandbox.connect().await;
    let declared = Topology::declare(Profile::Dev, TopologyOptions::default());
    for bus in [sandbox.bus(), &late] {
        let differences = bus.infra().differences(&declared).await.unwrap();
        assert!(differences.is_empty(), "{differences:?}");
    }
}
