//! A TCP proxy that injects network faults.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{error::Error, ports::free_port};

/// The largest read, in bytes.
const CHUNK_SIZE: usize = 16 * 1024;

/// The number of chunks that a direction buffers, for example during a delay.
const QUEUE_CAPACITY: usize = 256;

/// The pause between two attempts to bind the port again.
const REBIND_DELAY: Duration = Duration::from_millis(10);

/// A direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    ToServer,
    ToClient,
}

/// The faults in effect.
#[derive(Debug, Clone, Default)]
struct Faults {
    /// Number of [`Proxy::cut`] calls; a connection from before the latest one is reset.
    cuts: u64,
    /// Number of [`Proxy::blackhole_existing`] calls; a connection from before the latest one delivers nothing.
    blackholes: u64,
    refusing: bool,
    delay: Duration,
    bytes_per_second: Option<u32>,
    blackhole_to_server: bool,
    blackhole_to_client: bool,
}

impl Faults {
    fn discards(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.blackhole_to_server,
            Direction::ToClient => self.blackhole_to_client,
        }
    }
}

/// A proxy on its own port. Its connections end with this value, or with the runtime that it was started on.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    faults: watch::Sender<Faults>,
    listening: watch::Receiver<bool>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// Starts a proxy without faults in front of the server at `target`: `host:port`.
    pub async fn start(target: impl Into<String>) -> Result<Self, Error> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let listener =
            TcpListener::bind(address).await.map_err(Error::file(address.to_string()))?;
        let (faults, seen) = watch::channel(Faults::default());
        let (set_listening, listening) = watch::channel(true);
        let mut task = JoinSet::new();
        task.spawn(accept(listener, address, target.into(), seen, set_listening));
        Ok(Self { address, faults, listening, _task: task })
    }

    /// Starts a proxy in front of the server of a URL, and returns it with the same URL through the proxy.
    pub async fn in_front_of(url: &str) -> Result<(Self, String), Error> {
        let invalid = || Error::InvalidUrl(url.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(invalid)?;
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (credentials, target) =
            authority.rfind('@').map_or(("", authority), |at| authority.split_at(at + 1));
        if !target.contains(':') {
            return Err(invalid());
        }
        let proxy = Self::start(target).await?;
        let through = format!("{scheme}://{credentials}{}{path}", proxy.address);
        Ok((proxy, through))
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resets all existing connections. New connections are accepted.
    pub fn cut(&self) {
        self.faults.send_modify(|faults| faults.cuts += 1);
    }

    /// Refuses new connections once this returns, like a closed port. Existing connections stay open: also
    /// [`cut`](Self::cut) them to simulate a dead server.
    pub async fn refuse(&self) {
        self.faults.send_modify(|faults| faults.refusing = true);
        self.wait_until_listening(false).await;
    }

    /// Accepts connections again once this returns.
    pub async fn accept(&self) {
        self.faults.send_modify(|faults| faults.refusing = false);
        self.wait_until_listening(true).await;
    }

    /// Delays all data in both directions, in order.
    pub fn delay(&self, delay: Duration) {
        self.faults.send_modify(|faults| faults.delay = delay);
    }

    /// Limits each direction of each connection to a rate; `None` removes the limit.
    pub fn throttle(&self, bytes_per_second: Option<u32>) {
        self.faults.send_modify(|faults| {
            faults.bytes_per_second = bytes_per_second.map(|rate| rate.max(1));
        });
    }

    /// Discards all data in one direction while connections stay open: they are half dead. They lose data for good, so
    /// [`cut`](Self::cut) them afterwards.
    pub fn blackhole(&self, direction: Direction) {
        self.faults.send_modify(|faults| match direction {
            Direction::ToServer => faults.blackhole_to_server = true,
            Direction::ToClient => faults.blackhole_to_client = true,
        });
    }

    /// Discards all data of the existing connections in both directions for good, like a firewall that has lost their state.
    /// New connections work. [`heal`](Self::heal) does not repair the existing ones.
    pub fn blackhole_existing(&self) {
        self.faults.send_modify(|faults| faults.blackholes += 1);
    }

    /// Removes all faults once this returns.
    pub async fn heal(&self) {
        self.faults.send_modify(|faults| {
            *faults =
                Faults { cuts: faults.cuts, blackholes: faults.blackholes, ..Faults::default() };
        });
        self.wait_until_listening(true).await;
    }

    async fn wait_until_listening(&self, wanted: bool) {
        let mut listening = self.listening.clone();
        // The accepting task lives as long as the proxy. If its runtime has ended, there is nothing to wait for.
        let _gone = listening.wait_for(|now| *now == wanted).await;
    }
}

/// Accepts connections until the proxy is dropped.
async fn accept(
    mut listener: TcpListener,
    address: SocketAddr,
    target: String,
    mut faults: watch::Receiver<Faults>,
    listening: watch::Sender<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        if faults.borrow_and_update().refusing {
            drop(listener);
            listening.send_replace(false);
            if faults.wait_for(|faults| !faults.refusing).await.is_err() {
                return;
            }
            listener = loop {
                match TcpListener::bind(address).await {
                    Ok(listener) => break listener,
                    Err(error) => tracing::warn!(%error, "failed to bind the port again; retrying"),
                }
                sleep(REBIND_DELAY).await;
            };
            listening.send_replace(true);
        }
        tokio::select! {
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                connections.spawn(forward(client, target.clone(), faults.clone()));
            },
            changed = faults.changed() => if changed.is_err() { return },
            Some(_ended) = connections.join_next() => {},
        }
    }
}

