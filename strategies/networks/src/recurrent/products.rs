//! Products of matrices in f32, each element summed in one order whatever the width of a vector.
//!
//! An element of a product is one chain of fused multiply-adds over the inner dimension, from first
//! to last. Wider machines only work on more elements at a time, so every machine gives equal bits.
//! Rows are padded with zeros to whole [`Lanes`] and come in eights, so that no product has a rest.
//!
//! The loops, a tile of the result in registers over a packed right side, follow K. Goto and R. van
//! de Geijn, *Anatomy of High-Performance Matrix Multiplication*, ACM TOMS 34 (2008).

use std::slice::{ChunksExact, ChunksExactMut};

/// Values in a unit of work: one vector of the widest machines, several vectors of others.
pub const LANE_COUNT: usize = 16;
/// Rows come in eights: as many as are summed side by side at most.
pub(super) const ROW_MULTIPLE: usize = 8;

/// Neighbouring values of a row.
pub type Lanes = [f32; LANE_COUNT];

/// Lanes of nothing but zeros.
pub(super) const ZERO: Lanes = [0.0; LANE_COUNT];

/// Lanes that hold a row of `width` values.
pub(super) fn lanes_for(width: usize) -> usize {
    width.div_ceil(LANE_COUNT)
}

/// Columns of a table `[rows, stride]` in row-major order, from lane `first` on.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    pub(super) table: &'a [Lanes],
    /// Lanes in a row.
    pub(super) stride: usize,
    /// Lanes before the columns.
    pub(super) first: usize,
}

/// The same, to be written.
pub(super) struct ColumnsMut<'a> {
    pub(super) table: &'a mut [Lanes],
    /// Lanes in a row.
    pub(super) stride: usize,
    /// Lanes before the columns.
    pub(super) first: usize,
}

impl<'a> Columns<'a> {
    /// All columns of a table.
    pub(super) fn whole(table: &'a [Lanes], stride: usize) -> Self {
        Self {
            table,
            stride,
            first: 0,
        }
    }

    /// The columns in the rows of the step `time` of a table `[length, rows, stride]`.
    pub(super) fn step(self, time: usize, rows: usize) -> Self {
        let table = step_of(self.table, time, rows * self.stride);
        Self { table, ..self }
    }
}

impl<'a> ColumnsMut<'a> {
    /// All columns of a table.
    pub(super) fn whole(table: &'a mut [Lanes], stride: usize) -> Self {
        Self {
            table,
            stride,
            first: 0,
        }
    }
}

/// The part of a table by steps that belongs to the step `time`; each has `size` elements.
pub(super) fn step_of<T>(table: &[T], time: usize, size: usize) -> &[T] {
    table
        .get(time * size..(time + 1) * size)
        .unwrap_or_default()
}

/// The same, to be written.
pub(super) fn step_of_mut<T>(table: &mut [T], time: usize, size: usize) -> &mut [T] {
    table
        .get_mut(time * size..(time + 1) * size)
        .unwrap_or_default()
}

/// The right side of a product, `[depth, columns]`, lane by lane: a lane of all rows lies close
/// together.
#[derive(Debug, Default)]
pub(super) struct Packed {
    depth: usize,
    /// `[columns in lanes, depth]`.
    blocks: Vec<Lanes>,
}

impl Packed {
    /// Makes it zeros of `depth` rows, at least one, with `lanes` lanes each.
    pub(super) fn clear(&mut self, depth: usize, lanes: usize) {
        self.depth = depth;
        self.blocks.clear();
        self.blocks.resize(depth * lanes, ZERO);
    }

    /// Writes `values` into `row`.
    pub(super) fn set_row(&mut self, row: usize, values: &[f32]) {
        let blocks = self.blocks.chunks_exact_mut(self.depth);
        for (block, values) in blocks.zip(values.chunks(LANE_COUNT)) {
            if let Some(lanes) = block.get_mut(row) {
                copy_into(lanes, values);
            }
        }
    }

    /// Writes `values` down `column`, one into each row.
    pub(super) fn set_column(&mut self, column: usize, values: &[f32]) {
        let mut blocks = self.blocks.chunks_exact_mut(self.depth);
        let block = blocks.nth(column / LANE_COUNT).unwrap_or_default();
        for (lanes, value) in block.iter_mut().zip(values) {
            if let Some(cell) = lanes.get_mut(column % LANE_COUNT) {
                *cell = *value;
            }
        }
    }
}

/// Replaces the first of `values` by `others`.
#[inline(always)]
pub(super) fn copy_into(values: &mut [f32], others: &[f32]) {
    for (value, other) in values.iter_mut().zip(others) {
        *value = *other;
    }
}

