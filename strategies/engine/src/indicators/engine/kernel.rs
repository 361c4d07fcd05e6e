//! The formula of an indicator: one step per bar, and for some types blocks of rows.
//!
//! A [`Kernel`] takes one input at a time through a small state, so that no value can see a later
//! bar. A whole series is computed by the same steps, unless the type also has a [`BlockKernel`],
//! whose loops over columns give the same bits sooner. `docs/block-kernels.md` works an example.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::inputs::Input;

/// Most rows of a block. So few that the columns of a block stay in the nearest cache, and that
/// the processor already fetches the next block while it works on this one.
pub(crate) const BLOCK: usize = 128;

/// Rows before a block that it may look back on; no window of an indicator is longer.
pub(crate) const HISTORY: usize = 512;

/// Columns that a block may use as it likes, each with room for the block and its history.
pub(crate) type Scratch = [[f64; HISTORY + BLOCK]; 4];

/// The formula, step by step. Its whole state is what serde writes.
pub(crate) trait Kernel<I: Input, const OUTPUTS: usize>:
    Clone + Send + Sync + Serialize + DeserializeOwned + 'static
{
    /// Takes the next input; yields one value per output. A value that is not finite is undefined.
    fn step(&mut self, input: I) -> [f64; OUTPUTS];
}

/// The same formula for many rows at once, for whole series.
///
/// Only for types whose series it computes at least a tenth faster than the steps do; the bench
/// `block_kernels` measures that, and each implementation says what its rows cost without it.
pub(crate) trait BlockKernel<I: Input, const OUTPUTS: usize>: Kernel<I, OUTPUTS> {
    /// Most rows that [`try_block`](Self::try_block) takes at once; 0 for a type that has none.
    const TRY_ROWS: usize = 0;

    /// True once the formula has all the history it needs. The rows before go step by step, so a
    /// block need not know how a formula begins.
    fn is_warm(&self) -> bool;

    /// Fills the cells of the last rows of `run`, those from `from` on; at most [`BLOCK`] of them.
    /// No input of the run is missing, and since the kernel was warm all its rows before `from`
    /// have gone through this function.
    ///
    /// Must give the bits that the steps give. As no step comes after a block, a block may read
    /// earlier inputs from the run, and leave alone the rings in which the steps remember them.
    fn block(
        &mut self,
        run: I::Rows<'_>,
        from: usize,
        cells: [&mut [f64]; OUTPUTS],
        scratch: &mut Scratch,
    );

    /// The same for rows whose inputs nobody has looked at: the block looks at them on its way,
    /// which is faster where a formula is as short as a look.
    ///
    /// True if every cell is finite or NaN and no input is missing. Else nothing but the cells has
    /// changed, and they are filled again by [`block`](Self::block).
    #[inline(always)]
    fn try_block(
        &mut self,
        _run: I::Rows<'_>,
        _from: usize,
        _cells: [&mut [f64]; OUTPUTS],
        _scratch: &mut Scratch,
    ) -> bool {
        false
    }
}
