//! Running shoes and backpacks.

use super::colours::{
    ARMY_GREEN, BEIGE, BLACK, BLUE, BROWN, GREEN, GREY, KHAKI, NAVY, ORANGE, PINK, PURPLE, RED,
    WHITE, YELLOW,
};
use crate::kind::{Kind, any_of, brand, choice, option, run_of, series, text, value};

pub(super) const MENS_RUNNING_SHOES: Kind = Kind {
    category: "服饰鞋包/运动鞋/跑步鞋",
    code: "SH",
    model_attribute: "款式",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand(
            "LINING",
            "李宁",
            "Li-Ning",
            &[
                series("赤兔#{grade}", "Red Hare #{grade}", 299, 459),
                series("越影#{grade}", "Shadow #{grade}", 359, 559),
            ],
        ),
        brand(
            "ANTA",
            "安踏",
            "Anta",
            &[
                series("创#{grade}", "Creation #{grade}", 259, 429),
                series("马赫#{grade}", "Mach #{grade}", 359, 599),
            ],
        ),
        brand(
            "XTEP",
            "特步",
            "Xtep",
            &[
                series("160X #{grade}", "160X #{grade}", 399, 799),
                series("氢风#{grade}", "Hydrogen #{grade}", 199, 299),
            ],
        ),
        brand("361", "361°", "361 Degrees", &[series("飞燃#{grade}", "Flame #{grade}", 299, 599)]),
        brand(
            "NIKE",
            "耐克",
            "Nike",
            &[series("Pegasus 4#{grade}", "Pegasus 4#{grade}", 599, 899)],
        ),
        brand(
            "ASICS",
            "亚瑟士",
            "Asics",
            &[series("GEL-Nova #{grade}", "GEL-Nova #{grade}", 499, 799)],
        ),
        brand("LUFENG", "鹿风", "Lufeng", &[series("R#0{grade}", "R#0{grade}", 129, 219)]),
    ],
    choices: &[
        choice(
            "grade",
            "",
            &[
                value("", ""),
                value(" Pro", " Pro").percent(25),
                value(" SE", " SE").percent(-10),
                value(" Ultra", " Ultra").percent(35),
            ],
        ),
        choice("gender", "适用性别", &[value("男款", "men's")]),
        choice(
            "upper",
            "鞋面材质",
            &[
                value("透气网面", "breathable mesh"),
                value("飞织", "knitted fabric").percent(5),
                value("超轻单丝", "ultralight monofilament").percent(8),
            ],
        ),
        choice(
            "sole",
            "中底",
            &[
                value("氮气发泡中底", "nitrogen-foamed midsole").percent(8),
                value("EVA缓震中底", "EVA midsole"),
                value("碳板中底", "carbon-plated midsole").percent(40),
            ],
        ),
        choice(
            "use",
            "适用场景",
            &[
                value("日常慢跑", "easy jogging"),
                value("马拉松竞速", "marathon racing").percent(10),
                value("体能训练", "gym training"),
            ],
        ),
        choice(
            "season",
            "适用季节",
            &[
                value("春夏", "spring and summer"),
                value("四季", "all seasons"),
                value("秋冬", "autumn and winter"),
            ],
        ),
    ],
    axes: &[
        run_of(
            "sizes",
            "尺码",
            3,
            5,
            &[
                option("39", "39", "39"),
                option("40", "40", "40"),
                option("41", "41", "41"),
                option("42", "42", "42"),
                option("43", "43", "43"),
                option("44", "44", "44"),
                option("45", "45", "45"),
            ],
        ),
        any_of("colours", "颜色", 2, &[BLACK, WHITE, GREY, NAVY, RED, ORANGE, GREEN]),
    ],
    points: &[
        text("缓震回弹", "springy cushioning"),
        text("防滑耐磨", "a durable non-slip outsole"),
        text("轻便透气", "a light airy fit"),
        text("宽楦不挤脚", "a roomy last"),
        text("反光细节", "reflective details"),
    ],
    titles: &[
        text(
            "{maker} {model} 跑步鞋 {gender} {sole} {point} {upper}运动鞋",
            "{maker} {model} {gender} Running Shoes, {upper}, {sole}, with {point}",
        ),
        text(
            "{maker} {model} {gender}运动鞋 {upper} {point} {point2} {use}跑鞋",
            "{maker} {model} {gender} Sports Shoes for {use}, {upper}, {point}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand}{model}跑步鞋采用{upper}鞋面和{sole}，适合{use}。",
                "The {brand} {model} running shoes combine {upper} with {sole} and are made for {use}.",
            ),
            text(
                "{upper}鞋面包裹轻盈，{sole}落地柔和，{use}穿正合适。",
                "The upper of {upper} feels light, the {sole} lands softly: a good shoe for {use}.",
            ),
        ],
        &[text("{point}，{point2}。", "They have {point} and {point2}.")],
        &[
            text(
                "适合{season}穿着，尺码{sizes}，建议按平时运动鞋尺码选购。",
                "Made for {season}. Sizes: {sizes}; take your usual sports shoe size.",
            ),
            text("颜色有{colours}，尺码{sizes}。", "Colours: {colours}. Sizes: {sizes}."),
        ],
    ],
};

