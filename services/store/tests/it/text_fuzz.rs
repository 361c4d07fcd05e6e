//! Whatever the bytes of a file are, reading them ends in bars or in a refusal; and what bars are
//! written comes back, in every dress of times and numbers.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use market::{Instrument, Timeframe, Utc};
use proptest::prelude::*;
use store::Bytes;
use store::files::{BarFile, Expected, FileBars, FileError, LabelSide, Mapping, PRESETS, read};

use crate::files;

fn expected(timeframe: Timeframe) -> Expected {
    files::expected("AAPL", timeframe)
}

/// Reads bytes as check and import do, with and without a symbol.
fn read_both_ways(bytes: &[u8], mapping: &Mapping) {
    let instrument = Instrument::parse("AAPL").unwrap();
    let file = |symbol| BarFile::read("in.csv", bytes.to_vec().into(), mapping, symbol);

    // A symbol may choose rows, but never changes how they are read.
    if let (Ok(with), Ok(without)) = (file(Some(&instrument)), file(None)) {
        assert_eq!(with.detected().choices, without.detected().choices);
        assert_eq!(with.detected().roles, without.detected().roles);
    }
    for timeframe in [Timeframe::MINUTE_1, Timeframe::DAY_1, Timeframe::WEEK_1] {
        if let Ok(file) = file(Some(&instrument)) {
            let _ = file.bars(&expected(timeframe));
        }
    }
}

/// Options that change how a file is read.
fn mappings() -> impl Strategy<Value = Mapping> {
    let zone = prop::sample::select(vec![None, Some("America/New_York"), Some("UTC"), Some("?")]);
    let dates = prop::sample::select(vec![
        None,
        Some("dmy"),
        Some("mdy"),
        Some("%d %H"),
        Some("%"),
    ]);
    let label = prop::sample::select(vec![LabelSide::Open, LabelSide::Close]);
    let header = prop::sample::select(vec![None, Some(false), Some(true)]);

    (zone, dates, label, header).prop_map(|(zone, dates, label_side, header)| Mapping {
        zone: zone.map(str::to_owned),
        dates: dates.map(str::to_owned),
        label_side,
        header,
        ..Mapping::default()
    })
}

