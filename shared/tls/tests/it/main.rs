//! TLS to a real RabbitMQ.

// Helpers outside of `#[test]` functions are test code too.
#![cfg(test)]

use lapin::{Connection, ConnectionProperties};
use testkit::{DataDir, RabbitMq, RabbitMqSettings, TestAuthority, TlsFiles};
use tls::{ClientFiles, amqp};

const HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

async fn broker(tls: TlsFiles) -> RabbitMq {
    let data_dir = DataDir::in_memory("rabbitmq").unwrap();
    let settings = RabbitMqSettings { tls: Some(tls), ..RabbitMqSettings::in_folder(data_dir) };
    RabbitMq::start_with(settings).await.unwrap()
}

/// Connects, or returns the error with its causes.
async fn connect(url: &str, files: &ClientFiles) -> Result<Connection, String> {
    let url = amqp::with_files(url, files);
    let connecting = amqp::connect(&url, ConnectionProperties::default());
    let connected = tokio::time::timeout(TIMEOUT, connecting).await.unwrap();
    connected.map_err(|error| {
        let causes =
            std::iter::successors(Some(&error as &(dyn std::error::Error + 'static)), |error| {
                error.source()
            });
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    })
}

async fn refusal_of(url: &str, files: &ClientFiles) -> String {
    connect(url, files).await.err().unwrap_or_else(|| "accepted".to_owned())
}

#[tokio::test]
async fn the_broker_must_have_a_valid_certificate() {
    let (ours, foreign) = (TestAuthority::create().unwrap(), TestAuthority::create().unwrap());
    let broker = broker(ours.issue("rabbitmq", &HOSTS, true).unwrap()).await;
    let url = broker.vhost_url("/");
    let open = connect(&url, &ours.client_files()).await.unwrap();
    open.create_channel().await.unwrap();

    let plain = url.replace("amqps://", "amqp://");
    assert_ne!(refusal_of(&plain, &ours.client_files()).await, "accepted");
    let refused = refusal_of(&url, &foreign.client_files()).await;
    assert!(refused.contains("check TLS_CA_FILE") && refused.contains("127.0.0.1:"), "{refused}");
    let unset = amqp::connect(&url, ConnectionProperties::default()).await.unwrap_err();
    assert!(format!("{unset:?} {unset}").contains("set TLS_CA_FILE"), "{unset:?}");
    let other_host = ours.issue("rabbitmq", &["mq.example"], true).unwrap();
    broker.replace_certificates(&other_host).await.unwrap();
    let refused = refusal_of(&url, &ours.client_files()).await;
    assert!(refused.contains("the names of the certificate"), "{refused}");

    // A certificate that has ended: new connections are refused, the open one works.
    broker.replace_certificates(&ours.issue("rabbitmq", &HOSTS, false).unwrap()).await.unwrap();
    let refused = refusal_of(&url, &ours.client_files()).await;
    assert!(refused.contains("has ended"), "{refused}");
    open.create_channel().await.unwrap();

    broker.replace_certificates(&ours.issue("rabbitmq", &HOSTS, true).unwrap()).await.unwrap();
    let renewed = connect(&url, &ours.client_files()).await.unwrap();
    renewed.create_channel().await.unwrap();
}

#[tokio::test]
async fn a_broker_may_demand_certificates_of_clients() {
    let (ours, foreign) = (TestAuthority::create().unwrap(), TestAuthority::create().unwrap());
    let mut files = ours.issue("rabbitmq", &HOSTS, true).unwrap();
    files.requires_client_certificates = true;
    let broker = broker(files).await;
    let url = broker.vhost_url("/");
    let identity = |authority: &TestAuthority, is_valid: bool| {
        let issued = authority.issue("order", &["order"], is_valid).unwrap();
        ClientFiles { authorities: ours.file(), identity: Some((issued.certificate, issued.key)) }
    };
    let connection = connect(&url, &identity(&ours, true)).await.unwrap();
    connection.create_channel().await.unwrap();

    for files in [ours.client_files(), identity(&foreign, true), identity(&ours, false)] {
        let refused = refusal_of(&url, &files).await;
        // The broker may close the connection before its alert has been read.
        assert!(refused.contains("alert") || refused.contains("reset"), "{files:?}: {refused}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_named() {
    let ours = TestAuthority::create().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("amqps://guest:guest@{}", listener.local_addr().unwrap());
    let answer = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"AMQP\x00\x00\x09\x01").await.unwrap();
        stream
    };
    let files = ours.client_files();
    let (refused, _stream) = tokio::join!(refusal_of(&url, &files), answer);
    assert!(refused.contains("does not speak TLS"), "{refused}");
}
