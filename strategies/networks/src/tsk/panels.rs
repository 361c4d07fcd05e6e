//! The parameters of a neuro-fuzzy network in panels of rules, and the way back to file order.

use schemas::manifests::{Firing, OpenSide, RuleBase};

use super::kernels::{Antecedent, DistanceSums, LANES, Lane, QUAD, ZERO};

/// A member that a rule asks for, and where its numbers lie.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Position of the antecedent in the panels.
    antecedent: usize,
    /// The rule in its panel.
    lane: usize,
    /// Position of the member among all members.
    member: usize,
    /// 1, or 1/n of a rule of n members that takes their mean.
    share: f32,
}

/// What the rules ask for.
#[derive(Clone, Debug)]
pub(super) struct Antecedents {
    /// Panel after panel, `[inputs in whole blocks]` each.
    pub(super) panels: Vec<Antecedent>,
    places: Vec<Place>,
    /// What the logarithm of each strength starts with: 0, or −∞ in a padding lane.
    pub(super) starts: Vec<Lane>,
}

impl Antecedents {
    pub(super) fn new(base: &RuleBase) -> Self {
        let width = base.inputs.len().next_multiple_of(QUAD);
        let panel_count = base.rules.len().div_ceil(LANES);
        let mut antecedents = Self {
            panels: vec![Antecedent::ANY; width * panel_count],
            places: Vec::new(),
            starts: vec![[f32::NEG_INFINITY; LANES]; panel_count],
        };

        for (rule, members) in base.rules.iter().enumerate() {
            let start = antecedents.starts.get_mut(rule / LANES);
            if let Some(start) = start.and_then(|start| start.get_mut(rule % LANES)) {
                *start = 0.0;
            }
            antecedents.add_rule(base, rule, members, width);
        }
        antecedents
    }

    fn add_rule(&mut self, base: &RuleBase, rule: usize, members: &[Option<usize>], width: usize) {
        let count = members.iter().flatten().count().max(1);
        let share = match base.firing {
            Firing::Mean => 1.0 / count as f32,
            Firing::Product => 1.0,
        };

        let columns = members.iter().zip(base.first_members()).enumerate();
        for (input, (member, first)) in columns {
            let Some(member) = *member else { continue };
            let place = Place {
                antecedent: rule / LANES * width + input,
                lane: rule % LANES,
                member: first + member,
                share,
            };
            self.places.push(place);

            let members = base.inputs.get(input).map(|input| &input.members);
            let open = members.and_then(|members| members.get(member)?.open);
            self.open(place, open);
        }
    }

    /// Lets no distance on the open side count.
    fn open(&mut self, place: Place, side: Option<OpenSide>) {
        let Some(antecedent) = self.panels.get_mut(place.antecedent) else {
            return;
        };
        let bounds = match side {
            Some(OpenSide::Below) => &mut antecedent.distance_min,
            Some(OpenSide::Above) => &mut antecedent.distance_max,
            None => return,
        };
        if let Some(bound) = bounds.get_mut(place.lane) {
            *bound = 0.0;
        }
    }

    /// Takes centres and widths over, one of each per member.
    pub(super) fn load(&mut self, centres: &[f32], widths: &[f32]) {
        for place in &self.places {
            let centre = centres.get(place.member).copied().unwrap_or(0.0);
            let width = widths.get(place.member).copied().unwrap_or(1.0);
            let Some(antecedent) = self.panels.get_mut(place.antecedent) else {
                continue;
            };
            if let Some(cell) = antecedent.centre.get_mut(place.lane) {
                *cell = centre;
            }
            if let Some(cell) = antecedent.steepness.get_mut(place.lane) {
                *cell = 0.5 * place.share / (width * width);
            }
        }
    }

