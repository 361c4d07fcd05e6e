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

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use async_nats::ConnectOptions;
pub use async_nats::{Client, jetstream};

/// The roles in which one connects. On a guarded server each may do what
/// `infra/nats/permissions.conf` allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Applies streams, buckets and consumers.
    Infra,
    /// The services, which take commands.
    Worker,
    /// People with the CLI.
    Person,
}

impl Role {
    const ALL: [Self; 3] = [Self::Infra, Self::Worker, Self::Person];

    const fn user(self) -> &'static str {
        match self {
            Self::Infra => "infra",
            Self::Worker => "worker",
            Self::Person => "person",
        }
    }
}

/// A server process; killed when it is dropped.
pub struct Server {
    child: Child,
    address: String,
    folder: PathBuf,
    guarded: bool,
}

impl Server {
    /// Starts on a free port; `folder` keeps its streams.
    pub fn start(folder: &Path, guarded: bool) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let (child, address) = start(folder, "-1", guarded);
        Self {
            child,
            address,
            folder: folder.to_owned(),
            guarded,
        }
    }

    /// `nats://host:port`, on a guarded server with the user and password of the role.
    pub fn url(&self, role: Role) -> String {
        let credentials = if self.guarded {
            format!("{0}:{0}-password@", role.user())
        } else {
            String::new()
        };
        format!("nats://{credentials}{}", self.address)
    }

    /// A connection of the stock client in a role.
    pub async fn connect(&self, role: Role) -> Client {
        connect(&self.url(role)).await
    }

    /// kill -9, and gone when it returns.
    pub fn kill(&mut self) {
        // Both fail for a server that has ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts again on the same port and folder.
    pub fn restart(&mut self) {
        self.kill();
        let port = self.address.rsplit(':').next().unwrap().to_owned();
        self.child = start(&self.folder, &port, self.guarded).0;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A connection of the stock client to an address with user and password in it.
pub async fn connect(url: &str) -> Client {
    let address: async_nats::ServerAddr = url.parse().unwrap();
    let options = match (address.username(), address.password()) {
        (Some(user), Some(password)) => {
            ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
        }
        _ => ConnectOptions::new(),
    };

    options.connect(address).await.unwrap()
}

/// Starts a server; returns it with its address once it is ready.
fn start(folder: &Path, port: &str, guarded: bool) -> (Child, String) {
    let config = folder.join("nats.conf");
    std::fs::write(&config, config_text(folder, guarded)).unwrap();

    let mut child = Command::new(program())
        .args(["-a", "127.0.0.1", "-p", port, "-c"])
        .arg(&config)
        .envs(Role::ALL.map(password_variable))
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

fn config_text(folder: &Path, guarded: bool) -> String {
    let store = folder.join("streams");
    let text = format!(
        "jetstream {{ store_dir: \"{}\", sync_interval: always }}\n",
        store.display()
    );
    if !guarded {
        return text;
    }

    let permissions =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/nats/permissions.conf");
    text + &std::fs::read_to_string(permissions).unwrap()
}

/// The variable from which the server takes the password of a role.
fn password_variable(role: Role) -> (String, String) {
    let name = format!("KTRDR_{}_PASSWORD", role.user().to_uppercase());

    (name, format!("{}-password", role.user()))
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
fn program() -> PathBuf {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.deps/nats/bin/nats-server");

    match std::env::var_os("KTRDR_NATS_SERVER") {
        Some(named) => named.into(),
        None if fetched.exists() => fetched,
        None => "nats-server".into(),
    }
}
