use std::time::Duration;

use testkit::{RabbitMq, wait_for};
use tokio::net::TcpStream;

const TIMEOUT: Duration = Duration::from_secs(20);

/// One test for all, because starting a server is slow.
#[tokio::test]
async fn a_server_is_killed_restarted_alarmed_and_stopped() {
    let mut server = RabbitMq::start().await.unwrap();
    let ports = server.ports();

    let url = server.create_vhost("of/the test").await.unwrap();
    assert!(url.ends_with("/of%2Fthe%20test"), "{url}");
    assert_eq!(server.management().queues("of/the test").await.unwrap(), []);

    server.kill().await.unwrap();
    assert!(server.management().check().await.is_err());
    assert!(TcpStream::connect(("127.0.0.1", ports.port_mapper)).await.is_ok());

    server.restart().await.unwrap();
    assert_eq!(server.ports(), ports);
    let queues = server.management().queues("of/the test").await;
    assert_eq!(queues.unwrap(), [], "the vhost is still there");

    server.set_memory_alarm(true).await.unwrap();
    wait_for("the alarm is raised", TIMEOUT, async || {
        match server.management().has_alarms().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("no alarm".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await
    .unwrap();
    server.set_memory_alarm(false).await.unwrap();
    wait_for("the alarm is cleared", TIMEOUT, async || {
        match server.management().has_alarms().await {
            Ok(false) => Ok(()),
            Ok(true) => Err("alarm".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await
    .unwrap();
    assert_eq!(server.close_all_connections().await.unwrap(), 0);

    server.stop().await.unwrap();
    for port in [ports.amqp, ports.management, ports.distribution, ports.port_mapper] {
        let open = TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        assert!(!open, "port {port} of {ports:?} is still open");
    }
}
