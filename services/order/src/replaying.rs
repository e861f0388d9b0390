//! Building the copy of the catalogue again, from what the catalogue has.

use std::{sync::Arc, time::Duration};

use contracts::catalog::PRODUCT;
use messaging::{
    Cause, Kit, Topology,
    replay::{self, Mode, Owner, Projection, ReplayError, Report, Table},
    snapshot::Page,
};
use reqwest::{Client, Url};

use crate::PRODUCT_CATALOG;

/// What can be built again.
pub(crate) const OFFERS: &str = "offers";

/// How long the catalogue may take to accept a connection, and between two pieces of an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Replays of what the catalogue said. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Replays {
    kit: Kit,
    amqp_url: Arc<str>,
    topology: Topology,
    catalogue: Url,
    client: Client,
}

impl Replays {
    /// Replays into the database of `kit`, from the catalogue that answers at `catalogue`.
    pub(crate) fn new(
        kit: Kit,
        amqp_url: &str,
        topology: Topology,
        catalogue: Url,
    ) -> Result<Self, reqwest::Error> {
        let client = Client::builder().connect_timeout(PATIENCE).read_timeout(PATIENCE).build()?;
        Ok(Self { kit, amqp_url: amqp_url.into(), topology, catalogue, client })
    }

    /// Builds the copy of the catalogue again.
    pub(crate) async fn offers(&self, mode: Mode) -> Result<Report, ReplayError> {
        let projection = Projection::of(OFFERS)
            .table(Table::of("product"))
            // What a product listed once is kept for orders under way; the catalogue does not tell it any more.
            .table(Table::of("offer").outliving("not for_sale"));
        let (client, url) = (self.client.clone(), self.snapshot());
        let catalogue = Owner::of(PRODUCT, PRODUCT_CATALOG, move |after| {
            read_page(client.clone(), url.clone(), after)
        });
        let owners = vec![catalogue];
        replay::from_owners(&self.kit, &self.amqp_url, &self.topology, &projection, owners, mode)
            .await
    }

    fn snapshot(&self) -> Url {
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
