//! Processes that get no more memory: killed by the kernel where a test may make a group of
//! processes, else aborted by their own allocator.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rand::RngExt as _;
use system_tests::Sandbox;

use crate::book::Book;
use crate::fleet::{self, Fleet, Member, chance, rounds};
use crate::mixed::submit_next;
use crate::rows::report;

/// What a group of processes may use beyond what its processes brought.
const GROUP_BYTES: &str = "262144";

/// A group of processes that the kernel lets use next to nothing.
struct PoorGroup {
    folder: PathBuf,
}

impl PoorGroup {
    /// Makes one; none where the user or the kernel does not allow it.
    fn make() -> Option<Self> {
        let parent = PathBuf::from("/sys/fs/cgroup/memory");
        let folder = parent.join(format!("ktrdr-test-{}", std::process::id()));
        fs::create_dir(&folder).ok()?;
        let group = Self { folder };
        let limit = group.folder.join("memory.limit_in_bytes");
        fs::write(limit, GROUP_BYTES).ok()?;
        Some(group)
    }

    fn take(&self, member: &Member) {
        let processes = self.folder.join("cgroup.procs");
        fs::write(processes, member.process.id().to_string()).unwrap();
    }
}

impl Drop for PoorGroup {
    fn drop(&mut self) {
        // It stays where one of its processes still ends.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Gives a process no address more than it has; it aborts when it needs one.
fn limit_addresses(member: &Member) {
    let limit = member.memory_kb("VmSize") * 1024;
    let status = Command::new("prlimit")
        .arg(format!("--pid={}", member.process.id()))
        .arg(format!("--as={limit}"))
        .status();
    assert!(status.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_out_of_memory_lose_nothing() {
    let mut random = chance();
    let sandbox = Sandbox::start_guarded().await;
    let group = PoorGroup::make();
    let mut fleet = Fleet::start(&sandbox, fleet::ALL);
    let mut book = Book::open(&sandbox);
    let times = rounds(6, 60);

    let mut ended = 0;
    for _ in 0..times {
        for _ in 0..2 {
            submit_next(&mut book).await;
        }
        let member = fleet.choose(&mut random);
        match &group {
            Some(group) => group.take(member),
            None => limit_addresses(member),
        }
        let peace = Duration::from_millis(random.random_range(200..800));
        sandbox.after(peace).await;
        ended += fleet.replace_ended();
    }

    let ends = book.close(&mut fleet).await;
    let by = if group.is_some() {
        "the kernel"
    } else {
        "the allocator"
    };
    report(
        23,
        format!(
            "{times} times a process got no more memory, {ended} ended by {by} at once: {ends}"
        ),
    );
    // Its processes first.
    drop(fleet);
}
