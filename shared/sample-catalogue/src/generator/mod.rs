//! Draws products from the data files.

mod barcode;
mod dice;
mod pricing;
mod wording;

use std::collections::{BTreeMap, HashMap};

use self::{
    barcode::barcode,
    dice::Dice,
    pricing::{ENDINGS, Ending, raised, shelf_price},
    wording::{Words, brand_in_title, listed, slug},
};
use crate::{
    data::KINDS,
    kind::{Axis, AxisValue, Brand, Kind},
    product::{Bilingual, SamplePrice, SampleProduct, SampleVariant},
};

/// The most variants that a product has.
const MOST_VARIANTS: usize = 6;

/// How often the draw of a used model is repeated before it becomes a new edition.
const REDRAWS: usize = 20;

/// The products of one catalogue, one after the other.
///
/// Kinds come in rounds, each in its own shuffled order, so that every stretch of the catalogue is mixed.
pub(crate) struct Generator {
    dice: Dice,
    round: Vec<&'static Kind>,
    /// How often each model was used, by kind, brand and name.
    models: HashMap<String, u32>,
    /// How often each stem of a SKU was requested.
    stems: HashMap<String, u32>,
    barcodes: u64,
}

/// A product before it has variants.
struct Draft {
    brand: &'static Brand,
    model: Bilingual,
    words: Words,
    /// The price before the percentages of the axes.
    fen: i64,
}

