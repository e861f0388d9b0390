//! The programs of the tutorial, run against a real broker.

#![expect(clippy::unwrap_used, reason = "a failure fails the test")]

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use messaging::Topology;
use runtime::Lifecycle;
use service_testkit::{ServiceDouble, events};
use testkit::Vhost;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};
use vocabulary::ProductId;

/// The longest wait for a program; the first run may install a Python package.
const LONGEST_WAIT: Duration = Duration::from_mins(2);

/// The Python client that the scripts need.
const PIKA: &str = "pika==1.3.2";

/// An interpreter that can import the Python client.
struct Python(PathBuf);

impl Python {
    /// Finds an interpreter with the client, or makes a virtual environment that later runs use again.
    async fn find() -> Self {
        for interpreter in ["python3", "/usr/bin/python3"] {
            if imports_pika(interpreter.as_ref()).await {
                return Self(interpreter.into());
            }
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let lock = File::create(folder.join("python.lock")).unwrap();
        // One test at a time installs it.
        let _lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await.unwrap();
        let environment = folder.join("python");
        let interpreter = environment.join("bin/python3");
        if !imports_pika(&interpreter).await {
            let mut create = Command::new("python3");
            let created = succeeds(create.args(["-m", "venv"]).arg(environment)).await;
            assert!(created, "python3 with venv, or Debian's package python3-pika, is needed");
            let mut pip = Command::new(&interpreter);
            assert!(succeeds(pip.args(["-m", "pip", "install", PIKA])).await, "pip failed");
        }
        Self(interpreter)
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.0);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name));
        command
    }
}

async fn imports_pika(interpreter: &Path) -> bool {
    succeeds(Command::new(interpreter).args(["-c", "import pika"])).await
}

async fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}

/// A consumer that prints what it receives.
struct Consumer {
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Consumer {
    /// Starts a consumer, and returns once its queue is bound.
    async fn start(mut command: Command, vhost: &Vhost, exchange: &str, binding_key: &str) -> Self {
        command.args([exchange, binding_key]).env("AMQP_URL", vhost.url());
        let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut consumer = Self { lines, _process: process };
        assert_eq!(consumer.line().await, "waiting for events");
        consumer
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(LONGEST_WAIT, self.lines.next_line()).await;
        line.unwrap().unwrap().unwrap()
    }
}

fn rust(program: &str) -> Command {
    Command::new(match program {
        "producer" => env!("CARGO_BIN_EXE_producer"),
        _ => env!("CARGO_BIN_EXE_consumer"),
    })
}

async fn publish(mut producer: Command, vhost: &Vhost, text: &str) -> Output {
    producer.arg(text).env("AMQP_URL", vhost.url());
    tokio::time::timeout(LONGEST_WAIT, producer.output()).await.unwrap().unwrap()
}

#[tokio::test]
async fn both_consumers_receive_from_both_producers() {
    let (vhost, python) = (Vhost::create().await.unwrap(), Python::find().await);
    // Without a queue the broker returns the message. The exchange exists from here on.
    assert!(!publish(rust("producer"), &vhost, "nowhere").await.status.success());
    assert!(!publish(python.script("producer.py"), &vhost, "nowhere").await.status.success());

    let mut consumers = [
        Consumer::start(rust("consumer"), &vhost, "tutorial", "greeting.*").await,
        Consumer::start(python.script("consumer.py"), &vhost, "tutorial", "greeting.*").await,
    ];
    for (producer, text) in [(rust("producer"), "hello"), (python.script("producer.py"), "你好")]
    {
        let output = publish(producer, &vhost, text).await;
        assert_eq!(output.stdout, b"confirmed\n", "{output:?}");
        for consumer in &mut consumers {
            let line = consumer.line().await;
            assert!(line.starts_with("greeting.sent.v1 tutorial/world #1 "), "{line}");
            assert!(line.contains(text), "{line}");
        }
    }
}

#[tokio::test]
async fn both_consumers_decode_the_suites_batches() {
    let (vhost, python) = (Vhost::create().await.unwrap(), Python::find().await);
    let lifecycle = Lifecycle::new(Duration::from_secs(5));
    let _guard = lifecycle.hard().drop_guard();
    let catalogue =
        ServiceDouble::start(&lifecycle, &vhost, Topology::new("product-catalog")).await;
    let mut consumers = [
        Consumer::start(rust("consumer"), &vhost, "product-catalog", "product.*").await,
        Consumer::start(python.script("consumer.py"), &vhost, "product-catalog", "product.*").await,
    ];
    let product = ProductId::new();
    let versions = [1, 2, 3].map(|version| events::product_changed(product, version, &["K1"]));
    catalogue.publish_all(&versions).await;
    for consumer in &mut consumers {
        for number in 1..=3 {
            let line = consumer.line().await;
            let expected = format!("product.changed.v1 product-catalog/{product} #{number} ");
            assert!(line.starts_with(&expected), "{line}");
        }
    }
}
