//! What the index and a search ask of Tantivy. Benchmarks compare the service with it.

use std::ops::Bound;

use tantivy::{
    TantivyDocument, Term,
    query::{AllQuery, BooleanQuery, Query as TantivyQuery, RangeQuery},
};

use super::{
    collector::HitCollector,
    document::Document,
    filter::resolve_brands,
    open::Index,
    query::{Query, SearchError},
    query_parser::{add_synonyms, parse},
    schema::{column, fold_path, fold_value, to_tantivy, value_prefix},
    settings::SearchSettings,
};

impl Index {
    /// The Tantivy index below, with its schema and tokenizers.
    pub fn tantivy(&self) -> &tantivy::Index {
        &self.inner
    }

    /// A document as it is added to the Tantivy index.
    pub fn tantivy_document(&self, document: &Document) -> Result<TantivyDocument, SearchError> {
        to_tantivy(&self.fields, document).map_err(SearchError::Decode)
    }

    /// The Tantivy queries that a search runs, from the exact to the last relaxed one, each with the filters for
    /// brand, category and price. Rules are left out.
    pub fn tantivy_queries(
        &self,
        query: &Query,
        settings: &SearchSettings,
    ) -> Result<Vec<Box<dyn TantivyQuery>>, SearchError> {
        let searcher = self.searcher();
        let brands = resolve_brands(&searcher, &query.brands)?;
        let filtered = Query { brands, ..query.clone() };
        let moment = settings.moment(None, chrono::DateTime::UNIX_EPOCH);
        let synonyms = settings.synonyms(moment);
        let mut parsed = parse(&query.q);
        add_synonyms(&query.q, synonyms, &mut parsed);
        let mut ran: Vec<Box<dyn TantivyQuery>> = Vec::new();
        if parsed.is_blank {
            ran.push(Box::new(AllQuery));
        } else if !parsed.words.is_empty() {
            let mut collector = HitCollector::new(&searcher, &filtered, None, 0);
            collector.record_queries();
            self.collect_levels(&mut collector, query, &mut parsed, synonyms)?;
            ran = collector.recorded_queries();
        }
        let filters = self.filter_clauses(&filtered);
        let with_filters = |text: Box<dyn TantivyQuery>| {
            if filters.is_empty() {
                return text;
            }
            let clauses = filters.iter().map(|clause| clause.box_clone());
            Box::new(BooleanQuery::intersection(std::iter::once(text).chain(clauses).collect()))
        };
        Ok(ran.into_iter().map(with_filters).collect())
    }

    fn filter_clauses(&self, query: &Query) -> Vec<Box<dyn TantivyQuery>> {
        let schema = self.inner.schema();
        let field = |name: &str| schema.get_field(name).ok();
        // All spellings of a value begin with its prefix; the character after the separator ends the range.
        let values = |name: &str, folded: &str| {
            let start = value_prefix(folded);
            let end = format!("{folded}\u{20}");
            let bounds = field(name).map(|field| {
                let term = |text: &str| Term::from_field_text(field, text);
                (Bound::Included(term(&start)), Bound::Excluded(term(&end)))
            });
            bounds.map(|(from, to)| Box::new(RangeQuery::new(from, to)) as Box<dyn TantivyQuery>)
        };
        let mut clauses: Vec<Box<dyn TantivyQuery>> = Vec::new();
        if !query.brands.is_empty() {
            let brands = query.brands.iter();
            let any = brands.filter_map(|brand| values(column::BRAND, &fold_value(brand)));
            clauses.push(Box::new(BooleanQuery::union(any.collect())));
        }
        if let Some(category) = &query.category {
            clauses.extend(values(column::CATEGORY, &fold_path(category)));
        }
        if let Some(prices) = field(column::PRICES)
            && (query.price_min.is_some() || query.price_max.is_some())
        {
            let bound = |amount: Option<i64>| match amount {
                Some(amount) => {
                    let code = query.currency.to_string();
                    let mut term = Term::from_field_json_path(prices, &code, false);
                    term.append_type_and_fast_value(amount);
                    Bound::Included(term)
                }
                None => Bound::Unbounded,
            };
            let (lowest, highest) = (bound(query.price_min), bound(query.price_max));
            clauses.push(Box::new(RangeQuery::new(lowest, highest)));
        }
        clauses
    }
}
