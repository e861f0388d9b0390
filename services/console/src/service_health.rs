//! How the services are: each is asked for `/health/ready` every few moments, while somebody looks.

use std::convert::Infallible;
use std::time::Duration;

use futures::future::join_all;
use reqwest::{StatusCode, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::config::{Services, under};
use crate::ops::Watching;

/// The pause between two questions.
const EVERY: Duration = Duration::from_secs(2);
/// How long a service may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How much is told of why a service is not ready, in characters.
const DETAIL: usize = 300;

/// How a service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceHealth {
    name: &'static str,
    status: HealthStatus,
    /// Why it is not ready, in its own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Whether a service does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// It does.
    Ready,
    /// It says that it cannot.
    NotReady,
    /// It does not answer.
    Away,
}

/// What `/health/ready` answers; more may be in it.
#[derive(Default, Deserialize)]
struct Readiness {
    #[serde(default)]
    components: serde_json::Map<String, Value>,
}

/// Asks for as long as the process lives.
pub async fn run(
    services: Services,
    client: reqwest::Client,
    watching: Watching,
    stopping: CancellationToken,
) -> Result<(), Infallible> {
    let asking = async {
        loop {
            watching.somebody().await;
            let asked = services.each().map(|(name, base)| ask(&client, name, base));
            watching.services(join_all(asked).await);
            tokio::time::sleep(EVERY).await;
        }
    };
    stopping.run_until_cancelled(asking).await;
    Ok(())
}

async fn ask(client: &reqwest::Client, name: &'static str, base: &Url) -> ServiceHealth {
    match client.get(under(base, "/health/ready")).timeout(ANSWER).send().await {
        Ok(answer) if answer.status() == StatusCode::OK => {
            ServiceHealth { name, status: HealthStatus::Ready, detail: None }
        }
        Ok(answer) => {
            let status = answer.status();
            let readiness: Readiness = answer.json().await.unwrap_or_default();
            let reason = reasons(&readiness).unwrap_or_else(|| status.to_string());
            ServiceHealth { name, status: HealthStatus::NotReady, detail: Some(reason) }
        }
        Err(error) => {
            tracing::debug!(service = name, error = problem::chain(&error), "health not known");
            ServiceHealth { name, status: HealthStatus::Away, detail: None }
        }
    }
}

/// The components that are down, with their reasons.
fn reasons(readiness: &Readiness) -> Option<String> {
    let down = readiness.components.iter().filter(|(_, component)| component["status"] != "up");
    let said: Vec<String> = down
        .map(|(name, component)| match component["reason"].as_str() {
            Some(reason) => format!("{name}: {reason}"),
            None => name.clone(),
        })
        .collect();
    (!said.is_empty()).then(|| said.join("; ").chars().take(DETAIL).collect())
}

#[cfg(test)]
mod tests {
    use super::{Readiness, reasons};

    #[test]
    fn a_service_says_itself_what_it_lacks() {
        let answer = r#"{"status":"down","components":{"broker":{"status":"down","reason":"refused"},"database":{"status":"up"}}}"#;
        let readiness: Readiness = serde_json::from_str(answer).unwrap();
        assert_eq!(reasons(&readiness).as_deref(), Some("broker: refused"));
        assert_eq!(reasons(&Readiness::default()), None);
    }
}
