//! The console blocks of a page: what is typed, and what the page says comes back.

/// One command of a page with the output that the page shows for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Typed {
    /// Line of the page, from 1.
    pub line: usize,
    /// The command as bash reads it, continuation lines included.
    pub command: String,
    /// The lines shown below it, without blank ones.
    pub output: Vec<String>,
}

/// Reads every ` ```console ` block of `page`, top to bottom.
pub fn read_console(page: &str) -> Vec<Typed> {
    let mut commands: Vec<Typed> = Vec::new();
    let mut in_block = false;
    let mut continues = false;

    for (index, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            in_block = line == "```console";
            continue;
        }
        if !in_block || line.trim().is_empty() {
            continue;
        }

        // A pipe or a backslash at the end leaves the command open.
        let opens = line.ends_with('|') || line.ends_with('\\');
        if let Some(command) = line.strip_prefix("$ ") {
            let command = command.to_owned();
            commands.push(Typed {
                line: index + 1,
                command,
                output: Vec::new(),
            });
            continues = opens;
        } else if let Some(last) = commands.last_mut() {
            if continues {
                last.command.push('\n');
                last.command.push_str(line);
                continues = opens;
            } else {
                last.output.push(line.to_owned());
            }
        }
    }
    commands
}

#[test]
fn a_block_is_read_as_commands_with_their_output() {
    let page = "text\n\n```console\n$ one |\n    two\nout 1\n\n$ three\n```\n\n```sh\nfour\n```\n";

    let commands = read_console(page);

    let first = Typed {
        line: 4,
        command: "one |\n    two".into(),
        output: vec!["out 1".into()],
    };
    let second = Typed {
        line: 8,
        command: "three".into(),
        output: Vec::new(),
    };
    assert_eq!(commands, [first, second]);
}
