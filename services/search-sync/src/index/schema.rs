//! The schema of the index, and the conversion of a document.

use std::collections::{BTreeMap, BTreeSet};

use tantivy::{
    SegmentReader, TantivyDocument,
    columnar::Column,
    schema::{
        FAST, Field, INDEXED, IndexRecordOption, OwnedValue, STORED, STRING, Schema,
        TextFieldIndexing, TextOptions,
    },
    tokenizer::{Token, TokenStream, Tokenizer, TokenizerManager},
};
use vocabulary::Currency;

use super::{
    document::{Attribute, Document, LEVELS_MAX, StoredHit},
    query::SearchError,
};
use crate::text;

/// Increase it with every change of the fields or the analysis: an index of another format is rebuilt.
const FORMAT: u32 = 3;
/// Separates the parts of a column value.
const SEPARATOR: char = '\u{1f}';
/// The searchable part of a title, brand or category, in characters.
const TITLE_MAX: usize = 1_000;
/// The searchable part of a description, in characters.
const DESCRIPTION_MAX: usize = 4_000;
/// How many heads of one title are indexed.
const HEADS_MAX: usize = 32;
/// How many attribute values of one document are indexed.
const ATTRIBUTES_MAX: usize = 300;
/// How many options of the variants of one document are indexed.
const OPTIONS_MAX: usize = 1_000;
/// The maximum length of a facet name or value, in characters.
const VALUE_MAX: usize = 120;

/// The field handles, in the order of the schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    /// The product id; documents are replaced and deleted by it.
    pub(crate) id: Field,
    pub(crate) title: Field,
    /// Other spellings of the words of the title.
    pub(crate) spellings: Field,
    /// Chinese characters of title, brand and category.
    pub(crate) characters: Field,
    /// Their pinyin.
    pub(crate) pinyin: Field,
    pub(crate) brand: Field,
    pub(crate) category: Field,
    pub(crate) attributes: Field,
    pub(crate) description: Field,
    /// SKUs and barcodes, letters and digits only.
    pub(crate) sku: Field,
    /// What the product is: the heads of its category and its title.
    pub(crate) head: Field,
    /// A [`StoredHit`] as JSON.
    pub(crate) stored_hit: Field,
    columns: ColumnFields,
}

/// The columnar fields: read per document, not searched.
#[derive(Debug, Clone, Copy)]
struct ColumnFields {
    id_high: Field,
    id_low: Field,
    version: Field,
    brand: Field,
    category: Field,
    attribute: Field,
    available: Field,
    prices: Field,
    in_stock: Field,
    popularity: Field,
}

/// The names of the columnar fields.
pub(crate) mod column {
    pub(crate) const ID_HIGH: &str = "id_high";
    pub(crate) const ID_LOW: &str = "id_low";
    pub(crate) const VERSION: &str = "version";
    pub(crate) const BRAND: &str = "brand_name";
    pub(crate) const CATEGORY: &str = "category_level";
    pub(crate) const ATTRIBUTE: &str = "attribute_pair";
    /// The attributes, and the options of the available variants.
    pub(crate) const AVAILABLE: &str = "available_pair";
    /// The prices of the variants: one column of ascending amounts for each currency, see
    /// [`prices_in`](super::prices_in).
    pub(crate) const PRICES: &str = "prices";
    pub(crate) const IN_STOCK: &str = "in_stock";
    pub(crate) const POPULARITY: &str = "popularity";
}

const WORDS: &str = "words";
const VALUES: &str = "values";
const SPELLINGS: &str = "spellings";
const CHARACTERS: &str = "characters";
const SYLLABLES: &str = "syllables";

