//! The supervisor: starts the servers and services of the suite and restarts those that die, until SIGTERM or
//! SIGINT.

use std::{
    collections::BTreeMap,
    env, fs,
    path::PathBuf,
    process::ExitStatus,
    time::{Duration, Instant},
};

use suite::{
    CONSOLE, DEFAULT_LIMITS, Error, Http, Keys, Phase, Ports, SERVICES, Service, State, Supervisor,
    data_folder_name, databases, make_folder, output, with_database,
};
use testkit::{
    Authentication, DataDir, DeathSignal, Postgres, PostgresSettings, Process, Program, RabbitMq,
    RabbitMqSettings, create_database, run_sql,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
    time::sleep,
};
use xtask::{
    programs::{self, Profile},
    workspace,
};

use super::{
    back_off::BackOff,
    declared::{declared, definitions},
    readiness::healthy,
};

/// The suffixes of the servers' data folders.
pub(super) const POSTGRES_FOLDER: &str = "-postgres";
pub(super) const RABBITMQ_FOLDER: &str = "-rabbitmq";

/// The file with the password of the broker's administrator, beside those of the programs.
pub(super) const BROKER_ADMINISTRATOR: &str = "administrator";

/// Timeout of the migrations of one database.
const MIGRATE_TIMEOUT: Duration = Duration::from_mins(2);

/// Timeout of a service's stop; the service abandons its work in progress after 20 seconds.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs the suite until SIGTERM or SIGINT.
pub(crate) async fn run() -> Result<(), Error> {
    let mut state = State {
        supervisor: Supervisor::this_process()?,
        phase: Phase::Starting,
        ports: Ports::from_environment()?,
        data: PathBuf::new(),
        postgres_url: None,
        postgres_address: None,
        amqp_url: None,
        has_broker_users: false,
        management_url: None,
        ready_s: None,
        client_limits: variable("CLIENT_LIMITS").unwrap_or_else(|| DEFAULT_LIMITS.to_owned()),
    };
    let began = Instant::now();
    let http = Http::new()?;
    let stop = stop_signal()?;
    tokio::pin!(stop);
    let servers = tokio::select! {
        servers = start(&mut state) => servers?,
        // Servers that have started are killed on drop.
        () = &mut stop => return Ok(()),
    };
    let programs = programs(&state)?;

    let mut supervised_services = Supervised::default();
    for program in programs {
        supervised_services.add_service(program);
    }
    let mut supervised_servers = Supervised::default();
    for server in servers
        .postgres
        .map(|server| Server::Postgres(Box::new(server)))
        .into_iter()
        .chain(servers.rabbitmq.map(|server| Server::RabbitMq(Box::new(server))))
    {
        supervised_servers.add_server(server);
    }

    state.phase = Phase::Running;
    state.write()?;
    tokio::select! {
        ready = healthy(&http, &state) => {
            // `up` reports services that do not become ready; here only the time is recorded.
            if ready.is_ok() {
                state.ready_s = Some(began.elapsed().as_secs_f64());
                state.write()?;
            }
            stop.await;
        }
        () = &mut stop => {}
    }
    output::line("Stopping the services …");
    supervised_services.stop().await;
    output::line("Stopping the servers …");
    supervised_servers.stop().await;
    State::remove()
}

/// Completes on SIGTERM or SIGINT.
fn stop_signal() -> Result<impl Future<Output = ()>, Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    Ok(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    })
}

/// The private servers; servers that the environment names are not supervised.
struct Servers {
    // Keeps the lock on the folder.
    _data: DataDir,
    postgres: Option<Postgres>,
    rabbitmq: Option<RabbitMq>,
}

