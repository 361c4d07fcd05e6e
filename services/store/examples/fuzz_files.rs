//! Throws damaged files at the readers of bars for a number of seconds:
//! `cargo run --release -p store --example fuzz_files -- --seconds 600 [--seed 1] [--folder F]`.
//!
//! It takes the files of bars that the tests have, or those of a folder, and damages them: bytes
//! flipped, cut out, repeated, put in from another file, numbers at their limits. Every file must
//! give bars or an error; a crash is the finding, and the file is kept. It prints how many texts
//! and files were read, refused and noted.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a program for developers, which may fail loudly"
)]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use market::{DayBoundary, Instrument, Timeframe};
use store::Bytes;
use store::files::{Expected, Mapping, read};

/// Largest file that is damaged, in bytes.
const BYTES_MAX: u64 = 200_000;

/// Most damages of one file.
const DAMAGES_MAX: usize = 6;

/// The file that is read is kept under this name, and stays there after a crash.
const FINDING: &str = "fuzz_files.finding";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let value_of = |flag: &str| {
        let place = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(place + 1).cloned()
    };
    let seconds = value_of("--seconds").map_or(60, |text| text.parse().unwrap());
    let seed = value_of("--seed").map_or(1, |text| text.parse().unwrap());
    let corpus = read_corpus(value_of("--folder").map(PathBuf::from));
    println!("{} files, {seconds} s, seed {seed}", corpus.len());

    let ends = Instant::now() + Duration::from_secs(seconds);
    let mut random = Random(seed);
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    while Instant::now() < ends {
        let (name, bytes) = damage(&corpus, &mut random);

        // Written first: a lack of memory ends the program without a word.
        std::fs::write(FINDING, &bytes).unwrap();
        match catch_unwind(AssertUnwindSafe(|| outcome_of(&name, &bytes))) {
            Ok(outcome) => *outcomes.entry(outcome).or_default() += 1,
            Err(_) => {
                println!("a crash: {FINDING} holds the file, which was called {name}");
                return ExitCode::FAILURE;
            }
        }
    }

    std::fs::remove_file(FINDING).unwrap();
    for (outcome, count) in outcomes {
        println!("{count:>10} {outcome}");
    }
    ExitCode::SUCCESS
}

/// A file of the corpus: its name and its bytes.
type Sample = (String, Vec<u8>);

/// The files of a folder, or those of the tests.
fn read_corpus(folder: Option<PathBuf>) -> Vec<Sample> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = match folder {
        Some(folder) => vec![folder],
        None => vec![root.join("tests/it"), root.join("../../tests/bars")],
    };

    let mut corpus = Vec::new();
    for folder in folders {
        collect(&folder, &mut corpus);
    }
    corpus
}

fn collect(folder: &Path, corpus: &mut Vec<Sample>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();

    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            collect(&path, corpus);
        } else if path.metadata().unwrap().len() <= BYTES_MAX && !name.ends_with(".rs") {
            corpus.push((name, std::fs::read(&path).unwrap()));
        }
    }
}

/// What became of a file, in one word, or the kind of its error.
fn outcome_of(name: &str, bytes: &[u8]) -> String {
    let (symbol, timeframe) = match bytes.len() % 3 {
        0 => ("AAPL", Timeframe::HOUR_1),
        1 => ("EURUSD", Timeframe::MINUTE_1),
        _ => ("crypto:BTC/USD", Timeframe::DAY_1),
    };
    let expected = Expected {
        instrument: Instrument::parse(symbol).unwrap(),
        timeframe,
        day_boundary: DayBoundary::UtcMidnight,
    };
    let mapping = Mapping {
        zone: bytes
            .len()
            .is_multiple_of(2)
            .then(|| "America/New_York".to_owned()),
        ..Mapping::default()
    };

    match read(name, Bytes::copy_from_slice(bytes), &mapping, &expected) {
        Ok(_) => "read".to_owned(),
        Err(error) => {
            let kind = format!("{error:?}");
            let end = kind.find([' ', '{', '(']).unwrap_or(kind.len());
            format!("refused: {}", &kind[..end])
        }
    }
}

/// One file of the corpus with some damages; often under the name of another one.
fn damage(corpus: &[Sample], random: &mut Random) -> Sample {
    let (name, bytes) = &corpus[random.below(corpus.len())];
    let mut bytes = bytes.clone();
    for _ in 0..=random.below(DAMAGES_MAX) {
        let other = &corpus[random.below(corpus.len())].1;
        damage_once(&mut bytes, other, random);
    }

    let name = match random.below(8) {
        0 => &corpus[random.below(corpus.len())].0,
        _ => name,
    };
    (name.clone(), bytes)
}

fn damage_once(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    if bytes.is_empty() {
        bytes.push(random.next() as u8);
        return;
    }
    let length = bytes.len();

    // Half of the time near the end, where files of columns say what they hold.
    let place = if random.below(2) == 0 {
        random.below(length)
    } else {
        length - 1 - random.below(length.min(1_500))
    };
    let end = (place + 1 + random.below(64)).min(length);
    match random.below(7) {
        0 => bytes[place] ^= 1 << random.below(8),
        1 => bytes[place] = random.next() as u8,
        2 => bytes[place] = [0x00, 0xff, 0x7f, 0x80][random.below(4)],
        3 => drop(bytes.drain(place..end)),
        4 => {
            let piece = bytes[place..end].to_vec();
            bytes.splice(place..place, piece);
        }
        5 if !other.is_empty() => {
            let from = random.below(other.len());
            let until = (from + 1 + random.below(64)).min(other.len());
            bytes.splice(place..end, other[from..until].iter().copied());
        }
        _ => bytes.truncate(place),
    }
}

/// xorshift64*: enough randomness for this.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`, which is above 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 33) as usize % end
    }
}
