//! A NATS server process with the settings of the server that we ship: every write synced before it is acknowledged.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Killed when it is dropped.
pub struct Server {
    child: Child,
    url: String,
    folder: PathBuf,
}

impl Server {
    /// Starts on a free port; `folder` keeps its streams.
    pub fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let (child, url) = start(folder, "-1");
        Self { child, url, folder: folder.to_owned() }
    }

    /// `nats://host:port`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// kill -9.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Starts again on the same port and folder.
    pub fn restart(&mut self) {
        self.kill();
        let port = self.url.rsplit(':').next().unwrap().to_owned();
        self.child = start(&self.folder, &port).0;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start(folder: &Path, port: &str) -> (Child, String) {
    let config = folder.join("nats.conf");
    let store = folder.join("streams");
    let text = format!("jetstream {{ store_dir: \"{}\", sync_interval: always }}\n", store.display());
    std::fs::write(&config, text).unwrap();
    let mut child = Command::new(program())
        .args(["-a", "127.0.0.1", "-p", port, "-c"])
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("nats-server starts: `infra/setup nats` fetches one, KTRDR_NATS_SERVER names one");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (mut url, mut log) = (String::new(), Vec::new());
    for line in lines.by_ref().map(Result::unwrap) {
        if let Some((_, address)) = line.split_once("Listening for client connections on ") {
            url = format!("nats://{address}");
        }
        let ready = line.contains("Server is ready");
        log.push(line);
        if ready {
            std::thread::spawn(move || lines.for_each(drop));
            return (child, url);
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
