//! The supervisor: starts the servers and services of the suite, and starts again what dies, until it is told to stop.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use testkit::{
    DataDir, DeathSignal, Postgres, PostgresSettings, Process, Program, RabbitMq, RabbitMqSettings,
    create_database, database_url,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::failure::Failure;
use crate::suite::{
    BackOff, CONSOLE, Http, Keys, Phase, Ports, SERVICES, Service, State, Supervisor,
    data_folder_name,
};
use crate::up::healthy;
use crate::{say, workspace};

/// What is added to the name of the suite's data folder for each server's own.
pub(crate) const POSTGRES_FOLDER: &str = "-postgres";
pub(crate) const RABBITMQ_FOLDER: &str = "-rabbitmq";

/// How long migrations of one database may take.
const MIGRATE: Duration = Duration::from_mins(2);

/// How long a service may take to stop; it gives up what it has in hand after twenty seconds itself.
const STOP: Duration = Duration::from_secs(30);

/// Runs the suite until SIGTERM or SIGINT.
pub(crate) async fn run() -> Result<(), Failure> {
    let mut state = State {
        supervisor: Supervisor::ourselves()?,
        phase: Phase::Starting,
        ports: Ports::from_environment()?,
        data: PathBuf::new(),
        postgres_url: None,
        amqp_url: None,
        management_url: None,
        ready_s: None,
    };
    let began = Instant::now();
    let http = Http::new()?;
    let stopped = stop_signal()?;
    tokio::pin!(stopped);
    let servers = tokio::select! {
        servers = start(&mut state) => servers?,
        // What has been started so far is killed when it is dropped.
        () = &mut stopped => return Ok(()),
    };
    let programs = programs(&state)?;

    let mut keepers = Keepers::default();
    for program in programs {
        keepers.keep_service(program);
    }
    let mut server_keepers = Keepers::default();
    for server in servers
        .postgres
        .map(Server::Postgres)
        .into_iter()
        .chain(servers.rabbitmq.map(|server| Server::RabbitMq(Box::new(server))))
    {
        server_keepers.keep_server(server);
    }

    state.phase = Phase::Running;
    state.write()?;
    tokio::select! {
        ready = healthy(&http, &state) => {
            // Whoever waits for the services sees for himself if they do not come; here only the time is taken.
            if ready.is_ok() {
                state.ready_s = Some(began.elapsed().as_secs_f64());
                state.write()?;
            }
            stopped.await;
        }
        () = &mut stopped => {}
    }
    say::line("Stopping the services …");
    keepers.stop().await;
    say::line("Stopping the servers …");
    server_keepers.stop().await;
    State::remove()
}

/// Ready when the system wants us to stop.
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Signals)?;
    Ok(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    })
}

/// The private servers; those that the environment names are nobody's to keep.
struct Servers {
    // Held so that nobody else uses the folder.
    _data: DataDir,
    postgres: Option<Postgres>,
    rabbitmq: Option<RabbitMq>,
}

/// Starts the servers and brings the databases to the newest schema.
async fn start(state: &mut State) -> Result<Servers, Failure> {
    let name = data_folder_name();
    let data = DataDir::persistent(&name)?;
    data.path().clone_into(&mut state.data);
    state.write()?;
    let (postgres, rabbitmq) = tokio::try_join!(postgres(&name), rabbitmq(&name))?;

    let postgres_url = postgres
        .as_ref()
        .map(Postgres::url)
        .or_else(|| variable("DATABASE_URL"))
        .unwrap_or_default();
    state.management_url = rabbitmq.as_ref().map(|server| server.management().url().to_owned());
    state.amqp_url =
        rabbitmq.as_ref().map(|server| server.vhost_url("/")).or_else(|| variable("AMQP_URL"));
    Keys::in_suite().make()?;
    for service in SERVICES {
        create_database(&postgres_url, service.name).await?;
    }
    state.postgres_url = Some(postgres_url);
    state.write()?;
    // Every database and every queue is there before the first service says anything.
    let migrations =
        services(state)?.into_iter().map(|program| program.argument("migrate").start());
    for migration in migrations.collect::<Result<Vec<_>, _>>()? {
        let mut migration = migration;
        migration.wait_for_success(MIGRATE).await?;
    }
    say::line("The databases have the newest schema, the broker has all queues.");
    Ok(Servers { _data: data, postgres, rabbitmq })
}

