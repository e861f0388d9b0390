//! Camping.

use super::colours::{ARMY_GREEN, BEIGE, BLUE, GREEN, GREY, KHAKI, NAVY, ORANGE, RED, WHITE};
use crate::kind::{Brand, Kind, any_of, brand, choice, fact, option, series, text, value};

const OUTFITTERS: &[Brand] = &[
    brand(
        "NH",
        "挪客",
        "Naturehike",
        &[
            series("{name}{n} UL", "{name} {n} UL", 399, 799),
            series("{name}{n}", "{name} {n}", 299, 599),
        ],
    ),
    brand(
        "MOBI",
        "牧高笛",
        "Mobi Garden",
        &[
            series("{name}{n}", "{name} {n}", 349, 749),
            series("{name}{n} Pro", "{name} {n} Pro", 499, 999),
        ],
    ),
    brand("TOREAD", "探路者", "Toread", &[series("{name}{n}", "{name} {n}", 259, 559)]),
    brand("CAMEL", "骆驼", "Camel", &[series("{name}{n}", "{name} {n}", 199, 399)]),
    brand(
        "YEJI",
        "野集",
        "Yeji",
        &[
            series("{name}{n}", "{name} {n}", 159, 329),
            series("{name}{n} Lite", "{name} {n} Lite", 129, 259),
        ],
    ),
];

pub(super) const TENT: Kind = Kind {
    category: "运动户外/露营装备/户外帐篷",
    code: "TN",
    model_attribute: "型号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: OUTFITTERS,
    choices: &[
        choice(
            "name",
            "",
            &[
                value("云尚", "Cloudtop"),
                value("山野", "Wilds"),
                value("星河", "Galaxy"),
                value("冷山", "Cold Mountain"),
                value("屿", "Isle"),
                value("溪谷", "Brook"),
                value("旷野", "Openland"),
            ],
        ),
        choice(
            "people",
            "适用人数",
            &[
                value("1-2人", "1 to 2 people").percent(-15).with(&[fact("n", "", "2", "2")]),
                value("2-3人", "2 to 3 people").with(&[fact("n", "", "3", "3")]),
                value("3-4人", "3 to 4 people").percent(18).with(&[fact("n", "", "4", "4")]),
                value("5-8人", "5 to 8 people").percent(55).with(&[fact("n", "", "8", "8")]),
            ],
        ),
        choice(
            "setup",
            "搭建方式",
            &[
                value("自动速开", "pop-up"),
                value("手动搭建", "pole-and-sleeve").percent(-8),
                value("充气式", "inflatable").percent(40),
            ],
        ),
        choice(
            "water",
            "防水指数",
            &[
                value("PU2000mm", "2000 mm").percent(-5),
                value("PU3000mm", "3000 mm"),
                value("PU4000mm", "4000 mm").percent(8),
            ],
        ),
        choice(
            "fabric",
            "面料",
            &[
                value("210T涤纶", "210T polyester"),
                value("20D尼龙", "20D nylon").percent(20),
                value("150D牛津布", "150D Oxford cloth"),
                value("涂银防晒布", "silver-coated cloth").percent(5),
            ],
        ),
        choice(
            "weight",
            "重量",
            &[
                value("1.8kg", "1.8 kg").percent(20),
                value("3.2kg", "3.2 kg"),
                value("4.6kg", "4.6 kg"),
            ],
        ),
    ],
    axes: &[
        any_of(
            "sets",
            "套餐",
            2,
            &[
                option("TENT", "单帐篷", "tent only"),
                option("MAT", "帐篷+防潮垫", "tent and mat").percent(15),
                option("KIT", "帐篷+天幕", "tent and tarp").percent(35),
            ],
        ),
        any_of("colours", "颜色", 3, &[KHAKI, ARMY_GREEN, BEIGE, BLUE, ORANGE, WHITE]),
    ],
    points: &[
        text("防暴雨", "storm-proof seams"),
        text("双层通风", "double-layer ventilation"),
        text("便携收纳", "a compact pack size"),
        text("防晒黑胶", "a blackout coating"),
        text("大前厅", "a large porch"),
        text("防蚊纱网", "mosquito mesh"),
    ],
    titles: &[
        text(
            "{maker} {model} 户外帐篷 {people} {setup} {point} {point2} 露营野营",
            "{maker} {model} Camping Tent for {people}, {setup}, {point}",
        ),
        text(
            "{maker} {model} 露营帐篷 {setup} {fabric} {water} {point} 公园野餐",
            "{maker} {model} {setup} Tent, {fabric}, {water} Waterproof, {point}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand}{model}帐篷适合{people}，{setup}，整包约{weight}。",
                "The {brand} {model} tent sleeps {people}, with {setup} construction, and packs to about {weight}.",
            ),
            text(
                "{setup}帐篷，可睡{people}，面料为{fabric}，防水指数{water}。",
                "This {setup} tent for {people} is made of {fabric} and withstands a water column of {water}.",
            ),
        ],
        &[text(
            "{point}，{point2}，周末露营一家人都住得下。",
            "With {point} and {point2}, it is ready for a weekend outdoors.",
        )],
        &[text("颜色有{colours}，可选{sets}。", "Colours: {colours}. Sold as: {sets}.")],
    ],
};

