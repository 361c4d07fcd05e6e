//! Ctrl+C, SIGTERM and SIGHUP as events, so that the first press can mean "stop the work" rather
//! than "stop looking".

use schemas::codes;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Exit, Failure};

/// A request of the user or of the system to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// Ctrl+C at the terminal.
    Interactive,
    /// SIGTERM, as a service manager sends it, or SIGHUP, as a terminal that is closed sends it.
    Terminate,
}

impl Interrupt {
    /// The exit code of a command that looks on until it is stopped: Ctrl+C is what was wished for.
    pub(crate) const fn exit_of_look(self) -> Exit {
        match self {
            Self::Interactive => Exit::Done,
            Self::Terminate => Exit::Terminated,
        }
    }
}

/// The signals. From its creation on, none of them ends the process by itself.
#[derive(Debug)]
pub(crate) struct Interrupts {
    interactive: Signal,
    terminate: Signal,
    /// None where whoever started the process has it ignore the signal, as `nohup` does.
    hang_up: Option<Signal>,
}

impl Interrupts {
    /// Starts to listen; a signal that arrives before the first call of `next` is kept.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let hang_up = match ignores_hang_up() {
            true => None,
            false => Some(listen_for(SignalKind::hangup())?),
        };

        Ok(Self {
            interactive: listen_for(SignalKind::interrupt())?,
            terminate: listen_for(SignalKind::terminate())?,
            hang_up,
        })
    }

    /// The next signal. Several that arrived since the last call count as one.
    pub(crate) async fn next(&mut self) -> Interrupt {
        tokio::select! {
            _ = self.interactive.recv() => Interrupt::Interactive,
            _ = self.terminate.recv() => Interrupt::Terminate,
            () = receive(&mut self.hang_up) => Interrupt::Terminate,
        }
    }
}

/// The next of these signals; never, where there are none.
async fn receive(signals: &mut Option<Signal>) {
    match signals {
        Some(signals) => {
            signals.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether this process was started to outlive its terminal.
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    has_first_signal(&status)
}

/// Whether the line `SigIgn:` of a process's status, a mask in hexadecimal digits, names the first
/// signal, which is SIGHUP.
fn has_first_signal(status: &str) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

fn listen_for(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure {
        causes: vec![error.to_string()],
        ..Failure::new(
            Exit::Failed,
            codes::SYS_SIGNALS,
            "cannot listen for Ctrl+C, SIGTERM and SIGHUP",
        )
        .with_hint("this host does not let a program handle signals")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nohup_is_read_from_the_status_of_the_process() {
        let status = |mask: &str| format!("Name:\tktrdr\nSigBlk:\t0001\nSigIgn:\t{mask}\n");

        assert!(has_first_signal(&status("0000000000001001")));
        assert!(!has_first_signal(&status("0000000000001000")));
        assert!(!has_first_signal(""));
    }
}
