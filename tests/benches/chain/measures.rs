//! Measures of this process: wall time, processor time, memory, and medians of them.

use std::fs;
use std::process::Command;
use std::time::Instant;

/// Milliseconds that passed, and that this process's threads were on a processor: on a busy machine
/// the latter says more.
#[derive(Clone, Copy)]
pub struct Clock {
    pub wall: f64,
    pub processor: f64,
}

impl Clock {
    pub fn now(since: Instant) -> Self {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let nanoseconds: f64 = tasks
            .map(|task| task.unwrap().path().join("schedstat"))
            // A thread may end between the listing and the look at it.
            .map(|path| first_number(&fs::read_to_string(path).unwrap_or_default()))
            .sum();

        Self {
            wall: since.elapsed().as_secs_f64() * 1e3,
            processor: nanoseconds / 1e6,
        }
    }

    /// The time from `earlier` to here.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            wall: self.wall - earlier.wall,
            processor: self.processor - earlier.processor,
        }
    }
}

/// Seconds that the calling thread was on a processor.
pub fn thread_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    first_number(&text) / 1e9
}

/// Seconds that all threads of this process were on a processor, those that have ended included.
pub fn process_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let text = fs::read_to_string("/proc/self/stat").unwrap();

    // The second field is the name in parentheses; user and system time are the 14th and 15th.
    let fields = text.rsplit_once(')').unwrap().1.split_whitespace();
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum();
    ticks / TICKS_PER_SECOND
}

/// A field of this process's status, in bytes: `VmRSS` is its memory now, `VmHWM` its peak.
pub fn memory(field: &str) -> f64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap();
    let kibibytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();

    kibibytes * 1024.0
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs this program once more, with these arguments, and prints what it prints.
pub fn run_child(arguments: &[&str]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(arguments)
        .output()
        .unwrap();

    print!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The first number of a text; 0 for an empty one.
fn first_number(text: &str) -> f64 {
    match text.split_whitespace().next() {
        Some(field) => field.parse().unwrap(),
        None => 0.0,
    }
}
