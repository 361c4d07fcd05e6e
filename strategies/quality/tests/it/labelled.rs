//! Published series whose faults are known: every fault is found under its kind, nothing is found in
//! a clean series or in a repaired twin, and a repair gives the twin.

use std::io::Read;

use market::{Bars, Calendar, Instrument, SeriesKey, Timeframe, Utc};
use quality::{Actions, Check, Method, Options, RepairLimits, Repaired, Report, check, repair};

/// A series with its dividends and splits.
#[derive(Clone)]
pub(crate) struct Labelled {
    pub(crate) key: SeriesKey,
    pub(crate) bars: Bars,
    pub(crate) actions: Actions,
}

impl Labelled {
    /// Reads a file of `tests/data/labelled`.
    pub(crate) fn load(name: &str) -> Self {
        let timeframe = if name.contains("-1h-") {
            Timeframe::HOUR_1
        } else {
            Timeframe::DAY_1
        };
        let instrument = Instrument::parse("stk:LABEL").unwrap();
        let mut series = Self {
            key: SeriesKey::standard("file", instrument, timeframe).unwrap(),
            bars: Bars::default(),
            actions: Actions::default(),
        };

        let text = read(name);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let heads = reader.headers().unwrap().clone();
        for record in reader.records() {
            series.push(&heads, &record.unwrap());
        }
        series
    }

    fn push(&mut self, heads: &csv::StringRecord, record: &csv::StringRecord) {
        let cell = |name: &str| {
            let column = heads.iter().position(|head| head == name)?;
            record[column].parse::<f64>().ok()
        };
        let number = |name: &str| cell(name).unwrap_or(f64::NAN);
        let open_time = self.open_time(&record[0]);

        self.bars.open_time.push(open_time);
        let close_time = open_time.plus_micros(self.key.timeframe.micros());
        self.bars.close_time.push(close_time);
        self.bars.open.push(number("Open"));
        self.bars.high.push(number("High"));
        self.bars.low.push(number("Low"));
        self.bars.close.push(number("Close"));
        self.bars.volume.push(number("Volume"));
        self.actions.adjusted_close.push(number("Adj Close"));
        self.actions.dividends.push(number("Dividends"));
        self.actions.splits.push(number("Stock Splits"));
        self.actions.capital_gains.push(number("Capital Gains"));
    }

    /// Daily bars carry the midnight of their exchange: the date alone counts.
    fn open_time(&self, text: &str) -> Utc {
        let instant = if self.key.timeframe.is_intraday() {
            text.replace(' ', "T")
        } else {
            format!("{}T00:00:00Z", &text[..10])
        };
        Utc::from_timestamp(instant.parse().unwrap())
    }

    pub(crate) fn report(&self) -> Report {
        let calendar = Calendar::for_key(&self.key);
        check(&self.bars, &self.key, calendar, &self.options())
    }

    pub(crate) fn options(&self) -> Options<'_> {
        Options {
            actions: Some(&self.actions),
            ..Options::default()
        }
    }

    pub(crate) fn repaired(&self, method: Method) -> Repaired {
        let calendar = Calendar::for_key(&self.key);
        let limits = RepairLimits::default();
        let options = self.options();
        repair(&self.bars, &self.key, calendar, &options, method, limits)
    }

    /// The kinds of faults of units, splits and dividends, with the number of bars of each.
    pub(crate) fn faults(&self) -> Vec<(Check, usize)> {
        let findings = self.report().findings.into_iter();
        let of_kind = findings
            .filter(|finding| (Check::CurrencyUnit..=Check::CapitalGains).contains(&finding.check));
        of_kind
            .map(|finding| (finding.check, finding.count))
            .collect()
    }
}

