//! Toys.

use super::colours::{BEIGE, BLUE, BROWN, GREY, PINK, WHITE, YELLOW};
use crate::kind::{Kind, any_of, brand, choice, fact, option, run_of, series, text, value};

pub(super) const BUILDING_BLOCKS: Kind = Kind {
    category: "母婴玩具/玩具/积木",
    code: "TY",
    model_attribute: "货号",
    edition: Some(text("{n}版", "Rev. {n}")),
    brands: &[
        brand("LEGO", "乐高", "Lego", &[series("{n}###", "{n}###", 199, 499)]),
        brand("QMAN", "启蒙", "Qman", &[series("K{n}##", "K{n}##", 59, 149)]),
        brand("SEMBO", "森宝", "Sembo", &[series("60{n}##", "60{n}##", 49, 129)]),
        brand("BLOKEES", "布鲁可", "Bloks", &[series("BL{n}##", "BL{n}##", 79, 199)]),
        brand("MUTONG", "木童", "Mutong", &[series("MT-{n}##", "MT-{n}##", 69, 159)]),
    ],
    choices: &[
        choice(
            "theme",
            "主题",
            &[
                value("城市消防站", "city fire station").with(&[fact("n", "", "1", "1")]),
                value("太空火箭", "space rocket").with(&[fact("n", "", "2", "2")]),
                value("恐龙乐园", "dinosaur park").with(&[fact("n", "", "3", "3")]),
                value("机械跑车", "technic sports car")
                    .percent(20)
                    .with(&[fact("n", "", "4", "4")]),
                value("中式古建筑", "Chinese palace").percent(25).with(&[fact("n", "", "5", "5")]),
                value("海盗船", "pirate ship").percent(10).with(&[fact("n", "", "6", "6")]),
                value("花店小屋", "flower shop").with(&[fact("n", "", "7", "7")]),
                value("高铁列车", "high-speed train").percent(8).with(&[fact("n", "", "8", "8")]),
            ],
        ),
        choice(
            "pieces",
            "颗粒数",
            &[
                value("268颗", "268-piece").percent(-25),
                value("520颗", "520-piece"),
                value("888颗", "888-piece").percent(35),
                value("1288颗", "1288-piece").percent(70),
            ],
        ),
        choice(
            "age",
            "适用年龄",
            &[value("6岁以上", "6+"), value("8岁以上", "8+"), value("10岁以上", "10+")],
        ),
        choice("material", "材质", &[value("ABS环保塑料", "ABS plastic")]),
    ],
    axes: &[any_of(
        "packs",
        "套装",
        2,
        &[
            option("STD", "标准装", "standard"),
            option("LED", "灯光版", "with lights").percent(20),
            option("GIFT", "礼盒装", "gift box").percent(12),
        ],
    )],
    points: &[
        text("锻炼动手能力", "hands-on practice"),
        text("边缘光滑无毛刺", "smooth edges"),
        text("图文说明书", "an illustrated manual"),
        text("可动关节", "moving parts"),
        text("亲子互动", "fun for parent and child"),
        text("生日礼物", "gift-ready packing"),
    ],
    titles: &[
        text(
            "{maker} {model} {theme}积木玩具 {pieces} {age} {point} 儿童拼装",
            "{maker} {model} {theme} Building Blocks, {pieces}, Ages {age}, {point}",
        ),
        text(
            "{maker} 积木 {theme} {model} {pieces}小颗粒拼装玩具 {point} {point2}",
            "{maker} {theme} {pieces} Construction Set {model} with {point}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand}{theme}积木共{pieces}，适合{age}的孩子拼搭。",
                "This {pieces} {theme} by {brand} is for ages {age}.",
            ),
            text(
                "把{theme}搭起来！这套{pieces}积木适合{age}。",
                "Build a {theme}! This {pieces} set is for ages {age}.",
            ),
        ],
        &[text(
            "采用{material}，{point}，{point2}。",
            "It is made of {material}, with {point} and {point2}.",
        )],
        &[text(
            "内含小零件，请勿让3岁以下儿童使用。",
            "Contains small parts, not for children under three.",
        )],
    ],
};

pub(super) const PLUSH: Kind = Kind {
    category: "母婴玩具/玩具/毛绒玩具",
    code: "PL",
    model_attribute: "货号",
    edition: Some(text("{n}版", "Rev. {n}")),
    brands: &[
        brand("GUORONG", "果绒", "Guorong", &[series("GR-{n}##", "GR-{n}##", 59, 119)]),
        brand("MINISO", "名创优品", "Miniso", &[series("MS{n}##", "MS{n}##", 29, 59)]),
        brand("NUANTU", "暖兔", "Nuantu", &[series("NT{n}##", "NT{n}##", 45, 89)]),
        brand("RONGRONG", "绒绒家", "Rongrong", &[series("RR-{n}##", "RR-{n}##", 35, 79)]),
    ],
    choices: &[
        choice(
            "animal",
            "造型",
            &[
                value("小熊", "bear").with(&[fact("n", "", "1", "1")]),
                value("兔子", "rabbit").with(&[fact("n", "", "2", "2")]),
                value("熊猫", "panda").with(&[fact("n", "", "3", "3")]),
                value("小狗", "puppy").with(&[fact("n", "", "4", "4")]),
                value("猫咪", "kitten").with(&[fact("n", "", "5", "5")]),
                value("恐龙", "dinosaur").with(&[fact("n", "", "6", "6")]),
                value("水豚", "capybara").percent(8).with(&[fact("n", "", "7", "7")]),
            ],
        ),
        choice(
            "fabric",
            "面料",
            &[
                value("兔毛绒", "faux rabbit fur").percent(8),
                value("短毛绒", "short plush"),
                value("水晶超柔", "crystal velvet").percent(5),
            ],
        ),
        choice(
            "filling",
            "填充物",
            &[value("PP棉", "polyester fibre"), value("羽绒棉", "down-like fibre").percent(12)],
        ),
        choice("age", "适用年龄", &[value("3岁以上", "3+")]),
    ],
    axes: &[
        run_of(
            "sizes",
            "尺寸",
            2,
            3,
            &[
                option("25", "25cm", "25 cm"),
                option("40", "40cm", "40 cm").percent(50),
                option("60", "60cm", "60 cm").percent(130),
                option("90", "90cm", "90 cm").percent(260),
            ],
        ),
        any_of("colours", "颜色", 2, &[BROWN, WHITE, PINK, GREY, BEIGE, BLUE, YELLOW]),
    ],
    points: &[
        text("柔软亲肤", "a soft touch"),
        text("可机洗", "machine-washable fabric"),
        text("不掉毛", "shed-free fur"),
        text("陪睡抱枕", "a hug at bedtime"),
        text("生日礼物", "gift-ready packing"),
    ],
    titles: &[text(
        "{maker} {animal}毛绒玩具 {model} {fabric}公仔 {point} {point2} 儿童玩偶",
        "{maker} {animal} Plush Toy {model}, {fabric}, with {point}",
    )],
    story: &[
        &[
            text(
                "{brand}{animal}公仔，{fabric}面料，内填{filling}，抱起来软软的。",
                "The {animal} by {brand} is sewn from {fabric} and filled with {filling}, soft to hold.",
            ),
            text(
                "一只憨憨的{animal}，{fabric}手感细腻，填充{filling}。",
                "A cuddly {animal} with a coat of {fabric}, filled with {filling}.",
            ),
        ],
        &[text(
            "{point}，{point2}，适合{age}。",
            "It offers {point} and {point2}, for ages {age}.",
        )],
        &[text("尺寸可选{sizes}。", "Sizes: {sizes}.")],
    ],
};
