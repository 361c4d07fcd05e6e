//! `ktrdr completions`: a script by which a shell completes commands, flags, the ids of operations
//! and the names of schedules.

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
/// Commands below `schedule` whose arguments are names of schedules.
const WITH_SCHEDULES: [&str; 2] = ["show", "remove"];
/// The command by which a script asks for the names of schedules: they begin the lines below the
/// heads of the table.
const ASK_FOR_NAMES: &str = "ktrdr schedule list 2>/dev/null | \
                             sed -n '2,$s/^\\([a-z0-9_-]*\\) .*/\\1/p'";

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
    script.extend(names_script(args.shell).into_bytes());
    standard_output::write_bytes(&script);
    Exit::Done
}

/// What completes operations and schedules, after the script that completes everything else.
fn names_script(shell: ShellArg) -> String {
    match shell {
        ShellArg::Bash => bash_script(),
        ShellArg::Zsh => zsh_script(),
        ShellArg::Fish => fish_script(),
    }
}

fn bash_script() -> String {
    let operations = WITH_OPERATIONS.join("|");
    let schedules = WITH_SCHEDULES.join("|");

    format!(
        r#"
_ktrdr_names() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" names=""
    if [[ "$current" != -* ]] && (( COMP_CWORD > 1 )); then
        case "${{COMP_WORDS[1]}}" in
            {operations})
                names="last $({ASK_FOR_IDS})"
                ;;
            schedule)
                case "${{COMP_WORDS[2]}}" in
                    {schedules}) (( COMP_CWORD > 2 )) && names="$({ASK_FOR_NAMES})" ;;
                esac
                ;;
        esac
    fi
    if [[ -n "$names" ]]; then
        COMPREPLY=($(compgen -W "$names" -- "$current"))
        return 0
    fi
    _ktrdr "$@"
}}
complete -F _ktrdr_names -o nosort -o bashdefault -o default ktrdr
"#
    )
}

fn zsh_script() -> String {
    let operations = WITH_OPERATIONS.join("|");
    let schedules = WITH_SCHEDULES.join("|");

    format!(
        r#"
_ktrdr_names() {{
    if [[ "${{words[CURRENT]}}" != -* ]]; then
        case "${{words[2]}}" in
            {operations})
                if (( CURRENT > 2 )); then
                    compadd last $({ASK_FOR_IDS})
                    return 0
                fi
                ;;
            schedule)
                case "${{words[3]}}" in
                    {schedules})
                        if (( CURRENT > 3 )); then
                            compadd $({ASK_FOR_NAMES})
                            return 0
                        fi
                        ;;
                esac
                ;;
        esac
    fi
    _ktrdr "$@"
}}
compdef _ktrdr_names ktrdr
"#
    )
}

fn fish_script() -> String {
    let operations = WITH_OPERATIONS.join(" ");
    let schedules = WITH_SCHEDULES.join(" ");

    format!(
        "\ncomplete -c ktrdr -n '__fish_seen_subcommand_from {operations}' -f \
         -a \"last ({ASK_FOR_IDS})\"\n\
         complete -c ktrdr -n '__fish_seen_subcommand_from schedule; and \
         __fish_seen_subcommand_from {schedules}' -f -a \"({ASK_FOR_NAMES})\"\n"
    )
}
