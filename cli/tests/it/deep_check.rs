//! `ktrdr doctor --deep`: a system with one fault of each rule, made on purpose, and healthy ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use nats_test_server::Client;
use nix::sys::signal::Signal;
use schemas::codec::to_json;
use serde_json::{Value, json};

use crate::deep_objects::OBJECT_FAULTS;
use crate::program::{run_in, run_in_system};
use crate::running_up::{RunningUp, connect_to, programs_of, send_to, start_operation};

/// Bytes that are neither JSON nor MessagePack.
const NONSENSE: &[u8] = b"\xc1\xff\x00";
/// A time long ago, when everything began that is forged.
const LONG_AGO: &str = "2026-03-01T14:22:33Z";
/// And later than that.
const LATER: &str = "2026-03-01T15:00:00Z";

/// The id of the n-th operation that is forged.
fn id_of(number: u32) -> String {
    format!("op_dummy_20260301_142233_{number:08x}")
}

/// A running system in which messages are forged.
struct Place {
    folder: tempfile::TempDir,
    system: RunningUp,
    client: Client,
    /// The record of an operation that completed, and its events.
    record: Value,
    events: Vec<Value>,
}

impl Place {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let system = RunningUp::start(folder.path());
        let client = connect_to(folder.path()).await;
        run_in(folder.path(), &["dummy", "start", "--duration", "0"]);

        let mut place = Self {
            folder,
            system,
            client,
            record: Value::Null,
            events: Vec::new(),
        };
        place.record = place
            .last_on("KV_ktrdr_operations", "$KV.ktrdr_operations.>")
            .await;
        for what in ["started", "completed"] {
            let subject = format!("ktrdr.event.dummy.*.*.{what}");
            let event = place.last_on("KTRDR_EVENTS", &subject).await;
            place.events.push(event);
        }
        place
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What was stored last on a subject.
    async fn last_on(&self, stream: &str, filter: &str) -> Value {
        let subject = format!("$JS.API.DIRECT.GET.{stream}");
        let request = json!({ "last_by_subj": filter }).to_string();
        let answer = self.client.request(subject, request.into()).await.unwrap();
        to_json(&answer.payload).unwrap()
    }

    /// Stores a message.
    async fn store(&self, subject: String, payload: impl AsRef<[u8]>) {
        let payload = payload.as_ref().to_vec().into();
        let answer = self.client.request(subject.clone(), payload).await.unwrap();
        let answer = String::from_utf8(answer.payload.to_vec()).unwrap();
        assert!(answer.contains("\"seq\""), "{subject}: {answer}");
    }

    /// The record of a completed operation of a trainer, which nobody serves here.
    fn completed(&self, op: &str) -> Value {
        let mut record = self.record.clone();
        record["op"] = op.into();
        record["plan"][0][0]["service"] = "trainer".into();
        for time in ["created_at", "updated_at", "started_at", "finished_at"] {
            record[time] = LONG_AGO.into();
        }
        record["steps"][0]["finished_at"] = LONG_AGO.into();
        record
    }

    /// The record of one whose first attempt was handed back.
    fn unfinished(&self, op: &str) -> Value {
        let mut record = self.completed(op);
        record["state"] = "running".into();
        record["steps"][0]["state"] = "pending".into();
        record["steps"][0]["finished_at"] = Value::Null;
        record["finished_at"] = Value::Null;
        record
    }

    async fn store_record(&self, record: &Value) {
        let op = record["op"].as_str().unwrap();
        let child = if op.contains("_f") { "child." } else { "" };
        let subject = format!("$KV.ktrdr_operations.20260301.{child}{op}");
        self.store(subject, record.to_string()).await;
    }

    async fn store_mark(&self, op: &str) {
        self.store(format!("$KV.ktrdr_active.{op}"), "").await;
    }

