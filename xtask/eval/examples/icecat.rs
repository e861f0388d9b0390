//! Measures the quality and the speed of the index on a real catalogue: nDCG@10 of judged queries, as they
//! are and with one typo each, indexed documents per second, and the time until a changed product is found.
//!
//! `cargo run --release -p search-sync --example icecat -- <folder with icecat-products.ndjson.gz and
//! icecat-judgements.csv> [folder for the index]`
//!
//! With `idle <folder of such an index>` it only opens the index, runs a few searches and prints its memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use flate2::read::GzDecoder;
use search_sync::{
    index::{Attribute, Change, Document, Facet, Index, Localized, Price, Query, Results},
    json::attribute_value,
    text::word_tokens,
};
use serde_json::Value;
use uuid::Uuid;

type AnyError = Box<dyn Error>;
/// The grades of each query by product id.
type Judgements = BTreeMap<String, BTreeMap<String, f64>>;

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

    let (documents, ids) = products(&data)?;
    let judgements = judgements(&data)?;
    let index = Index::open(&folder)?;
    build(&index, &documents, &mut print)?;
    quality(&index, &judgements, &ids, &mut print)?;
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

fn quality(
    index: &Index,
    judgements: &Judgements,
    ids: &BTreeMap<Uuid, String>,
    print: &mut impl FnMut(&str, f64),
) -> Result<(), AnyError> {
    let detailed = std::env::var_os("ICECAT_DETAIL").is_some();
    let mut random = Random(1);
    let (mut plain, mut typos) = (Score::default(), Score::default());
    for (q, grades) in judgements {
        let found = search(index, q)?;
        let figure = plain.add(&found, grades, ids);
        if detailed {
            print(&format!("  {q}"), figure);
        }
        if let Some(typo) = random.typo(q) {
            let found = search(index, &typo)?;
            let figure = typos.add(&found, grades, ids);
            if detailed {
                print(&format!("    {typo}"), figure);
            }
        }
    }
    for (name, score) in [("plain", plain), ("slips", typos)] {
        print(&format!("{name}_queries"), count(score.queries));
        print(&format!("{name}_ndcg_at_10"), score.sum / count(score.queries));
        print(&format!("{name}_condensed_ndcg_at_10"), score.condensed / count(score.queries));
        print(&format!("{name}_without_hits"), count(score.empty));
    }
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
    let mut random = Random(2);
    for typo in judgements.keys().cycle().take(300).filter_map(|q| random.typo(q)) {
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

/// The sums over all queries.
#[derive(Default)]
struct Score {
    queries: usize,
    sum: f64,
    condensed: f64,
    empty: usize,
}

impl Score {
    fn add(
        &mut self,
        found: &Results,
        judged: &BTreeMap<String, f64>,
        ids: &BTreeMap<Uuid, String>,
    ) -> f64 {
        let graded: Vec<Option<f64>> = found
            .items
            .iter()
            .map(|hit| ids.get(&hit.product_id).and_then(|id| judged.get(id)).copied())
            .collect();
        let mut ideal: Vec<f64> = judged.values().copied().collect();
        ideal.sort_by(|a, b| b.total_cmp(a));
        let ideal = gain(ideal.into_iter());
        let figure = gain(graded.iter().map(|grade| grade.unwrap_or(0.0))) / ideal;
        self.queries += 1;
        self.sum += figure;
        self.condensed += gain(graded.iter().copied().flatten()) / ideal;
        self.empty += usize::from(found.items.is_empty());
        figure
    }
}

/// The discounted cumulative gain of the first ten grades.
fn gain(grades: impl Iterator<Item = f64>) -> f64 {
    (2_u32..).zip(grades.take(10)).map(|(place, grade)| grade / f64::from(place).log2()).sum()
}

fn products(data: &Path) -> Result<(Vec<Document>, BTreeMap<Uuid, String>), AnyError> {
    let file = GzDecoder::new(File::open(data.join("icecat-products.ndjson.gz"))?);
    let mut documents = Vec::new();
    let mut ids = BTreeMap::new();
    for (number, line) in (1_u128..).zip(BufReader::new(file).lines()) {
        let product: Value = serde_json::from_str(&line?)?;
        let text = |key: &str| product[key].as_str().unwrap_or_default().to_owned();
        let product_id = Uuid::from_u128(number);
        ids.insert(product_id, text("id"));
        let price = product["price_cents"]
            .as_i64()
            .map(|amount| Price { amount, currency: "EUR".to_owned() });
        let attributes = product["attributes"].as_object().into_iter().flatten();
        documents.push(Document {
            product_id,
            version: 1,
            title: Localized { zh: None, en: Some(text("title")) },
            description: Localized { zh: None, en: Some(text("short_description")) },
            brand: text("brand"),
            category: String::new(),
            attributes: attributes
                .filter_map(|(key, value)| {
                    Some((key.clone(), Attribute::from_value(&attribute_value(value)?)?))
                })
                .collect(),
            skus: vec![text("name")],
            price_min: price.clone(),
            price_max: price,
            in_stock: true,
            ..Document::default()
        });
    }
    Ok((documents, ids))
}

/// The queries with at least one relevant product.
fn judgements(data: &Path) -> Result<Judgements, AnyError> {
    let mut found = Judgements::new();
    for row in csv::Reader::from_path(data.join("icecat-judgements.csv"))?.records() {
        let row = row?;
        let grade: f64 = row[2].parse()?;
        found.entry(row[0].to_owned()).or_default().insert(row[1].to_owned(), grade);
    }
    found.retain(|_, grades| grades.values().any(|grade| *grade > 0.0));
    Ok(found)
}

/// A deterministic random number generator (`SplitMix64`).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let limit = u64::try_from(limit).unwrap_or(1).max(1);
        usize::try_from((mixed ^ (mixed >> 31)) % limit).unwrap_or_default()
    }

    /// The query with one edit in a word of at least five letters; `None` without such a word.
    fn typo(&mut self, q: &str) -> Option<String> {
        let mut words: Vec<String> = q.split(' ').map(str::to_owned).collect();
        let long: BTreeSet<usize> = (0..words.len())
            .filter(|at| {
                words[*at].len() >= 5 && words[*at].chars().all(|c| c.is_ascii_alphabetic())
            })
            .collect();
        let word = *long.iter().nth(self.below(long.len()))?;
        let mut letters: Vec<char> = words[word].chars().collect();
        let at = self.below(letters.len());
        let letter = char::from(b'a' + u8::try_from(self.below(26)).ok()?);
        match self.below(4) {
            0 => {
                letters.remove(at);
            }
            1 => letters.insert(at, letter),
            2 => letters[at] = if letters[at] == letter { 'q' } else { letter },
            _ => {
                let at = at.min(letters.len() - 2);
                letters.swap(at, at + 1);
            }
        }
        words[word] = letters.into_iter().collect();
        Some(words.join(" "))
    }
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
