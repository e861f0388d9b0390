//! Skin care.

use crate::kind::{Choice, Kind, any_of, brand, choice, option, run_of, series, text, value};

const SKIN: Choice = choice(
    "skin",
    "适用肤质",
    &[
        value("干性肌肤", "dry skin"),
        value("油性肌肤", "oily skin"),
        value("混合肌肤", "combination skin"),
        value("敏感肌肤", "sensitive skin"),
        value("所有肤质", "all skin types"),
    ],
);

pub(super) const FACE_CREAM: Kind = Kind {
    category: "美妆护肤/面部护肤/面霜",
    code: "FC",
    model_attribute: "系列",
    edition: Some(text("{n}.0", "{n}.0")),
    brands: &[
        brand(
            "PROYA",
            "珀莱雅",
            "Proya",
            &[
                series("{theme}修护", "{theme} Repair", 189, 299),
                series("{theme}紧致", "{theme} Firming", 219, 339),
            ],
        ),
        brand(
            "WINONA",
            "薇诺娜",
            "Winona",
            &[
                series("{theme}舒敏", "{theme} Calming", 168, 268),
                series("{theme}特护", "{theme} Special Care", 208, 308),
            ],
        ),
        brand(
            "CHANDO",
            "自然堂",
            "Chando",
            &[
                series("{theme}保湿", "{theme} Moisture", 99, 189),
                series("{theme}抗皱", "{theme} Anti-Wrinkle", 159, 259),
            ],
        ),
        brand(
            "OLAY",
            "玉兰油",
            "Olay",
            &[
                series("{theme}塑颜", "{theme} Sculpting", 199, 329),
                series("{theme}淡斑", "{theme} Brightening", 219, 349),
            ],
        ),
        brand(
            "PECHOIN",
            "百雀羚",
            "Pechoin",
            &[
                series("{theme}草本", "{theme} Herbal", 69, 139),
                series("{theme}滋养", "{theme} Nourishing", 89, 169),
            ],
        ),
        brand(
            "QINGMI",
            "青弥",
            "Qingmi",
            &[
                series("{theme}轻润", "{theme} Light", 59, 119),
                series("{theme}夜养", "{theme} Night", 79, 139),
            ],
        ),
    ],
    choices: &[
        choice(
            "theme",
            "",
            &[
                value("水光", "Glow"),
                value("山茶", "Camellia"),
                value("冰川", "Glacier"),
                value("青竹", "Bamboo"),
                value("雪绒", "Edelweiss"),
                value("红石榴", "Pomegranate"),
                value("海藻", "Seaweed"),
            ],
        ),
        choice(
            "ingredient",
            "主要成分",
            &[
                value("玻尿酸", "hyaluronic acid"),
                value("神经酰胺", "ceramides").percent(8),
                value("烟酰胺", "niacinamide"),
                value("A醇", "retinol").percent(12),
                value("胜肽", "peptides").percent(18),
                value("角鲨烷", "squalane").percent(5),
            ],
        ),
        SKIN,
        choice(
            "texture",
            "质地",
            &[
                value("轻盈啫喱", "light gel"),
                value("丝滑乳霜", "silky cream"),
                value("滋润膏霜", "rich balm"),
            ],
        ),
        choice("shelf", "保质期", &[value("3年", "3 years")]),
    ],
    axes: &[run_of(
        "sizes",
        "净含量",
        1,
        3,
        &[
            option("15G", "15g", "15 g").percent(-55),
            option("30G", "30g", "30 g").percent(-30),
            option("50G", "50g", "50 g"),
            option("100G", "100g", "100 g").percent(70),
        ],
    )],
    points: &[
        text("补水保湿", "deep hydration"),
        text("修护屏障", "barrier repair"),
        text("淡化细纹", "softer fine lines"),
        text("提亮肤色", "a brighter complexion"),
        text("不添加香精", "a fragrance-free formula"),
        text("清爽不油腻", "a non-greasy finish"),
    ],
    titles: &[
        text(
            "{maker} {model}面霜 {ingredient} {point} {point2} {skin}适用",
            "{maker} {model} Face Cream with {ingredient}, {point}, for {skin}",
        ),
        text(
            "{maker} {model}{texture}面霜 {point} {ingredient}保湿霜 男女护肤品",
            "{maker} {model} Moisturiser, {texture}, {ingredient}, {point}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand}{model}面霜含{ingredient}，质地{texture}，上脸好推开。",
                "The {brand} {model} face cream contains {ingredient}; the {texture} texture spreads easily.",
            ),
            text(
                "以{ingredient}为主要成分的面霜，{texture}质地，适合{skin}。",
                "A face cream built around {ingredient}, with a {texture} texture, for {skin}.",
            ),
        ],
        &[text(
            "主打{point}和{point2}，早晚洁面后使用。",
            "It aims at {point} and {point2}; use it morning and night after cleansing.",
        )],
        &[text("适用肤质：{skin}；规格{sizes}。", "Suitable for {skin}. Sizes: {sizes}.")],
    ],
};