/// An axis with the values that this product has on it.
struct Chosen {
    axis: &'static Axis,
    values: Vec<&'static AxisValue>,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            round: Vec::new(),
            models: HashMap::new(),
            stems: HashMap::new(),
            barcodes: 0,
        }
    }

    /// The next product of this kind; none once the kind has run out of models.
    fn product(&mut self, kind: &'static Kind) -> Option<SampleProduct> {
        let Draft { brand, model, mut words, fen } = self.unused_model(kind)?;
        let chosen = self.choose_options(kind);
        let stem = self.unused_stem(kind, brand, &model);

        words.add_name("model", &kind.model_attribute, model);
        for Chosen { axis, values } in &chosen {
            words.add(&axis.key, "", listed(values));
        }
        self.add_points(kind, &mut words);
        let (title, description) = self.write(kind, brand, &mut words);
        let attributes = words.attributes().map(|(name, value)| (name, value.to_owned())).collect();
        let ending = *self.dice.pick(&ENDINGS);
        Some(SampleProduct {
            title,
            description,
            brand: &brand.zh,
            category: &kind.category,
            attributes,
            images: Vec::new(),
            status: "active",
            variants: self.variants(&stem, fen, &chosen, ending),
        })
    }

    /// Draws until the model is new; a kind with few models gets a new edition of a used one.
    fn unused_model(&mut self, kind: &'static Kind) -> Option<Draft> {
        let mut draft = self.draft(kind);
        for _ in 0..REDRAWS {
            if !self.models.contains_key(&model_key(kind, &draft)) {
                break;
            }
            draft = self.draft(kind);
        }
        let used = self.models.entry(model_key(kind, &draft)).or_default();
        *used += 1;
        if *used > 1 {
            let mut number = Words::default();
            number.add("n", "", Bilingual { zh: used.to_string(), en: used.to_string() });
            let edition = number.sentence(kind.edition.as_ref()?);
            draft.model = Bilingual {
                zh: format!("{} {}", draft.model.zh, edition.zh),
                en: format!("{} {}", draft.model.en, edition.en),
            };
        }
        Some(draft)
    }

    fn draft(&mut self, kind: &'static Kind) -> Draft {
        let brand = &kind.brands[self.dice.index(kind.brands.len())];
        let series = self.dice.pick(&brand.series);
        let mut words = Words::default();
        words.add_facts(&series.facts);
        let mut percents = Vec::new();
        for choice in &kind.choices {
            if words.knows(&choice.key) {
                continue;
            }
            let value = self.dice.pick(&choice.values);
            percents.push(value.percent);
            words.add(&choice.key, &choice.name, value.text());
            words.add_facts(&value.facts);
        }
        let model = self.number(words.sentence(&series.model()));
        let plain = i64::from(self.dice.between(series.low_yuan, series.high_yuan)) * 100;
        let fen = percents.into_iter().fold(plain, raised);
        Draft { brand, model, words, fen }
    }

    /// Replaces each `#` with a digit, the same in both languages; the first digit is not 0.
    fn number(&mut self, mut model: Bilingual) -> Bilingual {
        let mut lowest = 1;
        while model.zh.contains('#') {
            let digit = self.dice.between(lowest, 9).to_string();
            model.zh = model.zh.replacen('#', &digit, 1);
            model.en = model.en.replacen('#', &digit, 1);
            lowest = 0;
        }
        model
    }

    /// The stem that all SKUs of a product share. Its parts contain no dash, so that SKUs of different stems
    /// cannot collide.
    fn unused_stem(&mut self, kind: &Kind, brand: &Brand, model: &Bilingual) -> String {
        let plain = format!("{}-{}-{}", kind.code, brand.code, slug(&model.en));
        let mut stem = plain.clone();
        while self.stems.contains_key(&stem) {
            let requests = self.stems.entry(plain.clone()).or_default();
            *requests += 1;
            // The X separates the number from the digits of the model.
            stem = format!("{plain}X{requests}");
        }
        self.stems.insert(stem.clone(), 1);
        stem
    }

    fn choose_options(&mut self, kind: &'static Kind) -> Vec<Chosen> {
        let mut room = MOST_VARIANTS;
        let mut chosen = Vec::with_capacity(kind.axes.len());
        for axis in &kind.axes {
            let most = axis.most.min(axis.values.len()).min(room);
            let least = axis.least.min(most);
            let count = least + self.dice.index(most - least + 1);
            room /= count;
            chosen.push(Chosen { axis, values: self.values_on(axis, count) });
        }
        chosen
    }

    /// Some values of an axis, in the order of the data file.
    fn values_on(&mut self, axis: &'static Axis, count: usize) -> Vec<&'static AxisValue> {
        if axis.neighbours {
            let first = self.dice.index(axis.values.len() - count + 1);
            return axis.values[first..first + count].iter().collect();
        }
        let mut indices: Vec<usize> = (0..axis.values.len()).collect();
        self.dice.shuffle(&mut indices);
        indices.truncate(count);
        indices.sort_unstable();
        indices.into_iter().map(|index| &axis.values[index]).collect()
    }

    fn add_points(&mut self, kind: &Kind, words: &mut Words) {
        let first = self.dice.index(kind.points.len());
        let further = 1 + self.dice.index(kind.points.len() - 1);
        words.add("point", "", kind.points[first].clone());
        words.add("point2", "", kind.points[(first + further) % kind.points.len()].clone());
    }

    /// Title and description. The title shows the brand in both languages, the description in its own.
    fn write(&mut self, kind: &Kind, brand: &Brand, words: &mut Words) -> (Bilingual, Bilingual) {
        words.add_name("brand", "", brand.name());
        words.add_name("maker", "", brand_in_title(&brand.name()));
        let title = words.title(self.dice.pick(&kind.titles));
        let mut description = Bilingual { zh: String::new(), en: String::new() };
        for alternatives in &kind.story {
            let sentence = words.sentence(self.dice.pick(alternatives));
            description.zh.push_str(&sentence.zh);
            if !description.en.is_empty() {
                description.en.push(' ');
            }
            description.en.push_str(&sentence.en);
        }
        (title, description)
    }

    fn variants(
        &mut self,
        stem: &str,
        fen: i64,
        chosen: &[Chosen],
        ending: Ending,
    ) -> Vec<SampleVariant> {
        let mut combinations: Vec<Vec<(&'static str, &'static AxisValue)>> = vec![Vec::new()];
        for Chosen { axis, values } in chosen {
            combinations = combinations
                .iter()
                .flat_map(|combination| {
                    values.iter().map(|value| {
                        let mut longer = combination.clone();
                        longer.push((&*axis.name, *value));
                        longer
                    })
                })
                .collect();
        }
        let sold = combinations.into_iter().map(|combination| {
            let mut sku = stem.to_owned();
            let mut options = BTreeMap::new();
            let mut fen = fen;
            for (name, value) in combination {
                sku.push('-');
                sku.push_str(&value.code);
                options.insert(name, &*value.zh);
                fen = raised(fen, value.percent);
            }
            self.barcodes += 1;
            SampleVariant {
                sku,
                options,
                price: SamplePrice { amount: shelf_price(fen, ending), currency: "CNY" },
                barcode: barcode(self.barcodes),
            }
        });
        sold.collect()
    }
}

impl Iterator for Generator {
    type Item = SampleProduct;

    /// Always a product: most kinds never run out of editions.
    fn next(&mut self) -> Option<SampleProduct> {
        loop {
            if self.round.is_empty() {
                self.round = KINDS.iter().collect();
                self.dice.shuffle(&mut self.round);
            }
            let kind = self.round.pop()?;
            if let Some(product) = self.product(kind) {
                return Some(product);
            }
        }
    }
}

fn model_key(kind: &Kind, draft: &Draft) -> String {
    format!("{}/{}/{}", kind.code, draft.brand.code, draft.model.en)
}
