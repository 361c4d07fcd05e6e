//! `ktrdr doctor --deep` on the object store: one fault of each rule, made on purpose.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use schemas::codec::to_json;
use serde_json::{Value, json};
use store::{Checkpoint, CheckpointKey, Store, sha256_hex};

use crate::data_train_models::Place;
use crate::deep_check::findings_in;
use crate::hand_model::{store_data_set, store_hand};
use crate::program::{files_under, run_in, run_in_system};
use crate::running_up::{RunningUp, connect_to};

/// Rules about objects, each of which is broken here.
pub(crate) const OBJECT_FAULTS: usize = 10;

/// What is there before anything is broken.
const BEFORE: &str = "\
ktrdr data load EURUSD --timeframe 1h --mode full --quiet
ktrdr models note hand first --quiet
ktrdr models note hand second --quiet
ktrdr models promote hand production
";

/// A store on disk that can be broken, and made whole again.
struct Objects {
    folder: PathBuf,
    backup: PathBuf,
}

impl Objects {
    fn of(place: &Place) -> Self {
        let folder = place.path().join(".ktrdr/objects");
        let backup = place.path().join("backup");
        let objects = Self { folder, backup };
        copy(&objects.folder, &objects.backup);
        objects
    }

    fn restore(&self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
        copy(&self.backup, &self.folder);
    }

    /// The one object whose key begins and ends so.
    fn key(&self, beginning: &str, end: &str) -> String {
        let files = files_under(&self.folder.join(beginning));
        let paths = files
            .iter()
            .map(|path| path.strip_prefix(&self.folder).unwrap());
        let mut keys = paths.map(|path| path.to_str().unwrap().to_owned());
        keys.find(|key| key.ends_with(end)).unwrap()
    }

    fn remove(&self, key: &str) {
        std::fs::remove_file(self.folder.join(key)).unwrap();
    }

    /// Changes the text of an object.
    fn replace(&self, key: &str, old: &str, new: &str) {
        let path = self.folder.join(key);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{text}");
        std::fs::write(path, text.replace(old, new)).unwrap();
    }

    /// Adds a byte to an object.
    fn lengthen(&self, key: &str) {
        let path = self.folder.join(key);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.push(0);
        std::fs::write(path, bytes).unwrap();
    }

    /// Registers `hand@1` as version 2 again, as a protocol without keys would.
    fn register_again(&self) {
        let path = self.folder.join("models/hand/1/manifest.json");
        let mut manifest: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        manifest.as_object_mut().unwrap().remove("checksum");
        manifest["version"] = 2.into();
        manifest["checksum"] = sha256_hex(manifest.to_string().as_bytes()).into();

        let folder = self.folder.join("models/hand/2");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    }

    /// Writes an object as if two hours ago.
    fn write_old(&self, key: &str) {
        let path = self.folder.join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = std::fs::File::create(path).unwrap();
        let two_hours_ago = SystemTime::now() - Duration::from_secs(7_200);
        file.set_modified(two_hours_ago).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

/// Makes each fault of files in turn, and says what is expected.
fn break_file(number: usize, objects: &Objects) -> (String, &'static str) {
    match number {
        0 => {
            let key = "aliases/hand/production.1.json".to_owned();
            objects.replace(&key, "\"version\": 1", "\"version\": 2");
            (key, "document-unreadable")
        }
        1 => {
            let key = objects.key("bars", "manifest.1.json");
            objects.remove(&key);
            (key, "manifest-lost")
        }
        2 => {
            let key = objects.key("bars", ".parquet");
            objects.remove(&key);
            (key, "object-missing")
        }

        // Their content, their numbers and their names.
        3 => {
            let key = objects.key("artifacts", "model.safetensors");
            objects.lengthen(&key);
            (key, "object-damaged")
        }
        4 => {
            let key = "notes/hand/1.1.json".to_owned();
            objects.remove(&key);
            (key, "number-missing")
        }
        5 => {
            objects.remove("models/hand/1/manifest.json");
            ("hand/production".to_owned(), "alias-broken")
        }
        6 => {
            objects.register_again();
            ("hand@2".to_owned(), "effect-twice")
        }
        _ => {
            let key = format!("datasets/{}/rows.parquet", "0".repeat(64));
            objects.write_old(&key);
            (key, "object-unnamed")
        }
    }
}

/// Stores a checkpoint of an operation that there is not.
async fn store_checkpoint(objects: &Objects) -> String {
    let operation = "op_dummy_20260301_142233_00000001";
    let key = CheckpointKey {
        operation: operation.parse().unwrap(),
        step: schemas::ids::StepNumber::FIRST,
        attempt: 1,
        seq: 1,
    };

    let url = format!("file://{}", objects.folder.display());
    let store = Store::open(&url).await.unwrap();
    let checkpoint = Checkpoint {
        state: json!({}),
        files: BTreeMap::new(),
    };
    store.checkpoints().put(&key, checkpoint).await.unwrap();
    operation.to_owned()
}

/// Has an operation fail, and its record name a checkpoint that is not there.
async fn name_checkpoint(folder: &Path) -> String {
    run_in(
        folder,
        &["dummy", "start", "--duration", "0", "--fail-at", "1"],
    );
    run_in(folder, &["ops", "dead", "drop", "--all"]);
    let client = connect_to(folder).await;
    let request = json!({ "last_by_subj": "$KV.ktrdr_operations.>" }).to_string();
    let get = "$JS.API.DIRECT.GET.KV_ktrdr_operations";
    let answer = client.request(get, request.into()).await.unwrap();
    let mut record: Value = to_json(&answer.payload).unwrap();

    let op = record["op"].as_str().unwrap().to_owned();
    let day = op.split('_').nth(2).unwrap();
    record["steps"][0]["advance"] = format!("checkpoints/{op}/1/1-1").into();
    let subject = format!("$KV.ktrdr_operations.{day}.{op}");
    let stored = client
        .request(subject, record.to_string().into())
        .await
        .unwrap();
    let stored = String::from_utf8(stored.payload.to_vec()).unwrap();
    assert!(stored.contains("\"seq\""), "{stored}");
    format!("checkpoints/{op}/1/1-1/state.json")
}

#[tokio::test]
async fn each_fault_of_the_store_gives_its_finding_alone() {
    let place = Place::new();
    store_hand(&place).await;
    store_data_set(&place).await;
    let before = run_in_system(place.path(), "fetcher,validator,registry", BEFORE);
    assert_eq!(before.exit, Some(0), "{}", before.err);
    let _system = RunningUp::start(place.path());
    let objects = Objects::of(&place);
    assert_eq!(findings_in(place.path()).0, BTreeMap::new());

    for number in 0..OBJECT_FAULTS - 2 {
        let (subject, rule) = break_file(number, &objects);
        let expected = BTreeMap::from([(subject, vec![rule.to_owned()])]);
        assert_eq!(findings_in(place.path()).0, expected);
        objects.restore();
    }

    let subject = store_checkpoint(&objects).await;
    let expected = BTreeMap::from([(subject, vec!["checkpoint-left".to_owned()])]);
    assert_eq!(findings_in(place.path()).0, expected);
    objects.restore();
    let subject = name_checkpoint(place.path()).await;
    let expected = BTreeMap::from([(subject, vec!["checkpoint-missing".to_owned()])]);
    assert_eq!(findings_in(place.path()).0, expected);
}