pub(super) const SUNSCREEN: Kind = Kind {
    category: "美妆护肤/防晒修护/防晒霜",
    code: "SS",
    model_attribute: "系列",
    edition: Some(text("{n}.0", "{n}.0")),
    brands: &[
        brand(
            "ANESSA",
            "安热沙",
            "Anessa",
            &[series("{theme}小金瓶", "{theme} Gold Bottle", 168, 258)],
        ),
        brand("BIORE", "碧柔", "Biore", &[series("{theme}水感", "{theme} Aqua", 49, 89)]),
        brand(
            "MISTINE",
            "蜜丝婷",
            "Mistine",
            &[series("{theme}小黄帽", "{theme} Yellow Cap", 49, 99)],
        ),
        brand("WINONA", "薇诺娜", "Winona", &[series("{theme}清透", "{theme} Sheer", 128, 188)]),
        brand("CHANDO", "自然堂", "Chando", &[series("{theme}隔离", "{theme} Primer", 79, 129)]),
        brand("QINGMI", "青弥", "Qingmi", &[series("{theme}轻透", "{theme} Airy", 39, 79)]),
    ],
    choices: &[
        choice(
            "theme",
            "",
            &[
                value("沁凉", "Cool"),
                value("晴空", "Clear Sky"),
                value("海盐", "Sea Salt"),
                value("蓝盾", "Blue Shield"),
                value("云感", "Cloud"),
                value("日光", "Sunlight"),
                value("柔光", "Soft Focus"),
                value("户外", "Outdoor"),
            ],
        ),
        choice(
            "spf",
            "防晒指数",
            &[
                value("SPF50+ PA++++", "SPF 50+ PA++++").percent(8),
                value("SPF50 PA+++", "SPF 50 PA+++"),
                value("SPF30 PA+++", "SPF 30 PA+++").percent(-10),
            ],
        ),
        choice(
            "form",
            "形态",
            &[
                value("防晒霜", "cream"),
                value("防晒乳", "lotion"),
                value("防晒喷雾", "spray").percent(5),
            ],
        ),
        SKIN,
        choice(
            "filter",
            "防晒类型",
            &[
                value("物理防晒", "mineral").percent(6),
                value("化学防晒", "chemical"),
                value("物化结合", "hybrid").percent(3),
            ],
        ),
    ],
    axes: &[any_of(
        "sizes",
        "规格",
        3,
        &[
            option("30", "30ml", "30 ml").percent(-35),
            option("60", "60ml", "60 ml"),
            option("90", "90ml", "90 ml").percent(35),
            option("60X2", "60ml×2支", "two of 60 ml").percent(75),
        ],
    )],
    points: &[
        text("不泛白", "no white cast"),
        text("防水防汗", "water and sweat resistance"),
        text("成膜快", "a fast-setting film"),
        text("养肤成分", "skin-caring ingredients"),
        text("清爽不闷痘", "a light, clog-free feel"),
        text("通勤军训适用", "everyday protection"),
    ],
    titles: &[
        text(
            "{maker} {model}{form} {spf} {point} {point2} 面部身体通用",
            "{maker} {model} Sunscreen {form} {spf} with {point} for Face and Body",
        ),
        text(
            "{maker} {model}{form} {filter} {spf} {skin} {point} 隔离紫外线",
            "{maker} {model} {filter} Sunscreen {form}, {spf}, for {skin}, {point}",
        ),
    ],
    story: &[
        &[text(
            "{brand}{model}{form}，{spf}，采用{filter}配方，日常通勤到海边都能用。",
            "The {brand} {model} sunscreen {form} offers {spf} from {filter} filters, from the daily commute to the beach.",
        )],
        &[
            text(
                "{point}，{point2}，适合{skin}。",
                "It comes with {point} and {point2}, and suits {skin}.",
            ),
            text(
                "适合{skin}，特点是{point}和{point2}。",
                "Made for {skin}; its strengths are {point} and {point2}.",
            ),
        ],
        &[text("户外活动请每两小时补涂一次。", "Outdoors, apply again every two hours.")],
    ],
};

