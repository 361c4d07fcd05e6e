//! The members of the rules of a neuro-fuzzy network as plain numbers: see `networks::tsk` for the
//! formulas.

use schemas::manifests::{Firing, FuzzyInput, OpenSide, RuleBase};

use crate::tensors::{Tensors, values};

/// The member of each rule and input, `[rules, inputs]`.
#[derive(Default)]
pub(crate) struct RuleMembers {
    pub(crate) centres: Vec<f32>,
    /// Bounds of the distance from the centre.
    pub(crate) lowest: Vec<f32>,
    pub(crate) highest: Vec<f32>,
    /// −1 / (2·width²), divided by the number of members of the rule where it fires by their mean;
    /// 0 for an input that the rule leaves out.
    pub(crate) factors: Vec<f32>,
}

impl RuleMembers {
    pub(crate) fn of(base: &RuleBase, tensors: &Tensors<'_>) -> Self {
        let centres = values(tensors, "memberships.centres");
        let widths = values(tensors, "memberships.widths");
        let mut table = Self::default();

        for rule in &base.rules {
            let count = rule.iter().flatten().count().max(1);
            let share = match base.firing {
                Firing::Mean => 1.0 / count as f32,
                Firing::Product => 1.0,
            };
            // Members of all inputs stand one after another.
            let mut first = 0;
            for (member, of_input) in rule.iter().zip(&base.inputs) {
                let place = member.map(|member| first + member);
                let width = place.and_then(|place| widths.get(place)).copied();
                let centre = place.and_then(|place| centres.get(place)).copied();

                table.centres.push(centre.unwrap_or(0.0));
                let factor = width.map_or(0.0, |width| -share / (2.0 * width * width));
                table.factors.push(factor);
                table.add_bounds(of_input, *member);
                first += of_input.members.len();
            }
        }
        table
    }

    /// A distance is 0 on the open side of a member, and unbounded on any other.
    fn add_bounds(&mut self, input: &FuzzyInput, member: Option<usize>) {
        let open = member.and_then(|member| input.members.get(member)?.open);
        let is_open = |side: OpenSide| open == Some(side);

        let lowest = if is_open(OpenSide::Below) {
            0.0
        } else {
            f32::MIN
        };
        let highest = if is_open(OpenSide::Above) {
            0.0
        } else {
            f32::MAX
        };
        self.lowest.push(lowest);
        self.highest.push(highest);
    }
}
