//! A naive model of the index: a map of documents. Every answer comes from looking at each of them.
//!
//! Its words are invented: none is similar to another one, none is pinyin, and none is part of another one. A word
//! therefore matches the titles with exactly this word, at every level of relaxation.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use proptest::{collection::vec, prelude::*};
use search_sync::index::{
    Attribute, AttributeFilter, Document, Facet, FacetCount, Hit, Index, Localized, Match,
    NumberRange, Price, Query, Results, Sort, VariantOption,
};
use uuid::Uuid;
use vocabulary::Currency;

/// The words of English titles. Many products have one of the first two.
pub const WORDS: [&str; 8] =
    ["alkoryn", "bexuvid", "cimtolpe", "dofwaghu", "fyrnesqa", "gubpixol", "hovzanet", "jekdumri"];
/// The words of Chinese titles, with different sounds.
pub const CHINESE: [&str; 3] = ["麒麟", "貔貅", "饕餮"];
pub const BRANDS: [&str; 4] = ["", "Quvix", "ÓRBITA", "Zuth"];
pub const CATEGORIES: [&str; 5] = ["", "Gear", "Gear/Boards", "Gear/Boards/Small", "Tools"];
pub const COLOURS: [&str; 3] = ["Mauve", "Ochre", "Teal"];
pub const MATERIALS: [&str; 3] = ["", "Steel", "Cork"];

const SORTS: [Sort; 5] =
    [Sort::PriceAscending, Sort::Newest, Sort::Relevance, Sort::PriceDescending, Sort::Popularity];
/// With fewer matches a search by relevance is relaxed.
const ENOUGH_MATCHES: usize = 10;

/// What the catalogue knows about a product. The numbers are places in the lists above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub words: BTreeSet<usize>,
    pub chinese: Option<usize>,
    pub brand: usize,
    pub category: usize,
    pub material: usize,
    /// Colour and price of each variant. One colour has prices in euros, the others in yuan.
    pub variants: Vec<(usize, i64)>,
}

impl Content {
    pub fn title(&self) -> Localized {
        let words: Vec<&str> = self.words.iter().map(|word| WORDS[*word]).collect();
        Localized {
            zh: self.chinese.map(|word| CHINESE[word].to_owned()),
            en: Some(words.join(" ")),
        }
    }

    /// The document of the product, as the service makes it. `available` are the places of the variants in stock.
    pub fn document(
        &self,
        product_id: Uuid,
        version: i64,
        available: &BTreeSet<usize>,
        popularity: f64,
    ) -> Document {
        let colours = self.variants.iter().enumerate();
        let colours = colours.map(|(place, (colour, _))| VariantOption {
            name: "colour".to_owned(),
            value: COLOURS[*colour].to_owned(),
            in_stock: available.contains(&place),
        });
        let material = (self.material > 0).then(|| MATERIALS[self.material].to_owned());
        let material = material.map(|name| ("material".to_owned(), Attribute::Words(vec![name])));
        let length = f64::from(u32::try_from(self.words.len()).unwrap()) / 2.0;
        let length = ("length".to_owned(), Attribute::Number(length));
        let in_stock = (0..self.variants.len()).any(|place| available.contains(&place));
        Document {
            product_id,
            version,
            title: self.title(),
            brand: BRANDS[self.brand].to_owned(),
            category: CATEGORIES[self.category].to_owned(),
            attributes: material.into_iter().chain([length]).collect(),
            options: colours.collect(),
            prices: self.prices(available),
            in_stock,
            popularity,
            ..Document::default()
        }
    }

    /// The prices of the available variants; of all, if none is available.
    fn prices(&self, available: &BTreeSet<usize>) -> Vec<Price> {
        let sold_out = (0..self.variants.len()).all(|place| !available.contains(&place));
        let priced = self.variants.iter().enumerate();
        let priced = priced.filter(|(place, _)| sold_out || available.contains(place));
        priced
            .map(|(_, (colour, amount))| Price {
                amount: *amount,
                currency: if *colour == 2 { Currency::EUR } else { Currency::CNY },
            })
            .collect()
    }
}

/// Any content.
pub fn content() -> impl Strategy<Value = Content> {
    let variant = (0..COLOURS.len(), prop::sample::select(vec![99, 250, 300, 301, 550, 1_000]));
    let words = (0..2_usize, prop::collection::btree_set(2..WORDS.len(), 0..3));
    (
        words,
        prop::option::weighted(0.3, 0..CHINESE.len()),
        (0..BRANDS.len(), 0..CATEGORIES.len(), 0..MATERIALS.len()),
        vec(variant, 1..=2),
    )
        .prop_map(|((first, mut words), chinese, (brand, category, material), variants)| {
            words.insert(first);
            Content { words, chinese, brand, category, material, variants }
        })
}

