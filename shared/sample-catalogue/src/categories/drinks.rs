//! Tea and coffee.

use crate::kind::{
    Axis, Brand, Choice, Kind, any_of, brand, choice, fact, option, run_of, series, text, value,
};

const TEA_HOUSES: &[Brand] = &[
    brand("BAMA", "八马茶业", "Bama Tea", &[series("{tea} {grade}", "{tea} {grade}", 128, 268)]),
    brand("WYT", "吴裕泰", "Wuyutai", &[series("{tea} {grade}", "{tea} {grade}", 88, 198)]),
    brand("ZYY", "张一元", "Zhangyiyuan", &[series("{tea} {grade}", "{tea} {grade}", 78, 188)]),
    brand(
        "YUNLING",
        "云岭山房",
        "Yunling Lodge",
        &[series("{tea} {grade}", "{tea} {grade}", 49, 119)],
    ),
    brand("MINGXI", "茗溪", "Mingxi", &[series("{tea} {grade}", "{tea} {grade}", 39, 89)]),
    brand("SONGFENG", "松风里", "Songfengli", &[series("{tea} {grade}", "{tea} {grade}", 98, 228)]),
];

const TEA_AXES: &[Axis] = &[
    run_of(
        "weights",
        "净含量",
        1,
        3,
        &[
            option("50G", "50g", "50 g").percent(-55),
            option("125G", "125g", "125 g"),
            option("250G", "250g", "250 g").percent(85),
            option("500G", "500g", "500 g").percent(240),
        ],
    ),
    any_of(
        "packs",
        "包装",
        2,
        &[
            option("TIN", "罐装", "tin"),
            option("BAG", "袋装", "pouch").percent(-10),
            option("GIFT", "礼盒装", "gift box").percent(25),
        ],
    ),
];

const HARVEST: Choice =
    choice("year", "年份", &[value("2024年", "2024").percent(-10), value("2025年", "2025")]);

pub(super) const GREEN_TEA: Kind = Kind {
    category: "食品饮料/茗茶/绿茶",
    code: "TE",
    model_attribute: "品名",
    edition: Some(text("{n}号", "No. {n}")),
    brands: TEA_HOUSES,
    choices: &[
        choice(
            "tea",
            "品种",
            &[
                value("西湖龙井", "West Lake Longjing").percent(40).with(&[fact(
                    "origin",
                    "产地",
                    "浙江杭州",
                    "Hangzhou, Zhejiang",
                )]),
                value("碧螺春", "Biluochun").percent(15).with(&[fact(
                    "origin",
                    "产地",
                    "江苏苏州",
                    "Suzhou, Jiangsu",
                )]),
                value("黄山毛峰", "Huangshan Maofeng").with(&[fact(
                    "origin",
                    "产地",
                    "安徽黄山",
                    "Huangshan, Anhui",
                )]),
                value("信阳毛尖", "Xinyang Maojian").with(&[fact(
                    "origin",
                    "产地",
                    "河南信阳",
                    "Xinyang, Henan",
                )]),
                value("安吉白茶", "Anji Baicha").percent(20).with(&[fact(
                    "origin",
                    "产地",
                    "浙江安吉",
                    "Anji, Zhejiang",
                )]),
                value("太平猴魁", "Taiping Houkui").percent(25).with(&[fact(
                    "origin",
                    "产地",
                    "安徽黄山",
                    "Huangshan, Anhui",
                )]),
                value("六安瓜片", "Lu'an Guapian").with(&[fact(
                    "origin",
                    "产地",
                    "安徽六安",
                    "Lu'an, Anhui",
                )]),
            ],
        ),
        choice(
            "grade",
            "等级",
            &[
                value("明前特级", "Pre-Qingming Premium").percent(40),
                value("特级", "Premium").percent(15),
                value("一级", "First Grade"),
                value("雨前", "Pre-Rain").percent(10),
            ],
        ),
        HARVEST,
        choice(
            "storage",
            "储存方法",
            &[value("密封、避光、冷藏", "sealed, dark and refrigerated")],
        ),
    ],
    axes: TEA_AXES,
    points: &[
        text("清香回甘", "a fresh, sweet finish"),
        text("豆香浓郁", "a rich chestnut aroma"),
        text("嫩芽采摘", "tender buds"),
        text("传统手工炒制", "traditional pan-firing"),
        text("耐冲泡", "many infusions"),
    ],
    titles: &[
        text(
            "{maker} {model} 绿茶 {year}新茶 {origin}产 {point} 茶叶",
            "{maker} {model} Green Tea, {year} Harvest from {origin}",
        ),
        text(
            "{maker} 茶叶 绿茶 {model} {point} {point2} 自饮送礼",
            "{maker} {model} Green Tea Leaves with {point}, for Yourself or as a Gift",
        ),
    ],
    story: &[
        &[
            text(
                "{tea}产自{origin}，{grade}鲜叶，{year}采制。",
                "This {tea} comes from {origin}, {grade} leaves of the {year} harvest.",
            ),
            text(
                "{brand}选{origin}的{tea}，等级{grade}，汤色清亮。",
                "For this {tea}, {brand} chose {grade} leaves from {origin} that brew clear and bright.",
            ),
        ],
        &[text(
            "{point}，{point2}，80℃左右的水冲泡最佳。",
            "Expect {point} and {point2}; water of about 80 °C is best.",
        )],
        &[text("请{storage}保存。", "Keep it {storage}.")],
    ],
};

