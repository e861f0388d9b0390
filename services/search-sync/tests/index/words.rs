//! Words that titles and queries divide differently.

use search_sync::index::{Index, Match, Query, Results, Sort};

use super::products::{hits_for, index_of, numbers, search, titled};

const TITLES: [(u128, &str); 24] = [
    (1, "Apple iPhone 15 Pro Max 256GB 原色钛金属 5G手机"),
    (2, "Red Bull 红牛 维生素功能饮料 250ml"),
    (3, "Apple AirPods Pro 主动降噪"),
    (4, "ZetaFon7ProMax512GB 智能手机"),
    (5, "影驰 RTX4060Ti 显卡"),
    (6, "飞织跑步鞋 女款 轻便透气"),
    (7, "直筒牛仔裤 女士 高腰"),
    (8, "儿童运动鞋 防滑软底"),
    (9, "飞织跑步鞋 男款 轻便透气"),
    (10, "红心图案 针织衫 米色"),
    (11, "乐高积木 太空火箭"),
    (12, "狼蛛机械键盘"),
    (13, "氮化镓充电器 65瓦"),
    (14, "快充头 65W 双口"),
    (15, "保温杯 500毫升"),
    (16, "Vacuum Flask 500 ml"),
    (17, "数据线 2米"),
    (18, "HDMI Cable 2m"),
    (19, "至行手机 12GB+256GB"),
    (20, "至行手机 8G+256G"),
    (21, "西湖龙井 250g"),
    (22, "小米电视 55英寸"),
    (23, "曲面显示器 55 inch"),
    (24, "矿泉水 1.5升"),
];

fn catalogue() -> Index {
    index_of(TITLES.map(|(number, title)| titled(number, title)))
}

fn first(index: &Index, q: &str) -> Option<u128> {
    hits_for(index, q).first().copied()
}

/// The hits that are no guesses and no corrections, by number.
fn exact(index: &Index, q: &str) -> Vec<u128> {
    let found = kinds(&search(index, q)).into_iter();
    let mut found: Vec<u128> =
        found.filter(|(_, kind)| *kind == Match::Exact).map(|(number, _)| number).collect();
    found.sort_unstable();
    found
}

fn kinds(results: &Results) -> Vec<(u128, Match)> {
    numbers(results).into_iter().zip(results.items.iter().map(|hit| hit.matched)).collect()
}

#[test]
fn words_typed_without_spaces_are_found() {
    let index = catalogue();
    for (q, expected) in [
        ("iphone15promax", 1),
        ("iPhone15 ProMax", 1),
        ("iphone 15 pro max", 1),
        ("iphone15 pro max", 1),
        ("redbull", 2),
        ("RedBull饮料", 2),
        ("airpodspro", 3),
        ("airpodspro 降噪", 3),
    ] {
        let results = search(&index, q);
        assert_eq!(numbers(&results).first(), Some(&expected), "{q}");
    }
    let results = search(&index, "airpodspro");
    assert_eq!(results.best_match, Match::Corrected);
    assert_eq!(results.did_you_mean.as_deref(), Some("airpods pro"));
    assert_eq!(results.items[0].highlight, "Apple <em>AirPods Pro</em> 主动降噪");
}

#[test]
fn letters_and_digits_divide_words_of_titles() {
    let index = catalogue();
    for (q, expected) in [
        ("zetafon", 4),
        ("zetafon 7", 4),
        ("zetafon 7 pro max", 4),
        ("ZetaFon7 ProMax 512GB", 4),
        ("zetafon7promax512gb", 4),
        ("rtx 4060 ti", 5),
        ("rtx4060", 5),
        ("RTX 4060Ti", 5),
        ("4060ti", 5),
    ] {
        assert_eq!(first(&index, q), Some(expected), "{q}: {:?}", hits_for(&index, q));
    }
}

#[test]
fn parts_of_a_word_may_stand_apart() {
    let index = catalogue();
    for (q, expected) in [("女鞋", 6), ("女裤", 7), ("童鞋", 8), ("男鞋", 9), ("女 鞋", 6)]
    {
        let results = search(&index, q);
        assert_eq!(numbers(&results).first(), Some(&expected), "{q}");
    }
    let results = search(&index, "女鞋");
    assert_eq!(kinds(&results), [(6, Match::Guess)]);
    assert_eq!(results.best_match, Match::Guess);
    assert_eq!(results.items[0].highlight, "飞织跑步<em>鞋</em> <em>女</em>款 轻便透气");
}

#[test]
fn an_unknown_word_is_not_its_characters() {
    let index = catalogue();
    // 红心 … 米色 has both characters, but 米 ends no word.
    for q in ["红米", "乐视", "雷蛇"] {
        for sort in [Sort::Relevance, Sort::PriceAscending] {
            let query = Query { q: q.to_owned(), sort, ..Query::default() };
            let results = index.search(&query).unwrap();
            assert!(results.items.iter().all(|hit| hit.matched == Match::Guess), "{q}");
            assert!(!numbers(&results).contains(&10), "{q}");
        }
    }
    assert_eq!(search(&index, "红米").best_match, Match::Nothing);
    let results = search(&index, "狼蛛");
    assert_eq!(kinds(&results), [(12, Match::Exact)]);
    assert_eq!(kinds(&search(&index, "狼蛛键盘"))[0], (12, Match::Exact));
}

#[test]
fn hits_with_some_of_the_words_are_guesses() {
    let index = catalogue();
    let results = search(&index, "狼蛛机械键盘 恐龙 火箭");
    assert_eq!(results.best_match, Match::Guess);
    assert_eq!(kinds(&search(&index, "龙井"))[0], (21, Match::Exact));
    assert_eq!(kinds(&search(&index, "longjing"))[0], (21, Match::Corrected));
    assert!(search(&index, "").items.iter().all(|hit| hit.matched == Match::Browse));
}

#[test]
fn units_have_other_names() {
    let index = catalogue();
    for (queries, expected) in [
        (vec!["65w", "65瓦", "65 W", "65 瓦", "65watt"], vec![13, 14]),
        (vec!["500ml", "500毫升", "500 ml"], vec![15, 16]),
        (vec!["2米", "2m", "2 米"], vec![17, 18]),
        (vec!["256g", "256GB", "256 gb"], vec![1, 19, 20]),
        (vec!["250g", "250克"], vec![21]),
        (vec!["55寸", "55英寸", "55inch"], vec![22, 23]),
        (vec!["1.5l", "1.5升"], vec![24]),
    ] {
        for q in queries {
            assert_eq!(exact(&index, q), expected, "{q}");
        }
    }
    assert_eq!(first(&index, "65瓦充电器"), Some(13));
}
