//! Builds and runs the whole suite.

use std::{
    cell::Cell,
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use suite::{
    CONSOLE, Error, Http, Interrupt, Keys, Phase, SEARCH_SYNC, SERVICES, State, command, install,
    output,
};
use testkit::{wait_for, wait_until};
use tokio::time::sleep;
use xtask::{
    arguments::Up,
    programs::{self, Profile},
    workspace,
};

use super::{
    readiness::healthy,
    sample,
    supervise::{BROKER_ADMINISTRATOR, fresh_logs, variable},
};

/// Timeout of servers and migrations.
const START_TIMEOUT: Duration = Duration::from_mins(10);

/// Timeout of a graceful stop.
const STOP_TIMEOUT: Duration = Duration::from_mins(2);

/// How often the supervisor is checked for an exit.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Runs the suite; unless detached, until Ctrl-C.
pub(crate) async fn run(arguments: &Up) -> Result<(), Error> {
    let http = Http::new()?;
    if let Some(state) = State::running()? {
        output::line("The suite is running already.");
        healthy(&http, &state).await?;
        print_addresses(&state);
        return Ok(());
    }
    install::servers(variable("DATABASE_URL").is_none(), variable("AMQP_URL").is_none()).await?;
    build().await?;

    let mut interrupt = Interrupt::listen()?;
    let log = Log { path: workspace::logs().join("supervisor.log"), printed: Cell::new(0) };
    let mut supervisor = Supervisor::start(arguments.detach, &log.path)?;
    let ready = tokio::select! {
        ready = make_ready(&http, &log) => ready,
        error = supervisor.ended() => Err(error),
        () = interrupt.received() => Err(Error::Interrupted),
    };
    match ready {
        Ok(state) => print_addresses(&state),
        Err(error) => {
            log.print_new();
            supervisor.stop().await?;
            return Err(error);
        }
    }
    if arguments.detach {
        output::line("It runs in the background; `cargo xtask down` stops it.");
        return Ok(());
    }
    output::line("Ctrl-C stops it.");
    tokio::select! {
        error = supervisor.ended() => {
            // After `down` in another terminal there is no state; otherwise the supervisor died.
            if State::read()?.is_some() { return Err(error) }
        }
        () = interrupt.received() => {
            output::line("Stopping the suite …");
            supervisor.stop().await?;
        }
    }
    output::line("Stopped.");
    Ok(())
}

/// Builds the services, optimised.
async fn build() -> Result<(), Error> {
    output::line("Building the services …");
    command::run(programs::build(programs::of_suite(), Profile::Release).into()).await
}

/// Waits until all services are ready and the sample catalogue is loaded.
async fn make_ready(http: &Http, log: &Log) -> Result<State, Error> {
    let state = wait_for("all processes are started", START_TIMEOUT, async || {
        log.print_new();
        match State::running() {
            Ok(Some(state)) if state.phase == Phase::Running => Ok(state),
            Ok(Some(_)) => Err("starting".to_owned()),
            Ok(None) => Err("no supervisor".to_owned()),
            Err(error) => Err(output::chain(&error)),
        }
    })
    .await?;
    log.print_new();
    healthy(http, &state).await?;
    output::line("All services are ready.");
    sample::load(&state, &Keys::in_suite()).await?;
    Ok(state)
}

/// The supervisor's log.
struct Log {
    path: PathBuf,
    /// How many bytes have been printed.
    printed: Cell<usize>,
}

impl Log {
    /// Prints the complete lines that are new.
    fn print_new(&self) {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let complete = text.rfind('\n').map_or(0, |at| at + 1);
        for line in text.get(self.printed.get()..complete).unwrap_or_default().lines() {
            output::line(line);
        }
        self.printed.set(complete.max(self.printed.get()));
    }
}

/// Prints addresses and commands to try.
fn print_addresses(state: &State) {
    let console = state.ports.url(CONSOLE);
    output::line(format!("\n  shop               {console}/"));
    output::line(format!("  operations         {console}/ops"));
    for service in SERVICES {
        output::line(format!("  {:18} {}/docs", service.name, state.ports.url(service)));
    }
    if let Some(address) = &state.postgres_address {
        let passwords = workspace::suite().join("keys").join("database");
        output::line(format!(
            "  PostgreSQL         {address} (passwords of the roles in {})",
            passwords.display()
        ));
    }
    if let Some(url) = &state.management_url {
        let url = url.rsplit_once('@').map_or(url.as_str(), |(_, host)| host);
        let password = workspace::suite().join("keys").join("broker").join(BROKER_ADMINISTRATOR);
        output::line(format!(
            "  RabbitMQ           http://{url}/ (user guest, password in {})",
            password.display()
        ));
    }
    output::line(format!("  logs               {}", workspace::logs().display()));
    let search = state.ports.url(SEARCH_SYNC);
    let stock = format!("{}/v1/stock/{}", state.ports.url_of("inventory"), sample::sku_in_stock());
    output::line("\nTry:");
    output::line(format!("  curl -G '{search}/v1/search?limit=3' --data-urlencode 'q=键盘'"));
    output::line(format!("  curl '{stock}'"));
    output::line(format!(
        "  curl -X PUT '{stock}' -H 'content-type: application/json' -d '{{\"on_hand\": 100}}' \
         -H \"authorization: Bearer $(cargo xtask token stock:write | tail -1)\"\n"
    ));
}

/// The supervisor, in a session of its own, where Ctrl-C in our terminal does not reach it.
struct Supervisor {
    child: Child,
}

impl Supervisor {
    fn start(detached: bool, log: &Path) -> Result<Self, Error> {
        fresh_logs()?;
        State::remove()?;
        let file = File::create(log).map_err(Error::file(log))?;
        let copy = file.try_clone().map_err(Error::file(log))?;
        let program = env::current_exe().map_err(Error::file("our own program"))?;
        let mut command = Command::new("setpriv");
        if !detached {
            // The suite ends with this process, even if it is killed. The system watches the thread that
            // starts the child: this is the main thread, which lives as long as the process.
            command.args(["--pdeathsig", "TERM"]);
        }
        command.args(["--", "setsid"]).arg(program).arg("supervise");
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        match command.spawn() {
            Ok(child) => Ok(Self { child }),
            Err(source) => Err(Error::Start { command: "setpriv".to_owned(), source }),
        }
    }

    /// Waits for an unexpected exit.
    async fn ended(&mut self) -> Error {
        while matches!(self.child.try_wait(), Ok(None)) {
            sleep(POLL_INTERVAL).await;
        }
        Error::Supervisor { logs: workspace::logs() }
    }

    /// Stops the supervisor and everything that it started.
    async fn stop(&mut self) -> Result<(), Error> {
        self.send(Signal::TERM);
        let stopped = wait_until("the supervisor has stopped everything", STOP_TIMEOUT, || {
            let gone = !matches!(self.child.try_wait(), Ok(None));
            async move { gone }
        })
        .await;
        if stopped.is_err() {
            self.send(Signal::KILL);
        }
        Ok(stopped?)
    }

    fn send(&mut self, signal: Signal) {
        // A child that has ended gets no signal: once it is reaped, another process may have its id.
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let (Ok(None), Some(id)) = (self.child.try_wait(), id) {
            let _ended_meanwhile = kill_process(id, signal);
        }
    }
}
