//! The loops of a linear layer, over tables in panels.
//!
//! A table `[rows, width]` is cut into panels of [`LANES`] columns: panel after panel, each `[rows,
//! LANES]`. Columns beyond the width are padding. A loop then works on whole lanes of one size, of
//! which a compiler makes vectors, and every output is one sum in one order: the inputs of a unit,
//! or the rows of a batch, first to last.

use std::sync::atomic::{Ordering, compiler_fence};

use schemas::manifests::Activation;

use crate::instructions::dispatch;
use crate::math::{self, cut};

/// Columns of a panel.
pub(super) const LANES: usize = 16;
/// Neighbouring values of one row.
pub(super) type Lane = [f32; LANES];
/// A lane of padding.
pub(super) const ZERO: Lane = [0.0; LANES];

/// Lanes that a loop keeps in registers of 256 bits: half of the sixteen registers.
const NARROW_TILE: usize = 4;
/// Lanes that a loop keeps in registers of 512 bits.
const WIDE_TILE: usize = 8;
/// Tables are padded to a multiple of it, so that they are whole tiles.
pub(super) const ROW_GROUP: usize = WIDE_TILE;

/// Slope of a leaky ReLU below zero, as PyTorch's default.
const LEAKY_SLOPE: f32 = 0.01;

/// Panels that `width` columns need.
pub(super) fn count_panels(width: usize) -> usize {
    width.div_ceil(LANES)
}

/// Copies `[rows, width]`, row-major, to a table of `padded_rows`; padding becomes 0.
pub(super) fn pack(cells: &[f32], width: usize, padded_rows: usize, table: &mut [Lane]) {
    for (index, panel) in table.chunks_exact_mut(padded_rows.max(1)).enumerate() {
        let mut lanes = panel.iter_mut();
        for (row, lane) in cells.chunks_exact(width.max(1)).zip(&mut lanes) {
            *lane = read_lane(row, index);
        }
        for lane in lanes {
            *lane = ZERO;
        }
    }
}

/// Copies a table of `padded_rows` to `[rows, width]`, row-major.
pub(super) fn unpack(table: &[Lane], padded_rows: usize, width: usize, cells: &mut [f32]) {
    for (index, panel) in table.chunks_exact(padded_rows.max(1)).enumerate() {
        for (row, lane) in cells.chunks_exact_mut(width.max(1)).zip(panel) {
            write_lane(lane, row, index);
        }
    }
}

/// The values of a row that lie in panel `index`, padded with zeros.
pub(super) fn read_lane(row: &[f32], index: usize) -> Lane {
    let cells = row.get(LANES * index..).unwrap_or_default();
    if let Some(lane) = cells.first_chunk() {
        return *lane;
    }

    let mut lane = ZERO;
    for (value, cell) in lane.iter_mut().zip(cells) {
        *value = *cell;
    }
    lane
}

/// Writes the values of panel `index` to a row, without padding.
pub(super) fn write_lane(lane: &Lane, row: &mut [f32], index: usize) {
    let cells = row.get_mut(LANES * index..).unwrap_or_default();
    if let Some(chunk) = cells.first_chunk_mut() {
        *chunk = *lane;
        return;
    }

    for (cell, value) in cells.iter_mut().zip(lane) {
        *cell = *value;
    }
}

/// sum += factor · lane.
#[inline(always)]
fn add_scaled(sum: &mut Lane, factor: f32, lane: &Lane) {
    for (sum, value) in sum.iter_mut().zip(lane) {
        *sum = factor.mul_add(*value, *sum);
    }
}

/// Keeps the compiler from making vectors across rows, which would gather their values one by one.
/// It gives no instruction.
#[inline(always)]
fn stay_within_row() {
    compiler_fence(Ordering::SeqCst);
}

dispatch! {
    /// start + x · w for tables of `rows`: `inputs` is x; `weights` has for each panel of outputs
    /// `[depth, LANES]`, the columns of x padded to a multiple of [`ROW_GROUP`]; `start` has one
    /// lane per panel of outputs.
    pub(super) fn multiply(
        inputs: &[Lane],
        rows: usize,
        weights: &[Lane],
        start: &[Lane],
        outputs: &mut [Lane],
    ) {
        narrow: multiply_tiles::<NARROW_TILE>,
        wide: multiply_tiles::<WIDE_TILE>,
    }
}

