//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, builder::PossibleValuesParser};
use uuid::Uuid;

/// The services, by the names of their directories.
pub const SERVICES: [&str; 5] =
    ["product-catalog", "order", "inventory", "search-sync", "behavior-analytics"];

/// Everything that a token can allow.
pub const SCOPES: [&str; 9] = [
    "catalog:write",
    "stock:write",
    "orders:read",
    "orders:write",
    "orders:admin",
    "orders:priority",
    "analytics:read",
    "ops",
    "staff:admin",
];

/// The commands of the project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build and run the whole suite with private servers and the sample catalogue.
    Up(Up),
    /// Stop the suite.
    Down(Down),
    /// Run everything that must pass before a change lands: format, lints, documentation, all tests.
    Test,
    /// Run a long proof, or list the proofs.
    Prove(Prove),
    /// Mint a token for the running suite; it is the last line of the output.
    Token(Token),
    /// Create, reset and list staff accounts of the running suite: `add --role ROLE EMAIL`, `reset EMAIL`, `list`.
    #[command(disable_help_flag = true)]
    Staff(Staff),
    /// Import products from a file through the public route.
    Import(Import),
    /// Measure the running suite, orders, the messaging kit or search.
    #[command(subcommand)]
    Bench(Bench),
    /// Measure the quality of search on labelled queries; needs no running suite.
    #[command(subcommand)]
    Eval(Eval),
    /// Inject a seeded sequence of faults into a suite under load, then verify that nothing was lost.
    Chaos(Chaos),
    /// Check the invariants across the databases of the running suite.
    Audit(Audit),
    /// Inspect, edit, redrive or discard the dead letters of a running service.
    DeadLetters(DeadLetters),
    /// Rebuild a projection of a running service beside the live one, compare them and correct the live one.
    Replay(Replay),
    /// Publish the events of a running service again, for a subscriber that has lost them.
    Republish(Republish),
    /// After the database of a service went back to an earlier state: list the commits that it has lost, and raise its sequence
    /// numbers, so that its next events take effect. Run it before the service starts.
    Reconcile(Reconcile),
    /// Compare a broker with the topology that the services declare, and bring it into line.
    #[command(subcommand)]
    Topology(Topology),
    /// Print SQL for psql that creates the database roles and databases of the services, and grants what each role may do. It may be
    /// applied again. Passwords are not part of it.
    Roles,
    /// Generate `docs/event-graph.md`.
    EventGraph,
    /// Generate `docs/contracts`; fails on a change that breaks subscribers.
    Contracts(Check),
    /// Generate the `.sqlx` folders: the metadata of the checked queries.
    SqlxPrepare(SqlxPrepare),
    /// Start the suite's processes and restart those that die; `up` runs this in the background.
    #[command(hide = true)]
    Supervise,
    /// The former name of `dead-letters`.
    #[command(hide = true, disable_help_flag = true)]
    Letters(Ignored),
}

/// How to run the suite.
#[derive(Debug, Args)]
pub struct Up {
    /// Return when everything is ready and leave the suite running in the background.
    #[arg(long)]
    pub detach: bool,
}

/// How to stop the suite.
#[derive(Debug, Args)]
pub struct Down {
    /// Also delete the data of the private servers, the search index and the keys.
    #[arg(long)]
    pub wipe: bool,
}

/// Which proof to run.
#[derive(Debug, Args)]
pub struct Prove {
    /// The proof; without it, the proofs are listed.
    pub name: Option<String>,
}

/// The claims of a token.
#[derive(Debug, Args)]
pub struct Token {
    /// The subject: the customer's id for `orders:read` and `orders:write`.
    #[arg(long, default_value = "operator")]
    pub subject: String,

    /// What the token allows.
    #[arg(required = true, value_parser = PossibleValuesParser::new(SCOPES))]
    pub scope: Vec<String>,
}

/// What to do with staff accounts: the arguments of `console staff`.
#[derive(Debug, Args)]
pub struct Staff {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub arguments: Vec<String>,
}

/// What to import.
#[derive(Debug, Args)]
pub struct Import {
    /// A file with one JSON product per line, plain (`.ndjson`) or compressed (`.ndjson.gz`): as `POST
    /// /v1/products` takes it, or as in the open Icecat catalogue. Or a product file (`.csv`, `.tsv`, `.xlsx`), as
    /// `POST /v1/imports` takes it.
    pub file: PathBuf,