/// What searches see of the prices: whether the filter accepts the product, and all that order and facet compare.
struct Prices {
    passes: bool,
    amounts: BTreeSet<i64>,
}

/// The only place that knows the meaning of prices.
fn prices(document: &Document, query: &Query) -> Prices {
    let prices = document.prices.iter().filter(|price| price.currency == query.currency);
    let amounts: BTreeSet<i64> = prices.map(|price| price.amount).collect();
    let is_free = query.price_min.is_none() && query.price_max.is_none();
    let accepted = query.price_min.unwrap_or(i64::MIN)..=query.price_max.unwrap_or(i64::MAX);
    Prices { passes: is_free || amounts.range(accepted).next().is_some(), amounts }
}

/// The documents that should be in the index.
#[derive(Debug, Default)]
pub struct Model(BTreeMap<Uuid, Document>);

impl FromIterator<Document> for Model {
    fn from_iter<T: IntoIterator<Item = Document>>(documents: T) -> Self {
        Self(documents.into_iter().map(|document| (document.product_id, document)).collect())
    }
}

impl Model {
    /// Compares the answers of the index with those of the model: to one search in `divisor`, from a place that
    /// `first` tells.
    pub fn assert_equals(&self, index: &Index, first: usize, divisor: usize) {
        let versions = self.0.values().map(|document| (document.product_id, document.version));
        assert_eq!(index.versions().unwrap(), versions.collect::<Vec<_>>());
        assert_eq!(index.documents(), count(self.0.len()));
        let chosen = queries().into_iter().enumerate().skip(first % divisor).step_by(divisor);
        for (number, query) in chosen {
            self.assert_answers(index, &Query { sort: SORTS[number % SORTS.len()], ..query });
        }
    }

    fn assert_answers(&self, index: &Index, query: &Query) {
        let (first, hits) = pages(index, query);
        let expected = self.hits(query);
        let found: Vec<Uuid> = hits.iter().map(|hit| hit.product_id).collect();
        if query.sort == Sort::Relevance {
            let set: BTreeSet<Uuid> = found.iter().copied().collect();
            assert_eq!(set.len(), found.len(), "a product comes twice: {query:?}");
            assert_eq!(set, expected.iter().copied().collect(), "{query:?}");
            assert!(hits.is_sorted_by_key(|hit| hit.matched != Match::Exact), "{query:?}");
        } else {
            assert_eq!(found, expected, "{query:?}");
        }
        assert_eq!(first.total, count(expected.len()), "{query:?}");
        for facet in &query.facets {
            let counted = &first.facets[&facet.to_string()];
            assert_eq!(counted, &self.facet(query, facet), "{facet} of {query:?}");
            let numbers = counted.iter().filter_map(|one| one.number);
            let range = numbers.clone().reduce(f64::min).zip(numbers.reduce(f64::max));
            let range = range.map(|(min, max)| NumberRange { min, max, unit: None });
            assert_eq!(first.number_ranges.get(&facet.to_string()).copied(), range, "{query:?}");
        }
        assert_eq!(first.price_range, self.counted_prices(query), "{query:?}");
        for hit in &hits {
            let document = &self.0[&hit.product_id];
            assert_eq!((hit.version, &hit.title), (document.version, &document.title));
            assert_eq!((&hit.brand, hit.in_stock), (&document.brand, document.in_stock));
            let words: Vec<&str> = query.q.split_whitespace().collect();
            let exact = words.iter().all(|word| has_word(document, word));
            let matched = match (words.is_empty(), exact) {
                (true, _) => Match::Browse,
                (false, true) => Match::Exact,
                (false, false) => Match::Guess,
            };
            assert_eq!(hit.matched, matched, "{query:?}");
        }
    }

    /// The products that match the words: all words, or half of them where few products have all.
    fn matching(&self, query: &Query) -> Vec<&Document> {
        let words: Vec<&str> = query.q.split_whitespace().collect();
        assert!(words.len() <= 2, "one of two words is half of them");
        let with = |least: usize| {
            let enough = move |document: &&Document| {
                words.iter().filter(|word| has_word(document, word)).count()
                    >= least.min(words.len())
            };
            self.0.values().filter(enough).collect::<Vec<&Document>>()
        };
        let all = with.clone()(2);
        let enough = if query.sort == Sort::Relevance { ENOUGH_MATCHES } else { 1 };
        if all.len() >= enough { all } else { with(1) }
    }

    /// The hits of all pages, in order.
    fn hits(&self, query: &Query) -> Vec<Uuid> {
        let mut found = self.matching(query);
        found.retain(|document| passes(document, query, None));
        found.sort_by_key(|document| {
            let Prices { amounts, .. } = prices(document, query);
            let key = match query.sort {
                Sort::Relevance | Sort::Newest => 0,
                Sort::PriceAscending => amounts.first().copied().unwrap_or(i64::MAX),
                Sort::PriceDescending => -amounts.last().copied().unwrap_or(-1),
                // Scores of the tests are whole numbers.
                Sort::Popularity => -format!("{:.0}", document.popularity).parse::<i64>().unwrap(),
            };
            (key, Reverse(document.product_id))
        });
        found.into_iter().map(|document| document.product_id).collect()
    }

