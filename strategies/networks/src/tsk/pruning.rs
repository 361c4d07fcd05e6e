//! Rules that hardly ever fire are removed; the others go on with what they have learnt.

use schemas::manifests::RuleBase;

/// What stays of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Pruned {
    /// The rules that stay, and the members that they ask for.
    pub base: RuleBase,
    /// Positions of their parameters in those of the network before, in file order: pick them from
    /// parameters, gradients and moments alike.
    pub positions: Vec<usize>,
}

impl Pruned {
    /// The values at the positions that stay.
    pub fn pick(&self, values: &[f32]) -> Vec<f32> {
        let picked = self
            .positions
            .iter()
            .filter_map(|position| values.get(*position));
        picked.copied().collect()
    }
}

/// Removes the rules of `base` whose entry of `supports` is below `threshold`, and every member
/// that no rule asks for any more. The strongest rule always stays. `None` if all stay.
pub fn prune(base: &RuleBase, outputs: usize, supports: &[f64], threshold: f64) -> Option<Pruned> {
    let strongest = supports.iter().copied().fold(0.0, f64::max);
    let limit = threshold.min(strongest);
    let stays: Vec<bool> = supports.iter().map(|support| *support >= limit).collect();
    if stays.iter().all(|stays| *stays) {
        return None;
    }

    let rules = base.rules.iter().zip(&stays);
    let rules = rules
        .filter(|(_, stays)| **stays)
        .map(|(rule, _)| rule.clone());
    let mut pruned = RuleBase {
        rules: rules.collect(),
        ..base.clone()
    };
    let members = drop_members(&mut pruned);

    Some(Pruned {
        positions: positions_of(base, outputs, &members, &stays),
        base: pruned,
    })
}

/// Drops the members that no rule asks for, and returns the positions of the others among all.
pub(super) fn drop_members(base: &mut RuleBase) -> Vec<usize> {
    let mut members = Vec::new();
    let firsts = base.first_members();
    for (column, (input, first)) in base.inputs.iter_mut().zip(firsts).enumerate() {
        let mut stays: Vec<usize> = (0..input.members.len()).collect();
        stays.retain(|member| is_asked_for(&base.rules, column, *member));

        for rule in &mut base.rules {
            let Some(Some(member)) = rule.get_mut(column) else {
                continue;
            };
            *member = stays.iter().position(|stays| stays == member).unwrap_or(0);
        }
        let names = stays.iter().filter_map(|member| input.members.get(*member));
        input.members = names.cloned().collect();
        members.extend(stays.iter().map(|member| first + member));
    }
    members
}

fn is_asked_for(rules: &[Vec<Option<usize>>], column: usize, member: usize) -> bool {
    rules
        .iter()
        .any(|rule| rule.get(column) == Some(&Some(member)))
}

/// Positions of the parameters that stay.
fn positions_of(base: &RuleBase, outputs: usize, members: &[usize], stays: &[bool]) -> Vec<usize> {
    let all_members = base.member_count();
    let inputs = base.inputs.len();
    let rules = base.rules.len();
    let mut positions = members.to_vec();
    positions.extend(members.iter().map(|member| all_members + member));

    // Weights, then biases: a block for each rule.
    let weights = 2 * all_members;
    let biases = weights + rules * outputs * inputs;
    for (first, length) in [(weights, outputs * inputs), (biases, outputs)] {
        for (rule, _) in stays.iter().enumerate().filter(|(_, stays)| **stays) {
            let start = first + rule * length;
            positions.extend(start..start + length);
        }
    }
    positions
}
