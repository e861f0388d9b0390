//! Measures the running suite, and the kit that it stands on.

mod dispatch;
pub(crate) mod figures;
mod load;
mod messaging;
mod quick;
mod services;

use std::path::PathBuf;

use clap::Subcommand;

use crate::command;
use crate::failure::Failure;

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// The baseline: start, memory, freshness of search, orders, user events, a whole catalogue.
    Quick(Options),
    /// The messaging kit against the bare broker, a polled outbox, and a write that says nothing; needs no running suite.
    Messaging(Options),
    /// The kit's dispatch orders under one overload, held against queueing theory, and batches that adapt; needs no running suite.
    Dispatch(Options),
}

/// What every bench takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A folder with real data, such as icecat-products.ndjson.gz; without it, data of the same size is generated.
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// Write the figures to this file, as one flat JSON object.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}

/// Runs a bench, from an optimised build of this program: a load generator that is slow measures itself.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    if cfg!(debug_assertions) {
        return command::optimised().await;
    }
    match arguments.bench {
        Bench::Quick(options) => quick::run(options).await,
        Bench::Messaging(options) => messaging::run(options).await,
        Bench::Dispatch(options) => dispatch::run(options).await,
    }
}
