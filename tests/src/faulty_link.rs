//! A link that misbehaves: a TCP proxy in front of the NATS server that loses, swallows or holds what
//! passes, and breaks connections.

use std::net::SocketAddr;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::Sandbox;

/// Most bytes that pass as one chunk: those of a packet.
const PACKET_BYTES: usize = 1_460;
/// After how long TCP sends a lost packet again; twice as long after each further loss.
const RETRANSMISSION: Duration = Duration::from_millis(200);

/// What a link does to packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkFault {
    /// Everything passes at once.
    None,
    /// Of a hundred packets this many are lost and sent again, as TCP does it.
    Loss {
        /// Lost packets of a hundred.
        percent: u32,
    },
    /// What the client sends is gone; answers pass.
    SwallowUp,
    /// What the client sends arrives, and every answer is gone.
    SwallowDown,
    /// Nothing passes and nothing is closed. What was sent meanwhile arrives when this ends.
    Hold,
}

/// The proxy; its connections break when it is dropped.
pub struct FaultyLink {
    url: String,
    fault: watch::Sender<LinkFault>,
    resets: watch::Sender<u64>,
    accepting: JoinHandle<()>,
}

impl Sandbox {
    /// A link to the NATS server on which everything passes at first. Equal seeds lose packets of
    /// equal numbers.
    pub async fn faulty_link(&self, seed: u64) -> FaultyLink {
        let server: SocketAddr = self.url().trim_start_matches("nats://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let fault = watch::channel(LinkFault::None).0;
        let resets = watch::channel(0).0;

        let proxy = Proxy {
            listener,
            server,
            seed,
            fault: fault.subscribe(),
        };
        let accepting = tokio::spawn(proxy.accept(resets.subscribe()));
        FaultyLink {
            url,
            fault,
            resets,
            accepting,
        }
    }
}

impl FaultyLink {
    /// Address of the server behind the link.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on the link does this.
    pub fn set(&self, fault: LinkFault) {
        self.fault.send_replace(fault);
    }

    /// Breaks every connection; new ones are accepted.
    pub fn reset(&self) {
        self.resets.send_modify(|count| *count += 1);
    }
}

impl Drop for FaultyLink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Proxy {
    listener: TcpListener,
    server: SocketAddr,
    seed: u64,
    fault: watch::Receiver<LinkFault>,
}

impl Proxy {
    async fn accept(self, mut resets: watch::Receiver<u64>) {
        // Dropped with this task, and with them every connection.
        let mut connections = JoinSet::new();
        let mut seed = self.seed;

        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let client = accepted.unwrap().0;
                    seed += 2;
                    connections.spawn(relay(client, self.server, self.fault.clone(), seed));
                }
                Ok(()) = resets.changed() => connections.shutdown().await,
            }
        }
    }
}

/// Carries what passes between a client and the server until one of them is gone.
async fn relay(
    client: TcpStream,
    server: SocketAddr,
    fault: watch::Receiver<LinkFault>,
    seed: u64,
) {
    // Nobody listens while the server is down.
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    for end in [&client, &server] {
        end.set_nodelay(true).unwrap();
        end.set_zero_linger().unwrap();
    }

    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = Direction::new(LinkFault::SwallowUp, fault.clone(), seed);
    let down = Direction::new(LinkFault::SwallowDown, fault, seed + 1);
    tokio::select! {
        () = up.carry(from_client, to_server) => {}
        () = down.carry(from_server, to_client) => {}
    }
}

/// One direction of a connection.
struct Direction {
    /// The fault that swallows what goes this way.
    swallow: LinkFault,
    fault: watch::Receiver<LinkFault>,
    random: SmallRng,
}

impl Direction {
    fn new(swallow: LinkFault, fault: watch::Receiver<LinkFault>, seed: u64) -> Self {
        Self {
            swallow,
            fault,
            random: SmallRng::seed_from_u64(seed),
        }
    }

    async fn carry(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut packet = vec![0; PACKET_BYTES];

        while let Ok(size @ 1..) = from.read(&mut packet).await {
            let fault = *self.fault.borrow_and_update();
            match fault {
                LinkFault::Loss { percent } => sleep(self.lateness(percent)).await,
                LinkFault::Hold => self.until_released().await,
                fault if fault == self.swallow => continue,
                _ => {}
            }
            if to.write_all(&packet[..size]).await.is_err() {
                return;
            }
        }
    }

    /// How long a packet takes that may be lost several times.
    fn lateness(&mut self, percent: u32) -> Duration {
        let mut lateness = Duration::ZERO;
        let mut pause = RETRANSMISSION;
        while self.random.random_range(0..100) < percent {
            lateness += pause;
            pause *= 2;
        }
        lateness
    }

    async fn until_released(&mut self) {
        let is_released = |fault: &LinkFault| *fault != LinkFault::Hold;
        // The sender is gone when the link is, and so is this task.
        let _ = self.fault.wait_for(is_released).await;
    }
}
