//! The fields of the index, and how a document fills them.

use tantivy::TantivyDocument;
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{Token, TokenStream, Tokenizer, TokenizerManager};

use super::document::{Attribute, Document, Shown};
use crate::text;

/// To be raised with every change of fields or analysis: an index of another format is built anew.
const FORMAT: u32 = 1;
/// Between key and value of an attribute pair; no text holds it.
pub(super) const PAIR: char = '\u{1f}';
/// How much of a title, brand or category is searched, in characters.
const TITLE_MAX: usize = 1_000;
/// How much of a description is searched, in characters.
const DESCRIPTION_MAX: usize = 4_000;
/// How many attribute values of one document count.
const ATTRIBUTES_MAX: usize = 300;
/// The longest name or value that is counted and filtered by, in characters.
const VALUE_MAX: usize = 120;

/// The field handles, in the order of the schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    /// The product id, to replace and delete by.
    pub(super) id: Field,
    pub(super) title: Field,
    /// Chinese characters of title, brand and category.
    pub(super) characters: Field,
    /// Their sounds.
    pub(super) sounds: Field,
    pub(super) brand: Field,
    pub(super) category: Field,
    pub(super) attributes: Field,
    pub(super) description: Field,
    /// Article numbers, letters and digits only.
    pub(super) sku: Field,
    /// What a hit shows, as JSON.
    pub(super) shown: Field,
    columns: ColumnFields,
}

/// The fields that are read per document rather than matched.
#[derive(Debug, Clone, Copy)]
struct ColumnFields {
    id_high: Field,
    id_low: Field,
    version: Field,
    brand: Field,
    category: Field,
    attribute: Field,
    price_min: Field,
    price_max: Field,
    in_stock: Field,
    popularity: Field,
}

/// The names of the columns, as [`tantivy::fastfield::FastFieldReaders`] asks for them.
pub(super) mod column {
    pub(in super::super) const ID_HIGH: &str = "id_high";
    pub(in super::super) const ID_LOW: &str = "id_low";
    pub(in super::super) const VERSION: &str = "version";
    pub(in super::super) const BRAND: &str = "brand_name";
    pub(in super::super) const CATEGORY: &str = "category_level";
    pub(in super::super) const ATTRIBUTE: &str = "attribute_pair";
    pub(in super::super) const PRICE_MIN: &str = "price_min";
    pub(in super::super) const PRICE_MAX: &str = "price_max";
    pub(in super::super) const IN_STOCK: &str = "in_stock";
    pub(in super::super) const POPULARITY: &str = "popularity";
}

const WORDS: &str = "words";
const CHARACTERS: &str = "characters";
const SYLLABLES: &str = "syllables";

/// The schema with its handles. The format is part of it, so that the library's own comparison refuses another one.
pub(super) fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let phrases = IndexRecordOption::WithFreqsAndPositions;
    let counts = IndexRecordOption::WithFreqs;
    let fields = Fields {
        id: builder.add_text_field("id", STRING),
        title: builder.add_text_field("title", analysed(WORDS, phrases)),
        characters: builder.add_text_field("characters", analysed(CHARACTERS, phrases)),
        sounds: builder.add_text_field("sounds", analysed(SYLLABLES, phrases)),
        brand: builder.add_text_field("brand", analysed(WORDS, counts)),
        category: builder.add_text_field("category", analysed(WORDS, counts)),
        attributes: builder.add_text_field("attributes", analysed(WORDS, counts)),
        description: builder.add_text_field("description", analysed(WORDS, counts)),
        sku: builder.add_text_field("sku", STRING),
        shown: builder.add_bytes_field("shown", STORED),
        columns: ColumnFields {
            id_high: builder.add_u64_field(column::ID_HIGH, FAST),
            id_low: builder.add_u64_field(column::ID_LOW, FAST),
            version: builder.add_i64_field(column::VERSION, FAST),
            brand: builder.add_text_field(column::BRAND, whole()),
            category: builder.add_text_field(column::CATEGORY, whole()),
            attribute: builder.add_text_field(column::ATTRIBUTE, whole()),
            price_min: builder.add_i64_field(column::PRICE_MIN, FAST),
            price_max: builder.add_i64_field(column::PRICE_MAX, FAST),
            in_stock: builder.add_bool_field(column::IN_STOCK, FAST),
            popularity: builder.add_f64_field(column::POPULARITY, FAST),
        },
    };
    builder.add_u64_field(&format!("format_{FORMAT}"), INDEXED);
    (builder.build(), fields)
}

fn analysed(tokenizer: &str, record: IndexRecordOption) -> TextOptions {
    TextOptions::default().set_indexing_options(
        TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(record),
    )
}