    /// Adds up the gradients of each member over the rules that ask for it. `sums` has one entry
    /// for each antecedent of the panels.
    pub(super) fn write_gradients(
        &self,
        sums: &[DistanceSums],
        widths: &[f32],
        by_centre: &mut [f32],
        by_width: &mut [f32],
    ) {
        by_centre.fill(0.0);
        by_width.fill(0.0);
        for place in &self.places {
            let steepness = self.panels.get(place.antecedent);
            let steepness = steepness.and_then(|panel| panel.steepness.get(place.lane));
            let sums = sums.get(place.antecedent);
            let linear = sums.and_then(|sums| sums.linear.get(place.lane));
            let square = sums.and_then(|sums| sums.square.get(place.lane));
            let (Some(steepness), Some(linear), Some(square)) = (steepness, linear, square) else {
                continue;
            };

            // z = −s·d²/(2w²): ∂z/∂c = s·d/w² and ∂z/∂w = s·d²/w³.
            let twice = 2.0 * steepness;
            if let Some(sum) = by_centre.get_mut(place.member) {
                *sum = twice.mul_add(*linear, *sum);
            }
            let width = widths.get(place.member).copied().unwrap_or(1.0);
            if let Some(sum) = by_width.get_mut(place.member) {
                *sum = (twice / width).mul_add(*square, *sum);
            }
        }
    }
}

/// What the rules say.
#[derive(Clone, Debug)]
pub(super) struct Consequents {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    rules: usize,
    /// For each score, for each panel of rules: `[inputs in whole blocks]`.
    pub(super) weights: Vec<Lane>,
    /// For each score, for each panel of rules.
    pub(super) biases: Vec<Lane>,
}

impl Consequents {
    pub(super) fn new(base: &RuleBase, outputs: usize) -> Self {
        let inputs = base.inputs.len();
        let panel_count = base.rules.len().div_ceil(LANES) * outputs;
        Self {
            inputs,
            outputs,
            rules: base.rules.len(),
            weights: vec![ZERO; inputs.next_multiple_of(QUAD) * panel_count],
            biases: vec![ZERO; panel_count],
        }
    }

    /// Takes over weight `[rules, outputs, inputs]` and bias `[rules, outputs]`.
    pub(super) fn load(&mut self, weight: &[f32], bias: &[f32]) {
        let panels = self.rules.div_ceil(LANES);
        let width = self.inputs.next_multiple_of(QUAD);
        let functions = weight.chunks_exact(self.inputs.max(1)).zip(bias);
        for (position, (function, bias)) in functions.enumerate() {
            let rule = position / self.outputs.max(1);
            let output = position % self.outputs.max(1);
            let panel = output * panels + rule / LANES;
            let lane = rule % LANES;

            if let Some(cell) = self
                .biases
                .get_mut(panel)
                .and_then(|cells| cells.get_mut(lane))
            {
                *cell = *bias;
            }
            let columns = self.weights.get_mut(panel * width..).unwrap_or_default();
            for (column, value) in columns.iter_mut().zip(function) {
                if let Some(cell) = column.get_mut(lane) {
                    *cell = *value;
                }
            }
        }
    }

    /// Writes `sums` of the weights and of the biases, in panels, back in file order.
    pub(super) fn write_gradients(
        &self,
        weight_sums: &[Lane],
        bias_sums: &[Lane],
        weight: &mut [f32],
        bias: &mut [f32],
    ) {
        let panels = self.rules.div_ceil(LANES);
        let width = self.inputs.next_multiple_of(QUAD);
        let functions = weight.chunks_exact_mut(self.inputs.max(1)).zip(bias);
        for (position, (function, bias)) in functions.enumerate() {
            let rule = position / self.outputs.max(1);
            let output = position % self.outputs.max(1);
            let panel = output * panels + rule / LANES;
            let lane = rule % LANES;

            *bias = bias_sums
                .get(panel)
                .and_then(|cells| cells.get(lane))
                .copied()
                .unwrap_or(0.0);
            let columns = weight_sums.get(panel * width..).unwrap_or_default();
            for (value, column) in function.iter_mut().zip(columns) {
                *value = column.get(lane).copied().unwrap_or(0.0);
            }
        }
    }
}