pub(super) const SLEEPING_BAG: Kind = Kind {
    category: "运动户外/露营装备/睡袋",
    code: "SB",
    brands: OUTFITTERS,
    choices: &[
        choice(
            "name",
            "",
            &[
                value("云眠", "Cloudnap"),
                value("暖山", "Warm Hill"),
                value("雪线", "Snowline"),
                value("月伴", "Moonmate"),
                value("轻羽", "Feather"),
                value("宿野", "Campnight"),
            ],
        ),
        choice(
            "comfort",
            "舒适温标",
            &[
                value("15℃", "15 °C").percent(-55).with(&[
                    fact("n", "", "150", "150"),
                    fact("season", "适用季节", "夏季", "summer"),
                ]),
                value("5℃", "5 °C").percent(-35).with(&[
                    fact("n", "", "250", "250"),
                    fact("season", "适用季节", "春秋", "spring and autumn"),
                ]),
                value("0℃", "0 °C").percent(-15).with(&[
                    fact("n", "", "350", "350"),
                    fact("season", "适用季节", "三季", "three seasons"),
                ]),
                value("-10℃", "-10 °C").percent(15).with(&[
                    fact("n", "", "500", "500"),
                    fact("season", "适用季节", "冬季", "winter"),
                ]),
            ],
        ),
        choice(
            "filling",
            "填充物",
            &[
                value("中空棉", "hollow fibre").percent(-20),
                value("白鸭绒", "white duck down").percent(25),
                value("科技棉", "synthetic loft"),
            ],
        ),
        choice(
            "shape",
            "款式",
            &[value("信封式", "envelope"), value("木乃伊式", "mummy").percent(6)],
        ),
        choice(
            "fabric",
            "面料",
            &[value("20D尼龙", "20D nylon").percent(8), value("290T涤纶", "290T polyester")],
        ),
    ],
    axes: &[
        any_of(
            "length",
            "尺寸",
            2,
            &[
                option("STD", "标准 210×75cm", "regular 210×75 cm"),
                option("WIDE", "加宽 220×85cm", "wide 220×85 cm").percent(10),
            ],
        ),
        any_of("colours", "颜色", 3, &[NAVY, ORANGE, GREEN, GREY, RED, BLUE]),
    ],
    points: &[
        text("可拼接双人", "a pairing zip"),
        text("可机洗", "machine-washable fabric"),
        text("小体积收纳", "a small pack size"),
        text("防泼水面料", "a water-repellent shell"),
        text("双向拉链", "a two-way zip"),
    ],
    titles: &[
        text(
            "{maker} {model} 睡袋 {season} {shape} {filling} {point} 户外露营",
            "{maker} {model} {shape} Sleeping Bag, {filling}, for {season}, {point}",
        ),
        text(
            "{maker} {model} 户外睡袋 成人 舒适温标{comfort} {filling} {point} {point2}",
            "{maker} {model} Adult Sleeping Bag, Comfort {comfort}, {filling}, {point}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand}{model}是一款{shape}睡袋，填充{filling}，舒适温标{comfort}。",
                "The {brand} {model} is a roomy {shape} sleeping bag filled with {filling}, comfortable down to {comfort}.",
            ),
            text(
                "适合{season}使用的{shape}睡袋，{fabric}外层，{filling}填充。",
                "Made for {season}: {shape} shape, {fabric} outside, {filling} inside, comfort limit {comfort}.",
            ),
        ],
        &[text(
            "{point}，{point2}，露营午休都用得上。",
            "It offers {point} and {point2}, for camping and naps alike.",
        )],
    ],
    ..TENT
};
