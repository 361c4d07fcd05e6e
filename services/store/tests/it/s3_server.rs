//! The S3 servers of these tests: `infra/s3-server` as a child that ends with this process.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use store::Store;

/// A running server with one bucket, `ktrdr`.
pub(crate) struct S3Server {
    /// Its address, as in `http://127.0.0.1:9000`.
    pub(crate) endpoint: String,
    // Holds the standard input whose end is the end of the server.
    _process: Child,
}

impl S3Server {
    /// The server that all tests share; each takes a prefix of its own.
    pub(crate) fn shared() -> &'static Self {
        static SERVER: OnceLock<S3Server> = OnceLock::new();
        SERVER.get_or_init(|| Self::start(&[]))
    }

    /// A server that knows no access key.
    pub(crate) fn without_users() -> Self {
        Self::start(&["--require-login"])
    }

    fn start(flags: &[&str]) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/s3-server");
        let mut process = Command::new(program)
            .arg("--until-eof")
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();

        // The first line names the endpoint; there is none if the server could not be loaded.
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let endpoint = line
            .split(' ')
            .find_map(|word| word.strip_prefix("AWS_ENDPOINT_URL="));
        Self {
            endpoint: endpoint.expect("run infra/setup s3").to_owned(),
            _process: process,
        }
    }
}

/// `AWS_*` variables for a server: short limits, so that a test of a failure takes a second.
pub(crate) fn variables_for(endpoint: &str) -> BTreeMap<String, String> {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_MAX_ATTEMPTS", "2"),
        ("AWS_TIMEOUT", "10s"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// URL of an empty store in the bucket `ktrdr`.
pub(crate) fn empty_url() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("s3://ktrdr/test/{number}")
}

/// An empty store behind `endpoint`.
pub(crate) async fn empty_store(endpoint: &str) -> Store {
    Store::open_with(&empty_url(), &variables_for(endpoint))
        .await
        .unwrap()
}