    /// The products that count in a facet.
    fn counted(&self, query: &Query, facet: &Facet) -> Vec<&Document> {
        let mut found = self.matching(query);
        found.retain(|document| passes(document, query, Some(facet)));
        found
    }

    fn counted_prices(&self, query: &Query) -> Option<(i64, i64)> {
        let counted = self.counted(query, &Facet::Price);
        let amounts = counted.iter().flat_map(|document| prices(document, query).amounts);
        let amounts: BTreeSet<i64> = amounts.collect();
        Some((*amounts.first()?, *amounts.last()?))
    }

    fn facet(&self, query: &Query, facet: &Facet) -> Vec<FacetCount> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for document in self.counted(query, facet) {
            for value in values(document, query, facet) {
                *counts.entry(value).or_default() += 1;
            }
        }
        let mut found: Vec<FacetCount> = counts
            .into_iter()
            .map(|(value, count)| FacetCount { value, count, number: None })
            .collect();
        if *facet == Facet::Price {
            let start = |range: &FacetCount| range.value.split("..").next().map(str::len);
            found.sort_by_key(|range| (start(range), range.value.clone()));
        } else if *facet == Facet::Attribute("length".to_owned()) {
            for one in &mut found {
                one.number = Some(one.value.parse().unwrap());
            }
            found.sort_by(|a, b| a.number.partial_cmp(&b.number).unwrap());
        } else {
            found.sort_by_key(|value| (Reverse(value.count), fold(&value.value)));
        }
        found
    }
}

/// Whether all filters but that of `ignored` accept the product.
fn passes(document: &Document, query: &Query, ignored: Option<&Facet>) -> bool {
    let counts = |facet: Facet| ignored != Some(&facet);
    let brands: BTreeSet<String> = query.brands.iter().map(|brand| fold(brand)).collect();
    let brand = brands.is_empty() || brands.contains(&fold(&document.brand));
    let category = query.category.as_ref().is_none_or(|category| {
        let below = fold(&document.category).strip_prefix(&fold(category)).map(str::to_owned);
        below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    });
    let in_stock = query.in_stock.is_none_or(|wanted| document.in_stock == wanted);
    (brand || !counts(Facet::Brand))
        && (category || !counts(Facet::Category))
        && (in_stock || !counts(Facet::InStock))
        && (prices(document, query).passes || !counts(Facet::Price))
        && query.attributes.iter().all(|AttributeFilter { name, values, range }| {
            let is_within = |value: &str| {
                range.is_none_or(|range| (range.min..=range.max).contains(&value.parse().unwrap()))
            };
            let is_accepted = |value: &String| values.is_empty() || values.contains(value);
            let has = pairs(document, query)
                .any(|(key, value)| key == *name && is_accepted(&value) && is_within(&value));
            has || !counts(Facet::Attribute(name.clone()))
        })
}

/// The attributes and options. Where products in stock are wanted, only the options of available variants.
fn pairs(document: &Document, query: &Query) -> impl Iterator<Item = (String, String)> {
    let attributes = document.attributes.iter().filter_map(|(name, attribute)| match attribute {
        Attribute::Words(words) => Some((name.clone(), words.concat())),
        Attribute::Number(number) => Some((name.clone(), number.to_string())),
        Attribute::Flag(_) => None,
    });
    let only_available = query.in_stock == Some(true);
    let options = document.options.iter().filter(move |option| option.in_stock || !only_available);
    attributes.chain(options.map(|option| (option.name.clone(), option.value.clone())))
}

/// The values of a product that a facet counts.
fn values(document: &Document, query: &Query, facet: &Facet) -> BTreeSet<String> {
    match facet {
        Facet::Brand => {
            [document.brand.clone()].into_iter().filter(|name| !name.is_empty()).collect()
        }
        Facet::InStock => [document.in_stock.to_string()].into(),
        Facet::Attribute(name) => {
            pairs(document, query).filter(|(key, _)| key == name).map(|(_, value)| value).collect()
        }
        Facet::Category => {
            let depth = query.category.as_ref().map_or(0, |chosen| chosen.split('/').count());
            let names: Vec<&str> =
                document.category.split('/').filter(|name| !name.is_empty()).collect();
            // Of another category, the product counts below that one only.
            let path = (names.len() > depth).then(|| names[..=depth].join("/"));
            let chosen = query.category.as_ref().map(|chosen| fold(&format!("{chosen}/")));
            let below =
                |path: &String| chosen.as_ref().is_none_or(|chosen| fold(path).starts_with(chosen));
            path.into_iter().filter(below).collect()
        }
        Facet::Price => prices(document, query).amounts.into_iter().map(price_range_name).collect(),
        // It stands for other facets, and the model asks for none of its own.
        Facet::Attributes => BTreeSet::new(),
    }
}

