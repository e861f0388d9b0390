//! The owner of all tasks: it spawns them, watches them, and stops them gracefully, then by force.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    error::Error,
    panic::AssertUnwindSafe,
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long aborted tasks may take to be dropped. Only a task that blocks its thread takes noticeable time.
const ABORT_TIMEOUT: Duration = Duration::from_secs(2);

/// The tasks of a process, and the two tokens that stop them. Clones share both.
#[derive(Debug, Clone)]
pub struct Lifecycle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    soft: CancellationToken,
    hard: CancellationToken,
    tracker: TaskTracker,
    timeout: Duration,
    failed: AtomicBool,
    last_id: AtomicU64,
    running: Mutex<BTreeMap<u64, Cow<'static, str>>>,
}

impl Lifecycle {
    /// A lifecycle without tasks; `timeout` is the time between soft and hard stop.
    pub fn new(timeout: Duration) -> Lifecycle {
        let hard = CancellationToken::new();
        Lifecycle(Arc::new(Inner {
            soft: hard.child_token(),
            hard,
            tracker: TaskTracker::new(),
            timeout,
            failed: AtomicBool::new(false),
            last_id: AtomicU64::new(0),
            running: Mutex::default(),
        }))
    }

    /// Spawns a task, which runs until it ends or the hard stop drops it.
    ///
    /// A task that returns an error or panics is logged with its causes, begins the shutdown of the process, and makes
    /// it exit with a failure.
    pub fn spawn<F, E>(&self, name: impl Into<Cow<'static, str>>, future: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let running = Running::enter(self.clone(), name.into());
        self.0.tracker.spawn(async move {
            let hard = &running.lifecycle.0.hard;
            let ending = hard.run_until_cancelled(AssertUnwindSafe(future).catch_unwind()).await;
            let (lifecycle, task) = (&running.lifecycle, &running.name);
            match ending.map(|ending| ending.map(|result| result.map_err(Into::into))) {
                Some(Ok(Ok(()))) => tracing::debug!(%task, "task ended"),
                Some(Ok(Err(error))) => lifecycle.fail(task, &problem::chain(&*error)),
                Some(Err(_panic)) => lifecycle.fail(task, "the task panicked"),
                None => tracing::warn!(%task, "task aborted"),
            }
        });
    }

    fn fail(&self, task: &str, error: &str) {
        tracing::error!(task, error, "task failed; shutting down");
        self.0.failed.store(true, Ordering::Release);
        self.shutdown();
    }

    /// Begins the soft stop: tasks take no new work and finish their current work.
    pub fn shutdown(&self) {
        self.0.soft.cancel();
    }

    /// Begins the hard stop: drops every task at its next await.
    pub fn abort(&self) {
        self.0.hard.cancel();
    }

    /// Cancelled when the soft stop begins.
    pub fn soft(&self) -> CancellationToken {
        self.0.soft.clone()
    }

    /// Cancelled when the hard stop begins. Tasks are dropped without it; it is for threads and guards.
    pub fn hard(&self) -> CancellationToken {
        self.0.hard.clone()
    }

    /// Waits for SIGTERM, SIGINT, a failed task or [`shutdown`](Lifecycle::shutdown), then for the tasks. After the
    /// timeout or a second signal it aborts them.
    ///
    /// Returns the exit code: a failure if a task failed or could not be stopped.
    pub async fn run_until_shutdown(&self) -> ExitCode {
        let inner = &*self.0;
        match Signals::listen() {
            Ok(mut signals) => {
                tracing::info!("running");
                tokio::select! {
                    name = signals.next() => tracing::info!(signal = name, "shutting down"),
                    () = inner.soft.cancelled() => {}
                }
                self.shutdown();
                self.drain(signals.next()).await;
            }
            Err(error) => {
                self.fail("signals", &problem::chain(&error));
                self.drain(std::future::pending()).await;
            }
        }
        if inner.failed.load(Ordering::Acquire) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    /// Waits for the tasks; aborts them at the timeout or at the second signal.
    async fn drain(&self, second_signal: impl Future<Output = &'static str>) {
        let inner = &*self.0;
        inner.tracker.close();
        tokio::select! {
            () = inner.tracker.wait() => return,
            () = inner.hard.cancelled() => {}
            () = tokio::time::sleep(inner.timeout) => {
                tracing::warn!(tasks = self.running(), "aborting tasks that did not finish in time");
            }
            name = second_signal => {
                tracing::warn!(signal = name, tasks = self.running(), "second signal; aborting tasks");
            }
        }
        self.abort();
        if tokio::time::timeout(ABORT_TIMEOUT, inner.tracker.wait()).await.is_err() {
            self.fail(&self.running(), "the tasks could not be stopped");
        }
    }

    /// The names of the running tasks, for the log.
    fn running(&self) -> String {
        let running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.values().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ")
    }
}

/// The entry of a running task; dropping it removes the entry.
struct Running {
    lifecycle: Lifecycle,
    name: Cow<'static, str>,
    id: u64,
}

impl Running {
    fn enter(lifecycle: Lifecycle, name: Cow<'static, str>) -> Running {
        let id = lifecycle.0.last_id.fetch_add(1, Ordering::Relaxed);
        let mut running = lifecycle.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(id, name.clone());
        drop(running);
        Running { lifecycle, name, id }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self.lifecycle.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.id);
    }
}

/// The signals that stop a process: SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
