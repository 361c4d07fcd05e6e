//! How an indicator runs: one bar at a time through a small state, so that no value can see a later
//! bar.
//!
//! A [`Kernel`] is the formula; a [`Reader`] takes its input from the bars. A missing input (NaN or
//! infinite) makes the row undefined and restarts the kernel: a value depends only on the unbroken
//! run of inputs that ends at its row.
//!
//! A whole series is taken in blocks that stay in the nearest cache. A block is by default the
//! steps one after another; a kernel may replace that by loops over columns, as long as they give
//! the same bits. Blocks are compiled twice, also for processors with wide vectors and fused
//! multiply-add; as a fused operation is asked for by name (`mul_add`) and never left to the
//! compiler, the bits are the same everywhere.

use std::mem::ManuallyDrop;

use market::BarSlice;
use multiversion::multiversion;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::reader::{Input, Reader, Rows, gaps, part_mut};

/// Rows of a block. So few that the processor already fetches the next block while it works on this
/// one.
pub(super) const BLOCK: usize = 128;

/// Rows before a block that it may look back on; no indicator looks back further.
pub(super) const HISTORY: usize = 512;

/// Bytes.
const CACHE_LINE: usize = 64;

/// Columns that a block may write over, each with room for the block and its history.
pub(super) type Scratch = [[f64; HISTORY + BLOCK]; 4];

/// The prices and the volume of one bar; NaN = missing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Traded volume; NaN = not available.
    pub volume: f64,
}

/// The formula: takes the next input, yields one value per output; what is not finite is not
/// defined. Its whole state is what serde writes.
pub(super) trait Kernel<I: Input, const OUTPUTS: usize>:
    Clone + Send + Sync + Serialize + DeserializeOwned + 'static
{
    fn step(&mut self, input: I) -> [f64; OUTPUTS];

    /// True once [`Kernel::warm_step`] gives the same as [`Kernel::step`], until the kernel is
    /// restarted.
    #[inline(always)]
    fn is_warm(&self) -> bool {
        false
    }

    /// The step without what only the first rows need.
    #[inline(always)]
    fn warm_step(&mut self, input: I) -> [f64; OUTPUTS] {
        self.step(input)
    }

    /// Fills the cells of the rows from `from` on of an unbroken run, all of whose earlier rows it
    /// has taken in blocks; at most [`BLOCK`] of them. Gives, bit for bit, what the steps give. A
    /// kernel takes either steps or blocks, so a block may read earlier inputs from the run instead
    /// of remembering them.
    #[inline(always)]
    fn block(
        &mut self,
        run: I::Rows<'_>,
        from: usize,
        cells: [&mut [f64]; OUTPUTS],
        _: &mut Scratch,
    ) {
        self.steps(run, from, cells);
    }

    /// Rows of an unseen block. More than [`BLOCK`] where a formula takes no longer for them than
    /// beginning a block does; fewer where one that fails has cost much.
    const UNSEEN: usize = BLOCK;

    /// As [`Kernel::block`], but of [`Kernel::UNSEEN`] rows at most whose inputs may be missing.
    /// False when one of them is, or for a kernel that cannot tell, with nothing changed but the
    /// cells; else every cell is finite or NaN. For formulas so short that looking at all inputs
    /// and outputs takes long beside them.
    #[inline(always)]
    fn unseen_block(
        &mut self,
        _: I::Rows<'_>,
        _: usize,
        _: [&mut [f64]; OUTPUTS],
        _: &mut Scratch,
    ) -> bool {
        false
    }

    /// A block as steps.
    #[inline(always)]
    fn steps(&mut self, run: I::Rows<'_>, from: usize, cells: [&mut [f64]; OUTPUTS]) {
        let mut cells = cells.map(|cells| cells.iter_mut());
        let mut inputs = run.part(from..run.len()).each();
        while !self.is_warm() {
            let Some(input) = inputs.next() else { return };
            write(&mut cells, self.step(input));
        }
        // Loops and no `for_each`, whose body might become a function of its own, without the wide
        // instructions.
        if let [cells] = &mut cells[..] {
            for (cell, input) in cells.zip(inputs) {
                *cell = self.warm_step(input).into_iter().sum();
            }
        } else {
            for input in inputs {
                write(&mut cells, self.warm_step(input));
            }
        }
    }
}

