//! The loops of a neuro-fuzzy network, over rules in lanes.
//!
//! Rules are cut into panels of [`LANES`]; a table over rules is panel after panel, each `[rows of
//! the batch, LANES]`. Inputs lie in blocks of [`QUAD`] columns, each `[rows, QUAD]`, and once more
//! in tiles of [`QUAD`] rows, each `[columns, QUAD]`; both are padded with zeros. Every output is
//! one sum in one order: the inputs of a rule, or the rows of a batch, first to last. So the
//! instructions that a processor has change no bit.

use std::sync::atomic::{Ordering, compiler_fence};

use crate::instructions::dispatch;
use crate::math::{self, cut};

/// Rules of a panel.
pub(super) const LANES: usize = 16;
/// Inputs of a block, and rows of a tile.
pub(super) const QUAD: usize = 4;
/// One value for each rule of a panel.
pub(super) type Lane = [f32; LANES];
/// Inputs of one row, or rows of one input.
pub(super) type Quad = [f32; QUAD];
/// A lane of padding.
pub(super) const ZERO: Lane = [0.0; LANES];

/// A rule with a smaller share does not fire at all: its products would be subnormal.
const FIRING_MIN: f32 = 1e-20;

/// What the rules of a panel ask of one input. A rule that takes any value, and a padding lane, has
/// a steepness of 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Antecedent {
    pub(super) centre: Lane,
    /// Factor of the squared distance: share / (2·width²).
    pub(super) steepness: Lane,
    /// Smallest distance that counts: 0 for a member that is open below, else −∞.
    pub(super) distance_min: Lane,
    /// Largest distance that counts: 0 for a member that is open above, else ∞.
    pub(super) distance_max: Lane,
}

impl Antecedent {
    /// Any value will do.
    pub(super) const ANY: Self = Self {
        centre: ZERO,
        steepness: ZERO,
        distance_min: [f32::NEG_INFINITY; LANES],
        distance_max: [f32::INFINITY; LANES],
    };

    /// x − centre, cut where the member is open.
    #[inline(always)]
    fn distances(&self, x: f32) -> Lane {
        let mut distances = ZERO;
        let bounds = self.distance_min.iter().zip(&self.distance_max);
        for ((distance, centre), (min, max)) in distances.iter_mut().zip(&self.centre).zip(bounds) {
            let difference = x - centre;
            let raised = if difference < *min { *min } else { difference };
            *distance = if raised > *max { *max } else { raised };
        }
        distances
    }
}

/// Sums over the rows of a batch for the rules of a panel and one input.
#[derive(Clone, Copy, Debug)]
pub(super) struct DistanceSums {
    /// Σ delta · d.
    pub(super) linear: Lane,
    /// Σ delta · d².
    pub(super) square: Lane,
}

impl DistanceSums {
    pub(super) const ZERO: Self = Self {
        linear: ZERO,
        square: ZERO,
    };
}

/// Keeps the compiler from making vectors across rows, which would gather their values one by one.
/// It gives no instruction.
#[inline(always)]
fn stay_within_row() {
    compiler_fence(Ordering::SeqCst);
}

/// sum += factor · lane.
#[inline(always)]
fn add_scaled(sum: &mut Lane, factor: f32, lane: &Lane) {
    for (sum, value) in sum.iter_mut().zip(lane) {
        *sum = factor.mul_add(*value, *sum);
    }
}

/// The products of two lanes.
#[inline(always)]
fn multiply_lanes(one: &Lane, other: &Lane) -> Lane {
    let mut products = ZERO;
    for ((product, one), other) in products.iter_mut().zip(one).zip(other) {
        *product = one * other;
    }
    products
}

