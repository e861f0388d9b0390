//! The pair of servers that all tests share.

use std::env;

use tokio::sync::OnceCell;

use crate::{Error, Management, Postgres, RabbitMq};

/// Started by this process because nobody told it of a server. They end with the process, by their death signals; what they
/// leave on the disk is swept by the next that makes a folder.
static POSTGRES: OnceCell<Postgres> = OnceCell::const_new();
static RABBITMQ: OnceCell<RabbitMq> = OnceCell::const_new();

/// The address of the shared PostgreSQL, without a database.
pub(crate) async fn postgres_url() -> Result<String, Error> {
    match variable("TESTKIT_POSTGRES_URL") {
        Some(url) => Ok(url),
        None => Ok(POSTGRES.get_or_try_init(Postgres::start).await?.url()),
    }
}

/// The address of the shared RabbitMQ, without a vhost, and its management API.
pub(crate) async fn rabbitmq() -> Result<(String, Management), Error> {
    let told = variable("TESTKIT_AMQP_URL").zip(variable("TESTKIT_RABBITMQ_MANAGEMENT_URL"));
    let (amqp, management) = if let Some(urls) = told {
        urls
    } else {
        let server = RABBITMQ.get_or_try_init(RabbitMq::start).await?;
        (server.url(), server.management().url().to_owned())
    };
    // Each caller gets a client of its own: a client is tied to the runtime of the test that made it.
    Ok((amqp, Management::new(&management)?))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