/// The schema and its field handles. It contains the format, so Tantivy refuses to open an index of another
/// format.
///
/// The names of existing fields must not change, or every installation rebuilds its index.
pub(crate) fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let phrases = IndexRecordOption::WithFreqsAndPositions;
    let counts = IndexRecordOption::WithFreqs;
    let fields = Fields {
        id: builder.add_text_field("id", STRING),
        title: builder.add_text_field("title", analysed_by(WORDS, phrases)),
        spellings: builder.add_text_field("spellings", analysed_by(SPELLINGS, phrases)),
        characters: builder.add_text_field("characters", analysed_by(CHARACTERS, phrases)),
        pinyin: builder.add_text_field("sounds", analysed_by(SYLLABLES, phrases)),
        brand: builder.add_text_field("brand", analysed_by(WORDS, counts)),
        category: builder.add_text_field("category", analysed_by(WORDS, counts)),
        attributes: builder.add_text_field("attributes", analysed_by(VALUES, counts)),
        description: builder.add_text_field("description", analysed_by(WORDS, counts)),
        sku: builder.add_text_field("sku", STRING),
        head: builder.add_text_field("head", STRING),
        stored_hit: builder.add_bytes_field("shown", STORED),
        columns: ColumnFields {
            id_high: builder.add_u64_field(column::ID_HIGH, FAST),
            id_low: builder.add_u64_field(column::ID_LOW, FAST),
            version: builder.add_i64_field(column::VERSION, FAST),
            brand: builder.add_text_field(column::BRAND, unanalysed()),
            category: builder.add_text_field(column::CATEGORY, unanalysed()),
            attribute: builder.add_text_field(column::ATTRIBUTE, unanalysed()),
            available: builder.add_text_field(column::AVAILABLE, unanalysed()),
            prices: builder.add_json_field(column::PRICES, FAST),
            in_stock: builder.add_bool_field(column::IN_STOCK, FAST),
            popularity: builder.add_f64_field(column::POPULARITY, FAST),
        },
    };
    builder.add_u64_field(&format!("format_{FORMAT}"), INDEXED);
    (builder.build(), fields)
}

fn analysed_by(tokenizer: &str, record: IndexRecordOption) -> TextOptions {
    TextOptions::default().set_indexing_options(
        TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(record),
    )
}

/// A column of unanalysed texts.
fn unanalysed() -> TextOptions {
    FAST.into()
}

/// The tokenizers by the names in the schema.
pub(crate) fn tokenizers() -> TokenizerManager {
    let manager = TokenizerManager::default();
    manager.register(WORDS, TextTokenizer(text::word_tokens));
    manager.register(VALUES, TextTokenizer(text::value_tokens));
    manager.register(SPELLINGS, TextTokenizer(text::spelling_tokens));
    manager.register(CHARACTERS, TextTokenizer(text::character_tokens));
    manager.register(SYLLABLES, TextTokenizer(text::pinyin_tokens));
    manager
}

pub(crate) fn to_tantivy(
    fields: &Fields,
    document: &Document,
) -> Result<TantivyDocument, serde_json::Error> {
    let mut target = TantivyDocument::default();
    target.add_text(fields.id, document.product_id.simple().to_string());
    for title in document.title.texts() {
        target.add_text(fields.title, truncate(title, TITLE_MAX));
        target.add_text(fields.spellings, truncate(title, TITLE_MAX));
    }
    let levels = document.category_levels();
    let names = document.title.texts().chain([document.brand.as_str(), document.category.as_str()]);
    for name in names.filter(|name| name.chars().any(text::is_chinese)) {
        target.add_text(fields.characters, truncate(name, TITLE_MAX));
        target.add_text(fields.pinyin, truncate(name, TITLE_MAX));
    }
    target.add_text(fields.brand, truncate(&document.brand, TITLE_MAX));
    if document.brand.trim().contains(char::is_whitespace) {
        // `Red Bull` is also found as `redbull`.
        target.add_text(fields.brand, collapse(&document.brand));
    }
    target.add_text(fields.category, truncate(&document.category, TITLE_MAX));
    for description in document.description.texts() {
        target.add_text(fields.description, truncate(description, DESCRIPTION_MAX));
    }
    for code in document.skus.iter().chain(&document.barcodes) {
        target.add_text(fields.sku, collapse_code(code));
    }
    add_heads(fields, document, &mut target);
    add_attributes(fields, document, &mut target);
    add_columns(&fields.columns, document, &levels, &mut target);
    target.add_bytes(fields.stored_hit, &serde_json::to_vec(&StoredHit::from(document))?);
    Ok(target)
}

