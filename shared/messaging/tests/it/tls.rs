//! Events over a broker that accepts only TLS and certificates of its CA.

use messaging::OnReject;
use testkit::{DataDir, RabbitMq, RabbitMqSettings, TestAuthority};
use tls::{ClientFiles, amqp};

use crate::harness::Harness;

const HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];

#[tokio::test]
async fn certificates_change_while_events_flow() {
    let authority = TestAuthority::create().unwrap();
    let mut files = authority.issue("rabbitmq", &HOSTS, true).unwrap();
    files.requires_client_certificates = true;
    let data_dir = DataDir::in_memory("rabbitmq").unwrap();
    let settings = RabbitMqSettings { tls: Some(files), ..RabbitMqSettings::in_folder(data_dir) };
    let broker = RabbitMq::start_with(settings).await.unwrap();

    let harness = Harness::open(OnReject::BlockKey).await;
    let own = authority.issue("shop", &["shop"], true).unwrap();
    let identity = Some((own.certificate.clone(), own.key.clone()));
    let client = ClientFiles { authorities: authority.file(), identity };
    let url = amqp::with_files(&broker.vhost_url("/"), &client);
    let (publisher, consumer) = (harness.start_publisher_at(&url), harness.start_consumer_at(&url));
    let walks = ["a", "b", "c", "d"];
    let mut last = 0;
    for round in 0..3 {
        harness.publish_steps(&walks, last + 1..=last + 20).await;
        last += 20;
        let mut renewed = authority.issue("rabbitmq", &HOSTS, true).unwrap();
        renewed.requires_client_certificates = true;
        broker.replace_certificates(&renewed).await.unwrap();
        // The certificate of the services, too.
        authority.issue("shop", &["shop"], true).unwrap();
        harness.publish_steps(&walks, last + 1..=last + 20).await;
        last += 20;
        if round == 1 {
            // New connections, with the new certificates.
            broker.close_all_connections().await.unwrap();
        }
        harness.publish_steps(&walks, last + 1..=last + 20).await;
        last += 20;
    }
    harness.wait_for_total(4 * last).await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}
