//! The NATS server of a local system: found, configured so that acknowledged means on disk,
//! started, kept on its ports.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::watch;

use super::binaries::binaries_folder;
use super::board::{Board, State};
use super::error::UpError;
use super::folder::Folder;
use super::ports::{PortChoice, RememberedPorts, choose_ports, is_free};
use super::program::{Pauses, describe_exit, end, spawn, stopped_within, wait_for_stop};
use crate::context::{LOCAL_KEYS, SERVER_FILE, replace_private_file};

const CONFIGURATION: &str = include_str!("../../../infra/nats/local.conf");
/// Recovery of a large store takes a while.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the server may take to stop before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
const NAME: &str = "nats-server";

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Port for clients.
    pub(crate) port: u16,
    /// Port of the server's monitor.
    pub(crate) monitor_port: u16,
}

impl Addresses {
    /// URL that clients connect to.
    pub(crate) fn nats_url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// URL of the server's monitor.
    pub(crate) fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor_port)
    }
}

/// A running server, and what it takes to start it again.
pub(crate) struct NatsServer {
    program: PathBuf,
    folder: Arc<Folder>,
    child: Child,
    addresses: Addresses,
    /// The port of the last time, if another program has it now.
    taken: Option<u16>,
}

/// The server program: in `$KTRDR_DEPS`, beside the services, in `.deps` of the checkout that one
/// of `places` lies in, or on `$PATH`.
///
/// # Errors
/// It is in none of them.
pub(crate) fn find_nats_server(
    env: &BTreeMap<String, String>,
    places: &[&Path],
) -> Result<PathBuf, UpError> {
    // The system's own server comes last, since it may be too old.
    let mut folders = Vec::new();
    if let Some(deps) = env.get("KTRDR_DEPS") {
        folders.push(Path::new(deps).join("nats/bin"));
    }
    // Where the archive of a release has it.
    folders.push(binaries_folder(env));
    for ancestor in places.iter().flat_map(|place| place.ancestors()) {
        folders.push(ancestor.join(".deps/nats/bin"));
    }
    if let Some(path) = env.get("PATH") {
        folders.extend(std::env::split_paths(path));
    }

    folders
        .into_iter()
        .map(|folder| folder.join(NAME))
        .find(|program| program.is_file())
        .ok_or(UpError::NoServer)
}

impl NatsServer {
    /// Starts the server and waits until it is ready: on the port that is named, else on the one of
    /// the last time, else on any free one.
    ///
    /// # Errors
    /// The named port is taken; the server cannot be started, ends, or is not ready in a minute.
    pub(crate) async fn start(
        program: PathBuf,
        folder: Arc<Folder>,
        port: Option<u16>,
        board: &Board,
    ) -> Result<Self, UpError> {
        board.set(NAME, State::Starting, "");
        let remembered = RememberedPorts::read(folder.path());
        let choice = choose_ports(port, remembered.as_ref(), is_free)?;
        let (child, addresses) = launch(&program, &folder, choice).await?;
        folder.remember_ports(addresses.port, addresses.monitor_port);

        let server = Self {
            program,
            folder,
            child,
            addresses,
            taken: choice.taken,
        };
        board.set(NAME, State::Ready, &server.detail());
        Ok(server)
    }

    /// Where it listens, for as long as the local system runs.
    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    fn detail(&self) -> String {
        let url = self.addresses.nats_url();
        let log = self.folder.log_text(NAME);
        match self.taken {
            None => format!("{url}, {log}"),
            Some(port) => format!("{url} (new: another program has {port}), {log}"),
        }
    }

    /// Keeps the server running on the same ports until `stop` is true, then ends it.
    pub(crate) async fn supervise(mut self, board: Board, mut stop: watch::Receiver<bool>) {
        let mut pauses = Pauses::new();
        loop {
            let started = Instant::now();
            let ended = tokio::select! {
                ended = self.child.wait() => ended,
                () = wait_for_stop(&mut stop) => {
                    board.set(NAME, State::Stopping, "");
                    end(&mut self.child, STOP_TIMEOUT).await;
                    return board.set(NAME, State::Stopped, "");
                }
            };

            // Every end that nobody asked for counts as a crash, also one with exit code 0.
            let reason = ended.map_or_else(|error| error.to_string(), describe_exit);
            let after = pauses.after(started.elapsed());
            if !self
                .restart(reason, after, &mut pauses, &board, &mut stop)
                .await
            {
                return board.set(NAME, State::Stopped, "");
            }
        }
    }

    /// Starts the server again, after `after` and then after growing pauses; false if it was
    /// stopped meanwhile.
    async fn restart(
        &mut self,
        mut reason: String,
        mut after: Duration,
        pauses: &mut Pauses,
        board: &Board,
        stop: &mut watch::Receiver<bool>,
    ) -> bool {
        // Clients reconnect to the address that they know, so that the ports must stay.
        let ports = PortChoice {
            port: Some(self.addresses.port),
            monitor_port: Some(self.addresses.monitor_port),
            taken: None,
        };
        loop {
            tracing::warn!(reason, "the NATS server ended unasked");
            board.set(NAME, State::Restarting { reason, after }, "");
            if stopped_within(stop, after).await {
                return false;
            }

            match launch(&self.program, &self.folder, ports).await {
                Ok((child, _)) => {
                    self.child = child;
                    board.set(NAME, State::Ready, &self.detail());
                    return true;
                }
                Err(error) => reason = error.to_string(),
            }
            after = pauses.after(Duration::ZERO);
        }
    }
}

