//! Programs that we start, watch and end.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use tokio::time::sleep;

use crate::account::Account;
use crate::wait::wait_for;
use crate::{Error, WaitError};

/// How long a killed process may take to be gone.
const DEATH: Duration = Duration::from_secs(10);

/// How often a supervisor looks whether a process has ended.
const LOOK: Duration = Duration::from_millis(100);

/// How much of a log an error shows, in bytes.
const LOG_TAIL: u64 = 4096;

/// What the system sends to a program when the process that started it ends, however it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeathSignal {
    /// SIGKILL: nothing is tidied up.
    Kill,
    /// SIGTERM: the program may end in order.
    Terminate,
    /// SIGQUIT: PostgreSQL ends at once, but gives its shared memory back.
    Quit,
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Program {
    name: String,
    command: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    bare_environment: bool,
    directory: Option<PathBuf>,
    log: PathBuf,
    account: Option<Account>,
    death_signal: DeathSignal,
}

impl Program {
    /// A program without arguments that writes what it says to the end of the file `log`.
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
            bare_environment: false,
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

    /// Sets a variable of its environment.
    #[must_use]
    pub fn variable(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Gives it `PATH` and the variables that were set here, and nothing else of our own environment.
    #[must_use]
    pub fn bare_environment(mut self) -> Self {
        self.bare_environment = true;
        self
    }

    /// The folder in which it starts.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// What it gets when we end; SIGKILL unless said otherwise.
    #[must_use]
    pub fn death_signal(mut self, signal: DeathSignal) -> Self {
        self.death_signal = signal;
        self
    }

    /// The account that it runs under; our own unless said otherwise.
    #[must_use]
    pub(crate) fn account(mut self, account: Option<&Account>) -> Self {
        self.account = account.cloned();
        self
    }

    /// Starts it in a process group of its own, where Ctrl-C at our terminal does not reach it.
    ///
    /// # Errors
    ///
    /// When the log cannot be written or the program not be started.
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

    /// Runs it to its end. This blocks.
    ///
    /// # Errors
    ///
    /// When it cannot be started, or ends with a failure.
    pub(crate) fn run(self) -> Result<(), Error> {
        let mut process = self.start()?;
        let status = process.reap()?;
        if status.success() { Ok(()) } else { Err(process.failure(status)) }
    }

    /// The command, wrapped in `setpriv`, which becomes the account, asks for the death signal and then turns into the program.
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
        if self.bare_environment {
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

/// One process that we started, with all that it started in turn. It is killed when this value is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    id: Pid,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// The name that it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.id.as_raw_nonzero().get().unsigned_abs()
    }

    /// The file that it writes to.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        tail(&self.log).unwrap_or_else(|error| format!("(unreadable: {error})"))
    }

    /// Whether it still runs. A stopped process is alive.
    pub fn is_alive(&self) -> bool {
        // A dead child stays a zombie until we reap it, so that its id cannot have gone to somebody else meanwhile.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        matches!(waitid(WaitId::Pid(self.id), options), Ok(None))
    }

    /// Waits, for as long as it takes, until it has ended by itself, and tells how. For supervisors; a test has a deadline.
    ///
    /// # Errors
    ///
    /// When the system does not tell how it ended.
    pub async fn ended(&mut self) -> Result<ExitStatus, Error> {
        while self.is_alive() {
            sleep(LOOK).await;
        }
        self.reap()
    }

    /// Waits until it has ended by itself, and tells how.
    ///
    /// # Errors
    ///
    /// When it still runs at the deadline.
    pub async fn ended_by(&mut self, deadline: Duration) -> Result<ExitStatus, Error> {
        self.wait_for_end(deadline).await?;
        self.reap()
    }

    /// Waits until it has ended by itself, and fails, with the end of its log, unless it succeeded.
    ///
    /// # Errors
    ///
    /// When it failed, or still runs at the deadline.
    pub async fn succeeded_by(&mut self, deadline: Duration) -> Result<(), Error> {
        let status = self.ended_by(deadline).await?;
        if status.success() { Ok(()) } else { Err(self.failure(status)) }
    }

