//! Nuts and biscuits.

use crate::kind::{Kind, any_of, brand, choice, fact, option, run_of, series, text, value};

pub(super) const NUTS: Kind = Kind {
    category: "食品饮料/休闲零食/坚果炒货",
    code: "SN",
    model_attribute: "",
    edition: Some(text("{n}号", "No. {n}")),
    brands: &[
        brand(
            "SZSS",
            "三只松鼠",
            "Three Squirrels",
            &[series("{taste}{nut}", "{taste} {nut}", 22, 39)],
        ),
        brand("BESTORE", "良品铺子", "Bestore", &[series("{taste}{nut}", "{taste} {nut}", 25, 45)]),
        brand("BCW", "百草味", "Be & Cheery", &[series("{taste}{nut}", "{taste} {nut}", 20, 36)]),
        brand("QIAQIA", "洽洽", "ChaCha", &[series("{taste}{nut}", "{taste} {nut}", 16, 29)]),
        brand("WOLONG", "沃隆", "Wolong", &[series("{taste}{nut}", "{taste} {nut}", 28, 49)]),
        brand(
            "GUOYUAN",
            "果园老赵",
            "Old Zhao's Orchard",
            &[series("{taste}{nut}", "{taste} {nut}", 14, 26)],
        ),
    ],
    choices: &[
        choice(
            "nut",
            "品类",
            &[
                value("夏威夷果", "Macadamias")
                    .percent(20)
                    .with(&[fact("origin", "产地", "云南", "Yunnan")]),
                value("开心果", "Pistachios").percent(35).with(&[fact(
                    "origin",
                    "产地",
                    "美国加州",
                    "California",
                )]),
                value("巴旦木", "Almonds")
                    .percent(10)
                    .with(&[fact("origin", "产地", "新疆", "Xinjiang")]),
                value("碧根果", "Pecans")
                    .percent(8)
                    .with(&[fact("origin", "产地", "安徽", "Anhui")]),
                value("腰果", "Cashews")
                    .percent(15)
                    .with(&[fact("origin", "产地", "越南", "Vietnam")]),
                value("葵花籽", "Sunflower Seeds").percent(-50).with(&[fact(
                    "origin",
                    "产地",
                    "内蒙古",
                    "Inner Mongolia",
                )]),
                value("核桃仁", "Walnuts")
                    .percent(5)
                    .with(&[fact("origin", "产地", "新疆", "Xinjiang")]),
            ],
        ),
        choice(
            "taste",
            "口味",
            &[
                value("原味", "Plain"),
                value("奶油味", "Butter-Flavoured"),
                value("盐焗", "Salt-Baked").percent(4),
                value("蜂蜜味", "Honey").percent(5),
                value("焦糖味", "Caramel").percent(5),
                value("海盐", "Sea Salt").percent(4),
            ],
        ),
        choice(
            "shelf",
            "保质期",
            &[value("180天", "180 days"), value("240天", "240 days"), value("270天", "270 days")],
        ),
    ],
    axes: &[
        run_of(
            "weights",
            "净含量",
            1,
            3,
            &[
                option("100G", "100g", "100 g").percent(-40),
                option("250G", "250g", "250 g"),
                option("500G", "500g", "500 g").percent(85),
                option("1KG", "1kg", "1 kg").percent(250),
            ],
        ),
        any_of(
            "packs",
            "包装",
            2,
            &[option("BAG", "袋装", "bag"), option("CAN", "罐装", "can").percent(12)],
        ),
    ],
    points: &[
        text("颗粒饱满", "plump kernels"),
        text("薄壳易剥", "thin, easy shells"),
        text("当季新货", "this season's harvest"),
        text("独立小包装", "single-serve packs"),
        text("不添加防腐剂", "no preservatives"),
        text("香脆可口", "a crunchy bite"),
    ],
    titles: &[
        text(
            "{maker} {model} {point} {origin}产 坚果炒货 休闲零食",
            "{maker} {model} from {origin}, {point}, Nut Snack",
        ),
        text(
            "{maker} 坚果零食 {model} {point} {point2} 办公室小吃",
            "{maker} {model}, {point}, {point2}, Office Snack",
        ),
    ],
    story: &[
        &[
            text(
                "{brand}{nut}选用{origin}原料，{taste}，{point}。",
                "These {taste} {nut} by {brand} come from {origin}: {point}.",
            ),
            text(
                "{origin}的{nut}，{taste}，追剧办公随手一把。",
                "From {origin}: {taste} {nut}, a handful for films and work.",
            ),
        ],
        &[text(
            "{point2}，保质期{shelf}，开封后请尽快食用。",
            "Also: {point2}. Keeps for {shelf}; eat soon once opened.",
        )],
    ],
};

