//! Runs a kernel over a series or a stream of bars, and keeps the rules that hold for every type.
//!
//! A missing input (NaN or infinite) makes its row undefined and restarts the kernel, so a value
//! depends only on the unbroken run of inputs that ends at its row. What a formula yields beyond
//! the finite numbers is undefined.
//!
//! A whole series goes through [`fill`], which is compiled twice: for any processor, and for those
//! with wide vectors and fused multiply-add. The bits are the same on both, because a fused
//! operation is asked for by name (`mul_add`) and never left to the compiler.

use std::marker::PhantomData;

use market::BarSlice;
use multiversion::multiversion;
use serde::{Deserialize, Serialize};

use super::bar::Bar;
use super::inputs::{Input, Rows, first_mut, has_gap};
use super::kernel::{BLOCK, BlockKernel, HISTORY, Kernel, Scratch};
use super::reader::Reader;

/// A computation whose reader and kernel are known at run time only.
pub(crate) trait Engine: Send + Sync {
    /// Starts on a whole series, by blocks where the type has them.
    fn over<'a>(self: Box<Self>, bars: BarSlice<'a>) -> Box<dyn Walk + 'a>;

    /// Starts on a whole series by steps, whatever the type has.
    fn over_by_steps<'a>(self: Box<Self>, bars: BarSlice<'a>) -> Box<dyn Walk + 'a>;

    /// True when [`Engine::over`] goes by blocks.
    fn has_blocks(&self) -> bool;

    /// Takes one bar; fills one cell per output.
    fn push(&mut self, bar: &Bar, outputs: &mut [f64]);

    /// The state after the bars so far, as MessagePack.
    fn save(&self) -> Result<Vec<u8>, rmp_serde::encode::Error>;

    /// Continues from a state that [`Engine::save`] gave for the same indicator.
    fn load(&mut self, state: &[u8]) -> Result<(), rmp_serde::decode::Error>;

    /// A copy with a state of its own.
    fn copy(&self) -> Box<dyn Engine>;
}

/// An indicator on its way over a series.
pub(crate) trait Walk {
    /// Fills the cells of the next rows: one column per output, in output order and all of one
    /// length.
    fn fill(&mut self, columns: &mut [&mut [f64]]);
}

/// An engine whose series go step by step.
pub(crate) fn run_steps<R, K, const OUTPUTS: usize>(reader: R, kernel: K) -> Box<dyn Engine>
where
    R: Reader,
    K: Kernel<R::Input, OUTPUTS>,
{
    Box::new(Runner::<R, K, Steps, OUTPUTS>::new(reader, kernel))
}

/// An engine whose series go by blocks.
pub(crate) fn run_blocks<R, K, const OUTPUTS: usize>(reader: R, kernel: K) -> Box<dyn Engine>
where
    R: Reader,
    K: BlockKernel<R::Input, OUTPUTS>,
{
    Box::new(Runner::<R, K, Blocks, OUTPUTS>::new(reader, kernel))
}

/// How a kernel goes over the rows of a series.
trait Pace<I: Input, K, const OUTPUTS: usize>: Clone + Send + Sync + 'static {
    const HAS_BLOCKS: bool;

    /// How many of the next rows may be filled before anybody has looked for missing inputs.
    fn rows_to_try(kernel: &Option<K>) -> usize;

    /// Like [`fill_rows`](Self::fill_rows), for rows whose inputs nobody has looked at; see
    /// [`BlockKernel::try_block`].
    fn try_rows(
        kernel: &mut Option<K>,
        run: I::Rows<'_>,
        from: usize,
        cells: [&mut [f64]; OUTPUTS],
        scratch: &mut Scratch,
    ) -> bool;

    /// Fills the cells of the last rows of `run`, those from `from` on. The kernel is optional so
    /// that an implementation can move it into a local variable for the time being.
    fn fill_rows(
        kernel: &mut Option<K>,
        run: I::Rows<'_>,
        from: usize,
        cells: [&mut [f64]; OUTPUTS],
        scratch: &mut Scratch,
    );
}

#[derive(Clone)]
struct Steps;

#[derive(Clone)]
struct Blocks;

impl<I: Input, K: Kernel<I, OUTPUTS>, const OUTPUTS: usize> Pace<I, K, OUTPUTS> for Steps {
    const HAS_BLOCKS: bool = false;

    #[inline(always)]
    fn rows_to_try(_: &Option<K>) -> usize {
        0
    }

    #[inline(always)]
    fn try_rows(
        _: &mut Option<K>,
        _: I::Rows<'_>,
        _: usize,
        _: [&mut [f64]; OUTPUTS],
        _: &mut Scratch,
    ) -> bool {
        false
    }

