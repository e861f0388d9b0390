//! Reads the data files, which are embedded in the program.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::kind::Kind;

/// The files in the order in which a seed has always drawn from them: another order gives another catalogue.
const FILES: [(&str, &str); 14] = [
    ("peripherals", include_str!("../data/peripherals.json")),
    ("computers", include_str!("../data/computers.json")),
    ("phones", include_str!("../data/phones.json")),
    ("audio", include_str!("../data/audio.json")),
    ("shoes_and_bags", include_str!("../data/shoes_and_bags.json")),
    ("clothing", include_str!("../data/clothing.json")),
    ("beauty", include_str!("../data/beauty.json")),
    ("drinks", include_str!("../data/drinks.json")),
    ("snacks", include_str!("../data/snacks.json")),
    ("toys", include_str!("../data/toys.json")),
    ("baby", include_str!("../data/baby.json")),
    ("household", include_str!("../data/household.json")),
    ("books", include_str!("../data/books.json")),
    ("outdoor", include_str!("../data/outdoor.json")),
];

/// Every kind of product that the shop sells.
pub(crate) static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let kinds = FILES.iter().flat_map(|(name, text)| match kinds(text) {
        Ok(kinds) => kinds,
        Err(error) => unreachable!("a test reads every data file, and {name} is broken: {error}"),
    });
    kinds.collect()
});

/// The kinds of one file. An entry with `kinds` is a family: each of them has the other fields of the entry
/// too.
fn kinds(text: &str) -> serde_json::Result<Vec<Kind>> {
    let entries: Vec<Map<String, Value>> = serde_json::from_str(text)?;
    let mut kinds = Vec::new();
    for mut shared in entries {
        let members = match shared.remove("kinds") {
            Some(members) => serde_json::from_value(members)?,
            None => vec![Map::new()],
        };
        for member in members {
            let mut kind = shared.clone();
            kind.extend(member);
            kinds.push(serde_json::from_value(Value::Object(kind))?);
        }
    }
    Ok(kinds)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_has_what_the_generator_draws_from() {
        for kind in KINDS.iter() {
            let code = &kind.code;
            assert_eq!(kind.category.split('/').count(), 3, "{code}");
            assert!(kind.points.len() >= 2, "two different points are drawn: {code}");
            assert!(!kind.titles.is_empty() && kind.story.len() >= 2, "{code}");
            assert!(kind.story.iter().all(|sentences| !sentences.is_empty()), "{code}");
            assert!(kind.choices.iter().all(|choice| !choice.values.is_empty()), "{code}");
            assert!(kind.brands.iter().all(|brand| !brand.series.is_empty()), "{code}");
            assert!(!kind.brands.is_empty() && !kind.axes.is_empty(), "{code}");
            for axis in &kind.axes {
                assert!((1..=axis.most).contains(&axis.least), "{code} {}", axis.name);
                assert!(axis.least <= axis.values.len(), "{code} {}", axis.name);
            }
        }
    }

    #[test]
    fn parts_of_skus_are_plain_and_distinct() {
        let plain = |code: &str| {
            let allowed = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit();
            !code.is_empty() && code.chars().all(allowed)
        };
        for kind in KINDS.iter() {
            let brands: HashSet<&str> =
                kind.brands.iter().map(|brand| brand.code.as_str()).collect();
            assert_eq!(brands.len(), kind.brands.len(), "{}", kind.code);
            assert!(plain(&kind.code) && brands.into_iter().all(plain), "{}", kind.code);
            for axis in &kind.axes {
                let codes: HashSet<&str> =
                    axis.values.iter().map(|value| value.code.as_str()).collect();
                assert_eq!(codes.len(), axis.values.len(), "{} {}", kind.code, axis.name);
                assert!(codes.into_iter().all(plain), "{} {}", kind.code, axis.name);
            }
        }
    }
}
