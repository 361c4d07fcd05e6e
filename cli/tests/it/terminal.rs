//! The program in a pseudo-terminal: what a person sees on a screen of a certain width, types, and
//! leaves by closing the window.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::program::ktrdr_in;

const ROWS: u16 = 40;
/// No step of a test takes longer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program on a screen of its own; closing the window is dropping this.
pub(crate) struct Terminal {
    child: Child,
    /// Our end of the terminal: the only one, so that the window closes with it.
    window: Option<File>,
    screen: vt100::Parser,
}

impl Terminal {
    /// Starts `ktrdr` in `folder` on a screen with this many columns.
    pub(crate) fn start(folder: &Path, arguments: &[&str], columns: u16) -> Self {
        Self::start_command(&ktrdr_in(folder, arguments), columns)
    }

    /// Starts a command of [`ktrdr_in`], with its variables, on a screen.
    pub(crate) fn start_command(command: &Command, columns: u16) -> Self {
        let window = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let window = window.unwrap();
        grantpt(&window).unwrap();
        unlockpt(&window).unwrap();
        let size = Winsize {
            ws_row: ROWS,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&window, size).unwrap();

        // `setsid` makes the terminal that of the program, so that Ctrl+C and a closed window
        // reach it, also where the tests themselves run under `nohup` or in the background of a
        // script.
        let name = ptsname(&window, Vec::new()).unwrap();
        let side = || -> Stdio {
            let path = Path::new(name.to_str().unwrap());
            let opened = OpenOptions::new().read(true).write(true).open(path);
            opened.unwrap().into()
        };
        let variables = command
            .get_envs()
            .filter_map(|(key, value)| Some((key, value?)));
        let child = Command::new("env")
            .args(["--default-signal=HUP,INT", "setsid", "--ctty"])
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(command.get_current_dir().unwrap())
            .env_clear()
            .envs(variables)
            .env("TERM", "xterm-256color")
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .unwrap();

        Self {
            child,
            window: Some(File::from(window)),
            screen: vt100::Parser::new(ROWS, columns, 0),
        }
    }

    /// Types keys, as in `\x03` for Ctrl+C.
    pub(crate) fn type_keys(&mut self, keys: &str) {
        let window = self.window.as_mut().unwrap();
        window.write_all(keys.as_bytes()).unwrap();
    }

    /// Sends a signal to the program.
    pub(crate) fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Reads until the text is on the screen, also where it goes on in the next line.
    pub(crate) fn until(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.screen.screen().contents().contains(text) {
            assert!(
                Instant::now() < deadline && self.read_some(),
                "no `{text}` on the screen:\n{}",
                self.text()
            );
        }
    }

    /// Reads until the program has ended; its exit code, none if a signal ended it.
    pub(crate) fn until_ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        while self.read_some() {
            assert!(Instant::now() < deadline, "it runs on:\n{}", self.text());
        }
        self.child.wait().unwrap().code()
    }

    /// The lines of the screen, without blanks at their ends.
    pub(crate) fn text(&self) -> String {
        let screen = self.screen.screen();
        let rows = screen.rows(0, screen.size().1);
        let lines: Vec<String> = rows.map(|row| row.trim_end().to_owned()).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// The lines that do not fit on the screen: they go on in the next one.
    pub(crate) fn broken_lines(&self) -> Vec<String> {
        let screen = self.screen.screen();
        let rows = (0..).zip(screen.rows(0, screen.size().1));
        // A line that is filled up with blanks is whole.
        let broken = rows.filter(|(row, text)| screen.row_wrapped(*row) && !text.ends_with(' '));
        broken.map(|(_, text)| text).collect()
    }

    /// Closes the window and waits for the end of the program.
    pub(crate) fn close(mut self) -> Option<i32> {
        self.window = None;
        self.child.wait().unwrap().code()
    }

    /// Reads what has arrived, waiting for a while; false once the program has let go of the
    /// terminal.
    fn read_some(&mut self) -> bool {
        let window = self.window.as_mut().unwrap();
        let a_moment = Timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        let mut polled = [PollFd::new(&*window, PollFlags::IN)];
        if poll(&mut polled, Some(&a_moment)).unwrap() == 0 {
            return true;
        }

        let mut bytes = [0; 4096];
        match window.read(&mut bytes) {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.screen.process(&bytes[..count]);
                true
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.window = None;
        // It has ended, or ends because its window is gone.
        let _ = self.child.wait();
    }
}
