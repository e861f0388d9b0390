//! Fills templates, capitalises titles, and shortens names for SKUs.

use crate::{
    kind::{AxisValue, Fact},
    product::Bilingual,
};

/// The longest abbreviation of a model in a SKU.
const LONGEST_SLUG: usize = 14;

/// Words that an English title leaves in lower case.
const SMALL_WORDS: [&str; 13] =
    ["a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "the", "to", "with"];

/// Units that an English title leaves in lower case.
const UNITS: [&str; 7] = ["cm", "g", "gsm", "kg", "m", "ml", "mm"];

/// The texts of one product, by the keys that templates use.
#[derive(Default)]
pub(super) struct Words(Vec<Word>);

struct Word {
    key: &'static str,
    /// The name of the attribute; empty if it is not shown as one.
    name: &'static str,
    text: Bilingual,
    /// A name is not capitalised in titles.
    is_name: bool,
}

/// One of the two languages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Chinese,
    English,
}

impl Words {
    pub(super) fn knows(&self, key: &str) -> bool {
        self.0.iter().any(|word| word.key == key)
    }

    /// Adds a text; templates use the first one of each key.
    pub(super) fn add(&mut self, key: &'static str, name: &'static str, text: Bilingual) {
        self.0.push(Word { key, name, text, is_name: false });
    }

    pub(super) fn add_facts(&mut self, facts: &'static [Fact]) {
        for fact in facts {
            self.add(&fact.key, &fact.name, fact.text());
        }
    }

    pub(super) fn add_name(&mut self, key: &'static str, name: &'static str, text: Bilingual) {
        self.0.push(Word { key, name, text, is_name: true });
    }

    /// The attributes in Chinese, by name.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0
            .iter()
            .filter(|word| !word.name.is_empty() && !word.text.zh.is_empty())
            .map(|word| (word.name, word.text.zh.as_str()))
    }

    /// Fills a template as running text.
    pub(super) fn sentence(&self, template: &Bilingual) -> Bilingual {
        Bilingual {
            zh: self.fill(&template.zh, Language::Chinese, str::to_owned),
            en: self.fill(&template.en, Language::English, str::to_owned),
        }
    }

    /// Fills a template as a title: English words get capitals.
    pub(super) fn title(&self, template: &Bilingual) -> Bilingual {
        Bilingual {
            zh: self.fill(&template.zh, Language::Chinese, str::to_owned),
            en: self.fill(&template.en, Language::English, capitalised),
        }
    }

    fn fill(&self, template: &str, language: Language, spell: fn(&str) -> String) -> String {
        let mut filled = String::with_capacity(template.len() * 2);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (key, behind) = after.split_once('}').unwrap_or((after, ""));
            filled.push_str(before);
            if let Some(word) = self.0.iter().find(|word| word.key == key) {
                let text = match language {
                    Language::Chinese => &word.text.zh,
                    Language::English => &word.text.en,
                };
                filled.push_str(&if word.is_name { text.clone() } else { spell(text) });
            } else {
                // A misspelt key stays visible: a test looks for braces.
                filled.push('{');
                filled.push_str(key);
                filled.push('}');
            }
            rest = behind;
        }
        filled.push_str(rest);
        tidy(&filled)
    }
}

/// Collapses spaces; none remains at the ends or after a full-width bracket.
fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("） ", "）").replace(" ,", ",")
}

/// Capitalises an English phrase for a title and drops its article; units (kg) and words with a capital
/// inside (mAh, iPhone) stay.
fn capitalised(text: &str) -> String {
    let phrase = text.strip_prefix("a ").or_else(|| text.strip_prefix("an ")).unwrap_or(text);
    let words = phrase.split(' ').map(|word| {
        if word.chars().any(char::is_uppercase) || UNITS.contains(&word) {
            return word.to_owned();
        }
        let starts_with_digit = word.starts_with(|letter: char| letter.is_ascii_digit());
        let parts = word.split('-').map(|part| {
            if starts_with_digit { part.to_owned() } else { with_capital_initial(part) }
        });
        parts.collect::<Vec<_>>().join("-")
    });
    words.collect::<Vec<_>>().join(" ")
}