    async fn store_command(&self, op: &str) {
        let subject = format!("ktrdr.cmd.trainer.default.{op}.1");
        self.store(subject, r#"{"v":1,"submission":1}"#).await;
    }

    /// Stores an event of the first step, like the one that was, with some values changed.
    async fn store_event(&self, op: &str, what: &str, changes: Value) {
        let mut event = self.events[usize::from(what != "started")].clone();
        event["op"] = op.into();
        event["what"] = what.into();
        event["service"] = "trainer".into();
        event["at"] = LONG_AGO.into();
        for (name, value) in changes.as_object().into_iter().flatten() {
            event[name] = value.clone();
        }
        let subject = format!("ktrdr.event.trainer.{op}.1.{what}");
        self.store(subject, event.to_string()).await;
    }

    /// An operation that is over, with all that belongs to it.
    async fn store_completed(&self, op: &str) {
        self.store_record(&self.completed(op)).await;
        self.store_event(op, "started", Value::Null).await;
        self.store_event(op, "completed", Value::Null).await;
    }

    /// An operation that waits for a trainer, with all that belongs to it.
    async fn store_waiting(&self, op: &str) {
        self.store_record(&self.unfinished(op)).await;
        self.store_mark(op).await;
        self.store_command(op).await;
    }
}

/// The findings by their subjects, and how many rules there are.
pub(crate) fn findings_in(folder: &Path) -> (BTreeMap<String, Vec<String>>, u64) {
    let ended = run_in(folder, &["doctor", "--deep", "--json"]);
    let line: Value = serde_json::from_str(&ended.out).expect(&ended.err);
    let mut findings: BTreeMap<String, Vec<String>> = BTreeMap::new();

    for finding in line["deep"]["findings"].as_array().unwrap() {
        let text = |name: &str| finding[name].as_str().unwrap().to_owned();
        findings
            .entry(text("subject"))
            .or_default()
            .push(text("rule"));
    }
    (findings, line["deep"]["rules"].as_u64().unwrap())
}

/// What is done to a system before it is looked at: completed, failed, cancelled, resumed, a family.
const MIXED: &str = "\
ktrdr dummy start --duration 0.2 --iterations 4 --checkpoint-every 1
ktrdr dummy start --duration 0 --fail-at 1
ktrdr ops dead drop --all
ktrdr dummy start --duration 0 --fail-at 1
LONG='dummy start --duration 60 --iterations 600 --detach --json'
OP=$(ktrdr $LONG | grep -o 'op_dummy_[0-9a-f_]*' | head -1)
ktrdr cancel $OP
ktrdr wait $OP
ktrdr resume $OP --detach
ktrdr cancel $OP
ktrdr wait $OP
ktrdr data load EURUSD GBPUSD --timeframe 1h --mode full --quiet
ktrdr $LONG >/dev/null
ktrdr ops dead drop --all
ktrdr doctor --deep --json >deep.json
echo $? >exit
ktrdr doctor --deep >deep.txt
";

#[test]
fn after_a_mixed_run_no_rule_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let services = "dummy,family,fetcher,validator,registry";

    let ended = run_in_system(folder.path(), services, MIXED);

    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let line: Value = serde_json::from_str(&read("deep.json")).expect(&ended.err);
    assert_eq!(line["deep"]["findings"], json!([]), "{}", ended.err);
    assert!(
        line["deep"]["read"]["records"].as_u64() >= Some(5),
        "{line}"
    );
    assert_eq!(read("exit"), "0\n", "{line}");
    assert!(
        read("deep.txt").contains("rules hold"),
        "{}",
        read("deep.txt")
    );
}

#[test]
fn a_busy_system_with_a_killed_worker_is_no_fault() {
    const ROUNDS: usize = 12;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let _system = RunningUp::start(folder);
    let long = "dummy start --duration 3 --iterations 60 --checkpoint-every 5";

    for round in 0..ROUNDS {
        start_operation(folder, "dummy start --duration 0.3 --iterations 3");
        let cancelled = start_operation(folder, long);
        run_in(folder, &["cancel", &cancelled, "--quiet"]);
        start_operation(folder, long);
        if round == ROUNDS / 2 {
            let is_dummy = |link: &PathBuf| {
                let program = link.read_link().unwrap_or_default();
                program.ends_with("ktrdr-dummy")
            };
            let dummy = programs_of(folder).into_iter().find(is_dummy);
            send_to(&dummy.unwrap(), Signal::SIGKILL);
        }

        assert_eq!(findings_in(folder).0, BTreeMap::new(), "round {round}");
    }
}