    #[inline(always)]
    fn fill_rows(
        state: &mut Option<K>,
        run: I::Rows<'_>,
        from: usize,
        mut cells: [&mut [f64]; OUTPUTS],
        _: &mut Scratch,
    ) {
        // A local variable, whose address nothing takes, can live in registers.
        let Some(mut kernel) = state.take() else {
            return;
        };
        let inputs = run.slice(from..run.len()).iter();

        // Loops and no `for_each`, whose body might become a function of its own, without the wide
        // instructions. One column has a loop of its own, which needs no array of iterators.
        if let [column] = &mut cells[..] {
            for (cell, input) in column.iter_mut().zip(inputs) {
                *cell = kernel.step(input).into_iter().sum();
            }
        } else {
            let mut cells = cells.map(|column| column.iter_mut());
            for input in inputs {
                let values = kernel.step(input);
                for (column, value) in cells.iter_mut().zip(values) {
                    if let Some(cell) = column.next() {
                        *cell = value;
                    }
                }
            }
        }
        *state = Some(kernel);
    }
}

impl<I: Input, K: BlockKernel<I, OUTPUTS>, const OUTPUTS: usize> Pace<I, K, OUTPUTS> for Blocks {
    const HAS_BLOCKS: bool = true;

    #[inline(always)]
    fn rows_to_try(kernel: &Option<K>) -> usize {
        let is_warm = K::TRY_ROWS > 0 && kernel.as_ref().is_some_and(K::is_warm);
        if is_warm { K::TRY_ROWS } else { 0 }
    }

    #[inline(always)]
    fn try_rows(
        kernel: &mut Option<K>,
        run: I::Rows<'_>,
        from: usize,
        cells: [&mut [f64]; OUTPUTS],
        scratch: &mut Scratch,
    ) -> bool {
        match kernel {
            Some(kernel) => kernel.try_block(run, from, cells, scratch),
            None => false,
        }
    }

    #[inline(always)]
    fn fill_rows(
        kernel: &mut Option<K>,
        run: I::Rows<'_>,
        mut from: usize,
        mut cells: [&mut [f64]; OUTPUTS],
        scratch: &mut Scratch,
    ) {
        let Some(kernel) = kernel else {
            return;
        };
        // A block reads the n rows before it, which a kernel that is not warm does not have.
        if !kernel.is_warm() {
            let first_rows = run.slice(from..run.len());
            let rows = step_until_warm(kernel, first_rows, &mut cells);
            from += rows;
            cells = cells.map(|column| column.get_mut(rows..).unwrap_or_default());
        }

        if from < run.len() {
            kernel.block(run, from, cells, scratch);
        }
    }
}

/// Fills rows by steps until the kernel is warm or the rows end. Returns how many it has filled.
#[cold]
#[inline(never)]
fn step_until_warm<I: Input, K: BlockKernel<I, OUTPUTS>, const OUTPUTS: usize>(
    kernel: &mut K,
    inputs: I::Rows<'_>,
    cells: &mut [&mut [f64]; OUTPUTS],
) -> usize {
    let mut rows = 0;
    for input in inputs.iter() {
        if kernel.is_warm() {
            break;
        }

        for (column, value) in cells.iter_mut().zip(kernel.step(input)) {
            if let Some(cell) = column.get_mut(rows) {
                *cell = value;
            }
        }
        rows += 1;
    }
    rows
}

/// What a computation is made of, and restarts from.
#[derive(Clone)]
struct Formula<R, K> {
    reader: R,
    /// The kernel before any input.
    fresh: K,
}

#[derive(Clone)]
struct Runner<R, K, P, const OUTPUTS: usize> {
    formula: Formula<R, K>,
    state: State<K>,
    pace: PhantomData<P>,
}

#[derive(Clone, Serialize, Deserialize)]
struct State<K> {
    kernel: K,
    /// True when the kernel has taken an input since it was fresh.
    started: bool,
}

impl<R, K: Clone, P, const OUTPUTS: usize> Runner<R, K, P, OUTPUTS> {
    fn new(reader: R, kernel: K) -> Self {
        let state = State {
            kernel: kernel.clone(),
            started: false,
        };

        Self {
            formula: Formula {
                reader,
                fresh: kernel,
            },
            state,
            pace: PhantomData,
        }
    }
}

