//! The catalogue as it answers over HTTP: what the index is compared with, and repaired from.

use std::{io, time::Duration};

use futures::{Stream, StreamExt as _, TryStreamExt as _};
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use tokio_util::{
    codec::{FramedRead, LinesCodec, LinesCodecError},
    io::StreamReader,
};
use vocabulary::{ProductId, Version};

use crate::domain::{Content, Listing, State};

/// How long the catalogue may take to accept a connection, and between two pieces of an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest line of an export, in bytes: a product is at most a quarter of a megabyte.
const LINE: usize = 1024 * 1024;

/// The catalogue of the shop. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Catalogue {
    client: Client,
    base: Url,
}

/// Why the catalogue could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// It does not answer, or broke off.
    #[error("the catalogue cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// It answers something else than a product.
    #[error("the catalogue answers {0}")]
    Status(StatusCode),
    /// The export broke off, or has a line too long to be a product.
    #[error("the export of the catalogue cannot be read")]
    Export(#[source] LinesCodecError),
    /// What it answers is no product.
    #[error("a product of the catalogue cannot be read")]
    Product(#[source] serde_json::Error),
}

/// A product as the catalogue answers it, as far as it is of use here.
#[derive(Debug, Deserialize)]
struct Product {
    id: ProductId,
    version: Version,
    status: State,
    #[serde(flatten)]
    content: Content,
}

impl From<Product> for Listing {
    fn from(product: Product) -> Self {
        let Product { id: product_id, version, status: state, content } = product;
        Self { product_id, version, state, content: Some(content) }
    }
}

impl Catalogue {
    /// The catalogue at `base`.
    pub fn at(base: Url) -> Result<Self, CatalogueError> {
        let client = Client::builder().connect_timeout(PATIENCE).read_timeout(PATIENCE).build();
        Ok(Self { client: client.map_err(CatalogueError::Unreachable)?, base })
    }

    /// All products, in the order in which they were made.
    pub async fn export(
        &self,
    ) -> Result<impl Stream<Item = Result<Listing, CatalogueError>> + use<>, CatalogueError> {
        let response = self.get("v1/export").await?;
        if response.status() != StatusCode::OK {
            return Err(CatalogueError::Status(response.status()));
        }
        let bytes = StreamReader::new(response.bytes_stream().map_err(io::Error::other).boxed());
        let lines = FramedRead::new(bytes, LinesCodec::new_with_max_length(LINE));
        Ok(lines.map(|line| listing(line.map_err(CatalogueError::Export)?.as_bytes())))
    }

    /// One product; `None` where there is none, or no more.
    pub async fn product(&self, id: ProductId) -> Result<Option<Listing>, CatalogueError> {
        let response = self.get(&format!("v1/products/{id}")).await?;
        match response.status() {
            StatusCode::OK => {
                let body = response.bytes().await.map_err(CatalogueError::Unreachable)?;
                listing(&body).map(Some)
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(CatalogueError::Status(status)),
        }
    }

    async fn get(&self, path: &str) -> Result<reqwest::Response, CatalogueError> {
        let mut url = self.base.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{path}"));
        self.client.get(url).send().await.map_err(CatalogueError::Unreachable)
    }
}

fn listing(json: &[u8]) -> Result<Listing, CatalogueError> {
    let product: Product = serde_json::from_slice(json).map_err(CatalogueError::Product)?;
    Ok(product.into())
}
