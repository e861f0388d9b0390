//! Child processes: start, watch, signal and end.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{LazyLock, mpsc},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::time::sleep;

use crate::{
    account::Account,
    error::Error,
    wait::{WaitError, wait_for},
};

/// How long a killed process may take to disappear.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a supervisor checks whether a process has exited.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How much of a log an error contains, in bytes.
const LOG_TAIL: u64 = 4096;

/// The signal that the kernel sends to a program when its parent process ends (`PR_SET_PDEATHSIG`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeathSignal {
    /// SIGKILL: no clean-up.
    Kill,
    /// SIGTERM: an orderly shutdown.
    Terminate,
    /// SIGQUIT: PostgreSQL exits at once, but frees its shared memory.
    Quit,
}

/// A program to start.
#[derive(Debug, Clone)]
pub struct Program {
    name: String,
    command: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    clean_environment: bool,
    directory: Option<PathBuf>,
    log: PathBuf,
    account: Option<Account>,
    death_signal: DeathSignal,
}

impl Program {
    /// A program without arguments. Its output is appended to the file `log`.
    pub fn new(
        name: impl Into<String>,
        command: impl AsRef<OsStr>,
        log: impl Into<PathBuf>,
    ) -> Self {
        Self {
            name: name.into(),
            command: command.as_ref().to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            clean_environment: false,
            directory: None,
            log: log.into(),
            account: None,
            death_signal: DeathSignal::Kill,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn variable(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Inherits only `PATH` from the environment of this process.
    #[must_use]
    pub fn clean_environment(mut self) -> Self {
        self.clean_environment = true;
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets the signal for when this process ends; SIGKILL by default.
    #[must_use]
    pub fn death_signal(mut self, signal: DeathSignal) -> Self {
        self.death_signal = signal;
        self
    }

    /// Sets the account to run under; the account of this process by default.
    #[must_use]
    pub(crate) fn account(mut self, account: Option<&Account>) -> Self {
        self.account = account.cloned();
        self
    }

    /// Starts the program in a new process group, so that Ctrl-C in the terminal does not reach it.
    pub fn start(self) -> Result<Process, Error> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(Error::file(&self.log))?;
        let copy = log.try_clone().map_err(Error::file(&self.log))?;
        let mut command = self.command();
        command.process_group(0).stdin(Stdio::null()).stdout(log).stderr(copy);
        let spawned = spawn(command).and_then(|child| {
            let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            id.map(|id| (id, child)).ok_or_else(|| io::Error::other("the process has no usable id"))
        });
        match spawned {
            Ok((id, child)) => Ok(Process { name: self.name, id, child, log: self.log }),
            Err(source) => Err(Error::Spawn { name: self.name, source }),
        }
    }

    /// Runs the program and waits until it exits. Blocks. Fails if the exit status is not 0.
    pub(crate) fn run(self) -> Result<(), Error> {
        let mut process = self.start()?;
        let status = process.reap()?;
        if status.success() { Ok(()) } else { Err(process.failure(status)) }
    }

    /// The command, wrapped in `setpriv`, which switches to the account, sets the death signal and executes the program.
    fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        if let Some(account) = &self.account {
            command.args(account.setpriv_arguments());
        }
        let signal = match self.death_signal {
            DeathSignal::Kill => "KILL",
            DeathSignal::Terminate => "TERM",
            DeathSignal::Quit => "QUIT",
        };
        command.args(["--pdeathsig", signal, "--"]).arg(&self.command).args(&self.arguments);
        if self.clean_environment {
            command.env_clear();
            if let Some(path) = std::env::var_os("PATH") {
                command.env("PATH", path);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }
}

/// A child process with all its descendants. They are killed when this value is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    id: Pid,
    child: Child,
    log: PathBuf,
}

impl Process {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.id.as_raw_nonzero().get().unsigned_abs()
    }

    /// The file with its output.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        tail(&self.log).unwrap_or_else(|error| format!("(unreadable: {error})"))
    }

    /// Whether the process is running or paused.
    pub fn is_alive(&self) -> bool {
        // A dead child stays a zombie until it is reaped, so its id cannot belong to another process yet.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        matches!(waitid(WaitId::Pid(self.id), options), Ok(None))
    }

    /// Waits without a timeout until the process exits. For supervisors; tests use a timeout.
    pub async fn wait_for_exit(&mut self) -> Result<ExitStatus, Error> {
        while self.is_alive() {
            sleep(POLL_INTERVAL).await;
        }
        self.reap()
    }

    /// Waits until the process exits by itself.
    pub async fn wait_for_exit_within(&mut self, timeout: Duration) -> Result<ExitStatus, Error> {
        self.wait_until_exited(timeout).await?;
        self.reap()
    }

    /// Waits until the process exits by itself. Fails with the end of its log if the exit status is not 0.
    pub async fn wait_for_success(&mut self, timeout: Duration) -> Result<(), Error> {
        let status = self.wait_for_exit_within(timeout).await?;
        if status.success() { Ok(()) } else { Err(self.failure(status)) }
    }

    /// Fails with the end of its log if the process has exited.
    pub fn check_alive(&mut self) -> Result<(), Error> {
        if self.is_alive() {
            return Ok(());
        }
        let status = self.reap()?;
        Err(self.failure(status))
    }

    /// Sends SIGKILL to the process and its descendants, and waits up to ten seconds until all have exited.
    pub async fn kill(&mut self) -> Result<(), Error> {
        let tree = self.kill_tree();
        let what = format!("{} and its descendants have exited", self.name);
        wait_for(&what, KILL_TIMEOUT, async || {
            match tree.iter().filter(|id| is_running(**id)).count() {
                0 => Ok(()),
                alive => Err(format!("{alive} alive")),
            }
        })
        .await?;
        self.reap().map(drop)
    }

    /// Sends SIGTERM, and SIGKILL after the timeout.
    pub async fn stop(&mut self, timeout: Duration) -> Result<ExitStatus, Error> {
        self.stop_with(Signal::TERM, timeout).await
    }

    /// Sends a signal, and SIGKILL after the timeout.
    pub(crate) async fn stop_with(
        &mut self,
        signal: Signal,
        timeout: Duration,
    ) -> Result<ExitStatus, Error> {
        if self.is_alive() {
            self.send(self.id, signal)?;
            // A paused process handles the signal only after it is resumed.
            self.resume()?;
            if self.wait_until_exited(timeout).await.is_err() {
                tracing::warn!(process = self.name, "did not stop in time; killing it");
            }
        }
        // Also kills the descendants that outlived it.
        self.kill().await?;
        self.reap()
    }

    /// Sends SIGSTOP to the process and its descendants: connections stay open, but nothing responds.
    pub fn pause(&self) -> Result<(), Error> {
        self.send(self.id, Signal::STOP)?;
        for id in descendants(self.id) {
            // It may have exited meanwhile.
            let _gone = kill_process(id, Signal::STOP);
        }
        Ok(())
    }

    /// Sends SIGCONT to the process and its descendants.
    pub fn resume(&self) -> Result<(), Error> {
        for id in descendants(self.id) {
            let _gone = kill_process(id, Signal::CONT);
        }
        self.send(self.id, Signal::CONT)
    }

    /// Kills the process and its descendants, and returns their ids.
    fn kill_tree(&self) -> Vec<Pid> {
        if !self.is_alive() {
            return descendants(self.id).into_iter().inspect(|id| send_kill(*id)).collect();
        }
        // Pauses the parent first, so that it neither starts nor reaps a child (whose id could then be reused). The parent
        // is killed before its children, so that PostgreSQL does not notice a child's death.
        let _gone = kill_process(self.id, Signal::STOP);
        let mut tree = descendants(self.id);
        tree.insert(0, self.id);
        tree.iter().copied().for_each(send_kill);
        tree
    }

    async fn wait_until_exited(&self, timeout: Duration) -> Result<(), WaitError> {
        wait_for(&format!("{} has exited", self.name), timeout, async || {
            if self.is_alive() { Err("running") } else { Ok(()) }
        })
        .await
    }

    /// Reaps the process. Blocks while it is alive.
    fn reap(&mut self) -> Result<ExitStatus, Error> {
        self.child.wait().map_err(|source| Error::Signal { name: self.name.clone(), source })
    }

    fn failure(&self, status: ExitStatus) -> Error {
        Error::Exited { name: self.name.clone(), status, log: self.log_tail() }
    }

    fn send(&self, id: Pid, signal: Signal) -> Result<(), Error> {
        kill_process(id, signal)
            .map_err(|source| Error::Signal { name: self.name.clone(), source: source.into() })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_tree();
        if let Err(error) = self.child.wait() {
            tracing::warn!(process = self.name, %error, "failed to reap a killed process");
        }
    }
}

/// Kills a process that may have exited already.
fn send_kill(id: Pid) {
    let _gone = kill_process(id, Signal::KILL);
}

/// A command for the spawner thread, with a channel for the result.
type SpawnRequest = (Command, mpsc::SyncSender<io::Result<Child>>);

/// The thread that starts every child process.
///
/// The kernel sends the death signal when the *thread* that started the child ends. A runtime worker or a test thread may end
/// long before this process and would take its servers with it. This thread lives as long as the process.
static SPAWNER: LazyLock<io::Result<mpsc::Sender<SpawnRequest>>> = LazyLock::new(|| {
    let (requests, inbox) = mpsc::channel::<SpawnRequest>();
    thread::Builder::new().name("spawner".to_owned()).spawn(move || {
        for (mut command, reply) in inbox {
            // The requester may have stopped waiting.
            let _ignored = reply.send(command.spawn());
        }
    })?;
    Ok(requests)
});

fn spawn(command: Command) -> io::Result<Child> {
    let gone = || io::Error::other("the spawner thread has ended");
    let (reply, inbox) = mpsc::sync_channel(1);
    let spawner = SPAWNER.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()));
    spawner?.send((command, reply)).map_err(|_| gone())?;
    inbox.recv().map_err(|_| gone())?
}

/// State, parent and group of a process, from `/proc`.
struct Stat {
    state: char,
    parent: i32,
    group: i32,
}

impl Stat {
    fn read(id: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The second field is the program's name in parentheses, which may itself contain spaces and parentheses.
        let mut fields = text.rsplit_once(") ")?.1.split(' ');
        Some(Self {
            state: fields.next()?.chars().next()?,
            parent: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
        })
    }
}

/// Whether a process exists and is not a zombie.
fn is_running(id: Pid) -> bool {
    Stat::read(id.as_raw_nonzero().get()).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// All descendants of a process and all members of its process group. PostgreSQL gives each of its processes its own group,
/// so the group alone is not enough.
fn descendants(of: Pid) -> Vec<Pid> {
    let leader = of.as_raw_nonzero().get();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let all: Vec<(i32, Stat)> = entries
        .flatten()
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            Some((id, Stat::read(id)?))
        })
        .collect();
    let mut found = vec![leader];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        for (id, stat) in &all {
            if (stat.parent == parent || stat.group == parent) && !found.contains(id) {
                found.push(*id);
            }
        }
        next += 1;
    }
    found.into_iter().skip(1).filter_map(Pid::from_raw).collect()
}

/// The end of a file.
fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
