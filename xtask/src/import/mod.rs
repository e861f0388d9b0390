//! Imports products from a file through the public route.

mod file;
mod icecat;
mod route;

use std::path::{Path, PathBuf};
use std::time::Instant;

use runtime::auth::Scope;

use crate::failure::Failure;
use crate::say;
use crate::suite::{Http, Keys, State};

pub(crate) use route::{upload, wait_until_applied};

/// What to import.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A file with one product in JSON on each line, plain (`.ndjson`) or packed (`.ndjson.gz`): as `POST /v1/products` takes
    /// it, or as the open Icecat catalogue has it.
    file: PathBuf,
}

/// The products of a file as one body, with `prefix` before every SKU: so that a shop that has them takes them for new ones.
pub(crate) fn renamed(path: &Path, prefix: &str) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    for line in file::lines(path).map_err(Failure::file(path))? {
        let line = line.map_err(Failure::file(path))?;
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

/// Imports a file and waits until all of it is searchable.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let state = State::running()?.ok_or(Failure::NotRunning)?;
    let http = Http::new()?;
    let token = Keys::in_suite().token("xtask", &[Scope::CatalogWrite])?;
    let began = Instant::now();
    let import = upload(&http, &state, &token, file::body(arguments.file)).await?;
    say::line(format!("Imported after {:.1} s.", began.elapsed().as_secs_f64()));
    wait_until_applied(&http, &state, &token, &import).await?;
    say::line(format!("Searchable after {:.1} s.", began.elapsed().as_secs_f64()));
    Ok(())
}