/// Starts the servers and migrates the databases.
async fn start(state: &mut State) -> Result<Servers, Error> {
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
    if let Some(rabbitmq) = &rabbitmq {
        let password = Keys::in_suite().broker_password(BROKER_ADMINISTRATOR)?;
        state.management_url =
            Some(management_url(rabbitmq.management().url(), "guest", &password));
    }
    state.amqp_url =
        rabbitmq.as_ref().map(|server| server.vhost_url("/")).or_else(|| variable("AMQP_URL"));
    Keys::in_suite().make()?;
    if let Some(rabbitmq) = &rabbitmq {
        create_broker_users(rabbitmq).await?;
        state.has_broker_users = true;
    }
    for database in databases() {
        create_database(&postgres_url, database).await?;
    }
    if let Some(postgres) = &postgres {
        create_database_roles(postgres).await?;
        state.postgres_address = Some(format!("127.0.0.1:{}", postgres.port()));
    }
    state.postgres_url = Some(postgres_url);
    state.write()?;
    // All databases and queues exist before the first service publishes anything.
    let mut migrations = Vec::new();
    for service in with_database() {
        let owner = database_roles::owner_of(service.name);
        let url = state.database_url(service.name, &owner)?;
        let program = environment(state, service)?.variable("DATABASE_URL", url);
        migrations.push(program.argument("migrate").start()?);
    }
    for mut migration in migrations {
        migration.wait_for_success(MIGRATE_TIMEOUT).await?;
    }
    output::line("Databases are migrated and queues declared.");
    Ok(Servers { _data: data, postgres, rabbitmq })
}

/// Creates the roles of all databases with their passwords. Their rights are renewed each time.
async fn create_database_roles(postgres: &Postgres) -> Result<(), Error> {
    let (keys, databases) = (Keys::in_suite(), databases());
    let mut verifiers = BTreeMap::new();
    for role in database_roles::all_roles(&databases) {
        let verifier = database_roles::scram_verifier(&keys.database_password(&role)?);
        verifiers.insert(role, verifier);
    }
    let roles = database_roles::create_roles(&databases, |role| verifiers.get(role).cloned());
    run_sql(&postgres.database_url("postgres"), &roles).await?;
    for database in databases {
        run_sql(&postgres.database_url(database), &database_roles::grant(database)).await?;
    }
    Ok(())
}

/// Creates a user per program on the broker, which may do only what its topology names, and everything that the services declare. So
/// they may start in any order.
async fn create_broker_users(rabbitmq: &RabbitMq) -> Result<(), Error> {
    let (keys, management) = (Keys::in_suite(), rabbitmq.management());
    for program in SERVICES.into_iter().chain([CONSOLE]) {
        let password = keys.broker_password(program.name)?;
        // The console reads the statistics of the queues.
        let tags = if program == CONSOLE { "monitoring" } else { "" };
        management.create_user(program.name, &password, tags).await?;
    }
    Ok(management.import(&definitions(&declared().await?)).await?)
}

/// The address of the management API at `url` for a user.
fn management_url(url: &str, user: &str, password: &str) -> String {
    let host = url.rsplit_once("://").map_or(url, |(_, rest)| rest);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("http://{user}:{password}@{host}")
}

/// The address of the broker for a program: with its own user, unless the broker is that of the environment.
fn amqp_url_of(state: &State, program: Service) -> Result<String, Error> {
    let url = state.amqp_url.as_deref().unwrap_or_default();
    if !state.has_broker_users {
        return Ok(url.to_owned());
    }
    let password = Keys::in_suite().broker_password(program.name)?;
    let host = url.rsplit_once('@').map_or(url, |(_, host)| host);
    Ok(format!("amqp://{}:{password}@{host}", program.name))
}

async fn postgres(name: &str) -> Result<Option<Postgres>, Error> {
    if variable("DATABASE_URL").is_some() {
        return Ok(None);
    }
    let began = Instant::now();
    let data_dir = DataDir::persistent(&format!("{name}{POSTGRES_FOLDER}"))?;
    let authentication = Authentication::Passwords;
    let settings = PostgresSettings { data_dir, port: None, tls: None, authentication };
    let server = Postgres::start_with(settings).await?;
    output::line(format!("PostgreSQL has started ({:.1} s).", began.elapsed().as_secs_f64()));
    Ok(Some(server))
}

