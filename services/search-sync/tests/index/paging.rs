//! Pages while products come and go.

use std::collections::BTreeSet;

use search_sync::index::{Change, Document, Price, Query, Sort};
use vocabulary::Currency;

use super::products::{id, index_of, numbers, titled};

const SORTS: [Sort; 5] =
    [Sort::Relevance, Sort::PriceAscending, Sort::PriceDescending, Sort::Newest, Sort::Popularity];

/// Paper towels with more or fewer other words, so that they have different scores.
fn towels(number: u128, extra: usize) -> Document {
    let words = ["抽纸", "三层", "加厚", "家用", "整箱"];
    let title = format!("纸巾 {}", words[..extra % words.len()].join(" "));
    let amount = i64::try_from(number * 37 % 1_000).unwrap();
    Document {
        prices: vec![Price { amount, currency: Currency::CNY }],
        popularity: f64::from(u32::try_from(number * 13 % 100).unwrap()),
        ..titled(number, &title)
    }
}

#[test]
fn pages_neither_repeat_nor_forget_products() {
    for sort in SORTS {
        for round in 0..6_usize {
            let before = (0..40).map(|number| towels(number, usize::try_from(number).unwrap()));
            let index = index_of(before);
            let mut writer = index.writer().unwrap();
            let mut query = Query { q: "纸巾".to_owned(), sort, limit: 7, ..Query::default() };
            let mut shown: Vec<u128> = Vec::new();
            let mut stay: BTreeSet<u128> = (0..40).collect();
            for page in 0_u128.. {
                let results = index.search(&query).unwrap();
                shown.extend(numbers(&results));
                query.cursor = results.next_cursor;
                if query.cursor.is_none() {
                    break;
                }
                // One product goes, and some come that change the scores of all others.
                let gone = (page * 11 + u128::try_from(round).unwrap()) % 40;
                stay.remove(&gone);
                let mut changes = vec![Change::Delete(id(gone))];
                for new in 0..4 {
                    let document = towels(1_000 + page * 10 + new, round);
                    changes.push(Change::Upsert(Box::new(document)));
                }
                if page < 8 {
                    writer.apply(&changes, &format!("page {page}")).unwrap();
                }
            }
            let all: BTreeSet<u128> = shown.iter().copied().collect();
            assert_eq!(all.len(), shown.len(), "{sort:?} repeats: {shown:?}");
            let forgotten: Vec<&u128> = stay.difference(&all).collect();
            assert!(forgotten.is_empty(), "{sort:?} forgets {forgotten:?}");
        }
    }
}