pub(super) const CLEANSER: Kind = Kind {
    category: "美妆护肤/面部清洁/洗面奶",
    code: "CL",
    model_attribute: "系列",
    edition: Some(text("{n}.0", "{n}.0")),
    brands: &[
        brand(
            "FREEPLUS",
            "芙丽芳丝",
            "Freeplus",
            &[series("{theme}净润", "{theme} Pure", 99, 149)],
        ),
        brand("CERAVE", "适乐肤", "CeraVe", &[series("{theme}清爽", "{theme} Fresh", 88, 138)]),
        brand("PECHOIN", "百雀羚", "Pechoin", &[series("{theme}草本", "{theme} Herbal", 39, 69)]),
        brand("CHANDO", "自然堂", "Chando", &[series("{theme}净颜", "{theme} Clear", 49, 89)]),
        brand("GAOFU", "高夫", "Gf", &[series("{theme}控油", "{theme} Oil Control", 39, 79)]),
        brand("QINGMI", "青弥", "Qingmi", &[series("{theme}绵柔", "{theme} Soft", 29, 59)]),
    ],
    choices: &[
        choice(
            "theme",
            "",
            &[
                value("海盐", "Sea Salt"),
                value("绿豆", "Mung Bean"),
                value("茶树", "Tea Tree"),
                value("竹炭", "Bamboo Charcoal"),
                value("燕麦", "Oat"),
                value("冰泉", "Ice Spring"),
                value("芦荟", "Aloe"),
                value("白桦", "Birch"),
            ],
        ),
        choice(
            "base",
            "表活类型",
            &[
                value("氨基酸", "amino acid").percent(8),
                value("皂基", "soap").percent(-8),
                value("APG", "plant glucoside").percent(5),
            ],
        ),
        SKIN,
        choice(
            "texture",
            "质地",
            &[value("绵密泡沫", "dense foam"), value("啫喱", "gel"), value("乳霜", "cream")],
        ),
    ],
    axes: &[any_of(
        "sizes",
        "规格",
        3,
        &[
            option("100", "100g", "100 g"),
            option("150", "150g", "150 g").percent(30),
            option("100X2", "100g×2支", "two of 100 g").percent(80),
        ],
    )],
    points: &[
        text("温和不紧绷", "a gentle, never tight feel"),
        text("深层清洁毛孔", "deep pore cleansing"),
        text("控油", "oil control"),
        text("卸淡妆", "light make-up removal"),
        text("补水保湿", "lasting moisture"),
    ],
    titles: &[text(
        "{maker} {model}洗面奶 {base}洁面乳 {point} {point2} {skin}适用",
        "{maker} {model} {base} Facial Cleanser with {point}, for {skin}",
    )],
    story: &[
        &[
            text(
                "{brand}{model}洗面奶采用{base}体系，{texture}质地，洗后清爽。",
                "The {brand} {model} cleanser uses {base} surfactants with a {texture} texture and leaves skin fresh.",
            ),
            text(
                "{texture}质地的{base}洁面乳，早晚都能用。",
                "A cleanser with {base} surfactants and {texture} texture, for morning and night.",
            ),
        ],
        &[text(
            "{point}，{point2}，适合{skin}。",
            "It aims at {point} and {point2} and suits {skin}.",
        )],
    ],
};
