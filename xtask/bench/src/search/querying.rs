//! Searches of many kinds: through HTTP, and what they cost beyond the bare library.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Client;
use search_sync::index::{Index, Query, SearchSettings};
use serde_json::Value;
use suite::median_ms;

use super::{bare::PreparedSearch, queries::parameters};
use crate::{
    error::Error,
    statistics::{median, rate},
};

/// Concurrent clients of the throughput run.
const CLIENTS: usize = 4;

/// The duration of the throughput run.
const DURATION: Duration = Duration::from_secs(15);

/// How often each query runs alone; its median counts.
const ROUNDS: usize = 5;

/// The throughput run: each client sends its next search when it has the answer of the one before.
pub(super) struct Throughput {
    pub(super) per_second: f64,
    pub(super) times: Vec<Duration>,
}

/// What searches cost one at a time: the median over the queries.
pub(super) struct Overhead {
    pub(super) service_ms: f64,
    /// What the service reports as the duration of the search alone.
    pub(super) took_ms: f64,
    pub(super) bare_ms: f64,
    /// The median of the differences of each query.
    pub(super) difference_ms: f64,
    /// The number of queries with a hit.
    pub(super) answered: usize,
}

/// A client of `GET /v1/search`.
pub(super) struct Searches {
    client: Client,
    url: String,
}

impl Searches {
    pub(super) fn new(url: String) -> Result<Self, Error> {
        let client = Client::builder().no_proxy().build();
        Ok(Self { client: client.map_err(suite::Error::unreachable("the HTTP client"))?, url })
    }

    /// The time until the whole answer has arrived, and the answer.
    async fn search(&self, query: &Query) -> Result<(Duration, String), Error> {
        let request = self.client.get(&self.url).query(&parameters(query));
        let began = Instant::now();
        let text = suite::answer(&self.url, request).await?.success()?.text();
        Ok((began.elapsed(), text))
    }

    /// Searches per second with several clients.
    pub(super) async fn throughput(&self, queries: &[Query]) -> Result<Throughput, Error> {
        let began = Instant::now();
        let times: Vec<Duration> = stream::iter(queries.iter().cycle())
            .take_while(|_| std::future::ready(began.elapsed() < DURATION))
            .map(async |query| Ok::<_, Error>(self.search(query).await?.0))
            .buffer_unordered(CLIENTS)
            .try_collect()
            .await?;
        Ok(Throughput {
            per_second: rate(u64::try_from(times.len()).unwrap_or_default(), began.elapsed()),
            times,
        })
    }

    /// Every query through the service and by the bare library, in turn. `index` has the documents of the service.
    pub(super) async fn overhead(
        &self,
        queries: &[Query],
        index: &Index,
        settings: &SearchSettings,
    ) -> Result<Overhead, Error> {
        let searcher = index.tantivy().reader().map(|reader| reader.searcher())?;
        let (mut service, mut bare, mut took) = (Vec::new(), Vec::new(), Vec::new());
        let mut differences = Vec::new();
        let mut answered = 0;
        for query in queries {
            let prepared = PreparedSearch::new(index, query, settings)?;
            let (mut by_service, mut by_bare, mut reported) = (Vec::new(), Vec::new(), Vec::new());
            for round in 0..ROUNDS {
                let (elapsed, answer) = self.search(query).await?;
                by_service.push(elapsed);
                let began = Instant::now();
                prepared.run(&searcher)?;
                by_bare.push(began.elapsed());
                let page: Value = serde_json::from_str(&answer).unwrap_or_default();
                reported.push(page["took_ms"].as_f64().unwrap_or(f64::NAN));
                if round == 0 && page["total"].as_u64().is_some_and(|total| total > 0) {
                    answered += 1;
                }
            }
            took.push(median(reported));
            let (with, without) = (median_ms(&mut by_service), median_ms(&mut by_bare));
            service.push(with);
            bare.push(without);
            differences.push(with - without);
        }
        Ok(Overhead {
            service_ms: median(service),
            took_ms: median(took),
            bare_ms: median(bare),
            difference_ms: median(differences),
            answered,
        })
    }
}
