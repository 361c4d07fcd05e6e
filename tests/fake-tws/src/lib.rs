//! A TWS for tests. It speaks the wire protocol of Interactive Brokers (interface version 213, the
//! messages of [`wire`]), has what a [`Script`] gives it and behaves as that says, and remembers
//! what it was asked.

pub mod answers;
pub mod damage;
pub mod script;
pub mod wire;

use std::io::{self, Read as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use jiff::Timestamp;

use answers::Answering;
use damage::damaged;
use wire::{decode, frame, framed, incoming, outgoing, read_frame, read_message};

pub use script::{Bar, Greeting, Label, Listed, Script, Verb};

/// The version of the interface that it has.
const VERSION: i32 = 213;

/// What it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A client named itself.
    Start(i32),
    /// Details of a contract: kind, symbol and exchange.
    Contract(String, String, String),
    /// Contracts by name.
    Symbols(String),
    /// The first instant of a price.
    Head(String),
    /// Bars of a contract.
    Bars(BarsRequest),
    /// Bars or a head are not wanted any more.
    Cancel,
    /// The time of the gateway.
    Time,
}

/// A request for bars, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BarsRequest {
    /// Number of the contract.
    pub con_id: i32,
    /// Kind of the contract.
    pub sec_type: String,
    /// Where the request goes.
    pub exchange: String,
    /// The end, `YYYYMMDD HH:MM:SS UTC`, or nothing for now.
    pub end: String,
    /// Length of a bar in words.
    pub bar_size: String,
    /// How far back.
    pub duration: String,
    /// Which price is meant.
    pub what: String,
    /// Regular hours only.
    pub use_rth: bool,
}

/// What the threads of a server share.
struct Shared {
    script: Mutex<Script>,
    requests: Mutex<Vec<(Instant, Request)>>,
    streams: Mutex<Vec<TcpStream>>,
    is_over: AtomicBool,
}

/// A server on a port of this host; it ends when it is dropped.
pub struct FakeTws {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl FakeTws {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// There is none.
    pub fn start(script: Script) -> io::Result<Self> {
        Self::start_at(0, script)
    }

    /// Starts one on a port.
    ///
    /// # Errors
    /// It is taken.
    pub fn start_at(port: u16, script: Script) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script: Mutex::new(script),
            requests: Mutex::default(),
            streams: Mutex::default(),
            is_over: AtomicBool::new(false),
        });

        let of_thread = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || accept_all(&listener, &of_thread));
        Ok(Self {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }

    /// Its port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Everything that it was asked, with when.
    pub fn requests(&self) -> Vec<(Instant, Request)> {
        lock(&self.shared.requests).clone()
    }

    /// The requests for bars, with when.
    pub fn bars_requests(&self) -> Vec<(Instant, BarsRequest)> {
        let requests = self.requests().into_iter();
        let of_bars = requests.filter_map(|(at, request)| match request {
            Request::Bars(bars) => Some((at, bars)),
            _ => None,
        });
        of_bars.collect()
    }

    /// The ids of the clients that have named themselves, with when.
    pub fn client_ids(&self) -> Vec<(Instant, i32)> {
        let requests = self.requests().into_iter();
        let starts = requests.filter_map(|(at, request)| match request {
            Request::Start(id) => Some((at, id)),
            _ => None,
        });
        starts.collect()
    }

    /// Connections that are open.
    pub fn connections(&self) -> usize {
        let mut streams = lock(&self.shared.streams);
        streams.retain(|stream| stream.peer_addr().is_ok());
        streams.len()
    }

    /// Changes what it has, or how it behaves.
    pub fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut lock(&self.shared.script));
    }

    /// Says something to every client.
    pub fn say(&self, code: i32, text: &str) {
        let bytes = message(-1, code, text);
        for stream in &mut *lock(&self.shared.streams) {
            let _ = wire::write(stream, &bytes);
        }
    }

    /// Ends every connection.
    pub fn hang_up(&self) {
        for stream in lock(&self.shared.streams).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for FakeTws {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // The acceptor sees the end when somebody connects.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        self.hang_up();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A numbered message as bytes.
fn message(id: i32, code: i32, text: &str) -> Vec<u8> {
    let message = wire::ErrorMessage {
        id: Some(id),
        time: Some(Timestamp::now().as_millisecond()),
        code: Some(code),
        text: Some(text.to_owned()),
    };
    frame(outgoing::ERROR, &message)
}

fn accept_all(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().map_while(Result::ok) {
        if shared.is_over.load(Ordering::Relaxed) {
            return;
        }

        lock(&shared.streams).extend(stream.try_clone());
        let shared = Arc::clone(shared);
        // A client that goes away ends its thread, and nothing else.
        std::thread::spawn(move || {
            let end = stream.try_clone();
            let _ = serve(stream, &shared);
            end.map(|end| end.shutdown(Shutdown::Both))
        });
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let greeting = lock(&shared.script).greeting;
    match greeting {
        Greeting::Ready | Greeting::Damaged(_) => {}
        Greeting::Reject => return Ok(()),
        Greeting::Silent => {
            let mut sink = Vec::new();
            stream.read_to_end(&mut sink)?;
            return Ok(());
        }
    }
    if !greet(&mut stream, shared)? {
        return Ok(());
    }

    loop {
        let (number, content) = read_message(&mut stream)?;
        let request = answers::read_request(number, &content)?;
        if let Some(request) = &request {
            lock(&shared.requests).push((Instant::now(), request.clone()));
        }
        let script = &shared.script;
        let mut answering = Answering {
            stream: &mut stream,
            script,
            damage: None,
        };
        answering.answer(number, &content)?;
    }
}

/// The handshake; false if the client id is said to be taken.
fn greet(stream: &mut TcpStream, shared: &Shared) -> io::Result<bool> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix)?;
    read_frame(stream)?;
    let now = Timestamp::now().strftime("%Y%m%d %H:%M:%S UTC");
    let greeting = framed(format!("{VERSION}\0{now}\0").as_bytes());
    match lock(&shared.script).greeting {
        Greeting::Damaged(seed) => wire::write(stream, &damaged(&greeting, seed))?,
        _ => wire::write(stream, &greeting)?,
    }

    let (number, content) = read_message(stream)?;
    if number != incoming::START_API {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let start: wire::StartApi = decode(&content)?;
    let id = start.client_id.unwrap_or_default();
    lock(&shared.requests).push((Instant::now(), Request::Start(id)));

    let notices = {
        let mut script = lock(&shared.script);
        if script.taken_ids > 0 {
            script.taken_ids -= 1;
            drop(script);
            let text = "Unable to connect as the client id is already in use.";
            wire::write(stream, &message(-1, 326, text))?;
            return Ok(false);
        }
        script.notices.clone()
    };
    let accounts = wire::ManagedAccounts {
        accounts: Some("DU1234567".to_owned()),
    };
    wire::write(stream, &frame(outgoing::MANAGED_ACCOUNTS, &accounts))?;
    let next_id = wire::Number { value: Some(1) };
    wire::write(stream, &frame(outgoing::NEXT_VALID_ID, &next_id))?;
    for (code, text) in notices {
        wire::write(stream, &message(-1, code, &text))?;
    }
    Ok(true)
}
