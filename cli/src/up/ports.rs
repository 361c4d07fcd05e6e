//! The ports of a system's server, remembered in its folder: they stay over restarts, so that
//! whoever watches the system goes on by itself.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::UpError;
use crate::context::{FolderId, replace_private_file};

const FILE_NAME: &str = "ports.json";

/// Where the server of a folder listened the last time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RememberedPorts {
    /// Port for clients.
    pub(crate) port: u16,
    /// Port of the server's monitor.
    pub(crate) monitor_port: u16,
    /// The folder: a copy of it must not take the ports of the original.
    folder_id: FolderId,
    /// Where it was; none in a file of an earlier version.
    #[serde(default)]
    folder: Option<PathBuf>,
}

/// Where the server is to listen; none means any free port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PortChoice {
    /// Port for clients.
    pub(crate) port: Option<u16>,
    /// Port of the server's monitor.
    pub(crate) monitor_port: Option<u16>,
    /// The port of the last time, if another program has it now.
    pub(crate) taken: Option<u16>,
}

impl RememberedPorts {
    /// The ports in the folder of a system; none where it was never started, or in a copy.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(folder.join(FILE_NAME)).ok()?;
        let ports: Self = serde_json::from_str(&text).ok()?;
        let before = ports.folder.as_deref();
        ports.folder_id.is_of(folder, before).then_some(ports)
    }

    /// Remembers the ports for the next start.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn write(folder: &Path, port: u16, monitor_port: u16) -> std::io::Result<()> {
        let ports = Self {
            port,
            monitor_port,
            folder_id: FolderId::of(folder)?,
            folder: Some(folder.to_owned()),
        };
        let text = serde_json::to_string(&ports)?;
        replace_private_file(&folder.join(FILE_NAME), &format!("{text}\n"))
    }
}

/// The port that a person asked for, else the one of the last time if it is free, else any.
///
/// # Errors
/// The port that a person asked for is taken.
pub(crate) fn choose_ports(
    requested: Option<u16>,
    remembered: Option<&RememberedPorts>,
    is_free: impl Fn(u16) -> bool,
) -> Result<PortChoice, UpError> {
    let monitor_port = remembered
        .map(|ports| ports.monitor_port)
        .filter(|port| is_free(*port) && Some(*port) != requested);
    let last = remembered.map(|ports| ports.port);

    let port = match requested {
        Some(port) if !is_free(port) => return Err(UpError::PortTaken { port }),
        Some(port) => Some(port),
        None => last.filter(|port| is_free(*port)),
    };
    let taken = last.filter(|_| port.is_none());
    Ok(PortChoice {
        port,
        monitor_port,
        taken,
    })
}

/// Whether nobody listens on a port of this host.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered() -> RememberedPorts {
        RememberedPorts {
            port: 4000,
            monitor_port: 4001,
            folder_id: FolderId::of(Path::new("/")).unwrap(),
            folder: None,
        }
    }

    fn choice(port: Option<u16>, monitor_port: Option<u16>, taken: Option<u16>) -> PortChoice {
        PortChoice {
            port,
            monitor_port,
            taken,
        }
    }

    #[test]
    fn ports_stay_unless_somebody_else_has_them() {
        let last = remembered();
        let choose = |requested, free: &[u16]| {
            choose_ports(requested, Some(&last), |port| free.contains(&port)).unwrap()
        };

        let same = choice(Some(4000), Some(4001), None);
        assert_eq!(choose(None, &[4000, 4001]), same);

        let monitor_taken = choice(Some(4000), None, None);
        assert_eq!(choose(None, &[4000]), monitor_taken);

        let both_taken = choice(None, None, Some(4000));
        assert_eq!(choose(None, &[]), both_taken);

        let named = choice(Some(5000), Some(4001), None);
        assert_eq!(choose(Some(5000), &[4000, 4001, 5000]), named);

        let named_monitor = choice(Some(4001), None, None);
        assert_eq!(choose(Some(4001), &[4000, 4001]), named_monitor);
    }

    #[test]
    fn a_port_that_a_person_names_is_never_replaced() {
        let refused = choose_ports(Some(5000), None, |_| false);

        assert!(matches!(refused, Err(UpError::PortTaken { port: 5000 })));
    }

    #[test]
    fn a_folder_remembers_its_ports_and_a_copy_does_not() {
        let root = tempfile::tempdir().unwrap();
        let original = root.path().join("original");
        let copy = root.path().join("copy");
        std::fs::create_dir(&original).unwrap();
        std::fs::create_dir(&copy).unwrap();

        RememberedPorts::write(&original, 4000, 4001).unwrap();
        std::fs::copy(original.join(FILE_NAME), copy.join(FILE_NAME)).unwrap();

        assert_eq!(RememberedPorts::read(&original).unwrap().port, 4000);
        assert_eq!(RememberedPorts::read(&copy), None);
    }

    #[test]
    fn a_folder_remembers_its_ports_over_a_reboot() {
        let root = tempfile::tempdir().unwrap();
        let id = FolderId::of(root.path()).unwrap();
        RememberedPorts::write(root.path(), 4000, 4001).unwrap();

        // The system may give its devices other numbers.
        let ports = RememberedPorts {
            folder_id: id.on_another_device(),
            ..RememberedPorts::read(root.path()).unwrap()
        };
        let text = serde_json::to_string(&ports).unwrap();
        std::fs::write(root.path().join(FILE_NAME), text).unwrap();

        assert_eq!(RememberedPorts::read(root.path()), Some(ports));
    }
}
