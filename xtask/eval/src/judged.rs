//! Search on any products with judgements.

use std::{collections::BTreeMap, path::Path};

use search_sync::index::Query;
use uuid::Uuid;

use crate::{
    error::Error,
    products::TemporaryIndex,
    score::{Mean, ndcg_at_10},
    typos::Typos,
};

/// How many different typos each query is tried with.
const SEEDS: u64 = 5;

/// The grades of the products, by product id, by query.
pub type Judgements = BTreeMap<String, BTreeMap<String, f64>>;

/// What an evaluation measured.
#[derive(Debug)]
pub struct Quality {
    pub queries: f64,
    /// The mean over the queries.
    pub ndcg_at_10: f64,
    /// The share of queries without a hit.
    pub zero_share: f64,
    /// The mean over the queries with a word of five letters or more, each with five typos.
    pub typo_ndcg_at_10: f64,
}

/// Reads judgements: CSV with a header and the columns query, product id and grade. Queries without a relevant
/// product are left out.
pub fn read(path: &Path) -> Result<Judgements, Error> {
    let csv = |source| Error::Csv { path: path.to_owned(), source };
    let mut found = Judgements::new();
    for (line, row) in (2..).zip(csv::Reader::from_path(path).map_err(csv)?.records()) {
        let row = row.map_err(csv)?;
        let wrong =
            |reason: &str| Error::Line { path: path.to_owned(), line, reason: reason.to_owned() };
        let (Some(query), Some(id), Some(grade)) = (row.get(0), row.get(1), row.get(2)) else {
            return Err(wrong("a judgement is a query, a product id and a grade"));
        };
        let grade = grade.trim().parse().map_err(|_error| wrong("the grade is not a number"))?;
        found.entry(query.to_owned()).or_default().insert(id.to_owned(), grade);
    }
    found.retain(|_, grades| grades.values().any(|grade| *grade > 0.0));
    if found.is_empty() { Err(Error::NoQueries(path.to_owned())) } else { Ok(found) }
}

/// Searches every query, as it is and with typos.
pub fn measure(
    index: &TemporaryIndex,
    judgements: &Judgements,
    ids: &BTreeMap<Uuid, String>,
) -> Result<Quality, Error> {
    let (mut plain, mut zero, mut typo) = (Mean::default(), Mean::default(), Mean::default());
    let mut typos: Vec<Typos> = (1..=SEEDS).map(Typos::new).collect();
    for (q, grades) in judgements {
        let found = grades_of_hits(index, q, grades, ids)?;
        let judged: Vec<f64> = grades.values().copied().collect();
        plain.add(ndcg_at_10(&found, &judged));
        zero.add(if found.is_empty() { 1.0 } else { 0.0 });
        for wrong in typos.iter_mut().filter_map(|typos| typos.typo(q)) {
            let found = grades_of_hits(index, &wrong, grades, ids)?;
            typo.add(ndcg_at_10(&found, &judged));
        }
    }
    Ok(Quality {
        queries: plain.count(),
        ndcg_at_10: plain.get(),
        zero_share: zero.get(),
        typo_ndcg_at_10: typo.get(),
    })
}

fn grades_of_hits(
    index: &TemporaryIndex,
    q: &str,
    grades: &BTreeMap<String, f64>,
    ids: &BTreeMap<Uuid, String>,
) -> Result<Vec<f64>, Error> {
    let results = index.search(&Query { q: q.to_owned(), limit: 10, ..Query::default() })?;
    let grade = |id: &Uuid| ids.get(id).and_then(|id| grades.get(id)).copied().unwrap_or(0.0);
    Ok(results.items.iter().map(|hit| grade(&hit.product_id)).collect())
}
