use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use testkit::{Direction, Proxy};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

/// Long enough for a response on the loopback interface, short enough to wait for none.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(100);

/// An echo server behind a proxy.
async fn echo_server() -> (Proxy, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            connections.spawn(async move {
                let (mut from, mut to) = stream.split();
                let _reset = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    (Proxy::start(address.to_string()).await.unwrap(), tasks)
}

async fn round_trip(stream: &mut TcpStream, data: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(data).await?;
    let mut answer = vec![0; data.len()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn proxy_forwards_data_and_the_end_of_the_stream() {
    let (proxy, _server) = echo_server().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let long = vec![7; 1_000_000];
    assert_eq!(round_trip(&mut stream, b"hello").await.unwrap(), b"hello");
    let (mut from, mut to) = stream.split();
    let mut received = Vec::new();
    let (written, read) = tokio::join!(
        async {
            to.write_all(&long).await?;
            to.shutdown().await
        },
        from.read_to_end(&mut received)
    );
    written.unwrap();
    read.unwrap();
    assert_eq!(received, long);
}

#[tokio::test]
async fn cut_resets_existing_connections_and_accepts_new_ones() {
    let (proxy, _server) = echo_server().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    round_trip(&mut stream, b"hello").await.unwrap();
    proxy.cut();
    let error = stream.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let mut next = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(round_trip(&mut next, b"again").await.unwrap(), b"again");
}

#[tokio::test]
async fn refuse_keeps_existing_connections_open() {
    let (proxy, _server) = echo_server().await;
    let mut old = TcpStream::connect(proxy.address()).await.unwrap();
    round_trip(&mut old, b"hello").await.unwrap();
    proxy.refuse().await;
    let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(round_trip(&mut old, b"still").await.unwrap(), b"still");
    proxy.accept().await;
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(round_trip(&mut new, b"new").await.unwrap(), b"new");
}

#[tokio::test]
async fn delay_applies_to_both_directions() {
    let (proxy, _server) = echo_server().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    proxy.delay(Duration::from_millis(50));
    let began = Instant::now();
    round_trip(&mut stream, b"hello").await.unwrap();
    assert!(began.elapsed() >= RESPONSE_TIMEOUT, "{:?}", began.elapsed());
}

#[tokio::test]
async fn throttle_limits_the_rate() {
    let (proxy, _server) = echo_server().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    proxy.throttle(Some(20_000));
    let began = Instant::now();
    round_trip(&mut stream, &[7; 4000]).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(190), "{:?}", began.elapsed());
}

#[tokio::test]
async fn blackhole_discards_one_direction() {
    let (proxy, _server) = echo_server().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    round_trip(&mut stream, b"hello").await.unwrap();
    proxy.blackhole(Direction::ToClient);
    assert!(timeout(RESPONSE_TIMEOUT, round_trip(&mut stream, b"lost")).await.is_err());
    proxy.heal().await;
    assert_eq!(round_trip(&mut stream, b"alive").await.unwrap(), b"alive");
}

#[tokio::test]
async fn blackholed_connections_stay_dead_and_new_ones_work() {
    let (proxy, _server) = echo_server().await;
    let mut old = TcpStream::connect(proxy.address()).await.unwrap();
    round_trip(&mut old, b"hello").await.unwrap();
    proxy.blackhole_existing();
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(round_trip(&mut new, b"alive").await.unwrap(), b"alive");
    proxy.heal().await;
    assert!(timeout(RESPONSE_TIMEOUT, round_trip(&mut old, b"lost")).await.is_err());
}

#[tokio::test]
async fn a_dead_server_causes_a_reset() {
    let port = testkit::free_port().unwrap();
    let proxy = Proxy::start(format!("127.0.0.1:{port}")).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(stream.read_u8().await.is_err());
}

#[tokio::test]
async fn proxy_is_placed_in_front_of_a_url() {
    let (proxy, url) =
        Proxy::in_front_of("amqp://guest:guest@127.0.0.1:5672/%2f?x=y").await.unwrap();
    assert_eq!(url, format!("amqp://guest:guest@{}/%2f?x=y", proxy.address()));
    assert!(Proxy::in_front_of("nonsense").await.is_err());
}