fn with_capital_initial(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) if !SMALL_WORDS.contains(&word) => {
            first.to_uppercase().chain(letters).collect()
        }
        Some(_) | None => word.to_owned(),
    }
}

/// An enumeration: 黑色、白色 and "black, white and grey".
pub(super) fn listed(values: &[&AxisValue]) -> Bilingual {
    let zh = values.iter().map(|value| value.zh.as_str()).collect::<Vec<_>>().join("、");
    let en = match values.split_last() {
        Some((last, [])) => last.en.clone(),
        Some((last, before)) => {
            let before = before.iter().map(|value| value.en.as_str()).collect::<Vec<_>>();
            format!("{} and {}", before.join(", "), last.en)
        }
        None => String::new(),
    };
    Bilingual { zh, en }
}

/// The name of a brand as titles show it: 索尼（Sony）, or just Keychron.
pub(super) fn brand_in_title(name: &Bilingual) -> Bilingual {
    let zh =
        if name.zh == name.en { name.zh.clone() } else { format!("{}（{}）", name.zh, name.en) };
    Bilingual { zh, en: name.en.clone() }
}

/// A model's English name as a part of a SKU: at most 14 upper-case letters and digits.
pub(super) fn slug(model: &str) -> String {
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase()
    };
    let whole = plain(model);
    if whole.len() <= LONGEST_SLUG {
        return whole;
    }
    let initials = model.split([' ', '-']).map(|word| {
        let word = plain(word);
        let has_digit = word.chars().any(|letter| letter.is_ascii_digit());
        if has_digit { word } else { word.chars().take(3).collect() }
    });
    initials.collect::<String>().chars().take(LONGEST_SLUG).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(zh: &str, en: &str) -> Bilingual {
        Bilingual::new(zh, en)
    }

    #[test]
    fn templates_are_filled_in_both_languages() {
        let mut words = Words::default();
        words.add_name("brand", "", brand_in_title(&text("索尼", "Sony")));
        words.add("noise", "降噪", text("主动降噪", "active noise cancelling"));
        words.add("extra", "", text("", ""));
        let title =
            words.title(&text("{brand} X3 {noise} {extra} 耳机", "{brand} X3 {noise} {extra}"));
        assert_eq!(title.zh, "索尼（Sony）X3 主动降噪 耳机");
        assert_eq!(title.en, "Sony X3 Active Noise Cancelling");
        let sentence = words.sentence(&text("{noise}。", "It has {noise}."));
        assert_eq!(sentence.en, "It has active noise cancelling.");
        assert_eq!(words.attributes().collect::<Vec<_>>(), [("降噪", "主动降噪")]);
    }

    #[test]
    fn lists_read_naturally() {
        let value = |zh: &str, en: &str| AxisValue {
            code: String::new(),
            zh: zh.to_owned(),
            en: en.to_owned(),
            percent: 0,
        };
        let [black, white, grey] =
            [value("黑", "black"), value("白", "white"), value("灰", "grey")];
        assert_eq!(listed(&[&black]).en, "black");
        assert_eq!(listed(&[&black, &white]).en, "black and white");
        assert_eq!(listed(&[&black, &white, &grey]), text("黑、白、灰", "black, white and grey"));
    }

    #[test]
    fn small_words_and_units_keep_their_spelling() {
        let title = capitalised("charger for iPhone with 20000mAh cell");
        assert_eq!(title, "Charger for iPhone with 20000mAh Cell");
        assert_eq!(capitalised("a non-slip semi-in-ear grip"), "Non-Slip Semi-in-Ear Grip");
        assert_eq!(capitalised("27-inch, 59 g"), "27-inch, 59 g");
    }

    #[test]
    fn slugs_are_short_and_readable() {
        assert_eq!(slug("F87 Pro"), "F87PRO");
        assert_eq!(slug("MX-400"), "MX400");
        assert_eq!(slug("West Lake Longjing Premium"), "WESLAKLONPRE");
    }
}