/// Adds to each of `sums` its counterpart.
#[inline(always)]
pub(super) fn add_lanes(sums: &mut [Lanes], others: &[Lanes]) {
    let others = others.as_flattened();
    for (sum, other) in sums.as_flattened_mut().iter_mut().zip(others) {
        *sum += other;
    }
}

/// Adds all rows to `sums`, first to last.
#[inline(always)]
pub(super) fn add_rows(sums: &mut [Lanes], rows: Columns<'_>) {
    for row in rows.table.chunks_exact(rows.stride) {
        add_lanes(sums, row);
    }
}

/// sums[r][n] += Σ factors[r][k] · packed[k][n], k from 0 to the depth of `packed`.
///
/// `QUADS` is how many fours of rows are summed side by side, 1 or 2: two of them hide the time
/// that a vector instruction takes, where registers are enough. No result depends on it.
#[inline(always)]
pub(super) fn add_product<const QUADS: usize>(
    factors: Columns<'_>,
    packed: &Packed,
    sums: ColumnsMut<'_>,
) {
    let tile_rows = QUADS * QUAD;

    // A block stays in the nearest cache while all rows pass by it.
    let blocks = packed.blocks.chunks_exact(packed.depth);
    for (lane, block) in (sums.first..).zip(blocks) {
        let factor_tiles = factors.table.chunks_exact(tile_rows * factors.stride);
        let sum_tiles = sums.table.chunks_exact_mut(tile_rows * sums.stride);
        for (factor_tile, sum_tile) in factor_tiles.zip(sum_tiles) {
            let mut factor_rows = factor_tile.chunks_exact(factors.stride);
            let mut next_heads = || next_heads(&mut factor_rows, factors.first, packed.depth);
            let mut sum_rows = sum_tile.chunks_exact_mut(sums.stride);
            let mut next_lanes = || next_lanes(&mut sum_rows, lane);

            if QUADS == 2 {
                let heads = [next_heads(), next_heads()];
                multiply_two(heads, block, [next_lanes(), next_lanes()]);
            } else {
                multiply_one(next_heads(), block, next_lanes());
            }
        }
    }
}

/// Rows in a quad.
const QUAD: usize = 4;

/// The first `depth` values, from lane `first` on, of the next four rows.
#[inline(always)]
fn next_heads<'a>(
    rows: &mut ChunksExact<'a, Lanes>,
    first: usize,
    depth: usize,
) -> Option<[&'a [f32]; QUAD]> {
    let mut next_head = || rows.next()?.get(first..)?.as_flattened().get(..depth);
    Some([next_head()?, next_head()?, next_head()?, next_head()?])
}

/// The lane of the next four rows.
#[inline(always)]
fn next_lanes<'a>(
    rows: &mut ChunksExactMut<'a, Lanes>,
    lane: usize,
) -> Option<[&'a mut Lanes; QUAD]> {
    let mut next_lane = || rows.next()?.get_mut(lane);
    Some([next_lane()?, next_lane()?, next_lane()?, next_lane()?])
}

#[inline(always)]
fn multiply_one(
    heads: Option<[&[f32]; QUAD]>,
    block: &[Lanes],
    places: Option<[&mut Lanes; QUAD]>,
) {
    let Some([row_0, row_1, row_2, row_3]) = heads else {
        return;
    };
    let Some(places) = places else {
        return;
    };

    let mut sums = load(&places);
    let factors = row_0.iter().zip(row_1).zip(row_2).zip(row_3);
    for ((((by_0, by_1), by_2), by_3), values) in factors.zip(block) {
        add_scaled(&mut sums, [*by_0, *by_1, *by_2, *by_3], values);
    }

    store(sums, places);
}

#[inline(always)]
fn multiply_two(
    heads: [Option<[&[f32]; QUAD]>; 2],
    block: &[Lanes],
    places: [Option<[&mut Lanes; QUAD]>; 2],
) {
    let [
        Some([row_0, row_1, row_2, row_3]),
        Some([row_4, row_5, row_6, row_7]),
    ] = heads
    else {
        return;
    };
    let [Some(places), Some(next_places)] = places else {
        return;
    };

    let mut sums = load(&places);
    let mut next_sums = load(&next_places);
    let factors = row_0.iter().zip(row_1).zip(row_2).zip(row_3);
    let next_factors = row_4.iter().zip(row_5).zip(row_6).zip(row_7);
    for ((factors, next_factors), values) in factors.zip(next_factors).zip(block) {
        let (((by_0, by_1), by_2), by_3) = factors;
        add_scaled(&mut sums, [*by_0, *by_1, *by_2, *by_3], values);
        let (((by_4, by_5), by_6), by_7) = next_factors;
        add_scaled(&mut next_sums, [*by_4, *by_5, *by_6, *by_7], values);
    }

    store(sums, places);
    store(next_sums, next_places);
}

