//! The baseline: what a person who runs the suite feels of it.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use runtime::auth::Scope;
use uuid::Uuid;

use super::{
    Options,
    figures::{
        Figures,
        Goal::{AtLeast, AtMost},
        median_ms,
    },
    load::Load,
};
use crate::failure::Failure;
use crate::suite::{CONSOLE, Http, Keys, SERVICES, State};
use crate::{import, say, workspace};

/// How often a latency is measured.
const SAMPLES: usize = 60;

/// How many orders, and how many buyers at once.
const ORDERS: (u32, usize) = (6_000, 160);

/// How many batches of a hundred events, and how many senders at once.
const EVENT_BATCHES: (u32, usize) = (1_000, 16);

/// How many products are generated where there are no real ones.
const GENERATED: usize = 19_406;

/// What they are generated from.
const GENERATED_SEED: u64 = 7;

/// Measures the running suite.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let state = State::running()?.ok_or(Failure::NotRunning)?;
    let keys = Keys::in_suite();
    let load = Load::new(state.clone(), &keys)?;
    let mut figures = Figures::default();
    say::line("quick, against what is wanted:");
    if let Some(ready) = state.ready_s {
        figures.take("ready_s", ready, AtMost(20.0));
    }
    figures.take("suite_rss_mb", resident_mb()?, AtMost(200.0));

    let run = Uuid::now_v7().simple().to_string();
    let skus: Vec<String> =
        (0..20).map(|number| format!("BENCH-{}-{number}", &run[20..])).collect();
    let product = load.make_product(&skus).await?;
    let mut visible = Vec::new();
    for _ in 0..SAMPLES {
        visible.push(load.visible_after(&product, &skus).await?);
    }
    figures.take("visible_p50_ms", median_ms(&mut visible), AtMost(60.0));
    let mut confirmed: Vec<Duration> = Vec::new();
    for sku in skus.iter().cycle().take(SAMPLES) {
        confirmed.push(load.confirmed_after(sku).await?);
    }
    figures.take("confirm_p50_ms", median_ms(&mut confirmed), AtMost(60.0));
    let orders = load.orders_per_second(&skus, ORDERS.0, ORDERS.1).await?;
    figures.take("orders_confirmed_per_s", orders, AtLeast(500.0));
    let events = load.events_per_second(&product, EVENT_BATCHES.0, EVENT_BATCHES.1).await?;
    figures.take("events_per_s", events, AtLeast(10_000.0));
    load.delete_product(&product).await?;
    let catalogue = catalogue_searchable(&options, &state, &keys).await?;
    figures.take("catalogue_searchable_s", catalogue, AtMost(20.0));
    figures.write(options.json.as_deref())
}

/// The memory that our programs hold while nothing happens, in megabytes: the resident sets of the
/// suite's programs.
fn resident_mb() -> Result<f64, Failure> {
    let programs: Vec<PathBuf> = SERVICES
        .into_iter()
        .chain([CONSOLE])
        .map(|service| workspace::program(service.name))
        .collect();
    let mut kilobytes = 0.0;
    for entry in fs::read_dir("/proc").map_err(Failure::file("/proc"))?.flatten() {
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

/// Imports a whole catalogue under SKUs that the shop does not have yet: seconds until all of it is searchable.
async fn catalogue_searchable(
    options: &Options,
    state: &State,
    keys: &Keys,
) -> Result<f64, Failure> {
    let http = Http::new()?;
    let token = keys.token("bench", &[Scope::CatalogWrite])?;
    let prefix = format!("B{}-", &Uuid::now_v7().simple().to_string()[24..]);
    let body = match &options.data {
        Some(folder) => import::renamed(&folder.join("icecat-products.ndjson.gz"), &prefix)?,
        None => generated(&prefix)?,
    };
    let began = Instant::now();
    let imported = import::upload(&http, state, &token, body.into()).await?;
    import::wait_until_applied(&http, state, &token, &imported).await?;
    Ok(began.elapsed().as_secs_f64())
}

/// As many products of the sample's kind as the real catalogue has.
fn generated(prefix: &str) -> Result<Vec<u8>, Failure> {
    let products = sample_catalogue::products(GENERATED_SEED).take(GENERATED).map(|mut product| {
        for variant in &mut product.variants {
            variant.sku.insert_str(0, prefix);
        }
        product
    });
    let mut body = Vec::new();
    sample_catalogue::write_ndjson(&mut body, products)
        .map_err(Failure::file("generated products"))?;
    Ok(body)
}
