//! The category that a query names comes first.

use search_sync::index::{Document, Index};

use super::products::{hits_for, index_of, titled};

fn in_category(number: u128, title: &str, brand: &str, category: &str) -> Document {
    Document { brand: brand.to_owned(), category: category.to_owned(), ..titled(number, title) }
}

fn catalogue() -> Index {
    let case = "数码/手机配件/手机壳";
    let phone = "数码/手机/智能手机";
    index_of([
        in_category(1, "极光0系列 适用星澜手机壳 磨砂防摔", "极光", case),
        in_category(2, "极光1系列 适用星澜手机壳 磨砂防摔", "极光", case),
        in_category(3, "星澜（Xinglan）S9 Pro 5G手机 8GB+256GB 曜石黑 快充", "星澜", phone),
        in_category(4, "极光2系列 适用星澜手机壳 磨砂防摔", "极光", case),
        in_category(5, "小米（Xiaomi）140W充电器 适用苹果华为小米手机", "小米", "数码/充电器"),
        in_category(6, "小米（Xiaomi）15 5G手机 骁龙", "小米", phone),
        in_category(7, "沁州黄小米 2.5kg", "沁州", "食品/粮油/小米"),
        in_category(8, "Clear Phone Case for Galaxy phone", "Spigen", "Accessories/Phone Cases"),
        in_category(9, "Galaxy S24 mobile phone with 256GB", "Samsung", "Mobile Phones"),
    ])
}

#[test]
fn products_of_the_named_category_come_first() {
    let index = catalogue();
    for (q, first) in
        [("星澜手机", 3), ("小米手机", 6), ("手机 256g", 3), ("星澜 手机", 3), ("galaxy phone", 9)]
    {
        assert_eq!(hits_for(&index, q).first(), Some(&first), "{q}: {:?}", hits_for(&index, q));
    }
    let phones = &hits_for(&index, "手机")[..2];
    assert!(phones.contains(&3) && phones.contains(&6), "{phones:?}");
}

#[test]
fn an_accessory_word_wins_over_the_head() {
    let index = catalogue();
    for (q, firsts) in [
        ("手机壳", vec![1, 2, 4]),
        ("星澜手机壳", vec![1, 2, 4]),
        ("小米手机充电器", vec![5]),
        ("phone case", vec![8]),
        ("case for galaxy phone", vec![8]),
    ] {
        let mut found = hits_for(&index, q);
        found.truncate(firsts.len());
        found.sort_unstable();
        assert_eq!(found, firsts, "{q}");
    }
}

#[test]
fn a_brand_is_no_category() {
    let index = catalogue();
    let found = hits_for(&index, "小米");
    assert_ne!(found.first(), Some(&7), "{found:?}");
}

#[test]
fn titles_name_a_kind_where_categories_do_not() {
    let titles = [
        "极光0系列 适用星澜手机壳 磨砂防摔",
        "极光1系列 适用星澜手机壳 磨砂防摔",
        "星澜（Xinglan）S9 Pro 5G手机 8GB+256GB 曜石黑 快充",
        "极光2系列 适用星澜手机壳 磨砂防摔",
    ];
    let documents = (1_u128..).zip(titles);
    let index = index_of(documents.map(|(number, title)| in_category(number, title, "", "复查")));
    assert_eq!(hits_for(&index, "星澜手机").first(), Some(&3));
    assert_ne!(hits_for(&index, "星澜手机壳").first(), Some(&3));
}
