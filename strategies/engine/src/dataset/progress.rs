//! Progress of an assembly: one piece of work at a time is reported, whichever thread it is on, and
//! the receiver may stop everything.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use super::DataSetError;
use crate::resolve::Resolved;

/// Pieces of work of a symbol besides its indicators: bars, leak test, labels.
const WORKS_BESIDES_INDICATORS: usize = 3;

/// The piece of work that is about to begin. With several threads symbols take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssemblyStep<'a> {
    /// Id of the instrument.
    pub symbol: &'a str,
    /// 1-based position of the symbol.
    pub symbol_number: usize,
    /// Number of symbols.
    pub symbols: usize,
    /// `bars`, or the id of the indicator, or `leak test`, or `labels`.
    pub work: &'a str,
    /// 1-based position of the work within the symbol.
    pub work_number: usize,
    /// Pieces of work per symbol: indicators + 3.
    pub works: usize,
    /// Pieces of work of all symbols that began before this one.
    pub begun: usize,
}

/// Receives each [`AssemblyStep`] before it begins; `Break` stops the assembly.
pub(super) type ProgressReceiver<'a> =
    &'a mut (dyn FnMut(AssemblyStep<'_>) -> ControlFlow<()> + Send);

/// Passes the steps of all threads to one receiver.
pub(super) struct ProgressReporter<'a> {
    symbols: usize,
    works: usize,
    state: Mutex<ProgressState<'a>>,
}

struct ProgressState<'a> {
    receiver: ProgressReceiver<'a>,
    begun: usize,
    stopped: bool,
}

impl<'a> ProgressReporter<'a> {
    pub(super) fn new(resolved: &Resolved, receiver: ProgressReceiver<'a>) -> Self {
        Self {
            symbols: resolved.symbols.len(),
            works: resolved.indicators.len() + WORKS_BESIDES_INDICATORS,
            state: Mutex::new(ProgressState {
                receiver,
                begun: 0,
                stopped: false,
            }),
        }
    }

    /// The reports of one symbol. `symbol_number` is 1-based.
    pub(super) fn of_symbol<'r>(
        &'r self,
        symbol: &'r str,
        symbol_number: usize,
    ) -> SymbolProgress<'r, 'a> {
        SymbolProgress {
            reporter: self,
            symbol,
            symbol_number,
        }
    }
}

/// The reports of one symbol.
pub(super) struct SymbolProgress<'r, 'a> {
    reporter: &'r ProgressReporter<'a>,
    symbol: &'r str,
    symbol_number: usize,
}

impl SymbolProgress<'_, '_> {
    /// Reading the bars is about to begin: the first piece of work.
    ///
    /// # Errors
    /// [`DataSetError::Stopped`], here and below.
    pub(super) fn begin_bars(&self) -> Result<(), DataSetError> {
        self.begin(1, "bars")
    }

    /// The indicator at this 0-based position is about to be computed.
    pub(super) fn begin_indicator(&self, position: usize, id: &str) -> Result<(), DataSetError> {
        self.begin(position + 2, id)
    }

    /// The leak test is about to begin, after the last indicator.
    pub(super) fn begin_leak_test(&self) -> Result<(), DataSetError> {
        self.begin(self.reporter.works - 1, "leak test")
    }

    /// The labels are about to be computed: the last piece of work.
    pub(super) fn begin_labels(&self) -> Result<(), DataSetError> {
        self.begin(self.reporter.works, "labels")
    }

    fn begin(&self, work_number: usize, work: &str) -> Result<(), DataSetError> {
        let reporter = self.reporter;
        let mut state = reporter
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);

        // Once the receiver has said stop it is not called again, whichever thread asks.
        if !state.stopped {
            let step = AssemblyStep {
                symbol: self.symbol,
                symbol_number: self.symbol_number,
                symbols: reporter.symbols,
                work,
                work_number,
                works: reporter.works,
                begun: state.begun,
            };
            state.begun += 1;
            state.stopped = (state.receiver)(step).is_break();
        }

        if state.stopped {
            Err(DataSetError::Stopped)
        } else {
            Ok(())
        }
    }
}
