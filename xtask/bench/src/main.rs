//! Measures the running suite, orders, the messaging kit and search: `cargo xtask bench`.

mod buyers;
mod disk;
mod dispatch;
mod error;
mod interruptible;
mod load;
mod message_keys;
mod messaging;
mod order_client;
mod orders;
mod pairs;
mod private_suite;
mod processor_time;
mod quick;
mod search;
mod services;
mod signatures;
mod statistics;

use std::process::ExitCode;

use clap::Parser as _;
use suite::output;
use xtask::{Arguments, Command, arguments::Bench};

use crate::error::Error;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Error> {
    let Command::Bench(bench) = command else { return Err(suite::Error::OtherProgram.into()) };
    match bench {
        Bench::Quick(options) => quick::run(options).await,
        Bench::Orders(arguments) => orders::run(arguments).await,
        Bench::OrdersStored(arguments) => orders::stored::run(arguments).await,
        Bench::Messaging(arguments) => {
            interruptible::run(Box::pin(messaging::run(arguments.json.as_deref()))).await
        }
        Bench::Scale(arguments) => {
            interruptible::run(Box::pin(messaging::scale::run(arguments))).await
        }
        Bench::Priority(arguments) => {
            interruptible::run(Box::pin(orders::priority::run(arguments))).await
        }
        Bench::Signatures(arguments) => {
            interruptible::run(Box::pin(signatures::run(arguments))).await
        }
        Bench::Dispatch(options) => dispatch::run(options).await,
        Bench::Search(arguments) => search::run(arguments).await,
    }
}
