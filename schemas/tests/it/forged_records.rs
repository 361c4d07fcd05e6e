//! Whatever somebody writes into a record or a progress message: it is refused, or everything that
//! is done with it ends in a value.

use jiff::Timestamp;
use proptest::prelude::*;
use schemas::codec;
use schemas::commands::{RunDummy, Spread};
use schemas::delivery::decide;
use schemas::ids::{Lane, Service, StepNumber};
use schemas::messages::CommandMessage;
use schemas::operation::{CHILDREN_MAX, Holder, OperationRecord, Said, Stopped};
use schemas::progress::{ChildCounts, Context, ProgressRecord};
use schemas::subjects::CommandAddress;
use serde_json::{Value, json};

use crate::samples::{error, progress, record, wire_form, worker};

/// What a forger may put in the place of any value.
fn forgeries() -> Vec<Value> {
    vec![
        json!(0),
        json!(-1),
        json!(1_000_000_000_000_000_000_u64),
        json!(u16::MAX),
        json!(u32::MAX),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(-0.0),
        json!(1e308),
        json!(-1e308),
        json!(""),
        json!("running"),
        json!("9999-12-30T22:00:00.999999999Z"),
        json!("-009999-01-02T01:59:59Z"),
        json!([]),
        json!({}),
        json!(true),
        Value::Null,
    ]
}

/// The places in a value, as JSON pointers.
fn places(value: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Array(items) => (0..)
            .zip(items)
            .map(|(index, item)| (index.to_string(), item))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, item)| (name.clone(), item))
            .collect(),
        _ => Vec::new(),
    };

    let mut all = Vec::new();
    for (name, child) in children {
        all.push(format!("/{name}"));
        all.extend(places(child).iter().map(|place| format!("/{name}{place}")));
    }
    all
}

/// Changes that a forger makes: where, and what is there afterwards. Beyond the forgeries comes
/// what changes a list: its first item once more, or one less.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, usize)>> {
    prop::collection::vec(
        (any::<prop::sample::Index>(), 0..forgeries().len() + 2),
        1..8,
    )
}

fn forge(mut value: Value, changes: &[(prop::sample::Index, usize)]) -> Vec<u8> {
    let forgeries = forgeries();

    for (place, change) in changes {
        let places = places(&value);
        let target = value
            .pointer_mut(&places[place.index(places.len())])
            .unwrap();
        match (forgeries.get(*change), target) {
            (Some(forgery), target) => *target = forgery.clone(),
            (None, Value::Array(items)) if change % 2 == 0 => items.extend(items.first().cloned()),
            (None, Value::Array(items)) => {
                items.pop();
            }
            (None, _) => {}
        }
    }
    value.to_string().into_bytes()
}

/// Every transition, from every step and one that is not there, each on a record of its own.
fn change_in_every_way(record: &OperationRecord, at: Timestamp) {
    let one_more = StepNumber::new(record.steps.len() + 1).ok();
    let said = Said::default();

    for number in record.numbers().chain(one_more) {
        let step = record.step(number);
        let attempt = step.map_or(1, |step| step.attempt);
        let submission = step.map_or(1, |step| step.submission);
        let holder = Holder {
            worker: worker(),
            ack_subject: String::new(),
            since: at,
        };
        let lost = step
            .and_then(|step| step.holder.as_ref())
            .map(|holder| &holder.worker);

        let changes: [&dyn Fn(&mut OperationRecord); 12] = [
            &|record| drop(record.claim(number, submission, holder.clone(), lost)),
            &|record| drop(record.complete(number, attempt, json!(1), at)),
            &|record| drop(record.fail(number, attempt, error(), at)),
            &|record| drop(record.retry(number, attempt, "", at, at)),
            &|record| drop(record.stop(number, attempt, Stopped::default(), at)),
            &|record| drop(record.release(number, attempt, at)),
            &|record| drop(record.clear_hold(number, &worker(), at)),
            &|record| drop(record.record_checkpoint(number, attempt, json!(1), at)),
            &|record| drop(record.forgive_takeover(number, &worker(), at)),
            &|record| drop(record.cancel_unheld(u64::MAX, &said, at)),
            &|record| drop(record.resume(u64::MAX, &said, at)),
            &|record| drop(record.requeue(number, submission, at)),
        ];
        for change in changes {
            let mut changed = record.clone();
            change(&mut changed);
            read_in_every_way(&changed, number);
        }
    }
}

