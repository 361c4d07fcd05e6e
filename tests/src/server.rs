//! A NATS server process with the settings of the server that we ship: every write synced before it
//! is acknowledged.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Who connects. On a guarded server each may do what `infra/nats/permissions.conf` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Applies streams, buckets and consumers.
    Infra,
    /// Services.
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

/// Killed when it is dropped.
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

    /// kill -9.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
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

fn start(folder: &Path, port: &str, guarded: bool) -> (Child, String) {
    let config = folder.join("nats.conf");
    let store = folder.join("streams");
    let mut text = format!(
        "jetstream {{ store_dir: \"{}\", sync_interval: always }}\n",
        store.display()
    );
    if guarded {
        let permissions =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/nats/permissions.conf");
        text += &std::fs::read_to_string(permissions).unwrap();
    }
    std::fs::write(&config, text).unwrap();
    let password = |role: Role| {
        (
            format!("KTRDR_{}_PASSWORD", role.user().to_uppercase()),
            format!("{}-password", role.user()),
        )
    };
    let mut child = Command::new(program())
        .args(["-a", "127.0.0.1", "-p", port, "-c"])
        .arg(&config)
        .envs(Role::ALL.map(password))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("nats-server starts: `infra/setup nats` fetches one, KTRDR_NATS_SERVER names one");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (mut address, mut log) = (String::new(), Vec::new());
    for line in lines.by_ref().map(Result::unwrap) {
        if let Some((_, told)) = line.split_once("Listening for client connections on ") {
            told.clone_into(&mut address);
        }
        let ready = line.contains("Server is ready");
        log.push(line);
        if ready {
            std::thread::spawn(move || lines.for_each(drop));
            return (child, address);
        }
    }
    drop(child.wait());
    panic!("the NATS server did not become ready:\n{}", log.join("\n"));
}

/// `KTRDR_NATS_SERVER`, else the one that `infra/setup nats` fetched, else the one on PATH.
fn program() -> PathBuf {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.deps/nats/bin/nats-server");
    match std::env::var_os("KTRDR_NATS_SERVER") {
        Some(named) => named.into(),
        None if fetched.exists() => fetched,
        None => "nats-server".into(),
    }
}