    /// Parameters of the import of a product file, such as `mode=merge` or `sheet=Prices`.
    #[arg(value_name = "NAME=VALUE")]
    pub parameters: Vec<String>,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// The baseline: start, memory, freshness of search, orders, user events, a whole catalogue.
    Quick(BenchOptions),
    /// The messaging kit compared with the bare broker, a polled outbox and a write without events, what an event costs
    /// PostgreSQL, and what the services do at rest; about five minutes, needs no running suite.
    Messaging(MessagingBench),
    /// The same events with 10,000, 1,000,000 and 10,000,000 keys already known: events per second and bytes on disk per
    /// key; at most ten minutes, needs no running suite.
    Scale(ScaleBench),
    /// Orders: how many a second, what one costs, how long it takes, and a flash sale, compared with plain SQL; needs
    /// no running suite.
    Orders(OrdersBench),
    /// Orders a second with two million earlier orders stored, over that of an empty shop. Takes ten minutes and 16 GB of
    /// disk; needs no running suite.
    OrdersStored(StoredOrdersBench),
    /// Urgent orders beside a backlog of other orders, with queues of their own and without; needs no running suite.
    Priority(PriorityBench),
    /// Events and orders per second with signed messages over those with unsigned ones; about ten minutes, needs no running suite.
    Signatures(SignaturesBench),
    /// The kit's dispatch orders under one overload, compared with queueing theory, and adaptive batches;
    /// needs no running suite.
    Dispatch(BenchOptions),
    /// Search compared with PostgreSQL's COPY and bare Tantivy, and how fresh it is, with many products; needs no
    /// running suite.
    Search(SearchBench),
}

/// The options of every bench.
#[derive(Debug, Args)]
pub struct BenchOptions {
    /// A folder with real data, such as icecat-products.ndjson.gz; without it, data of the same size is
    /// generated.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Write the figures to this file, as one flat JSON object.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// The options of the bench of the messaging kit.
#[derive(Debug, Args)]
pub struct MessagingBench {
    /// Write the figures to this file, as one flat JSON object.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Accepted, because other benches have it, and not used: the events are made.
    #[arg(long, hide = true)]
    pub data: Option<PathBuf>,
}

/// The options of the bench of signatures.
#[derive(Debug, Args)]
pub struct SignaturesBench {
    /// Write the figures to this file, as one flat JSON object.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// How often both are measured, in turn.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub pairs: u32,
    /// How long orders are measured each time.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,
    /// Accepted, because other benches have it, and not used: the events are made.
    #[arg(long, hide = true)]
    pub data: Option<PathBuf>,
}

/// The options of the bench of many keys.
#[derive(Debug, Args)]
pub struct ScaleBench {
    /// Write the figures to this file, as one flat JSON object.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// The numbers of keys, separated by commas, each from 10,000 to 10,000,000. All are compared with the smallest. One
    /// that does not fit on the disk or into the time is left out.
    #[arg(
        long,
        value_name = "NUMBER",
        value_delimiter = ',',
        default_values_t = [10_000, 1_000_000, 10_000_000],
        value_parser = clap::value_parser!(u64).range(10_000..=10_000_000),
    )]
    pub keys: Vec<u64>,
}

/// The options of the bench of search.
#[derive(Debug, Args)]
pub struct SearchBench {
    #[command(flatten)]
    pub options: BenchOptions,
    /// The number of products; 100,000 by default.
    #[arg(long)]
    pub products: Option<usize>,
    /// Measure the index alone, without servers and services, with 10,000, 100,000 and 1,000,000 products, or with
    /// those of `--products`.
    #[arg(long)]
    pub scale: bool,
}

/// The options of the bench of orders.
#[derive(Debug, Args)]
pub struct OrdersBench {
    /// Write the figures to this file, as one flat JSON object.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// The duration of the sustained load; the other parts are shorter in proportion.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,
}

/// The options of the bench of stored orders.
#[derive(Debug, Args)]
pub struct StoredOrdersBench {
    /// Write the figures to this file, as one flat JSON object.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// The number of earlier orders.
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub orders: u64,
    /// The duration of each of the six measurements.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,
}

/// The options of the bench of urgent orders.
#[derive(Debug, Args)]
pub struct PriorityBench {
    /// Write the figures to this file, as one flat JSON object.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// The number of orders in the backlog.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    pub orders: u64,
}

