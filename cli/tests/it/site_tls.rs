//! A site with TLS: certificates of its own authority, and a whole operation over them.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use nats_test_server::Server;

use crate::program::{Ended, ktrdr_in, run_in};

/// A server with TLS, and the keys of its site.
struct Site {
    server: Server,
    folder: tempfile::TempDir,
}

/// A service; ended when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Site {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let made = make_keys(here, "keys");
        assert!(made.err.contains("tls.conf"), "{}", made.err);

        let config = format!(
            "jetstream {{ store_dir: \"{}\" }}\ninclude \"keys/tls.conf\"\n\
             include \"keys/permissions.conf\"\n",
            here.join("streams").display()
        );
        let server = Server::start_configured(here, &config);
        Self { server, folder }
    }

    fn here(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command with the key and the authority that are named.
    fn run(&self, command: &str, key: &str, authority: Option<&str>) -> Ended {
        let url = self.server.url();
        let key = format!("keys/{key}.nk");
        let mut words: Vec<&str> = command.split(' ').collect();
        words.extend(["--server", &url, "--creds", &key]);

        let trust = authority.map(|file| format!("bus.tls_ca={file}"));
        if let Some(trust) = &trust {
            words.extend(["--set", trust]);
        }
        run_in(self.here(), &words)
    }

    /// Starts a dummy as a service of this site.
    fn start_dummy(&self) -> Running {
        let ktrdr = ktrdr_in(self.here(), &[]);
        let program = Path::new(ktrdr.get_program()).with_file_name("ktrdr-dummy");
        let mut dummy = Command::new(program);

        dummy
            .current_dir(self.here())
            .args(["--nats-url", &self.server.url()])
            .args([
                "--creds",
                "keys/dummy.nk",
                "--set",
                "bus.tls_ca=keys/ca.pem",
            ])
            .args(["--store", "objects"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Running(dummy.spawn().unwrap())
    }
}

fn make_keys(folder: &Path, name: &str) -> Ended {
    let command = "infra credentials --person ann --tls 127.0.0.1 --tls bus.example --dir";
    let words: Vec<&str> = command.split(' ').chain([name]).collect();
    let made = run_in(folder, &words);
    assert_eq!(made.exit, Some(0), "{}", made.err);
    made
}

#[test]
fn an_operation_runs_over_tls_with_the_authority_of_a_site() {
    let site = Site::start();
    let applied = site.run("infra apply --profile test", "infra", Some("keys/ca.pem"));
    assert_eq!(applied.exit, Some(0), "{}", applied.err);
    let _dummy = site.start_dummy();

    let command = "dummy start --iterations 2 --duration 0.1";
    let ended = site.run(command, "ann", Some("keys/ca.pem"));

    assert_eq!(ended.exit, Some(0), "{}", ended.err);
}

#[test]
fn a_server_of_another_authority_is_not_trusted() {
    let site = Site::start();
    make_keys(site.here(), "elsewhere");

    for authority in [None, Some("elsewhere/ca.pem")] {
        let refused = site.run("ops", "ann", authority);
        assert_eq!(refused.exit, Some(3), "{authority:?}: {}", refused.err);
        assert!(refused.err.contains("certificate"), "{}", refused.err);
    }
}

#[test]
fn the_authority_stays_and_the_server_gets_a_new_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let text = |name: &str| std::fs::read_to_string(folder.path().join("keys").join(name)).unwrap();
    make_keys(folder.path(), "keys");
    let before = ["ca.pem", "ca.key", "server.pem"].map(text);

    make_keys(folder.path(), "keys");

    let after = ["ca.pem", "ca.key", "server.pem"].map(text);
    assert_eq!(after[..2], before[..2]);
    assert_ne!(after[2], before[2]);
}