#[inline(always)]
fn multiply_tiles<const TILE: usize>(
    inputs: &[Lane],
    rows: usize,
    weights: &[Lane],
    start: &[Lane],
    outputs: &mut [Lane],
) {
    let depth = weights.len() / start.len().max(1);
    let panels = outputs.chunks_exact_mut(rows.max(1)).zip(start);

    for ((outputs, start), weights) in panels.zip(weights.chunks_exact(depth.max(1))) {
        outputs.fill(*start);
        let blocks = weights.chunks(LANES);
        for (inputs, block) in inputs.chunks_exact(rows.max(1)).zip(blocks) {
            add_product::<TILE>(inputs, block, outputs);
        }
    }
}

/// outputs += inputs · block, for one panel of each: a tile of the block is in registers while the
/// rows go by.
#[inline(always)]
fn add_product<const TILE: usize>(inputs: &[Lane], block: &[Lane], outputs: &mut [Lane]) {
    let (tiles, _) = block.as_chunks::<TILE>();
    for (position, tile) in tiles.iter().enumerate() {
        let weights = *tile;
        for (row, output) in inputs.iter().zip(outputs.iter_mut()) {
            stay_within_row();
            let (chunks, _) = row.as_chunks::<TILE>();
            let Some(chunk) = chunks.get(position) else {
                continue;
            };

            let mut sum = *output;
            for (input, weight) in chunk.iter().zip(&weights) {
                add_scaled(&mut sum, *input, weight);
            }
            *output = sum;
        }
    }
}

dispatch! {
    /// deltasᵀ · inputs, summed over the `rows` of two tables, for the first `units` columns of
    /// deltas. `sums` has for each panel of deltas, and in it for each panel of inputs, one lane
    /// per unit; it is overwritten.
    pub(super) fn correlate(
        deltas: &[Lane],
        inputs: &[Lane],
        rows: usize,
        units: usize,
        sums: &mut [Lane],
    ) {
        narrow: correlate_tiles::<NARROW_TILE>,
        wide: correlate_tiles::<WIDE_TILE>,
    }
}

#[inline(always)]
fn correlate_tiles<const TILE: usize>(
    deltas: &[Lane],
    inputs: &[Lane],
    rows: usize,
    units: usize,
    sums: &mut [Lane],
) {
    sums.fill(ZERO);

    let mut sums = sums;
    let mut units = units;
    for deltas in deltas.chunks_exact(rows.max(1)) {
        // The last panel may have fewer units than lanes.
        let panel_units = units.min(LANES);
        units -= panel_units;
        for inputs in inputs.chunks_exact(rows.max(1)) {
            let block = sums.split_off_mut(..panel_units).unwrap_or_default();
            add_correlation::<TILE>(deltas, inputs, block);
        }
    }
}

/// sums += deltasᵀ · inputs, for one panel of each: a tile of the inputs is in registers while the
/// units go by.
#[inline(always)]
fn add_correlation<const TILE: usize>(deltas: &[Lane], inputs: &[Lane], sums: &mut [Lane]) {
    let (delta_tiles, _) = deltas.as_chunks::<TILE>();
    let (input_tiles, _) = inputs.as_chunks::<TILE>();

    for (deltas, inputs) in delta_tiles.iter().zip(input_tiles) {
        let inputs = *inputs;
        for (unit, cell) in (0..LANES).zip(sums.iter_mut()) {
            stay_within_row();
            let mut sum = *cell;
            for (delta, input) in deltas.iter().zip(&inputs) {
                if let Some(factor) = delta.get(unit) {
                    add_scaled(&mut sum, *factor, input);
                }
            }
            *cell = sum;
        }
    }
}

dispatch! {
    /// Σ of the `rows` of each panel of a table.
    pub(super) fn sum_rows(table: &[Lane], rows: usize, sums: &mut [Lane]) {
        narrow: sum_panels,
        wide: sum_panels,
    }
}

#[inline(always)]
fn sum_panels(table: &[Lane], rows: usize, sums: &mut [Lane]) {
    for (panel, cell) in table.chunks_exact(rows.max(1)).zip(sums) {
        let mut sum = ZERO;
        for row in panel {
            stay_within_row();
            for (sum, value) in sum.iter_mut().zip(row) {
                *sum += value;
            }
        }
        *cell = sum;
    }
}

