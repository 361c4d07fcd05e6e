//! Ctrl+C and SIGTERM as events, so that the first press can mean "stop the work" rather than "stop
//! looking".

use schemas::codes;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Exit, Failure};

/// A request of the user or of the system to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// Ctrl+C at the terminal.
    Interactive,
    /// SIGTERM, as a service manager sends it.
    Terminate,
}

/// Both signals. From its creation on, neither ends the process by itself.
#[derive(Debug)]
pub(crate) struct Interrupts {
    interactive: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// Starts to listen; a signal that arrives before the first call of `next` is kept.
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interactive: listen_for(SignalKind::interrupt())?,
            terminate: listen_for(SignalKind::terminate())?,
        })
    }

    /// The next signal. Several that arrived since the last call count as one.
    pub(crate) async fn next(&mut self) -> Interrupt {
        tokio::select! {
            _ = self.interactive.recv() => Interrupt::Interactive,
            _ = self.terminate.recv() => Interrupt::Terminate,
        }
    }
}

fn listen_for(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure {
        causes: vec![error.to_string()],
        ..Failure::new(
            Exit::Failed,
            codes::SYS_SIGNALS,
            "cannot listen for Ctrl+C and SIGTERM",
        )
        .with_hint("this host does not let a program handle signals")
    })
}
