//! Down jackets and T-shirts.

use super::colours::{
    ARMY_GREEN, BEIGE, BLACK, BLUE, BROWN, GREEN, GREY, KHAKI, NAVY, PINK, PURPLE, RED, WHITE,
    YELLOW,
};
use crate::kind::{Axis, Kind, any_of, brand, choice, option, run_of, series, text, value};

const SIZES: Axis = run_of(
    "sizes",
    "尺码",
    3,
    5,
    &[
        option("S", "S", "S"),
        option("M", "M", "M"),
        option("L", "L", "L"),
        option("XL", "XL", "XL"),
        option("2XL", "2XL", "2XL"),
        option("3XL", "3XL", "3XL").percent(5),
    ],
);

pub(super) const MENS_DOWN_JACKET: Kind = Kind {
    category: "服饰鞋包/外套/羽绒服",
    code: "DJ",
    model_attribute: "货号",
    edition: Some(text("{n}版", "Rev. {n}")),
    brands: &[
        brand("BOSIDENG", "波司登", "Bosideng", &[series("B40####", "B40####", 899, 1699)]),
        brand("YALU", "雅鹿", "Yalu", &[series("YL#####", "YL#####", 269, 469)]),
        brand("YAYA", "鸭鸭", "Yaya", &[series("YY2####", "YY2####", 299, 599)]),
        brand("ANTA", "安踏", "Anta", &[series("1529####", "1529####", 399, 799)]),
        brand("SEMIR", "森马", "Semir", &[series("SM10####", "SM10####", 249, 459)]),
        brand("BEIYU", "北屿", "Beiyu", &[series("BY-####", "BY-####", 359, 699)]),
    ],
    choices: &[
        choice("gender", "适用性别", &[value("男款", "men's")]),
        choice(
            "length",
            "衣长",
            &[
                value("短款", "short"),
                value("中长款", "mid-length").percent(10),
                value("长款", "long").percent(18),
            ],
        ),
        choice(
            "filling",
            "填充物",
            &[
                value("90%白鸭绒", "90% white duck down"),
                value("80%灰鸭绒", "80% grey duck down").percent(-12),
                value("90%白鹅绒", "90% white goose down").percent(30),
            ],
        ),
        choice(
            "weight",
            "充绒量",
            &[
                value("120g", "120 g"),
                value("160g", "160 g").percent(6),
                value("200g", "200 g").percent(12),
            ],
        ),
        choice(
            "collar",
            "领型",
            &[
                value("连帽", "hooded"),
                value("立领", "stand-collar"),
                value("可脱卸帽", "detachable-hood").percent(4),
            ],
        ),
        choice(
            "season",
            "上市时间",
            &[value("2024年冬季", "winter 2024").percent(-20), value("2025年冬季", "winter 2025")],
        ),
    ],
    axes: &[
        SIZES,
        any_of("colours", "颜色", 2, &[BLACK, NAVY, GREY, KHAKI, ARMY_GREEN, WHITE, RED]),
    ],
    points: &[
        text("防风防泼水", "a windproof, water-repellent shell"),
        text("轻薄不臃肿", "warmth without bulk"),
        text("加厚保暖", "extra insulation"),
        text("防钻绒", "down-proof lining"),
        text("多口袋设计", "plenty of pockets"),
    ],
    titles: &[
        text(
            "{maker} 羽绒服{gender} {length} {collar} {filling} {point} 冬季保暖外套 {model}",
            "{maker} {gender} {length} {collar} Down Jacket, {filling}, {point} ({model})",
        ),
        text(
            "{maker} {gender}{length}羽绒服 {collar} 充绒{weight} {point} {point2} {model}",
            "{maker} {gender} {length} Down Coat, {collar}, {weight} Fill, {point} ({model})",
        ),
    ],
    story: &[
        &[
            text(
                "{brand}这件{length}羽绒服填充{filling}，充绒量{weight}，寒冬里也很暖和。",
                "This {length} down jacket by {brand} is filled with {weight} of {filling} and keeps warm in deep winter.",
            ),
            text(
                "{collar}设计的{length}羽绒服，{filling}蓬松柔软，充绒量{weight}。",
                "A {length}, {collar} down jacket with soft, lofty {filling}, {weight} of it.",
            ),
        ],
        &[text(
            "{point}，{point2}，通勤出行都好搭。",
            "It offers {point} and {point2} and goes with everything.",
        )],
        &[text("尺码{sizes}，颜色有{colours}。", "Sizes: {sizes}. Colours: {colours}.")],
    ],
};

