//! Questions before something is taken away.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use super::Output;

/// True where a person can read a question and answer it: on a terminal, without `--json` and
/// `--quiet`.
pub(crate) fn can_ask(output: &Output) -> bool {
    let is_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    is_terminal && !output.json && !output.quiet
}

/// Asks a person, who must type y or yes. Where nobody can answer, the answer is no.
pub(crate) fn confirm(output: &Output, question: &str) -> bool {
    if !can_ask(output) {
        return false;
    }

    let mut err = std::io::stderr();
    let written = write!(err, "{question} [y/N] ").and_then(|()| err.flush());
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);

    written.is_ok() && read.is_ok() && is_yes(&answer)
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        assert!(is_yes("Yes\n"));
        assert!(!is_yes("\n"));
        assert!(!is_yes("yep\n"));
    }
}
