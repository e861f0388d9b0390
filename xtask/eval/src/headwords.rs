//! Search on the sample catalogue with the labelled queries of the project.

use std::collections::BTreeMap;

use sample_catalogue::SampleProduct;
use search_sync::index::{Document, Match, Query};
use uuid::Uuid;

use crate::{
    error::Error,
    labels::{Label, Language},
    products::{self, TemporaryIndex},
    score::{Mean, share},
};

/// How many of the first hits should be in the category that the query names.
const PRECISION_AT: usize = 8;
/// How many of the first hits should be relevant.
const RECALL_AT: usize = 10;

/// The sample catalogue and its index.
#[derive(Debug)]
pub struct Shop {
    index: TemporaryIndex,
    products: BTreeMap<Uuid, SampleProduct>,
}

impl Shop {
    /// Builds the index of the first products of the sample catalogue.
    pub fn build(count: usize) -> Result<Self, Error> {
        let (products, documents): (Vec<SampleProduct>, Vec<Document>) =
            products::sample(count).into_iter().unzip();
        let ids: Vec<Uuid> = documents.iter().map(|document| document.product_id).collect();
        let index = products::index(documents)?;
        Ok(Self { index, products: ids.into_iter().zip(products).collect() })
    }

    /// Searches one labelled query.
    pub fn search(&self, label: &Label) -> Result<Outcome, Error> {
        let query = Query { q: label.query.clone(), limit: RECALL_AT, ..Query::default() };
        let results = self.index.search(&query)?;
        let hits: Vec<&SampleProduct> =
            results.items.iter().filter_map(|hit| self.products.get(&hit.product_id)).collect();
        let relevant = self.products.values().filter(|product| label.is_relevant(product)).count();
        let first = relevant.min(PRECISION_AT);
        let right = hits.iter().take(first).filter(|product| label.is_in_category(product)).count();
        let found = hits.iter().filter(|product| label.is_relevant(product)).count();
        Ok(Outcome {
            category_precision: share(right, first),
            recall: share(found, relevant.min(RECALL_AT)),
            is_empty: hits.is_empty(),
            is_guess: matches!(
                results.best_match,
                Match::Guess | Match::Nothing | Match::Corrected
            ),
        })
    }
}

/// How well a query was answered.
#[derive(Debug)]
pub struct Outcome {
    /// The share of the first eight hits that are in the category. Of fewer hits, if fewer products are relevant.
    pub category_precision: f64,
    /// The share of the first ten places that have a relevant product, of those that could.
    pub recall: f64,
    pub is_empty: bool,
    /// Whether no product matches the query as typed, and the answer shows it.
    pub is_guess: bool,
}

/// The figures over some labelled queries.
#[derive(Debug, Default)]
pub struct Figures {
    pub category_precision_at_8: Mean,
    /// Of the queries for what is sold.
    pub zero_share: Mean,
    pub zh_recall_at_10: Mean,
    pub en_recall_at_10: Mean,
    pub pinyin_recall_at_10: Mean,
    pub typo_recall_at_10: Mean,
    /// The share of the queries for what is not sold with an answer that shows it.
    pub unsold_honest: Mean,
}

impl Figures {
    /// Searches these queries.
    pub fn measure<'a>(
        shop: &Shop,
        labels: impl IntoIterator<Item = &'a Label>,
    ) -> Result<Self, Error> {
        let mut figures = Self::default();
        for label in labels {
            figures.add(label, &shop.search(label)?);
        }
        Ok(figures)
    }

    fn add(&mut self, label: &Label, outcome: &Outcome) {
        let number = |holds: bool| if holds { 1.0 } else { 0.0 };
        if !label.is_sold() {
            self.unsold_honest.add(number(outcome.is_guess));
            return;
        }
        self.zero_share.add(number(outcome.is_empty));
        if label.names_category() {
            self.category_precision_at_8.add(outcome.category_precision);
        }
        match label.language {
            Some(Language::Zh) => self.zh_recall_at_10.add(outcome.recall),
            Some(Language::En) => self.en_recall_at_10.add(outcome.recall),
            Some(Language::Pinyin) => self.pinyin_recall_at_10.add(outcome.recall),
            Some(Language::Typo) => self.typo_recall_at_10.add(outcome.recall),
            None => {}
        }
    }
}