pub(super) const WOMENS_DOWN_JACKET: Kind = Kind {
    code: "DJW",
    choices: &[
        choice("gender", "适用性别", &[value("女款", "women's")]),
        choice(
            "length",
            "衣长",
            &[
                value("短款", "short"),
                value("中长款", "mid-length").percent(10),
                value("过膝长款", "knee-length").percent(20),
            ],
        ),
        choice(
            "filling",
            "填充物",
            &[
                value("90%白鸭绒", "90% white duck down"),
                value("90%白鹅绒", "90% white goose down").percent(30),
            ],
        ),
        choice(
            "weight",
            "充绒量",
            &[
                value("95g", "95 g").percent(-5),
                value("130g", "130 g"),
                value("180g", "180 g").percent(10),
            ],
        ),
        choice(
            "collar",
            "领型",
            &[
                value("连帽", "hooded"),
                value("立领", "stand-collar"),
                value("大毛领", "fur-collar").percent(15),
            ],
        ),
        choice(
            "season",
            "上市时间",
            &[value("2024年冬季", "winter 2024").percent(-20), value("2025年冬季", "winter 2025")],
        ),
    ],
    axes: &[
        SIZES,
        any_of("colours", "颜色", 2, &[BLACK, WHITE, BEIGE, PINK, PURPLE, BROWN, GREEN]),
    ],
    points: &[
        text("收腰显瘦", "a flattering waist"),
        text("轻薄不臃肿", "warmth without bulk"),
        text("防风防泼水", "a windproof, water-repellent shell"),
        text("防钻绒", "down-proof lining"),
        text("面包服廓形", "a puffy silhouette"),
    ],
    ..MENS_DOWN_JACKET
};

pub(super) const T_SHIRT: Kind = Kind {
    category: "服饰鞋包/上装/T恤",
    code: "TS",
    model_attribute: "货号",
    edition: Some(text("{n}版", "Rev. {n}")),
    brands: &[
        brand("UNIQLO", "优衣库", "Uniqlo", &[series("46####", "46####", 59, 99)]),
        brand("SEMIR", "森马", "Semir", &[series("ST####", "ST####", 39, 79)]),
        brand("HLA", "海澜之家", "HLA", &[series("HN####", "HN####", 68, 138)]),
        brand("LINING", "李宁", "Li-Ning", &[series("AHS####", "AHS####", 79, 159)]),
        brand("MANPU", "漫朴", "Manpu", &[series("MP-###", "MP-###", 29, 59)]),
        brand("YUNMIAN", "云棉集", "Yunmian", &[series("YM###", "YM###", 35, 69)]),
    ],
    choices: &[
        choice(
            "fabric",
            "面料",
            &[
                value("纯棉", "pure cotton"),
                value("重磅纯棉", "heavyweight cotton").percent(12),
                value("冰丝棉", "cooling cotton blend").percent(6),
                value("新疆长绒棉", "Xinjiang long-staple cotton").percent(15),
                value("速干涤纶", "quick-dry polyester").percent(5),
            ],
        ),
        choice(
            "weight",
            "克重",
            &[
                value("180g", "180 gsm"),
                value("220g", "220 gsm").percent(6),
                value("260g", "260 gsm").percent(10),
            ],
        ),
        choice(
            "collar",
            "领型",
            &[
                value("圆领", "crew-neck"),
                value("V领", "V-neck"),
                value("小立领", "mock-neck").percent(5),
            ],
        ),
        choice(
            "fit",
            "版型",
            &[value("宽松", "loose"), value("直筒", "regular"), value("修身", "slim")],
        ),
        choice(
            "gender",
            "适用性别",
            &[value("男女同款", "unisex"), value("男款", "men's"), value("女款", "women's")],
        ),
        choice(
            "print",
            "图案",
            &[
                value("纯色", "plain"),
                value("字母印花", "letter-print").percent(5),
                value("条纹", "striped").percent(3),
                value("国风刺绣", "embroidered").percent(20),
            ],
        ),
    ],
    axes: &[
        SIZES,
        any_of(
            "colours",
            "颜色",
            2,
            &[WHITE, BLACK, GREY, NAVY, BLUE, PINK, GREEN, YELLOW, KHAKI, BEIGE],
        ),
    ],
    points: &[
        text("亲肤透气", "a soft breathable feel"),
        text("不易变形", "lasting shape"),
        text("吸汗速干", "sweat-wicking comfort"),
        text("百搭打底", "easy layering"),
        text("不透不起球", "an opaque, pill-free knit"),
    ],
    titles: &[
        text(
            "{maker} {fabric}短袖T恤 {gender} {collar}{fit} {print} {point} {model}",
            "{maker} {gender} {collar} Short-Sleeve T-Shirt, {fabric}, {fit} Fit, {print} ({model})",
        ),
        text(
            "{maker} {print}{collar}T恤{gender} {weight}{fabric} {fit}短袖 {point} {point2} {model}",
            "{maker} {print} {gender} Tee, {weight} {fabric}, {fit} Fit, {point} ({model})",
        ),
    ],
    story: &[
        &[
            text(
                "这件{print}{collar}T恤选用{weight}{fabric}，{fit}版型。",
                "This {print} {collar} T-shirt is cut from {weight} {fabric} in {fit} fit.",
            ),
            text(
                "{brand}{fit}版短袖T恤，{fabric}面料，克重{weight}。",
                "From {brand}, a short-sleeve T-shirt in {fit} fit, made of {fabric} at {weight}.",
            ),
        ],
        &[text(
            "{point}，{point2}，单穿内搭都可以。",
            "Its merits are {point} and {point2}; it works alone or as a base layer.",
        )],
        &[text("颜色有{colours}，尺码{sizes}。", "Colours: {colours}. Sizes: {sizes}.")],
    ],
};
