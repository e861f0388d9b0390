//! Polls `GET /health/ready` of every service.

use std::{convert::Infallible, time::Duration};

use axum::http::StatusCode;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::{
    service_client::{ServiceClient, ServiceError},
    status::{HealthStatus, ServiceHealth},
    viewers::Viewers,
};

const POLL_INTERVAL: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(2);
/// The maximum length of the reason, in characters.
const MAX_DETAIL: usize = 300;

/// The part of the response of `/health/ready` that is used here.
#[derive(Default, Deserialize)]
struct Readiness {
    #[serde(default)]
    status: String,
    #[serde(default)]
    components: Map<String, Value>,
}

/// Polls until `stopping` is cancelled.
pub(crate) async fn run(
    client: ServiceClient,
    viewers: Viewers,
    stopping: CancellationToken,
) -> Result<(), Infallible> {
    let polling = async {
        loop {
            viewers.wait_for_one().await;
            let responses = client.get_from_all("/health/ready", TIMEOUT).await.into_iter();
            let services = responses.map(|(name, response)| health_of(name, response));
            viewers.set_services(services.collect());
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    stopping.run_until_cancelled(polling).await;
    Ok(())
}

fn health_of(
    name: &'static str,
    response: Result<(StatusCode, Bytes), ServiceError>,
) -> ServiceHealth {
    match response {
        Ok((code, body)) => {
            let readiness: Readiness = serde_json::from_slice(&body).unwrap_or_default();
            let (status, detail) = match (code, readiness.status.as_str()) {
                (StatusCode::OK, "degraded") => (HealthStatus::Degraded, reasons(&readiness)),
                (StatusCode::OK, _) => (HealthStatus::Ready, None),
                _ => {
                    let reason = reasons(&readiness).unwrap_or_else(|| code.to_string());
                    (HealthStatus::NotReady, Some(reason))
                }
            };
            ServiceHealth { name, status, detail }
        }
        Err(error) => {
            tracing::debug!(service = name, error = problem::chain(&error), "service unreachable");
            ServiceHealth { name, status: HealthStatus::Unreachable, detail: None }
        }
    }
}

/// The components that are not up, with their reasons.
fn reasons(readiness: &Readiness) -> Option<String> {
    let failed = readiness.components.iter().filter(|(_, component)| component["status"] != "up");
    let reasons: Vec<String> = failed
        .map(|(name, component)| match component["reason"].as_str() {
            Some(reason) => format!("{name}: {reason}"),
            None => name.clone(),
        })
        .collect();
    (!reasons.is_empty()).then(|| reasons.join("; ").chars().take(MAX_DETAIL).collect())
}

#[cfg(test)]
mod tests {
    use super::{Readiness, reasons};

    #[test]
    fn reasons_name_the_components_that_are_not_up() {
        let body = r#"{"status":"down","components":{"broker":{"status":"down","reason":"refused"},"database":{"status":"up"}}}"#;
        let readiness: Readiness = serde_json::from_str(body).unwrap();
        assert_eq!(reasons(&readiness).as_deref(), Some("broker: refused"));
        assert_eq!(reasons(&Readiness::default()), None);
    }
}
