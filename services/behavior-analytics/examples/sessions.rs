//! Measures how well the recommender predicts the behaviour of real shoppers: the next product of held-out
//! sessions, and a hidden product of held-out baskets.
//!
//! `cargo run --release -p behavior-analytics --example sessions -- --data DIR`, where DIR contains
//! `sessions-train.tsv.gz`, `sessions-valid.tsv.gz` (session, item, Unix time) and `online-retail.csv.gz` (invoices).

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use behavior_analytics::domain::{
    companions::{CompanionLimits, Companions},
    identity::{InvalidId, SessionId, SessionKey, VisitorId},
    recommendation::Suggestion,
    session_index::{SessionIndex, SessionIndexLimits, SessionQuery, SessionScoring},
};
use chrono::{DateTime, NaiveDateTime, Utc};
use clap::Parser;
use flate2::read::GzDecoder;
use uuid::Uuid;

type Failure = Box<dyn std::error::Error>;

/// Measures the recommender on the given data.
#[derive(Parser)]
struct Arguments {
    /// The folder with the data.
    #[arg(long)]
    data: PathBuf,
    /// The file with the held-out sessions, in that folder.
    #[arg(long, default_value = "sessions-valid.tsv.gz")]
    held_out: String,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let train = read_clicks(&arguments.data.join("sessions-train.tsv.gz"))?;
    let held_out = by_session(read_clicks(&arguments.data.join(&arguments.held_out))?);
    let started = Instant::now();
    let mut index = learn(&train)?;
    let per_event = started.elapsed() / count(train.len());
    report(&[format!("learned {} clicks, {per_event:?} each", train.len())]);

    let sessions = predict(&held_out, 20, |products, now| {
        let query = SessionQuery { products, own: None, revisits: true, now };
        index.recommend_session(query, 20, |_| true)
    });
    let similar = predict(&held_out, 20, |products, now| {
        let latest = products.last().copied().unwrap_or_default();
        index.similar(latest, now, 20, |_| true)
    });
    report(&[
        sessions.line("next product, by session", 20),
        similar.line("next product, by the latest one's similar products", 20),
    ]);
    report(&[
        learn_while_predicting(&mut index, &held_out)?.line("next product, while learning", 20)
    ]);

    let baskets = read_baskets(&arguments.data.join("online-retail.csv.gz"))?;
    report(&[format!("{} baskets of 2 to 100 products", baskets.len())]);
    report(&[hidden_products(&baskets).line("hidden product of a basket", 10)]);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the program prints its results")]
fn report(lines: &[String]) {
    for line in lines {
        println!("{line}");
    }
}

/// A click: session, product, time.
type Click = (u64, Uuid, DateTime<Utc>);

/// The clicks of one session, sorted by time.
type Session = Vec<(Uuid, DateTime<Utc>)>;

/// The time and the products of an order.
type Basket = (DateTime<Utc>, Vec<Uuid>);

/// The quality and the latency of a series of queries.
#[derive(Default)]
struct Score {
    queries: u32,
    hits: u32,
    reciprocal_ranks: f64,
    latencies: Vec<Duration>,
}

impl Score {
    fn add(&mut self, found: &[Suggestion], expected: Uuid, latency: Duration) {
        self.queries += 1;
        self.latencies.push(latency);
        if let Some(place) = found.iter().position(|suggestion| suggestion.product == expected) {
            self.hits += 1;
            self.reciprocal_ranks += 1.0 / f64::from(count(place + 1));
        }
    }

