//! Rebuilds the copy of the catalogue from a snapshot of the catalogue.

use std::{sync::Arc, time::Duration};

use contracts::catalog::PRODUCT;
use messaging::{
    Cause, Outbox, Topology,
    replay::{self, Mode, Projection, ReplayError, ReplayReport, SnapshotSource, Table},
    snapshot::Page,
};
use reqwest::Url;
use tls::{
    ClientTls,
    http::{HttpClient, Timeouts, read_success},
};

use crate::names::PRODUCT_CATALOG;

/// The name of the projection.
pub(crate) const OFFERS: &str = "offers";

/// The limit for a connection to the catalogue, and for a pause within its response.
const HTTP_TIMEOUT: Duration = Duration::from_secs(10);

/// Shorter than the time after which the catalogue closes an idle connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Replays the catalogue into the tables of offers. Clones share the same connections.
#[derive(Debug, Clone)]
pub(crate) struct OfferReplayer {
    outbox: Outbox,
    amqp_url: Arc<str>,
    topology: Topology,
    catalogue: Url,
    client: HttpClient,
}

impl OfferReplayer {
    /// `catalogue` is the base address of product-catalog, which `tls` trusts.
    pub(crate) fn new(
        outbox: Outbox,
        amqp_url: &str,
        topology: Topology,
        catalogue: Url,
        tls: Option<ClientTls>,
    ) -> Self {
        let (connect, read, idle) = (HTTP_TIMEOUT, Some(HTTP_TIMEOUT), IDLE_TIMEOUT);
        let client = HttpClient::new(tls, Timeouts { connect, read, idle });
        Self { outbox, amqp_url: amqp_url.into(), topology, catalogue, client }
    }

    pub(crate) async fn replay(&self, mode: Mode) -> Result<ReplayReport, ReplayError> {
        let projection = Projection::new(OFFERS)
            .table(Table::new("product"))
            // Offers that are not for sale any more are kept for open orders; the snapshot does not contain them.
            .table(Table::new("offer").allow_live_only("not for_sale"));
        let (client, url) = (self.client.clone(), self.snapshot_url());
        let catalogue = SnapshotSource::new(PRODUCT, PRODUCT_CATALOG, move |after| {
            read_page(client.clone(), url.clone(), after)
        });
        let sources = vec![catalogue];
        replay::from_snapshots(
            &self.outbox,
            &self.amqp_url,
            &self.topology,
            &projection,
            sources,
            mode,
        )
        .await
    }

    fn snapshot_url(&self) -> Url {
        let mut url = self.catalogue.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/v1/snapshots/product"));
        url
    }
}

async fn read_page(client: HttpClient, mut url: Url, after: Option<String>) -> Result<Page, Cause> {
    if let Some(after) = after {
        url.query_pairs_mut().append_pair("after", &after);
    }
    let answer = client.get(url.as_str()).await?;
    Ok(serde_json::from_slice(&read_success(answer).await?)?)
}
