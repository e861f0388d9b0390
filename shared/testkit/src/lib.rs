#![doc = include_str!("../README.md")]

mod error;
mod wait;

mod account;
mod data_dir;
mod mutation;
mod ports;
mod process;

mod cluster;
mod postgres;
mod rabbitmq;
mod tls_files;

mod async_drop;
mod database;
mod shared_servers;
mod template;
mod vhost;

mod proxy;

pub use cluster::RabbitMqCluster;
pub use data_dir::DataDir;
pub use database::Database;
pub use error::Error;
pub use mutation::{any_number, mutate_json};
pub use ports::free_port;
pub use postgres::{
    Authentication, Postgres, PostgresSettings, create_database, database_url, run_sql,
};
pub use process::{DeathSignal, Process, Program};
pub use proxy::{Direction, Proxy};
pub use rabbitmq::{RabbitMq, RabbitMqPorts, RabbitMqSettings};
pub use rabbitmq_management::{ManagementClient, QueueState, percent_encoded};
pub use tls_files::{TestAuthority, TlsFiles};
pub use vhost::Vhost;
pub use wait::{WaitError, wait_for, wait_until};
