#![doc = include_str!("../README.md")]

mod error;
mod wait;

mod account;
mod folder;
mod ports;
mod process;

mod cluster;
mod management;
mod postgres;
mod rabbitmq;

mod database;
mod last_act;
mod shared_servers;
mod vhost;

mod proxy;

pub use cluster::RabbitMqCluster;
pub use database::Database;
pub use error::Error;
pub use folder::Folder;
pub use management::{Connection, Management, QueueState, encoded};
pub use ports::free_port;
pub use postgres::{Postgres, PostgresSettings, create_database, database_url};
pub use process::{DeathSignal, Process, Program};
pub use proxy::{Direction, Proxy};
pub use rabbitmq::{RabbitMq, RabbitMqPorts, RabbitMqSettings};
pub use vhost::Vhost;
pub use wait::{WaitError, wait_for, wait_until};
