//! Where a neuro-fuzzy network starts: a compact set of rules and the first places of their
//! members, from the training part alone.

use std::collections::BTreeMap;

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use schemas::manifests::{Firing, FuzzyInput, FuzzyMember, RuleBase};

use super::clusters::{Cluster, find_clusters};
use super::rules::Distance;
use super::{Tsk, prune};

/// Least width of a member that is grown, in units of the scaled input: rows of a cluster may agree
/// in an input.
const GROWN_WIDTH_MIN: f64 = 0.1;
/// Centres of an input that are closer, in units of the scaled input, become one member.
const MERGE_DISTANCE: f64 = 0.05;
/// Values of the upper 24 bits of a random word: as many as a float holds without rounding.
const FLOAT_STEPS: f32 = 16_777_216.0;
/// Half the room of an input without any spread.
const FLAT_ROOM: f32 = 0.5;

/// A rule base with the numbers of its members before training.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// Inputs, members and rules.
    pub base: RuleBase,
    /// Centre of each member, in units of the scaled input.
    pub centres: Vec<f32>,
    /// Width of each member, in the same units.
    pub widths: Vec<f32>,
}

/// How rules are grown from data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// At most that many rules.
    pub rules: usize,
    /// At most that many members of an input; members that are closest to each other become one.
    pub members: usize,
    /// Width of every member in units of the scaled input; absent = the deviation of its rows. HTSK
    /// starts with 1: rules that overlap widely learn from more rows.
    pub width: Option<f32>,
    /// How the degrees of a rule's members become its strength.
    pub firing: Firing,
    /// Seed of the clusters.
    pub seed: u64,
}

impl Start {
    /// Rules around clusters of the rows of `inputs`, `[rows, names]`: one rule for each cluster,
    /// with a member for the cluster's mean and deviation in each input, as HTSK starts. Members of
    /// an input that nearly coincide, or are more than `growth.members`, become one: a rule base
    /// with few members is one that can be read (Setnes and others, 1998).
    pub fn grow(inputs: &[f32], names: &[String], growth: Growth) -> Self {
        let clusters = find_clusters(inputs, names.len(), growth.rules, growth.seed);
        let mut start = Self {
            base: RuleBase {
                inputs: Vec::new(),
                rules: vec![Vec::new(); clusters.len()],
                firing: growth.firing,
            },
            centres: Vec::new(),
            widths: Vec::new(),
        };

        for (column, name) in names.iter().enumerate() {
            let groups = merge_centres(&clusters, column, growth.members);
            for (position, group) in groups.iter().enumerate() {
                for cluster in &group.clusters {
                    if let Some(rule) = start.base.rules.get_mut(*cluster) {
                        rule.push(Some(position));
                    }
                }
                start.centres.push(group.centre() as f32);
                let deviation = group.deviation().max(GROWN_WIDTH_MIN) as f32;
                start.widths.push(growth.width.unwrap_or(deviation));
            }
            let members = (0..groups.len()).map(|position| FuzzyMember {
                name: name_of(position, groups.len()),
                ..FuzzyMember::default()
            });
            let (low, high) = range_of(inputs, names.len(), column);
            start.base.inputs.push(FuzzyInput {
                name: name.clone(),
                members: members.collect(),
                low,
                high,
            });
        }

        start.base.rules.sort();
        start.base.rules.dedup();
        start
    }

    /// Rules from the members that the rows of `inputs` belong to: every combination if these are
    /// at most `rules_max`, else those that the most rows belong to (after Wang and Mendel,
    /// *Generating Fuzzy Rules by Learning from Examples*, 1992). Each row belongs to the strongest
    /// member of each input. The rules of `self` are replaced.
    pub fn select_rules(mut self, inputs: &[f32], rules_max: usize) -> Self {
        let counts = self.base.inputs.iter().map(|input| input.members.len());
        let combinations = counts.fold(1_usize, usize::saturating_mul);
        if combinations <= rules_max {
            self.base.rules = self.grid();
            return self;
        }

        let mut rows: BTreeMap<Vec<Option<usize>>, usize> = BTreeMap::new();
        for row in inputs.chunks_exact(self.base.inputs.len().max(1)) {
            *rows.entry(self.strongest_members(row)).or_default() += 1;
        }
        let mut rules: Vec<_> = rows.into_iter().collect();
        rules.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
        rules.truncate(rules_max);
        self.base.rules = rules.into_iter().map(|(rule, _)| rule).collect();
        self.base.rules.sort();
        self
    }

    /// The parameters before training, in file order: W and b uniform in ±1/√inputs by `seed`, as
    /// PyTorch's `Linear` initialises them.
    pub fn parameters(&self, outputs: usize, seed: u64) -> Vec<f32> {
        let mut parameters = self.centres.clone();
        parameters.extend_from_slice(&self.widths);

        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let bound = 1.0 / (self.base.inputs.len().max(1) as f32).sqrt();
        while parameters.len() < self.base.parameter_count(outputs) {
            let fraction = (generator.next_u32() >> 8) as f32 / FLOAT_STEPS;
            parameters.push((2.0 * fraction - 1.0) * bound);
        }
        parameters
    }