dispatch! {
    /// deltas · slopes, element by element.
    pub(super) fn scale(deltas: &mut [f32], slopes: &[f32]) {
        narrow: scale_elements,
        wide: scale_elements,
    }
}

#[inline(always)]
fn scale_elements(deltas: &mut [f32], slopes: &[f32]) {
    for (delta, slope) in deltas.iter_mut().zip(slopes) {
        *delta = cut(cut(*delta) * slope);
    }
}

/// A function of one number, with its derivative at x; y is its value there.
trait Curve {
    fn value(x: f32) -> f32;
    fn slope(x: f32, y: f32) -> f32;
}

struct Relu;

impl Curve for Relu {
    #[inline(always)]
    fn value(x: f32) -> f32 {
        // A NaN is not below zero: it goes on and is reported as an output.
        if x < 0.0 { 0.0 } else { x }
    }

    #[inline(always)]
    fn slope(x: f32, _: f32) -> f32 {
        if x > 0.0 { 1.0 } else { 0.0 }
    }
}

struct LeakyRelu;

impl Curve for LeakyRelu {
    #[inline(always)]
    fn value(x: f32) -> f32 {
        if x > 0.0 { x } else { LEAKY_SLOPE * x }
    }

    #[inline(always)]
    fn slope(x: f32, _: f32) -> f32 {
        if x > 0.0 { 1.0 } else { LEAKY_SLOPE }
    }
}

struct Tanh;

impl Curve for Tanh {
    #[inline(always)]
    fn value(x: f32) -> f32 {
        math::tanh(x)
    }

    #[inline(always)]
    fn slope(_: f32, y: f32) -> f32 {
        (-y).mul_add(y, 1.0)
    }
}

struct Sigmoid;

impl Curve for Sigmoid {
    #[inline(always)]
    fn value(x: f32) -> f32 {
        math::sigmoid(x)
    }

    #[inline(always)]
    fn slope(_: f32, y: f32) -> f32 {
        y * (1.0 - y)
    }
}

dispatch! {
    /// Replaces each x by y = f(x), and writes f'(x) to `slopes`.
    pub(super) fn activate(activation: Activation, values: &mut [f32], slopes: &mut [f32]) {
        narrow: activate_elements,
        wide: activate_elements,
    }
}

#[inline(always)]
fn activate_elements(activation: Activation, values: &mut [f32], slopes: &mut [f32]) {
    match activation {
        Activation::Relu => apply::<Relu>(values, slopes),
        Activation::LeakyRelu => apply::<LeakyRelu>(values, slopes),
        Activation::Tanh => apply::<Tanh>(values, slopes),
        Activation::Sigmoid => apply::<Sigmoid>(values, slopes),
    }
}

#[inline(always)]
fn apply<C: Curve>(values: &mut [f32], slopes: &mut [f32]) {
    for (value, slope) in values.iter_mut().zip(slopes) {
        let x = *value;
        let y = C::value(x);
        *value = cut(y);
        *slope = cut(C::slope(x, y));
    }
}

dispatch! {
    /// The same with dropout: `slopes` holds the mask m; x becomes m f(x), m becomes m f'(x).
    pub(super) fn activate_and_drop(
        activation: Activation,
        values: &mut [f32],
        slopes: &mut [f32],
    ) {
        narrow: drop_elements,
        wide: drop_elements,
    }
}

#[inline(always)]
fn drop_elements(activation: Activation, values: &mut [f32], slopes: &mut [f32]) {
    match activation {
        Activation::Relu => apply_and_drop::<Relu>(values, slopes),
        Activation::LeakyRelu => apply_and_drop::<LeakyRelu>(values, slopes),
        Activation::Tanh => apply_and_drop::<Tanh>(values, slopes),
        Activation::Sigmoid => apply_and_drop::<Sigmoid>(values, slopes),
    }
}

#[inline(always)]
fn apply_and_drop<C: Curve>(values: &mut [f32], slopes: &mut [f32]) {
    for (value, slope) in values.iter_mut().zip(slopes) {
        let mask = *slope;
        let x = *value;
        let y = C::value(x);
        *value = cut(y) * mask;
        *slope = cut(C::slope(x, y)) * mask;
    }
}