pub(super) const DARK_TEA: Kind = Kind {
    category: "食品饮料/茗茶/红茶乌龙",
    code: "TD",
    choices: &[
        choice(
            "tea",
            "品种",
            &[
                value("正山小种", "Lapsang Souchong").with(&[
                    fact("origin", "产地", "福建武夷山", "Wuyishan, Fujian"),
                    fact("type", "茶类", "红茶", "black tea"),
                ]),
                value("金骏眉", "Jinjunmei").percent(45).with(&[
                    fact("origin", "产地", "福建武夷山", "Wuyishan, Fujian"),
                    fact("type", "茶类", "红茶", "black tea"),
                ]),
                value("祁门红茶", "Keemun").percent(10).with(&[
                    fact("origin", "产地", "安徽祁门", "Qimen, Anhui"),
                    fact("type", "茶类", "红茶", "black tea"),
                ]),
                value("滇红", "Dianhong").percent(-10).with(&[
                    fact("origin", "产地", "云南凤庆", "Fengqing, Yunnan"),
                    fact("type", "茶类", "红茶", "black tea"),
                ]),
                value("铁观音", "Tieguanyin").with(&[
                    fact("origin", "产地", "福建安溪", "Anxi, Fujian"),
                    fact("type", "茶类", "乌龙茶", "oolong tea"),
                ]),
                value("大红袍", "Dahongpao").percent(20).with(&[
                    fact("origin", "产地", "福建武夷山", "Wuyishan, Fujian"),
                    fact("type", "茶类", "乌龙茶", "oolong tea"),
                ]),
                value("凤凰单丛", "Phoenix Dancong").percent(15).with(&[
                    fact("origin", "产地", "广东潮州", "Chaozhou, Guangdong"),
                    fact("type", "茶类", "乌龙茶", "oolong tea"),
                ]),
            ],
        ),
        choice(
            "grade",
            "等级",
            &[
                value("特级", "Premium").percent(20),
                value("一级", "First Grade"),
                value("口粮", "Daily").percent(-25),
                value("典藏", "Reserve").percent(60),
            ],
        ),
        HARVEST,
        choice("storage", "储存方法", &[value("密封、干燥、避光", "sealed, dry and dark")]),
    ],
    points: &[
        text("蜜香浓郁", "a rich honey aroma"),
        text("醇厚回甘", "a mellow, sweet finish"),
        text("传统炭焙", "traditional charcoal roasting"),
        text("兰花香", "a note of orchid"),
        text("耐冲泡", "many infusions"),
    ],
    titles: &[
        text(
            "{maker} {model} {type} {origin}产 {point} {point2} 茶叶",
            "{maker} {model} {type} from {origin}, with {point}",
        ),
        text(
            "{maker} 茶叶 {type} {model} {point} {year}新茶 送礼自饮",
            "{maker} {model} {type} Leaves, {year} Harvest, {point}",
        ),
    ],
    story: &[
        &[
            text(
                "{tea}是产自{origin}的{type}，本品等级{grade}，{year}采制。",
                "This {tea}, a classic {type} from {origin}, is graded {grade} and was made in {year}.",
            ),
            text(
                "{brand}的{tea}选自{origin}，条索紧结，{type}汤色透亮。",
                "The {tea} by {brand} comes from {origin}; its leaves are tightly rolled and brew a bright {type}.",
            ),
        ],
        &[text(
            "{point}，{point2}，95℃以上的水冲泡更出香。",
            "Expect {point} and {point2}; water above 95 °C brings out the aroma.",
        )],
        &[text("请{storage}保存。", "Keep it {storage}.")],
    ],
    ..GREEN_TEA
};

const COFFEE_CHOICES: &[Choice] = &[
    choice(
        "origin",
        "产地",
        &[
            value("云南保山", "Baoshan, Yunnan").percent(-12),
            value("埃塞俄比亚耶加雪菲", "Yirgacheffe, Ethiopia").percent(12),
            value("哥伦比亚慧兰", "Huila, Colombia"),
            value("巴西喜拉多", "Cerrado, Brazil").percent(-8),
            value("肯尼亚涅里", "Nyeri, Kenya").percent(18),
            value("危地马拉安提瓜", "Antigua, Guatemala").percent(8),
        ],
    ),
    choice(
        "roast",
        "烘焙度",
        &[
            value("浅度烘焙", "light roast"),
            value("中度烘焙", "medium roast"),
            value("中深烘焙", "medium-dark roast"),
            value("深度烘焙", "dark roast").percent(-4),
        ],
    ),
    choice(
        "process",
        "处理法",
        &[
            value("水洗", "washed"),
            value("日晒", "natural").percent(4),
            value("蜜处理", "honey-processed").percent(8),
        ],
    ),
    choice(
        "mood",
        "",
        &[
            value("晨雾", "Morning Mist"),
            value("山谷", "Valley"),
            value("琥珀", "Amber"),
            value("花园", "Garden"),
            value("午后", "Afternoon"),
            value("云上", "Above the Clouds"),
            value("夜航", "Night Flight"),
        ],
    ),
];

