//! A service as a process: exit codes, log and signals.

use std::{
    net::SocketAddr,
    process::{ExitStatus, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::Database;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr, Command},
};

use crate::{in_background, soon};

fn greeter(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greeter"));
    command.args(args).kill_on_drop(true).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn output(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = soon(command.output()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// A greeter that serves.
struct Serving {
    child: Child,
    log: Log,
    address: SocketAddr,
    internal: SocketAddr,
    _database: Database,
}

impl Serving {
    async fn start(ending: &str, shutdown_timeout: &str) -> Serving {
        let database = Database::create().await.unwrap();
        let mut command = greeter(&["serve", "--http-addr", "127.0.0.1:0"]);
        command.env("DATABASE_URL", database.url()).env("LOG_FORMAT", "json");
        command.env("INTERNAL_ADDR", "127.0.0.1:0");
        command.env("ENDING", ending).env("SHUTDOWN_TIMEOUT", shutdown_timeout);
        let mut child = command.spawn().unwrap();
        let mut log = Log::of(child.stderr.take().unwrap());
        let line = log.line_with("listening").await;
        let address = |name: &str| line[name].as_str().unwrap().parse().unwrap();
        let (address, internal) = (address("address"), address("internal"));
        // From here on, signals are handled.
        log.line_with("running").await;
        Serving { child, log, address, internal, _database: database }
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// The exit status, and the whole log.
    async fn end(mut self) -> (ExitStatus, String) {
        let status = soon(self.child.wait()).await.unwrap();
        (status, soon(self.log.read_to_end()).await)
    }

    async fn healthcheck(&self) -> Option<i32> {
        let address = self.address.to_string();
        output(greeter(&["healthcheck", "--http-addr", &address])).await.0
    }
}

/// A log in JSON, read line by line.
struct Log {
    lines: Lines<BufReader<ChildStderr>>,
    read: Vec<String>,
}

impl Log {
    fn of(stderr: ChildStderr) -> Log {
        Log { lines: BufReader::new(stderr).lines(), read: Vec::new() }
    }

    /// The first line with this message, also among the lines read before: concurrent tasks log in any order.
    async fn line_with(&mut self, message: &str) -> Value {
        let mut next = 0;
        loop {
            if next == self.read.len() {
                self.read.push(soon(self.lines.next_line()).await.unwrap().unwrap());
            }
            let line: Value = serde_json::from_str(&self.read[next]).unwrap();
            if line["message"] == message {
                return line;
            }
            next += 1;
        }
    }

    /// The whole log, once its writer has closed it.
    async fn read_to_end(mut self) -> String {
        while let Some(line) = self.lines.next_line().await.unwrap() {
            self.read.push(line);
        }
        self.read.join("\n")
    }
}

#[tokio::test]
async fn sigterm_finishes_current_requests_and_exits_0() {
    let mut serving = Serving::start("soft", "20").await;
    serving.log.line_with("up").await;
    assert_eq!(serving.healthcheck().await, Some(0));
    let url = format!("http://{}/v1/greetings/1500", serving.address);
    let in_hand = in_background(reqwest::get(url));
    let in_flight = format!("http://{}/metrics", serving.internal);
    testkit::wait_until("the request is in hand", crate::DEADLINE, async || {
        // The request for the metrics is in flight as well.
        let metrics = reqwest::get(&in_flight).await.unwrap().text().await.unwrap();
        metrics.contains("http_requests_in_flight 2")
    })
    .await
    .unwrap();
    serving.signal(Signal::TERM);
    assert_eq!(soon(in_hand).await.unwrap().unwrap().text().await.unwrap(), "\"hello\"");
    let (status, log) = serving.end().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("SIGTERM"), "{log}");
}

#[tokio::test]
async fn a_second_signal_aborts_unfinished_tasks() {
    let mut serving = Serving::start("never", "3600").await;
    serving.signal(Signal::INT);
    serving.log.line_with("shutting down").await;
    serving.signal(Signal::INT);
    let line = serving.log.line_with("second signal; aborting tasks").await;
    assert_eq!(line["signal"], "SIGINT");
    assert!(line["tasks"].as_str().unwrap().contains("greeting"), "{line}");
    let (status, log) = serving.end().await;
    assert_eq!(status.code(), Some(0), "{log}");
}

#[tokio::test]
async fn unfinished_tasks_are_aborted_at_the_timeout() {
    let serving = Serving::start("never", "1").await;
    serving.signal(Signal::TERM);
    let (status, log) = serving.end().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("aborting tasks that did not finish in time"), "{log}");
}

#[tokio::test]
async fn a_blocked_thread_makes_the_exit_a_failure() {
    let serving = Serving::start("blocked", "1").await;
    serving.signal(Signal::TERM);
    let (status, log) = serving.end().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("the tasks could not be stopped"), "{log}");
}

#[tokio::test]
async fn a_failed_task_logs_its_causes_and_exits_1() {
    let serving = Serving::start("error", "20").await;
    let (status, log) = serving.end().await;
    assert_eq!(status.code(), Some(1), "{log}");
    let chain = "the greeting failed: invalid digit found in string";
    assert!(log.contains(chain), "{log}");
}

#[tokio::test]
async fn a_panicked_task_logs_the_panic_and_exits_1() {
    let serving = Serving::start("panic", "20").await;
    let (status, log) = serving.end().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("too loud") && log.contains("greeter.rs"), "{log}");
}

#[tokio::test]
async fn healthcheck_fails_without_a_server() {
    let address = format!("127.0.0.1:{}", testkit::free_port().unwrap());
    let (code, _, log) = output(greeter(&["healthcheck", "--http-addr", &address])).await;
    assert_eq!(code, Some(1));
    assert!(log.contains("the service cannot be reached"), "{log}");
}

#[tokio::test]
async fn openapi_prints_only_the_document() {
    let (code, document, _) = output(greeter(&["openapi"])).await;
    assert_eq!(code, Some(0));
    let document: Value = serde_json::from_str(&document).unwrap();
    assert!(document["paths"]["/v1/greetings/{wait_ms}"]["get"].is_object());
}

#[tokio::test]
async fn migrate_runs_and_exits() {
    let database = Database::create().await.unwrap();
    let mut command = greeter(&["migrate"]);
    command.env("DATABASE_URL", database.url()).env("AMQP_URL", "amqp://127.0.0.1:1/%2f");
    let (code, _, log) = output(command).await;
    assert_eq!(code, Some(0), "{log}");

    let mut command = greeter(&["migrate"]);
    command.env("DATABASE_URL", "not-an-address:hunter2").env("AMQP_URL", "amqp://127.0.0.1:1/%2f");
    let (code, _, log) = output(command).await;
    assert_eq!(code, Some(1));
    assert!(log.contains("DATABASE_URL is not an address") && !log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn help_shows_no_secrets() {
    let mut command = greeter(&["serve", "--help"]);
    command.env("DATABASE_URL", "postgres://me:hunter2@db/x");
    let (code, help, _) = output(command).await;
    assert_eq!(code, Some(0));
    for line in ["[env: DATABASE_URL]", "[default: 127.0.0.1:8099]", "[default: 30]"] {
        assert!(help.contains(line), "{line} is not in {help}");
    }
    assert!(!help.contains("hunter2"));
}

#[tokio::test]
async fn an_invalid_log_filter_is_named() {
    let mut command = greeter(&["openapi"]);
    command.env("RUST_LOG", "order=louder");
    let (code, _, log) = output(command).await;
    assert_eq!(code, Some(2));
    assert!(log.contains("RUST_LOG"), "{log}");
}