/// Where a head comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Head {
    /// The name of the category of the product.
    Category,
    /// The name of a category above it.
    ParentCategory,
    /// The title.
    Title,
}

/// The token of a head.
pub(crate) fn head_token(kind: Head, head: &str) -> String {
    match kind {
        Head::Category => format!("c:{head}"),
        Head::ParentCategory => format!("p:{head}"),
        Head::Title => format!("t:{head}"),
    }
}

fn add_heads(fields: &Fields, document: &Document, target: &mut TantivyDocument) {
    let mut heads: BTreeSet<(Head, String)> = BTreeSet::new();
    let mut names = document.category.rsplit('/').filter(|name| !name.trim().is_empty());
    let named = |name: &str| text::name_heads(truncate(name, VALUE_MAX));
    if let Some(name) = names.next() {
        heads.extend(named(name).into_iter().map(|head| (Head::Category, head)));
    }
    for name in names.take(LEVELS_MAX) {
        heads.extend(named(name).into_iter().map(|head| (Head::ParentCategory, head)));
    }
    for title in document.title.texts() {
        let found = text::title_heads(truncate(title, TITLE_MAX)).into_iter();
        heads.extend(found.take(HEADS_MAX).map(|head| (Head::Title, head)));
    }
    for (kind, head) in heads {
        target.add_text(fields.head, head_token(kind, &head));
    }
}

fn add_attributes(fields: &Fields, document: &Document, target: &mut TantivyDocument) {
    let mut remaining = ATTRIBUTES_MAX;
    let mut columns = PairColumns { fields: &fields.columns, target, known: BTreeSet::new() };
    for (key, attribute) in &document.attributes {
        match attribute {
            Attribute::Words(words) => {
                for word in words.iter().take(remaining) {
                    columns.target.add_text(fields.attributes, truncate(word, DESCRIPTION_MAX));
                }
            }
            Attribute::Number(number) => {
                columns.target.add_text(fields.attributes, number.to_string());
            }
            Attribute::Flag(_) => {}
        }
        for value in attribute.values().iter().take(remaining) {
            columns.add(key, value, true);
            remaining -= 1;
        }
    }
    let mut words: BTreeSet<&str> = BTreeSet::new();
    for option in document.options.iter().take(OPTIONS_MAX) {
        columns.add(&option.name, &option.value, option.in_stock);
        if words.insert(&option.value) {
            columns.target.add_text(fields.attributes, truncate(&option.value, VALUE_MAX));
        }
    }
}

/// Adds the values of attributes and options to their columns.
struct PairColumns<'a> {
    fields: &'a ColumnFields,
    target: &'a mut TantivyDocument,
    /// The added values with their columns. A product counts once per value, however often and in whatever
    /// spelling it has the value.
    known: BTreeSet<(bool, String)>,
}

impl PairColumns<'_> {
    fn add(&mut self, name: &str, value: &str, in_stock: bool) {
        let folded = format!("{}{}", attribute_prefix(name), fold_value(value));
        let spelled = column_value(&folded, truncate(value.trim(), VALUE_MAX));
        if self.known.insert((false, folded.clone())) {
            self.target.add_text(self.fields.attribute, &spelled);
        }
        if in_stock && self.known.insert((true, folded)) {
            self.target.add_text(self.fields.available, &spelled);
        }
    }
}