pub(super) const WOMENS_RUNNING_SHOES: Kind = Kind {
    code: "SHW",
    choices: &[
        choice(
            "grade",
            "",
            &[
                value("", ""),
                value(" Pro", " Pro").percent(25),
                value(" SE", " SE").percent(-10),
                value(" 轻羽", " Feather").percent(10),
            ],
        ),
        choice("gender", "适用性别", &[value("女款", "women's")]),
        choice(
            "upper",
            "鞋面材质",
            &[
                value("透气网面", "breathable mesh"),
                value("飞织", "knitted fabric").percent(5),
                value("超轻单丝", "ultralight monofilament").percent(8),
            ],
        ),
        choice(
            "sole",
            "中底",
            &[
                value("氮气发泡中底", "nitrogen-foamed midsole").percent(8),
                value("EVA缓震中底", "EVA midsole"),
            ],
        ),
        choice(
            "use",
            "适用场景",
            &[
                value("日常慢跑", "easy jogging"),
                value("通勤健走", "walking to work"),
                value("体能训练", "gym training"),
            ],
        ),
        choice(
            "season",
            "适用季节",
            &[
                value("春夏", "spring and summer"),
                value("四季", "all seasons"),
                value("秋冬", "autumn and winter"),
            ],
        ),
    ],
    axes: &[
        run_of(
            "sizes",
            "尺码",
            3,
            5,
            &[
                option("35", "35", "35"),
                option("36", "36", "36"),
                option("37", "37", "37"),
                option("38", "38", "38"),
                option("39", "39", "39"),
                option("40", "40", "40"),
            ],
        ),
        any_of("colours", "颜色", 2, &[BLACK, WHITE, BEIGE, PINK, PURPLE, GREEN, GREY]),
    ],
    ..MENS_RUNNING_SHOES
};

pub(super) const BACKPACK: Kind = Kind {
    category: "服饰鞋包/箱包/双肩包",
    code: "BP",
    model_attribute: "款号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand("NINETY", "90分", "Ninetygo", &[series("NG-B##", "NG-B##", 129, 249)]),
        brand("SWISS", "瑞动", "Swissmobility", &[series("MT-5###", "MT-5###", 169, 299)]),
        brand("DECA", "迪卡侬", "Decathlon", &[series("NH#00", "NH#00", 59, 149)]),
        brand("SAMSONITE", "新秀丽", "Samsonite", &[series("BT##", "BT##", 399, 799)]),
        brand("SHANXING", "山行", "Shanxing", &[series("SX-###", "SX-###", 99, 199)]),
    ],
    choices: &[
        choice(
            "volume",
            "容量",
            &[
                value("15L", "15-litre").percent(-15),
                value("20L", "20-litre"),
                value("26L", "26-litre").percent(8),
                value("35L", "35-litre").percent(20),
            ],
        ),
        choice(
            "material",
            "材质",
            &[
                value("防泼水牛津布", "water-repellent Oxford cloth"),
                value("涤纶", "polyester").percent(-10),
                value("再生尼龙", "recycled nylon").percent(12),
            ],
        ),
        choice(
            "laptop",
            "适配电脑",
            &[
                value("14英寸电脑", "14-inch laptop"),
                value("15.6英寸电脑", "15.6-inch laptop"),
                value("16英寸电脑", "16-inch laptop"),
            ],
        ),
        choice(
            "use",
            "适用场景",
            &[
                value("商务通勤", "business"),
                value("学生上课", "school"),
                value("短途旅行", "short trips"),
            ],
        ),
    ],
    axes: &[any_of(
        "colours",
        "颜色",
        4,
        &[BLACK, GREY, NAVY, KHAKI, ARMY_GREEN, BROWN, BLUE, YELLOW],
    )],
    points: &[
        text("大容量多隔层", "plenty of compartments"),
        text("减压肩带", "padded straps"),
        text("可挂拉杆箱", "a trolley sleeve"),
        text("外置USB口", "an outside USB port"),
        text("背部透气", "a ventilated back"),
        text("防盗暗袋", "a hidden pocket"),
    ],
    titles: &[
        text(
            "{maker} {model} 双肩包 {volume} {laptop}包 {point} {use}背包",
            "{maker} {model} {volume} Backpack for {use}, fits a {laptop}, {point}",
        ),
        text(
            "{maker} {model} {use}双肩背包 {material} {volume} {point} {point2} 男女通用",
            "{maker} {model} {volume} Unisex Backpack, {material}, {point} and {point2}",
        ),
    ],
    story: &[
        &[text(
            "{brand} {model} 双肩包容量{volume}，可放{laptop}，适合{use}。",
            "The {brand} {model} is a roomy {volume} backpack for {use} that takes a {laptop}.",
        )],
        &[
            text(
                "面料为{material}，{point}，{point2}。",
                "It is made of {material} with {point} and {point2}.",
            ),
            text(
                "{material}耐磨好打理，还有{point}和{point2}。",
                "The {material} wears well and cleans easily; there is {point} and {point2}.",
            ),
        ],
        &[text("颜色有{colours}。", "Colours: {colours}.")],
    ],
};
