//! An HTTP server for tests that answers as a script says: late, cut off, not at all, with any
//! status and header. It keeps connections open, counts them, and remembers every request.

pub mod exchanges;
pub mod yahoo;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Path without the query.
    pub path: String,
    /// The query, decoded.
    pub query: BTreeMap<String, String>,
    /// When it was read.
    pub at: Instant,
}

impl Request {
    /// A value of the query; empty where it has none.
    pub fn value(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// A whole number of the query, or another one where it has none.
    pub fn number(&self, name: &str, otherwise: i64) -> i64 {
        self.value(name).parse().unwrap_or(otherwise)
    }
}

/// How an answer comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// Whole, and the connection stays open.
    #[default]
    Whole,
    /// The first half of the body, then the connection ends.
    Half,
    /// The first half of the body, said to be the whole of it.
    HalfAsWhole,
    /// The connection ends without an answer.
    Dropped,
    /// No answer for as long as the server lives.
    Silent,
    /// Whole, in a hundred pieces with a pause before each.
    Drip(Duration),
}

/// An answer to one request.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    manner: Manner,
    delay: Duration,
}

impl Reply {
    /// Status 200 with a body.
    pub fn ok(body: impl ToString) -> Self {
        Self::of(200, body)
    }

    /// Any status with a body.
    pub fn of(status: u16, body: impl ToString) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_string(),
            manner: Manner::Whole,
            delay: Duration::ZERO,
        }
    }

    /// What is sent as its body.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The same answer with another body.
    #[must_use]
    pub fn with_body(self, body: impl ToString) -> Self {
        let body = body.to_string();
        Self { body, ..self }
    }

    /// The same answer in another manner.
    #[must_use]
    pub fn in_manner(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }

    /// The same answer, later.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }
}

type Script = dyn Fn(&Request) -> Reply + Send + Sync;

/// What the threads of a server share.
struct Shared {
    script: Box<Script>,
    /// Its clock minus ours.
    clock_ahead: SignedDuration,
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    /// Open connections, to be ended with the server.
    streams: Mutex<Vec<TcpStream>>,
    /// Nothing comes here: waiting on it is a pause that ends with the server.
    end: Mutex<Vec<Sender<()>>>,
}

/// A server on a free port of this host; it ends when it is dropped.
pub struct FakeHttp {
    port: u16,
    shared: Arc<Shared>,
}

impl FakeHttp {
    /// Starts a server that answers by a script.
    ///
    /// # Errors
    /// There is no free port.
    pub fn start(
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        Self::start_with_clock(SignedDuration::ZERO, script)
    }

    /// Starts a server whose clock is ahead of ours by a time.
    ///
    /// # Errors
    /// There is no free port.
    pub fn start_with_clock(
        clock_ahead: SignedDuration,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            clock_ahead,
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            streams: Mutex::default(),
            end: Mutex::default(),
        });

        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || accept_all(&listener, &of_thread));
        Ok(Self { port, shared })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The requests since the last call.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut *lock(&self.shared.requests))
    }

    /// Connections that were opened so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Drop for FakeHttp {
    fn drop(&mut self) {
        lock(&self.shared.end).clear();
        for stream in lock(&self.shared.streams).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept_all(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().map_while(Result::ok) {
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let (sender, end) = channel();
        lock(&shared.end).push(sender);
        lock(&shared.streams).extend(stream.try_clone());

        let shared = Arc::clone(shared);
        // A client that goes away ends its thread, and nothing else.
        std::thread::spawn(move || serve(stream, &shared, &end));
    }
}

fn serve(mut stream: TcpStream, shared: &Shared, end: &Receiver<()>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = read_request(&mut reader)? {
        let reply = (shared.script)(&request);
        lock(&shared.requests).push(request);
        if end.recv_timeout(reply.delay) == Err(RecvTimeoutError::Disconnected) {
            return Ok(());
        }

        match reply.manner {
            Manner::Dropped => return stream.shutdown(Shutdown::Both),
            Manner::Silent => {
                let _ = end.recv();
                return Ok(());
            }
            Manner::Drip(pause) => {
                let bytes = bytes_of(&reply, shared.clock_ahead);
                for piece in bytes.chunks(bytes.len().div_ceil(100)) {
                    if end.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
                        return Ok(());
                    }
                    stream.write_all(piece)?;
                }
            }
            Manner::Whole | Manner::Half | Manner::HalfAsWhole => {
                stream.write_all(&bytes_of(&reply, shared.clock_ahead))?;
            }
        }
        if reply.manner == Manner::Half {
            return stream.shutdown(Shutdown::Both);
        }
    }
    Ok(())
}

fn bytes_of(reply: &Reply, clock_ahead: SignedDuration) -> Vec<u8> {
    let half = reply.body.get(..reply.body.len() / 2).unwrap_or_default();
    let body = match reply.manner {
        Manner::Whole | Manner::Drip(_) => reply.body.as_str(),
        _ => half,
    };
    let length = match reply.manner {
        Manner::Half => reply.body.len(),
        _ => body.len(),
    };

    let now = Timestamp::now().checked_add(clock_ahead);
    let now = now.unwrap_or(Timestamp::MAX);
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT");
    let mut text = format!(
        "HTTP/1.1 {} Scripted\r\ndate: {date}\r\ncontent-length: {length}\r\n",
        reply.status
    );
    for (name, value) in &reply.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// The next request of a connection; none at its end.
fn read_request(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut header = String::new();
    while reader.read_line(&mut header)? > 0 && !header.trim().is_empty() {
        header.clear();
    }

    let target = first.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs.map(|(name, value)| (decoded(name), decoded(value)));
    Ok(Some(Request {
        path: path.to_owned(),
        query: query.collect(),
        at: Instant::now(),
    }))
}

/// `%3A` is a colon; what is not so written stays.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().replace('+', " ");
    for part in parts {
        let code = part
            .get(..2)
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        decoded.push(code.map_or('%', char::from));
        decoded.push_str(part.get(2..).unwrap_or_default());
    }
    decoded
}
