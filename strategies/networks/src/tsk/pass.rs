//! The tables of one batch on its way through a neuro-fuzzy network, and back.

use super::kernels::{self, DistanceSums, Lane, QUAD, Quad, ZERO};
use super::panels::{Antecedents, Consequents};

/// Everything that is calculated for the rows of a batch. A table over rules is `[panels, rows]` of
/// lanes, with rows padded to whole tiles.
#[derive(Clone, Debug, Default)]
pub(super) struct Pass {
    rows: usize,
    padded_rows: usize,
    /// In blocks of columns, `[blocks, rows]`.
    blocks: Vec<Quad>,
    /// In tiles of rows, `[tiles, columns]`.
    tiles: Vec<Quad>,
    /// Share of each rule in the strengths of all: the logarithms first.
    shares: Vec<Lane>,
    /// What each rule says, `[outputs, panels, rows]`; on the way back its gradient.
    outcomes: Vec<Lane>,
    /// Gradient of the logarithm of each strength.
    deltas: Vec<Lane>,
    /// One number for each row.
    numbers: Vec<f32>,
}

impl Pass {
    /// Rows of the last batch.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Share of every rule in `row`, rules in order, then padding.
    pub(super) fn shares_of(&self, row: usize) -> impl Iterator<Item = f32> {
        let panels = self.shares.chunks_exact(self.padded_rows.max(1));
        let lanes = panels.filter_map(move |panel| panel.get(row));
        lanes.flatten().copied()
    }

    /// What every rule says of `row`, for one of the scores; rules in order, then padding.
    pub(super) fn outcomes_of(&self, row: usize, output: usize) -> impl Iterator<Item = f32> {
        let tables = self.outcomes.chunks_exact(self.shares.len().max(1));
        let table = tables.skip(output).take(1);
        let panels = table.flat_map(|table| table.chunks_exact(self.padded_rows.max(1)));
        let lanes = panels.filter_map(move |panel| panel.get(row));
        lanes.flatten().copied()
    }

    /// Scores of `inputs` `[rows, width]`, into `scores` `[rows, outputs]`.
    pub(super) fn forward(
        &mut self,
        antecedents: &Antecedents,
        consequents: &Consequents,
        inputs: &[f32],
        scores: &mut [f32],
    ) {
        self.take(consequents.inputs, inputs);
        self.shares
            .resize(antecedents.starts.len() * self.padded_rows, ZERO);
        self.outcomes
            .resize(consequents.biases.len() * self.padded_rows, ZERO);

        let rows = self.padded_rows;
        let members = &antecedents.panels;
        kernels::measure(
            &self.blocks,
            rows,
            members,
            &antecedents.starts,
            &mut self.shares,
        );
        kernels::share(&mut self.shares, &mut self.numbers);

        let weights = &consequents.weights;
        kernels::multiply(
            &self.blocks,
            rows,
            weights,
            &consequents.biases,
            &mut self.outcomes,
        );
        kernels::mix(
            &self.shares,
            &self.outcomes,
            rows,
            consequents.outputs,
            scores,
        );
    }

    /// Copies `inputs` to blocks and tiles. Tables keep their room once the largest batch was seen.
    fn take(&mut self, width: usize, inputs: &[f32]) {
        self.rows = inputs.len() / width.max(1);
        self.padded_rows = self.rows.next_multiple_of(QUAD);
        self.numbers.resize(self.padded_rows, 0.0);

        let columns = width.next_multiple_of(QUAD);
        let quads = columns * self.padded_rows / QUAD;
        self.blocks.resize(quads, [0.0; QUAD]);
        self.tiles.resize(quads, [0.0; QUAD]);

        // Padding of the last batch must not stay.
        self.tiles.fill([0.0; QUAD]);
        self.blocks.fill([0.0; QUAD]);
        let tiles = self.tiles.chunks_exact_mut(columns.max(1));
        for (tile, rows) in tiles.zip(inputs.chunks(QUAD * width.max(1))) {
            for (position, row) in rows.chunks_exact(width.max(1)).enumerate() {
                for (cell, value) in tile.iter_mut().zip(row) {
                    if let Some(cell) = cell.get_mut(position) {
                        *cell = *value;
                    }
                }
            }
        }
        for (index, block) in self
            .blocks
            .chunks_exact_mut(self.padded_rows.max(1))
            .enumerate()
        {
            for (quad, row) in block.iter_mut().zip(inputs.chunks_exact(width.max(1))) {
                let columns = row.get(QUAD * index..).unwrap_or_default();
                for (cell, value) in quad.iter_mut().zip(columns) {
                    *cell = *value;
                }
            }
        }
    }

    /// From the gradients by the scores, `[rows, outputs]`, to those by the outcomes of the rules
    /// and by the logarithms of their strengths.
    pub(super) fn backward(&mut self, score_gradients: &[f32], outputs: usize) {
        self.deltas.resize(self.shares.len(), ZERO);
        kernels::spread(
            &self.shares,
            score_gradients,
            outputs,
            self.padded_rows,
            &mut self.outcomes,
            &mut self.deltas,
        );
        kernels::differentiate(&self.shares, &mut self.deltas, &mut self.numbers);
    }

    /// The sums over rows that the gradients of members are made of, one for each antecedent.
    pub(super) fn sum_distances(&self, antecedents: &Antecedents, sums: &mut Vec<DistanceSums>) {
        sums.resize(antecedents.panels.len(), DistanceSums::ZERO);
        let rows = self.padded_rows;
        kernels::correlate_distances(&self.deltas, &self.tiles, rows, &antecedents.panels, sums);
    }

    /// The gradients of the consequents, in panels.
    pub(super) fn sum_outcomes(
        &self,
        consequents: &Consequents,
        weights: &mut Vec<Lane>,
        biases: &mut Vec<Lane>,
    ) {
        weights.resize(consequents.weights.len(), ZERO);
        biases.resize(consequents.biases.len(), ZERO);

        // A score's gradient reaches an outcome by the share of its rule, which is in it already.
        kernels::correlate(
            &self.outcomes,
            &self.tiles,
            self.padded_rows,
            weights,
            biases,
        );
    }
}