pub(super) const BISCUITS: Kind = Kind {
    category: "食品饮料/休闲零食/饼干糕点",
    code: "BC",
    model_attribute: "",
    edition: Some(text("{n}号", "No. {n}")),
    brands: &[
        brand("OREO", "奥利奥", "Oreo", &[series("{taste}{cake}", "{taste} {cake}", 12, 22)]),
        brand(
            "BESTORE",
            "良品铺子",
            "Bestore",
            &[series("{taste}{cake}", "{taste} {cake}", 18, 32)],
        ),
        brand("DXC", "稻香村", "Daoxiangcun", &[series("{taste}{cake}", "{taste} {cake}", 19, 36)]),
        brand("PANPAN", "盼盼", "Panpan", &[series("{taste}{cake}", "{taste} {cake}", 13, 25)]),
        brand(
            "MAIXIANG",
            "麦乡小铺",
            "Maixiang",
            &[series("{taste}{cake}", "{taste} {cake}", 9, 19)],
        ),
        brand(
            "NANQIAO",
            "南桥烘焙",
            "Nanqiao Bakery",
            &[series("{taste}{cake}", "{taste} {cake}", 22, 39)],
        ),
    ],
    choices: &[
        choice(
            "cake",
            "品类",
            &[
                value("曲奇饼干", "Cookies").percent(10),
                value("苏打饼干", "Crackers").percent(-10),
                value("威化饼干", "Wafers"),
                value("蛋黄酥", "Egg Yolk Pastries").percent(40),
                value("沙琪玛", "Sachima"),
                value("夹心饼干", "Sandwich Biscuits"),
            ],
        ),
        choice(
            "taste",
            "口味",
            &[
                value("原味", "Original"),
                value("巧克力味", "Chocolate").percent(4),
                value("抹茶味", "Matcha").percent(6),
                value("海盐芝士味", "Salted Cheese").percent(6),
                value("草莓味", "Strawberry").percent(3),
                value("黑芝麻味", "Black Sesame"),
            ],
        ),
        choice(
            "shelf",
            "保质期",
            &[value("90天", "90 days"), value("180天", "180 days"), value("300天", "300 days")],
        ),
        choice(
            "origin",
            "产地",
            &[
                value("广东", "Guangdong"),
                value("福建", "Fujian"),
                value("上海", "Shanghai"),
                value("河北", "Hebei"),
            ],
        ),
    ],
    axes: &[any_of(
        "packs",
        "规格",
        3,
        &[
            option("200G", "200g", "200 g"),
            option("400G", "400g", "400 g").percent(80),
            option("800G", "800g整箱", "800 g case").percent(220),
        ],
    )],
    points: &[
        text("酥脆香浓", "a crisp, rich bite"),
        text("独立包装", "single packs"),
        text("早餐代餐", "a quick breakfast"),
        text("动物黄油", "real butter"),
        text("下午茶点心", "a treat for tea time"),
        text("儿童爱吃", "a taste that children like"),
    ],
    titles: &[
        text(
            "{maker} {model} {point} {point2} 休闲零食小吃",
            "{maker} {model}, {point}, {point2}, Snack",
        ),
        text(
            "{maker} {model} {point} 整箱零食 办公室点心",
            "{maker} {model}, {point}, for Home and Office",
        ),
    ],
    story: &[
        &[text(
            "{brand}{taste}{cake}，{origin}工厂生产，{point}。",
            "Made in {origin} by {brand}: {taste} {cake}, {point}.",
        )],
        &[
            text("{point2}，出门带几包也方便。", "Another plus is {point2}, easy to take along."),
            text("规格有{packs}，{point2}。", "Packs: {packs}. Another plus is {point2}."),
        ],
        &[text("保质期{shelf}，请置于阴凉干燥处。", "Keeps for {shelf} in a cool, dry place.")],
    ],
};
