//! A TCP proxy that does to a connection what networks do.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{Error, free_port};

/// How much is read at once, in bytes.
const CHUNK: usize = 16 * 1024;

/// How many chunks may be under way in one direction. With a delay, this bounds what is in flight.
const IN_FLIGHT: usize = 256;

/// How long the proxy waits before it tries again to take back its port.
const REBIND: Duration = Duration::from_millis(10);

/// One of the two directions of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// What the client sends.
    ToServer,
    /// What the server sends.
    ToClient,
}

/// What is done to the connections now.
#[derive(Debug, Clone, Default)]
struct Faults {
    /// Counts the cuts: a connection that began under another number is reset.
    cuts: u64,
    /// Counts the silences: a connection that began under another number delivers nothing any more.
    silences: u64,
    refusing: bool,
    delay: Duration,
    bytes_per_second: Option<u32>,
    swallow_to_server: bool,
    swallow_to_client: bool,
}

impl Faults {
    fn swallows(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.swallow_to_server,
            Direction::ToClient => self.swallow_to_client,
        }
    }
}

/// A proxy on a port of its own. It and its connections end with this value, or with the runtime that it was started on.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    faults: watch::Sender<Faults>,
    listening: watch::Receiver<bool>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// A proxy before the server at `target`, `host:port`, that passes everything on until told otherwise.
    ///
    /// # Errors
    ///
    /// When it finds no port.
    pub async fn start(target: impl Into<String>) -> Result<Self, Error> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let listener =
            TcpListener::bind(address).await.map_err(Error::file(address.to_string()))?;
        let (faults, seen) = watch::channel(Faults::default());
        let (say, listening) = watch::channel(true);
        let mut task = JoinSet::new();
        task.spawn(accept(listener, address, target.into(), seen, say));
        Ok(Self { address, faults, listening, _task: task })
    }

    /// A proxy before the server that an address names, and the same address through the proxy.
    ///
    /// # Errors
    ///
    /// When the address names no host and port, or no port is to be had.
    pub async fn before(url: &str) -> Result<(Self, String), Error> {
        let unusable = || Error::Address(url.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(unusable)?;
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (credentials, target) =
            authority.rfind('@').map_or(("", authority), |at| authority.split_at(at + 1));
        if !target.contains(':') {
            return Err(unusable());
        }
        let proxy = Self::start(target).await?;
        let through = format!("{scheme}://{credentials}{}{path}", proxy.address);
        Ok((proxy, through))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resets all connections that there are. New ones are taken.
    pub fn cut(&self) {
        self.faults.send_modify(|faults| faults.cuts += 1);
    }

    /// Refuses new connections, as if nobody listened, once this returns. Those that there are go on: [`cut`](Self::cut) them
    /// too if the server should seem dead.
    pub async fn refuse(&self) {
        self.faults.send_modify(|faults| faults.refusing = true);
        self.wait_until_listening(false).await;
    }

    /// Takes connections again, once this returns.
    pub async fn accept(&self) {
        self.faults.send_modify(|faults| faults.refusing = false);
        self.wait_until_listening(true).await;
    }

    /// Delivers everything this much later, both ways. The order stays.
    pub fn delay(&self, delay: Duration) {
        self.faults.send_modify(|faults| faults.delay = delay);
    }

    /// Lets through so many bytes per second in each direction of each connection; all that comes if `None`.
    pub fn throttle(&self, bytes_per_second: Option<u32>) {
        self.faults.send_modify(|faults| {
            faults.bytes_per_second = bytes_per_second.map(|rate| rate.max(1));
        });
    }

    /// Takes what is sent in one direction and delivers none of it: the connection seems alive and is half dead. What was
    /// swallowed is lost, so a connection is of no use afterwards; [`cut`](Self::cut) it.
    pub fn swallow(&self, direction: Direction) {
        self.faults.send_modify(|faults| match direction {
            Direction::ToServer => faults.swallow_to_server = true,
            Direction::ToClient => faults.swallow_to_client = true,
        });
    }

    /// Lets all connections that there are fall silent for ever, both ways and without a word of it, as behind a firewall that
    /// has forgotten them. New ones are taken and are sound. Not even [`heal`](Self::heal) gives them their voice back.
    pub fn silence(&self) {
        self.faults.send_modify(|faults| faults.silences += 1);
    }

    /// Ends all faults, once this returns.
    pub async fn heal(&self) {
        self.faults.send_modify(|faults| {
            *faults = Faults { cuts: faults.cuts, silences: faults.silences, ..Faults::default() };
        });
        self.wait_until_listening(true).await;
    }

    async fn wait_until_listening(&self, wanted: bool) {
        let mut listening = self.listening.clone();
        // The task that says it lives as long as we do; if its runtime is gone, there is nothing left to wait for.
        let _gone = listening.wait_for(|now| *now == wanted).await;
    }
}

/// Takes connections until the proxy is dropped.
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
                    Err(error) => tracing::warn!(%error, "the proxy's port is not free yet"),
                }
                sleep(REBIND).await;
            };
            listening.send_replace(true);
        }
        tokio::select! {
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                connections.spawn(connect(client, target.clone(), faults.clone()));
            },
            changed = faults.changed() => if changed.is_err() { return },
            Some(_ended) = connections.join_next() => {},
        }
    }
}

