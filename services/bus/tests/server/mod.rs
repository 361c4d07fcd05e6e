//! A NATS server of one test: own port, own folder, gone with the test.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bus::{Bus, ConnectOptions};

pub struct Server {
    child: Child,
    pub url: String,
    folder: tempfile::TempDir,
}

impl Server {
    pub fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), "-1")
    }

    /// Kills the server and starts it again on the same port and folder.
    pub fn restart(mut self) -> Self {
        let port = self.url.rsplit(':').next().unwrap().to_owned();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        Self::start_in(folder, &port)
    }

    fn start_in(folder: tempfile::TempDir, port: &str) -> Self {
        let mut child = Command::new(program())
            .args(["-a", "127.0.0.1", "-p", port, "-js", "-sd"])
            .arg(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nats-server starts");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut url = String::new();
        for line in lines.by_ref() {
            let line = line.unwrap();
            if let Some((_, address)) = line.split_once("Listening for client connections on ") {
                url = format!("nats://{address}");
            }
            if line.contains("Server is ready") {
                break;
            }
        }
        assert!(!url.is_empty(), "the server did not become ready");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url, folder }
    }

    pub fn options(&self) -> ConnectOptions {
        ConnectOptions {
            url: self.url.clone(),
            credentials: None,
            name: "test".to_owned(),
            profile: None,
            connect_timeout: Duration::from_secs(2),
            wait_for_server: false,
        }
    }

    pub async fn bus(&self) -> Bus {
        Bus::connect(&self.options()).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `KTRDR_NATS_SERVER`, else the one that `infra/setup nats` fetched, else the one on PATH.
fn program() -> PathBuf {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let fetched = folders
        .map(|folder| folder.join(".deps/nats/bin/nats-server"))
        .find(|path| path.exists());
    std::env::var_os("KTRDR_NATS_SERVER")
        .map(PathBuf::from)
        .or(fetched)
        .unwrap_or_else(|| "nats-server".into())
}