/// Σ of a lane: halves are added to each other until one value is left.
#[inline(always)]
fn sum_lane(lane: &Lane) -> f32 {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *lane;
    let [a, b, c, d, e, f, g, h] = [a + i, b + j, c + k, d + l, e + m, f + n, g + o, h + p];
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// The largest of a lane.
#[inline(always)]
fn largest_of(lane: &Lane) -> f32 {
    let mut largest = f32::NEG_INFINITY;
    for value in lane {
        largest = if *value > largest { *value } else { largest };
    }
    largest
}

dispatch! {
    /// The logarithms of strengths, start − Σ steepness · d²: `inputs` in blocks; `antecedents` and
    /// `starts` have for each panel `[columns]` and one lane.
    pub(super) fn measure(
        inputs: &[Quad],
        rows: usize,
        antecedents: &[Antecedent],
        starts: &[Lane],
        outputs: &mut [Lane],
    ) {
        narrow: measure_panels,
        wide: measure_panels,
    }
}

#[inline(always)]
fn measure_panels(
    inputs: &[Quad],
    rows: usize,
    antecedents: &[Antecedent],
    starts: &[Lane],
    outputs: &mut [Lane],
) {
    let columns = antecedents.len() / starts.len().max(1);
    let panels = outputs.chunks_exact_mut(rows.max(1)).zip(starts);
    for ((outputs, start), antecedents) in panels.zip(antecedents.chunks_exact(columns.max(1))) {
        outputs.fill(*start);

        // A block of antecedents stays at hand while the rows go by.
        let (blocks, _) = antecedents.as_chunks::<QUAD>();
        for (inputs, block) in inputs.chunks_exact(rows.max(1)).zip(blocks) {
            for (row, output) in inputs.iter().zip(outputs.iter_mut()) {
                stay_within_row();
                let mut sum = *output;
                for (x, antecedent) in row.iter().zip(block) {
                    let distances = antecedent.distances(*x);
                    let terms = distances.iter().zip(&antecedent.steepness);
                    for (sum, (distance, steepness)) in sum.iter_mut().zip(terms) {
                        *sum = (distance * distance).mul_add(-steepness, *sum);
                    }
                }
                *output = sum;
            }
        }
    }
}

dispatch! {
    /// start + Σ x · w: `inputs` in blocks; `weights` and `starts` have for each panel `[columns]`
    /// and one lane.
    pub(super) fn multiply(
        inputs: &[Quad],
        rows: usize,
        weights: &[Lane],
        starts: &[Lane],
        outputs: &mut [Lane],
    ) {
        narrow: multiply_panels,
        wide: multiply_panels,
    }
}

#[inline(always)]
fn multiply_panels(
    inputs: &[Quad],
    rows: usize,
    weights: &[Lane],
    starts: &[Lane],
    outputs: &mut [Lane],
) {
    let columns = weights.len() / starts.len().max(1);
    let panels = outputs.chunks_exact_mut(rows.max(1)).zip(starts);
    for ((outputs, start), weights) in panels.zip(weights.chunks_exact(columns.max(1))) {
        outputs.fill(*start);

        // A block of weights stays in registers while the rows go by.
        let (blocks, _) = weights.as_chunks::<QUAD>();
        for (inputs, block) in inputs.chunks_exact(rows.max(1)).zip(blocks) {
            let block = *block;
            for (row, output) in inputs.iter().zip(outputs.iter_mut()) {
                stay_within_row();
                let mut sum = *output;
                for (x, weight) in row.iter().zip(&block) {
                    add_scaled(&mut sum, *x, weight);
                }
                *output = sum;
            }
        }
    }
}

dispatch! {
    /// Σ over rows of delta · x and of delta: `inputs` in tiles; `sums` and `totals` get for each
    /// panel `[columns]` and one lane.
    pub(super) fn correlate(
        deltas: &[Lane],
        inputs: &[Quad],
        rows: usize,
        sums: &mut [Lane],
        totals: &mut [Lane],
    ) {
        narrow: correlate_panels,
        wide: correlate_panels,
    }
}

#[inline(always)]
fn correlate_panels(
    deltas: &[Lane],
    inputs: &[Quad],
    rows: usize,
    sums: &mut [Lane],
    totals: &mut [Lane],
) {
    sums.fill(ZERO);
    let columns = sums.len() / totals.len().max(1);
    let panels = sums.chunks_exact_mut(columns.max(1)).zip(totals);
    for ((sums, total), deltas) in panels.zip(deltas.chunks_exact(rows.max(1))) {
        *total = ZERO;

        // A tile of rows stays in registers while the inputs go by.
        let (tiles, _) = deltas.as_chunks::<QUAD>();
        for (tile, inputs) in tiles.iter().zip(inputs.chunks_exact(columns.max(1))) {
            let tile = *tile;
            for delta in &tile {
                stay_within_row();
                add_scaled(total, 1.0, delta);
            }
            for (x, cell) in inputs.iter().zip(sums.iter_mut()) {
                stay_within_row();
                let mut sum = *cell;
                for (x, delta) in x.iter().zip(&tile) {
                    add_scaled(&mut sum, *x, delta);
                }
                *cell = sum;
            }
        }
    }
}

dispatch! {
    /// Σ over rows of delta · d and delta · d²: `inputs` in tiles; `antecedents` and `sums` have
    /// for each of the panels of `deltas` `[columns]`.
    pub(super) fn correlate_distances(
        deltas: &[Lane],
        inputs: &[Quad],
        rows: usize,
        antecedents: &[Antecedent],
        sums: &mut [DistanceSums],
    ) {
        narrow: correlate_antecedents,
        wide: correlate_antecedents,
    }
}

#[inline(always)]
fn correlate_antecedents(
    deltas: &[Lane],
    inputs: &[Quad],
    rows: usize,
    antecedents: &[Antecedent],
    sums: &mut [DistanceSums],
) {
    sums.fill(DistanceSums::ZERO);
    let columns = sums.len() / (deltas.len() / rows.max(1)).max(1);
    let panels = sums.chunks_exact_mut(columns.max(1));
    let panels = panels.zip(antecedents.chunks_exact(columns.max(1)));

    // A tile of rows stays in registers while the inputs go by.
    for ((sums, antecedents), deltas) in panels.zip(deltas.chunks_exact(rows.max(1))) {
        let (tiles, _) = deltas.as_chunks::<QUAD>();
        for (tile, inputs) in tiles.iter().zip(inputs.chunks_exact(columns.max(1))) {
            let tile = *tile;
            for ((x, antecedent), cell) in inputs.iter().zip(antecedents).zip(sums.iter_mut()) {
                stay_within_row();
                let mut linear = cell.linear;
                let mut square = cell.square;
                for (x, delta) in x.iter().zip(&tile) {
                    let distances = antecedent.distances(*x);
                    let moments = multiply_lanes(&distances, delta);
                    for (sum, moment) in linear.iter_mut().zip(&moments) {
                        *sum += moment;
                    }
                    for ((sum, moment), distance) in square.iter_mut().zip(&moments).zip(&distances)
                    {
                        *sum = moment.mul_add(*distance, *sum);
                    }
                }
                *cell = DistanceSums { linear, square };
            }
        }
    }
}

dispatch! {
    /// From the logarithms of strengths to shares: e^z / Σ e^z over the panels of each row.
    /// `numbers` is working memory, one for each row.
    pub(super) fn share(table: &mut [Lane], numbers: &mut [f32]) {
        narrow: share_panels,
        wide: share_panels,
    }
}

#[inline(always)]
fn share_panels(table: &mut [Lane], numbers: &mut [f32]) {
    let rows = numbers.len().max(1);

    // The largest logarithm is taken out, so that the strongest rule never vanishes.
    numbers.fill(f32::NEG_INFINITY);
    for panel in table.chunks_exact(rows) {
        for (lane, largest) in panel.iter().zip(numbers.iter_mut()) {
            let value = largest_of(lane);
            *largest = if value > *largest { value } else { *largest };
        }
    }
    for panel in table.chunks_exact_mut(rows) {
        for (lane, largest) in panel.iter_mut().zip(numbers.iter()) {
            stay_within_row();
            for value in lane {
                *value = math::exp(*value - largest);
            }
        }
    }

    numbers.fill(0.0);
    for panel in table.chunks_exact(rows) {
        for (lane, sum) in panel.iter().zip(numbers.iter_mut()) {
            *sum += sum_lane(lane);
        }
    }
    for panel in table.chunks_exact_mut(rows) {
        for (lane, sum) in panel.iter_mut().zip(numbers.iter()) {
            stay_within_row();
            let factor = 1.0 / sum;
            for value in lane {
                let share = *value * factor;
                *value = if share < FIRING_MIN { 0.0 } else { share };
            }
        }
    }
}

dispatch! {
    /// What all rules say together, Σ share · outcome, as `[rows, outputs]`. `outcomes` has one
    /// table for each output, `padded_rows` long like `shares`.
    pub(super) fn mix(
        shares: &[Lane],
        outcomes: &[Lane],
        padded_rows: usize,
        outputs: usize,
        scores: &mut [f32],
    ) {
        narrow: mix_panels,
        wide: mix_panels,
    }
}

#[inline(always)]
fn mix_panels(
    shares: &[Lane],
    outcomes: &[Lane],
    padded_rows: usize,
    outputs: usize,
    scores: &mut [f32],
) {
    scores.fill(0.0);

    // Panels come one after the other, so that the sum of a row has one order.
    for (output, table) in outcomes.chunks_exact(shares.len().max(1)).enumerate() {
        let panels = table.chunks_exact(padded_rows.max(1));
        for (outcomes, shares) in panels.zip(shares.chunks_exact(padded_rows.max(1))) {
            let rows = scores.chunks_exact_mut(outputs.max(1));
            for ((outcome, share), row) in outcomes.iter().zip(shares).zip(rows) {
                stay_within_row();
                if let Some(score) = row.get_mut(output) {
                    *score += sum_lane(&multiply_lanes(outcome, share));
                }
            }
        }
    }
}

dispatch! {
    /// From gradients by scores, `[rows, outputs]`, to those by the outcomes, which replace the
    /// outcomes, and to Σ gradient · outcome in `deltas`. Padding rows become 0.
    pub(super) fn spread(
        shares: &[Lane],
        score_gradients: &[f32],
        outputs: usize,
        padded_rows: usize,
        outcomes: &mut [Lane],
        deltas: &mut [Lane],
    ) {
        narrow: spread_panels,
        wide: spread_panels,
    }
}

#[inline(always)]
fn spread_panels(
    shares: &[Lane],
    score_gradients: &[f32],
    outputs: usize,
    padded_rows: usize,
    outcomes: &mut [Lane],
    deltas: &mut [Lane],
) {
    deltas.fill(ZERO);
    let rows = score_gradients.len() / outputs.max(1);
    for (output, table) in outcomes.chunks_exact_mut(shares.len().max(1)).enumerate() {
        let panels = table.chunks_exact_mut(padded_rows.max(1));
        let deltas = deltas.chunks_exact_mut(padded_rows.max(1));
        let shares = shares.chunks_exact(padded_rows.max(1));
        for ((outcomes, deltas), shares) in panels.zip(deltas).zip(shares) {
            let (outcomes, padding) = outcomes.split_at_mut(rows.min(outcomes.len()));
            padding.fill(ZERO);

            let gradients = score_gradients.chunks_exact(outputs.max(1));
            let lanes = outcomes.iter_mut().zip(deltas).zip(shares);
            for (((outcome, delta), share), row) in lanes.zip(gradients) {
                stay_within_row();
                let gradient = row.get(output).copied().unwrap_or(0.0);
                add_scaled(delta, gradient, outcome);
                for (outcome, share) in outcome.iter_mut().zip(share) {
                    *outcome = cut(gradient * share);
                }
            }
        }
    }
}

dispatch! {
    /// The softmax backwards: δ ← share · (δ − Σ share · δ). `numbers` is working memory, one for
    /// each row.
    pub(super) fn differentiate(shares: &[Lane], deltas: &mut [Lane], numbers: &mut [f32]) {
        narrow: differentiate_panels,
        wide: differentiate_panels,
    }
}

#[inline(always)]
fn differentiate_panels(shares: &[Lane], deltas: &mut [Lane], numbers: &mut [f32]) {
    let rows = numbers.len().max(1);
    numbers.fill(0.0);
    for (shares, deltas) in shares.chunks_exact(rows).zip(deltas.chunks_exact(rows)) {
        for ((share, delta), sum) in shares.iter().zip(deltas).zip(numbers.iter_mut()) {
            stay_within_row();
            *sum += sum_lane(&multiply_lanes(share, delta));
        }
    }

    for (shares, deltas) in shares.chunks_exact(rows).zip(deltas.chunks_exact_mut(rows)) {
        for ((share, delta), mean) in shares.iter().zip(deltas).zip(numbers.iter()) {
            stay_within_row();
            for (delta, share) in delta.iter_mut().zip(share) {
                *delta = cut(share * (*delta - mean));
            }
        }
    }
}