    /// Fails, with the end of its log, if it has ended.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn check_alive(&mut self) -> Result<(), Error> {
        if self.is_alive() {
            return Ok(());
        }
        let status = self.reap()?;
        Err(self.failure(status))
    }

    /// Sends SIGKILL to it and all that it started, and waits until all are gone.
    ///
    /// # Errors
    ///
    /// When they are not gone after ten seconds.
    pub async fn kill(&mut self) -> Result<(), Error> {
        let tree = self.kill_tree();
        let what = format!("{} and all its processes are gone", self.name);
        wait_for(&what, DEATH, async || match tree.iter().filter(|id| is_running(**id)).count() {
            0 => Ok(()),
            alive => Err(format!("{alive} alive")),
        })
        .await?;
        self.reap().map(drop)
    }

    /// Asks it to end with SIGTERM, and kills it at the deadline.
    ///
    /// # Errors
    ///
    /// When it cannot be signalled or killed.
    pub async fn stop(&mut self, deadline: Duration) -> Result<ExitStatus, Error> {
        self.stop_with(Signal::TERM, deadline).await
    }

    /// Asks it to end with a signal, and kills it at the deadline.
    pub(crate) async fn stop_with(
        &mut self,
        signal: Signal,
        deadline: Duration,
    ) -> Result<ExitStatus, Error> {
        if self.is_alive() {
            self.send(self.id, signal)?;
            // A frozen process takes the signal only when it goes on.
            self.resume()?;
            if self.wait_for_end(deadline).await.is_err() {
                tracing::warn!(process = self.name, "did not stop in time and is killed");
            }
        }
        // The members of its group that outlived it are killed here too.
        self.kill().await?;
        self.reap()
    }

    /// Freezes it and all that it started with SIGSTOP: connections stay open and nobody answers.
    ///
    /// # Errors
    ///
    /// When it cannot be signalled.
    pub fn pause(&self) -> Result<(), Error> {
        self.send(self.id, Signal::STOP)?;
        for id in descendants(self.id) {
            // One that ended meanwhile needs no stopping.
            let _gone = kill_process(id, Signal::STOP);
        }
        Ok(())
    }

    /// Lets it go on after [`pause`](Self::pause).
    ///
    /// # Errors
    ///
    /// When it cannot be signalled.
    pub fn resume(&self) -> Result<(), Error> {
        for id in descendants(self.id) {
            let _gone = kill_process(id, Signal::CONT);
        }
        self.send(self.id, Signal::CONT)
    }

    /// Kills everything and says what was there.
    fn kill_tree(&self) -> Vec<Pid> {
        if !self.is_alive() {
            return descendants(self.id).into_iter().inspect(|id| send_kill(*id)).collect();
        }
        // The leader is frozen first, so that it neither starts another child nor reaps one (whose id could then be
        // somebody else's). It is killed before its children are: PostgreSQL must not notice that one died.
        let _gone = kill_process(self.id, Signal::STOP);
        let mut tree = descendants(self.id);
        tree.insert(0, self.id);
        tree.iter().copied().for_each(send_kill);
        tree
    }

    async fn wait_for_end(&self, deadline: Duration) -> Result<(), WaitError> {
        wait_for(&format!("{} has ended", self.name), deadline, async || {
            if self.is_alive() { Err("it runs") } else { Ok(()) }
        })
        .await
    }

    /// Takes the exit status. Blocks if the process is alive.
    fn reap(&mut self) -> Result<ExitStatus, Error> {
        self.child.wait().map_err(|source| Error::Signal { name: self.name.clone(), source })
    }

    fn failure(&self, status: ExitStatus) -> Error {
        Error::Ended { name: self.name.clone(), status, log: self.log_tail() }
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
            tracing::warn!(process = self.name, %error, "a killed process was not reaped");
        }
    }
}

/// Kills a process that may have gone already.
fn send_kill(id: Pid) {
    let _gone = kill_process(id, Signal::KILL);
}

/// A command on its way to the thread that starts all of them, with the way back.
type Request = (Command, mpsc::SyncSender<io::Result<Child>>);

/// The thread that starts every process.
///
/// The system ties the death signal to the *thread* that started a process. A worker of the runtime, or the thread of a test,
/// may end long before this process does, and would take its servers with it; this thread lives as long as the process.
static SPAWNER: LazyLock<io::Result<mpsc::Sender<Request>>> = LazyLock::new(|| {
    let (requests, inbox) = mpsc::channel::<Request>();
    thread::Builder::new().name("spawner".to_owned()).spawn(move || {
        for (mut command, answer) in inbox {
            // Nobody waits any more if the answer cannot be sent.
            let _unheard = answer.send(command.spawn());
        }
    })?;
    Ok(requests)
});

fn spawn(command: Command) -> io::Result<Child> {
    let gone = || io::Error::other("the thread that starts processes is gone");
    let (answer, inbox) = mpsc::sync_channel(1);
    let spawner = SPAWNER.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()));
    spawner?.send((command, answer)).map_err(|_| gone())?;
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
        // The second field is the program's name in parentheses, which may hold spaces and parentheses itself.
        let mut fields = text.rsplit_once(") ")?.1.split(' ');
        Some(Self {
            state: fields.next()?.chars().next()?,
            parent: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
        })
    }
}

/// Whether a process exists and is no zombie.
fn is_running(id: Pid) -> bool {
    Stat::read(id.as_raw_nonzero().get()).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// All that a process started, directly or not, and all that is left in its group. PostgreSQL puts each of its processes into
/// a group of its own, so that the group alone would not do.
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
