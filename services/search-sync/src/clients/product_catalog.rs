//! Reads products from the HTTP API of product-catalog, to compare the index with it and to repair the index
//! from it.

use std::{collections::BTreeMap, io, time::Duration};

use futures::{Stream, StreamExt as _, TryStreamExt as _};
use http::{Response, StatusCode, header::RETRY_AFTER};
use http_body_util::BodyExt as _;
use messaging::snapshot::Page;
use reqwest::Url;
use serde::Deserialize;
use tls::{
    ClientTls,
    http::{HttpClient, HttpError, ResponseBody, Timeouts},
};
use tokio_util::{
    codec::{FramedRead, LinesCodec, LinesCodecError},
    io::StreamReader,
};
use vocabulary::{Localized, Money, ProductId, Sku, Version};

use crate::{
    domain::{self, CatalogProduct, ProductContent},
    json,
};

/// The limit for connecting, and for each read of a response.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Shorter than the time after which the catalogue closes an idle connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a request is sent if the catalogue has too many.
const MAX_ATTEMPTS: u32 = 10;

/// The maximum line length of an export, in bytes; a product has at most 256 KiB.
const LINE_MAX: usize = 1024 * 1024;

/// The product catalogue. Clones share their connections.
#[derive(Debug, Clone)]
pub(crate) struct CatalogClient {
    client: HttpClient,
    base: Url,
}

/// Why the catalogue could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogError {
    #[error("the catalogue cannot be reached")]
    Unreachable(#[from] HttpError),
    #[error("the catalogue answered {0}")]
    Status(StatusCode),
    #[error("the catalogue asks for a token; PRODUCT_CATALOG_URL must be its INTERNAL_ADDR")]
    NotInternal,
    /// The connection broke, or a line is too long.
    #[error("the export of the catalogue cannot be read")]
    Export(#[source] LinesCodecError),
    #[error("an answer of the catalogue cannot be decoded")]
    Decode(#[source] serde_json::Error),
}

/// The part of a product response that search needs.
#[derive(Debug, Deserialize)]
struct Product {
    id: ProductId,
    version: Version,
    status: Status,
    title: Localized,
    #[serde(default)]
    description: Localized,
    #[serde(default)]
    brand: Option<String>,
    #[serde(default)]
    category: String,
    #[serde(default)]
    attributes: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    variants: Vec<Variant>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Draft,
    Active,
    Archived,
    Deleted,
}

#[derive(Debug, Deserialize)]
struct Variant {
    sku: Sku,
    #[serde(default)]
    options: BTreeMap<String, String>,
    price: Money,
    #[serde(default)]
    barcode: Option<String>,
}

impl From<Product> for CatalogProduct {
    fn from(product: Product) -> Self {
        let variant = |one: Variant| {
            let Variant { sku, options, price, barcode } = one;
            domain::Variant { sku, options, price, barcode }
        };
        let content = ProductContent {
            title: product.title,
            description: product.description,
            brand: product.brand,
            category: product.category,
            attributes: json::attributes(&product.attributes),
            variants: product.variants.into_iter().map(variant).collect(),
        };
        let status = match product.status {
            Status::Draft => domain::ProductStatus::Draft,
            Status::Active => domain::ProductStatus::Active,
            Status::Archived => domain::ProductStatus::Archived,
            Status::Deleted => domain::ProductStatus::Deleted,
        };
        Self { product_id: product.id, version: product.version, status, content: Some(content) }
    }
}

impl CatalogClient {
    /// A client for the catalogue at `base`, which `tls` trusts.
    pub(crate) fn new(base: Url, tls: Option<ClientTls>) -> Self {
        let timeouts = Timeouts { connect: TIMEOUT, read: Some(TIMEOUT), idle: IDLE_TIMEOUT };
        Self { client: HttpClient::new(tls, timeouts), base }
    }

    /// Streams all products, in the order of their creation.
    pub(crate) async fn export(
        &self,
    ) -> Result<impl Stream<Item = Result<CatalogProduct, CatalogError>> + use<>, CatalogError>
    {
        let response = self.get("v1/export").await?;
        if response.status() != StatusCode::OK {
            return Err(refusal(response.status()));
        }
        let bytes = response.into_body().into_data_stream().map_err(io::Error::other);
        let bytes = StreamReader::new(bytes.boxed());
        let lines = FramedRead::new(bytes, LinesCodec::new_with_max_length(LINE_MAX));
        Ok(lines.map(|line| decode(line.map_err(CatalogError::Export)?.as_bytes())))
    }

    /// One product; `None` if it does not exist or is deleted.
    pub(crate) async fn product(
        &self,
        id: ProductId,
    ) -> Result<Option<CatalogProduct>, CatalogError> {
        let response = self.get(&format!("v1/products/{id}")).await?;
        match response.status() {
            StatusCode::OK => {
                let body = response.into_body().collect().await?.to_bytes();
                decode(&body).map(Some)
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(refusal(status)),
        }
    }

    /// A page of the snapshot of synonyms and rules.
    pub(crate) async fn search_snapshot(&self, after: Option<&str>) -> Result<Page, CatalogError> {
        let after = after.map(|after| format!("?after={after}")).unwrap_or_default();
        let response = self.get(&format!("v1/snapshots/search{after}")).await?;
        if response.status() != StatusCode::OK {
            return Err(refusal(response.status()));
        }
        let body = response.into_body().collect().await?.to_bytes();
        serde_json::from_slice(&body).map_err(CatalogError::Decode)
    }

    async fn get(&self, path: &str) -> Result<Response<ResponseBody>, CatalogError> {
        let url = format!("{}/{path}", self.base.as_str().trim_end_matches('/'));
        let mut attempts = 1..MAX_ATTEMPTS;
        loop {
            let response = self.client.get(&url).await?;
            // A repair reads many products, and the catalogue bounds the requests of one client.
            if response.status() == StatusCode::TOO_MANY_REQUESTS && attempts.next().is_some() {
                tokio::time::sleep(retry_after(&response)).await;
            } else {
                return Ok(response);
            }
        }
    }
}

fn refusal(status: StatusCode) -> CatalogError {
    match status {
        StatusCode::UNAUTHORIZED => CatalogError::NotInternal,
        status => CatalogError::Status(status),
    }
}

/// What the response asks for, within bounds.
fn retry_after(response: &Response<ResponseBody>) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let seconds = seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(1);
    Duration::from_secs(seconds).min(TIMEOUT)
}

fn decode(json: &[u8]) -> Result<CatalogProduct, CatalogError> {
    let product: Product = serde_json::from_slice(json).map_err(CatalogError::Decode)?;
    Ok(product.into())
}
