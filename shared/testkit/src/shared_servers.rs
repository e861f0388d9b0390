//! The pair of servers that all tests share.

use std::env;

use rabbitmq_management::ManagementClient;
use tokio::sync::OnceCell;

use crate::{data_dir::DataDir, error::Error, postgres::Postgres, rabbitmq::RabbitMq};

/// Servers of this process, started if the environment names none. Their death signals end them with the process; the next
/// process that creates a data directory removes their files. So these do not lie in memory. Benchmarks, which use these servers,
/// measure the disk, too.
static POSTGRES: OnceCell<Postgres> = OnceCell::const_new();
static RABBITMQ: OnceCell<RabbitMq> = OnceCell::const_new();

/// The URL of the shared PostgreSQL, without a database.
pub(crate) async fn postgres_url() -> Result<String, Error> {
    if let Some(url) = variable("TESTKIT_POSTGRES_URL") {
        return Ok(url);
    }
    let start = async || Postgres::start_in(DataDir::temporary("postgres")?).await;
    Ok(POSTGRES.get_or_try_init(start).await?.url())
}

/// The URL of the shared RabbitMQ, without a vhost, and a client of its management API.
pub(crate) async fn rabbitmq() -> Result<(String, ManagementClient), Error> {
    let configured = variable("TESTKIT_AMQP_URL").zip(variable("TESTKIT_RABBITMQ_MANAGEMENT_URL"));
    let (amqp, management) = if let Some(urls) = configured {
        urls
    } else {
        let start = async || RabbitMq::start_in(DataDir::temporary("rabbitmq")?).await;
        let server = RABBITMQ.get_or_try_init(start).await?;
        (server.url(), server.management().url().to_owned())
    };
    // Each caller gets a new client, because a client is tied to the runtime of the test that created it.
    Ok((amqp, ManagementClient::new(&management)?))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
