//! Words with the same meaning, from the list that the shop edits.

use chrono::DateTime;
use search_sync::{
    domain::{HeldSetting, Setting, SettingsHistory, Synonym},
    index::{CountedSynonym, Document, Index, Match, Query, SearchSettings, WordCount},
};
use vocabulary::Version;

use super::products::{index_of, numbers, titled};

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn settings() -> SearchSettings {
    let synonyms = vec![
        Synonym::TwoWay(owned(&["书包", "双肩包", "backpack"])),
        Synonym::TwoWay(owned(&["尿不湿", "纸尿裤", "diaper", "nappies"])),
        Synonym::TwoWay(owned(&["充电宝", "移动电源", "power bank"])),
        Synonym::OneWay { from: owned(&["phone"]), to: owned(&["手机"]) },
        Synonym::TwoWay(owned(&["独角兽", "unicorn"])),
    ];
    let setting = Setting::Synonyms(synonyms);
    let held = HeldSetting { version: Version::FIRST, setting, since: 1, until: None };
    SearchSettings::new(SettingsHistory { revision: 1, settings: vec![held] })
}

fn catalogue() -> Index {
    let phone =
        |number, title| Document { category: "数码/手机".to_owned(), ..titled(number, title) };
    index_of([
        titled(1, "学生双肩包 大容量"),
        titled(2, "小学生书包 减负"),
        titled(3, "婴儿纸尿裤 L码"),
        titled(4, "Newborn Nappies 40 pack"),
        titled(5, "20000毫安移动电源 快充"),
        titled(6, "Slim Power Bank 10000mAh"),
        titled(7, "适用星澜手机壳 磨砂"),
        phone(8, "星澜 S9 手机 曜石黑"),
        titled(9, "Phone stand"),
        titled(10, "Bank of the river, a book on power"),
    ])
}

/// The product numbers of the hits, sorted, and how the best one matches.
fn found(index: &Index, q: &str) -> (Vec<u128>, Match) {
    let query = Query { q: q.to_owned(), ..Query::default() };
    let results = index.search_with(&query, &settings(), DateTime::UNIX_EPOCH).unwrap();
    let mut numbers = numbers(&results);
    numbers.sort_unstable();
    (numbers, results.best_match)
}

#[test]
fn synonyms_find_each_other() {
    let index = catalogue();
    for (q, expected) in [
        ("书包", vec![1, 2]),
        ("雙肩包", vec![1, 2]),
        ("Backpacks", vec![1, 2]),
        ("学生书包", vec![1, 2]),
        ("尿不湿", vec![3, 4]),
        ("diapers", vec![3, 4]),
        ("纸尿裤", vec![3, 4]),
        ("充电宝", vec![5, 6]),
        ("power bank", vec![5, 6]),
        ("slim 充电宝", vec![6]),
    ] {
        let (numbers, best_match) = found(&index, q);
        assert!(expected.iter().all(|number| numbers.contains(number)), "{q}: {numbers:?}");
        assert_eq!(best_match, Match::Exact, "{q}");
    }
    // Without the list the words have nothing to do with each other.
    let bare = index.search(&Query { q: "backpack".to_owned(), ..Query::default() }).unwrap();
    assert_eq!(bare.best_match, Match::Nothing);
}

#[test]
fn one_way_synonyms_do_not_return() {
    let index = catalogue();
    let (numbers, _) = found(&index, "phone");
    assert!([7, 8, 9].iter().all(|number| numbers.contains(number)), "{numbers:?}");
    let (numbers, _) = found(&index, "手机");
    assert!(!numbers.contains(&9), "{numbers:?}");
}

#[test]
fn the_typed_word_ranks_before_its_synonyms() {
    let index = index_of([titled(1, "双肩包 黑色"), titled(2, "书包 黑色")]);
    for (q, first) in [("书包", 2), ("双肩包", 1)] {
        let query = Query { q: q.to_owned(), ..Query::default() };
        let results = index.search_with(&query, &settings(), DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(numbers(&results).first(), Some(&first), "{q}");
    }
}

#[test]
fn a_synonym_names_the_wanted_category() {
    let index = catalogue();
    let query = Query { q: "phone".to_owned(), ..Query::default() };
    let results = index.search_with(&query, &settings(), DateTime::UNIX_EPOCH).unwrap();
    assert_eq!(numbers(&results).first(), Some(&8));
}

#[test]
fn synonyms_are_marked_in_titles() {
    let index = catalogue();
    let query = Query { q: "slim 充电宝".to_owned(), ..Query::default() };
    let results = index.search_with(&query, &settings(), DateTime::UNIX_EPOCH).unwrap();
    assert_eq!(results.items[0].highlight, "<em>Slim</em> <em>Power Bank</em> 10000mAh");
}

#[test]
fn each_word_is_counted() {
    let counts = catalogue().count_synonyms(&settings()).unwrap().unwrap();
    let count = |word: &str, products| WordCount { word: word.to_owned(), products };
    assert_eq!(counts.version, Version::FIRST);
    assert_eq!(
        counts.entries[0],
        CountedSynonym::TwoWay(vec![count("书包", 1), count("双肩包", 1), count("backpack", 0)])
    );
    assert_eq!(
        counts.entries[2],
        CountedSynonym::TwoWay(vec![
            count("充电宝", 0),
            count("移动电源", 1),
            count("power bank", 1)
        ])
    );
    assert_eq!(
        counts.entries[3],
        CountedSynonym::OneWay { from: vec![count("phone", 1)], to: vec![count("手机", 2)] }
    );
    assert_eq!(catalogue().count_synonyms(&SearchSettings::default()).unwrap(), None);
}
