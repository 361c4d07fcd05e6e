//! The command given after `--`: looked for before anything is started.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::error::UpError;

/// The program of a command, as a shell finds it: a path, or a name in one of the folders of
/// `$PATH`.
///
/// # Errors
/// There is none.
pub(super) fn find_command(
    command: &str,
    environment: &BTreeMap<String, String>,
    working_directory: &Path,
) -> Result<PathBuf, UpError> {
    let folders: Vec<PathBuf> = match (command.contains('/'), environment.get("PATH")) {
        (true, _) => vec![working_directory.to_owned()],
        (false, Some(path)) => std::env::split_paths(path).collect(),
        (false, None) => Vec::new(),
    };

    folders
        .iter()
        .map(|folder| working_directory.join(folder).join(command))
        .find(|path| is_program(path))
        .ok_or_else(|| UpError::NoCommand {
            command: command.to_owned(),
        })
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_found_as_a_shell_finds_it() {
        let path = [("PATH".to_owned(), "/nowhere:/bin".to_owned())].into();
        let find = |command| find_command(command, &path, Path::new("/usr"));

        assert_eq!(find("sh").unwrap(), Path::new("/bin/sh"));
        assert_eq!(find("/bin/sh").unwrap(), Path::new("/bin/sh"));
        assert_eq!(find("bin/env").unwrap(), Path::new("/usr/bin/env"));

        for command in ["nosuchcmd", "/etc/passwd", "/bin", ""] {
            let refused = find(command);
            assert!(
                matches!(refused, Err(UpError::NoCommand { .. })),
                "{command}"
            );
        }
    }
}