/// A column of whole texts.
fn whole() -> TextOptions {
    FAST.into()
}

/// The analysers under the names that the schema uses.
pub(super) fn tokenizers() -> TokenizerManager {
    let manager = TokenizerManager::default();
    manager.register(WORDS, Analysis(text::words));
    manager.register(CHARACTERS, Analysis(text::characters));
    manager.register(SYLLABLES, Analysis(text::syllables));
    manager
}

/// The entry for a document.
pub(super) fn entry(
    fields: &Fields,
    document: &Document,
) -> Result<TantivyDocument, serde_json::Error> {
    let mut entry = TantivyDocument::default();
    entry.add_text(fields.id, document.product_id.simple().to_string());
    for title in document.title.each() {
        entry.add_text(fields.title, shortened(title, TITLE_MAX));
    }
    let levels = document.category_levels();
    let named = document.title.each().chain([document.brand.as_str(), document.category.as_str()]);
    for name in named.filter(|name| name.chars().any(text::is_chinese)) {
        entry.add_text(fields.characters, shortened(name, TITLE_MAX));
        entry.add_text(fields.sounds, shortened(name, TITLE_MAX));
    }
    entry.add_text(fields.brand, shortened(&document.brand, TITLE_MAX));
    entry.add_text(fields.category, shortened(&document.category, TITLE_MAX));
    for description in document.description.each() {
        entry.add_text(fields.description, shortened(description, DESCRIPTION_MAX));
    }
    for sku in &document.skus {
        entry.add_text(fields.sku, collapsed(sku));
    }
    add_attributes(fields, document, &mut entry);
    add_columns(&fields.columns, document, &levels, &mut entry);
    entry.add_bytes(fields.shown, &serde_json::to_vec(&Shown::from(document))?);
    Ok(entry)
}

fn add_attributes(fields: &Fields, document: &Document, entry: &mut TantivyDocument) {
    let mut left = ATTRIBUTES_MAX;
    for (key, attribute) in &document.attributes {
        match attribute {
            Attribute::Words(words) => {
                for word in words.iter().take(left) {
                    entry.add_text(fields.attributes, shortened(word, DESCRIPTION_MAX));
                }
            }
            Attribute::Number(number) => {
                entry.add_text(fields.attributes, number.to_string());
            }
            Attribute::Flag(_) => {}
        }
        for value in attribute.values().iter().take(left) {
            entry.add_text(fields.columns.attribute, pair(key, value));
            left -= 1;
        }
    }
}

fn add_columns(
    fields: &ColumnFields,
    document: &Document,
    levels: &[String],
    entry: &mut TantivyDocument,
) {
    let (high, low) = document.product_id.as_u64_pair();
    entry.add_u64(fields.id_high, high);
    entry.add_u64(fields.id_low, low);
    entry.add_i64(fields.version, document.version);
    if !document.brand.trim().is_empty() {
        entry.add_text(fields.brand, shortened(document.brand.trim(), VALUE_MAX));
    }
    for level in levels {
        entry.add_text(fields.category, level);
    }
    if let Some(price) = &document.price_min {
        entry.add_i64(fields.price_min, price.amount);
    }
    if let Some(price) = &document.price_max {
        entry.add_i64(fields.price_max, price.amount);
    }
    entry.add_bool(fields.in_stock, document.in_stock);
    let popularity =
        if document.popularity.is_finite() { document.popularity.max(0.0) } else { 0.0 };
    entry.add_f64(fields.popularity, popularity);
}

/// The term of an attribute value in its column.
pub(super) fn pair(key: &str, value: &str) -> String {
    format!("{}{PAIR}{}", shortened(key, VALUE_MAX), shortened(value.trim(), VALUE_MAX))
}

/// An article number as it is compared: letters and digits only, so that `KB-F87 BLK` and `kbf87blk` are one.
pub(super) fn collapsed(sku: &str) -> String {
    text::normalise(sku).chars().filter(|c| c.is_alphanumeric()).take(VALUE_MAX).collect()
}

/// The beginning of a text, at most `max` characters of it.
pub(super) fn shortened(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).map_or(text, |(end, _)| &text[..end])
}

/// One of our analyses as the library calls it.
#[derive(Clone)]
struct Analysis(fn(&str) -> Vec<text::Token>);

impl Tokenizer for Analysis {
    type TokenStream<'a> = Analysed;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Analysed {
        Analysed { rest: self.0(text).into_iter(), current: Token::default() }
    }
}

struct Analysed {
    rest: std::vec::IntoIter<text::Token>,
    current: Token,
}

impl TokenStream for Analysed {
    fn advance(&mut self) -> bool {
        let Some(next) = self.rest.next() else { return false };
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
