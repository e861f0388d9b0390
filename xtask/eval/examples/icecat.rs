//! Measures the speed of the index on a real catalogue: indexed documents per second, the time of a search, and
//! the time until a changed product is found. `cargo xtask eval search` measures the quality.
//!
//! `cargo run --release -p eval --example icecat -- <folder with icecat-products.ndjson.gz and
//! icecat-judgements.csv> [folder for the index]`
//!
//! With `idle <folder of such an index>` it only opens the index, runs a few searches and prints its memory.

use std::{
    error::Error,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use eval::{
    judged::{self, Judgements},
    products,
    typos::Typos,
};
use search_sync::{
    index::{Change, Document, Facet, Index, Query, Results},
    text::word_tokens,
};

type AnyError = Box<dyn Error>;

#[expect(clippy::print_stdout, reason = "the program prints figures")]
fn main() -> Result<(), AnyError> {
    let mut arguments = std::env::args().skip(1);
    let data = PathBuf::from(arguments.next().ok_or("the data folder is missing")?);
    if data.as_os_str() == "idle" {
        let folder = PathBuf::from(arguments.next().ok_or("the index folder is missing")?);
        return idle(&folder, &mut |name, figure| println!("{name:<34} {figure:>12.4}"));
    }
    let temporary = tempfile::tempdir()?;
    let folder = arguments.next().map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let mut print = |name: &str, figure: f64| println!("{name:<34} {figure:>12.4}");

    print("rss_start_mb", resident_mb("VmRSS:"));
    let started = Instant::now();
    let words = word_tokens("加载词典");
    print("dictionary_ms", millis(started.elapsed()));
    print("rss_dictionary_mb", resident_mb("VmRSS:"));
    debug_assert!(!words.is_empty());

    let (documents, _) = products::read(&data.join("icecat-products.ndjson.gz"))?;
    let judgements = judged::read(&data.join("icecat-judgements.csv"))?;
    let index = Index::open(&folder)?;
    build(&index, &documents, &mut print)?;
    speed(&index, &documents, &judgements, &mut print)?;
    Ok(())
}

fn idle(folder: &Path, print: &mut impl FnMut(&str, f64)) -> Result<(), AnyError> {
    let started = Instant::now();
    let index = Index::open(folder)?;
    print("open_ms", millis(started.elapsed()));
    print("documents", count(usize::try_from(index.documents())?));
    print("rss_opened_mb", resident_mb("VmRSS:"));
    let mut writer = index.writer()?;
    for q in ["wireless mouse", "keybord", "jixiejianpan", "机械键盘", "usb cable 2m", "laptop bag"]
    {
        search(&index, q)?;
        index.suggest(q, 10)?;
    }
    writer.apply(&[], &index.payload()?.unwrap_or_default())?;
    print("rss_idle_mb", resident_mb("VmRSS:"));
    print("rss_idle_without_files_mb", resident_mb("RssAnon:"));
    Ok(())
}

fn build(
    index: &Index,
    documents: &[Document],
    print: &mut impl FnMut(&str, f64),
) -> Result<(), AnyError> {
    let changes: Vec<Change> =
        documents.iter().map(|document| Change::Upsert(Box::new(document.clone()))).collect();
    let mut writer = index.writer()?;
    let started = Instant::now();
    for (number, part) in changes.chunks(2_000).enumerate() {
        writer.apply(part, &number.to_string())?;
    }
    let took = started.elapsed().as_secs_f64();
    print("documents", count(documents.len()));
    print("build_documents_per_s", count(documents.len()) / took);
    let started = Instant::now();
    writer.compact()?.close()?;
    print("compact_ms", millis(started.elapsed()));
    print("index_mb", count(usize::try_from(index.bytes()?)?) / 1e6);
    Ok(())
}

fn speed(
    index: &Index,
    documents: &[Document],
    judgements: &Judgements,
    print: &mut impl FnMut(&str, f64),
) -> Result<(), AnyError> {
    let mut times = Vec::new();
    for q in judgements.keys().cycle().take(500) {
        let started = Instant::now();
        search(index, q)?;
        times.push(started.elapsed());
    }
    print_times("search", &mut times, print);
    for q in judgements.keys().cycle().take(300) {
        let facets = vec![Facet::Brand, Facet::Price, Facet::InStock];
        let query = Query { q: q.clone(), facets, ..Query::default() };
        let started = Instant::now();
        index.search(&query)?;
        times.push(started.elapsed());
    }
    print_times("search_facets", &mut times, print);
    let mut typos = Typos::new(2);
    for typo in judgements.keys().cycle().take(300).filter_map(|q| typos.typo(q)) {
        let started = Instant::now();
        search(index, &typo)?;
        times.push(started.elapsed());
    }
    print_times("search_slips", &mut times, print);
    for q in judgements.keys().cycle().take(300) {
        let prefix: String = q.chars().take(4).collect();
        let started = Instant::now();
        index.suggest(&prefix, 10)?;
        times.push(started.elapsed());
    }
    print_times("suggest", &mut times, print);
    let mut writer = index.writer()?;
    for (number, document) in documents.iter().step_by(97).take(200).enumerate() {
        let mut document = document.clone();
        document.version += 1;
        let wanted = document.version;
        let id = document.product_id;
        let started = Instant::now();
        writer.apply(&[Change::Upsert(Box::new(document))], &number.to_string())?;
        times.push(started.elapsed());
        if index.version_of(id)? != Some(wanted) {
            return Err("an applied document is not found".into());
        }
    }
    print_times("apply_one", &mut times, print);
    print("segments", count(index.segments()));
    Ok(())
}

fn print_times(name: &str, times: &mut Vec<Duration>, print: &mut impl FnMut(&str, f64)) {
    times.sort_unstable();
    for (part, percent) in [("p50", 50), ("p99", 99)] {
        if let Some(time) = times.get(times.len() * percent / 100) {
            print(&format!("{name}_{part}_ms"), millis(*time));
        }
    }
    times.clear();
}

fn search(index: &Index, q: &str) -> Result<Results, AnyError> {
    Ok(index.search(&Query { q: q.to_owned(), ..Query::default() })?)
}

/// The memory of this process: `VmRSS:` in total, `RssAnon:` without mapped files.
fn resident_mb(kind: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(kind));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default()
        / 1024.0
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "figures of this size are exact")]
fn count(number: usize) -> f64 {
    number as f64
}
