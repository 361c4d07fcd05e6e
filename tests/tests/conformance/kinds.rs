//! The kinds that the suite runs for: a command that takes a few seconds, and what it needs.

use std::fmt::Write as _;
use std::path::Path;

use crate::program::LocalSystem;

/// One kind of operation.
pub struct Kind {
    /// The word in its ids.
    pub name: &'static str,
    /// The command that starts one that takes some seconds.
    pub command: &'static str,
    /// The service whose worker is killed while it works.
    pub service: &'static str,
    /// Makes what the command needs.
    pub prepare: fn(&LocalSystem),
}

/// The reference operation.
pub const DUMMY: Kind = Kind {
    name: "dummy",
    command: "dummy start --duration 4 --iterations 40 --checkpoint-every 2",
    service: "dummy",
    prepare: |_| (),
};

/// A load of half a million bars, which are read and stored in segments.
pub const DATA: Kind = Kind {
    name: "data",
    command: "data load crypto:BTC/USD --timeframe 1m --mode full --refetch",
    service: "fetcher",
    prepare: write_minutes,
};

/// A training in small batches.
pub const TRAIN: Kind = Kind {
    name: "train",
    command: "train eurusd_rsi_macd EURUSD 1h --epochs 12 --batch-size 16",
    service: "trainer",
    prepare: load_hours,
};

/// A year of minutes of a market that never closes.
fn write_minutes(system: &LocalSystem) {
    let mut text = "timestamp,open,high,low,close,volume\n".to_owned();
    for minute in 0..400_000_i64 {
        let at = 1_577_836_800 + minute * 60;
        let price = 10_000 + minute % 997;
        writeln!(text, "{at},{price},{},{},{price},1", price + 2, price - 2).unwrap();
    }
    std::fs::write(system.bars_folder().join("BTCUSD_1m.csv"), text).unwrap();
}

fn load_hours(system: &LocalSystem) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("bars/EURUSD_1h.csv.gz");
    std::fs::copy(sample, system.bars_folder().join("EURUSD_1h.csv.gz")).unwrap();
    let loaded = system.run("data load EURUSD --timeframe 1h --mode full");
    assert_eq!(loaded.exit, Some(0), "{}", loaded.err);
}
