//! Ctrl+C and SIGTERM as events, so that the first press can mean "stop the work" rather than "stop
//! looking".

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{Exit, Failure};

/// What the user or the system asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Ctrl+C.
    Interactive,
    /// SIGTERM.
    Terminate,
}

/// From its creation on, neither signal ends the process by itself.
#[derive(Debug)]
pub struct Interrupts {
    interactive: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// Starts to listen.
    pub fn listen() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure {
            causes: vec![error.to_string()],
            ..Failure::new(Exit::Failed, "SYS-Signals", "cannot listen for Ctrl+C")
        };
        let interactive = signal(SignalKind::interrupt()).map_err(failed)?;
        Ok(Self {
            interactive,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    /// The next one. Several presses while nobody asked count as one.
    pub async fn next(&mut self) -> Interrupt {
        tokio::select! {
            _ = self.interactive.recv() => Interrupt::Interactive,
            _ = self.terminate.recv() => Interrupt::Terminate,
        }
    }
}
