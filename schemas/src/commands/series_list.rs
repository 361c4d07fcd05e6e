//! How a list of series is written: short lists series by series, long ones symbol by symbol.
//!
//! The plan of an operation has a share of its record. A symbol with its timeframes takes 56 bytes
//! at most, where eight series would take 402; without that, a strategy could not have more than
//! some 150 symbols in four timeframes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::SeriesRequest;

/// Longest list that is written series by series, which is all that fetchers of the version before
/// read, and read no longer.
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
    serializer.collect_seq(
        series
            .chunk_by(|one, next| one.symbol == next.symbol)
            .map(|run| {
                let symbol = run.iter().take(1).map(|each| each.symbol.as_str());
                symbol
                    .chain(run.iter().map(|each| each.timeframe.as_str()))
                    .collect::<Vec<_>>()
            }),
    )
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<SeriesRequest>, D::Error> {
    let mut series = Vec::new();
    for entry in Vec::<Entry>::deserialize(deserializer)? {
        match entry {
            Entry::One(one) => series.push(one),
            Entry::Several(words) => match words.split_first() {
                Some((symbol, timeframes)) if !timeframes.is_empty() => {
                    series.extend(timeframes.iter().map(|each| SeriesRequest {
                        symbol: symbol.clone(),
                        timeframe: each.clone(),
                    }))
                }
                _ => {
                    return Err(serde::de::Error::custom(
                        "a symbol needs a timeframe: [symbol, timeframe, …]",
                    ));
                }
            },
        }
    }
    Ok(series)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::commands::FetchBars;

    /// A command for `symbols` symbols, each in these timeframes.
    fn command(symbols: usize, timeframes: &[&str]) -> FetchBars {
        let series = (0..symbols).flat_map(|number| {
            let request = move |timeframe: &&str| SeriesRequest {
                symbol: format!("stk:S{number}"),
                timeframe: (*timeframe).to_owned(),
            };
            timeframes.iter().map(request)
        });
        let command = json!({ "series": series.collect::<Vec<_>>() });
        serde_json::from_value(command).unwrap()
    }

    fn read(series: Value) -> Result<Vec<SeriesRequest>, String> {
        let read = serde_json::from_value::<FetchBars>(json!({ "series": series }));
        read.map(|command| command.series)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn up_to_sixty_four_series_are_written_as_ever_and_more_of_them_symbol_by_symbol() {
        let short = serde_json::to_value(command(32, &["1h", "1d"])).unwrap();
        assert_eq!(
            short["series"][1],
            json!({ "symbol": "stk:S0", "timeframe": "1d" })
        );
        let long = serde_json::to_value(command(33, &["1h", "1d"])).unwrap();
        assert_eq!(long["series"][1], json!(["stk:S1", "1h", "1d"]));
        assert_eq!(long["series"].as_array().unwrap().len(), 33);
    }

    #[test]
    fn both_forms_read_back_in_order_from_json_and_from_messagepack() {
        for command in [
            command(1, &["1h"]),
            command(100, &["1h"]),
            command(256, &["1m", "1h", "4h", "1d"]),
        ] {
            let json = serde_json::to_vec(&command).unwrap();
            assert_eq!(serde_json::from_slice::<FetchBars>(&json).unwrap(), command);
            let packed = rmp_serde::to_vec_named(&command).unwrap();
            assert_eq!(
                rmp_serde::from_slice::<FetchBars>(&packed).unwrap(),
                command
            );
            let value = serde_json::to_value(&command).unwrap();
            assert_eq!(serde_json::from_value::<FetchBars>(value).unwrap(), command);
        }
        let mixed = read(json!([["A", "1h", "1d"], { "symbol": "B", "timeframe": "1h" }])).unwrap();
        let shown: Vec<String> = mixed
            .iter()
            .map(|each| format!("{} {}", each.symbol, each.timeframe))
            .collect();
        assert_eq!(shown, ["A 1h", "A 1d", "B 1h"]);
    }

    #[test]
    fn an_entry_that_names_no_series_is_refused_with_what_would() {
        let form = "a series must be {symbol, timeframe} or [symbol, timeframe, …]";
        assert_eq!(
            read(json!([{ "symbl": "A", "timeframe": "1h" }])).unwrap_err(),
            form
        );
        assert_eq!(read(json!(["A"])).unwrap_err(), form);
        assert_eq!(
            read(json!([["A"]])).unwrap_err(),
            "a symbol needs a timeframe: [symbol, timeframe, …]"
        );
        assert_eq!(
            read(json!([[]])).unwrap_err(),
            "a symbol needs a timeframe: [symbol, timeframe, …]"
        );
    }
}
