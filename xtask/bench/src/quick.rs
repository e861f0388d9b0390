//! The baseline of the running suite: start, memory, latencies and throughput as users see them.

use std::{fs, path::PathBuf, time::Instant};

use runtime::auth::Scope;
use suite::{
    CONSOLE, DEFAULT_LIMITS, Error as SuiteError, Figures, Http, Keys, SERVICES, State,
    Target::{AtLeast, AtMost},
    import, median_ms, output,
};
use uuid::Uuid;
use xtask::{
    arguments::BenchOptions,
    programs::{self, Profile},
};

use crate::{error::Error, load::Load, private_suite::record_limits};

/// Samples per latency.
const SAMPLES: u32 = 60;

/// The number of orders, and of concurrent buyers.
const ORDERS: (u32, usize) = (6_000, 160);

/// The number of batches of 100 events, and of concurrent senders.
const EVENT_BATCHES: (u32, usize) = (1_000, 16);

/// The number of generated products: as many as the real catalogue has.
const GENERATED: usize = 19_406;

/// The seed of the generated products.
const GENERATED_SEED: u64 = 7;

/// Measures the running suite.
pub(crate) async fn run(options: BenchOptions) -> Result<(), Error> {
    let state = State::running()?.ok_or(SuiteError::NotRunning)?;
    let keys = Keys::in_suite();
    let load = Load::new(state.clone(), &keys)?;
    let mut figures = Figures::default();
    record_limits(&mut figures, state.client_limits == DEFAULT_LIMITS);
    output::line("quick, with targets:");
    if let Some(ready) = state.ready_s {
        figures.record("ready_s", ready, AtMost(20.0));
    }
    figures.record("suite_rss_mb", resident_mb()?, AtMost(200.0));

    let run = Uuid::now_v7().simple().to_string();
    let skus: Vec<String> =
        (0..20).map(|number| format!("BENCH-{}-{number}", &run[20..])).collect();
    let product = load.create_product(&skus).await?;
    let mut visible = Vec::new();
    for _ in 0..SAMPLES {
        visible.push(load.visible_after(&product, &skus).await?);
    }
    figures.record("visible_p50_ms", median_ms(&mut visible), AtMost(60.0));
    let mut confirmed = load.confirmation_times(&skus, SAMPLES).await?;
    figures.record("confirm_p50_ms", median_ms(&mut confirmed), AtMost(60.0));
    let orders = load.orders_per_second(&skus, ORDERS.0, ORDERS.1).await?;
    figures.record("orders_confirmed_per_s", orders, AtLeast(500.0));
    let events = load.events_per_second(&product, EVENT_BATCHES.0, EVENT_BATCHES.1).await?;
    figures.record("events_per_s", events, AtLeast(10_000.0));
    load.delete_product(&product).await?;
    let catalogue = catalogue_searchable(&options, &state, &keys).await?;
    figures.record("catalogue_searchable_s", catalogue, AtMost(20.0));
    Ok(figures.write(options.json.as_deref())?)
}

/// The memory of the idle suite: the sum of the resident sets of its programs, in megabytes.
fn resident_mb() -> Result<f64, Error> {
    let programs: Vec<PathBuf> = SERVICES
        .into_iter()
        .chain([CONSOLE])
        .map(|service| programs::path(service.name, Profile::Release))
        .collect();
    let mut kilobytes = 0.0;
    for entry in fs::read_dir("/proc").map_err(SuiteError::file("/proc"))?.flatten() {
        let Ok(status) = fs::read_to_string(entry.path().join("status")) else { continue };
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1).map(ToOwned::to_owned)
        };
        let exe = fs::read_link(entry.path().join("exe"));
        let is_ours = exe.is_ok_and(|exe| programs.contains(&exe));
        if is_ours {
            kilobytes +=
                field("VmRSS:").and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
        }
    }
    Ok(kilobytes / 1024.0)
}

/// Imports a whole catalogue under new SKUs: the seconds until all of it is searchable.
async fn catalogue_searchable(
    options: &BenchOptions,
    state: &State,
    keys: &Keys,
) -> Result<f64, Error> {
    let http = Http::new()?;
    let token = keys.token("bench", &[Scope::CatalogWrite])?;
    let prefix = format!("B{}-", &Uuid::now_v7().simple().to_string()[24..]);
    let body = match &options.data {
        Some(folder) => import::with_prefix(&folder.join("icecat-products.ndjson.gz"), &prefix)?,
        None => generated(&prefix)?,
    };
    let began = Instant::now();
    let imported = import::upload(&http, state, &token, reqwest::Body::from(body)).await?;
    import::wait_until_applied(&http, state, &token, &imported).await?;
    Ok(began.elapsed().as_secs_f64())
}

/// Products of the sample catalogue's generator.
fn generated(prefix: &str) -> Result<Vec<u8>, Error> {
    let products = sample_catalogue::products(GENERATED_SEED).take(GENERATED).map(|mut product| {
        for variant in &mut product.variants {
            variant.sku.insert_str(0, prefix);
        }
        product
    });
    let mut body = Vec::new();
    sample_catalogue::write_ndjson(&mut body, products)
        .map_err(SuiteError::file("generated products"))?;
    Ok(body)
}
