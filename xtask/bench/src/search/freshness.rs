//! How soon a search shows a change.

use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use super::shop::{Imported, Shop};
use crate::error::Error;

/// The number of changes with nothing else going on.
const SAMPLES: usize = 300;

/// The pause between two changes.
const PAUSE: Duration = Duration::from_millis(20);

/// Timeout until a change is visible.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest wait of one search, in milliseconds.
const WAIT_MS: &str = "10000";

/// A product that is changed.
pub(super) struct Probe {
    id: String,
    sku: String,
}

/// Changes products and searches for them.
pub(super) struct Freshness {
    client: Client,
    probes: Vec<Probe>,
    next: usize,
}

impl Freshness {
    /// Finds the products with these SKUs.
    pub(super) async fn of(shop: &Shop, skus: &[String]) -> Result<Self, Error> {
        let found: Vec<(Uuid, String)> =
            sqlx::query_as("select product_id, sku from variant where sku = any($1) order by sku")
                .bind(skus)
                .fetch_all(&shop.database)
                .await?;
        let probe = |(id, sku): (Uuid, String)| Probe { id: id.to_string(), sku };
        let client = Client::builder().no_proxy().build();
        let client = client.map_err(suite::Error::unreachable("the HTTP client"))?;
        Ok(Self { client, probes: found.into_iter().map(probe).collect(), next: 0 })
    }

    /// With nothing else going on.
    pub(super) async fn quiet(&mut self, shop: &Shop) -> Result<Vec<Duration>, Error> {
        let mut times = Vec::new();
        for _ in 0..SAMPLES {
            times.push(self.visible_after(shop).await?);
            sleep(PAUSE).await;
        }
        Ok(times)
    }

    /// From the first byte of an import until all of it is searchable.
    pub(super) async fn under_import(
        &mut self,
        shop: &Shop,
        body: Vec<u8>,
    ) -> Result<(Imported, Vec<Duration>), Error> {
        let import = async {
            let import = shop.import(body).await?;
            shop.wait_until_searchable(&import).await?;
            Ok::<_, Error>(import)
        };
        tokio::pin!(import);
        let mut times = Vec::new();
        loop {
            tokio::select! {
                import = &mut import => return Ok((import?, times)),
                time = self.visible_after(shop) => times.push(time?),
            }
            tokio::select! {
                import = &mut import => return Ok((import?, times)),
                () = sleep(PAUSE) => {}
            }
        }
    }

    /// The time from the answer to a change of a title until a search shows the new one. Each change is of another
    /// product, until all had one.
    async fn visible_after(&mut self, shop: &Shop) -> Result<Duration, Error> {
        let probe = &self.probes[self.next % self.probes.len()];
        self.next += 1;
        let title = format!("基准测试 {}", Uuid::now_v7().simple());
        let changed = shop.patch(&probe.id, &json!({ "title": { "zh": title } })).await?;
        let version = changed["version"].to_string();
        let began = Instant::now();
        // The service answers as soon as its index has the version. What counts is the title in the hit.
        let parameters = [
            ("q", probe.sku.as_str()),
            ("limit", "5"),
            ("product_id", &probe.id),
            ("min_version", &version),
            ("wait_ms", WAIT_MS),
        ];
        let url = shop.search_url();
        while began.elapsed() < TIMEOUT {
            let request = self.client.get(&url).query(&parameters);
            let found: Value = suite::answer(&url, request).await?.success()?.json()?;
            let mut hits = found["items"].as_array().into_iter().flatten();
            if hits.any(|hit| hit["product_id"] == *probe.id && hit["title"]["zh"] == title) {
                return Ok(began.elapsed());
            }
        }
        Err(Error::Timeout("a search shows the change"))
    }
}
