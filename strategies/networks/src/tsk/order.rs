//! Members of one input in order: the nearest centres and widths that can be read.

use schemas::manifests::{FuzzyInput, RuleBase};

/// Least width of a member, in units of the scaled input.
pub(super) const WIDTH_MIN: f32 = 0.02;
/// Largest width of a member, in units of the scaled input: it holds for every value.
const WIDTH_MAX: f32 = 50.0;
/// Centres of one input keep a distance of at least its range / (this · number of members).
const GAPS: f32 = 20.0;

/// What must hold for the members of a network.
#[derive(Clone, Debug)]
pub(super) struct Order {
    inputs: Vec<Bounds>,
    /// Working memory of [`Bounds::restore`].
    blocks: Vec<Block>,
}

/// What must hold for the centres of one input.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    members: usize,
    low: f32,
    high: f32,
    /// Least distance of two neighbours.
    gap: f32,
}

/// Neighbours that end up as close as they may be.
#[derive(Clone, Copy, Debug)]
struct Block {
    sum: f32,
    count: usize,
}

impl Block {
    fn mean(&self) -> f32 {
        self.sum / self.count as f32
    }
}

impl Order {
    pub(super) fn new(base: &RuleBase) -> Self {
        Self {
            inputs: base.inputs.iter().map(Bounds::new).collect(),
            blocks: Vec::new(),
        }
    }

    /// Moves centres and widths, which come first in `parameters`, to the nearest legal ones.
    pub(super) fn restore(&mut self, parameters: &mut [f32]) {
        let members = self.inputs.iter().map(|input| input.members).sum();
        let Some((centres, rest)) = parameters.split_at_mut_checked(members) else {
            return;
        };

        for width in rest.iter_mut().take(members) {
            *width = clamp(*width, WIDTH_MIN, WIDTH_MAX);
        }
        let mut centres = centres;
        for bounds in &self.inputs {
            let (chain, rest) = centres
                .split_at_mut_checked(bounds.members)
                .unwrap_or_default();
            bounds.restore(chain, &mut self.blocks);
            centres = rest;
        }
    }
}

impl Bounds {
    fn new(input: &FuzzyInput) -> Self {
        let members = input.members.len();
        Self {
            members,
            low: input.low,
            high: input.high,
            gap: (input.high - input.low) / (GAPS * members.max(1) as f32),
        }
    }

    /// The nearest centres in order: with the gaps taken out this is the regression on a rising
    /// sequence, solved by pooling neighbours that violate it (Ayer and others, 1955), and with
    /// bounds its solution, clamped.
    fn restore(&self, centres: &mut [f32], blocks: &mut Vec<Block>) {
        if self.holds(centres) {
            return;
        }

        blocks.clear();
        for (position, centre) in centres.iter().enumerate() {
            let mut block = Block {
                sum: *centre - self.gap * position as f32,
                count: 1,
            };
            while let Some(before) = blocks.pop_if(|before| before.mean() > block.mean()) {
                block.sum += before.sum;
                block.count += before.count;
            }
            blocks.push(block);
        }

        // Rounding must not let two centres fall together.
        let last = self.gap * self.members.saturating_sub(1) as f32;
        let levels = blocks.iter().flat_map(|block| {
            let level = clamp(block.mean(), self.low, self.high - last);
            std::iter::repeat_n(level, block.count)
        });
        let mut floor = f32::NEG_INFINITY;
        for (position, (centre, level)) in centres.iter_mut().zip(levels).enumerate() {
            let place = level + self.gap * position as f32;
            *centre = if place > floor { place } else { floor };
            floor = centre.next_up();
        }
    }

    fn holds(&self, centres: &[f32]) -> bool {
        let pairs = centres.iter().zip(centres.iter().skip(1));
        let mut in_order = true;
        for (before, after) in pairs {
            in_order &= after - before >= self.gap && after > before;
        }
        let first = centres.first().is_none_or(|first| *first >= self.low);
        let last = centres.last().is_none_or(|last| *last <= self.high);
        in_order && first && last
    }
}

/// The nearest value in `min..=max`; NaN stays.
fn clamp(value: f32, min: f32, max: f32) -> f32 {
    let raised = if value < min { min } else { value };
    if raised > max { max } else { raised }
}
