//! The smallest consumer: prints the events of an exchange as they arrive.
//!
//! Usage: `AMQP_URL=amqp://… consumer EXCHANGE BINDING_KEY`, for example `consumer product-catalog 'product.*'`.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::{env, error::Error};

use futures::StreamExt as _;
use lapin::{
    Connection, ConnectionProperties,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    types::FieldTable,
};
use tutorial::Event;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(exchange), Some(binding_key)) = (arguments.next(), arguments.next()) else {
        return Err("usage: consumer EXCHANGE BINDING_KEY".into());
    };
    let url = env::var("AMQP_URL")?;
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    // At most 100 messages without an acknowledgement.
    channel.basic_qos(100, BasicQosOptions::default()).await?;
    // A queue of our own with a generated name, deleted with the connection.
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), options, FieldTable::default()).await?;
    channel
        .queue_bind(
            queue.name().clone(),
            exchange.into(),
            binding_key.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await?;
    let mut deliveries = channel
        .basic_consume(
            queue.name().clone(),
            "tutorial".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    println!("waiting for events");
    while let Some(delivery) = deliveries.next().await {
        let delivery = delivery?;
        // A message is a batch: the events of one slot, in the order of their commits.
        let events: Vec<Event> = serde_json::from_slice(&delivery.data)?;
        for event in events {
            let Event { kind, source, subject, sequence, data, .. } = event;
            println!("{kind} {source}/{subject} #{} {data}", sequence.trim_start_matches('0'));
        }
        // Without this the broker delivers the message again.
        delivery.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}