async fn rabbitmq(name: &str) -> Result<Option<RabbitMq>, Error> {
    if variable("AMQP_URL").is_some() {
        return Ok(None);
    }
    let began = Instant::now();
    let data_dir = DataDir::persistent(&format!("{name}{RABBITMQ_FOLDER}"))?;
    let password = Keys::in_suite().broker_password(BROKER_ADMINISTRATOR)?;
    let administrator_password = Some(password);
    let settings =
        RabbitMqSettings { administrator_password, ..RabbitMqSettings::in_folder(data_dir) };
    let server = RabbitMq::start_with(settings).await?;
    output::line(format!("RabbitMQ has started ({:.1} s).", began.elapsed().as_secs_f64()));
    Ok(Some(server))
}

/// An environment variable that is set and not empty.
pub(super) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The services and the console, with their command.
fn programs(state: &State) -> Result<Vec<Program>, Error> {
    let mut console = environment(state, CONSOLE)?
        .variable("TOKEN_KEY_FILE", &Keys::in_suite().token_key)
        .variable("DATABASE_URL", state.database_url(CONSOLE.name, CONSOLE.name)?)
        .variable("AUDIT_DATABASE_URLS", state.databases()?.to_setting());
    // An external broker may have no management API, or give us no access.
    if let Some(url) = &state.management_url {
        let password = Keys::in_suite().broker_password(CONSOLE.name)?;
        let url = management_url(url, CONSOLE.name, &password);
        console = console.variable("RABBITMQ_MANAGEMENT_URL", url);
    }
    for service in SERVICES {
        console = console.variable(service.address_variable, state.ports.url(service));
    }
    let programs = services(state)?.into_iter().chain([console]);
    Ok(programs.map(|program| program.argument("serve")).collect())
}

/// The services, without a command.
fn services(state: &State) -> Result<Vec<Program>, Error> {
    let keys = Keys::in_suite();
    let service = |service: Service| {
        Ok(environment(state, service)?
            .variable("DATABASE_URL", state.database_url(service.name, service.name)?)
            .variable("MESSAGE_KEY_FILE", keys.message_key(service.name))
            .variable("MESSAGE_PUBLIC_KEYS", &keys.message_public_keys)
            // The console, which connects for all shoppers.
            .variable("TRUSTED_PROXIES", "127.0.0.1"))
    };
    SERVICES.into_iter().map(service).collect()
}

/// A program with the environment variables that all programs share.
fn environment(state: &State, service: Service) -> Result<Program, Error> {
    let keys = Keys::in_suite();
    let index = state.data.join("search-index");
    make_folder(&index)?;
    let amqp_url = amqp_url_of(state, service)?;
    Ok(program(service)
        .variable("HTTP_ADDR", state.ports.address(service))
        .variable("INTERNAL_ADDR", state.ports.internal_address(service))
        .variable("CLIENT_LIMITS", &state.client_limits)
        .variable("AMQP_URL", amqp_url)
        .variable("TOKEN_PUBLIC_KEY_FILE", &keys.token_public_key)
        .variable("WEBHOOK_SECRET_FILE", &keys.webhook_secret)
        .variable("VISITOR_KEY_FILE", &keys.visitor_key)
        .variable("TEST_PAYMENTS", "true")
        // A receiver on the same machine can be tried.
        .variable("WEBHOOK_ALLOW_PRIVATE_ADDRESSES", "true")
        .variable("PRODUCT_CATALOG_URL", state.ports.internal_catalogue_url())
        .variable("INDEX_DIR", &index))
}

/// The optimised program of a service, with its log file.
fn program(service: Service) -> Program {
    let log = workspace::logs().join(format!("{}.log", service.name));
    Program::new(service.name, programs::path(service.name, Profile::Release), log)
        // Each program has two worker threads: more arenas waste memory.
        .variable("MALLOC_ARENA_MAX", "2")
        // Fixed thresholds: the allocator would raise both with the largest freed block and keep the memory
        // of one import for good.
        .variable("MALLOC_TRIM_THRESHOLD_", "262144")
        .variable("MALLOC_MMAP_THRESHOLD_", "524288")
        .death_signal(DeathSignal::Terminate)
}

