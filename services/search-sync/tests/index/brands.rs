//! Brands with a Chinese and a Latin name.

use search_sync::index::{Document, Index, Match};

use super::products::{hits_for, index_of, search, titled};

fn catalogue() -> Index {
    let branded =
        |number, title, brand: &str| Document { brand: brand.to_owned(), ..titled(number, title) };
    index_of([
        branded(1, "Razer DeathAdder V3 Gaming Mouse 鼠标", "Razer"),
        branded(2, "雷柏（Rapoo）M374 无线鼠标", "雷柏"),
        branded(3, "任天堂 Switch OLED 游戏机", "任天堂"),
        branded(4, "山东红富士 5斤", "果园"),
        branded(5, "Apple iPhone 15 手机", "Apple"),
        branded(6, "维生素功能饮料 250ml", "Red Bull"),
        branded(7, "红牛 安奈吉 强化型", "红牛"),
        branded(8, "烟台苹果 5斤", "果园"),
    ])
}

#[test]
fn both_names_of_a_brand_find_its_products() {
    let index = catalogue();
    for (q, expected) in [
        ("雷蛇鼠标", 1),
        ("雷蛇", 1),
        ("razer", 1),
        ("nintendo", 3),
        ("nintendo switch", 3),
        ("苹果手机", 5),
    ] {
        let results = search(&index, q);
        assert_eq!(hits_for(&index, q).first(), Some(&expected), "{q}");
        assert_eq!(results.best_match, Match::Exact, "{q}");
    }
    for q in ["红牛", "red bull", "redbull"] {
        let mut found = hits_for(&index, q);
        found.sort_unstable();
        assert_eq!(found, [6, 7], "{q}");
    }
    let mut apples = hits_for(&index, "苹果");
    apples.sort_unstable();
    assert_eq!(apples, [5, 8]);
}