/// What is expected: subjects with the one rule that each breaks.
type Expected = Vec<(String, &'static str)>;

/// Records and marks.
async fn break_records(place: &Place, expected: &mut Expected) {
    let op = id_of(1);
    let subject = format!("$KV.ktrdr_operations.20260301.{op}");
    place.store(subject, NONSENSE).await;
    expected.push((op, "record-unreadable"));

    let op = id_of(2);
    let running = json!({ "state": "running" });
    place.store_event(&op, "started", running).await;
    expected.push((op, "record-missing"));

    let op = id_of(3);
    place.store_completed(&op).await;
    let mut record = place.completed(&op);
    record["state"] = "failed".into();
    place.store_record(&record).await;
    expected.push((op, "record-contradicts-itself"));

    let op = id_of(4);
    place.store_record(&place.unfinished(&op)).await;
    place.store_mark(&op).await;
    expected.push((op, "operation-stuck"));

    let op = id_of(5);
    let mut record = place.unfinished(&op);
    record["steps"][0]["state"] = "running".into();
    let worker = "trainer-lost-7-0001";
    let holder = json!({ "worker": worker, "ack_subject": "", "since": LONG_AGO });
    record["steps"][0]["holder"] = holder;
    place.store_record(&record).await;
    place.store_mark(&op).await;
    expected.push((op, "claim-without-worker"));

    let op = id_of(6);
    place.store_record(&place.unfinished(&op)).await;
    place.store_command(&op).await;
    expected.push((op, "mark-missing"));

    let op = id_of(7);
    place.store_mark(&op).await;
    expected.push((op, "mark-without-reason"));
}

/// Commands and requests.
async fn break_queues(place: &Place, expected: &mut Expected) {
    let op = id_of(8);
    place.store_completed(&op).await;
    place.store_command(&op).await;
    expected.push((op, "command-of-ended-step"));

    let op = id_of(9);
    place.store_command(&op).await;
    expected.push((op, "command-without-record"));

    let subject = format!("ktrdr.cmd.trainer.default.{}.1", id_of(10));
    place.store(subject.clone(), NONSENSE).await;
    expected.push((subject, "command-unreadable"));

    let op = id_of(11);
    place.store_waiting(&op).await;
    place.store(format!("ktrdr.control.cancel.{op}"), "").await;
    expected.push((op, "cancel-ignored"));
}

/// Steps and their events.
async fn break_steps(place: &Place, expected: &mut Expected) {
    let op = id_of(12);
    place.store_completed(&op).await;
    place
        .store_event(&op, "started", json!({ "attempt": 2 }))
        .await;
    expected.push((op, "number-went-back"));

    let op = id_of(13);
    place.store_completed(&op).await;
    place.store_event(&op, "checkpointed", Value::Null).await;
    expected.push((op, "checkpoint-lost"));

    let op = id_of(14);
    place.store_record(&place.completed(&op)).await;
    place.store_event(&op, "started", Value::Null).await;
    expected.push((op, "end-without-event"));

    let op = id_of(15);
    place.store_waiting(&op).await;
    place.store_event(&op, "completed", Value::Null).await;
    expected.push((op, "event-without-end"));

    let op = id_of(16);
    place.store_completed(&op).await;
    place.store_event(&op, "completed", Value::Null).await;
    expected.push((op, "event-twice"));

    let subject = format!("ktrdr.event.trainer.{}.1.started", id_of(17));
    place.store(subject.clone(), NONSENSE).await;
    expected.push((subject, "event-unreadable"));

    let op = id_of(18);
    place.store_completed(&op).await;
    place
        .store_event(&op, "started", json!({ "at": LATER }))
        .await;
    expected.push((op, "work-after-end"));
}

/// The plan of a parent of two children.
fn family_plan() -> Value {
    let command = json!({ "kinds": [{ "kind": "dummy", "count": 2 }] });
    let step = json!({ "service": "family", "verb": "spread", "command": command });
    json!([[step]])
}

/// Parents and children.
async fn break_families(place: &Place, expected: &mut Expected) {
    let parent = "op_dummy_20260301_142233_00000100";
    let child = "op_dummy_20260301_142233_f0000101";
    place.store_completed(parent).await;
    let mut record = place.completed(parent);
    record["plan"] = family_plan();
    place.store_record(&record).await;
    place.store_completed(child).await;
    let mut record = place.completed(child);
    record["parent"] = json!({ "op": parent, "index": 0, "round": 1 });
    record["state"] = "failed".into();
    record["steps"][0]["state"] = "failed".into();
    place.store_record(&record).await;
    let subject = format!("ktrdr.event.trainer.{child}.1.completed");
    place.purge("KTRDR_EVENTS", &subject).await;
    place.store_event(child, "failed", Value::Null).await;
    expected.push((parent.to_owned(), "parent-completed-early"));

    let child = "op_dummy_20260301_142233_f0000201";
    place.store_waiting(child).await;
    let mut record = place.unfinished(child);
    let parent = "op_dummy_20260301_142233_00000200";
    record["parent"] = json!({ "op": parent, "index": 0, "round": 1 });
    place.store_record(&record).await;
    expected.push((child.to_owned(), "child-without-parent"));

    let parent = "op_dummy_20260301_142233_00000300";
    let child = "op_dummy_20260301_142233_f0000301";
    let mut record = place.completed(parent);
    record["plan"] = family_plan();
    record["state"] = "cancelled".into();
    record["steps"][0]["state"] = "cancelled".into();
    place.store_record(&record).await;
    place.store_event(parent, "started", Value::Null).await;
    place.store_event(parent, "cancelled", Value::Null).await;
    place.store_waiting(child).await;
    let mut record = place.unfinished(child);
    record["parent"] = json!({ "op": parent, "index": 0, "round": 1 });
    place.store_record(&record).await;
    expected.push((child.to_owned(), "child-outlives-cancel"));
}

impl Place {
    /// Takes away what is stored on a subject.
    async fn purge(&self, stream: &str, subject: &str) {
        let request = json!({ "filter": subject }).to_string();
        let api = format!("$JS.API.STREAM.PURGE.{stream}");
        self.client.request(api, request.into()).await.unwrap();
    }
}

/// A schedule that is due at an instant.
fn schedule(name: &str, next: &str) -> String {
    let operation = json!({ "kind": "dummy", "plan": [] });
    json!({
        "v": 1, "name": name, "when": { "cron": "0 22 * * *" }, "time_zone": "UTC",
        "command": "dummy start", "operation": operation, "created": LONG_AGO, "next": next,
    })
    .to_string()
}

/// Small values, schedules and letters.
async fn break_values(place: &Place, expected: &mut Expected) {
    let key = "dummy.work.9.none";
    place
        .store(format!("$KV.ktrdr_timings.{key}"), NONSENSE)
        .await;
    expected.push((format!("ktrdr_timings {key}"), "value-unreadable"));

    let late = schedule("late", LONG_AGO);
    place
        .store("$KV.ktrdr_schedules.late".to_owned(), late)
        .await;
    place.store("ktrdr.schedule.due.late".to_owned(), "").await;
    expected.push(("late".to_owned(), "schedule-overdue"));

    let silent = schedule("silent", "2099-03-01T22:00:00Z");
    place
        .store("$KV.ktrdr_schedules.silent".to_owned(), silent)
        .await;
    expected.push(("silent".to_owned(), "schedule-without-timer"));

    let error = json!({ "code": "OPS-StepFailed", "message": "no" });
    let letter = json!({
        "v": 1, "subject": "ktrdr.cmd.trainer.default.x.1", "error": error, "deliveries": 1,
        "at": LONG_AGO,
    });
    let subject = "ktrdr.dead.trainer.unreadable.0";
    place.store(subject.to_owned(), letter.to_string()).await;
    expected.push(("1".to_owned(), "dead-letter"));
    place.store(subject.to_owned(), NONSENSE).await;
    expected.push(("2".to_owned(), "dead-letter-unreadable"));

    let consumer = "$JS.API.CONSUMER.DELETE.KTRDR_COMMANDS.trainer_gpu";
    let deleted = place.client.request(consumer.to_owned(), "".into()).await;
    assert!(deleted.is_ok());
    expected.push(("trainer_gpu".to_owned(), "topology-differs"));
}

#[tokio::test]
async fn each_fault_of_the_bus_gives_its_finding_alone() {
    let place = Place::start().await;
    let (healthy, rules) = findings_in(place.path());
    assert_eq!(healthy, BTreeMap::new());

    // It does the housekeeping, and would put right what it can.
    place.system.send(Signal::SIGSTOP);
    let mut expected = Expected::new();
    break_records(&place, &mut expected).await;
    break_queues(&place, &mut expected).await;
    break_steps(&place, &mut expected).await;
    break_families(&place, &mut expected).await;
    break_values(&place, &mut expected).await;

    let rules_broken: BTreeSet<&str> = expected.iter().map(|fault| fault.1).collect();
    assert_eq!((rules_broken.len() + OBJECT_FAULTS) as u64, rules);
    let expected = expected.into_iter();
    let expected: BTreeMap<String, Vec<String>> = expected
        .map(|(subject, rule)| (subject, vec![rule.to_owned()]))
        .collect();
    let findings = findings_in(place.path()).0;
    place.system.send(Signal::SIGCONT);
    assert_eq!(findings, expected);
}
