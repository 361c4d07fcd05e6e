//! `ktrdr completions`: a script by which a shell completes commands, flags and the ids of
//! operations.

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use crate::console::{Exit, standard_output};

/// Commands whose arguments are operations.
const WITH_OPERATIONS: [&str; 7] = [
    "status", "follow", "wait", "cancel", "resume", "retry", "tap",
];
/// The command by which a script asks for the ids of operations: they begin the lines of the
/// table, whose other columns may name other operations.
const ASK_FOR_IDS: &str = "ktrdr ops list 2>/dev/null | \
                           sed -n 's/^\\(op_[a-z0-9]*_[0-9]*_[0-9]*_[0-9a-f]*\\) .*/\\1/p'";

/// `ktrdr completions`.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell that reads the script
    #[arg(value_enum)]
    shell: ShellArg,
}

/// The shells that there are scripts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ShellArg {
    /// The shell GNU Bash
    Bash,
    /// The Z shell
    Zsh,
    /// The friendly interactive shell
    Fish,
}

/// Writes the script to standard output.
pub(crate) fn run(args: CompletionsArgs, mut command: Command) -> Exit {
    let shell = match args.shell {
        ShellArg::Bash => Shell::Bash,
        ShellArg::Zsh => Shell::Zsh,
        ShellArg::Fish => Shell::Fish,
    };

    let mut script = Vec::new();
    generate(shell, &mut command, "ktrdr", &mut script);
    script.extend(operations_script(args.shell).into_bytes());
    standard_output::write_bytes(&script);
    Exit::Done
}

/// What completes operations, after the script that completes everything else.
fn operations_script(shell: ShellArg) -> String {
    let commands = WITH_OPERATIONS.join("|");
    let words = WITH_OPERATIONS.join(" ");

    match shell {
        ShellArg::Bash => format!(
            r#"
_ktrdr_operations() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}"
    case "${{COMP_WORDS[1]}}" in
        {commands})
            if [[ "$current" != -* ]]; then
                COMPREPLY=($(compgen -W "last $({ASK_FOR_IDS})" -- "$current"))
                return 0
            fi
            ;;
    esac
    _ktrdr "$@"
}}
complete -F _ktrdr_operations -o nosort -o bashdefault -o default ktrdr
"#
        ),
        ShellArg::Zsh => format!(
            r#"
_ktrdr_operations() {{
    case "${{words[2]}}" in
        {commands})
            if [[ "${{words[CURRENT]}}" != -* ]] && (( CURRENT > 2 )); then
                compadd last $({ASK_FOR_IDS})
                return 0
            fi
            ;;
    esac
    _ktrdr "$@"
}}
compdef _ktrdr_operations ktrdr
"#
        ),
        ShellArg::Fish => format!(
            "\ncomplete -c ktrdr -n '__fish_seen_subcommand_from {words}' -f \
             -a \"last ({ASK_FOR_IDS})\"\n"
        ),
    }
}
