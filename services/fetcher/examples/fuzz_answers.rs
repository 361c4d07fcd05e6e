//! Throws damaged answers at the readers of every provider for a number of seconds:
//! `cargo run --release -p fetcher --example fuzz_answers -- json --seconds 600 [--seed 1]`, and
//! `tws` instead of `json` for the session with a TWS.
//!
//! Every answer must give bars or an error; a crash, a wrong bar and a session that does not end
//! are the findings. It prints how many answers were read and refused.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a program for developers, which may fail loudly"
)]

#[path = "../tests/it/fuzzing.rs"]
mod fuzzing;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fuzzing::{Target, load_damaged};
use tokio::task::JoinSet;

/// Sessions at a time.
const SESSIONS: u64 = 64;
/// Threads that have panicked, those of libraries among them.
static CRASHES: AtomicU64 = AtomicU64::new(0);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let value_of = |flag: &str| {
        let place = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(place + 1)?.parse::<u64>().ok()
    };
    let seconds = value_of("--seconds").unwrap_or(60);
    let seed = value_of("--seed").unwrap_or(1);
    let ends = Instant::now() + Duration::from_secs(seconds);

    let usual_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        CRASHES.fetch_add(1, Ordering::Relaxed);
        usual_hook(panic);
    }));
    let is_tws = arguments.iter().any(|argument| argument == "tws");
    let outcomes = if is_tws {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(fuzz_sessions(seed, ends))
    } else {
        fuzz_readers(seed, ends)
    };

    let count: u64 = outcomes.values().sum();
    println!("{count} answers in {seconds} s, from seed {seed} on");
    for (outcome, count) in outcomes {
        println!("{count:>10} {outcome}");
    }
    match CRASHES.load(Ordering::Relaxed) {
        0 => ExitCode::SUCCESS,
        crashes => {
            println!("{crashes} crashes");
            ExitCode::FAILURE
        }
    }
}

fn fuzz_readers(first_seed: u64, ends: Instant) -> BTreeMap<String, u64> {
    let targets = Target::all();
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();

    for seed in first_seed.. {
        if seed % 1_000 == 0 && Instant::now() > ends {
            break;
        }
        for target in &targets {
            let outcome = format!("{} {}", target.name(), target.read_damaged(seed));
            *outcomes.entry(outcome).or_default() += 1;
        }
    }
    outcomes
}

async fn fuzz_sessions(first_seed: u64, ends: Instant) -> BTreeMap<String, u64> {
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    let mut sessions = JoinSet::new();

    let mut seed = first_seed;
    while Instant::now() < ends {
        while (sessions.len() as u64) < SESSIONS {
            sessions.spawn(load_damaged(seed));
            seed += 1;
        }
        if let Some(Ok(outcome)) = sessions.join_next().await {
            *outcomes.entry(outcome).or_default() += 1;
        }
    }
    for outcome in sessions.join_all().await {
        *outcomes.entry(outcome).or_default() += 1;
    }
    outcomes
}