fn read_in_every_way(record: &OperationRecord, number: StepNumber) {
    record.outstanding_commands();
    record.result_of::<RunDummy>(number);
    let (start, end) = record.plan.percent_range(number);
    for percent in [start, end] {
        assert!((0.0..=100.0).contains(&percent), "{percent}");
    }

    let address = CommandAddress {
        service: Service::Dummy,
        lane: Lane::Default,
        op: record.op.clone(),
        step: number,
    };
    let message = CommandMessage::new(&record.op, number, 1, None);
    decide(&address, &message, Some(record), |_| true);
    decide(&address, &message, Some(record), |_| false);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_forged_record_makes_anything_panic(changes in changes(), late in any::<bool>()) {
        let at = if late { Timestamp::MAX } else { Timestamp::MIN };

        if let Ok(record) = codec::decode::<OperationRecord>(&forge(wire_form(&record()), &changes)) {
            change_in_every_way(&record, at);
        }
    }

    #[test]
    fn forged_progress_is_between_0_and_100_percent(changes in changes()) {
        let forged = forge(wire_form(&progress()), &changes);

        if let Ok(progress) = codec::decode::<ProgressRecord>(&forged) {
            for percent in [progress.percent, progress.step_percent] {
                prop_assert!((0.0..=100.0).contains(&percent), "{}", percent);
                prop_assert!(percent.is_sign_positive(), "-0 is no percent");
            }
        }
    }

    #[test]
    fn bytes_of_a_record_may_be_anything(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = codec::encode(&record()).unwrap();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(bytes.len() - cut.index(8));

        if let Ok(record) = codec::decode::<OperationRecord>(&bytes) {
            change_in_every_way(&record, Timestamp::MAX);
        }
    }
}

/// The commands that come of putting each forgery in each place of an honest one.
fn forged_lists() -> Vec<Spread> {
    let honest = json!({
        "kinds": [{ "kind": "dummy", "count": 3 }, { "kind": "data", "count": 2 }],
        "first": 4,
        "limit": 8,
    });
    let mut forged = Vec::new();

    for place in places(&honest) {
        for forgery in forgeries() {
            let mut value = honest.clone();
            *value.pointer_mut(&place).unwrap() = forgery;
            forged.extend(serde_json::from_value::<Spread>(value));
        }
    }
    forged
}

#[test]
fn a_forged_list_has_no_children_beyond_the_most() {
    let parent = "op_family_20260301_142233_0ffffff0".parse().unwrap();

    let forged = forged_lists();
    assert!(forged.iter().any(|spread| spread.first == u32::MAX));
    assert!(forged.iter().any(|spread| spread.total() == u32::MAX));
    for spread in forged {
        let ids = spread.child_ids(&parent);
        let after_last = ids.last().map_or(0, |last| last.0 + 1);
        assert!(after_last <= CHILDREN_MAX, "{spread:?}");

        // What is cut off is refused before anything of it is begun.
        let end = u64::from(spread.first) + u64::from(spread.total());
        let fits = end <= u64::from(CHILDREN_MAX);
        assert_eq!(spread.validate().is_ok(), fits, "{spread:?}");
    }
}

#[test]
fn forged_counts_of_children_stay_at_their_end() {
    let mut progress = progress();
    let counts = ChildCounts {
        completed: u32::MAX,
        failed: 1,
        cancelled: u32::MAX,
        ..ChildCounts::default()
    };
    progress.context = Context::Family {
        counts,
        running: Vec::new(),
    };
    let sent = codec::encode(&progress).unwrap();

    let read: ProgressRecord = codec::decode(&sent).unwrap();
    let Context::Family { counts, .. } = read.context else {
        panic!("it is of a family");
    };
    assert_eq!(counts.ended(), u32::MAX);
}

#[test]
fn counters_at_their_end_stay_there() {
    let mut record = record();
    for step in &mut record.steps {
        step.attempt = u32::MAX;
        step.barren_attempts = u32::MAX;
        step.submission = u32::MAX;
        step.holder = None;
    }

    change_in_every_way(&record, Timestamp::MAX);
}