/// The configuration with its places filled in; no port means any free one.
fn fill_configuration(folder: &Path, port: Option<u16>, monitor_port: Option<u16>) -> String {
    CONFIGURATION
        .replace("{port}", &port_text(port))
        .replace("{monitor_port}", &port_text(monitor_port))
        .replace("{store_dir}", &folder.join("nats").display().to_string())
        .replace("{permissions}", &format!("{LOCAL_KEYS}/{SERVER_FILE}"))
}

fn port_text(port: Option<u16>) -> String {
    port.map_or_else(|| "-1".to_owned(), |port| port.to_string())
}

async fn launch(
    program: &Path,
    folder: &Folder,
    ports: PortChoice,
) -> Result<(Child, Addresses), UpError> {
    let file = folder.path().join("nats.conf");
    let text = fill_configuration(folder.path(), ports.port, ports.monitor_port);
    replace_private_file(&file, &text).map_err(|source| UpError::Folder {
        path: file.clone(),
        source,
    })?;

    // The error output stays piped: in it the server says that it is ready, and where.
    let mut command = Command::new(program);
    command
        .arg("--config")
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = spawn(command, program, folder)?;
    let ready = wait_until_ready(&mut child, folder);
    match tokio::time::timeout(READY_TIMEOUT, ready).await {
        Ok(addresses) => Ok((child, addresses?)),
        Err(_) => Err(not_ready(folder, "it said nothing for a minute")),
    }
}

fn not_ready(folder: &Folder, reason: &str) -> UpError {
    UpError::ServerNotReady {
        reason: reason.to_owned(),
        log: folder.log(NAME),
    }
}

/// Copies the server's log to a file and reads the ports from it; ends with the line that says it
/// is ready.
async fn wait_until_ready(child: &mut Child, folder: &Folder) -> Result<Addresses, UpError> {
    let mut log = folder.open_log(NAME)?;
    let stderr = child.stderr.take();
    let stderr = stderr.ok_or_else(|| not_ready(folder, "it has no log"))?;
    let mut lines = BufReader::new(stderr).lines();

    let mut port = None;
    let mut monitor_port = None;
    let mut last = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        copy_line(&mut log, &line);
        port = port.or_else(|| port_after(&line, "Listening for client connections on "));
        monitor_port = monitor_port.or_else(|| port_after(&line, "Starting http monitor on "));
        if line.ends_with("Server is ready")
            && let (Some(port), Some(monitor_port)) = (port, monitor_port)
        {
            // A pipe that nobody reads would block the server once it is full.
            tokio::spawn(copy_rest(lines, log));
            return Ok(Addresses { port, monitor_port });
        }
        last = line;
    }

    // Without the time and the process id that begin each line of the log.
    let reason = match last.rsplit_once("] ") {
        Some((_, text)) => text,
        None => &last,
    };
    Err(not_ready(folder, reason))
}

async fn copy_rest(mut lines: Lines<BufReader<ChildStderr>>, mut log: File) {
    while let Ok(Some(line)) = lines.next_line().await {
        copy_line(&mut log, &line);
    }
}

fn copy_line(log: &mut File, line: &str) {
    // A full disk must not end the server; what it says is lost then.
    let _ = writeln!(log, "{line}");
}

/// The port in a log line like `[7] … [INF] Listening for client connections on 127.0.0.1:4222`.
fn port_after(line: &str, text: &str) -> Option<u16> {
    let (_, address) = line.split_once(text)?;
    let (_, port) = address.rsplit_once(':')?;
    port.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTENING: &str = "Listening for client connections on ";

    #[test]
    fn the_configuration_says_that_acknowledged_means_on_disk() {
        let text = fill_configuration(Path::new("/home/ann/.ktrdr"), None, Some(8222));

        assert!(text.contains("sync_interval: always"));
        assert!(text.contains("listen: \"127.0.0.1:-1\""));
        assert!(text.contains("http: \"127.0.0.1:8222\""));
        assert!(text.contains("store_dir: \"/home/ann/.ktrdr/nats\""));
        let mut settings = text.lines().filter(|line| !line.starts_with('#'));
        assert!(settings.all(|line| !line.contains("_port}")));
    }

    #[test]
    fn ports_are_read_from_the_log_of_the_server() {
        let line = format!("[7] 2026/11/22 07:08:39.286861 [INF] {LISTENING}127.0.0.1:42117");

        assert_eq!(port_after(&line, LISTENING), Some(42117));
        assert_eq!(port_after("[7] [INF] Server is ready", LISTENING), None);
    }

    #[test]
    fn the_server_of_the_checkout_is_found_from_a_deep_folder() {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join(".deps/nats/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join(NAME), "").unwrap();
        let deep = root.path().join("target/debug");

        let program = find_nats_server(&BTreeMap::new(), &[deep.as_path()]).unwrap();
        assert_eq!(program, bin.join(NAME));

        let nowhere = find_nats_server(&BTreeMap::new(), &[Path::new("/nowhere")]);
        assert!(matches!(nowhere, Err(UpError::NoServer)));
    }

    #[test]
    fn the_server_of_an_archive_lies_beside_the_services() {
        let bin = tempfile::tempdir().unwrap();
        std::fs::write(bin.path().join(NAME), "").unwrap();
        let folder = bin.path().to_str().unwrap().to_owned();
        let env = BTreeMap::from([("KTRDR_BIN_DIR".to_owned(), folder)]);

        let program = find_nats_server(&env, &[Path::new("/nowhere")]).unwrap();

        assert_eq!(program, bin.path().join(NAME));
    }
}
