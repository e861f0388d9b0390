//! Queries and their hits.

use search_sync::index::{Change, Facet, Index, Match, Query, Sort};

use super::products::{documents, hits_for, id, index, numbers, search};

fn first(index: &Index, q: &str) -> Option<u128> {
    hits_for(index, q).first().copied()
}

#[test]
fn exact_words_match_in_every_language() {
    let index = index();
    for (q, expected) in [
        ("f87", 1),
        ("F87", 1),
        ("Ｆ８７", 1),
        ("机械键盘", 1),
        ("狼蛛", 1),
        ("保温杯", 16),
        ("耳机 索尼", 8),
        ("wh-1000xm5", 8),
        ("WH1000XM5", 8),
        ("1000xm5", 8),
        ("mx400", 7),
        ("MX-400", 7),
        ("mx 400", 7),
        ("20000mah", 11),
        ("20000 mAh", 11),
        ("mixed nuts", 23),
        ("tea cup", 17),
        ("wifi", 31),
        ("wi-fi 6", 31),
        ("hdmi 2.1", 29),
        ("55寸", 26),
        ("T恤", 22),
        ("running shoes", 20),
        ("SKU-024-A", 24),
        ("sku024a", 24),
    ] {
        assert_eq!(first(&index, q), Some(expected), "{q}: {:?}", hits_for(&index, q));
    }
}

#[test]
fn a_query_may_mix_scripts() {
    let index = index();
    for (q, expected) in [
        ("aula 机械键盘", vec![1, 2]),
        ("F87机械键盘", vec![1]),
        ("罗技 wireless mouse", vec![4, 5]),
        ("xiaomi 充电宝", vec![11]),
    ] {
        let mut all = hits_for(&index, q);
        all.truncate(expected.len());
        all.sort_unstable();
        assert_eq!(all, expected, "{q}");
    }
}

#[test]
fn letters_and_digits_may_be_separated() {
    let index = index();
    for q in ["iphone15", "iphone 15", "iPhone-15"] {
        let mut all = hits_for(&index, q);
        all.truncate(2);
        all.sort_unstable();
        assert_eq!(all, [13, 14], "{q}");
    }
}

#[test]
fn pinyin_matches_chinese() {
    let index = index();
    for q in [
        "jixiejianpan",
        "jixie jianpan",
        "ji xie jian pan",
        "jixiej",
        "jixieji",
        "jxjp",
        "JiXieJianPan",
    ] {
        let mut all = hits_for(&index, q);
        all.truncate(2);
        all.sort_unstable();
        assert_eq!(all, [1, 2], "{q}");
    }
    for (q, expected) in [
        ("aula jixiejianpan", 1),
        ("aula jixiej", 1),
        ("f87 jixie jianpan", 1),
        ("f87 jxjp", 1),
        ("jixiejianpan aula f99", 2),
        ("luoji wuxian shubiao", 4),
        ("luojishubiao", 4),
        ("wuxianshubiao g304", 5),
        ("dianjingshubiao", 6),
        ("baowenbei", 16),
        ("chabei", 17),
        ("taideng mijia", 19),
        ("xiaomi chongdianbao", 11),
        ("lvcha", 24),
    ] {
        assert_eq!(first(&index, q), Some(expected), "{q}: {:?}", hits_for(&index, q));
    }
}

#[test]
fn every_reading_of_a_character_matches() {
    let index = index();
    assert_eq!(first(&index, "chongqing huoguo"), Some(25));
    assert_eq!(first(&index, "zhongdiyin"), Some(7));
}

#[test]
fn typos_are_corrected_and_suggested() {
    let index = index();
    for (q, expected, correction) in [
        ("logitec mouse", 4, Some("logitech mouse")),
        ("mechanicla keyboard", 1, Some("mechanical keyboard")),
        ("bluetoth speaker", 7, Some("bluetooth speaker")),
        ("headphnes", 8, Some("headphones")),
        ("televsiion", 26, Some("television")),
        ("jixiejianpan", 1, Some("机械键盘")),
        ("aula jixie jianpan", 1, Some("aula 机械键盘")),
        ("ji xie jian pan", 1, Some("机械键盘")),
        ("luojishubiao", 4, Some("罗技鼠标")),
        ("机戒键盘", 1, Some("机械键盘")),
        ("机械键盆", 1, Some("机械键盘")),
        ("机械建键盘", 1, Some("机械键盘")),
        ("兰牙耳机", 9, Some("蓝牙耳机")),
        ("機械鍵盤", 1, None),
        ("mechanical keyboard", 1, None),
        ("keybo", 3, None),
        ("jixiejianp", 1, None),
    ] {
        let results = search(&index, q);
        assert_eq!(numbers(&results).first(), Some(&expected), "{q}: {:?}", numbers(&results));
        let suggested = results.did_you_mean.as_deref().map(|text| text.trim_end_matches('s'));
        assert_eq!(suggested, correction.map(|text| text.trim_end_matches('s')), "{q}");
    }
}

#[test]
fn numbers_and_short_words_are_not_corrected() {
    let index = index();
    for q in ["f88", "f78", "mx401", "20001mah", "iphone16", "sonx", "1000xm4", "SKU-099-A"] {
        assert_eq!(hits_for(&index, q), Vec::<u128>::new(), "{q}");
    }
}

