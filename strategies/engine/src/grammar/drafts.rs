//! Indicators, fuzzy sets and inputs as far as they could be read. What is missing has a finding;
//! the rest of a broken entry is still checked against the other entries.

use market::Timeframe;

use crate::fuzzy::Membership;
use crate::indicators::{Indicator, IndicatorSpec};
use crate::strategy::{FuzzySet, Input, InputSource, NamedIndicator, OutputRef};

/// An indicator: references to a broken one are still checked.
pub(super) struct IndicatorDraft<'a> {
    pub(super) id: &'a str,
    /// Its type; `None` for an unknown one.
    pub(super) spec: Option<&'static IndicatorSpec>,
    pub(super) indicator: Option<Indicator>,
}

impl IndicatorDraft<'_> {
    fn finish(self) -> Option<NamedIndicator> {
        Some(NamedIndicator {
            id: self.id.to_owned(),
            indicator: self.indicator?,
        })
    }
}

/// A fuzzy set.
pub(super) struct SetDraft<'a> {
    pub(super) id: &'a str,
    /// The indicator output that it names, as written.
    pub(super) reference: Option<&'a str>,
    /// The output that the reference leads to.
    pub(super) of: Option<OutputRef>,
    pub(super) members: Vec<(String, Option<Membership>)>,
    pub(super) line: usize,
}

impl SetDraft<'_> {
    fn finish(self) -> Option<FuzzySet> {
        // One broken member makes the whole set unusable: without it the columns would differ.
        let members = self
            .members
            .into_iter()
            .map(|(name, function)| Some((name, function?)))
            .collect::<Option<_>>()?;

        Some(FuzzySet {
            id: self.id.to_owned(),
            of: self.of?,
            members,
            line: self.line,
        })
    }
}

/// The timeframes of an input.
#[derive(Clone)]
pub(super) enum InputTimeframes {
    /// The word `all`: every timeframe of the strategy.
    All,
    /// A list; entries that could not be read are left out.
    Listed(Vec<Timeframe>),
}

impl InputTimeframes {
    /// As [`Input::timeframes`] says it.
    pub(super) fn into_option(self) -> Option<Vec<Timeframe>> {
        match self {
            Self::All => None,
            Self::Listed(timeframes) => Some(timeframes),
        }
    }
}

/// An input that may still lack parts.
pub(super) struct InputDraft<'a> {
    /// The fuzzy set that it names, as written.
    pub(super) set: Option<&'a str>,
    /// The indicator output that it names, as written.
    pub(super) raw: Option<&'a str>,
    /// What the name leads to.
    pub(super) source: Option<InputSource>,
    pub(super) timeframes: Option<InputTimeframes>,
    pub(super) lags: Vec<u32>,
    pub(super) line: usize,
}

impl InputDraft<'_> {
    fn finish(self) -> Option<Input> {
        Some(Input {
            source: self.source?,
            timeframes: self.timeframes?.into_option(),
            lags: self.lags,
            line: self.line,
        })
    }
}

/// The three sections; `None` for one that is missing or not a collection.
pub(super) struct Drafts<'a> {
    pub(super) indicators: Option<Vec<IndicatorDraft<'a>>>,
    pub(super) sets: Option<Vec<SetDraft<'a>>>,
    pub(super) inputs: Option<Vec<InputDraft<'a>>>,
}

/// The three sections without gaps.
pub(super) struct Sections {
    pub(super) indicators: Vec<NamedIndicator>,
    pub(super) fuzzy_sets: Vec<FuzzySet>,
    pub(super) inputs: Vec<Input>,
}

impl Drafts<'_> {
    /// The sections, if all of every entry could be read.
    pub(super) fn finish(self) -> Option<Sections> {
        let indicators = self.indicators?.into_iter().map(IndicatorDraft::finish);
        let fuzzy_sets = self.sets?.into_iter().map(SetDraft::finish);
        let inputs = self.inputs?.into_iter().map(InputDraft::finish);

        // A missing part has a finding already, so nothing is reported here.
        Some(Sections {
            indicators: indicators.collect::<Option<_>>()?,
            fuzzy_sets: fuzzy_sets.collect::<Option<_>>()?,
            inputs: inputs.collect::<Option<_>>()?,
        })
    }
}
