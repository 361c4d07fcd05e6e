//! The server of one test, with a folder of its own.

use std::time::Duration;

use bus::{Bus, ConnectOptions};
use nats_test_server::{Client, Role, Server};

/// A server that is gone with the test.
pub struct TestServer {
    process: Server,
    // Dropped after the process, which writes into it.
    _folder: tempfile::TempDir,
}

impl TestServer {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            process: Server::start(folder.path(), false),
            _folder: folder,
        }
    }

    /// Kills the server and starts it again on the same port and folder.
    pub fn restart(&mut self) {
        self.process.restart();
    }

    pub fn options(&self) -> ConnectOptions {
        ConnectOptions {
            url: self.process.url(),
            credentials: None,
            tls: bus::TlsFiles::default(),
            name: "test".to_owned(),
            profile: None,
            connect_timeout: Duration::from_secs(2),
            wait_for_server: false,
        }
    }

    pub async fn bus(&self) -> Bus {
        Bus::connect(&self.options()).await.unwrap()
    }

    /// The stock client, for what the bus does not offer.
    pub async fn client(&self) -> Client {
        self.process.connect(Role::Infra).await
    }
}
