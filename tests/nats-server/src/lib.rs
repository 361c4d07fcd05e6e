//! A NATS server process for tests, with the settings of the server that we ship: every write
//! synced before it is acknowledged.
//!
//! It also hands out the stock client, so that a test can do what any other program on the bus may
//! do; production code has only the crate `bus`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails may panic"
)]

mod keys;
mod probe;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use async_nats::ConnectOptions;
pub use async_nats::{Client, jetstream};

pub use keys::Keys;
pub use probe::{Ask, Refused, probe};

/// The configuration of a server in its folder.
const CONFIG: &str = "nats.conf";

/// The roles in which one connects. On a guarded server each may do what
/// `infra/nats/permissions.conf` allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Applies streams, buckets and consumers.
    Infra,
    /// One of the services by name, which take commands.
    Service(&'static str),
    /// People with the CLI.
    Person,
}

impl Role {
    /// Its name in the configuration and of its key.
    const fn name(self) -> &'static str {
        match self {
            Self::Infra => "infra",
            Self::Service(name) => name,
            Self::Person => "person",
        }
    }
}

/// A server process; killed when it is dropped.
pub struct Server {
    child: Child,
    address: String,
    folder: PathBuf,
    keys: Option<Keys>,
}

impl Server {
    /// Starts on a free port; `folder` keeps its streams. A guarded server is that of
    /// `infra/nats/server.conf`, with a new key for every role.
    pub fn start(folder: &Path, guarded: bool) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let keys = guarded.then(|| Keys::make(folder));
        let config = match guarded {
            true => shipped_config(folder, &shipped("permissions.conf")),
            false => open_config(folder),
        };
        Self::start_with(folder, &config, keys)
    }

    /// Starts the server of `infra/nats/server.conf` with this file in place of the permissions that
    /// are shipped.
    pub fn start_with_permissions(folder: &Path, permissions: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        // As the room that the server has by itself depends on the disk of this host.
        let config = shipped_config(folder, permissions)
            .replace("sync_interval:", "max_file_store: 50GB, sync_interval:");
        Self::start_with(folder, &config, None)
    }

    /// Starts a server with this text as its configuration.
    pub fn start_configured(folder: &Path, config: &str) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        Self::start_with(folder, config, None)
    }

    fn start_with(folder: &Path, config: &str, keys: Option<Keys>) -> Self {
        std::fs::write(folder.join(CONFIG), config).unwrap();
        let (child, address) = start(folder, "-1", keys.as_ref());
        Self {
            child,
            address,
            folder: folder.to_owned(),
            keys,
        }
    }

    /// `nats://host:port`.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// The key file of a role; none on a server that is open.
    pub fn credentials(&self, role: Role) -> Option<PathBuf> {
        let keys = self.keys.as_ref()?;
        Some(keys.file(role.name()))
    }

    /// A connection of the stock client in a role.
    pub async fn connect(&self, role: Role) -> Client {
        match self.credentials(role) {
            Some(file) => connect_with(&self.url(), &file).await,
            None => connect(&self.url()).await,
        }
    }

    /// Process id of the server that runs now.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// kill -9, and gone when it returns.
    pub fn kill(&mut self) {
        // Both fail for a server that has ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Has it read its permissions again, from this file; nobody is disconnected whose key stays.
    pub fn reload_permissions(&self, permissions: &Path) {
        std::fs::copy(permissions, self.folder.join("permissions.conf")).unwrap();
        let signal = format!("reload={}", self.child.id());
        let status = Command::new(program()).args(["--signal", &signal]).status();
        assert!(status.unwrap().success(), "the server was not told");
    }

    /// Starts again on the same port and folder.
    pub fn restart(&mut self) {
        self.kill();
        let port = self.address.rsplit(':').next().unwrap().to_owned();
        self.child = start(&self.folder, &port, self.keys.as_ref()).0;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A connection of the stock client to an open server.
pub async fn connect(url: &str) -> Client {
    ConnectOptions::new().connect(url).await.unwrap()
}

/// A connection of the stock client to the first of several open servers that answers; none where
/// nothing answers yet.
pub async fn connect_to_any(urls: &str) -> Option<Client> {
    let addresses: Vec<String> = urls.split(',').map(str::to_owned).collect();
    ConnectOptions::new().connect(addresses).await.ok()
}

/// Times that a connection is tried: a server which reads its permissions again closes those that
/// are just being made.
const CONNECT_TRIES: usize = 5;

/// A connection of the stock client with a key file, which names its inbox.
pub async fn connect_with(url: &str, file: &Path) -> Client {
    let mut refusal = None;
    for _ in 0..CONNECT_TRIES {
        let key = keys::read(file);
        let options = ConnectOptions::with_nkey(key.seed).custom_inbox_prefix(key.inbox);
        match options.connect(url).await {
            Ok(client) => return client,
            Err(error) => refusal = Some(error),
        }
    }
    panic!("{url} refuses the connection: {refusal:?}")
}

/// Starts a server; returns it with its address once it is ready.
fn start(folder: &Path, port: &str, keys: Option<&Keys>) -> (Child, String) {
    let config = folder.join(CONFIG);
    let variables = keys.map(Keys::variables).unwrap_or_default();

    let mut child = Command::new(program())
        .args(["-a", "127.0.0.1", "-p", port, "-c"])
        .arg(&config)
        .envs(variables)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("nats-server starts: `infra/setup nats` fetches one, KTRDR_NATS_SERVER names one");
    let log = BufReader::new(child.stderr.take().unwrap());

    match wait_until_ready(log) {
        Ok(address) => (child, address),
        Err(log) => {
            let _ = child.wait();
            panic!("the NATS server did not become ready:\n{log}");
        }
    }
}

fn open_config(folder: &Path) -> String {
    let store = folder.join("streams").display().to_string();
    format!("jetstream {{ store_dir: \"{store}\", sync_interval: always }}\n")
}

/// The configuration that is shipped, with a place of its own for the streams. The flags name the
/// address.
fn shipped_config(folder: &Path, permissions: &Path) -> String {
    std::fs::copy(permissions, folder.join("permissions.conf")).unwrap();
    let store = folder.join("streams").display().to_string();

    let text = std::fs::read_to_string(shipped("server.conf")).unwrap();
    text.replace("listen: \"0.0.0.0:4222\"\n", "")
        .replace("http: \"127.0.0.1:8222\"\n", "")
        .replace("max_file_store: 50GB\n", "")
        .replace("/var/lib/nats", &store)
}

/// A file of `infra/nats`.
fn shipped(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/nats");
    folder.join(name)
}

/// Reads the log until the server is ready, and returns its address; the whole log when it ends
/// before. What it logs later is read by a thread and thrown away, or the server would block.
fn wait_until_ready(log: BufReader<ChildStderr>) -> Result<String, String> {
    let mut lines = log.lines().map(Result::unwrap);
    let mut address = String::new();
    let mut seen = Vec::new();

    while let Some(line) = lines.next() {
        if let Some((_, listening)) = line.split_once("Listening for client connections on ") {
            listening.clone_into(&mut address);
        }
        let is_ready = line.contains("Server is ready");
        seen.push(line);
        if is_ready {
            std::thread::spawn(move || for _ in lines {});
            return Ok(address);
        }
    }
    Err(seen.join("\n"))
}

/// `KTRDR_NATS_SERVER`, else the one that `infra/setup nats` fetched, else the one on PATH.
pub fn program() -> PathBuf {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.deps/nats/bin/nats-server");

    match std::env::var_os("KTRDR_NATS_SERVER") {
        Some(named) => named.into(),
        None if fetched.exists() => fetched,
        None => "nats-server".into(),
    }
}
