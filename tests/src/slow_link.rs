//! A slow link: a TCP proxy that holds each chunk of bytes for a while, one after the other.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::Sandbox;

/// Most bytes that are held as one chunk.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// How a link treats what goes through it.
#[derive(Clone, Copy, Debug)]
pub struct Slowness {
    /// How long each chunk on its way to the server is held.
    pub up: Duration,
    /// How long each chunk on its way from the server is held.
    pub down: Duration,
    /// Bytes per second in each direction; none for any number.
    pub bytes_per_second: Option<u32>,
}

impl Slowness {
    /// Both ways hold each chunk for this long.
    pub fn of(hold: Duration) -> Self {
        Self {
            up: hold,
            down: hold,
            bytes_per_second: None,
        }
    }
}

/// The proxy; its connections break when it is dropped.
pub struct SlowLink {
    url: String,
    accepting: JoinHandle<()>,
}

impl Sandbox {
    /// A link of that slowness to the NATS server.
    pub async fn slow_link(&self, slowness: Slowness) -> SlowLink {
        let server: SocketAddr = self.url().trim_start_matches("nats://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());

        SlowLink {
            url,
            accepting: tokio::spawn(accept(listener, server, slowness)),
        }
    }
}

impl SlowLink {
    /// Address of the server behind the link.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for SlowLink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, slowness: Slowness) {
    // Dropped with this task, and with them every connection.
    let mut directions = tokio::task::JoinSet::new();

    while let Ok((client, _)) = listener.accept().await {
        let server = TcpStream::connect(server).await.unwrap();
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();

        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        directions.spawn(carry(from_client, to_server, slowness.up, slowness));
        directions.spawn(carry(from_server, to_client, slowness.down, slowness));
    }
}

/// Carries chunk after chunk until one of the ends is closed.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    hold: Duration,
    slowness: Slowness,
) {
    let mut chunk = vec![0; CHUNK_BYTES_MAX];

    while let Ok(size @ 1..) = from.read(&mut chunk).await {
        let sending = slowness.bytes_per_second.map_or(Duration::ZERO, |rate| {
            Duration::from_secs_f64(size as f64 / f64::from(rate))
        });
        sleep_until(Instant::now() + hold + sending).await;
        if to.write_all(&chunk[..size]).await.is_err() {
            return;
        }
    }
}
