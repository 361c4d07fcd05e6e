//! A process with `metrics_address`, and questions to it over HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use system_tests::{Process, Sandbox, until};

use crate::exposition::Page;

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// A service process that shows how it is.
pub struct Watched {
    pub process: Process,
    address: String,
}

impl Watched {
    /// Starts a program on a free port, and waits until it says which one.
    pub async fn start(sandbox: &Sandbox, program: &str, flags: &[&str]) -> Self {
        Self::start_at(sandbox, sandbox.url(), program, flags).await
    }

    /// Starts it with another address of the server.
    pub async fn start_at(sandbox: &Sandbox, url: &str, program: &str, flags: &[&str]) -> Self {
        let flags = [flags, &["--set", "metrics_address=0"]].concat();
        let process = sandbox.spawn_at(url, program, &flags);
        let address = until("the address of the metrics", || {
            std::future::ready(address_in(&process.log()))
        })
        .await;

        Self { process, address }
    }

    /// Asks for a path.
    pub fn get(&self, path: &str) -> Answer {
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        ))
    }

    /// Sends any bytes and reads until the process closes the connection.
    pub fn send(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();

        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split_whitespace().nth(1).unwrap();
        Answer {
            status: status.parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    /// The page of metrics, read strictly.
    pub fn page(&self) -> Page {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200, "{answer:?}");
        Page::parse(&answer.body).unwrap()
    }

    /// Waits until `/readyz` answers with this status; returns its text.
    pub async fn until_ready_is(&self, status: u16) -> String {
        until(format!("{status} from /readyz"), || async {
            let answer = self.get("/readyz");
            (answer.status == status).then_some(answer.body)
        })
        .await
    }

    /// Waits until a sample of the page has this value.
    pub async fn until_sample(&self, sample: &str, value: f64) -> Page {
        until(format!("{sample} {value}"), || async {
            let page = self.page();
            (page.value(sample) == Some(value)).then_some(page)
        })
        .await
    }
}

fn address_in(log: &str) -> Option<String> {
    let rest = log.split("http://").nth(1)?;
    Some(rest.split('/').next()?.to_owned())
}
