//! What a neuro-fuzzy network has learnt, as rules in words, and which of them made a prediction.

use schemas::manifests::{FuzzyMember, OpenSide, OutputKind, RuleBase};
use serde::{Deserialize, Serialize};

use super::Tsk;

/// A member whose mean degree over the rows is larger holds nearly always: it says nothing.
const TELLING_MAX: f64 = 0.9;

/// A rule after training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearntRule {
    /// What it asks for, in the order of the inputs.
    pub members: Vec<RuleMember>,
    /// Mean share of the rule in the strengths of all, over the rows: 0 to 1.
    pub support: f64,
    /// What it says where it fires: the mean of its scores, weighted by its share.
    pub scores: Vec<f64>,
}

/// A member that a rule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleMember {
    /// Position of the input.
    pub input: usize,
    /// Position of the member in the input.
    pub member: usize,
    /// Mean degree of the member over the rows, 0 to 1.
    pub degree: f64,
}

/// The part of a rule in the scores of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// Position of the rule.
    pub rule: usize,
    /// Share of the rule in the strengths of all, 0 to 1.
    pub share: f32,
    /// What the rule says of the row. Scores of the network = Σ share · scores.
    pub scores: Vec<f32>,
}

impl Tsk {
    /// The rules with their support over the rows of `inputs`, `[rows, inputs]`, rules in order.
    pub fn learnt_rules(
        &mut self,
        base: &RuleBase,
        parameters: &[f32],
        inputs: &[f32],
    ) -> Vec<LearntRule> {
        let outputs = self.outputs;
        let mut supports = vec![0.0; self.rules];
        let mut sums = vec![vec![0.0; outputs]; self.rules];
        self.for_each_row(parameters, inputs, |_, pass, row| {
            for (support, share) in supports.iter_mut().zip(pass.shares_of(row)) {
                *support += f64::from(share);
            }
            for output in 0..outputs {
                let shares = pass.shares_of(row).zip(pass.outcomes_of(row, output));
                for (sums, (share, outcome)) in sums.iter_mut().zip(shares) {
                    if let Some(sum) = sums.get_mut(output) {
                        *sum += f64::from(share) * f64::from(outcome);
                    }
                }
            }
        });

        let degrees = self.mean_degrees(base, parameters, inputs);
        let firsts = base.first_members();
        let rows = (inputs.len() / self.inputs.max(1)).max(1) as f64;
        let rules = base.rules.iter().zip(supports).zip(sums);
        let learnt = rules.map(|((members, support), sums)| LearntRule {
            members: members_of(members, &firsts, &degrees),
            support: support / rows,
            scores: sums
                .iter()
                .map(|sum| sum / support.max(f64::MIN_POSITIVE))
                .collect(),
        });
        learnt.collect()
    }

    /// The rules that made the scores of `row`, strongest first.
    pub fn contributions(&mut self, parameters: &[f32], row: &[f32]) -> Vec<Contribution> {
        let outputs = self.outputs;
        let mut contributions = Vec::with_capacity(self.rules);
        self.for_each_row(parameters, row, |rules, pass, row| {
            for (rule, share) in pass.shares_of(row).take(rules).enumerate() {
                let scores =
                    (0..outputs).filter_map(|output| pass.outcomes_of(row, output).nth(rule));
                contributions.push(Contribution {
                    rule,
                    share,
                    scores: scores.collect(),
                });
            }
        });

        contributions.sort_by(|one, other| other.share.total_cmp(&one.share));
        contributions
    }

    /// Mean degree of each member over the rows.
    fn mean_degrees(&self, base: &RuleBase, parameters: &[f32], inputs: &[f32]) -> Vec<f64> {
        let parts = self.parts(parameters);
        let mut degrees = Vec::with_capacity(self.members);
        let numbers = parts.centres.iter().zip(parts.widths);

        // Members as they lie in the file, each with its input.
        let columns = base.inputs.iter().enumerate();
        let members = columns.flat_map(|(column, input)| {
            let members = input.members.iter();
            members.map(move |member| (column, member))
        });
        for ((column, member), (centre, width)) in members.zip(numbers) {
            let rows = inputs.chunks_exact(self.inputs.max(1));
            let values = rows.filter_map(|row| row.get(column));

            let mut sum = 0.0;
            let mut count = 0;
            for value in values {
                let distance = member.distance(*value, *centre) / width;
                sum += f64::from(crate::math::exp(-0.5 * distance * distance));
                count += 1;
            }
            degrees.push(sum / f64::from(count.max(1)));
        }
        degrees
    }
}

fn members_of(members: &[Option<usize>], firsts: &[usize], degrees: &[f64]) -> Vec<RuleMember> {
    let mut rule = Vec::new();
    for (input, (member, first)) in members.iter().zip(firsts).enumerate() {
        if let Some(member) = *member {
            rule.push(RuleMember {
                input,
                member,
                degree: degrees.get(first + member).copied().unwrap_or(0.0),
            });
        }
    }
    rule
}

impl LearntRule {
    /// The rule in the words of its inputs and members: `IF rsi_zone is oversold AND trend is
    /// present THEN BUY 0.71, support 3.2 %`. A class stands with its probability, a number by
    /// itself. Members that hold nearly always are left out.
    pub fn sentence(&self, base: &RuleBase, output: &OutputKind) -> String {
        let mut conditions = Vec::new();
        for place in self
            .members
            .iter()
            .filter(|place| place.degree <= TELLING_MAX)
        {
            let input = base.inputs.get(place.input);
            let member = input.and_then(|input| input.members.get(place.member));
            if let Some((input, member)) = input.zip(member) {
                conditions.push(format!("{} is {}", input.name, member.name));
            }
        }

        let premise = if conditions.is_empty() {
            "ALWAYS".to_owned()
        } else {
            format!("IF {} THEN", conditions.join(" AND "))
        };
        let conclusion = self.conclusion(output);
        let support = 100.0 * self.support;
        format!("{premise} {conclusion}, support {support:.1} %")
    }

    /// The likeliest class with its probability, or the number.
    fn conclusion(&self, output: &OutputKind) -> String {
        let OutputKind::Classes { names } = output else {
            let number = self.scores.first().copied().unwrap_or(0.0);
            return format!("{number:+.6}");
        };

        let mut shares: Vec<f32> = self.scores.iter().map(|score| *score as f32).collect();
        crate::math::softmax(&mut shares);
        let best = names.iter().zip(shares);
        let best = best.max_by(|one, other| one.1.total_cmp(&other.1));
        match best {
            Some((name, share)) => format!("{name} {share:.2}"),
            None => "nothing".to_owned(),
        }
    }
}

/// Distances of values from a member.
pub(super) trait Distance {
    /// x − centre; 0 on the open side.
    fn distance(&self, value: f32, centre: f32) -> f32;
}

impl Distance for FuzzyMember {
    fn distance(&self, value: f32, centre: f32) -> f32 {
        let difference = value - centre;
        match self.open {
            Some(OpenSide::Below) => difference.max(0.0),
            Some(OpenSide::Above) => difference.min(0.0),
            None => difference,
        }
    }
}
