//! Builds and runs the whole suite.

use std::cell::Cell;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use testkit::{wait_for, wait_until};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::time::sleep;

use crate::failure::Failure;
use crate::suite::{CONSOLE, Http, Keys, Phase, SEARCH_SYNC, SERVICES, State};
use crate::supervise::{fresh_logs, variable};
use crate::{command, install, sample, say, workspace};

/// How long servers and migrations may take.
const START: Duration = Duration::from_mins(10);

/// How long a service may take to be ready. A broker that recovers its queues is part of it.
const READY: Duration = Duration::from_mins(2);

/// How long an orderly end may take.
const STOP: Duration = Duration::from_mins(2);

/// How often we look whether the supervisor has said something or ended.
const LOOK: Duration = Duration::from_millis(200);

/// How to run the suite.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Return when everything is ready, and leave the suite running in the background.
    #[arg(long)]
    detach: bool,
}

/// Runs the suite, until Ctrl-C unless detached.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let http = Http::new()?;
    if let Some(state) = State::running()? {
        say::line("The suite is running already.");
        healthy(&http, &state).await?;
        print_addresses(&state);
        return Ok(());
    }
    install::servers(variable("DATABASE_URL").is_none(), variable("AMQP_URL").is_none()).await?;
    build().await?;

    let mut interrupt = Interrupt::listen()?;
    let log = Log { path: workspace::logs().join("supervisor.log"), said: Cell::new(0) };
    let mut supervisor = Supervisor::start(arguments.detach, &log.path)?;
    let ready = tokio::select! {
        ready = make_ready(&http, &log) => ready,
        failure = supervisor.ended() => Err(failure),
        () = interrupt.comes() => Err(Failure::Interrupted),
    };
    match ready {
        Ok(state) => print_addresses(&state),
        Err(failure) => {
            log.repeat();
            supervisor.stop().await?;
            return Err(failure);
        }
    }
    if arguments.detach {
        say::line("It runs in the background; `cargo xtask down` stops it.");
        return Ok(());
    }
    say::line("Ctrl-C stops it.");
    tokio::select! {
        failure = supervisor.ended() => {
            // `down` was called elsewhere, or the supervisor died.
            if State::read()?.is_some() { return Err(failure) }
        }
        () = interrupt.comes() => {
            say::line("Stopping the suite …");
            supervisor.stop().await?;
        }
    }
    say::line("Stopped.");
    Ok(())
}

/// Builds the services, optimised.
async fn build() -> Result<(), Failure> {
    let mut cargo = command::cargo(["build", "--release"]);
    for service in SERVICES.iter().chain([&CONSOLE]) {
        // By program, for the index pulls in a crate that is called inventory too.
        cargo.args(["--bin", service.name]);
    }
    say::line("Building the services …");
    command::run(cargo).await
}

/// Waits until everything runs, is ready, and has the sample catalogue.
async fn make_ready(http: &Http, log: &Log) -> Result<State, Failure> {
    let state = wait_for("all processes are started", START, async || {
        log.repeat();
        match State::running() {
            Ok(Some(state)) if state.phase == Phase::Running => Ok(state),
            Ok(Some(_)) => Err("starting".to_owned()),
            Ok(None) => Err("nothing runs".to_owned()),
            Err(failure) => Err(say::chain(&failure)),
        }
    })
    .await?;
    log.repeat();
    healthy(http, &state).await?;
    say::line("All services are ready.");
    sample::load(&state, &Keys::in_suite()).await?;
    Ok(state)
}

/// What the supervisor says, and how much of it we have repeated.
struct Log {
    path: PathBuf,
    said: Cell<usize>,
}

impl Log {
    /// Repeats the lines that are new.
    fn repeat(&self) {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        for line in text.get(self.said.get()..whole).unwrap_or_default().lines() {
            say::line(line);
        }
        self.said.set(whole.max(self.said.get()));
    }
}

