//! A proxy in front of an S3 server that answers some requests wrongly, late, or not at all.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What happens to a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// An error with this status line and S3 error code; the server does not see the request.
    Answer {
        status: &'static str,
        code: &'static str,
    },
    /// The request is read and never answered.
    Silence,
    /// The server answers, and half of the body arrives.
    HalfBody,
    /// The connection is reset before the server sees the request.
    Reset,
    /// The server does what was asked, and its answer is lost.
    LostAnswer,
}

/// Which requests fail, and how.
#[derive(Clone, Copy, Debug)]
struct Plan {
    fault: Fault,
    /// Only requests of this method; every one if empty.
    method: &'static str,
    /// Requests that pass before the first one fails.
    passes: usize,
    /// Requests that fail after those.
    failures: usize,
}

/// A running proxy. It ends with the runtime of the test.
pub(crate) struct FaultProxy {
    /// Its address, as in `http://127.0.0.1:9000`.
    pub(crate) endpoint: String,
    plan: Arc<Mutex<Option<Plan>>>,
}

impl FaultProxy {
    /// Starts one in front of the server at `upstream` (`http://host:port`); it lets everything
    /// through.
    pub(crate) async fn start(upstream: &str) -> Self {
        let address = upstream.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let plan = Arc::new(Mutex::new(None));

        let shared_plan = Arc::clone(&plan);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, address.clone(), Arc::clone(&shared_plan)));
            }
        });
        Self { endpoint, plan }
    }

    /// Every request fails from now on.
    pub(crate) fn fail_always(&self, fault: Fault) {
        self.set(Some(Plan {
            fault,
            method: "",
            passes: 0,
            failures: usize::MAX,
        }));
    }

    /// The next `failures` requests fail.
    pub(crate) fn fail_next(&self, fault: Fault, failures: usize) {
        self.set(Some(Plan {
            fault,
            method: "",
            passes: 0,
            failures,
        }));
    }

    /// Every write fails once `passes` of them have succeeded.
    pub(crate) fn fail_writes_after(&self, passes: usize, fault: Fault) {
        self.set(Some(Plan {
            fault,
            method: "PUT",
            passes,
            failures: usize::MAX,
        }));
    }

    /// The write after `passes` others fails once.
    pub(crate) fn fail_one_write_after(&self, passes: usize, fault: Fault) {
        self.set(Some(Plan {
            fault,
            method: "PUT",
            passes,
            failures: 1,
        }));
    }

    /// Every request passes from now on.
    pub(crate) fn pass(&self) {
        self.set(None);
    }

    fn set(&self, plan: Option<Plan>) {
        *self.plan.lock().unwrap() = plan;
    }
}

/// Handles the one request of a connection.
async fn relay(mut client: TcpStream, upstream: String, plan: Arc<Mutex<Option<Plan>>>) {
    let request = read_request(&mut client).await;
    if request.is_empty() {
        return;
    }

    match next_fault(&plan, &request) {
        None => {
            let response = exchange(&upstream, &request).await;
            let _ = client.write_all(&response).await;
        }
        Some(Fault::Answer { status, code }) => {
            let body = format!(
                "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>The message of the \
                 server.</Message></Error>"
            );
            let length = body.len();
            let response = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            let _ = client.write_all(response.as_bytes()).await;
        }
        // Until the client has had enough.
        Some(Fault::Silence) => {
            let _ = client.read_u8().await;
        }
        Some(Fault::HalfBody) => {
            let response = exchange(&upstream, &request).await;
            let head = head_length(&response).unwrap();
            let half = head + (response.len() - head) / 2;
            let _ = client.write_all(&response[..half]).await;
        }
        Some(Fault::Reset) => client.set_zero_linger().unwrap(),
        Some(Fault::LostAnswer) => {
            let _ = exchange(&upstream, &request).await;
            client.set_zero_linger().unwrap();
        }
    }
}

/// The fault that the plan has for this request, which counts.
fn next_fault(plan: &Mutex<Option<Plan>>, request: &[u8]) -> Option<Fault> {
    let mut plan = plan.lock().unwrap();
    let plan = plan.as_mut()?;
    if !request.starts_with(plan.method.as_bytes()) {
        return None;
    }

    if plan.passes > 0 {
        plan.passes -= 1;
        return None;
    }
    if plan.failures == 0 {
        return None;
    }
    plan.failures -= 1;
    Some(plan.fault)
}

/// Head and body of a request; empty if the client left.
async fn read_request(client: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    while !is_complete(&request) {
        match client.read_buf(&mut request).await {
            Ok(0) | Err(_) => return Vec::new(),
            Ok(_) => {}
        }
    }
    request
}

/// True once the body is as long as the head says.
fn is_complete(request: &[u8]) -> bool {
    let Some(head) = head_length(request) else {
        return false;
    };
    let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
    let length = text.split_once("content-length: ").map_or(0, |(_, rest)| {
        rest.lines().next().unwrap().trim().parse().unwrap()
    });
    request.len() >= head + length
}

/// Length of the head with the empty line that ends it.
fn head_length(message: &[u8]) -> Option<usize> {
    let end = message.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    Some(end + 4)
}

/// Sends a request to the server and returns everything that it answers.
async fn exchange(upstream: &str, request: &[u8]) -> Vec<u8> {
    let mut server = TcpStream::connect(upstream).await.unwrap();
    server.write_all(request).await.unwrap();
    let mut response = Vec::new();
    let _ = server.read_to_end(&mut response).await;
    response
}
