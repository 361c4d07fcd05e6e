//! The system under test: real processes of every service, each with the key of its role.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use system_tests::{Process, Sandbox, until};

/// Every service, with three workers for dummy steps.
pub const ALL: &[&str] = &[
    "registry",
    "registry",
    "family",
    "fetcher",
    "validator",
    "processor",
    "trainer",
    "dummy",
    "dummy",
    "dummy",
];
/// What runs dummy steps and families, with two housekeepers.
pub const SMALL: &[&str] = &["registry", "registry", "family", "dummy", "dummy", "dummy"];

/// Whether this is the long run, as in `SANDBOX_LONG=1`.
pub fn is_long() -> bool {
    std::env::var_os("SANDBOX_LONG").is_some()
}

/// How often something is done in the short and in the long run.
pub fn rounds(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}

/// Another hour: `SANDBOX_SEED=7`.
pub fn seed() -> u64 {
    let chosen = std::env::var("SANDBOX_SEED").ok();
    chosen.map_or(1, |text| text.parse().expect("SANDBOX_SEED is a number"))
}

/// A source of chance that repeats itself.
pub fn chance() -> SmallRng {
    SmallRng::seed_from_u64(seed())
}

/// Processes of services, each of which can be replaced by a new one, as a supervisor does.
pub struct Fleet<'a> {
    sandbox: &'a Sandbox,
    /// Each process with how it was started.
    pub members: Vec<Member>,
}

/// One process, and how to start another one in its place.
pub struct Member {
    /// The name of its service.
    pub service: &'static str,
    /// The process as it is now.
    pub process: Process,
    url: String,
    /// Words before the program, which become it.
    starter: Vec<String>,
}

impl<'a> Fleet<'a> {
    /// Starts these services.
    pub fn start(sandbox: &'a Sandbox, services: &[&'static str]) -> Self {
        Self::start_at(sandbox, sandbox.url(), services)
    }

    /// Starts services that reach the NATS server at this address.
    pub fn start_at(sandbox: &'a Sandbox, url: &str, services: &[&'static str]) -> Self {
        let mut fleet = Self {
            sandbox,
            members: Vec::new(),
        };
        fleet.add(&[], url, services);
        fleet
    }

    /// Starts more services, by another program that becomes them if there is one.
    pub fn add(&mut self, starter: &[&str], url: &str, services: &[&'static str]) {
        for service in services {
            let process = spawn(self.sandbox, starter, url, service);
            self.members.push(Member {
                service,
                process,
                url: url.to_owned(),
                starter: starter.iter().map(|&word| word.to_owned()).collect(),
            });
        }
    }

    /// Chooses one of the members.
    pub fn choose(&mut self, random: &mut SmallRng) -> &mut Member {
        let chosen = random.random_range(0..self.members.len());
        &mut self.members[chosen]
    }

    /// Kills any member and starts a new one in its place.
    pub fn replace_any(&mut self, random: &mut SmallRng) {
        let sandbox = self.sandbox;
        let member = self.choose(random);
        member.process.kill();
        member.start_again(sandbox);
    }

    /// Starts a new process in the place of each one that has ended; returns how many.
    pub fn replace_ended(&mut self) -> usize {
        let mut replaced = 0;
        for member in &mut self.members {
            if !member.process.is_running() {
                member.start_again(self.sandbox);
                replaced += 1;
            }
        }
        replaced
    }
}

impl Member {
    fn start_again(&mut self, sandbox: &Sandbox) {
        let starter: Vec<&str> = self.starter.iter().map(String::as_str).collect();
        self.process = spawn(sandbox, &starter, &self.url, self.service);
    }

    /// Memory that the process has in use, in kilobytes: `VmRSS` or another line of its status.
    pub fn memory_kb(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.unwrap_or_default();
        let mut lines = status.lines().filter(|each| each.starts_with(line));
        let words = lines.next().and_then(|each| each.split_whitespace().nth(1));
        words.map_or(0, |number| number.parse().unwrap())
    }
}

fn spawn(sandbox: &Sandbox, starter: &[&str], url: &str, service: &str) -> Process {
    let bars = concat!("files=", env!("CARGO_MANIFEST_DIR"), "/bars");
    let flags: &[&str] = match service {
        "fetcher" => &["--set", bars],
        _ => &[],
    };
    sandbox.spawn_under(starter, url, &format!("ktrdr-{service}"), flags)
}

/// Kills the NATS server and starts it again.
pub async fn restart_server(sandbox: &Sandbox) {
    sandbox.kill_server();
    sandbox.restart_server();
    until_connected(sandbox).await;
}

/// Waits until the test's own connection is back.
pub async fn until_connected(sandbox: &Sandbox) {
    until("the connection", || async {
        sandbox.bus().connection().rtt().await.ok()
    })
    .await;
}