/// Carries one connection from its beginning to its end.
async fn connect(mut client: TcpStream, target: String, faults: watch::Receiver<Faults>) {
    let cuts = faults.borrow().cuts;
    let Ok(mut server) = TcpStream::connect(&target).await else {
        // A server that is not there must not look like one that hangs up in order.
        reset(&client);
        return;
    };
    let in_order = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let both = async {
            tokio::try_join!(
                carry(from_client, to_server, Direction::ToServer, faults.clone()),
                carry(from_server, to_client, Direction::ToClient, faults.clone()),
            )
        };
        let mut watched = faults.clone();
        tokio::select! {
            ended = both => ended.is_ok(),
            _cut = watched.wait_for(|faults| faults.cuts != cuts) => false,
        }
    };
    if !in_order {
        reset(&client);
        reset(&server);
    }
}

/// Makes the other side see a reset instead of an end once the connection is dropped.
fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "a connection ends in order instead of being reset");
    }
}

/// Carries one direction until its end, which is passed on.
async fn carry(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    direction: Direction,
    faults: watch::Receiver<Faults>,
) -> io::Result<()> {
    let (chunks, due) = mpsc::channel(IN_FLIGHT);
    tokio::try_join!(pull(from, chunks, faults.clone()), push(to, due, direction, faults))?;
    Ok(())
}

/// A piece of what was sent, with the time before which it must not arrive.
type Chunk = (Instant, Vec<u8>);

/// Reads what is sent and notes when it is due.
async fn pull(
    mut from: ReadHalf<'_>,
    chunks: mpsc::Sender<Chunk>,
    faults: watch::Receiver<Faults>,
) -> io::Result<()> {
    loop {
        let mut chunk = vec![0; CHUNK];
        let length = from.read(&mut chunk).await?;
        chunk.truncate(length);
        let due = Instant::now() + faults.borrow().delay;
        if length == 0 || chunks.send((due, chunk)).await.is_err() {
            return Ok(());
        }
    }
}

/// Delivers each piece when it is due, as fast as the throttle lets it.
async fn push(
    mut to: WriteHalf<'_>,
    mut chunks: mpsc::Receiver<Chunk>,
    direction: Direction,
    faults: watch::Receiver<Faults>,
) -> io::Result<()> {
    let began = faults.borrow().silences;
    while let Some((due, chunk)) = chunks.recv().await {
        sleep_until(due).await;
        let Faults { bytes_per_second, silences, .. } = *faults.borrow();
        if silences != began || faults.borrow().swallows(direction) {
            continue;
        }
        let Some(rate) = bytes_per_second else {
            to.write_all(&chunk).await?;
            continue;
        };
        // Twenty pieces a second are smooth enough.
        for piece in chunk.chunks(usize::try_from(rate.div_ceil(20)).unwrap_or(CHUNK)) {
            let share = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            sleep(Duration::from_secs(1) * share / rate).await;
            to.write_all(piece).await?;
        }
    }
    if faults.borrow().silences != began {
        // Not even the end of a connection that fell silent is heard on its other side.
        return Ok(());
    }
    to.shutdown().await
}