/// A supervised server.
enum Server {
    Postgres(Box<Postgres>),
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

/// Tasks that restart what dies, until they are stopped.
struct Supervised {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Default for Supervised {
    fn default() -> Self {
        Self { tasks: JoinSet::new(), stop: watch::Sender::new(false) }
    }
}

impl Supervised {
    /// Starts a program, and restarts it when it ends.
    fn add_service(&mut self, program: Program) {
        let mut stop = self.stop.subscribe();
        self.tasks.spawn(async move {
            let mut back_off = BackOff::default();
            loop {
                let began = Instant::now();
                let cause = match program.clone().start() {
                    Ok(process) => match watch_process(process, &mut stop).await {
                        Some(cause) => cause,
                        None => return,
                    },
                    Err(error) => output::chain(&error),
                };
                if !pause(back_off.pause_after(began.elapsed()), &cause, &mut stop).await {
                    return;
                }
            }
        });
    }

    /// Restarts a server when it ends, with the same data and ports.
    fn add_server(&mut self, mut server: Server) {
        let mut stop = self.stop.subscribe();
        self.tasks.spawn(async move {
            let mut back_off = BackOff::default();
            let mut began = Instant::now();
            loop {
                let cause = match server.running() {
                    Ok(process) => tokio::select! {
                        status = process.wait_for_exit() => exit_text(server.name(), status),
                        _stopped = stop.wait_for(|stop| *stop) => break,
                    },
                    Err(error) => output::chain(&error),
                };
                if !pause(back_off.pause_after(began.elapsed()), &cause, &mut stop).await {
                    break;
                }
                began = Instant::now();
                tokio::select! {
                    restarted = server.restart() => match restarted {
                        Ok(()) => output::line(format!("{} has restarted ({:.1} s).", server.name(), began.elapsed().as_secs_f64())),
                        Err(error) => output::line(output::chain(&error)),
                    },
                    // A server that is still starting is killed on drop.
                    _stopped = stop.wait_for(|stop| *stop) => break,
                }
            }
            if let Err(error) = server.stop().await {
                output::line(output::chain(&error));
            }
        });
    }

    /// Stops all of them.
    async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Waits until a process ends and returns how; on a stop signal, stops the process and returns nothing.
async fn watch_process(mut process: Process, stop: &mut watch::Receiver<bool>) -> Option<String> {
    let name = process.name().to_owned();
    tokio::select! {
        status = process.wait_for_exit() => return Some(exit_text(&name, status)),
        _stopped = stop.wait_for(|stop| *stop) => {}
    }
    if let Err(error) = process.stop(STOP_TIMEOUT).await {
        output::line(output::chain(&error));
    }
    None
}

fn exit_text(name: &str, status: Result<ExitStatus, testkit::Error>) -> String {
    match status {
        Ok(status) => format!("{name} ended ({status})"),
        Err(error) => output::chain(&error),
    }
}

/// Waits before a restart; false if the supervisor stops meanwhile.
async fn pause(pause: Duration, cause: &str, stop: &mut watch::Receiver<bool>) -> bool {
    output::line(format!("{cause}; restart in {:.1} s", pause.as_secs_f64()));
    tokio::select! {
        () = sleep(pause) => true,
        _stopped = stop.wait_for(|stop| *stop) => false,
    }
}

/// Creates the folder of the logs and removes the logs of the previous run.
pub(super) fn fresh_logs() -> Result<(), Error> {
    let logs = workspace::logs();
    make_folder(&logs)?;
    for entry in fs::read_dir(&logs).map_err(Error::file(&logs))?.flatten() {
        fs::remove_file(entry.path()).map_err(Error::file(entry.path()))?;
    }
    Ok(())
}
