//! The shape of the vocabulary: what a kind of product is made of.
//!
//! The files in `categories/` fill these types with words; the generator draws from them. A text
//! may hold `{key}` placeholders, which name a fact, a choice or an axis of the same kind, or one
//! of `{brand}`, `{model}`, `{point}` and `{point2}`.

/// The same words in both languages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    pub zh: &'static str,
    pub en: &'static str,
}

/// Something that is so: shown under `name` among the attributes, or, where `name` is empty, only
/// there to be put into sentences by its `key`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fact {
    pub key: &'static str,
    pub name: &'static str,
    pub text: Text,
}

/// One of the values that a choice or an axis can take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value {
    /// What stands for the value in a SKU; empty for a choice, which never gets there.
    pub code: &'static str,
    pub text: Text,
    /// What the value adds to the price, in percent; negative where it makes the product cheaper.
    pub percent: i64,
    /// What else is so once this value is taken.
    pub facts: &'static [Fact],
}

/// A question that is settled once per product, such as how many keys a keyboard has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice {
    pub key: &'static str,
    /// The name of the attribute; empty where the answer is not shown as one.
    pub name: &'static str,
    pub values: &'static [Value],
}

/// A dimension along which the variants of one product differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    pub key: &'static str,
    pub name: &'static str,
    pub least: usize,
    pub most: usize,
    /// Whether neighbouring values are taken (sizes) or any of them (colours).
    pub neighbours: bool,
    pub values: &'static [Value],
}

/// Models of one brand that share a naming scheme and a price range.
///
/// Each `#` in the name becomes a digit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Series {
    pub model: Text,
    /// The range of the price before any percentage, in whole yuan.
    pub yuan: (u32, u32),
    /// What holds for every model of the series; it settles the choice with the same key.
    pub facts: &'static [Fact],
}

/// A brand and what it makes of this kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Brand {
    pub code: &'static str,
    pub name: Text,
    pub series: &'static [Series],
}

/// One kind of product: everything that is needed to make up any number of believable ones.
///
/// Several kinds may share a category where their words must not mix (an iPhone has no Android).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// The category path, three levels.
    pub category: &'static str,
    pub code: &'static str,
    /// The attribute that shows the model; empty where the model is part of the title alone.
    pub model_attribute: &'static str,
    /// How a model that was already used is told from its predecessor, with `{n}` from 2 upwards.
    /// Without it the kind runs out of products.
    pub edition: Option<Text>,
    pub brands: &'static [Brand],
    pub choices: &'static [Choice],
    pub axes: &'static [Axis],
    /// Selling points, as noun phrases; two of them are drawn per product.
    pub points: &'static [Text],
    pub titles: &'static [Text],
    /// The sentences of a description: one is drawn from each list.
    pub story: &'static [&'static [Text]],
}

pub(crate) const fn text(zh: &'static str, en: &'static str) -> Text {
    Text { zh, en }
}

pub(crate) const fn fact(
    key: &'static str,
    name: &'static str,
    zh: &'static str,
    en: &'static str,
) -> Fact {
    Fact { key, name, text: text(zh, en) }
}

pub(crate) const fn value(zh: &'static str, en: &'static str) -> Value {
    Value { code: "", text: text(zh, en), percent: 0, facts: &[] }
}

/// A value of an axis, with its part of the SKU.
pub(crate) const fn option(code: &'static str, zh: &'static str, en: &'static str) -> Value {
    Value { code, text: text(zh, en), percent: 0, facts: &[] }
}

impl Value {
    pub(crate) const fn percent(self, percent: i64) -> Self {
        Self { percent, ..self }
    }

    pub(crate) const fn with(self, facts: &'static [Fact]) -> Self {
        Self { facts, ..self }
    }
}

pub(crate) const fn choice(
    key: &'static str,
    name: &'static str,
    values: &'static [Value],
) -> Choice {
    Choice { key, name, values }
}

/// An axis that takes any of its values, up to `most`.
pub(crate) const fn any_of(
    key: &'static str,
    name: &'static str,
    most: usize,
    values: &'static [Value],
) -> Axis {
    Axis { key, name, least: 1, most, neighbours: false, values }
}

/// An axis that takes between `least` and `most` neighbouring values.
pub(crate) const fn run_of(
    key: &'static str,
    name: &'static str,
    least: usize,
    most: usize,
    values: &'static [Value],
) -> Axis {
    Axis { key, name, least, most, neighbours: true, values }
}

pub(crate) const fn series(
    zh: &'static str,
    en: &'static str,
    low_yuan: u32,
    high_yuan: u32,
) -> Series {
    Series { model: text(zh, en), yuan: (low_yuan, high_yuan), facts: &[] }
}

impl Series {
    pub(crate) const fn with(self, facts: &'static [Fact]) -> Self {
        Self { facts, ..self }
    }
}

pub(crate) const fn brand(
    code: &'static str,
    zh: &'static str,
    en: &'static str,
    series: &'static [Series],
) -> Brand {
    Brand { code, name: text(zh, en), series }
}