fn read(name: &str) -> String {
    let folder = format!("{}/tests/data/labelled", env!("CARGO_MANIFEST_DIR"));
    if let Ok(text) = std::fs::read_to_string(format!("{folder}/{name}.csv")) {
        return text;
    }

    let file = std::fs::File::open(format!("{folder}/{name}.csv.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// Asserts that the twin of `name` has no fault, and that the repair is the twin within 1 %.
fn assert_repair_is_twin(name: &str) {
    let repaired = Labelled::load(name).repaired(Method::Rescale);
    let twin = Labelled::load(&format!("{name}-fixed"));
    assert_eq!(twin.faults(), [], "{name}-fixed");

    let mut order: Vec<usize> = (0..twin.bars.len()).collect();
    order.sort_by_key(|row| twin.bars.open_time[*row]);
    let columns = [
        (&repaired.bars.open, &twin.bars.open),
        (&repaired.bars.high, &twin.bars.high),
        (&repaired.bars.low, &twin.bars.low),
        (&repaired.bars.close, &twin.bars.close),
        (&repaired.bars.volume, &twin.bars.volume),
        (
            &repaired.actions.adjusted_close,
            &twin.actions.adjusted_close,
        ),
        (&repaired.actions.dividends, &twin.actions.dividends),
    ];
    for (column, (values, twin_values)) in columns.into_iter().enumerate() {
        for (position, row) in order.iter().enumerate() {
            let value = values[position];
            let twin_value = twin_values[*row];
            let is_near = (value - twin_value).abs() <= 0.01 * twin_value.abs();
            let is_absent = value.is_nan() && twin_value.is_nan();
            assert!(
                is_near || is_absent,
                "{name} column {column} row {row}: {value} is not {twin_value}"
            );
        }
    }
}

#[test]
fn clean_series_have_no_fault() {
    for name in ["KMR-L-1d-no-bad-divs", "CALM-1d-no-bad-divs"] {
        assert_eq!(Labelled::load(name).faults(), [], "{name}");
    }
}

#[test]
fn prices_before_a_split_that_were_not_divided_are_found() {
    // The split of 5 for 1 is of 30 March; the nine bars up to 28 March have old prices.
    let series = Labelled::load("4063-T-1d-bad-stock-split");
    assert_eq!(series.faults(), [(Check::Split, 9)]);

    // One bar of 9 May misses the consolidation of 16 May.
    let series = Labelled::load("CNE-L-1d-bad-stock-split");
    assert_eq!(series.faults(), [(Check::Split, 1)]);
}

#[test]
fn prices_in_the_minor_unit_are_found() {
    // Fourteen days in pounds among nine in pence; in the other file the low and close of an hour.
    let series = Labelled::load("AET-L-1d-100x-error");
    assert_eq!(series.faults(), [(Check::CurrencyUnit, 14)]);
    let series = Labelled::load("ASAI-L-1h-bad-unit");
    assert_eq!(series.faults(), [(Check::CurrencyUnit, 1)]);
}

#[test]
fn wrong_dividends_are_found_under_their_kind() {
    let faults_of = |name: &str| Labelled::load(name).faults();

    // The dividend of July 2024 is not in the adjusted close.
    let faults = faults_of("3988-HK-1d-bad-div");
    assert_eq!(faults, [(Check::DividendAdjustment, 1)]);
    // All five are in pence, the prices in pounds.
    assert_eq!(faults_of("ABDP-L-1d-bad-div"), [(Check::DividendUnit, 5)]);
    // All ten are adjusted for by a hundredth.
    let faults = faults_of("SERE-L-1d-bad-div");
    assert_eq!(faults, [(Check::DividendAdjustment, 10)]);
    // Given on 18 and 19 January 2022; that of April 2024 is not adjusted for.
    let faults = faults_of("KEN-TA-1d-bad-div");
    let adjustment = (Check::DividendAdjustment, 1);
    assert_eq!(faults, [adjustment, (Check::DividendPhantom, 1)]);
}

#[test]
fn a_capital_gain_that_is_counted_twice_is_found() {
    let series = Labelled::load("VWILX-1d-cg-double-count");
    assert_eq!(series.faults(), [(Check::CapitalGains, 2)]);
}

#[test]
fn a_rescaled_series_is_its_repaired_twin() {
    for name in [
        "4063-T-1d-bad-stock-split",
        "AET-L-1d-100x-error",
        "ASAI-L-1h-bad-unit",
        "CNE-L-1d-bad-stock-split",
        "3988-HK-1d-bad-div",
        "ABDP-L-1d-bad-div",
        "KEN-TA-1d-bad-div",
        "REL-L-1d-bad-div",
        "SERE-L-1d-bad-div",
        "VWILX-1d-cg-double-count",
    ] {
        assert_repair_is_twin(name);
    }
}
