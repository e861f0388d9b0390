use std::io::ErrorKind;
use std::time::{Duration, Instant};

use testkit::{Direction, Proxy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Long enough for the loopback, short enough to wait for nothing.
const SOON: Duration = Duration::from_millis(100);

/// A server that says everything back, and a proxy before it.
async fn echo() -> (Proxy, JoinSet<()>) {
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

async fn say(stream: &mut TcpStream, word: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(word).await?;
    let mut answer = vec![0; word.len()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn passes_on_what_is_said_and_the_end_of_it() {
    let (proxy, _server) = echo().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let long = vec![7; 1_000_000];
    assert_eq!(say(&mut stream, b"hello").await.unwrap(), b"hello");
    let (mut from, mut to) = stream.split();
    let mut heard = Vec::new();
    let (said, read) = tokio::join!(
        async {
            to.write_all(&long).await?;
            to.shutdown().await
        },
        from.read_to_end(&mut heard)
    );
    said.unwrap();
    read.unwrap();
    assert_eq!(heard, long);
}

#[tokio::test]
async fn a_cut_resets_what_there_is_and_takes_what_comes() {
    let (proxy, _server) = echo().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    say(&mut stream, b"hello").await.unwrap();
    proxy.cut();
    let error = stream.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let mut next = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(say(&mut next, b"again").await.unwrap(), b"again");
}

#[tokio::test]
async fn refuses_until_it_accepts_again_while_old_connections_go_on() {
    let (proxy, _server) = echo().await;
    let mut old = TcpStream::connect(proxy.address()).await.unwrap();
    say(&mut old, b"hello").await.unwrap();
    proxy.refuse().await;
    let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(say(&mut old, b"still").await.unwrap(), b"still");
    proxy.accept().await;
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(say(&mut new, b"new").await.unwrap(), b"new");
}

#[tokio::test]
async fn delays_both_ways() {
    let (proxy, _server) = echo().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    proxy.delay(Duration::from_millis(50));
    let began = Instant::now();
    say(&mut stream, b"hello").await.unwrap();
    assert!(began.elapsed() >= SOON, "{:?}", began.elapsed());
}

#[tokio::test]
async fn throttles() {
    let (proxy, _server) = echo().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    proxy.throttle(Some(20_000));
    let began = Instant::now();
    say(&mut stream, &[7; 4000]).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(190), "{:?}", began.elapsed());
}

#[tokio::test]
async fn swallows_one_direction_and_keeps_the_connection() {
    let (proxy, _server) = echo().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    say(&mut stream, b"hello").await.unwrap();
    proxy.swallow(Direction::ToClient);
    assert!(timeout(SOON, say(&mut stream, b"lost")).await.is_err());
    proxy.heal().await;
    assert_eq!(say(&mut stream, b"heard").await.unwrap(), b"heard");
}

#[tokio::test]
async fn what_fell_silent_stays_so_and_new_connections_are_sound() {
    let (proxy, _server) = echo().await;
    let mut old = TcpStream::connect(proxy.address()).await.unwrap();
    say(&mut old, b"hello").await.unwrap();
    proxy.silence();
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(say(&mut new, b"heard").await.unwrap(), b"heard");
    proxy.heal().await;
    assert!(timeout(SOON, say(&mut old, b"lost")).await.is_err());
}

#[tokio::test]
async fn a_dead_server_behind_it_is_a_reset() {
    let nobody = testkit::free_port().unwrap();
    let proxy = Proxy::start(format!("127.0.0.1:{nobody}")).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(stream.read_u8().await.is_err());
}

#[tokio::test]
async fn stands_before_what_an_address_names() {
    let (proxy, url) = Proxy::before("amqp://guest:guest@127.0.0.1:5672/%2f?x=y").await.unwrap();
    assert_eq!(url, format!("amqp://guest:guest@{}/%2f?x=y", proxy.address()));
    assert!(Proxy::before("nonsense").await.is_err());
}