    /// Removes the rules whose support over the rows of `inputs` is below `threshold`: what has no
    /// rows to learn from would say anything.
    pub fn prune(self, inputs: &[f32], threshold: f64) -> Self {
        let parameters = self.parameters(1, 0);
        let rules = Tsk::new(&self.base, 1).learnt_rules(&self.base, &parameters, inputs);
        let supports: Vec<f64> = rules.iter().map(|rule| rule.support).collect();
        let Some(pruned) = prune(&self.base, 1, &supports, threshold) else {
            return self;
        };

        let numbers = pruned.pick(&parameters);
        let members = pruned.base.member_count();
        let (centres, rest) = numbers.split_at_checked(members).unwrap_or_default();
        let widths = rest.get(..members).unwrap_or_default();
        Self {
            centres: centres.to_vec(),
            widths: widths.to_vec(),
            base: pruned.base,
        }
    }

    /// Every combination of members, the last input changing fastest.
    fn grid(&self) -> Vec<Vec<Option<usize>>> {
        let mut rules = vec![Vec::new()];

        // Each rule so far goes on with every member of the next input.
        for input in &self.base.inputs {
            let mut longer = Vec::with_capacity(rules.len() * input.members.len());
            for rule in &rules {
                for member in 0..input.members.len() {
                    let mut rule = rule.clone();
                    rule.push(Some(member));
                    longer.push(rule);
                }
            }
            rules = longer;
        }
        rules
    }

    fn strongest_members(&self, row: &[f32]) -> Vec<Option<usize>> {
        let firsts = self.base.first_members();
        let mut strongest = Vec::with_capacity(row.len());

        // The nearest in widths has the highest degree.
        for ((value, input), first) in row.iter().zip(&self.base.inputs).zip(firsts) {
            let mut best = None;
            let mut smallest = f32::INFINITY;
            for (position, member) in input.members.iter().enumerate() {
                let centre = self.centres.get(first + position).copied().unwrap_or(0.0);
                let width = self.widths.get(first + position).copied().unwrap_or(1.0);
                let distance = member.distance(*value, centre).abs() / width;
                if distance < smallest {
                    smallest = distance;
                    best = Some(position);
                }
            }
            strongest.push(best);
        }
        strongest
    }
}

/// Clusters that share a member.
struct Group {
    clusters: Vec<usize>,
    rows: f64,
    /// Σ of the means, weighted by rows.
    sum: f64,
    /// Σ of the squares, weighted by rows.
    squares: f64,
}

impl Group {
    fn centre(&self) -> f64 {
        self.sum / self.rows
    }

    fn deviation(&self) -> f64 {
        let centre = self.centre();
        (self.squares / self.rows - centre * centre).max(0.0).sqrt()
    }
}

/// Groups of clusters by their centres in one input, lowest first.
fn merge_centres(clusters: &[Cluster], column: usize, members_max: usize) -> Vec<Group> {
    let mut groups = Vec::with_capacity(clusters.len());
    for (index, cluster) in clusters.iter().enumerate() {
        let centre = cluster.centre.get(column).copied().unwrap_or(0.0);
        let variance = cluster.variance.get(column).copied().unwrap_or(0.0);
        let rows = cluster.rows as f64;
        groups.push(Group {
            clusters: vec![index],
            rows,
            sum: rows * centre,
            squares: rows * (variance + centre * centre),
        });
    }
    groups.sort_by(|one, other| one.centre().total_cmp(&other.centre()));

    // The two that are closest to each other become one, again and again.
    while groups.len() > 1 {
        let gaps = groups.iter().zip(groups.iter().skip(1));
        let gaps = gaps.map(|(before, after)| after.centre() - before.centre());
        let closest = gaps
            .enumerate()
            .min_by(|one, other| one.1.total_cmp(&other.1));
        let Some((position, gap)) = closest else {
            break;
        };
        if gap >= MERGE_DISTANCE && groups.len() <= members_max.max(1) {
            break;
        }

        let after = groups.remove(position + 1);
        if let Some(group) = groups.get_mut(position) {
            group.clusters.extend(after.clusters);
            group.rows += after.rows;
            group.sum += after.sum;
            group.squares += after.squares;
        }
    }
    groups
}

/// The smallest and the largest value of a column; some room around the only one.
pub(super) fn range_of(inputs: &[f32], width: usize, column: usize) -> (f32, f32) {
    let mut low = f32::INFINITY;
    let mut high = f32::NEG_INFINITY;
    for value in inputs
        .chunks_exact(width.max(1))
        .filter_map(|row| row.get(column))
    {
        low = low.min(*value);
        high = high.max(*value);
    }

    if low < high {
        (low, high)
    } else if low == high {
        (low - FLAT_ROOM, high + FLAT_ROOM)
    } else {
        (-FLAT_ROOM, FLAT_ROOM)
    }
}

/// What a member is called by its position among `count` of an input.
fn name_of(position: usize, count: usize) -> String {
    let names: &[&str] = match count {
        1 => &["ordinary"],
        2 => &["low", "high"],
        3 => &["low", "middle", "high"],
        4 => &["very_low", "low", "high", "very_high"],
        5 => &["very_low", "low", "middle", "high", "very_high"],
        _ => &[],
    };
    match names.get(position) {
        Some(name) => (*name).to_owned(),
        None => format!("level_{}_of_{count}", position + 1),
    }
}