/// A value into the next cell of each column.
#[inline(always)]
fn write<const OUTPUTS: usize>(
    cells: &mut [std::slice::IterMut<'_, f64>; OUTPUTS],
    row: [f64; OUTPUTS],
) {
    for (cells, value) in cells.iter_mut().zip(row) {
        if let Some(cell) = cells.next() {
            *cell = value;
        }
    }
}

/// A running computation with its types erased.
pub(super) trait Engine: Send + Sync {
    /// Goes over a whole series, a stretch at a time.
    fn over<'a>(self: Box<Self>, bars: BarSlice<'a>) -> Box<dyn Walk + 'a>;
    /// Takes one bar; fills one cell per output.
    fn push(&mut self, bar: &Bar, outputs: &mut [f64]);
    /// The state after the bars so far, as MessagePack.
    fn save(&self) -> Result<Vec<u8>, rmp_serde::encode::Error>;
    /// Goes on from a state that [`Engine::save`] gave for the same indicator.
    fn load(&mut self, state: &[u8]) -> Result<(), rmp_serde::decode::Error>;
    /// A copy with its own state.
    fn copy(&self) -> Box<dyn Engine>;
}

/// An indicator on its way over a series.
pub(crate) trait Walk {
    /// Fills the cells of the next rows: a column an output, in output order and all of one length.
    fn fill(&mut self, columns: &mut [&mut [f64]]);
}

/// A kernel with its reader, ready to run.
pub(super) fn engine<R, K, const OUTPUTS: usize>(reader: R, kernel: K) -> Box<dyn Engine>
where
    R: Reader,
    K: Kernel<R::Input, OUTPUTS>,
{
    Box::new(Runner {
        reader,
        fresh: kernel.clone(),
        state: State {
            kernel,
            started: false,
        },
    })
}

#[derive(Clone)]
struct Runner<R, K, const OUTPUTS: usize> {
    reader: R,
    fresh: K,
    state: State<K>,
}

#[derive(Clone, Serialize, Deserialize)]
struct State<K> {
    kernel: K,
    /// True when the kernel has taken an input since it was fresh.
    started: bool,
}

#[cold]
#[inline(never)]
fn restart<K: Clone>(fresh: &K) -> K {
    fresh.clone()
}

/// What is not finite is undefined.
#[inline(always)]
pub(super) fn defined(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NAN }
}

/// Makes undefined what is not finite.
#[inline(always)]
pub(super) fn define(cells: &mut [f64]) {
    if gaps(cells) > 0 {
        for cell in cells {
            *cell = defined(*cell);
        }
    }
}

/// Where a walk is.
#[derive(Clone, Copy)]
struct Place {
    /// First row of the unbroken run that the next row may belong to.
    first: usize,
    /// The next row.
    at: usize,
}