#[test]
fn unknown_words_are_dropped_last() {
    let index = index();
    let all = hits_for(&index, "机械键盘 恐龙");
    assert!(all[..2].contains(&1) && all[..2].contains(&2));
    assert!(hits_for(&index, "恐龙").is_empty());
    let pasted = "恐龙 dinosaur 20001mah 火箭 机械键盘 飞船 潜艇";
    assert!(hits_for(&index, pasted).contains(&1));
    // Hits with both words precede hits with one.
    let all = hits_for(&index, "logitech keyboard");
    assert_eq!(all.first(), Some(&3));
    assert!(all.contains(&4) && all.contains(&1));
}

#[test]
fn stop_words_need_not_match() {
    let index = index();
    assert_eq!(first(&index, "a case for the iphone 15"), Some(13));
}

#[test]
fn products_out_of_stock_rank_lower() {
    let index = index();
    assert_eq!(hits_for(&index, "罗技 鼠标")[..2], [4, 5]);
    let mut documents = documents();
    documents[4].in_stock = true;
    documents[3].in_stock = false;
    let mut writer = index.writer().unwrap();
    let changes: Vec<_> =
        documents[3..5].iter().map(|document| Change::Upsert(Box::new(document.clone()))).collect();
    writer.apply(&changes, "").unwrap();
    assert_eq!(hits_for(&index, "罗技 鼠标")[..2], [5, 4]);
}

#[test]
fn highlights_are_escaped() {
    let index = index();
    let results = search(&index, "贴纸");
    let hit = &results.items[0];
    assert_eq!(hit.highlight, "&lt;script&gt;alert(1)&lt;/script&gt; 测试<em>贴纸</em> &amp; 标签");
    assert_eq!(
        search(&index, "sticker").items[0].highlight,
        "<em>Sticker</em> &lt;b&gt;bold&lt;/b&gt; &amp; &quot;quotes&quot;"
    );
    assert!(search(&index, "jixiejianpan").items[0].highlight.contains("<em>机械键盘</em>"));
    assert!(search(&index, "机戒键盘").items[0].highlight.contains("<em>机械键盘</em>"));
    assert!(search(&index, "logitec").items[0].highlight.contains("<em>Logitech</em>"));
    assert_eq!(hit.product_id, id(28));
    assert_eq!(hit.brand, "Ａ＆Ｂ");
}

#[test]
fn hostile_queries_are_harmless() {
    let index = index();
    let long = "键盘 mouse f87 ".repeat(700);
    let deep = "(".repeat(10_000);
    let letters = "jixie".repeat(2_000);
    let chinese = "机戒键盘".repeat(2_500);
    for q in [
        "\"",
        "(",
        "*",
        "a\"b(c*",
        "title:f87",
        "f87 AND",
        "-f87",
        "🎧",
        "🎧 耳机",
        "\0",
        "\u{202e}f87",
        "[1 TO 2]",
        "^~",
        "\\",
        "%27 OR 1=1",
        "é",
        "　",
        &long,
        &deep,
        &letters,
        &chinese,
    ] {
        let results = search(&index, q);
        assert!(results.items.len() <= 20, "{q}");
    }
    assert_eq!(first(&index, "🎧 耳机 索尼"), Some(8));
    assert_eq!(first(&index, "\"f87\" (机械*"), Some(1));
}

#[test]
fn an_empty_query_lists_everything() {
    let index = index();
    for q in ["", "   ", "\u{3000}"] {
        let results = search(&index, q);
        assert_eq!((results.total, results.best_match), (32, Match::Browse));
        // The most popular first, products out of stock later.
        assert_eq!(numbers(&results)[..3], [1, 4, 11]);
        assert_eq!(results.did_you_mean, None);
    }
}

#[test]
fn a_query_without_a_word_finds_nothing() {
    let index = index();
    for q in ["🎧", "？？？", "---", "\"(*", "!!!", "…"] {
        let facets = vec![Facet::Brand, Facet::InStock];
        let query = Query { q: q.to_owned(), facets, ..Query::default() };
        let results = index.search(&query).unwrap();
        assert_eq!((results.total, results.best_match), (0, Match::NotUnderstood), "{q}");
        assert!(results.items.is_empty() && results.facets["brand"].is_empty(), "{q}");
    }
}

#[test]
fn a_search_is_deterministic() {
    let (one, other) = (index(), index());
    for q in ["", "键盘", "logitec", "wuxian", "无线 mouse 蓝牙"] {
        assert_eq!(search(&one, q), search(&one, q));
        assert_eq!(numbers(&search(&one, q)), numbers(&search(&other, q)));
    }
}

#[test]
fn hits_are_sorted_as_requested() {
    let index = index();
    let sorted = |q: &str, sort| {
        let query = Query { q: q.to_owned(), sort, ..Query::default() };
        index.search(&query).unwrap()
    };
    assert_eq!(numbers(&sorted("鼠标", Sort::PriceAscending)), [5, 6, 4]);
    assert_eq!(numbers(&sorted("鼠标", Sort::PriceDescending)), [4, 6, 5]);
    assert_eq!(numbers(&sorted("鼠标", Sort::Newest)), [6, 5, 4]);
    assert_eq!(numbers(&sorted("鼠标", Sort::Popularity)), [4, 5, 6]);
    assert_eq!(numbers(&sorted("", Sort::Newest))[..3], [32, 31, 30]);
}
