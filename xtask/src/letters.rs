//! The dead letters of the running suite, by the routes of its services.

use std::{fs, path::PathBuf, time::Duration};

use clap::builder::PossibleValuesParser;
use reqwest::Method;
use runtime::auth::Scope;
use serde_json::{Map, Value};
use testkit::percent_encoded;
use uuid::Uuid;

use crate::failure::Failure;
use crate::say;
use crate::suite::{Http, Keys, SERVICES, State};

/// How long a call may take: a little longer than the service lets it, which answers when the batch that is in hand is finished.
const DEADLINE: Duration = Duration::from_secs(130);

/// Whose letters, and what to do with them.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The service that keeps them.
    #[arg(value_parser = PossibleValuesParser::new(SERVICES.map(|service| service.name)))]
    service: String,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List them, newest first.
    List {
        #[command(flatten)]
        selection: Selection,
        /// Those too that have been dealt with.
        #[arg(long)]
        all: bool,
        /// How many at most.
        #[arg(long, default_value_t = 50)]
        limit: u16,
        /// Those behind this one: the `next` of the answer before.
        #[arg(long)]
        after: Option<Uuid>,
    },
    /// Group those that nobody has dealt with by what they died of.
    Groups,
    /// Show one with everything that is known of it, and where its data does not fit its type.
    Show {
        /// The letter.
        id: Uuid,
    },
    /// Replace the data of one.
    Edit {
        /// The letter.
        id: Uuid,
        /// A file with the new data in JSON.
        file: PathBuf,
    },
    /// Say what sending one again would come to, and change nothing.
    DryRun {
        /// The letter.
        id: Uuid,
    },
    /// Send one or many again. Ended in the middle, it is simply run again.
    Redrive(Which),
    /// Give one or many up for good.
    Discard(Which),
}

/// One letter, or those of a selection.
#[derive(Debug, clap::Args)]
struct Which {
    /// One letter.
    #[arg(conflicts_with = "selection", required_unless_present = "selection")]
    id: Option<Uuid>,
    #[command(flatten)]
    selection: Selection,
    /// How many a second at most.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    per_second: u32,
}

/// Which letters.
#[derive(Debug, clap::Args)]
#[group(id = "selection", multiple = true)]
struct Selection {
    /// Those of this consumer, such as `inventory.order`.
    #[arg(long)]
    consumer: Option<String>,
    /// Those of this reason, such as `undecodable`.
    #[arg(long)]
    reason: Option<String>,
    /// Those of this event type; empty for what is no event.
    #[arg(long)]
    kind: Option<String>,
    /// Those of this cause, as the groups have it.
    #[arg(long)]
    cause: Option<String>,
}

impl Selection {
    fn fields(self) -> impl Iterator<Item = (&'static str, String)> {
        let Self { consumer, reason, kind, cause } = self;
        let fields = [("consumer", consumer), ("reason", reason), ("kind", kind), ("cause", cause)];
        fields.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}

/// Does it, and prints what the service answers.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let state = State::running()?.ok_or(Failure::NotRunning)?;
    let letters = Letters {
        http: Http::new()?,
        token: Keys::in_suite().token("xtask", &[Scope::Ops])?,
        base: format!("{}/v1/dead-letters", state.ports.url_of(&arguments.service)),
    };
    match arguments.command {
        Command::List { selection, all, limit, after } => {
            let mut query = vec![format!("all={all}"), format!("limit={limit}")];
            query.extend(after.map(|after| format!("after={after}")));
            query.extend(
                selection
                    .fields()
                    .map(|(name, value)| format!("{name}={}", percent_encoded(&value))),
            );
            letters.call(Method::GET, &format!("?{}", query.join("&")), None).await
        }
        Command::Groups => letters.call(Method::GET, "/groups", None).await,
        Command::Show { id } => letters.call(Method::GET, &format!("/{id}"), None).await,
        Command::Edit { id, file } => {
            let text = fs::read_to_string(&file).map_err(Failure::file(&file))?;
            let data = serde_json::from_str(&text)
                .map_err(|source| Failure::Content { path: file, source })?;
            letters.call(Method::PUT, &format!("/{id}/data"), Some(&data)).await
        }
        Command::DryRun { id } => letters.call(Method::POST, &format!("/{id}/dry-run"), None).await,
        Command::Redrive(which) => letters.deal("redrive", which).await,
        Command::Discard(which) => letters.deal("discard", which).await,
    }
}

/// The letters of one service.
struct Letters {
    http: Http,
    token: String,
    base: String,
}

impl Letters {
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(), Failure> {
        let url = format!("{}{path}", self.base);
        let answer =
            self.http.send_as(method, &url, &self.token, body, DEADLINE).await?.success()?;
        let text = answer.text();
        // Indented, if it says anything.
        match serde_json::from_str::<Value>(&text) {
            Ok(value) => say::line(format!("{value:#}")),
            Err(_) => say::line(if text.is_empty() { "Done." } else { &text }),
        }
        Ok(())
    }

    async fn deal(
        &self,
        verb: &str,
        Which { id, selection, per_second }: Which,
    ) -> Result<(), Failure> {
        if let Some(id) = id {
            return self.call(Method::POST, &format!("/{id}/{verb}"), None).await;
        }
        let url = format!("{}/{verb}", self.base);
        let selected = selection.fields().map(|(name, value)| (name.to_owned(), value.into()));
        let mut body: Map<String, Value> = selected.collect();
        body.insert("per_second".to_owned(), per_second.into());
        loop {
            let asked = Value::Object(body.clone());
            let answer =
                self.http.send_as(Method::POST, &url, &self.token, Some(&asked), DEADLINE).await?;
            let done: Value = answer.success()?.json()?;
            say::line(done.to_string());
            if done["next"].is_null() {
                return Ok(());
            }
            body.insert("after".to_owned(), done["next"].clone());
        }
    }
}