/// Fills as many rows as the columns have from `place` on; where it is then. The state is a local
/// variable meanwhile, whose address nothing takes, not even a clean-up after a panic: so it lives
/// in registers.
#[multiversion(targets("x86_64+avx+avx2+fma+bmi1+bmi2"), dispatcher = "direct")]
fn fill<R, K, const OUTPUTS: usize>(
    reader: &R,
    fresh: &K,
    state: &mut K,
    rows: <R::Input as Input>::Rows<'_>,
    place: Place,
    mut columns: [&mut [f64]; OUTPUTS],
) -> Place
where
    R: Reader,
    K: Kernel<R::Input, OUTPUTS>,
{
    let Place { mut first, mut at } = place;
    let mut kernel = ManuallyDrop::new(std::mem::replace(state, fresh.clone()));
    let mut scratch = [[0.0; HISTORY + BLOCK]; 4];
    let last = rows
        .len()
        .min(at + columns.first().map_or(0, |column| column.len()));
    // A short first block lets the others begin where a line of the cache does.
    let lead = columns
        .first()
        .map_or(0, |column| column.as_ptr().align_offset(CACHE_LINE))
        .min(BLOCK);
    let mut size = if lead == 0 { K::UNSEEN } else { lead };
    // What has been tried unseen and failed is looked at before any more is tried.
    let mut tried = at;
    while at < last {
        let from = at - first;
        if at >= tried {
            tried = last.min(at + size);
            size = K::UNSEEN;
            let cells = columns
                .each_mut()
                .map(|column| part_mut(column, tried - at));
            if kernel.unseen_block(rows.part(first..tried), from, cells, &mut scratch) {
                for column in &mut columns {
                    let _ = column.split_off_mut(..tried - at);
                }
                at = tried;
                continue;
            }
        }
        let end = tried.min(at + BLOCK);
        let block = rows.part(at..end);
        let given = if reader.are_given(block) {
            end - at
        } else {
            block.each().take_while(|row| reader.is_given(row)).count()
        };
        if given > 0 {
            let mut cells = columns
                .each_mut()
                .map(|column| column.split_off_mut(..given).unwrap_or_default());
            kernel.block(
                rows.part(first..at + given),
                from,
                cells.each_mut().map(|cells| &mut **cells),
                &mut scratch,
            );
            for cells in cells {
                define(cells);
            }
            at += given;
        }
        if at < end {
            for cell in columns
                .iter_mut()
                .filter_map(|column| column.split_off_first_mut())
            {
                *cell = f64::NAN;
            }
            if first < at {
                drop(ManuallyDrop::into_inner(std::mem::replace(
                    &mut kernel,
                    ManuallyDrop::new(restart(fresh)),
                )));
            }
            at += 1;
            first = at;
        }
    }
    *state = ManuallyDrop::into_inner(kernel);
    Place { first, at }
}

struct Walker<'a, R: Reader, K, const OUTPUTS: usize> {
    reader: R,
    fresh: K,
    kernel: K,
    columns: R::Columns<'a>,
    place: Place,
}

impl<R: Reader, K: Kernel<R::Input, OUTPUTS>, const OUTPUTS: usize> Walk
    for Walker<'_, R, K, OUTPUTS>
{
    fn fill(&mut self, columns: &mut [&mut [f64]]) {
        let mut columns = columns.iter_mut();
        let cells = std::array::from_fn(|_| {
            columns
                .next()
                .map(|column| &mut **column)
                .unwrap_or_default()
        });
        let rows = self.reader.rows(&self.columns);
        self.place = fill::<R, K, OUTPUTS>(
            &self.reader,
            &self.fresh,
            &mut self.kernel,
            rows,
            self.place,
            cells,
        );
    }
}

impl<R: Reader, K: Kernel<R::Input, OUTPUTS>, const OUTPUTS: usize> Engine
    for Runner<R, K, OUTPUTS>
{
    fn over<'a>(self: Box<Self>, bars: BarSlice<'a>) -> Box<dyn Walk + 'a> {
        let columns = self.reader.columns(bars);
        let place = Place { first: 0, at: 0 };
        let Self {
            reader,
            fresh,
            state,
        } = *self;
        Box::new(Walker::<R, K, OUTPUTS> {
            reader,
            fresh,
            kernel: state.kernel,
            columns,
            place,
        })
    }

    fn push(&mut self, bar: &Bar, outputs: &mut [f64]) {
        let input = self.reader.raw(bar);
        let mut row = [f64::NAN; OUTPUTS];
        if self.reader.is_given(&input) {
            self.state.started = true;
            row = self.state.kernel.step(input).map(defined);
        } else if self.state.started {
            self.state = State {
                kernel: restart(&self.fresh),
                started: false,
            };
        }
        outputs
            .iter_mut()
            .zip(row)
            .for_each(|(cell, value)| *cell = value);
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
