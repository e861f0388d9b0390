//! The dead letters of all services, merged.
//!
//! Each service stores its own dead letters and has its own routes for them. The requests carry the operator's own token, so
//! that the console can do nothing that its caller could not.

use std::{cmp::Reverse, time::Duration};

use axum::http::HeaderValue;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::service_client::ServiceClient;

/// The route of the dead letters in every service.
pub(crate) const SERVICE_ROUTE: &str = "/v1/dead-letters";
const TIMEOUT: Duration = Duration::from_secs(3);

/// Reads the dead letters of all services. Clones share connections.
#[derive(Clone)]
pub(crate) struct DeadLetters {
    client: ServiceClient,
}

/// The dead letters of all services, newest first.
pub(crate) struct MergedDeadLetters {
    /// The pending dead letters of each service; `None` if it did not answer.
    pub(crate) pending: Vec<(&'static str, Option<i64>)>,
    /// Each as its service shows it, with the name of its `service` added.
    pub(crate) items: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
struct DeadLetterPage {
    items: Vec<Map<String, Value>>,
    pending: i64,
}

#[derive(Deserialize)]
struct GroupPage {
    items: Vec<Map<String, Value>>,
}

impl DeadLetters {
    pub(crate) fn new(client: ServiceClient) -> DeadLetters {
        DeadLetters { client }
    }

    /// At most `limit` dead letters; only pending ones unless `all`.
    pub(crate) async fn list(
        &self,
        limit: usize,
        all: bool,
        token: Option<&HeaderValue>,
    ) -> MergedDeadLetters {
        let query = format!("limit={limit}&all={all}");
        let pages: Vec<(_, Option<DeadLetterPage>)> =
            self.client.get_json_from_all(SERVICE_ROUTE, Some(&query), token, TIMEOUT).await;
        let (mut pending, mut items) = (Vec::new(), Vec::new());
        for (service, page) in pages {
            pending.push((service, page.as_ref().map(|page| page.pending)));
            items.extend(with_service(service, page.map(|page| page.items)));
        }
        // All timestamps have the same format and are in UTC, so they sort as text.
        items.sort_by_key(|item| Reverse(item.get("died_at").map(Value::to_string)));
        items.truncate(limit);
        MergedDeadLetters { pending, items }
    }

    /// The groups of all services, the largest first, each with the name of its `service` added.
    pub(crate) async fn groups(&self, token: Option<&HeaderValue>) -> Vec<Map<String, Value>> {
        let path = format!("{SERVICE_ROUTE}/groups");
        let pages: Vec<(_, Option<GroupPage>)> =
            self.client.get_json_from_all(&path, None, token, TIMEOUT).await;
        let pages = pages.into_iter();
        let mut items: Vec<_> = pages
            .flat_map(|(service, page)| with_service(service, page.map(|page| page.items)))
            .collect();
        items.sort_by_key(|group| Reverse(group.get("count").and_then(Value::as_i64)));
        items
    }
}

fn with_service(
    service: &'static str,
    items: Option<Vec<Map<String, Value>>>,
) -> impl Iterator<Item = Map<String, Value>> {
    items.into_iter().flatten().map(move |mut item| {
        item.insert("service".to_owned(), service.into());
        item
    })
}
