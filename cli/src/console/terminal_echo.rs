//! Keeps `^C` off the screen while live lines are drawn: its echo would push them out of place.

use std::io::Stdin;

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

/// Turns the echo of control characters off, until it is dropped.
#[derive(Debug)]
pub(crate) struct ControlEchoOff {
    stdin: Stdin,
    before: Termios,
}

impl ControlEchoOff {
    /// Turns the echo off; none where standard input is not a terminal.
    pub(crate) fn set() -> Option<Self> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok()?;

        let mut without_echo = before.clone();
        without_echo.local_flags.remove(LocalFlags::ECHOCTL);
        tcsetattr(&stdin, SetArg::TCSANOW, &without_echo).ok()?;
        Some(Self { stdin, before })
    }
}

impl Drop for ControlEchoOff {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(&self.stdin, SetArg::TCSANOW, &self.before);
    }
}
