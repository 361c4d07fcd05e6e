//! The setting `lanes`: all that the worker may serve, or the lanes named, the preferred one first.

use std::collections::BTreeSet;
use std::fmt;

use schemas::ids::Lane;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The word for all lanes that a worker may serve.
const ALL: &str = "all";

/// Which queues of its service a worker takes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LaneSetting {
    /// Every lane that this worker may serve: `gpu` only with a GPU.
    #[default]
    All,
    /// These and no others, the preferred one first.
    These(Vec<Lane>),
}

impl LaneSetting {
    /// The lanes of a worker that may serve `allowed`, the preferred one first.
    pub fn choose(&self, allowed: &[Lane]) -> Vec<Lane> {
        match self {
            Self::All => allowed.to_vec(),
            Self::These(lanes) => lanes.clone(),
        }
    }

    /// The setting that names `lanes`; each may be named once.
    fn of_lanes(lanes: Vec<Lane>) -> Result<Self, String> {
        if lanes.is_empty() {
            return Err(format!("no lane is named: expected `{ALL}` or lanes"));
        }

        let mut seen = BTreeSet::new();
        match lanes.iter().find(|lane| !seen.insert(lane.as_str())) {
            Some(double) => Err(format!("the lane {double} is named twice")),
            None => Ok(Self::These(lanes)),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.trim() == ALL {
            return Ok(Self::All);
        }

        let lanes: Result<Vec<Lane>, _> = text
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(str::parse)
            .collect();
        Self::of_lanes(lanes.map_err(|error| format!("{error}, or `{ALL}` for all of them"))?)
    }
}

impl Serialize for LaneSetting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str(ALL),
            Self::These(lanes) => lanes.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for LaneSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LaneSettingVisitor)
    }
}

/// Reads a text with commas, or a list.
struct LaneSettingVisitor;

impl<'de> Visitor<'de> for LaneSettingVisitor {
    type Value = LaneSetting;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{ALL}`, or lanes as in `gpu,default`")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<LaneSetting, E> {
        LaneSetting::parse(text).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<LaneSetting, A::Error> {
        let mut lanes = Vec::new();
        while let Some(lane) = list.next_element()? {
            lanes.push(lane);
        }
        LaneSetting::of_lanes(lanes).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_means_what_the_worker_may_serve() {
        let with_gpu = [Lane::Gpu, Lane::Default];

        assert_eq!(LaneSetting::All.choose(&with_gpu), with_gpu);
        let background = LaneSetting::These(vec![Lane::Background]);
        assert_eq!(background.choose(&with_gpu), [Lane::Background]);
    }

    #[test]
    fn lanes_are_read_from_texts_and_lists() {
        let expected = LaneSetting::These(vec![Lane::Gpu, Lane::Default]);

        for text in [r#""gpu, default""#, r#"["gpu", "default"]"#] {
            let lanes: LaneSetting = serde_json::from_str(text).unwrap();
            assert_eq!(lanes, expected);
        }
        let all: LaneSetting = serde_json::from_str(r#""all""#).unwrap();
        assert_eq!(all, LaneSetting::All);
    }

    #[test]
    fn wrong_lanes_are_refused_by_name() {
        let refused = |text: &str| LaneSetting::parse(text).unwrap_err();

        assert_eq!(refused("gpu,gpu"), "the lane gpu is named twice");
        assert_eq!(refused(","), "no lane is named: expected `all` or lanes");
        assert_eq!(
            refused("fast"),
            "`fast` is not a valid lane: expected default, gpu, background or live, or `all` for all of them"
        );
    }
}
