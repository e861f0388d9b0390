//! Each hit says why it stands where it stands.

use chrono::DateTime;
use search_sync::{
    domain::{
        HeldSetting, Rule, RuleEffect, RuleProducts, RuleScope, Setting, SettingsHistory, Synonym,
    },
    index::{Document, Explanation, Index, MatchLevel, MatchedBy, Query, SearchSettings},
};
use uuid::Uuid;
use vocabulary::Version;

use super::products::{id, index_of, titled};

fn settings() -> SearchSettings {
    let words = ["充电宝", "移动电源", "power bank"];
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    let rule = |number, effect, product| {
        Setting::Rule(Rule {
            id: Uuid::from_u128(number).into(),
            effect,
            scope: RuleScope::Everywhere,
            products: RuleProducts::Ids(vec![id(product).into()]),
            starts_at: None,
            ends_at: None,
        })
    };
    let settings = [
        Setting::Synonyms(vec![Synonym::TwoWay(words)]),
        rule(7, RuleEffect::Boost { factor: 2.0 }, 1),
        rule(8, RuleEffect::Pin { position: 1 }, 2),
    ];
    let held = |setting| HeldSetting { version: Version::FIRST, setting, since: 1, until: None };
    SearchSettings::new(SettingsHistory {
        revision: 1,
        settings: settings.into_iter().map(held).collect(),
    })
}

fn catalogue() -> Index {
    let popular = Document {
        popularity: 100.0,
        category: "数码/充电宝".to_owned(),
        ..titled(1, "超薄充电宝 白色")
    };
    let branded =
        |number, title, brand: &str| Document { brand: brand.to_owned(), ..titled(number, title) };
    index_of([
        popular,
        Document { in_stock: false, ..titled(2, "大容量移动电源 黑色") },
        branded(3, "Razer DeathAdder 鼠标", "Razer"),
        titled(4, "飞织跑步鞋 女款"),
        titled(5, "Logitech mechanical keyboard"),
    ])
}

/// The explanations of the hits by product number.
fn explained(q: &str) -> Vec<(u128, Explanation)> {
    let query = Query { q: q.to_owned(), explain: true, ..Query::default() };
    let results = catalogue().search_with(&query, &settings(), DateTime::UNIX_EPOCH).unwrap();
    let number = |product: Uuid| product.as_u128() - id(0).as_u128();
    let hits = results.items.into_iter();
    hits.map(|hit| (number(hit.product_id), hit.explanation.unwrap())).collect()
}

/// By what the words of the first hit are matched.
fn words(explanation: &Explanation) -> Vec<(&str, Option<MatchedBy>)> {
    explanation.words.iter().map(|word| (word.word.as_str(), word.by)).collect()
}

#[test]
fn words_say_by_what_they_are_matched() {
    for (q, product, level, expected) in [
        ("razer 鼠标", 3, MatchLevel::Exact, vec![MatchedBy::Typed, MatchedBy::Typed]),
        ("雷蛇鼠标", 3, MatchLevel::Exact, vec![MatchedBy::BrandName, MatchedBy::Typed]),
        (
            "logitecj keyboard",
            5,
            MatchLevel::Corrected,
            vec![MatchedBy::Corrected, MatchedBy::Typed],
        ),
        ("mechanical keyb", 5, MatchLevel::Corrected, vec![MatchedBy::Typed, MatchedBy::Completed]),
        ("paobuxie", 4, MatchLevel::Corrected, vec![MatchedBy::Pinyin]),
        ("女鞋", 4, MatchLevel::Apart, vec![MatchedBy::Parts]),
    ] {
        let hits = explained(q);
        let (number, explanation) = &hits[0];
        assert_eq!((*number, explanation.level), (product, level), "{q}: {explanation:?}");
        let by: Vec<MatchedBy> = explanation.words.iter().filter_map(|word| word.by).collect();
        assert_eq!(by, expected, "{q}");
    }
    let browsed = explained("");
    assert!(browsed.iter().all(|(_, one)| one.words.is_empty() && one.level == MatchLevel::Browse));
}

#[test]
fn rules_and_factors_are_explained() {
    let hits = explained("充电宝");
    let [(2, pinned), (1, boosted)] = hits.as_slice() else { panic!("{hits:?}") };
    assert!(words(pinned).iter().all(|(_, by)| *by == Some(MatchedBy::Synonym)), "{pinned:?}");
    assert_eq!(pinned.words[0].text.as_deref(), Some("移动电源"));
    assert_eq!(pinned.wanted_category, Some(false));
    assert_eq!(pinned.applied_rules[0].rule_id, Uuid::from_u128(8));
    assert_eq!(pinned.applied_rules[0].effect, RuleEffect::Pin { position: 1 });
    assert!((pinned.stock - 0.5).abs() < 1e-6);

    assert!(words(boosted).iter().all(|(_, by)| *by == Some(MatchedBy::Typed)), "{boosted:?}");
    assert_eq!(boosted.wanted_category, Some(true));
    assert_eq!(boosted.applied_rules[0].effect, RuleEffect::Boost { factor: 2.0 });
    assert!((boosted.rules - 2.0).abs() < 1e-6 && boosted.popularity > 1.3);
    let product =
        boosted.text * boosted.category * boosted.popularity * boosted.stock * boosted.rules;
    assert!((boosted.score - product).abs() < 1e-4 * product);
    // Without `explain` there is none.
    let query = Query { q: "充电宝".to_owned(), ..Query::default() };
    assert_eq!(catalogue().search(&query).unwrap().items[0].explanation, None);
}
