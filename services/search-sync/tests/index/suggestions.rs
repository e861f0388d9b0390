//! Suggestions while typing.

use search_sync::index::SuggestionKind;

use super::products::{id, index};

#[test]
fn prefixes_of_every_script_are_completed() {
    let index = index();
    for (prefix, expected) in [
        ("jix", "AULA狼蛛F87 三模机械键盘 客制化热插拔"),
        ("jixiej", "AULA狼蛛F87 三模机械键盘 客制化热插拔"),
        ("机械", "AULA狼蛛F87 三模机械键盘 客制化热插拔"),
        ("机械键", "AULA狼蛛F87 三模机械键盘 客制化热插拔"),
        ("mech", "AULA F87 Tri-mode Mechanical Keyboard"),
        ("aula f8", "AULA狼蛛F87 三模机械键盘 客制化热插拔"),
        ("luoji w", "罗技MX Master 3S 无线鼠标"),
        ("保温", "乐扣保温杯 500ml 不锈钢"),
        ("bwb", "乐扣保温杯 500ml 不锈钢"),
    ] {
        let found = index.suggest(prefix, 10).unwrap();
        assert!(found.iter().any(|suggestion| suggestion.text == expected), "{prefix}: {found:?}");
    }
}

#[test]
fn brands_and_categories_precede_products() {
    let index = index();
    let found = index.suggest("luo", 10).unwrap();
    assert_eq!((found[0].text.as_str(), found[0].kind), ("罗技", SuggestionKind::Brand));
    let found = index.suggest("erji", 10).unwrap();
    assert_eq!(
        (found[0].text.as_str(), found[0].kind),
        ("数码/音频/耳机", SuggestionKind::Category)
    );
    assert_eq!(found[0].product_id, None);
    let product = found.iter().find(|suggestion| suggestion.kind == SuggestionKind::Product);
    assert_eq!(product.and_then(|product| product.product_id), Some(id(8)));
}

#[test]
fn suggestions_are_bounded() {
    let index = index();
    assert_eq!(index.suggest("w", 5).unwrap().len(), 5);
    assert!(index.suggest("w", 10_000).unwrap().len() <= 20);
    for prefix in ["", " ", "\"", "🎧", &"ji".repeat(10_000)] {
        assert!(index.suggest(prefix, 10).unwrap().is_empty());
    }
    assert!(index.suggest(&"机".repeat(10_000), 10).unwrap().len() <= 10);
    assert!(index.suggest("键盘", 0).unwrap().is_empty());
}
