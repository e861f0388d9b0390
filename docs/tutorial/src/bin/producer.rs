//! The smallest producer: publishes one event and waits until the broker has it.
//!
//! Usage: `AMQP_URL=amqp://… producer TEXT`

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::{env, error::Error, time::SystemTime};

use lapin::{
    BasicProperties, Confirmation, Connection, ConnectionProperties, ExchangeKind,
    options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions},
    types::FieldTable,
};
use tutorial::{BATCH_CONTENT_TYPE, Event};
use uuid::Uuid;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let text = env::args().nth(1).ok_or("usage: producer TEXT")?;
    let url = env::var("AMQP_URL")?;
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    // The broker confirms each message once it is safe.
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let exchange = "tutorial";
    channel
        .exchange_declare(
            exchange.into(),
            ExchangeKind::Topic,
            ExchangeDeclareOptions { durable: true, ..Default::default() },
            FieldTable::default(),
        )
        .await?;

    let event = Event {
        specversion: "1.0".to_owned(),
        id: Uuid::now_v7(),
        source: exchange.to_owned(),
        kind: "greeting.sent.v1".to_owned(),
        subject: "world".to_owned(),
        time: SystemTime::now().into(),
        sequence: format!("{:019}", 1),
        aggregate: "greeting".to_owned(),
        data: serde_json::json!({ "text": text }),
    };
    let message = serde_json::to_vec(&[event])?;
    #[expect(clippy::disallowed_methods, reason = "the tutorial shows what the kit does")]
    let confirm = channel
        .basic_publish(
            exchange.into(),
            "greeting.0".into(),
            BasicPublishOptions { mandatory: true, ..Default::default() },
            &message,
            // Delivery mode 2: the broker keeps the message on disk.
            BasicProperties::default()
                .with_content_type(BATCH_CONTENT_TYPE.into())
                .with_delivery_mode(2),
        )
        .await?;
    match confirm.await? {
        Confirmation::Ack(None) => println!("confirmed"),
        Confirmation::Ack(Some(_)) => return Err("no queue is bound to this routing key".into()),
        Confirmation::Nack(_) | Confirmation::NotRequested => {
            return Err("the broker did not take the message".into());
        }
    }
    connection.close(200, "done".into()).await?;
    Ok(())
}
