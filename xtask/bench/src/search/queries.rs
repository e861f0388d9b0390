//! Searches as shoppers send them.

use eval::labels::{self, Label, Language};
use rand::{SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _, seq::SliceRandom as _};
use search_sync::index::{Facet, Query};

use crate::error::Error;

/// The number of queries of each kind: Chinese, English, pinyin, with a typo.
const TYPED: [(Language, usize); 4] =
    [(Language::Zh, 60), (Language::En, 40), (Language::Pinyin, 25), (Language::Typo, 25)];

/// The number of categories that are browsed without a text.
const BROWSED: usize = 20;

/// The number of Chinese queries with a filter.
const FILTERED: usize = 30;

/// The prices of a filter in minor units.
const PRICES: (i64, i64) = (5_000, 50_000);

/// The facets that every search counts.
const FACETS: [Facet; 4] = [Facet::Brand, Facet::Category, Facet::Price, Facet::InStock];

/// 200 searches with facets, in a shuffled order: the labelled queries of the project in Chinese, English, pinyin and
/// with typos, categories, and queries with a filter for price, category or brand.
pub(super) fn mixed() -> Result<Vec<Query>, Error> {
    let labels = labels::read(&labels::path())?;
    let mut rng = StdRng::seed_from_u64(0);
    let of = |language: Language| {
        let found = labels.iter().filter(move |label| label.language == Some(language));
        found.collect::<Vec<&Label>>()
    };
    let mut queries = Vec::new();
    for (language, count) in TYPED {
        let texts = of(language);
        queries.extend(texts.choose_multiple(&mut rng, count).map(|label| typed(label)));
    }
    let mut categories: Vec<&str> = labels.iter().filter_map(Label::first_category).collect();
    categories.sort_unstable();
    categories.dedup();
    let browsed = categories.choose_multiple(&mut rng, BROWSED);
    queries.extend(browsed.map(|path| Query { category: Some((*path).to_owned()), ..base() }));
    let mut brands: Vec<&str> = labels.iter().filter_map(Label::brand).collect();
    brands.sort_unstable();
    brands.dedup();
    let filtered = of(Language::Zh);
    for (number, label) in filtered.choose_multiple(&mut rng, FILTERED).enumerate() {
        let query = typed(label);
        queries.push(match number % 3 {
            0 => Query { price_min: Some(PRICES.0), price_max: Some(PRICES.1), ..query },
            1 => Query { category: label.first_category().map(str::to_owned), ..query },
            _ => {
                let brand = label.brand().or_else(|| brands.choose(&mut rng).copied());
                Query { brands: brand.map(str::to_owned).into_iter().collect(), ..query }
            }
        });
    }
    queries.shuffle(&mut rng);
    Ok(queries)
}

fn base() -> Query {
    Query { facets: FACETS.to_vec(), ..Query::default() }
}

fn typed(label: &Label) -> Query {
    Query { q: label.query.clone(), ..base() }
}

/// The parameters of `GET /v1/search`.
pub(super) fn parameters(query: &Query) -> Vec<(&'static str, String)> {
    let facets: Vec<String> = query.facets.iter().map(ToString::to_string).collect();
    // The words for a price stay in the text, as in the query that is compared.
    let mut found = vec![("facets", facets.join(",")), ("price_words", "false".to_owned())];
    if !query.q.is_empty() {
        found.push(("q", query.q.clone()));
    }
    found.extend(query.category.iter().map(|path| ("category", path.clone())));
    found.extend(query.brands.iter().map(|brand| ("brand", brand.clone())));
    found.extend(query.price_min.map(|amount| ("price_min", amount.to_string())));
    found.extend(query.price_max.map(|amount| ("price_max", amount.to_string())));
    found
}

#[cfg(test)]
mod tests {
    use super::{mixed, parameters};

    #[test]
    fn there_are_200_queries_of_all_kinds() {
        let queries = mixed().unwrap();
        assert_eq!(queries.len(), 200);
        for name in ["q", "category", "brand", "price_min", "price_max"] {
            let with = queries
                .iter()
                .filter(|query| parameters(query).iter().any(|(parameter, _)| *parameter == name));
            assert!(with.count() >= 10, "{name}");
        }
    }
}
