//! Reads and writes bars on demand, for `tests/bars_speed.py`, which compares the times with those
//! of polars and pyarrow.
//!
//! Each line of the input is a measure and a file: `text FILE` reads a text of bars, `parquet FILE`
//! and `arrow FILE` read columns of others, `open FILE` reads it without being timed, and then
//! `write`, `commit` and `read` write those bars as one Parquet file in memory, into a series of a
//! folder, and read that series back. The answer is the seconds it took, and the number of rows.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a bench may fail loudly"
)]

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use market::{DayBoundary, Instrument, SeriesKey, Timeframe, Utc};
use store::files::{Expected, Mapping, read_path};
use store::{ALL_TIME, Edit, RawBars, SeriesSnapshot, Store, Table};

fn main() {
    if std::env::args().any(|argument| argument == "--bench") && !has_input() {
        println!("this bench answers tests/bars_speed.py, whose head says how to run it");
        return;
    }

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench {
        folder: folder.path(),
        bars: RawBars::default(),
        stored: None,
        commits: 0,
    };
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (measure, file) = line.split_once(' ').unwrap_or((line.as_str(), ""));
        let (time, rows) = runtime.block_on(bench.run(measure, Path::new(file)));
        println!("{} {rows}", time.as_secs_f64());
        std::io::stdout().flush().unwrap();
    }
}

/// False where nobody asks: `cargo bench` runs every bench with the terminal as its input.
fn has_input() -> bool {
    !std::io::IsTerminal::is_terminal(&std::io::stdin())
}

struct Bench<'a> {
    folder: &'a Path,
    /// The bars that were opened last.
    bars: RawBars,
    /// The series that was committed last.
    stored: Option<(Store, SeriesSnapshot)>,
    commits: u32,
}

impl Bench<'_> {
    async fn run(&mut self, measure: &str, file: &Path) -> (Duration, usize) {
        match measure {
            "text" | "parquet" | "arrow" => {
                let started = Instant::now();
                let bars = read_bars(file);
                (started.elapsed(), bars.len())
            }
            "open" => {
                self.bars = read_bars(file);
                (Duration::ZERO, self.bars.len())
            }

            "write" => {
                let table = Table::bars(&self.bars);
                let started = Instant::now();
                let bytes = table.to_parquet().unwrap();
                let time = started.elapsed();
                (time, bytes.len())
            }
            "commit" => self.commit().await,
            "read" => {
                let (store, snapshot) = self.stored.as_ref().unwrap();
                let started = Instant::now();
                let bars = store.series().raw_bars(snapshot, ALL_TIME).await.unwrap();
                (started.elapsed(), bars.len())
            }
            other => panic!("no measure `{other}`"),
        }
    }

    /// Commits the opened bars into a series that nobody has used.
    async fn commit(&mut self) -> (Duration, usize) {
        self.commits += 1;
        let url = format!("file://{}", self.folder.display());
        let store = Store::open(&url).await.unwrap();
        let provider = format!("bench{}", self.commits);
        let key = SeriesKey::standard(&provider, euro(), Timeframe::MINUTE_1).unwrap();

        let edit = Edit {
            bars: self.bars.clone(),
            empty_intervals: Vec::new(),
            calendar: String::new(),
            at: Utc(0),
        };
        let started = Instant::now();
        let outcome = store.series().commit(&key, edit, None).await.unwrap();
        let time = started.elapsed();

        self.stored = Some((store, outcome.snapshot));
        (time, self.bars.len())
    }
}

fn euro() -> Instrument {
    Instrument::parse("EURUSD").unwrap()
}

fn read_bars(file: &Path) -> RawBars {
    let expected = Expected {
        instrument: euro(),
        timeframe: Timeframe::MINUTE_1,
        day_boundary: DayBoundary::UtcMidnight,
    };
    read_path(file, &Mapping::default(), &expected)
        .unwrap()
        .bars
}
