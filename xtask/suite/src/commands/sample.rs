//! Loads the sample catalogue as the console does.

use std::time::{Duration, Instant};

use console::seed::{self, Progress, Seed, Seeded};
use reqwest::Url;
use runtime::auth::SigningKey;
use sample_catalogue::{DEFAULT_COUNT, DEFAULT_SEED, opening_stock, products};
use suite::{Error, Keys, State, output};

const TIMEOUT: Duration = Duration::from_mins(5);

/// Loads the sample catalogue and its opening stock, unless an earlier run did.
pub(super) async fn load(state: &State, keys: &Keys) -> Result<(), Error> {
    let began = Instant::now();
    let seed = Seed {
        product_catalog: url(state, "product-catalog")?,
        inventory: url(state, "inventory")?,
        search_sync: url(state, "search-sync")?,
        tls: None,
        count: DEFAULT_COUNT,
        seed: DEFAULT_SEED,
        deadline: TIMEOUT,
    };
    let key = SigningKey::read(&keys.token_key)?;
    let mut shown = String::new();
    let seeded = seed::run(&seed, &key, |progress| {
        let line = line(progress);
        if line != shown {
            output::line(&line);
            shown = line;
        }
    });
    match seeded.await? {
        Seeded::AlreadyThere => output::line("The sample catalogue is loaded."),
        Seeded::Filled { products, skus } => output::line(format!(
            "The sample catalogue is searchable: {} products, {} SKUs ({:.1} s).",
            output::number(products),
            output::number(skus),
            began.elapsed().as_secs_f64()
        )),
    }
    Ok(())
}

fn line(progress: Progress) -> String {
    let of = |done, total| format!("{} of {}", output::number(done), output::number(total));
    match progress {
        Progress::Waiting => "Waiting for the catalogue …".to_owned(),
        Progress::Importing { done, total } => format!("  imported {}", of(done, total)),
        Progress::Stocking { done, total } => format!("  stocked {}", of(done, total)),
        Progress::Indexing { done, total } => format!("  searchable {}", of(done, total)),
    }
}

fn url(state: &State, service: &str) -> Result<Url, Error> {
    let text = state.ports.url_of(service);
    let invalid =
        || Error::Variable { variable: "SHOP_PORT_BASE", value: text.clone(), expected: "a port" };
    text.parse().map_err(|_| invalid())
}

/// A SKU of the sample catalogue that is in stock.
pub(super) fn sku_in_stock() -> String {
    products(DEFAULT_SEED)
        .flat_map(|product| product.variants)
        .map(|variant| variant.sku)
        .find(|sku| opening_stock(sku) > 0)
        .unwrap_or_default()
}
