//! Keeps `^C` off the screen while live lines are drawn: its echo would push them out of place.

use std::io::Stdin;

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

/// The echo of control characters is off until this is dropped. Does nothing when standard input is
/// no terminal.
#[derive(Debug)]
pub struct Hushed {
    stdin: Stdin,
    before: Termios,
}

impl Hushed {
    /// Turns it off.
    pub fn control_echo() -> Option<Self> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok()?;
        let mut hushed = before.clone();
        hushed.local_flags.remove(LocalFlags::ECHOCTL);
        tcsetattr(&stdin, SetArg::TCSANOW, &hushed).ok()?;
        Some(Self { stdin, before })
    }
}

impl Drop for Hushed {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(&self.stdin, SetArg::TCSANOW, &self.before);
    }
}
