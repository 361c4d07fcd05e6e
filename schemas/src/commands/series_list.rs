//! How a list of series is written: short lists series by series, long ones symbol by symbol.
//!
//! The plan of an operation has a share of its record. A symbol with its timeframes takes 56 bytes
//! at most, where eight series would take 402; without that, a strategy could not have more than
//! some 150 symbols in four timeframes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::SeriesRequest;

/// Longest list that is written series by series: fetchers of the version before read that form
/// only.
const PLAIN_MAX: usize = 64;

/// One entry of a written list.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a series must be {symbol, timeframe} or [symbol, timeframe, …]"
)]
enum Entry {
    One(SeriesRequest),
    Several(Vec<String>),
}

pub(super) fn serialize<S: Serializer>(
    series: &[SeriesRequest],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if series.len() <= PLAIN_MAX {
        return series.serialize(serializer);
    }

    let by_symbol = series.chunk_by(|one, next| one.symbol == next.symbol);
    serializer.collect_seq(by_symbol.map(words_of))
}

/// The symbol of these series, then the timeframe of each.
fn words_of(series: &[SeriesRequest]) -> Vec<&str> {
    let mut words = Vec::with_capacity(series.len() + 1);
    words.extend(series.first().map(|each| each.symbol.as_str()));
    words.extend(series.iter().map(|each| each.timeframe.as_str()));
    words
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<SeriesRequest>, D::Error> {
    let mut series = Vec::new();
    for entry in Vec::<Entry>::deserialize(deserializer)? {
        let words = match entry {
            Entry::One(request) => {
                series.push(request);
                continue;
            }
            Entry::Several(words) => words,
        };

        // A symbol alone would vanish without a word.
        match words.split_first() {
            Some((symbol, timeframes)) if !timeframes.is_empty() => {
                series.extend(requests_of(symbol, timeframes));
            }
            _ => {
                return Err(serde::de::Error::custom(
                    "a symbol needs a timeframe: [symbol, timeframe, …]",
                ));
            }
        }
    }
    Ok(series)
}

fn requests_of(symbol: &str, timeframes: &[String]) -> impl Iterator<Item = SeriesRequest> {
    timeframes.iter().map(|timeframe| SeriesRequest {
        symbol: symbol.to_owned(),
        timeframe: timeframe.clone(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::commands::FetchBars;

    /// A command for `symbols` symbols, each in these timeframes.
    fn command(symbols: usize, timeframes: &[&str]) -> FetchBars {
        let mut series = Vec::new();
        for number in 0..symbols {
            for timeframe in timeframes {
                series.push(SeriesRequest {
                    symbol: format!("stk:S{number}"),
                    timeframe: (*timeframe).to_owned(),
                });
            }
        }
        serde_json::from_value(json!({ "series": series })).unwrap()
    }

    fn read_series(series: Value) -> Result<Vec<SeriesRequest>, String> {
        match serde_json::from_value::<FetchBars>(json!({ "series": series })) {
            Ok(command) => Ok(command.series),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn up_to_sixty_four_series_are_written_one_by_one() {
        let written = serde_json::to_value(command(32, &["1h", "1d"])).unwrap();
        assert_eq!(
            written["series"][1],
            json!({ "symbol": "stk:S0", "timeframe": "1d" })
        );
    }

    #[test]
    fn more_series_are_written_symbol_by_symbol() {
        let written = serde_json::to_value(command(33, &["1h", "1d"])).unwrap();
        assert_eq!(written["series"][1], json!(["stk:S1", "1h", "1d"]));
        assert_eq!(written["series"].as_array().unwrap().len(), 33);
    }

    #[test]
    fn both_forms_read_back_from_json_and_from_messagepack() {
        for command in [
            command(1, &["1h"]),
            command(100, &["1h"]),
            command(256, &["1m", "1h", "4h", "1d"]),
        ] {
            let json = serde_json::to_vec(&command).unwrap();
            assert_eq!(serde_json::from_slice::<FetchBars>(&json).unwrap(), command);

            let packed = rmp_serde::to_vec_named(&command).unwrap();
            let read: FetchBars = rmp_serde::from_slice(&packed).unwrap();
            assert_eq!(read, command);

            let value = serde_json::to_value(&command).unwrap();
            assert_eq!(serde_json::from_value::<FetchBars>(value).unwrap(), command);
        }
    }

    #[test]
    fn a_list_of_both_forms_keeps_its_order() {
        let series = json!([["A", "1h", "1d"], { "symbol": "B", "timeframe": "1h" }]);
        let series = read_series(series).unwrap();
        let names: Vec<String> = series
            .iter()
            .map(|each| format!("{} {}", each.symbol, each.timeframe))
            .collect();
        assert_eq!(names, ["A 1h", "A 1d", "B 1h"]);
    }

    #[test]
    fn an_entry_of_neither_form_is_refused() {
        let expected = "a series must be {symbol, timeframe} or [symbol, timeframe, …]";
        for series in [json!([{ "symbl": "A", "timeframe": "1h" }]), json!(["A"])] {
            assert_eq!(read_series(series).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_symbol_without_a_timeframe_is_refused() {
        let expected = "a symbol needs a timeframe: [symbol, timeframe, …]";
        for series in [json!([["A"]]), json!([[]])] {
            assert_eq!(read_series(series).unwrap_err(), expected);
        }
    }
}
