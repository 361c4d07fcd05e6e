//! What a model was made of: the rows of each part, the losses of its epochs, and the chain of its
//! origin.

use jiff::Timestamp;
use market::Utc;
use schemas::manifests::{DataSetManifest, ModelManifest, OutputKind};
use schemas::names::PARTS;
use serde_json::{Value, json};
use store::EpochLosses;

/// Characters of a curve of losses.
const CURVE_WIDTH: usize = 24;
/// From the lowest to the highest value of a curve.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Characters of a hash that tell it from others.
const HASH_START: usize = 12;

/// A line for the rows of each part, and one for the rows that are in none.
pub(super) fn describe_data(data_set: &DataSetManifest) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    for part in PARTS {
        if let Some(text) = describe_part(data_set, part) {
            lines.push(("rows", text));
        }
    }

    let dropped = data_set.dropped.iter().filter(|(_, count)| **count > 0);
    let dropped: Vec<String> = dropped
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    if !dropped.is_empty() {
        lines.push(("left out", dropped.join(", ")));
    }
    lines
}

/// `train: 21548 from 2015-01-05 to 2017-10-02; BUY 24.4 %, HOLD 49.1 %, SELL 26.5 %`; none without
/// rows.
fn describe_part(data_set: &DataSetManifest, part: &str) -> Option<String> {
    let rows = data_set.rows_of(part);
    let mut text = format!("{part}: {rows} from {}", describe_days(data_set, part)?);

    let counts = data_set.classes_of(part);
    if let OutputKind::Classes { names } = &data_set.output {
        let classes = names.iter().zip(counts).map(|(name, count)| {
            let percent = 100.0 * count as f64 / rows.max(1) as f64;
            format!("{name} {percent:.1} %")
        });
        let classes: Vec<String> = classes.collect();
        text = format!("{text}; {}", classes.join(", "));
    }
    Some(text)
}

/// `2015-01-05 to 2017-10-02`: the days of a part; none without rows.
pub(super) fn describe_days(data_set: &DataSetManifest, part: &str) -> Option<String> {
    let (first, last) = time_of(data_set, part)?;
    Some(format!("{} to {}", day_of(first), day_of(last)))
}

/// The same of all parts together.
pub(super) fn describe_all_days(data_set: &DataSetManifest) -> Option<String> {
    let times: Vec<_> = PARTS
        .iter()
        .filter_map(|part| time_of(data_set, part))
        .collect();
    let first = times.iter().map(|time| time.0).min()?;
    let last = times.iter().map(|time| time.1).max()?;
    Some(format!("{} to {}", day_of(first), day_of(last)))
}

/// First and last decision of a part over all symbols, microseconds UTC.
fn time_of(data_set: &DataSetManifest, part: &str) -> Option<(i64, i64)> {
    let counts = data_set.parts.iter().filter(|count| count.part == part);
    let ranges: Vec<_> = counts.filter_map(|count| count.range).collect();
    let first = ranges.iter().map(|range| range.first).min()?;
    let last = ranges.iter().map(|range| range.last).max()?;
    Some((first, last))
}

/// The day in UTC of a number of microseconds; the number itself if no calendar has it.
pub(super) fn day_of(micros: i64) -> String {
    match Timestamp::from_microsecond(micros) {
        Ok(time) => time.strftime("%Y-%m-%d").to_string(),
        Err(_) => micros.to_string(),
    }
}

/// The same for programs.
pub(super) fn data_json(data_set: &DataSetManifest) -> Value {
    let mut parts = serde_json::Map::new();
    for part in PARTS {
        let time = time_of(data_set, part);
        let at = |micros: i64| Utc(micros).to_string();
        let value = json!({
            "rows": data_set.rows_of(part),
            "classes": data_set.classes_of(part),
            "first": time.map(|(first, _)| at(first)),
            "last": time.map(|(_, last)| at(last)),
        });
        parts.insert(part.to_owned(), value);
    }

    json!({
        "parts": parts,
        "dropped": data_set.dropped,
        "series": data_set.series,
        "created_at": Utc(data_set.created_at).to_string(),
    })
}

/// `train 1.0990 ▇▅▃▂▁ 1.0712, validation 1.0953 ▇▄▃▁▁ 1.0809`; none without epochs.
pub(super) fn describe_losses(losses: &[EpochLosses]) -> Option<String> {
    let train: Vec<f64> = losses.iter().map(|epoch| epoch.train).collect();
    let validation: Vec<f64> = losses.iter().map(|epoch| epoch.validation).collect();
    Some(format!(
        "train {}, validation {}",
        describe_curve(&train)?,
        describe_curve(&validation)?
    ))
}

