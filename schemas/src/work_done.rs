//! What a step had done when it was stopped: its last progress in numbers.

use std::collections::BTreeMap;

use crate::codec::packed_bytes;
use crate::errors::shortened;
use crate::ids::Service;
use crate::progress::{Context, Count, Progress};

/// Largest amount of work in a record, in packed bytes.
pub const WORK_DONE_BYTES_MAX: usize = 200;
/// Longest name of a unit, in bytes.
const UNIT_BYTES_MAX: usize = 60;

/// Counts by unit: `iterations`, `epochs`, `bars of EURUSD 1h`. A total of 0 is unknown.
pub type WorkDone = BTreeMap<String, Count>;

/// The work that the last report of a step of `service` shows; empty before the first one.
pub fn work_done(progress: &Progress, service: Service) -> WorkDone {
    let items = progress.items;
    let units = match &progress.context {
        Context::Dummy { iterations } => vec![unit("iterations", Some(*iterations))],
        Context::Train { epoch, batch, .. } => vec![
            unit("epochs", Some(finished_epochs(*epoch, *batch))),
            unit("batches", items),
        ],
        Context::TrainBundle { trainings, .. } => vec![unit("trainings", Some(*trainings))],
        Context::Data {
            symbol,
            timeframe,
            saved_bars,
            ..
        } if service == Service::Fetcher => {
            let saved = Count {
                done: *saved_bars,
                total: 0,
            };
            vec![
                unit(&format!("segments of {symbol} {timeframe}"), items),
                unit(&format!("bars of {symbol} {timeframe}"), Some(saved)),
            ]
        }
        Context::Data { .. } if service == Service::Validator => vec![unit("series", items)],
        Context::Live { bars, .. } => {
            let stored = Count {
                done: *bars,
                total: 0,
            };
            vec![unit("bars", Some(stored))]
        }
        Context::Family { counts, .. } => {
            let completed = Count {
                done: u64::from(counts.completed),
                total: u64::from(counts.total),
            };
            vec![unit("children completed", Some(completed))]
        }
        _ => vec![unit("pieces of work", items)],
    };

    let work: WorkDone = units.into_iter().flatten().collect();
    // A record has no room for more, and the operation ends as well without it.
    if is_small(&work) {
        work
    } else {
        WorkDone::new()
    }
}

/// True for work that a record has room for.
pub(crate) fn is_small(work: &WorkDone) -> bool {
    serde_json::to_value(work).is_ok_and(|value| packed_bytes(&value) <= WORK_DONE_BYTES_MAX)
}

fn unit(name: &str, count: Option<Count>) -> Option<(String, Count)> {
    count.map(|count| (shortened(name, UNIT_BYTES_MAX), count))
}

/// The epoch at work is finished with its last batch.
fn finished_epochs(epoch: Count, batch: Count) -> Count {
    let is_finished = batch.done == batch.total;
    Count {
        done: epoch.done.saturating_sub(u64::from(!is_finished)),
        total: epoch.total,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::ChildCounts;

    fn count(done: u64, total: u64) -> Count {
        Count { done, total }
    }

    fn training(epoch: u64, batch: u64) -> Progress {
        let context = serde_json::json!({
            "kind": "train", "model_type": "mlp", "strategy": "x", "symbols": [], "timeframes": [],
            "epoch": count(epoch, 10), "batch": count(batch, 40), "train_loss": null,
            "val_loss": null, "learning_rate": 0.1, "device": {"kind": "cpu"},
        });
        Progress {
            items: Some(count((epoch - 1) * 40 + batch, 400)),
            context: serde_json::from_value(context).unwrap(),
            ..Progress::default()
        }
    }

    #[test]
    fn an_epoch_counts_once_its_last_batch_is_done() {
        let within = work_done(&training(3, 12), Service::Trainer);
        assert_eq!(within["epochs"], count(2, 10));
        assert_eq!(within["batches"], count(92, 400));

        let at_end = work_done(&training(3, 40), Service::Trainer);
        assert_eq!(at_end["epochs"], count(3, 10));
    }

    #[test]
    fn a_fetch_names_the_series_that_it_was_at() {
        let progress = Progress {
            items: Some(count(15, 50)),
            context: Context::Data {
                symbol: "EURUSD".to_owned(),
                timeframe: "1h".to_owned(),
                bars: 1_600,
                saved_bars: 1_500,
                segments: None,
            },
            ..Progress::default()
        };

        let work = work_done(&progress, Service::Fetcher);
        assert_eq!(work["segments of EURUSD 1h"], count(15, 50));
        assert_eq!(work["bars of EURUSD 1h"], count(1_500, 0));
    }

    #[test]
    fn a_family_counts_the_children_that_are_completed() {
        let counts = ChildCounts {
            total: 8,
            completed: 1,
            cancelled: 7,
            ..ChildCounts::default()
        };
        let progress = Progress {
            items: Some(count(8, 8)),
            context: Context::Family {
                counts,
                running: Vec::new(),
            },
            ..Progress::default()
        };

        let work = work_done(&progress, Service::Family);
        assert_eq!(work["children completed"], count(1, 8));
    }

    #[test]
    fn nothing_was_done_before_the_first_report() {
        assert!(work_done(&Progress::default(), Service::Dummy).is_empty());
    }
}