/// sums[m][n] += Σ factors[r][m] · values[r][n] over all rows r in order. `sums` has as many lanes
/// as `values`; its rows are the columns of `factors` from the first on.
///
/// `QUADS` is how many fours of rows of `sums` are summed side by side, as in [`add_product`].
#[inline(always)]
pub(super) fn add_transposed_product<const QUADS: usize>(
    factors: Columns<'_>,
    values: Columns<'_>,
    sums: ColumnsMut<'_>,
) {
    const QUADS_IN_LANE: usize = LANE_COUNT / QUAD;
    let (quads, _) = factors.table.as_flattened().as_chunks::<QUAD>();
    let first_quad = factors.first * QUADS_IN_LANE;

    let sum_tiles = sums.table.chunks_exact_mut(QUADS * QUAD * sums.stride);
    for (quad, sum_tile) in (first_quad..).step_by(QUADS).zip(sum_tiles) {
        for lane in 0..sums.stride {
            let factor_rows = quads.chunks_exact(factors.stride * QUADS_IN_LANE);
            let value_rows = values.table.chunks_exact(values.stride);
            let pairs = factor_rows.zip(value_rows);
            let column = PairColumn {
                quad,
                lane: values.first + lane,
            };
            let mut sum_rows = sum_tile.chunks_exact_mut(sums.stride);
            let mut next_lanes = || next_lanes(&mut sum_rows, lane);

            if QUADS == 2 {
                sum_two(pairs, column, [next_lanes(), next_lanes()]);
            } else {
                sum_one(pairs, column, next_lanes());
            }
        }
    }
}

/// What is taken from each pair of rows: a quad, or two from it on, and a lane.
#[derive(Clone, Copy)]
struct PairColumn {
    quad: usize,
    lane: usize,
}

#[inline(always)]
fn sum_one<'a>(
    pairs: impl Iterator<Item = (&'a [[f32; QUAD]], &'a [Lanes])>,
    column: PairColumn,
    places: Option<[&mut Lanes; QUAD]>,
) {
    let Some(places) = places else {
        return;
    };

    let mut sums = load(&places);
    for (factors, values) in pairs {
        let factors = factors.get(column.quad);
        if let (Some(factors), Some(values)) = (factors, values.get(column.lane)) {
            add_scaled(&mut sums, *factors, values);
        }
    }

    store(sums, places);
}

#[inline(always)]
fn sum_two<'a>(
    pairs: impl Iterator<Item = (&'a [[f32; QUAD]], &'a [Lanes])>,
    column: PairColumn,
    places: [Option<[&mut Lanes; QUAD]>; 2],
) {
    let [Some(places), Some(next_places)] = places else {
        return;
    };

    let mut sums = load(&places);
    let mut next_sums = load(&next_places);
    for (factors, values) in pairs {
        let two_quads = factors
            .get(column.quad..)
            .and_then(|quads| quads.first_chunk());
        if let (Some([factors, next_factors]), Some(values)) = (two_quads, values.get(column.lane))
        {
            add_scaled(&mut sums, *factors, values);
            add_scaled(&mut next_sums, *next_factors, values);
        }
    }

    store(sums, places);
    store(next_sums, next_places);
}

/// Sums of four rows, which the compiler keeps in registers as long as nothing loops over them.
type Sums = [Lanes; QUAD];

#[inline(always)]
fn load([first, second, third, fourth]: &[&mut Lanes; QUAD]) -> Sums {
    [**first, **second, **third, **fourth]
}

#[inline(always)]
fn store(sums: Sums, [first, second, third, fourth]: [&mut Lanes; QUAD]) {
    [*first, *second, *third, *fourth] = sums;
}

/// sums[r] += factors[r] · values.
#[inline(always)]
fn add_scaled(sums: &mut Sums, factors: [f32; QUAD], values: &Lanes) {
    let [first, second, third, fourth] = sums;
    let [by_first, by_second, by_third, by_fourth] = factors;
    add_scaled_lanes(first, by_first, values);
    add_scaled_lanes(second, by_second, values);
    add_scaled_lanes(third, by_third, values);
    add_scaled_lanes(fourth, by_fourth, values);
}

#[inline(always)]
fn add_scaled_lanes(sums: &mut Lanes, factor: f32, values: &Lanes) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum = factor.mul_add(*value, *sum);
    }
}
