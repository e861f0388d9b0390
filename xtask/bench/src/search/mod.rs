//! Search with many products: how fresh it is, and how it compares with its limits, PostgreSQL's COPY and the bare
//! Tantivy library, in the same run.
//!
//! It starts the catalogue and the search service with private servers on the disk. Nothing else subscribes, and no
//! product is in stock.

mod bare;
mod copy;
mod freshness;
mod products;
mod queries;
mod querying;
mod scale;
mod shop;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;
use suite::{
    Error as SuiteError, Figures,
    Target::{self, AtLeast, AtMost},
    median_ms, output, percentile_ms,
};
use tantivy::TantivyDocument;
use xtask::arguments::SearchBench;

use self::{
    freshness::Freshness,
    products::{Products, document, ndjson, raise_prices, sku},
    querying::{Overhead, Searches, Throughput},
    shop::Shop,
};
use crate::{
    error::Error,
    statistics::{as_figure, median, rate},
};

/// The number of products.
const PRODUCTS: usize = 100_000;

/// The number of products whose changes are timed during an import. The import leaves them out.
const PROBES: usize = 1_000;

/// How often the index is built by the service and by the bare library; the medians count.
const BUILDS: usize = 3;

/// Measures the services, or the index alone at several sizes.
pub(crate) async fn run(arguments: SearchBench) -> Result<(), Error> {
    if arguments.scale {
        return tokio::task::block_in_place(|| scale::run(&arguments));
    }
    let options = arguments.options;
    let count = arguments.products.unwrap_or(PRODUCTS);
    let mut figures = Figures::default();
    let mut products: Vec<Value> = Products::open(options.data.as_deref())?.take(count).collect();
    let shop = Shop::start().await?;
    shop::LIMITS.record(&mut figures);
    output::line(format!("search with {count} products, with goals:"));

    let import = shop.import(ndjson(&products)).await?;
    let imported = rate(import.accepted, import.elapsed);
    let began = Instant::now();
    shop.wait_until_searchable(&import).await?;
    let searchable = rate(import.accepted, import.elapsed + began.elapsed());
    let copied = copy::products_per_second(&shop.database, import.accepted).await?;
    figures.record("import_products_per_s", imported, Target::None);
    figures.record("import_searchable_per_s", searchable, Target::None);
    figures.record("copy_products_per_s", copied, Target::None);
    figures.record("import_over_copy", imported / copied, AtLeast(0.3));

    let step = (products.len() / PROBES).max(2);
    let probes: Vec<String> =
        products.iter().step_by(step).map(|product| sku(product).to_owned()).collect();
    let mut freshness = Freshness::of(&shop, &probes).await?;
    let mut quiet = freshness.quiet(&shop).await?;
    record_times(&mut figures, "visible", &mut quiet, (20.0, 80.0));
    for (number, product) in products.iter_mut().enumerate() {
        if number % step > 0 {
            raise_prices(product);
        }
    }
    let others = products.iter().enumerate().filter(|(number, _)| number % step > 0);
    let body = ndjson(others.map(|(_, product)| product));
    let began = Instant::now();
    let (updated, mut busy) = freshness.under_import(&shop, body).await?;
    let searchable = rate(updated.accepted, began.elapsed());
    figures.record("updates_searchable_per_s", searchable, Target::None);
    figures.record("visible_under_import_samples", as_figure(busy.len()), Target::None);
    record_times(&mut figures, "visible_under_import", &mut busy, (50.0, 250.0));

    let documents = bare::prepare(products.iter().enumerate().map(|(n, one)| document(n, one)))?;
    drop(products);
    let bare_folder = shop.folder().join("bare");
    record_builds(&mut figures, &shop, &documents, &bare_folder).await?;
    drop(documents);

    let index = tokio::task::block_in_place(|| bare::compact(&bare_folder))?;
    let queries = queries::mixed()?;
    let searches = Searches::new(shop.search_url())?;
    let Throughput { per_second, mut times } = searches.throughput(&queries).await?;
    figures.record("query_qps", per_second, Target::None);
    figures.record("query_p99_ms", percentile_ms(&mut times, 99), Target::None);
    let settings = eval::synonyms::seeded()?;
    let overhead = searches.overhead(&queries, &index, &settings).await?;
    let Overhead { service_ms, took_ms, bare_ms, difference_ms, answered } = overhead;
    figures.record("query_p50_ms", service_ms, Target::None);
    figures.record("query_took_p50_ms", took_ms, Target::None);
    figures.record("bare_query_p50_ms", bare_ms, Target::None);
    figures.record("query_overhead_p50_ms", service_ms - bare_ms, AtMost(0.5));
    figures.record("query_difference_p50_ms", difference_ms, Target::None);
    figures.record("queries_answered", as_figure(answered), Target::None);
    figures.record("search_sync_rss_mb", shop.search_rss_mb()?, Target::None);
    shop.stop().await?;
    Ok(figures.write(options.json.as_deref())?)
}

/// Records the median and the 99th percentile of times.
fn record_times(figures: &mut Figures, name: &str, times: &mut [Duration], goals: (f64, f64)) {
    figures.record(format!("{name}_p50_ms"), median_ms(times), AtMost(goals.0));
    figures.record(format!("{name}_p99_ms"), percentile_ms(times, 99), AtMost(goals.1));
}

/// Builds the index by the service and by the bare library, in turn.
async fn record_builds(
    figures: &mut Figures,
    shop: &Shop,
    documents: &[TantivyDocument],
    folder: &Path,
) -> Result<(), Error> {
    let (mut rebuilt, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..BUILDS {
        let elapsed = shop.rebuild().await?;
        let count = shop.index().await?["documents"].as_u64().unwrap_or_default();
        rebuilt.push(rate(count, elapsed));
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(SuiteError::file(folder))?;
        }
        suite::make_folder(folder)?;
        let elapsed = tokio::task::block_in_place(|| bare::build(folder, documents))?;
        bare.push(rate(u64::try_from(documents.len()).unwrap_or_default(), elapsed));
    }
    let (rebuilt, bare) = (median(rebuilt), median(bare));
    figures.record("rebuild_products_per_s", rebuilt, Target::None);
    figures.record("tantivy_products_per_s", bare, Target::None);
    figures.record("searchable_over_tantivy", rebuilt / bare, AtLeast(0.5));
    Ok(())
}

/// The resident memory of a process in megabytes, by its id or `self`.
fn resident_mb(process: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    let kilobytes = line.split_whitespace().nth(1).and_then(|text| text.parse::<f64>().ok());
    kilobytes.unwrap_or(f64::NAN) / 1024.0
}