fn add_columns(
    fields: &ColumnFields,
    document: &Document,
    levels: &[String],
    target: &mut TantivyDocument,
) {
    let (high, low) = document.product_id.as_u64_pair();
    target.add_u64(fields.id_high, high);
    target.add_u64(fields.id_low, low);
    target.add_i64(fields.version, document.version);
    if !document.brand.trim().is_empty() {
        let brand = truncate(document.brand.trim(), VALUE_MAX);
        target.add_text(fields.brand, column_value(&fold_value(brand), brand));
    }
    for level in levels {
        target.add_text(fields.category, column_value(&fold_path(level), level));
    }
    let mut prices: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for price in &document.prices {
        prices.entry(price.currency.to_string()).or_default().insert(price.amount);
    }
    let column = |amounts: BTreeSet<i64>| amounts.into_iter().map(OwnedValue::I64).collect();
    let columns =
        prices.into_iter().map(|(code, amounts)| (code, OwnedValue::Array(column(amounts))));
    target.add_object(fields.prices, columns.collect());
    target.add_bool(fields.in_stock, document.in_stock);
    let popularity =
        if document.popularity.is_finite() { document.popularity.max(0.0) } else { 0.0 };
    target.add_f64(fields.popularity, popularity);
}

/// The column of the prices in a currency; `None` if no product of the segment has one.
pub(crate) fn prices_in(
    segment: &SegmentReader,
    currency: Currency,
) -> Result<Option<Column<i64>>, SearchError> {
    Ok(segment.fast_fields().column_opt(&format!("{}.{currency}", column::PRICES))?)
}

/// A value in a column: the folded form, by which filters and facets compare, then the spelling, which facets
/// show.
fn column_value(folded: &str, spelling: &str) -> String {
    format!("{folded}{SEPARATOR}{}", spelling.trim().replace(SEPARATOR, " "))
}

/// What all spellings of a folded value start with.
pub(crate) fn value_prefix(folded: &str) -> String {
    format!("{folded}{SEPARATOR}")
}

/// What all values of an attribute start with.
pub(crate) fn attribute_prefix(key: &str) -> String {
    value_prefix(&fold_value(key))
}

/// The name and the value of an attribute, both folded.
pub(crate) fn split_attribute(folded: &str) -> Option<(&str, &str)> {
    folded.split_once(SEPARATOR)
}

/// The folded form and the spelling of a column value.
pub(crate) fn split_value(value: &str) -> (&str, &str) {
    value.rsplit_once(SEPARATOR).unwrap_or((value, value))
}

/// The form in which brands and attribute values are compared.
pub(crate) fn fold_value(value: &str) -> String {
    let folded = text::fold(truncate(value.trim(), VALUE_MAX)).replace(SEPARATOR, " ");
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The form in which category paths are compared.
pub(crate) fn fold_path(path: &str) -> String {
    let names = path.split('/').map(fold_value).filter(|name| !name.is_empty());
    names.collect::<Vec<_>>().join("/")
}

/// Reduces a SKU or a name to letters and digits: `KB-F87 BLK` and `kbf87blk` become equal.
pub(crate) fn collapse(sku: &str) -> String {
    text::fold(sku).chars().filter(|c| c.is_alphanumeric()).take(VALUE_MAX).collect()
}

/// Reduces a SKU or a barcode to letters and digits. A UPC is the EAN with a leading zero.
pub(crate) fn collapse_code(code: &str) -> String {
    let code = collapse(code);
    let is_barcode = (12..=14).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit());
    if is_barcode { code.trim_start_matches('0').to_owned() } else { code }
}

/// The first `max` characters of a text.
fn truncate(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).map_or(text, |(end, _)| &text[..end])
}

/// A tokenizer of [`crate::text`] for Tantivy.
#[derive(Clone)]
struct TextTokenizer(fn(&str) -> Vec<text::Token>);

impl Tokenizer for TextTokenizer {
    type TokenStream<'a> = TextTokens;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> TextTokens {
        TextTokens { remaining: self.0(text).into_iter(), current: Token::default() }
    }
}

struct TextTokens {
    remaining: std::vec::IntoIter<text::Token>,
    current: Token,
}

impl TokenStream for TextTokens {
    fn advance(&mut self) -> bool {
        let Some(next) = self.remaining.next() else { return false };
        self.current = Token {
            offset_from: next.start,
            offset_to: next.end,
            position: next.position,
            text: next.text,
            position_length: 1,
        };
        true
    }

    fn token(&self) -> &Token {
        &self.current
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.current
    }
}
