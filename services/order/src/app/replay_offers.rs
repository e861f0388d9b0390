//! Rebuilds the copy of the catalogue from a snapshot of the catalogue.

use std::{sync::Arc, time::Duration};

use contracts::catalog::PRODUCT;
use messaging::{
    Cause, Outbox, Topology,
    replay::{self, Mode, Projection, ReplayError, ReplayReport, SnapshotSource, Table},
    snapshot::Page,
};
use reqwest::{Client, Url};

use crate::names::PRODUCT_CATALOG;

/// The name of the projection.
pub(crate) const OFFERS: &str = "offers";

/// The limit for a connection to the catalogue, and for a pause within its response.
const HTTP_TIMEOUT: Duration = Duration::from_secs(10);

/// Replays the catalogue into the tables of offers. Clones share the same connections.
#[derive(Debug, Clone)]
pub(crate) struct OfferReplayer {
    outbox: Outbox,
    amqp_url: Arc<str>,
    topology: Topology,
    catalogue: Url,
    client: Client,
}

impl OfferReplayer {
    /// `catalogue` is the base address of product-catalog.
    pub(crate) fn new(
        outbox: Outbox,
        amqp_url: &str,
        topology: Topology,
        catalogue: Url,
    ) -> Result<Self, reqwest::Error> {
        let client =
            Client::builder().connect_timeout(HTTP_TIMEOUT).read_timeout(HTTP_TIMEOUT).build()?;
        Ok(Self { outbox, amqp_url: amqp_url.into(), topology, catalogue, client })
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

async fn read_page(client: Client, url: Url, after: Option<String>) -> Result<Page, Cause> {
    let mut request = client.get(url);
    if let Some(after) = after {
        request = request.query(&[("after", after)]);
    }
    Ok(request.send().await?.error_for_status()?.json().await?)
}
