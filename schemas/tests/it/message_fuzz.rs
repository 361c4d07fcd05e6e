//! Whatever the bytes of a message, a record, a manifest or a network are, reading them ends in a
//! value or in a refusal, and what was read can be used.
//!
//! The corpus is `tests/corpus/`: one file of each kind. `make fuzz` runs this for longer, with
//! `KTRDR_FUZZ_ROUNDS` damaged messages from the seed `KTRDR_FUZZ_SEED`.

use std::path::Path;

use schemas::codec::{self, Message};
use schemas::events::Event;
use schemas::manifests::{DataSetManifest, ModelManifest, Network, SeriesManifest};
use schemas::messages::{CommandMessage, DeadLetter};
use schemas::operation::OperationRecord;
use schemas::pacing::PacingRecord;
use schemas::progress::ProgressRecord;
use schemas::schedules::Schedule;
use schemas::timings::Timings;
use schemas::worker::{SignOfLife, WorkerInfo};
use serde_json::Value;

/// Rounds of a run in `make test`.
const ROUNDS: u64 = 20_000;

/// Numbers and words at the limits of their kinds.
const ODD: [&str; 12] = [
    "18446744073709551615",
    "-9223372036854775808",
    "1000000000000000000",
    "4294967296",
    "-1",
    "1e308",
    "-0.0",
    "null",
    "[]",
    "{}",
    "\"\"",
    "\"9999-12-30T22:00:00.999999999Z\"",
];

/// Xorshift, by Marsaglia: the same numbers for a seed everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

fn read_corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();

    // Each as the text that people read and as the bytes that programs send.
    let mut corpus = Vec::new();
    for path in paths {
        let text = std::fs::read(path).unwrap();
        let value: Value = serde_json::from_slice(&text).unwrap();
        corpus.push(value.to_string().into_bytes());
        corpus.push(rmp_serde::to_vec_named(&value).unwrap());
    }
    corpus
}

/// One of the corpus with one to four damages.
fn damage(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = corpus[random.below(corpus.len())].clone();

    for _ in 0..=random.below(4) {
        let place = random.below(bytes.len());
        match random.below(6) {
            0 if !bytes.is_empty() => bytes[place] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[place] = random.below(256) as u8,
            2 => bytes.truncate(place),
            3 => {
                let other = &corpus[random.below(corpus.len())];
                let part = &other[random.below(other.len())..];
                let length = random.below(part.len().min(64));
                bytes.splice(place..place, part[..length].iter().copied());
            }
            4 => {
                let end = (place + random.below(16)).min(bytes.len());
                bytes.drain(place..end);
            }
            _ => replace_number(&mut bytes, place, random),
        }
    }
    bytes
}

/// Puts something odd in the place of the first number of a text from `place` on.
fn replace_number(bytes: &mut Vec<u8>, place: usize, random: &mut Random) {
    let rest = &bytes[place..];
    let Some(from) = rest.iter().position(u8::is_ascii_digit) else {
        return;
    };
    let length = rest[from..].iter().take_while(|byte| byte.is_ascii_digit());

    let range = place + from..place + from + length.count();
    bytes.splice(range, ODD[random.below(ODD.len())].bytes());
}

/// Reads the payload as one kind of message; what was read can be written again.
fn read_as<M: Message>(payload: &[u8]) -> Option<M> {
    let message = codec::decode::<M>(payload).ok()?;
    let _ = codec::encode(&message);
    Some(message)
}

/// Reads the payload as every kind. Returns as how many it could be read.
fn read_as_every_kind(payload: &[u8]) -> usize {
    let _ = codec::to_json(payload);
    let record = read_as::<OperationRecord>(payload);
    let network = serde_json::from_slice::<Network>(payload).ok();

    if let Some(record) = &record {
        let _ = record.plan.validate();
        let numbers: Vec<_> = record.numbers().collect();
        assert!(numbers.len() <= record.steps.len());
    }
    if let Some(network) = &network {
        let _ = (network.parameter_count(), network.widths());
        let _ = network.input_count();
    }

    let read = [
        record.is_some(),
        network.is_some(),
        read_as::<CommandMessage>(payload).is_some(),
        read_as::<DeadLetter>(payload).is_some(),
        read_as::<Event>(payload).is_some(),
        read_as::<ProgressRecord>(payload).is_some(),
        read_as::<WorkerInfo>(payload).is_some(),
        read_as::<SignOfLife>(payload).is_some(),
        read_as::<PacingRecord>(payload).is_some(),
        read_as::<Timings>(payload).is_some(),
        read_as::<Schedule>(payload).is_some(),
        serde_json::from_slice::<SeriesManifest>(payload).is_ok(),
        serde_json::from_slice::<DataSetManifest>(payload).is_ok(),
        serde_json::from_slice::<ModelManifest>(payload).is_ok(),
    ];
    read.into_iter().filter(|is_read| *is_read).count()
}

fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().unwrap())
}

#[test]
fn damaged_messages_are_read_or_refused() {
    let corpus = read_corpus();
    let rounds = setting("KTRDR_FUZZ_ROUNDS", ROUNDS);
    let seed = setting("KTRDR_FUZZ_SEED", 1);
    println!("{rounds} damaged messages of {}, seed {seed}", corpus.len());

    let mut random = Random(seed.max(1));
    let mut read = 0;
    for _ in 0..rounds {
        let payload = damage(&corpus, &mut random);
        read += usize::from(read_as_every_kind(&payload) > 0);
    }

    // Damages that leave nothing to read would test the parsers of JSON and MessagePack alone.
    println!("{read} of {rounds} were read as something");
    assert!(read as u64 > rounds / 20, "{read} of {rounds}");
}

#[test]
fn every_file_of_the_corpus_is_read_undamaged() {
    for text in read_corpus().iter().step_by(2) {
        let kinds = read_as_every_kind(text);
        assert!(kinds > 0, "{}", String::from_utf8_lossy(text));
    }
}
