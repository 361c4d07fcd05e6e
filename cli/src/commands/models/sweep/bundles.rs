//! Trainings of a sweep that share strategy text and fold, and so their data set: they are trained
//! by one step.

use std::collections::BTreeMap;

use schemas::commands::{BUNDLE_TRAININGS_MAX, Bundle, BundleMember};
use schemas::sweep::{BUNDLE, COMBINATION, FOLD, SEED, TRAINING};
use strategies::{Fold, Overrides, Resolved, Strategy};

use super::grid::Combination;
use crate::console::count_of;

/// Most bytes of the members of a bundle as JSON: with them and a long strategy a request is not
/// too large.
const MEMBERS_BYTES_MAX: usize = 12 * 1024;

/// A combination whose strategy has no fault.
pub(super) struct CheckedCombination {
    pub(super) combination: Combination,
    pub(super) text: String,
    /// What of it decides which data set it is trained on.
    pub(super) data_part: String,
    pub(super) strategy: Strategy,
    pub(super) overrides: Overrides,
    pub(super) resolved: Resolved,
}

/// A fold with its number from 1.
#[derive(Clone, Copy)]
pub(super) struct NumberedFold<'a> {
    number: u32,
    pub(super) cut: &'a Fold,
}

/// Trainings of one operation.
pub(super) struct SweptBundle<'a> {
    /// The combination of its first member; the others have the same text.
    pub(super) first: &'a CheckedCombination,
    pub(super) fold: Option<NumberedFold<'a>>,
    /// At least one.
    members: Vec<BundleMember>,
    /// Of the members as JSON.
    bytes: usize,
}

impl SweptBundle<'_> {
    /// 0 without folds.
    pub(super) fn number_of_fold(&self) -> u32 {
        self.fold.map_or(0, |fold| fold.number)
    }

    /// The member that stands for all.
    pub(super) fn first_member(&self) -> BundleMember {
        let none = BundleMember {
            training: 0,
            seed: self.first.resolved.seed,
            combination: String::new(),
            set: serde_json::Map::new(),
        };
        self.members.first().cloned().unwrap_or(none)
    }

    /// What lists say of it.
    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        let first = self.first_member();
        let mut labels = BTreeMap::new();
        let mut label = |key: &str, value: String| labels.insert(key.to_owned(), value);

        if let [only] = self.members.as_slice() {
            label(TRAINING, only.training.to_string());
            label(SEED, only.seed.to_string());
        } else {
            label(BUNDLE, count_of(self.members.len(), "training"));
        }
        if let Some(fold) = self.fold {
            label(FOLD, fold.number.to_string());
        }
        let mut members = self.members.iter();
        let is_one = members.all(|member| member.combination == first.combination);
        if is_one && !first.combination.is_empty() {
            label(COMBINATION, first.combination);
        }
        labels
    }

    /// What its train step is asked for; nothing where one training is.
    pub(super) fn command(&self, fail_fast: bool) -> Option<Bundle> {
        let members = self.members.clone();
        (members.len() > 1).then_some(Bundle { members, fail_fast })
    }

    /// Whether `combination` is trained on the same rows in the same fold, and there is room.
    fn takes(&self, combination: &CheckedCombination, fold: u32, bytes: usize) -> bool {
        let is_same = self.first.text == combination.text && self.number_of_fold() == fold;
        let has_room = self.members.len() < BUNDLE_TRAININGS_MAX;
        is_same && has_room && self.bytes + bytes <= MEMBERS_BYTES_MAX
    }
}

/// Every combination on every fold from every seed, numbered in this order, in as few operations as
/// take them.
pub(super) fn bundles_of<'a>(
    combinations: &'a [CheckedCombination],
    folds: &'a [Fold],
    seeds: usize,
) -> Vec<SweptBundle<'a>> {
    let numbered = (1..)
        .zip(folds)
        .map(|(number, cut)| NumberedFold { number, cut });
    let numbered: Vec<_> = match folds {
        [] => vec![None],
        _ => numbered.map(Some).collect(),
    };

    let mut bundles: Vec<SweptBundle<'a>> = Vec::new();
    let mut training = 0;
    for combination in combinations {
        for fold in &numbered {
            for offset in 0..seeds as u64 {
                training += 1;
                let seed = combination.resolved.seed.wrapping_add(offset);
                let member = member_of(combination, training, seed);
                add_member(&mut bundles, combination, *fold, member);
            }
        }
    }
    bundles
}

fn member_of(combination: &CheckedCombination, training: u32, seed: u64) -> BundleMember {
    BundleMember {
        training,
        seed,
        combination: combination.combination.text(),
        set: combination.overrides.training.clone(),
    }
}

/// Adds a training to the newest bundle that takes it, or begins another one.
fn add_member<'a>(
    bundles: &mut Vec<SweptBundle<'a>>,
    combination: &'a CheckedCombination,
    fold: Option<NumberedFold<'a>>,
    member: BundleMember,
) {
    let bytes = serde_json::to_vec(&member).map_or(0, |json| json.len());
    let number = fold.map_or(0, |fold| fold.number);

    let mut newest_first = bundles.iter_mut().rev();
    match newest_first.find(|bundle| bundle.takes(combination, number, bytes)) {
        Some(bundle) => {
            bundle.members.push(member);
            bundle.bytes += bytes;
        }
        None => bundles.push(SweptBundle {
            first: combination,
            fold,
            members: vec![member],
            bytes,
        }),
    }
}
