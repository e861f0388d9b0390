//! Logs on standard error, and metrics for Prometheus.

use std::{sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, filter::ParseError, util::TryInitError};

/// The log filter without `RUST_LOG`. lapin logs each channel that the broker closes as an error, also where a service expects it and
/// continues. The services log the errors that matter.
const DEFAULT_FILTER: &str = "info,lapin=off,sqlx=warn";

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// Human-readable lines.
    #[default]
    Pretty,
    /// One JSON object per line.
    Json,
}

/// Logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("RUST_LOG is not a filter such as `info,sqlx=warn`")]
    Filter(#[source] ParseError),
    #[error("logging has already started")]
    Begun(#[source] TryInitError),
}

/// Starts logging, panics included. Once per process.
pub fn init(format: LogFormat) -> Result<(), TelemetryError> {
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;

    let directives = std::env::var("RUST_LOG").ok().filter(|directives| !directives.is_empty());
    let filter = EnvFilter::try_new(directives.as_deref().unwrap_or(DEFAULT_FILTER))
        .map_err(TelemetryError::Filter)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Pretty => registry.with(lines).try_init(),
        LogFormat::Json => {
            registry.with(lines.json().flatten_event(true).with_span_list(false)).try_init()
        }
    }
    .map_err(TelemetryError::Begun)?;
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let location = panic.location().map(ToString::to_string);
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!(message, location, %backtrace, "panic");
    }));
    Ok(())
}

static PROMETHEUS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Buckets from half a millisecond to a minute, for names that end in `_seconds`.
const SECONDS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];

/// Buckets from 1 to 16,384 for all other histograms, such as batch sizes.
const COUNTS: [f64; 15] = [
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0,
    16384.0,
];

/// The metrics of the process. The first call installs the recorder.
pub fn metrics() -> Metrics {
    Metrics(PROMETHEUS.get_or_init(begin_recording))
}

fn begin_recording() -> PrometheusHandle {
    let builder = PrometheusBuilder::new();
    // Setting buckets fails only for an empty list.
    let recorder = builder
        .set_buckets(&COUNTS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        })
        .unwrap_or_default()
        .build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is installed; /metrics stays empty");
    }
    handle
}

/// How often [`Metrics::upkeep`] folds samples into histograms, so that memory stays bounded without a scraper.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The metrics of the process.
#[derive(Clone, Copy)]
pub struct Metrics(&'static PrometheusHandle);

impl Metrics {
    /// Renders all metrics in Prometheus's text format.
    pub fn render(self) -> String {
        self.0.render()
    }

    /// Keeps the memory of the metrics bounded; runs until dropped.
    pub async fn upkeep(self) {
        let mut ticks = tokio::time::interval(UPKEEP_EVERY);
        loop {
            ticks.tick().await;
            self.0.run_upkeep();
        }
    }
}