/// Waits until every service and the console say that they are ready.
pub(crate) async fn healthy(http: &Http, state: &State) -> Result<(), Failure> {
    for service in SERVICES.into_iter().chain([CONSOLE]) {
        let url = format!("{}/health/ready", state.ports.url(service));
        wait_for(&format!("{} is ready", service.name), READY, async || {
            http.get(&url)
                .await
                .and_then(crate::suite::Answer::success)
                .map_err(|failure| say::chain(&failure))
        })
        .await?;
    }
    Ok(())
}

/// Says where everything is and what to try.
fn print_addresses(state: &State) {
    let console = state.ports.url(CONSOLE);
    say::line(format!("\n  shop               {console}/"));
    say::line(format!("  operations         {console}/ops"));
    for service in SERVICES {
        say::line(format!("  {:18} {}/docs", service.name, state.ports.url(service)));
    }
    if let Some(url) = &state.postgres_url {
        say::line(format!("  PostgreSQL         {url}"));
    }
    if let Some(url) = &state.management_url {
        say::line(format!("  RabbitMQ           {url}/ (guest, guest)"));
    }
    say::line(format!("  logs               {}", workspace::logs().display()));
    let search = state.ports.url(SEARCH_SYNC);
    let stock = format!("{}/v1/stock/{}", state.ports.url_of("inventory"), sample::a_sku());
    say::line("\nTry:");
    say::line(format!("  curl -G '{search}/v1/search?limit=3' --data-urlencode 'q=键盘'"));
    say::line(format!("  curl '{stock}'"));
    say::line(format!(
        "  curl -X PUT '{stock}' -H 'content-type: application/json' -d '{{\"on_hand\": 100}}' \
         -H \"authorization: Bearer $(cargo xtask token stock:write | tail -1)\"\n"
    ));
}

/// What ends the suite from outside: Ctrl-C, a closed terminal, a polite kill.
struct Interrupt {
    signals: [Signals; 3],
}

impl Interrupt {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(Failure::Signals);
        Ok(Self {
            signals: [
                listen(SignalKind::interrupt())?,
                listen(SignalKind::terminate())?,
                listen(SignalKind::hangup())?,
            ],
        })
    }

    async fn comes(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {},
            _ = terminate.recv() => {},
            _ = hangup.recv() => {},
        }
    }
}

/// The supervisor that we started, in a session of its own, where Ctrl-C at our terminal does not reach it.
struct Supervisor {
    child: Child,
}

impl Supervisor {
    fn start(detached: bool, log: &Path) -> Result<Self, Failure> {
        fresh_logs()?;
        State::remove()?;
        let file = File::create(log).map_err(Failure::file(log))?;
        let copy = file.try_clone().map_err(Failure::file(log))?;
        let ourselves = env::current_exe().map_err(Failure::file("our own program"))?;
        let mut command = Command::new("setpriv");
        if !detached {
            // However we end, the suite ends with us. (The system watches the thread that starts the child; this is the
            // main thread, which lives as long as we do.)
            command.args(["--pdeathsig", "TERM"]);
        }
        command.args(["--", "setsid"]).arg(ourselves).arg("supervise");
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        match command.spawn() {
            Ok(child) => Ok(Self { child }),
            Err(source) => Err(Failure::Start { command: "setpriv".to_owned(), source }),
        }
    }

    /// Waits until it has ended, which it should not.
    async fn ended(&mut self) -> Failure {
        while matches!(self.child.try_wait(), Ok(None)) {
            sleep(LOOK).await;
        }
        Failure::Supervisor { logs: workspace::logs() }
    }

    /// Makes it stop everything, and waits until it has.
    async fn stop(&mut self) -> Result<(), Failure> {
        self.send(Signal::TERM);
        let stopped = wait_until("the supervisor has stopped everything", STOP, || {
            let gone = !matches!(self.child.try_wait(), Ok(None));
            async move { gone }
        })
        .await;
        if stopped.is_err() {
            self.send(Signal::KILL);
        }
        stopped.map_err(Failure::from)
    }

    fn send(&mut self, signal: Signal) {
        // A child that has ended is not signalled: once it is reaped, its id may be somebody else's.
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let (Ok(None), Some(id)) = (self.child.try_wait(), id) {
            let _ended_meanwhile = kill_process(id, signal);
        }
    }
}
