//! The NATS server of a local system: found, configured so that acknowledged means on disk,
//! started, kept on its ports.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::board::{Board, State};
use super::error::UpError;
use super::folder::Folder;
use super::program::{Pauses, end, ending, spawn, stopped_within};

const CONFIGURATION: &str = include_str!("../../../infra/nats/local.conf");
/// Recovery of a large store takes a while.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
const NAME: &str = "nats-server";

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Port of clients.
    pub(crate) port: u16,
    /// Port of the monitor.
    pub(crate) monitor_port: u16,
}

impl Addresses {
    /// For clients.
    pub(crate) fn nats_url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// For the monitor.
    pub(crate) fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor_port)
    }
}

/// A server that runs.
pub(crate) struct NatsServer {
    program: PathBuf,
    folder: Arc<Folder>,
    child: Child,
    addresses: Addresses,
}

/// The server program: in `$KTRDR_DEPS`, in `.deps` beside the checkout that `places` lie in, or on
/// `$PATH`.
///
/// # Errors
/// It is nowhere.
pub(crate) fn find_nats_server(
    env: &BTreeMap<String, String>,
    places: &[&Path],
) -> Result<PathBuf, UpError> {
    let named = env
        .get("KTRDR_DEPS")
        .map(|deps| Path::new(deps).join("nats/bin"));
    let checkouts = places
        .iter()
        .flat_map(|place| place.ancestors())
        .map(|folder| folder.join(".deps/nats/bin"));
    let path = env
        .get("PATH")
        .map(|path| std::env::split_paths(path).collect::<Vec<_>>())
        .unwrap_or_default();
    let mut folders = named.into_iter().chain(checkouts).chain(path);
    folders
        .find_map(|folder| Some(folder.join(NAME)).filter(|program| program.is_file()))
        .ok_or(UpError::NoServer)
}

impl NatsServer {
    /// Starts it and waits until it is ready; any free port unless one is given.
    ///
    /// # Errors
    /// It cannot be started, ends, or is not ready in a minute.
    pub(crate) async fn start(
        program: PathBuf,
        folder: Arc<Folder>,
        port: Option<u16>,
        board: &Board,
    ) -> Result<Self, UpError> {
        board.set(NAME, State::Starting, "");
        let (child, addresses) = launch(&program, &folder, port, None).await?;
        let server = Self {
            program,
            folder,
            child,
            addresses,
        };
        board.set(NAME, State::Ready, &server.detail());
        Ok(server)
    }

    /// Where it listens, for as long as the local system runs.
    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    fn detail(&self) -> String {
        format!(
            "{}, {}",
            self.addresses.nats_url(),
            self.folder.log(NAME).display()
        )
    }

    /// Keeps it running on the same ports until `stop` is true, then ends it.
    pub(crate) async fn supervise(mut self, board: Board, mut stop: watch::Receiver<bool>) {
        let mut pauses = Pauses::new();
        let mut started = Instant::now();
        loop {
            let ended = tokio::select! {
                ended = self.child.wait() => Some(ended.map_or_else(|error| error.to_string(), ending)),
                _ = stop.wait_for(|stop| *stop) => None,
            };
            let Some(mut reason) = ended else {
                board.set(NAME, State::Stopping, "");
                end(&mut self.child, STOP_TIMEOUT).await;
                return board.set(NAME, State::Stopped, "");
            };
            loop {
                let after = pauses.after(started.elapsed());
                tracing::warn!(reason, "the NATS server ended unasked");
                board.set(NAME, State::Restarting { reason, after }, "");
                if stopped_within(&mut stop, after).await {
                    return board.set(NAME, State::Stopped, "");
                }
                started = Instant::now();
                let Addresses { port, monitor_port } = self.addresses;
                match launch(&self.program, &self.folder, Some(port), Some(monitor_port)).await {
                    Ok((child, _)) => {
                        self.child = child;
                        board.set(NAME, State::Ready, &self.detail());
                        break;
                    }
                    Err(error) => reason = error.to_string(),
                }
            }
        }
    }
}

/// The configuration with its places filled in; no port means any free one.
fn configuration(folder: &Path, port: Option<u16>, monitor_port: Option<u16>) -> String {
    let shown = |port: Option<u16>| port.map_or_else(|| "-1".to_owned(), |port| port.to_string());
    CONFIGURATION
        .replace("{port}", &shown(port))
        .replace("{monitor_port}", &shown(monitor_port))
        .replace("{store_dir}", &folder.join("nats").display().to_string())
}

