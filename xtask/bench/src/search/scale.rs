//! What the index costs as it grows, without servers and services: searches, facets, one change, a build, memory and
//! disk.
//!
//! Each size runs in a process of its own, so that its memory is that of its index.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use chrono::DateTime;
use search_sync::index::{Change, Facet, Index, Query, SearchSettings, Writer};
use suite::{Error as SuiteError, Figures, Target, median_ms, output, percentile_ms};
use testkit::DataDir;
use uuid::Uuid;
use xtask::arguments::SearchBench;

use super::{
    products::{Products, document},
    queries::mixed,
    resident_mb,
};
use crate::{error::Error, processor_time, statistics::rate};

/// The sizes, in products.
const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];

/// Documents that are made and added at once.
const BATCH: usize = 5_000;

/// The number of single changes.
const CHANGES: usize = 200;

/// The number of documents of the small index in memory.
const SMALL: usize = 100;

/// How often every query runs.
const ROUNDS: usize = 3;

/// Measures one size, or each size in a process of its own.
pub(super) fn run(arguments: &SearchBench) -> Result<(), Error> {
    let mut figures = Figures::default();
    let json = arguments.options.json.as_deref();
    if let Some(products) = arguments.products {
        measure(arguments.options.data.as_deref(), products, &mut figures)?;
        return Ok(figures.write(json)?);
    }
    let folder = DataDir::temporary("bench-scale")?;
    for size in SIZES {
        let part = folder.path().join(format!("{size}.json"));
        let program = std::env::current_exe().map_err(SuiteError::file("this program"))?;
        let mut command = Command::new(program);
        command.args(["bench", "search", "--scale", "--products", &size.to_string()]);
        command.arg("--json").arg(&part);
        if let Some(data) = &arguments.options.data {
            command.arg("--data").arg(data);
        }
        let status = command.status().map_err(SuiteError::file("this program"))?;
        if !status.success() {
            return Err(Error::Inconsistent(format!("{size} products: {status}")));
        }
        let text = fs::read_to_string(&part).map_err(SuiteError::file(&part))?;
        figures
            .merge(&text)
            .map_err(|error| Error::Inconsistent(format!("{}: {error}", part.display())))?;
    }
    Ok(figures.write(json)?)
}

/// Measures an index of so many products.
fn measure(data: Option<&Path>, products: usize, figures: &mut Figures) -> Result<(), Error> {
    output::line(format!("search, {products} products:"));
    let folder = DataDir::temporary("bench-index")?;
    let mut record = |name: &str, value: f64| {
        figures.record(format!("{name}_{products}"), value, Target::None);
    };
    let index = Index::open(folder.path())?;
    let mut writer = index.bulk_writer()?;
    let mut source = Products::open(data)?.take(products).enumerate();
    let mut built = Duration::ZERO;
    let mut last_part = Vec::new();
    loop {
        // Making the products does not count.
        let part: Vec<Change> = source
            .by_ref()
            .take(BATCH)
            .map(|(number, product)| Change::Upsert(Box::new(document(number, &product))))
            .collect();
        if part.is_empty() {
            break;
        }
        let began = Instant::now();
        writer.add(&part)?;
        built += began.elapsed();
        last_part = part;
    }
    drop(source);
    let began = Instant::now();
    writer.apply(&[], "")?;
    built += began.elapsed();
    let began = Instant::now();
    let mut writer = writer.compact()?;
    let compacted = began.elapsed();
    record("build_s", (built + compacted).as_secs_f64());
    record("build_products_per_s", rate(u64::try_from(products).unwrap_or(0), built + compacted));
    record("compact_s", compacted.as_secs_f64());
    record("disk_mb", bytes_in(folder.path()) / 1e6);

    let settings = eval::synonyms::seeded()?;
    let mut times = Vec::new();
    let queries = mixed()?;
    for _ in 0..ROUNDS {
        for query in &queries {
            times.push(search(&index, query, &settings)?);
        }
    }
    record("query_p50_ms", median_ms(&mut times));
    record("query_p99_ms", percentile_ms(&mut times, 99));
    let facets = vec![Facet::Brand, Facet::Category, Facet::Price, Facet::InStock];
    let browse = Query { facets, limit: 0, ..Query::default() };
    let mut times = Vec::new();
    for _ in 0..ROUNDS * 5 {
        times.push(search(&index, &browse, &settings)?);
    }
    record("facets_of_all_p50_ms", median_ms(&mut times));

    let Changed { mut visible, mut search_after, cpu } = changes(&index, &mut writer, &last_part)?;
    record("change_p50_ms", median_ms(&mut visible));
    record("change_p99_ms", percentile_ms(&mut visible, 99));
    record("change_cpu_ms", cpu.as_secs_f64() * 1e3);
    record("search_after_change_p50_ms", median_ms(&mut search_after));
    record("rss_mb", resident_mb("self"));
    writer.close()?;

    // The same changes in a small index in memory: what an additional index for the newest changes would cost.
    let small = Index::in_memory()?;
    let mut writer = small.writer()?;
    writer.apply(last_part.get(..SMALL).unwrap_or(&last_part), "")?;
    let Changed { mut visible, cpu, .. } = changes(&small, &mut writer, &last_part)?;
    record("in_memory_change_p50_ms", median_ms(&mut visible));
    record("in_memory_change_p99_ms", percentile_ms(&mut visible, 99));
    record("in_memory_change_cpu_ms", cpu.as_secs_f64() * 1e3);
    writer.close()?;
    Ok(())
}

fn search(index: &Index, query: &Query, settings: &SearchSettings) -> Result<Duration, Error> {
    let began = Instant::now();
    index.search_with(query, settings, DateTime::UNIX_EPOCH)?;
    Ok(began.elapsed())
}

/// The times of single changes.
#[derive(Default)]
struct Changed {
    /// Commit, reload, and the search that shows the change.
    visible: Vec<Duration>,
    /// That search alone.
    search_after: Vec<Duration>,
    /// The processor time per change, merges included.
    cpu: Duration,
}

/// Changes one product at a time and searches for it.
fn changes(index: &Index, writer: &mut Writer, products: &[Change]) -> Result<Changed, Error> {
    let mut found = Changed::default();
    let before = processor_time::of_this_process();
    let mut count = 0;
    for change in products.iter().cycle().take(CHANGES) {
        let Change::Upsert(document) = change else { continue };
        let mut document = document.clone();
        document.version += 1;
        count += 1;
        let title = format!("基准测试 {}", Uuid::now_v7().simple());
        document.title.zh = Some(title.clone());
        let sku = document.skus.first().cloned().unwrap_or_default();
        let query = Query { q: sku, limit: 1, ..Query::default() };
        let began = Instant::now();
        writer.apply(&[Change::Upsert(document)], "")?;
        let applied = Instant::now();
        let results = index.search(&query)?;
        found.visible.push(began.elapsed());
        found.search_after.push(applied.elapsed());
        if results.items.first().and_then(|hit| hit.title.zh.as_deref()) != Some(&title) {
            return Err(Error::Inconsistent("a search does not show a change".to_owned()));
        }
    }
    found.cpu = processor_time::of_this_process().saturating_sub(before) / count.max(1);
    Ok(found)
}

/// The size of the files in a folder.
fn bytes_in(folder: &Path) -> f64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes: u64 = files.filter_map(|file| Some(file.metadata().ok()?.len())).sum();
    #[expect(clippy::cast_precision_loss, reason = "no index has 2^52 bytes")]
    let bytes = bytes as f64;
    bytes
}