impl<R: Reader, K, P, const OUTPUTS: usize> Runner<R, K, P, OUTPUTS> {
    fn into_walker<Q>(self, bars: BarSlice<'_>) -> Walker<'_, R, K, Q, OUTPUTS> {
        Walker {
            columns: self.formula.reader.make_columns(bars),
            formula: self.formula,
            kernel: Some(self.state.kernel),
            position: Position::default(),
            pace: PhantomData,
        }
    }
}

impl<R, K, P, const OUTPUTS: usize> Engine for Runner<R, K, P, OUTPUTS>
where
    R: Reader,
    K: Kernel<R::Input, OUTPUTS>,
    P: Pace<R::Input, K, OUTPUTS>,
{
    fn over<'a>(self: Box<Self>, bars: BarSlice<'a>) -> Box<dyn Walk + 'a> {
        Box::new(self.into_walker::<P>(bars))
    }

    fn over_by_steps<'a>(self: Box<Self>, bars: BarSlice<'a>) -> Box<dyn Walk + 'a> {
        Box::new(self.into_walker::<Steps>(bars))
    }

    fn has_blocks(&self) -> bool {
        P::HAS_BLOCKS
    }

    fn push(&mut self, bar: &Bar, outputs: &mut [f64]) {
        let input = self.formula.reader.read(bar);
        let mut row = [f64::NAN; OUTPUTS];

        if self.formula.reader.is_present(&input) {
            self.state.started = true;
            row = self.state.kernel.step(input).map(finite_or_nan);
        } else if self.state.started {
            self.state = State {
                kernel: restart(&self.formula.fresh),
                started: false,
            };
        }

        for (cell, value) in outputs.iter_mut().zip(row) {
            *cell = value;
        }
    }

    fn save(&self) -> Result<Vec<u8>, rmp_serde::encode::Error> {
        rmp_serde::to_vec(&self.state)
    }

    fn load(&mut self, state: &[u8]) -> Result<(), rmp_serde::decode::Error> {
        self.state = rmp_serde::from_slice(state)?;
        Ok(())
    }

    fn copy(&self) -> Box<dyn Engine> {
        Box::new(self.clone())
    }
}

/// Where a walk is.
#[derive(Clone, Copy, Default)]
struct Position {
    /// First row of the unbroken run of inputs that the next row may belong to.
    run_start: usize,
    next_row: usize,
}

struct Walker<'a, R: Reader, K, P, const OUTPUTS: usize> {
    formula: Formula<R, K>,
    /// Missing only while its rows are filled.
    kernel: Option<K>,
    columns: R::Columns<'a>,
    position: Position,
    pace: PhantomData<P>,
}

impl<R, K, P, const OUTPUTS: usize> Walk for Walker<'_, R, K, P, OUTPUTS>
where
    R: Reader,
    K: Kernel<R::Input, OUTPUTS>,
    P: Pace<R::Input, K, OUTPUTS>,
{
    fn fill(&mut self, columns: &mut [&mut [f64]]) {
        let mut columns = columns.iter_mut();
        let cells = std::array::from_fn(|_| match columns.next() {
            Some(column) => &mut **column,
            None => Default::default(),
        });

        let rows = self.formula.reader.rows(&self.columns);
        fill::<R, K, P, OUTPUTS>(
            &self.formula,
            &mut self.kernel,
            rows,
            &mut self.position,
            cells,
        );
    }
}

/// Length of a line of the cache, in bytes.
const CACHE_LINE: usize = 64;

/// Fills the columns with the values of the rows from `position` on, and moves it behind them.
#[multiversion(targets("x86_64+avx+avx2+fma+bmi1+bmi2"), dispatcher = "direct")]
fn fill<R, K, P, const OUTPUTS: usize>(
    formula: &Formula<R, K>,
    kernel: &mut Option<K>,
    rows: <R::Input as Input>::Rows<'_>,
    position: &mut Position,
    mut columns: [&mut [f64]; OUTPUTS],
) where
    R: Reader,
    K: Kernel<R::Input, OUTPUTS>,
    P: Pace<R::Input, K, OUTPUTS>,
{
    let mut scratch = [[0.0; HISTORY + BLOCK]; 4];
    let capacity = columns.first().map_or(0, |column| column.len());
    let end = rows.len().min(position.next_row + capacity);
    let aligned_row = position.next_row + cells_before_cache_line(&columns);
    // Rows before this one may hold a value that is not finite.
    let mut look_first_until = aligned_row;

    while position.next_row < end {
        let row = position.next_row;
        let rows_to_try = P::rows_to_try(kernel);
        if row >= look_first_until && rows_to_try > 0 {
            let try_end = end.min(row + rows_to_try);
            let run = rows.slice(position.run_start..try_end);
            let from = row - position.run_start;

            // Rows with a gap in their values are filled again, block by block after a look.
            if fill_before_look::<R, K, P, OUTPUTS>(kernel, run, from, &mut columns, &mut scratch) {
                position.next_row = try_end;
            } else {
                look_first_until = try_end;
            }
            continue;
        }

        // A short first block lets the others begin where a line of the cache does.
        let is_aligned = row >= aligned_row;
        let block_end = end.min(if is_aligned { row + BLOCK } else { aligned_row });
        let rows = rows.slice(0..block_end);
        fill_block::<R, K, P, OUTPUTS>(formula, kernel, rows, position, &mut columns, &mut scratch);
    }
}