/// Which labelled queries to search.
#[derive(Debug, Subcommand)]
pub enum Eval {
    /// The queries of a file with judgements, on the products of another: nDCG@10, plain and with typos.
    Search(EvalSearch),
    /// The project's own queries on the sample catalogue.
    Headwords(EvalHeadwords),
}

/// The files to evaluate.
#[derive(Debug, Args)]
pub struct EvalSearch {
    /// The products: NDJSON, perhaps compressed with gzip.
    #[arg(long)]
    pub products: PathBuf,
    /// The judgements: CSV with query, product id and grade.
    #[arg(long)]
    pub judgements: PathBuf,
    /// Write the figures to this file, as one flat JSON object.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// Which of the project's own queries to search.
#[derive(Debug, Args)]
pub struct EvalHeadwords {
    /// The half that is not used for tuning.
    #[arg(long, conflicts_with = "all")]
    pub held_back: bool,
    /// Both halves.
    #[arg(long)]
    pub all: bool,
    /// Name the queries that are not answered perfectly.
    #[arg(long)]
    pub misses: bool,
    /// Write the figures to this file, as one flat JSON object.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// Which faults to inject.
#[derive(Debug, Args)]
pub struct Chaos {
    /// The number of faults, one after the other.
    #[arg(long, default_value_t = 200)]
    pub faults: usize,
    /// The same seed gives the same faults in the same order.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Write the figures to this file, as one flat JSON object.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// How to report the audit.
#[derive(Debug, Args)]
pub struct Audit {
    /// Write the violations of each invariant and the numbers of rows checked to this file, as one flat JSON
    /// object.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// How long to look again at differences before they count as violations: during traffic most are in flight.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub settle: u64,
}

/// Which dead letters, and what to do with them.
#[derive(Debug, Args)]
pub struct DeadLetters {
    /// The service that stores them.
    #[arg(value_parser = PossibleValuesParser::new(SERVICES))]
    pub service: String,

    #[command(subcommand)]
    pub action: DeadLetterAction,
}

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLetterAction {
    /// List dead letters, newest first.
    List {
        #[command(flatten)]
        filter: DeadLetterFilter,
        /// Include resolved ones.
        #[arg(long)]
        all: bool,
        /// The page size.
        #[arg(long, default_value_t = 50)]
        limit: u16,
        /// The cursor: `next` of the previous page.
        #[arg(long)]
        after: Option<Uuid>,
    },
    /// Group unresolved dead letters by cause.
    Groups,
    /// Show one with everything known about it, and where its data violates the schema of its type.
    Show { id: Uuid },
    /// Replace the data of one.
    Edit {
        id: Uuid,
        /// A file with the new data in JSON.
        file: PathBuf,
    },
    /// Report what a redrive of one would do, and change nothing.
    DryRun { id: Uuid },
    /// Declare the events lost for which one waits: later events of its key continue without them.
    DeclareLost {
        id: Uuid,
        /// Why they are lost. It is recorded.
        #[arg(long)]
        reason: String,
    },
    /// Process one or many again. An interrupted redrive can be repeated.
    Redrive(DeadLetterSelection),
    /// Discard one or many for good.
    Discard(DeadLetterSelection),
}

/// One dead letter, or those that match a filter.
#[derive(Debug, Args)]
pub struct DeadLetterSelection {
    /// One dead letter.
    #[arg(conflicts_with = "filter", required_unless_present = "filter")]
    pub id: Option<Uuid>,
    #[command(flatten)]
    pub filter: DeadLetterFilter,
    /// The most per second.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub per_second: u32,
}

/// Which dead letters.
#[derive(Debug, Args)]
#[group(id = "filter", multiple = true)]
pub struct DeadLetterFilter {
    /// Of this consumer, such as `inventory.order`.
    #[arg(long)]
    pub consumer: Option<String>,
    /// With this reason, such as `undecodable`.
    #[arg(long)]
    pub reason: Option<String>,
    /// Of this event type; empty for messages that are no events.
    #[arg(long)]
    pub kind: Option<String>,
    /// With this cause, as `groups` prints it.
    #[arg(long)]
    pub cause: Option<String>,
}

/// What to rebuild.
#[derive(Debug, Args)]
pub struct Replay {
    /// The service that owns the projection.
    #[arg(value_parser = PossibleValuesParser::new(SERVICES))]
    pub service: String,

    /// The projection, such as `user_events` of behavior-analytics.
    pub projection: String,