/// Text that looks like bars and is broken in a few places.
fn broken_samples() -> impl Strategy<Value = Vec<u8>> {
    let samples: Vec<&str> = PRESETS.iter().map(|preset| preset.sample).collect();
    let change = (any::<prop::sample::Index>(), 0..4_u8, any::<u8>());
    let changes = prop::collection::vec(change, 0..6);

    (prop::sample::select(samples), changes).prop_map(|(sample, changes)| {
        let mut bytes = sample.as_bytes().to_vec();
        for (place, kind, byte) in changes {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                2 => bytes.truncate(place.max(1)),
                _ => bytes.insert(place, b",;\t\"\n\r0"[usize::from(byte) % 7]),
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn random_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        mapping in mappings(),
    ) {
        read_both_ways(&bytes, &mapping);
    }

    #[test]
    fn random_cells_never_panic(
        cells in prop::collection::vec("[-0-9TZ:./, $KMe+a-z\"]{0,20}", 5..40),
        mapping in mappings(),
    ) {
        let text = format!("time;open;high;low;close\n{}", cells.join(";\n"));
        read_both_ways(text.as_bytes(), &mapping);
    }

    #[test]
    fn broken_samples_never_panic(bytes in broken_samples(), mapping in mappings()) {
        read_both_ways(&bytes, &mapping);
    }

    #[test]
    fn an_instant_comes_back_from_every_form(
        seconds in 410_000_000_i64..1_800_000_000,
        form in 0..FORMS.len(),
    ) {
        let seconds = seconds - seconds.rem_euclid(60);
        let time = Timestamp::from_second(seconds).unwrap();
        let text = FORMS[form](time);
        let zone = Mapping { zone: Some("UTC".to_owned()), dates: Some("dmy".to_owned()), ..Mapping::default() };
        let read = read_rows(std::slice::from_ref(&text), &zone, Timeframe::MINUTE_1).unwrap();
        prop_assert_eq!(read.bars.open_time[0], Utc::from_timestamp(time), "{}", text);
    }

    #[test]
    fn a_damaged_time_is_read_back_or_refused(
        seconds in 410_000_000_i64..1_800_000_000,
        form in 0..FORMS.len(),
        change in (any::<prop::sample::Index>(), 0..4_u8, "[-0-9TZ:./, +a-z]"),
    ) {
        let mut text: Vec<char> = FORMS[form](Timestamp::from_second(seconds).unwrap()).chars().collect();
        let place = change.0.index(text.len());
        match change.1 {
            0 => text[place] = change.2.chars().next().unwrap(),
            1 => text.insert(place, change.2.chars().next().unwrap()),
            2 => text.truncate(place.max(1)),
            _ => drop(text.remove(place)),
        }

        // Whatever instant a text was taken for, it is the same one when it is written plainly.
        let text = String::from_iter(text);
        let mapping = Mapping { zone: Some("UTC".to_owned()), dates: Some("dmy".to_owned()), ..Mapping::default() };
        if let Ok(bars) = read_rows(std::slice::from_ref(&text), &mapping, Timeframe::MINUTE_1) {
            let plain = bars.bars.open_time[0].to_string();
            let again = read_rows(std::slice::from_ref(&plain), &mapping, Timeframe::MINUTE_1);
            prop_assert_eq!(again.unwrap().bars.open_time, bars.bars.open_time, "{}", text);
        }
    }

    #[test]
    fn a_local_time_is_the_instant_of_its_zone(
        start in 410_000_000_i64..1_800_000_000,
        zone in prop::sample::select(vec![
            "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata",
            "America/Sao_Paulo", "Africa/Casablanca",
        ]),
    ) {
        // Three days in steps of an hour, written by the clock of the zone.
        let start = start - start.rem_euclid(3600);
        let clock = TimeZone::get(zone).unwrap();
        let instants: Vec<Timestamp> =
            (0..72).map(|hour| Timestamp::from_second(start + hour * 3600).unwrap()).collect();
        let texts: Vec<String> = instants
            .iter()
            .map(|time| clock.to_datetime(*time).to_string().replace('T', " "))
            .collect();
        let mapping = Mapping { zone: Some(zone.to_owned()), ..Mapping::default() };

        // Where a change of clocks cuts the rows, the hour may stand once and be refused.
        match read_rows(&texts, &mapping, Timeframe::HOUR_1) {
            Ok(read) => {
                let written: Vec<Utc> = instants.into_iter().map(Utc::from_timestamp).collect();
                prop_assert_eq!(read.bars.open_time, written);
            }
            Err(error) => prop_assert!(matches!(error, FileError::Repeated { .. }), "{}", error),
        }
    }

    #[test]
    fn a_number_comes_back_from_every_dress(cents in 100_000_i64..900_000_000) {
        let plain = cents as f64 / 100.0;
        let whole = grouped(cents / 100, ',');
        let fraction = cents % 100;
        let european = format!("{},{fraction:02}", grouped(cents / 100, '.'));
        for text in [
            format!("{plain}"),
            format!("\"{whole}.{fraction:02}\""),
            format!("\"${whole}.{fraction:02}\""),
            format!("\"{european}\""),
            format!("\"{european} €\""),
        ] {
            let csv = format!(
                "time,open,high,low,close\n2024-01-02T00:00:00Z,{text},{text},{text},{text}\n"
            );
            let read = read("in.csv", Bytes::from(csv), &Mapping::default(), &expected(Timeframe::DAY_1));
            prop_assert_eq!(read.unwrap().bars.close[0], plain, "{}", text);
        }
    }
}

/// `1,234,567` with this sign between groups.
fn grouped(number: i64, sign: char) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(sign);
        }
        text.push(digit);
    }
    text
}

/// Ways in which a whole minute is written.
const FORMS: [fn(Timestamp) -> String; 16] = [
    |time| time.to_string(),
    |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    |time| time.strftime("%Y-%m-%d %H:%M:%S+00:00").to_string(),
    |time| time.strftime("%Y.%m.%d %H:%M").to_string(),
    |time| time.strftime("%Y/%m/%d %H:%M:%S.000").to_string(),
    |time| time.strftime("%d.%m.%Y %H:%M").to_string(),
    |time| time.strftime("%d/%m/%Y %I:%M %p").to_string(),
    |time| time.strftime("%d-%b-%Y %H:%M").to_string(),
    |time| time.strftime("%b %d %Y %H:%M").to_string(),
    |time| time.strftime("%a %b %e %H:%M:%S %Y").to_string(),
    |time| time.strftime("%Y%m%d %H%M%S").to_string(),
    |time| time.strftime("%Y%m%d%H%M").to_string(),
    |time| time.strftime("%Y%m%d %H:%M:%S UTC").to_string(),
    |time| time.as_second().to_string(),
    |time| time.as_millisecond().to_string(),
    |time| format!("{}.0", time.as_second()),
];

/// The bars of rows with these times.
fn read_rows(
    times: &[String],
    mapping: &Mapping,
    timeframe: Timeframe,
) -> Result<FileBars, FileError> {
    let mut csv = "time;open;high;low;close\n".to_owned();
    for time in times {
        csv.push_str(&format!("{time};1;2;0.5;1.5\n"));
    }
    read("in.csv", Bytes::from(csv), mapping, &expected(timeframe))
}

#[test]
fn a_unix_time_long_before_there_were_bars_is_refused() {
    let mapping = Mapping::default();
    let times = ["1704067200", "-98230406053"].map(str::to_owned);
    let refused = read_rows(&times, &mapping, Timeframe::MINUTE_1).unwrap_err();
    assert!(refused.to_string().contains("-98230406053"), "{refused}");

    let of_1960 = ["1704067200", "-315619200"].map(str::to_owned);
    assert!(read_rows(&of_1960, &mapping, Timeframe::MINUTE_1).is_ok());
}
