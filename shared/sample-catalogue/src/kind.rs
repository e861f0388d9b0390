//! The types of the data files: what a kind of product is made of.
//!
//! Most of them are rows in the files: `["{theme}金装", "{theme} Gold", 109, 159]` is a [`Series`]. A text may
//! hold `{key}` placeholders. A key names a fact, a choice or an axis of the same kind, or is one of `brand`,
//! `maker`, `model`, `point` and `point2`.

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{colours::colour, product::Bilingual};

/// A property of a product. Without a name it is no attribute, and serves templates alone.
#[derive(Debug, Deserialize)]
pub(crate) struct Fact {
    pub(crate) key: String,
    pub(crate) name: String,
    zh: String,
    en: String,
}

/// A decision that is made once per product, such as how many keys a keyboard has.
#[derive(Debug, Deserialize)]
pub(crate) struct Choice {
    pub(crate) key: String,
    /// The name of the attribute; empty if the value is not shown as one.
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) values: Vec<ChoiceValue>,
}

/// One answer to a choice.
#[derive(Debug, Deserialize)]
pub(crate) struct ChoiceValue {
    zh: String,
    en: String,
    /// What the value adds to the price, in percent; negative if it makes the product cheaper.
    #[serde(default)]
    pub(crate) percent: i64,
    /// What this value implies.
    #[serde(default)]
    pub(crate) facts: Vec<Fact>,
}

/// A dimension along which the variants of one product differ.
#[derive(Debug, Deserialize)]
pub(crate) struct Axis {
    pub(crate) key: String,
    pub(crate) name: String,
    #[serde(default = "one")]
    pub(crate) least: usize,
    pub(crate) most: usize,
    /// Whether neighbouring values are taken (sizes) or any of them (colours).
    #[serde(default)]
    pub(crate) neighbours: bool,
    /// A value that is only a code is one of the shared colours.
    #[serde(deserialize_with = "axis_values")]
    pub(crate) values: Vec<AxisValue>,
}

/// One position on an axis.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AxisValue {
    /// Its part of the SKU.
    pub(crate) code: String,
    pub(crate) zh: String,
    pub(crate) en: String,
    /// What the value adds to the price, in percent.
    #[serde(default)]
    pub(crate) percent: i64,
}

/// Models of one brand that share a naming scheme and a price range.
#[derive(Debug, Deserialize)]
pub(crate) struct Series {
    /// The name of the model; each `#` becomes a digit.
    zh: String,
    en: String,
    /// The range of the price before any percentage, in whole yuan.
    pub(crate) low_yuan: u32,
    pub(crate) high_yuan: u32,
    /// What holds for every model of the series; a fact settles the choice with the same key.
    #[serde(default)]
    pub(crate) facts: Vec<Fact>,
}

/// A brand and what it makes of this kind.
#[derive(Debug, Deserialize)]
pub(crate) struct Brand {
    pub(crate) code: String,
    pub(crate) zh: String,
    pub(crate) en: String,
    pub(crate) series: Vec<Series>,
}

/// One kind of product: everything that is needed to generate any number of plausible ones.
///
/// Several kinds may share a category where their words must not mix (an iPhone has no Android).
#[derive(Debug, Deserialize)]
pub(crate) struct Kind {
    /// The category path, three levels.
    pub(crate) category: String,
    pub(crate) code: String,
    /// The attribute that shows the model; empty if the model is part of the title alone.
    #[serde(default)]
    pub(crate) model_attribute: String,
    /// Distinguishes a model that was already used from its predecessor, with `{n}` from 2 upwards. Without
    /// it the kind runs out of products.
    #[serde(default)]
    pub(crate) edition: Option<Bilingual>,
    pub(crate) brands: Vec<Brand>,
    pub(crate) choices: Vec<Choice>,
    pub(crate) axes: Vec<Axis>,
    /// Selling points, as noun phrases; two of them are drawn per product.
    pub(crate) points: Vec<Bilingual>,
    pub(crate) titles: Vec<Bilingual>,
    /// The sentences of a description: one is drawn from each list.
    pub(crate) story: Vec<Vec<Bilingual>>,
}

impl Fact {
    pub(crate) fn text(&self) -> Bilingual {
        Bilingual::new(&self.zh, &self.en)
    }
}

impl ChoiceValue {
    pub(crate) fn text(&self) -> Bilingual {
        Bilingual::new(&self.zh, &self.en)
    }
}

impl Series {
    pub(crate) fn model(&self) -> Bilingual {
        Bilingual::new(&self.zh, &self.en)
    }
}

impl Brand {
    pub(crate) fn name(&self) -> Bilingual {
        Bilingual::new(&self.zh, &self.en)
    }
}

fn one() -> usize {
    1
}

fn axis_values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<AxisValue>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Entry {
        Colour(String),
        Value(AxisValue),
    }
    let entries: Vec<Entry> = Vec::deserialize(deserializer)?;
    let value = |entry| match entry {
        Entry::Value(value) => Ok(value),
        Entry::Colour(code) => match colour(&code) {
            Some(Bilingual { zh, en }) => Ok(AxisValue { code, zh, en, percent: 0 }),
            None => Err(D::Error::custom(format!("`{code}` is no colour"))),
        },
    };
    entries.into_iter().map(value).collect()
}
