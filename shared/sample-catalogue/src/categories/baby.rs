//! What babies need.

use crate::kind::{Kind, any_of, brand, choice, option, run_of, series, text, value};

pub(super) const NAPPIES: Kind = Kind {
    category: "母婴玩具/婴童用品/纸尿裤",
    code: "DP",
    model_attribute: "系列",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand(
            "HUGGIES",
            "好奇",
            "Huggies",
            &[
                series("{theme}金装", "{theme} Gold", 109, 159),
                series("{theme}铂金装", "{theme} Platinum", 149, 209),
            ],
        ),
        brand(
            "PAMPERS",
            "帮宝适",
            "Pampers",
            &[
                series("{theme}一级帮", "{theme} Premium", 139, 199),
                series("{theme}绿帮", "{theme} Green", 79, 119),
            ],
        ),
        brand(
            "MERRIES",
            "花王",
            "Merries",
            &[series("{theme}妙而舒", "{theme} Merries", 119, 169)],
        ),
        brand(
            "BABYCARE",
            "Babycare",
            "Babycare",
            &[
                series("{theme}皇室系列", "{theme} Royal", 129, 179),
                series("{theme}山茶系列", "{theme} Camellia", 89, 129),
            ],
        ),
        brand(
            "YIYING",
            "宜婴",
            "Yiying",
            &[
                series("{theme}轻薄系列", "{theme} Thin", 59, 99),
                series("{theme}日用系列", "{theme} Daily", 49, 79),
            ],
        ),
    ],
    choices: &[
        choice(
            "theme",
            "",
            &[
                value("云柔", "Cloud"),
                value("小星星", "Little Star"),
                value("棉花糖", "Candyfloss"),
                value("小森林", "Little Forest"),
                value("晴天", "Sunny Day"),
                value("晚安", "Good Night"),
            ],
        ),
        choice(
            "type",
            "类型",
            &[value("纸尿裤", "nappies"), value("拉拉裤", "nappy pants").percent(8)],
        ),
        choice(
            "thickness",
            "厚度",
            &[
                value("超薄0.1cm", "0.1 cm thinness").percent(8),
                value("轻薄0.2cm", "0.2 cm thinness"),
                value("加厚夜用", "night-time padding").percent(5),
            ],
        ),
        choice(
            "origin",
            "产地",
            &[value("中国大陆", "mainland China"), value("日本", "Japan").percent(12)],
        ),
    ],
    axes: &[
        run_of(
            "sizes",
            "尺码",
            2,
            4,
            &[
                option("NB", "NB(5kg以下)", "NB (under 5 kg)").percent(-6),
                option("S", "S(4-8kg)", "S (4-8 kg)"),
                option("M", "M(6-11kg)", "M (6-11 kg)"),
                option("L", "L(9-14kg)", "L (9-14 kg)"),
                option("XL", "XL(12-17kg)", "XL (12-17 kg)"),
                option("XXL", "XXL(15kg以上)", "XXL (over 15 kg)").percent(4),
            ],
        ),
        any_of(
            "packs",
            "规格",
            2,
            &[
                option("1P", "单包", "single pack").percent(-30),
                option("4P", "四包整箱", "case of four packs").percent(160),
            ],
        ),
    ],
    points: &[
        text("透气不闷", "breathable comfort"),
        text("瞬吸干爽", "fast absorption"),
        text("柔软亲肤", "a soft feel"),
        text("防侧漏", "side-leak guards"),
        text("尿显线", "a wetness indicator"),
        text("弱酸亲肤", "a skin-friendly pH"),
    ],
    titles: &[
        text(
            "{maker} {model} 婴儿{type} {thickness} {point} {point2} 尿不湿",
            "{maker} {model} Baby {type}, {thickness}, with {point}",
        ),
        text(
            "{maker} {model} {type} {point} {thickness} 男女宝宝通用尿不湿",
            "{maker} {model} {type} with {point}, {thickness}, for Boys and Girls",
        ),
    ],
    story: &[
        &[
            text(
                "{brand}{model}{type}，{thickness}，{point}，宝宝活动更自在。",
                "The {brand} {model} {type} combine {thickness} and {point}, so that babies move freely.",
            ),
            text(
                "{thickness}的{type}，{point}，整夜安睡。",
                "Made for quiet nights: {type} with {thickness} and {point}.",
            ),
        ],
        &[text("{point2}，产地{origin}。", "They also have {point2} and are made in {origin}.")],
        &[text("尺码：{sizes}，请按体重选购。", "Sizes: {sizes}; choose by weight.")],
    ],
};