    /// Report the differences and do not correct them.
    #[arg(long)]
    pub compare_only: bool,
}

/// What to publish again, and to whom.
#[derive(Debug, Args)]
pub struct Republish {
    /// The service that published the events.
    #[arg(value_parser = PossibleValuesParser::new(SERVICES))]
    pub service: String,

    /// The service that has lost events.
    #[arg(long, value_parser = PossibleValuesParser::new(SERVICES))]
    pub subscriber: String,

    /// The time of the first event, such as `2026-11-29T08:00:00Z`: before the loss. What was applied is recognised.
    #[arg(long)]
    pub since: String,
}

/// Which service to compare with its subscribers.
#[derive(Debug, Args)]
pub struct Reconcile {
    /// The service whose database was restored from a backup, or replaced by a copy that lacks commits.
    #[arg(value_parser = PossibleValuesParser::new(SERVICES))]
    pub service: String,
    /// List the lost commits, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Write the whole list to this new file, as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// The server with the databases, which are named like their services; by default that of the running suite.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// The broker and its vhost; by default that of the running suite.
    #[arg(long, env = "AMQP_URL", hide_env_values = true)]
    pub amqp_url: Option<String>,
}

/// What to do with the topology.
#[derive(Debug, Subcommand)]
pub enum Topology {
    /// Print what is missing, what differs and what no service uses. The exit code is 0 if the broker is in line, 3 if
    /// it differs, and 1 if the command failed.
    Plan(TopologyTarget),
    /// Create what is missing, and publish events again that matched no binding.
    Apply(TopologyTarget),
    /// Remove the bindings, queues and exchanges that no service uses.
    Prune(TopologyPrune),
    /// Print definitions for a broker: exchanges, queues, bindings, and what the user of each service may do. Users and
    /// passwords are not part of it.
    Definitions,
}

/// Which broker, and what to compare it with.
#[derive(Debug, Args)]
pub struct TopologyTarget {
    /// The broker and its vhost; by default that of the running suite.
    #[arg(long, env = "AMQP_URL", hide_env_values = true)]
    pub amqp_url: Option<String>,
    /// The management API, `http://user:password@host:port`; by default on port 15672 of the broker, with the same user.
    #[arg(long, env = "RABBITMQ_MANAGEMENT_URL", hide_env_values = true)]
    pub management_url: Option<String>,
    /// A service that no longer exists: its exchanges and queues are unused. May be repeated.
    #[arg(long, value_name = "SERVICE")]
    pub removed_service: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What to remove.
#[derive(Debug, Args)]
pub struct TopologyPrune {
    /// Only these unused queues and exchanges. A queue that is named is deleted with its messages.
    pub names: Vec<String>,
    /// Also delete queues with messages.
    #[arg(long)]
    pub with_messages: bool,
    #[command(flatten)]
    pub target: TopologyTarget,
}

/// How to generate files.
#[derive(Debug, Args)]
pub struct Check {
    /// Write nothing, and fail if a file is not up to date.
    #[arg(long)]
    pub check: bool,
}

/// What to prepare.
#[derive(Debug, Args)]
pub struct SqlxPrepare {
    #[command(flatten)]
    pub mode: Check,

    /// The crates to prepare; by default all that have checked queries.
    pub packages: Vec<String>,
}

/// Any arguments.
#[derive(Debug, Args)]
pub struct Ignored {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _arguments: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{Arguments, Bench, Command};

    #[test]
    fn command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    fn keys_of(arguments: &[&str]) -> Result<Vec<u64>, String> {
        let line = ["cargo xtask", "bench", "scale"].iter().chain(arguments);
        let parsed = Arguments::try_parse_from(line).map_err(|error| error.to_string())?;
        let Command::Bench(Bench::Scale(scale)) = parsed.command else {
            return Err("another command".to_owned());
        };
        Ok(scale.keys)
    }

    #[test]
    fn numbers_of_keys_are_a_list_within_bounds() {
        assert_eq!(keys_of(&[]), Ok(vec![10_000, 1_000_000, 10_000_000]));
        assert_eq!(keys_of(&["--keys", "20000,50000"]), Ok(vec![20_000, 50_000]));
        for wrong in ["9999", "10000001", "ten", ""] {
            let error = keys_of(&["--keys", wrong]).unwrap_err();
            assert!(error.contains("--keys <NUMBER>"), "{error}");
        }
    }
}
