//! What is known of the sealed period of a version: who was shown it, and what came out.

use schemas::manifests::{Confirmation, DataSetManifest, EarlierCandidate, Opening, SealedRows};
use schemas::metrics::KindMetrics;
use serde_json::{Value, json};
use store::Store;

use super::decisions::describe_counts;
use super::evaluation::{number, percent, small};
use super::report::verdict::judge_part;
use super::show_data::day_of;
use crate::console::{Failure, count_of};
use market::Utc;

/// The sealed rows of a version, with what was recorded of their period.
pub(super) struct SealedPeriod {
    pub(super) rows: SealedRows,
    /// The record of this version; none while nobody has confirmed it.
    pub(super) opening: Option<Opening>,
    /// What came out; none where whoever opened the rows has not ended.
    pub(super) outcome: Option<Confirmation>,
    /// The other candidates that were shown a part of the period, oldest first.
    others: Vec<EarlierCandidate>,
}

impl SealedPeriod {
    /// Reads what is recorded about the version with this artifact; none where nothing is sealed.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) async fn read(
        store: &Store,
        artifact: &str,
        data_set: Option<&DataSetManifest>,
    ) -> Result<Option<Self>, Failure> {
        let sealed = data_set.and_then(|set| Some((set, set.sealed.clone()?)));
        let Some((data_set, rows)) = sealed else {
            return Ok(None);
        };
        let openings = store.confirmations().openings().await?;
        let is_own =
            |opening: &&Opening| opening.artifact == artifact && opening.sealed == rows.sha256;
        let opening = openings.iter().find(is_own).cloned();

        let outcome = match &opening {
            None => None,
            Some(opening) => store.confirmations().outcome(opening.number).await?,
        };
        Ok(Some(Self {
            others: others_of(&openings, artifact, data_set, &rows),
            opening,
            outcome,
            rows,
        }))
    }

    /// Lines for people.
    pub(super) fn describe(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("sealed", self.describe_rows())];
        if let Some(opening) = &self.opening {
            lines.push(("opened", describe_opening(opening)));
        }
        if let Some(outcome) = &self.outcome {
            lines.push(("confirmed", describe_outcome(outcome)));
            lines.push(("confirmed", self.verdict(outcome)));
            let decisions = describe_counts(&outcome.decisions);
            lines.push(("decisions", format!("sealed: {decisions}")));
        }
        lines
    }

    /// `812 from 2018-07-02 to 2018-12-31, from 2018-07-01 on; not opened yet`.
    fn describe_rows(&self) -> String {
        let rows = &self.rows;
        let text = format!(
            "{} from {} to {}, kept from {} on",
            count_of(usize::try_from(rows.rows).unwrap_or(usize::MAX), "row"),
            day_of(rows.range.first),
            day_of(rows.range.last),
            Utc(rows.from)
        );

        let state = match (&self.opening, &self.outcome, self.others.as_slice()) {
            (Some(_), Some(_), _) => return text,
            (Some(_), None, _) => "opened without an outcome".to_owned(),
            (None, _, []) => "not opened yet".to_owned(),
            (None, _, others) => format!("opened for {}, not for this version", list_of(others)),
        };
        format!("{text}; {state}")
    }

    /// All of it in one line.
    pub(super) fn sentence(&self) -> String {
        let mut text = format!("Sealed period: {}", self.describe_rows());
        if let Some(opening) = &self.opening {
            text = format!("{text}; opened {}", describe_opening(opening));
        }
        match &self.outcome {
            None => format!("{text}."),
            Some(outcome) => format!("{text}. {}", self.verdict(outcome)),
        }
    }

    /// The sentence about what came out.
    pub(super) fn verdict(&self, outcome: &Confirmation) -> String {
        let uncertainty = outcome.uncertainty.as_ref();
        let verdict = judge_part(&outcome.figures, uncertainty, "sealed period");
        format!("{} {}", verdict.judgement.words(), verdict.sentence)
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "from": Utc(self.rows.from).to_string(),
            "first": Utc(self.rows.range.first).to_string(),
            "last": Utc(self.rows.range.last).to_string(),
            "rows": self.rows.rows,
            "opened": self.opening.as_ref().map(opening_json),
            "others": self.others.iter().map(candidate_json).collect::<Vec<_>>(),
            "outcome": self.outcome.as_ref().map(outcome_json),
        })
    }
}