    fn line(mut self, what: &str, k: u32) -> String {
        self.latencies.sort_unstable();
        let queries = f64::from(self.queries);
        let percentile = |percent: usize| {
            self.latencies.get(self.latencies.len() * percent / 100).copied().unwrap_or_default()
        };
        format!(
            "{what}: HR@{k} {:.4} MRR@{k} {:.4} n {} | p50 {:?} p90 {:?} p99 {:?}",
            f64::from(self.hits) / queries,
            self.reciprocal_ranks / queries,
            self.queries,
            percentile(50),
            percentile(90),
            percentile(99),
        )
    }
}

/// Predicts the next product for every prefix of every session.
fn predict(
    sessions: &BTreeMap<u64, Session>,
    k: usize,
    recommend: impl Fn(&[Uuid], DateTime<Utc>) -> Vec<Suggestion>,
) -> Score {
    let mut score = Score::default();
    for session in sessions.values() {
        let products: Vec<Uuid> = session.iter().map(|&(product, _)| product).collect();
        for seen in 1..products.len() {
            let started = Instant::now();
            let found = recommend(&products[..seen], session[seen - 1].1);
            score.add(&found[..found.len().min(k)], products[seen], started.elapsed());
        }
    }
    score
}

/// Predicts the next product of each click, sorted by time, and learns each click before the next prediction.
fn learn_while_predicting(
    index: &mut SessionIndex,
    sessions: &BTreeMap<u64, Session>,
) -> Result<Score, InvalidId> {
    let mut clicks: Vec<(DateTime<Utc>, u64, usize)> = sessions
        .iter()
        .flat_map(|(&id, session)| {
            session.iter().enumerate().map(move |(place, click)| (click.1, id, place))
        })
        .collect();
    clicks.sort_unstable();
    let mut score = Score::default();
    for (now, id, place) in clicks {
        let products: Vec<Uuid> = sessions[&id].iter().map(|&(product, _)| product).collect();
        let key = key(id)?;
        index.learn(&key, products[place], now);
        if let Some(&expected) = products.get(place + 1) {
            let started = Instant::now();
            let seen = &products[..=place];
            let query = SessionQuery { products: seen, own: Some(&key), revisits: true, now };
            let found = index.recommend_session(query, 20, |_| true);
            score.add(&found, expected, started.elapsed());
        }
    }
    Ok(score)
}

fn learn(clicks: &[Click]) -> Result<SessionIndex, InvalidId> {
    let mut index = SessionIndex::new(SessionIndexLimits::default(), SessionScoring::default());
    for &(session, product, at) in clicks {
        index.learn(&key(session)?, product, at);
    }
    Ok(index)
}

/// Learns the first 90 % of the baskets, hides one product of each later basket, and predicts it from the
/// others. Repeated 12 times; the hidden product depends on the basket's position.
fn hidden_products(baskets: &[Basket]) -> Score {
    let (train, held_out) = baskets.split_at(baskets.len() / 10 * 9);
    let mut companions = Companions::new(CompanionLimits::default());
    for (id, (at, products)) in (0_u128..).zip(train) {
        companions.learn_basket(Uuid::from_u128(id), products, *at, Uuid::nil().into());
    }
    let mut score = Score::default();
    for draw in 0..12 {
        for (place, (_, products)) in held_out.iter().enumerate() {
            let hidden = (place * 7_919 + draw * 104_729 + 13) % products.len();
            let mut others = products.clone();
            let expected = others.remove(hidden);
            let started = Instant::now();
            let found = companions.companions(&others, 10, |_| true);
            score.add(&found, expected, started.elapsed());
        }
    }
    score
}

/// The data names no visitors, so each session gets its own.
fn key(session: u64) -> Result<SessionKey, InvalidId> {
    let name = session.to_string();
    Ok(SessionKey { visitor: VisitorId::parse(&name)?, session: SessionId::parse(&name)? })
}

fn unzip(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    GzDecoder::new(File::open(path)?).read_to_string(&mut text)?;
    Ok(text)
}

/// The clicks, sorted by time.
fn read_clicks(path: &Path) -> Result<Vec<Click>, Failure> {
    let text = unzip(path)?;
    let mut clicks =
        text.lines().skip(1).map(read_click).collect::<Result<Vec<Click>, Failure>>()?;
    clicks.sort_by_key(|click| click.2);
    Ok(clicks)
}

fn read_click(line: &str) -> Result<Click, Failure> {
    let mut columns = line.split('\t');
    let mut next = || columns.next().ok_or("a click has three columns");
    let session = next()?.parse()?;
    let item: u128 = next()?.parse()?;
    let seconds = next()?.trim_end_matches(".0").parse()?;
    let at = DateTime::from_timestamp(seconds, 0).ok_or("a time out of range")?;
    Ok((session, Uuid::from_u128(item), at))
}

fn by_session(clicks: Vec<Click>) -> BTreeMap<u64, Session> {
    let mut sessions: BTreeMap<u64, Session> = BTreeMap::new();
    for (session, product, at) in clicks {
        sessions.entry(session).or_default().push((product, at));
    }
    sessions
}

/// The invoices of 2 to 100 products, sorted by time, without cancellations.
fn read_baskets(path: &Path) -> Result<Vec<Basket>, Failure> {
    let mut codes: BTreeMap<String, u128> = BTreeMap::new();
    let mut invoices: BTreeMap<(DateTime<Utc>, String), Vec<Uuid>> = BTreeMap::new();
    let mut rows = csv::Reader::from_reader(GzDecoder::new(File::open(path)?));
    for row in rows.records() {
        let row = row?;
        let column = |at: usize| row.get(at).ok_or("an invoice row has eight columns");
        let (invoice, code, quantity) = (column(0)?, column(1)?, column(3)?);
        if invoice.starts_with('C') || quantity.starts_with('-') {
            continue;
        }
        let at = NaiveDateTime::parse_from_str(column(4)?, "%Y-%m-%d %H:%M:%S")?.and_utc();
        let next = u128::from(count(codes.len()));
        let product = Uuid::from_u128(*codes.entry(code.to_owned()).or_insert(next));
        let products = invoices.entry((at, invoice.to_owned())).or_default();
        if !products.contains(&product) {
            products.push(product);
        }
    }
    let fits = |(_, products): &Basket| (2..=100).contains(&products.len());
    Ok(invoices.into_iter().map(|((at, _), products)| (at, products)).filter(fits).collect())
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