/// The first value, the curve, and the last value.
fn describe_curve(values: &[f64]) -> Option<String> {
    let first = loss_text(*values.first()?);
    let last = loss_text(*values.last()?);
    Some(format!("{first} {} {last}", curve_of(values)))
}

/// Returns have small losses, probabilities some about 1.
fn loss_text(value: f64) -> String {
    if value.abs() < 0.01 {
        format!("{value:.3e}")
    } else {
        format!("{value:.4}")
    }
}

/// The values as blocks, the mean of several neighbours where there are more than fit.
fn curve_of(values: &[f64]) -> String {
    let width = values.len().div_ceil(CURVE_WIDTH).max(1);
    let means = values.chunks(width);
    let means: Vec<f64> = means
        .map(|some| some.iter().sum::<f64>() / some.len() as f64)
        .collect();
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    let high = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);

    means
        .iter()
        .map(|mean| block_of(*mean, low, high))
        .collect()
}

/// The block of a value between the lowest and the highest one.
fn block_of(value: f64, low: f64, high: f64) -> char {
    let height = if high > low {
        (value - low) / (high - low)
    } else {
        0.0
    };
    let top = BLOCKS.len() - 1;
    let level = (height * top as f64).round() as usize;
    BLOCKS.get(level.min(top)).copied().unwrap_or(' ')
}

/// Where a model comes from, from the series to the version: a line for each link.
pub(super) fn describe_origin(
    model: &ModelManifest,
    data_set: Option<&DataSetManifest>,
) -> Vec<(&'static str, String)> {
    let lineage = &model.lineage;
    let mut lines = Vec::new();
    let series = data_set.map(|data_set| data_set.series.as_slice());
    for input in series.unwrap_or_default() {
        let text = format!(
            "{} revision {}, {} bars, content {}",
            input.label(),
            input.revision,
            input.rows,
            start_of(&input.content_sha256)
        );
        lines.push(("series", text));
    }

    let mut data_set_text = format!("datasets/{}", lineage.dataset);
    if data_set.is_none() {
        data_set_text.push_str(", which the store has no more");
        for (key, hash) in &lineage.series {
            lines.push(("series", format!("{key} content {}", start_of(hash))));
        }
    }
    lines.extend([
        ("data set", data_set_text),
        ("trained by", lineage.operation.clone()),
        (
            "strategy",
            format!("text {}", start_of(&lineage.strategy_sha256)),
        ),
    ]);

    let overrides = lineage.overrides.as_ref().and_then(Value::as_object);
    if let Some(overrides) = overrides.filter(|changes| !changes.is_empty()) {
        let overrides = Value::Object(overrides.clone());
        lines.push(("overrides", overrides.to_string()));
    }
    lines.push(("artifact", format!("artifacts/{}", model.artifact)));
    lines
}

/// As much of a hash as a reader can compare.
fn start_of(hash: &str) -> &str {
    hash.get(..HASH_START).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_has_a_block_for_each_epoch_from_low_to_high() {
        // 7 · (1.5 − 1) / (2 − 1) = 3.5, which rounds to 4.
        assert_eq!(curve_of(&[2.0, 1.5, 1.0]), "█▅▁");
        assert_eq!(curve_of(&[1.0, 1.0]), "▁▁");
        assert_eq!(curve_of(&[]), "");
    }

    #[test]
    fn many_epochs_share_blocks() {
        let falling: Vec<f64> = (0..100).map(|epoch| 100.0 - f64::from(epoch)).collect();
        let curve = curve_of(&falling);
        // 100 epochs by 5 are 20 blocks.
        assert_eq!(curve.chars().count(), 20);
        assert!(curve.starts_with('█') && curve.ends_with('▁'));
    }

    #[test]
    fn losses_of_returns_keep_their_digits() {
        let losses = [0.000_031, 0.000_029].map(|loss| EpochLosses {
            train: loss,
            validation: 2.0,
            seconds: 0.5,
        });
        assert_eq!(
            describe_losses(&losses).unwrap(),
            "train 3.100e-5 █▁ 2.900e-5, validation 2.0000 ▁▁ 2.0000"
        );
    }
}