/// The candidates other than `artifact` that were shown a part of the period, each once.
fn others_of(
    openings: &[Opening],
    artifact: &str,
    data_set: &DataSetManifest,
    rows: &SealedRows,
) -> Vec<EarlierCandidate> {
    let parts = data_set.parts.iter();
    let symbols: Vec<String> = parts.map(|count| count.symbol.clone()).collect();
    let mut artifacts = vec![artifact];
    let mut others = Vec::new();

    for opening in openings {
        let is_of_period = opening.shows(&symbols, rows.from, rows.range.last);
        if is_of_period && !artifacts.contains(&opening.artifact.as_str()) {
            artifacts.push(&opening.artifact);
            others.push(EarlierCandidate {
                model: opening.model.clone(),
                version: opening.version,
                at: opening.at,
            });
        }
    }
    others
}

/// `2026-11-28 by ada, the 2nd candidate to be shown this period; first was trend@1 on 2026-11-01`.
pub(super) fn describe_opening(opening: &Opening) -> String {
    let by = match &opening.by {
        Some(person) => format!(" by {person}"),
        None => String::new(),
    };
    format!("{}{by}: {}", Utc(opening.at), describe_place(opening))
}

/// `the first candidate to be shown this period`, or which one, and who was first.
pub(super) fn describe_place(opening: &Opening) -> String {
    match opening.earlier.first() {
        None => "the first candidate to be shown this period".to_owned(),
        Some(first) => format!(
            "the {} candidate to be shown this period; first was {}",
            ordinal(opening.place()),
            list_of(std::slice::from_ref(first))
        ),
    }
}

/// `trend@1 on 2026-11-01, trend@2 on 2026-11-28`.
fn list_of(candidates: &[EarlierCandidate]) -> String {
    let mut names = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let EarlierCandidate { model, version, at } = candidate;
        names.push(format!("{model}@{version} on {}", day_of(*at)));
    }
    names.join(", ")
}

/// `2nd`, `11th`, `23rd`.
fn ordinal(place: usize) -> String {
    let ending = match (place % 100, place % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{place}{ending}")
}

fn describe_outcome(outcome: &Confirmation) -> String {
    let figures = &outcome.figures;
    let text = match &figures.kind {
        KindMetrics::Classes(metrics) => format!(
            "accuracy {}, log loss {}",
            percent(metrics.accuracy),
            number(figures.loss)
        ),
        KindMetrics::Regression(metrics) => {
            format!(
                "mean error {}, R² {}",
                small(metrics.mae),
                number(metrics.r2)
            )
        }
    };

    format!("{text}, measured {}", Utc(outcome.at))
}

/// A record as programs read it.
pub(super) fn opening_json(opening: &Opening) -> Value {
    json!({
        "confirmation": opening.number,
        "at": Utc(opening.at).to_string(),
        "by": opening.by,
        "operation": opening.operation,
        "place": opening.place(),
        "earlier": opening.earlier.iter().map(candidate_json).collect::<Vec<_>>(),
    })
}

fn candidate_json(candidate: &EarlierCandidate) -> Value {
    json!({
        "model": candidate.model,
        "version": candidate.version,
        "at": Utc(candidate.at).to_string(),
    })
}

fn outcome_json(outcome: &Confirmation) -> Value {
    json!({
        "figures": outcome.figures,
        "uncertainty": outcome.uncertainty,
        "groups": outcome.groups,
        "decisions": outcome.decisions,
        "at": Utc(outcome.at).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_as_people_say_them() {
        let places = [1, 2, 3, 4, 11, 12, 13, 21, 22, 103, 111].map(ordinal);
        let expected = [
            "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "103rd", "111th",
        ];
        assert_eq!(places, expected);
    }
}