/// The range of the series 1, 2, 5, 10 … that has the amount.
fn price_range_name(amount: i64) -> String {
    let powers = (0..15).map(|power| 10_i64.pow(power));
    let bounds: Vec<i64> = powers.flat_map(|power| [power, 2 * power, 5 * power]).collect();
    let range = bounds.windows(2).find(|range| range[0] <= amount && amount < range[1]);
    range.map_or_else(|| "0..1".to_owned(), |range| format!("{}..{}", range[0], range[1]))
}

fn has_word(document: &Document, word: &str) -> bool {
    let titles = [&document.title.zh, &document.title.en];
    titles.into_iter().flatten().any(|title| title.split(' ').any(|one| one == word))
}

fn fold(text: &str) -> String {
    text.to_lowercase().replace('ó', "o")
}

fn facets_of(query: Query) -> Query {
    let attributes = ["colour", "material", "length"].map(|name| Facet::Attribute(name.to_owned()));
    let facets = [Facet::Brand, Facet::Category, Facet::Price, Facet::InStock].into_iter();
    Query { facets: facets.chain(attributes).collect(), ..query }
}

/// A filter by the values of an attribute.
fn accepted(name: &str, values: &[&str]) -> AttributeFilter {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    AttributeFilter { name: name.to_owned(), values, range: None }
}

/// Searches with words, and with filters alone and combined.
fn queries() -> Vec<Query> {
    let texts = WORDS.iter().chain(&CHINESE).map(|word| (*word).to_owned());
    let texts = texts.chain([
        String::new(),
        format!("{} {}", WORDS[0], WORDS[2]),
        format!("{} {}", WORDS[3], WORDS[1]),
        format!("{} {}", WORDS[5], CHINESE[0]),
    ]);
    let texts: Vec<String> = texts.collect();
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let filters = [
        Query { brands: owned(&["quvix"]), ..Query::default() },
        Query { brands: owned(&["Orbita", "zuth"]), ..Query::default() },
        Query { category: Some("gear".to_owned()), ..Query::default() },
        Query { category: Some("Gear/Boards".to_owned()), ..Query::default() },
        Query { price_min: Some(300), ..Query::default() },
        Query { price_max: Some(400), ..Query::default() },
        Query { price_min: Some(250), price_max: Some(350), ..Query::default() },
        Query { in_stock: Some(true), ..Query::default() },
        Query { in_stock: Some(false), ..Query::default() },
        Query { attributes: vec![accepted("colour", &["Mauve", "Teal"])], ..Query::default() },
        Query {
            attributes: vec![accepted("colour", &["Ochre"])],
            in_stock: Some(true),
            ..Query::default()
        },
        Query {
            attributes: vec![accepted("material", &["Steel"]), accepted("colour", &["Teal"])],
            price_max: Some(600),
            category: Some("Gear".to_owned()),
            ..Query::default()
        },
        Query { currency: Currency::EUR, price_max: Some(400), ..Query::default() },
        Query { attributes: vec![length(1.0, 1.5)], ..Query::default() },
        Query {
            currency: Currency::EUR,
            attributes: vec![
                AttributeFilter { values: owned(&["0.5", "1"]), ..length(1.0, f64::INFINITY) },
                accepted("colour", &["Teal"]),
            ],
            ..Query::default()
        },
    ];
    let plain =
        texts.iter().flat_map(|q| [q, q]).map(|q| Query { q: q.clone(), ..Query::default() });
    let filtered = filters.iter().enumerate().flat_map(|(number, filter)| {
        let other = &texts[number % texts.len()];
        [String::new(), WORDS[number % 2].to_owned(), other.clone()]
            .map(|q| Query { q, ..filter.clone() })
    });
    plain.chain(filtered).map(facets_of).collect()
}

fn length(min: f64, max: f64) -> AttributeFilter {
    let range = Some(NumberRange { min, max, unit: None });
    AttributeFilter { name: "length".to_owned(), values: Vec::new(), range }
}

/// The first page, and the hits of all pages.
fn pages(index: &Index, query: &Query) -> (Results, Vec<Hit>) {
    let mut query = Query { limit: 7, ..query.clone() };
    let first = index.search(&query).unwrap();
    let (mut hits, mut next) = (first.items.clone(), first.next_cursor.clone());
    while next.is_some() {
        query.cursor = next;
        let page = index.search(&query).unwrap();
        assert_eq!(page.total, first.total, "{query:?}");
        hits.extend(page.items);
        next = page.next_cursor;
    }
    (first, hits)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap()
}