pub(super) const COFFEE_BEANS: Kind = Kind {
    category: "食品饮料/咖啡/咖啡豆",
    code: "CF",
    model_attribute: "系列",
    edition: Some(text("{n}号", "No. {n}")),
    brands: &[
        brand("LAVAZZA", "乐维萨", "Lavazza", &[series("{mood}拼配", "{mood} Blend", 98, 168)]),
        brand(
            "MANNER",
            "Manner",
            "Manner",
            &[
                series("{mood}拼配", "{mood} Blend", 69, 119),
                series("{mood}单品", "{mood} Single Origin", 88, 148),
            ],
        ),
        brand(
            "SEESAW",
            "Seesaw",
            "Seesaw",
            &[series("{mood}单品", "{mood} Single Origin", 78, 138)],
        ),
        brand(
            "YIDIAN",
            "一点咖啡",
            "Yidian Coffee",
            &[series("{mood}拼配", "{mood} Blend", 45, 79)],
        ),
        brand(
            "ZHIHUO",
            "炙火",
            "Zhihuo Roasters",
            &[series("{mood}单品", "{mood} Single Origin", 59, 109)],
        ),
        brand(
            "MUSHAN",
            "木山",
            "Mushan",
            &[
                series("{mood}拼配", "{mood} Blend", 39, 69),
                series("{mood}意式", "{mood} Espresso", 39, 75),
            ],
        ),
    ],
    choices: COFFEE_CHOICES,
    axes: &[
        any_of(
            "weights",
            "净含量",
            3,
            &[
                option("227G", "227g", "227 g"),
                option("454G", "454g", "454 g").percent(80),
                option("1KG", "1kg", "1 kg").percent(220),
            ],
        ),
        any_of(
            "grinds",
            "研磨度",
            2,
            &[
                option("BEAN", "不研磨", "whole beans"),
                option("FILT", "手冲粉", "filter grind"),
                option("ESP", "意式粉", "espresso grind"),
            ],
        ),
    ],
    points: &[
        text("柑橘花香", "notes of citrus and flowers"),
        text("坚果可可", "notes of nuts and cocoa"),
        text("焦糖甜感", "caramel sweetness"),
        text("奶油般顺滑", "creamy smoothness"),
        text("低酸醇厚", "a full, low-acid body"),
        text("莓果风味", "berry flavour"),
    ],
    titles: &[
        text(
            "{maker} {model}咖啡豆 {origin} {roast} {point} 可磨粉",
            "{maker} {model} Coffee Beans from {origin}, {roast}, {point}",
        ),
        text(
            "{maker} {model} {roast}精品咖啡豆 {process} {point} {point2} 手冲意式",
            "{maker} {model} Specialty Coffee, {roast}, {process}, {point} and {point2}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand}{model}选用{origin}的咖啡豆，{process}，{roast}。",
                "For {model}, {brand} uses {process} beans from {origin} and gives them a {roast}.",
            ),
            text(
                "{origin}的{process}豆，{roast}，冲一杯满屋香。",
                "These {process} beans from {origin} get a {roast} and fill the room with their scent.",
            ),
        ],
        &[text("入口是{point}，尾韵带{point2}。", "The cup shows {point}, then {point2}.")],
        &[text("研磨可选：{grinds}。", "Grind: {grinds}.")],
    ],
};

pub(super) const DRIP_COFFEE: Kind = Kind {
    category: "食品饮料/咖啡/挂耳咖啡",
    code: "CD",
    axes: &[any_of(
        "packs",
        "规格",
        3,
        &[
            option("8X", "10g×8袋", "8 bags of 10 g").percent(-50),
            option("20X", "10g×20袋", "20 bags of 10 g"),
            option("40X", "10g×40袋", "40 bags of 10 g").percent(85),
        ],
    )],
    titles: &[
        text(
            "{maker} {model}挂耳咖啡 {origin} {roast} {point} 黑咖啡粉",
            "{maker} {model} Drip Bag Coffee from {origin}, {roast}, {point}",
        ),
        text(
            "{maker} {model} 手冲挂耳咖啡 {roast} {point} {point2} 办公室提神",
            "{maker} {model} Pour-Over Drip Bags, {roast}, {point} and {point2}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand}{model}挂耳咖啡选{origin}的豆子，{roast}，有热水就能手冲。",
                "The {brand} {model} drip bags hold coffee from {origin}, {roast}; hot water is all it takes.",
            ),
            text(
                "一袋10克，{origin}产，{process}，{roast}，办公室也能喝到现萃咖啡。",
                "Each bag holds 10 g of {process} coffee from {origin}, {roast}, for a fresh cup at the office.",
            ),
        ],
        &[text("风味：{point}，{point2}。", "In the cup: {point} and {point2}.")],
        &[text("规格：{packs}。", "Packs: {packs}.")],
    ],
    ..COFFEE_BEANS
};
