//! No answer breaks a reader: a few seconds of damaged ones with fixed seeds. The program
//! `cargo run --release -p fetcher --example fuzz_answers` goes on for as long as it is told.

use tokio::task::JoinSet;

use crate::fuzzing::{Target, load_damaged};

#[test]
fn damaged_json_is_read_or_refused() {
    for target in Target::all() {
        let outcomes: Vec<&str> = (0..5_000).map(|seed| target.read_damaged(seed)).collect();

        // Some damages hit what nobody reads, others what everybody needs.
        for outcome in ["no JSON", "read as bars", "refused"] {
            assert!(outcomes.contains(&outcome), "{}: {outcome}", target.name());
        }
    }
}

#[tokio::test]
async fn damaged_frames_end_in_bars_or_in_an_error() {
    let mut sessions = JoinSet::new();
    for seed in 0..160 {
        sessions.spawn(load_damaged(seed));
    }

    let outcomes = sessions.join_all().await;

    let count_of = |text: &str| outcomes.iter().filter(|each| each.ends_with(text)).count();
    assert!(count_of(" bars") > 20, "{outcomes:?}");
    assert!(count_of(" bars") < 160, "{outcomes:?}");
}