async fn postgres(name: &str) -> Result<Option<Postgres>, Failure> {
    if variable("DATABASE_URL").is_some() {
        return Ok(None);
    }
    let began = Instant::now();
    let data_dir = DataDir::persistent(&format!("{name}{POSTGRES_FOLDER}"))?;
    let server = Postgres::start_with(PostgresSettings { data_dir, port: None }).await?;
    say::line(format!("PostgreSQL runs ({:.1} s).", began.elapsed().as_secs_f64()));
    Ok(Some(server))
}

async fn rabbitmq(name: &str) -> Result<Option<RabbitMq>, Failure> {
    if variable("AMQP_URL").is_some() {
        return Ok(None);
    }
    let began = Instant::now();
    let data_dir = DataDir::persistent(&format!("{name}{RABBITMQ_FOLDER}"))?;
    let server = RabbitMq::start_with(RabbitMqSettings { data_dir, ports: None }).await?;
    say::line(format!("RabbitMQ runs ({:.1} s).", began.elapsed().as_secs_f64()));
    Ok(Some(server))
}

/// A variable of the environment that is set to something.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The services and the console, as they are started and started again.
fn programs(state: &State) -> Result<Vec<Program>, Failure> {
    let mut console =
        environment(state, CONSOLE)?.variable("TOKEN_KEY_FILE", &Keys::in_suite().token_key);
    for service in SERVICES {
        console = console.variable(service.address_variable, state.ports.url(service));
    }
    let programs = services(state)?.into_iter().chain([console]);
    Ok(programs.map(|program| program.argument("serve")).collect())
}

/// The services without a command.
fn services(state: &State) -> Result<Vec<Program>, Failure> {
    let postgres_url = state.postgres_url.as_deref().unwrap_or_default();
    let service = |service: Service| {
        let url = database_url(postgres_url, service.name);
        Ok(environment(state, service)?.variable("DATABASE_URL", url))
    };
    SERVICES.into_iter().map(service).collect()
}

/// A program with what every one of them is told.
fn environment(state: &State, service: Service) -> Result<Program, Failure> {
    let keys = Keys::in_suite();
    let index = state.data.join("search-index");
    workspace::make_folder(&index)?;
    let amqp_url = state.amqp_url.as_deref().unwrap_or_default();
    Ok(program(service)
        .variable("HTTP_ADDR", state.ports.address(service))
        .variable("AMQP_URL", amqp_url)
        .variable("TOKEN_PUBLIC_KEY_FILE", &keys.token_public_key)
        .variable("WEBHOOK_SECRET_FILE", &keys.webhook_secret)
        .variable("PRODUCT_CATALOG_URL", state.ports.url_of("product-catalog"))
        .variable("INDEX_DIR", &index))
}

/// The optimised program of a service, with its log beside those of the others.
fn program(service: Service) -> Program {
    let log = workspace::logs().join(format!("{}.log", service.name));
    Program::new(service.name, workspace::program(service.name), log)
        // Two threads work in each program: more arenas than that only hold memory that nobody uses.
        .variable("MALLOC_ARENA_MAX", "2")
        // Fixed, or the allocator raises both with the largest block ever freed, and keeps what one import needed for good.
        .variable("MALLOC_TRIM_THRESHOLD_", "262144")
        .variable("MALLOC_MMAP_THRESHOLD_", "524288")
        .variable("RUST_LOG", variable("RUST_LOG").unwrap_or_else(|| "info".to_owned()))
        .death_signal(DeathSignal::Terminate)
}

/// A server to keep alive.
enum Server {
    Postgres(Postgres),
    RabbitMq(Box<RabbitMq>),
}