async fn launch(
    program: &Path,
    folder: &Folder,
    port: Option<u16>,
    monitor_port: Option<u16>,
) -> Result<(Child, Addresses), UpError> {
    let conf = folder.path().join("nats.conf");
    let text = configuration(folder.path(), port, monitor_port);
    std::fs::write(&conf, text).map_err(|source| UpError::Folder {
        path: conf.clone(),
        source,
    })?;
    let mut command = Command::new(program);
    command
        .arg("--config")
        .arg(&conf)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = spawn(command, program, folder)?;
    let not_ready = |reason: String| UpError::ServerNotReady {
        reason,
        log: folder.log(NAME),
    };
    let ready = wait_until_ready(&mut child, folder);
    let waited = tokio::time::timeout(READY_TIMEOUT, ready).await;
    let addresses = waited.map_err(|_| not_ready("it said nothing for a minute".to_owned()))??;
    Ok((child, addresses))
}

/// Copies the server's log to a file and reads the ports from it; ends with the line that says it
/// is ready.
async fn wait_until_ready(child: &mut Child, folder: &Folder) -> Result<Addresses, UpError> {
    let not_ready = |reason: String| UpError::ServerNotReady {
        reason,
        log: folder.log(NAME),
    };
    let mut log = folder.open_log(NAME)?;
    let stderr = child
        .stderr
        .take()
        .ok_or_else(|| not_ready("it has no log".to_owned()))?;
    let mut lines = BufReader::new(stderr).lines();
    let (mut port, mut monitor_port, mut last) = (None, None, String::new());
    while let Ok(Some(line)) = lines.next_line().await {
        drop(writeln!(log, "{line}"));
        port = port.or_else(|| port_after(&line, "Listening for client connections on "));
        monitor_port = monitor_port.or_else(|| port_after(&line, "Starting http monitor on "));
        if let (true, Some(port), Some(monitor_port)) =
            (line.ends_with("Server is ready"), port, monitor_port)
        {
            tokio::spawn(async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    drop(writeln!(log, "{line}"));
                }
            });
            return Ok(Addresses { port, monitor_port });
        }
        last = line;
    }
    Err(not_ready(
        last.rsplit_once("] ")
            .map_or(last.as_str(), |(_, text)| text)
            .to_owned(),
    ))
}

/// The port in a log line like `[7] … [INF] Listening for client connections on 127.0.0.1:4222`.
fn port_after(line: &str, text: &str) -> Option<u16> {
    line.split_once(text)?
        .1
        .rsplit_once(':')?
        .1
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_configuration_says_that_acknowledged_means_on_disk() {
        let text = configuration(Path::new("/home/ann/.ktrdr"), None, Some(8222));
        assert!(text.contains("sync_interval: always"));
        assert!(text.contains("listen: \"127.0.0.1:-1\""));
        assert!(text.contains("http: \"127.0.0.1:8222\""));
        assert!(text.contains("store_dir: \"/home/ann/.ktrdr/nats\""));
        assert!(
            text.lines()
                .filter(|line| !line.starts_with('#'))
                .all(|line| !line.contains("_port}"))
        );
    }

    #[test]
    fn ports_are_read_from_the_log_of_the_server() {
        let line = "[7] 2026/11/22 07:08:39.286861 [INF] Listening for client connections on 127.0.0.1:42117";
        assert_eq!(
            port_after(line, "Listening for client connections on "),
            Some(42117)
        );
        assert_eq!(
            port_after(
                "[7] [INF] Server is ready",
                "Listening for client connections on "
            ),
            None
        );
    }

    #[test]
    fn the_server_of_the_checkout_is_found_from_a_folder_deep_below_it() {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join(".deps/nats/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join(NAME), "").unwrap();
        let deep = root.path().join("target/debug");
        assert_eq!(
            find_nats_server(&BTreeMap::new(), &[deep.as_path()]).unwrap(),
            bin.join(NAME)
        );
        let nowhere = find_nats_server(&BTreeMap::new(), &[Path::new("/nowhere")]);
        assert!(matches!(nowhere, Err(UpError::NoServer)));
    }
}
