//! From vocabulary to prose: filling templates, spelling titles, shortening names for SKUs.

use crate::Bilingual;
use crate::kind::{Fact, Text};

/// The longest abbreviation of a model in a SKU.
const LONGEST_SLUG: usize = 14;

/// Words that an English title leaves in lower case.
const SMALL_WORDS: [&str; 13] =
    ["a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "the", "to", "with"];

/// Units that an English title leaves in lower case.
const UNITS: [&str; 7] = ["cm", "g", "gsm", "kg", "m", "ml", "mm"];

/// What is known about one product, by the keys that templates use.
#[derive(Default)]
pub(super) struct Words(Vec<Word>);

struct Word {
    key: &'static str,
    /// The attribute under which it is shown, if it is.
    name: &'static str,
    said: Bilingual,
    /// A name keeps its spelling in titles, however small its letters are.
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

    /// Adds words; what was said first about a key stays.
    pub(super) fn add(&mut self, key: &'static str, name: &'static str, said: Bilingual) {
        self.0.push(Word { key, name, said, is_name: false });
    }

    pub(super) fn add_text(&mut self, key: &'static str, name: &'static str, text: Text) {
        self.add(key, name, text.into());
    }

    pub(super) fn add_facts(&mut self, facts: &[Fact]) {
        for fact in facts {
            self.add_text(fact.key, fact.name, fact.text);
        }
    }

    pub(super) fn add_name(&mut self, key: &'static str, name: &'static str, said: Bilingual) {
        self.0.push(Word { key, name, said, is_name: true });
    }

    /// The attributes in Chinese, by name.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0
            .iter()
            .filter(|word| !word.name.is_empty() && !word.said.zh.is_empty())
            .map(|word| (word.name, word.said.zh.as_str()))
    }

    /// Fills a template as running text.
    pub(super) fn sentence(&self, template: Text) -> Bilingual {
        Bilingual {
            zh: self.fill(template.zh, Language::Chinese, str::to_owned),
            en: self.fill(template.en, Language::English, str::to_owned),
        }
    }

    /// Fills a template as a title: English words get capitals.
    pub(super) fn title(&self, template: Text) -> Bilingual {
        Bilingual {
            zh: self.fill(template.zh, Language::Chinese, str::to_owned),
            en: self.fill(template.en, Language::English, capitalised),
        }
    }

    fn fill(&self, template: &str, language: Language, spell: fn(&str) -> String) -> String {
        let mut filled = String::with_capacity(template.len() * 2);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (key, behind) = after.split_once('}').unwrap_or((after, ""));
            filled.push_str(before);
            if let Some(word) = self.0.iter().find(|word| word.key == key) {
                let said = match language {
                    Language::Chinese => &word.said.zh,
                    Language::English => &word.said.en,
                };
                filled.push_str(&if word.is_name { said.clone() } else { spell(said) });
            } else {
                // A misspelt key stays visible, and a test looks for braces.
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

/// Single spaces only, none at the ends and none behind a full-width bracket.
fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("） ", "）").replace(" ,", ",")
}

/// Capital initials for an English title, without an article in front; units (kg) and words with a
/// capital inside (mAh, iPhone) stay.
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

/// A list as one says it: 黑色、白色 and "black, white and grey".
pub(super) fn listed(texts: &[Text]) -> Bilingual {
    let zh = texts.iter().map(|text| text.zh).collect::<Vec<_>>().join("、");
    let en = match texts.split_last() {
        Some((last, [])) => last.en.to_owned(),
        Some((last, before)) => {
            let before = before.iter().map(|text| text.en).collect::<Vec<_>>().join(", ");
            format!("{before} and {}", last.en)
        }
        None => String::new(),
    };
    Bilingual { zh, en }
}

/// The name of a brand as titles show it: 索尼（Sony）, or just Keychron.
pub(super) fn brand_in_title(name: Text) -> Bilingual {
    let zh = if name.zh == name.en {
        name.zh.to_owned()
    } else {
        format!("{}（{}）", name.zh, name.en)
    };
    Bilingual { zh, en: name.en.to_owned() }
}

/// A model's English name as a part of a SKU: capitals and digits, at most 14 of them.
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
    use crate::kind::text;

    #[test]
    fn templates_are_filled_in_both_languages() {
        let mut words = Words::default();
        words.add_name("brand", "", brand_in_title(text("索尼", "Sony")));
        words.add_text("noise", "降噪", text("主动降噪", "active noise cancelling"));
        words.add_text("extra", "", text("", ""));
        let title =
            words.title(text("{brand} X3 {noise} {extra} 耳机", "{brand} X3 {noise} {extra}"));
        assert_eq!(title.zh, "索尼（Sony）X3 主动降噪 耳机");
        assert_eq!(title.en, "Sony X3 Active Noise Cancelling");
        let sentence = words.sentence(text("{noise}。", "It has {noise}."));
        assert_eq!(sentence.en, "It has active noise cancelling.");
        assert_eq!(words.attributes().collect::<Vec<_>>(), [("降噪", "主动降噪")]);
    }

    #[test]
    fn lists_read_naturally() {
        let [black, white, grey] = [text("黑", "black"), text("白", "white"), text("灰", "grey")];
        assert_eq!(listed(&[black]).en, "black");
        assert_eq!(listed(&[black, white]).en, "black and white");
        let all = listed(&[black, white, grey]);
        assert_eq!((all.zh.as_str(), all.en.as_str()), ("黑、白、灰", "black, white and grey"));
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