impl Server {
    fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "PostgreSQL",
            Self::RabbitMq(_) => "RabbitMQ",
        }
    }

    fn running(&mut self) -> Result<&mut Process, testkit::Error> {
        match self {
            Self::Postgres(server) => server.running(),
            Self::RabbitMq(server) => server.running(),
        }
    }

    async fn restart(&mut self) -> Result<(), testkit::Error> {
        match self {
            Self::Postgres(server) => server.restart().await,
            Self::RabbitMq(server) => server.restart().await,
        }
    }

    async fn stop(&mut self) -> Result<(), testkit::Error> {
        match self {
            Self::Postgres(server) => server.stop().await,
            Self::RabbitMq(server) => server.stop().await,
        }
    }
}

/// Tasks that keep something alive until all of them are told to stop.
struct Keepers {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Default for Keepers {
    fn default() -> Self {
        Self { tasks: JoinSet::new(), stop: watch::Sender::new(false) }
    }
}

impl Keepers {
    /// Starts a program, and again when it ends.
    fn keep_service(&mut self, program: Program) {
        let mut stop = self.stop.subscribe();
        self.tasks.spawn(async move {
            let mut back_off = BackOff::default();
            loop {
                let began = Instant::now();
                let died = match program.clone().start() {
                    Ok(process) => match live(process, &mut stop).await {
                        Some(died) => died,
                        None => return,
                    },
                    Err(error) => say::chain(&error),
                };
                if !pause(back_off.pause_after(began.elapsed()), &died, &mut stop).await {
                    return;
                }
            }
        });
    }

    /// Starts a server again when it ends, with the same data on the same ports.
    fn keep_server(&mut self, mut server: Server) {
        let mut stop = self.stop.subscribe();
        self.tasks.spawn(async move {
            let mut back_off = BackOff::default();
            let mut began = Instant::now();
            loop {
                let died = match server.running() {
                    Ok(process) => tokio::select! {
                        status = process.wait_for_exit() => death(server.name(), status),
                        _told = stop.wait_for(|stop| *stop) => break,
                    },
                    Err(error) => say::chain(&error),
                };
                if !pause(back_off.pause_after(began.elapsed()), &died, &mut stop).await {
                    break;
                }
                began = Instant::now();
                tokio::select! {
                    restarted = server.restart() => match restarted {
                        Ok(()) => say::line(format!("{} runs again ({:.1} s).", server.name(), began.elapsed().as_secs_f64())),
                        Err(error) => say::line(say::chain(&error)),
                    },
                    // One that is half started is killed when it is dropped.
                    _told = stop.wait_for(|stop| *stop) => break,
                }
            }
            if let Err(error) = server.stop().await {
                say::line(say::chain(&error));
            }
        });
    }

    /// Tells all to stop and waits until they have.
    async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Watches a process until it ends, and tells how; or until we are told to stop, and stops it.
async fn live(mut process: Process, stop: &mut watch::Receiver<bool>) -> Option<String> {
    let name = process.name().to_owned();
    tokio::select! {
        status = process.wait_for_exit() => return Some(death(&name, status)),
        _told = stop.wait_for(|stop| *stop) => {}
    }
    if let Err(error) = process.stop(STOP).await {
        say::line(say::chain(&error));
    }
    None
}

/// How something ended, in words.
fn death(name: &str, status: Result<std::process::ExitStatus, testkit::Error>) -> String {
    match status {
        Ok(status) => format!("{name} ended ({status})"),
        Err(error) => say::chain(&error),
    }
}

/// Says that something died and waits a while; false if we are told to stop meanwhile.
async fn pause(pause: Duration, died: &str, stop: &mut watch::Receiver<bool>) -> bool {
    say::line(format!("{died}; again in {:.1} s", pause.as_secs_f64()));
    tokio::select! {
        () = sleep(pause) => true,
        _told = stop.wait_for(|stop| *stop) => false,
    }
}

/// Makes the folder for the logs and removes those of the run before.
pub(crate) fn fresh_logs() -> Result<(), Failure> {
    let logs = workspace::logs();
    workspace::make_folder(&logs)?;
    for entry in fs::read_dir(&logs).map_err(Failure::file(&logs))?.flatten() {
        fs::remove_file(entry.path()).map_err(Failure::file(entry.path()))?;
    }
    Ok(())
}
