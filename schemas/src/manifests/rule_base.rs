//! The rule base of a neuro-fuzzy network: the members of each input, which of them each rule
//! speaks of, and where the rules come from.

use serde::{Deserialize, Serialize};

use super::{FeatureColumn, TensorSpec};

/// A neuro-fuzzy network: where its rules come from, and the rules.
///
/// It is asked for without rules, and for [`RuleSource::Data`] without members, too: these are
/// built from the training part before the first epoch (`networks::tsk::build_rules`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TskShape {
    /// Where members and rules come from.
    pub from: RuleSource,
    /// At most that many rules, ≥ 1.
    pub rules_max: usize,
    /// A rule with a smaller support over the training part is one to prune after training
    /// (`networks::tsk::prune_network`); in [0, 1).
    pub prune_below: f64,
    /// Rules that were pruned.
    #[serde(default)]
    pub pruned_rules: usize,
    /// Members and rules.
    pub base: RuleBase,
}

/// Where members and rules of a rule base come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleSource {
    /// Members are the strategy's sets. Rules are all of their combinations, or those that the most
    /// rows of the training part belong to.
    #[default]
    Sets,
    /// Rules are grown around clusters of the training part, with members of their own.
    Data,
}

/// Rules of the first order over fuzzy members (Takagi and Sugeno, 1985): rule r says that where x₁
/// is A and x₂ is B and …, the scores are Wᵣ·x + bᵣ.
///
/// Where the members lie and how wide they are is learnt, as are Wᵣ and bᵣ: they are tensors. Here
/// is what does not change while a network learns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleBase {
    /// One per feature column, in order.
    pub inputs: Vec<FuzzyInput>,
    /// `[rule][input]`: which member of the input the rule asks for; absent = any value will do.
    pub rules: Vec<Vec<Option<usize>>>,
    /// How strongly a rule fires for given degrees of its members.
    pub firing: Firing,
}

/// The members of one input, from the lowest to the highest. They keep this order while they learn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FuzzyInput {
    /// What a rule calls it, such as `rsi_zone`.
    pub name: String,
    /// Its members, lowest first.
    pub members: Vec<FuzzyMember>,
    /// No centre moves below it: the smallest scaled value of the training part.
    pub low: f32,
    /// No centre moves above it: the largest scaled value of the training part.
    pub high: f32,
}

/// A Gaussian member: its degree at x is e^(−d² / (2·width²)) with d = x − centre.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FuzzyMember {
    /// What a rule calls it, such as `oversold`.
    pub name: String,
    /// The side on which its degree stays 1; absent = it falls on both sides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<OpenSide>,
    /// Where it lies before training; absent for one that holds for every value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<MemberPlace>,
}

/// Where a member lies, in units of the indicator.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberPlace {
    /// Where its degree is 1.
    pub centre: f64,
    /// Distance from the centre at which its degree is e^(−½) ≈ 0.61; ≥ 0.
    pub width: f64,
}

impl MemberPlace {
    /// The same place in units of the scaled `column`.
    pub fn scaled_by(self, column: &FeatureColumn) -> Self {
        let Some(normalisation) = column.normalisation else {
            return self;
        };
        Self {
            centre: normalisation.apply(self.centre),
            width: self.width / normalisation.unit(),
        }
    }

    /// The place in units of the indicator of one in units of the scaled `column`.
    pub fn unscaled_by(self, column: &FeatureColumn) -> Self {
        let Some(normalisation) = column.normalisation else {
            return self;
        };
        Self {
            centre: normalisation.restore(self.centre),
            width: self.width * normalisation.unit(),
        }
    }
}

/// The side of a member without a flank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OpenSide {
    /// The degree is 1 below the centre.
    Below,
    /// The degree is 1 above the centre.
    Above,
}

/// How the degrees of a rule's members become its strength. Strengths are then divided by their sum
/// over all rules, so that they add up to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Firing {
    /// Their geometric mean: no strength vanishes with the number of inputs (HTSK: Cui, Wu and Xu,
    /// *Curse of Dimensionality for TSK Fuzzy Neural Networks*, IJCNN 2021).
    #[default]
    Mean,
    /// Their product, as in ANFIS (Jang, 1993): sharper, for a few inputs.
    Product,
}

impl RuleBase {
    /// Number of members of all inputs.
    pub fn member_count(&self) -> usize {
        self.inputs.iter().map(|input| input.members.len()).sum()
    }

    /// Position of the first member of each input among all members.
    pub fn first_members(&self) -> Vec<usize> {
        let mut next = 0;
        let mut positions = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            positions.push(next);
            next += input.members.len();
        }
        positions
    }

    /// The parameters of a network with that many scores, in file order. Rank 1 says that a tensor
    /// does not decay: a smaller centre is no simpler rule.
    pub fn tensors(&self, outputs: usize) -> Vec<TensorSpec> {
        let members = self.member_count();
        let rules = self.rules.len();
        let shapes = [
            ("memberships.centres", vec![members]),
            ("memberships.widths", vec![members]),
            (
                "consequents.weight",
                vec![rules, outputs, self.inputs.len()],
            ),
            ("consequents.bias", vec![rules * outputs]),
        ];

        let specs = shapes.into_iter();
        specs
            .map(|(name, shape)| TensorSpec::new(name, shape))
            .collect()
    }

    /// Number of trainable values of a network with that many scores.
    pub fn parameter_count(&self, outputs: usize) -> usize {
        2 * self.member_count() + self.rules.len() * outputs * (self.inputs.len() + 1)
    }
}