/// Forwards one connection.
async fn forward(mut client: TcpStream, target: String, faults: watch::Receiver<Faults>) {
    let cuts = faults.borrow().cuts;
    let Ok(mut server) = TcpStream::connect(&target).await else {
        // A dead server must not look like an orderly close.
        reset(&client);
        return;
    };
    let closed_in_order = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let both = async {
            tokio::try_join!(
                forward_direction(from_client, to_server, Direction::ToServer, faults.clone()),
                forward_direction(from_server, to_client, Direction::ToClient, faults.clone()),
            )
        };
        let mut watched = faults.clone();
        tokio::select! {
            ended = both => ended.is_ok(),
            _cut = watched.wait_for(|faults| faults.cuts != cuts) => false,
        }
    };
    if !closed_in_order {
        reset(&client);
        reset(&server);
    }
}

/// Makes the peer receive a reset instead of an orderly close when the connection is dropped.
fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "failed to set up a connection reset");
    }
}

/// Forwards one direction, including its end.
async fn forward_direction(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    direction: Direction,
    faults: watch::Receiver<Faults>,
) -> io::Result<()> {
    let (chunks, due) = mpsc::channel(QUEUE_CAPACITY);
    tokio::try_join!(receive(from, chunks, faults.clone()), deliver(to, due, direction, faults))?;
    Ok(())
}

/// Data with its earliest delivery time.
type Chunk = (Instant, Vec<u8>);

/// Reads data and sets its delivery time.
async fn receive(
    mut from: ReadHalf<'_>,
    chunks: mpsc::Sender<Chunk>,
    faults: watch::Receiver<Faults>,
) -> io::Result<()> {
    loop {
        let mut chunk = vec![0; CHUNK_SIZE];
        let length = from.read(&mut chunk).await?;
        chunk.truncate(length);
        let due = Instant::now() + faults.borrow().delay;
        if length == 0 || chunks.send((due, chunk)).await.is_err() {
            return Ok(());
        }
    }
}

/// Delivers each chunk at its delivery time, within the rate limit.
async fn deliver(
    mut to: WriteHalf<'_>,
    mut chunks: mpsc::Receiver<Chunk>,
    direction: Direction,
    faults: watch::Receiver<Faults>,
) -> io::Result<()> {
    let blackholes_at_start = faults.borrow().blackholes;
    while let Some((due, chunk)) = chunks.recv().await {
        sleep_until(due).await;
        let Faults { bytes_per_second, blackholes, .. } = *faults.borrow();
        if blackholes != blackholes_at_start || faults.borrow().discards(direction) {
            continue;
        }
        let Some(rate) = bytes_per_second else {
            to.write_all(&chunk).await?;
            continue;
        };
        // Twenty writes a second are smooth enough.
        for piece in chunk.chunks(usize::try_from(rate.div_ceil(20)).unwrap_or(CHUNK_SIZE)) {
            let share = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            sleep(Duration::from_secs(1) * share / rate).await;
            to.write_all(piece).await?;
        }
    }
    if faults.borrow().blackholes != blackholes_at_start {
        // A blackholed connection does not even forward its end.
        return Ok(());
    }
    to.shutdown().await
}