/// Fills the cells of the rows from `position` to the end of `rows` or the first missing input, and
/// moves the position behind them.
#[inline(always)]
fn fill_block<R, K, P, const OUTPUTS: usize>(
    formula: &Formula<R, K>,
    kernel: &mut Option<K>,
    rows: <R::Input as Input>::Rows<'_>,
    position: &mut Position,
    columns: &mut [&mut [f64]; OUTPUTS],
    scratch: &mut Scratch,
) where
    R: Reader,
    K: Kernel<R::Input, OUTPUTS>,
    P: Pace<R::Input, K, OUTPUTS>,
{
    let Position {
        run_start,
        next_row: from,
    } = *position;
    let present = count_present(&formula.reader, rows.slice(from..rows.len()));
    let present_end = from + present;

    if present > 0 {
        let run = rows.slice(run_start..present_end);
        let mut cells = split_cells(columns, present);
        let filled_cells = cells.each_mut().map(|cells| &mut **cells);
        P::fill_rows(kernel, run, from - run_start, filled_cells, scratch);
        for cells in cells {
            mark_undefined(cells);
        }
        position.next_row = present_end;
    }

    // The first missing input ends the run; its row is undefined in every column.
    if present_end < rows.len() {
        for cells in split_cells(columns, 1) {
            cells.fill(f64::NAN);
        }
        // Between two missing inputs the kernel has taken nothing and needs no restart.
        if run_start < present_end {
            *kernel = Some(restart(&formula.fresh));
        }
        position.next_row = present_end + 1;
        position.run_start = position.next_row;
    }
}

/// Fills the cells of the rows of `run` from `from` on, whose inputs nobody has looked at. True if
/// all of them turn out to be finite; else the columns are as long as before.
#[inline(always)]
fn fill_before_look<R, K, P, const OUTPUTS: usize>(
    kernel: &mut Option<K>,
    run: <R::Input as Input>::Rows<'_>,
    from: usize,
    columns: &mut [&mut [f64]; OUTPUTS],
    scratch: &mut Scratch,
) -> bool
where
    R: Reader,
    P: Pace<R::Input, K, OUTPUTS>,
{
    let rows = run.len() - from;
    let cells = columns.each_mut().map(|column| first_mut(column, rows));
    if !P::try_rows(kernel, run, from, cells, scratch) {
        return false;
    }

    // Only now do the cells count as filled: the columns go on behind them.
    split_cells(columns, rows);
    true
}

/// How many inputs there are before the first missing one.
#[inline(always)]
fn count_present<R: Reader>(reader: &R, inputs: <R::Input as Input>::Rows<'_>) -> usize {
    if reader.are_present(inputs) {
        return inputs.len();
    }
    let present = inputs.iter().take_while(|input| reader.is_present(input));
    present.count()
}

/// Cells of the first column before the one that a line of the cache begins with; less than a
/// block.
fn cells_before_cache_line<const OUTPUTS: usize>(columns: &[&mut [f64]; OUTPUTS]) -> usize {
    let first_cell = columns.first().map(|column| column.as_ptr());
    let cells = first_cell.map_or(0, |cell| cell.align_offset(CACHE_LINE));
    cells % BLOCK
}

/// Takes the next `rows` cells off each column.
#[inline(always)]
fn split_cells<'a, const OUTPUTS: usize>(
    columns: &mut [&'a mut [f64]; OUTPUTS],
    rows: usize,
) -> [&'a mut [f64]; OUTPUTS] {
    columns
        .each_mut()
        .map(|column| column.split_off_mut(..rows).unwrap_or_default())
}

/// Out of line, because it happens at gaps only and would take registers from the loop.
#[cold]
#[inline(never)]
fn restart<K: Clone>(fresh: &K) -> K {
    fresh.clone()
}

/// NaN for a value that is not finite.
#[inline(always)]
pub(crate) fn finite_or_nan(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NAN }
}

/// Makes NaN of what is not finite. Looking first is faster than writing every cell again.
#[inline(always)]
fn mark_undefined(cells: &mut [f64]) {
    if has_gap(cells) {
        for cell in cells {
            *cell = finite_or_nan(*cell);
        }
    }
}
