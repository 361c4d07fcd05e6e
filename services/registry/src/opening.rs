//! May these sealed rows be opened for this candidate? Values in, values out.

use schemas::manifests::{EarlierCandidate, Opening};

/// What the openings so far say about another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpeningDecision {
    /// The rows were opened for this candidate already: this is the record.
    Opened(Opening),
    /// Another candidate was shown the period, and nobody has said that this one shall be, too.
    Shown(Vec<EarlierCandidate>),
    /// This is to be recorded.
    Open(Opening),
}

/// Decides about `draft`, which has neither number nor earlier candidates, after `openings`, oldest
/// first. `again` is the word of a person that another candidate does not matter.
pub fn decide_opening(openings: &[Opening], draft: Opening, again: bool) -> OpeningDecision {
    let mut before = openings.iter();
    if let Some(record) = before.find(|opening| opening.is_of_same_candidate(&draft)) {
        return OpeningDecision::Opened(record.clone());
    }

    let earlier = earlier_candidates(openings, &draft);
    if !earlier.is_empty() && !again {
        return OpeningDecision::Shown(earlier);
    }
    let newest = openings.iter().map(|opening| opening.number).max();
    OpeningDecision::Open(Opening {
        number: newest.unwrap_or(0) + 1,
        earlier,
        ..draft
    })
}

/// Each candidate that has seen a part of the period, once, oldest first.
fn earlier_candidates(openings: &[Opening], draft: &Opening) -> Vec<EarlierCandidate> {
    let mut artifacts = Vec::new();
    let mut earlier = Vec::new();
    for opening in openings.iter().filter(|opening| opening.overlaps(draft)) {
        // The candidate itself may have seen other rows of the period: that is no other one.
        let is_new = !artifacts.contains(&&opening.artifact) && opening.artifact != draft.artifact;

        if is_new {
            artifacts.push(&opening.artifact);
            earlier.push(EarlierCandidate {
                model: opening.model.clone(),
                version: opening.version,
                at: opening.at,
            });
        }
    }
    earlier
}

#[cfg(test)]
mod tests {
    use schemas::manifests::ColumnRange;

    use super::*;

    /// The opening of a candidate over EURUSD, of the time from `from` to `last`.
    fn opening(number: u32, artifact: &str, from: i64, last: i64) -> Opening {
        Opening {
            v: Opening::VERSION,
            number,
            model: format!("model-{artifact}"),
            version: 1,
            artifact: artifact.to_owned(),
            dataset: "d".to_owned(),
            sealed: format!("rows from {from}"),
            rows: 10,
            from,
            range: ColumnRange { first: from, last },
            symbols: vec!["fx:EUR.USD".to_owned()],
            earlier: Vec::new(),
            operation: "op".to_owned(),
            by: None,
            at: i64::from(number) * 10,
        }
    }

    fn candidate(artifact: &str, at: i64) -> EarlierCandidate {
        EarlierCandidate {
            model: format!("model-{artifact}"),
            version: 1,
            at,
        }
    }

    #[test]
    fn the_first_candidate_opens_the_rows() {
        let draft = opening(0, "a", 100, 200);
        let expected = Opening {
            number: 1,
            ..draft.clone()
        };

        let decision = decide_opening(&[], draft, false);
        assert_eq!(decision, OpeningDecision::Open(expected));
    }

    #[test]
    fn the_same_candidate_finds_its_record_whatever_came_after() {
        let openings = [opening(1, "a", 100, 200), opening(2, "b", 100, 200)];
        for again in [false, true] {
            let decision = decide_opening(&openings, opening(0, "a", 100, 200), again);
            assert_eq!(decision, OpeningDecision::Opened(openings[0].clone()));
        }
    }

    #[test]
    fn another_candidate_needs_a_word_and_a_record_of_those_before() {
        let openings = [
            opening(1, "a", 100, 200),
            opening(2, "b", 150, 300),
            opening(3, "c", 500, 600),
        ];
        let draft = opening(0, "d", 120, 200);
        let earlier = vec![candidate("a", 10), candidate("b", 20)];

        let refused = decide_opening(&openings, draft.clone(), false);
        assert_eq!(refused, OpeningDecision::Shown(earlier.clone()));

        let opened = decide_opening(&openings, draft.clone(), true);
        let expected = Opening {
            number: 4,
            earlier,
            ..draft
        };
        assert_eq!(opened, OpeningDecision::Open(expected));
    }

    #[test]
    fn other_rows_of_the_same_candidate_are_no_other_candidate() {
        let openings = [opening(1, "a", 100, 200)];
        let longer = opening(0, "a", 90, 200);

        let OpeningDecision::Open(record) = decide_opening(&openings, longer, false) else {
            panic!("it is opened");
        };
        assert_eq!((record.number, record.earlier), (2, Vec::new()));
    }
}
