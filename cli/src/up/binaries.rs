//! Where the programs of the services are, and how to get one that is not built.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use schemas::ids::Service;
use schemas::subjects::service_name;

/// The folder of the service binaries: `$KTRDR_BIN_DIR`, else the folder of this program.
pub(crate) fn binaries_folder(env: &BTreeMap<String, String>) -> PathBuf {
    match env.get("KTRDR_BIN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => program_folder().unwrap_or_default(),
    }
}

fn program_folder() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    Some(program.parent()?.to_owned())
}

/// The binary of a service.
pub(crate) fn binary(folder: &Path, service: Service) -> PathBuf {
    folder.join(service_name(service))
}

/// The way to get the binary of a service that is not built.
pub(crate) const NOT_BUILT: &str = "not built: make build";

/// The flag by which a service reads a settings file; none where no file was named.
pub(crate) fn config_flag(file: Option<&Path>) -> Vec<OsString> {
    match file {
        Some(file) => vec!["--config".into(), file.into()],
        None => Vec::new(),
    }
}
