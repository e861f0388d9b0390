//! The ranking cannot decay unseen: the figures of the labelled queries have thresholds.

use std::collections::BTreeSet;

use eval::{
    headwords::{Figures, Shop},
    labels::{self, Half, Label},
};

#[test]
fn labelled_queries_find_what_they_are_after() {
    let labels = labels::read(&labels::path()).expect("the labels are readable");
    let shop = Shop::build(sample_catalogue::DEFAULT_COUNT).expect("the index is built");
    for half in [Half::Tuning, Half::HeldBack] {
        let part: Vec<&Label> = labels.iter().filter(|label| label.half == half).collect();
        let figures = Figures::measure(&shop, part).expect("the searches succeed");
        for (name, figure, least) in [
            ("category_precision_at_8", figures.category_precision_at_8.get(), 0.945),
            ("found_share", 1.0 - figures.zero_share.get(), 0.99),
            ("zh_recall_at_10", figures.zh_recall_at_10.get(), 0.955),
            ("en_recall_at_10", figures.en_recall_at_10.get(), 0.87),
            ("pinyin_recall_at_10", figures.pinyin_recall_at_10.get(), 0.96),
            ("typo_recall_at_10", figures.typo_recall_at_10.get(), 0.89),
            ("unsold_honest", figures.unsold_honest.get(), 1.0),
        ] {
            assert!(figure >= least, "{half:?}: {name} is {figure:.3}, less than {least}");
        }
    }
}

#[test]
fn each_label_is_of_a_sold_product() {
    let labels = labels::read(&labels::path()).expect("the labels are readable");
    assert!(labels.len() >= 400, "{} labels", labels.len());
    let products: Vec<_> = sample_catalogue::products(sample_catalogue::DEFAULT_SEED)
        .take(sample_catalogue::DEFAULT_COUNT)
        .collect();
    let mut queries = BTreeSet::new();
    for label in &labels {
        assert!(queries.insert(&label.query), "{} is there twice", label.query);
        let sold = products.iter().any(|product| label.is_relevant(product));
        assert_eq!(sold, label.is_sold(), "{}", label.query);
    }
}
