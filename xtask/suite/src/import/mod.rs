//! Imports products from a file through the public route.

mod file;
mod icecat;
mod upload;

use std::path::Path;

use crate::error::Error;

pub use self::{
    file::{NDJSON, body, content_type},
    upload::{Import, Upload, upload, wait_until_applied},
};

/// The products of a file as one body. The `prefix` before every SKU makes them new products for the shop.
pub fn with_prefix(path: &Path, prefix: &str) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    for line in file::lines(path).map_err(Error::file(path))? {
        let line = line.map_err(Error::file(path))?;
        if let Ok(mut product) = serde_json::from_slice::<serde_json::Value>(&line) {
            for variant in product["variants"].as_array_mut().into_iter().flatten() {
                variant["sku"] =
                    format!("{prefix}{}", variant["sku"].as_str().unwrap_or_default()).into();
            }
            body.extend(product.to_string().into_bytes());
            body.push(b'\n');
        }
    }
    Ok(body)
}
