//! Kitchen and home appliances.

use super::colours::{BEIGE, BLACK, BLUE, GREEN, GREY, PINK, SILVER, WHITE};
use crate::kind::{Choice, Kind, any_of, brand, choice, fact, option, run_of, series, text, value};

pub(super) const WOK: Kind = Kind {
    category: "家居厨具/锅具/炒锅",
    code: "WK",
    model_attribute: "型号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand("SUPOR", "苏泊尔", "Supor", &[series("EC{n}SP##", "EC{n}SP##", 129, 269)]),
        brand("ASD", "爱仕达", "ASD", &[series("CL{n}A#", "CL{n}A#", 99, 219)]),
        brand("COOKER", "炊大皇", "Cooker King", &[series("WG##-{n}", "WG##-{n}", 69, 149)]),
        brand("WMF", "福腾宝", "WMF", &[series("Wok Devil #{n}", "Wok Devil #{n}", 499, 899)]),
        brand("ZHANGQIU", "章丘匠铺", "Zhangqiu Smithy", &[series("ZQ-{n}#", "ZQ-{n}#", 169, 399)]),
        brand("TIEDIAN", "铁甸", "Tiedian", &[series("TD{n}##", "TD{n}##", 89, 179)]),
    ],
    choices: &[
        choice(
            "size",
            "直径",
            &[
                value("30cm", "30 cm").percent(-8).with(&[fact("n", "", "30", "30")]),
                value("32cm", "32 cm").with(&[fact("n", "", "32", "32")]),
                value("34cm", "34 cm").percent(8).with(&[fact("n", "", "34", "34")]),
            ],
        ),
        choice(
            "material",
            "材质",
            &[
                value("精铁", "refined iron"),
                value("铸铁", "cast iron").percent(8),
                value("316不锈钢", "316 stainless steel").percent(30),
                value("钛", "titanium").percent(60),
                value("麦饭石涂层铝", "stone-coated aluminium").percent(-10),
            ],
        ),
        choice(
            "stove",
            "适用炉灶",
            &[value("燃气灶电磁炉通用", "gas and induction"), value("燃气灶", "gas").percent(-6)],
        ),
        choice(
            "handle",
            "手柄",
            &[
                value("木柄", "wooden"),
                value("电木手柄", "Bakelite"),
                value("不锈钢手柄", "steel").percent(5),
            ],
        ),
    ],
    axes: &[any_of(
        "sets",
        "套餐",
        3,
        &[
            option("PAN", "单锅", "wok only"),
            option("LID", "锅+锅盖", "wok and lid").percent(15),
            option("SET", "锅+锅盖+锅铲", "wok, lid and spatula").percent(25),
        ],
    )],
    points: &[
        text("不易粘锅", "low-stick cooking"),
        text("无涂层", "an uncoated surface"),
        text("受热均匀", "even heating"),
        text("轻便颠勺", "light handling"),
        text("少油烟", "little smoke"),
        text("加厚平底", "a thick flat base"),
    ],
    titles: &[
        text(
            "{maker} {model} {material}炒锅 {size} {point} {stove} 家用炒菜锅",
            "{maker} {model} {size} Wok, {material}, {point}, for {stove}",
        ),
        text(
            "{maker} 炒锅 {model} {size}{material}锅 {handle} {point} {point2}",
            "{maker} {model} {size} Stir-Fry Pan in {material} with {point}, {handle} Handle",
        ),
    ],
    story: &[
        &[
            text(
                "{brand} {model} 炒锅直径{size}，{material}锅身，{stove}可用。",
                "The {brand} {model} wok is {size} wide, made of {material}, and works on {stove}.",
            ),
            text(
                "{size}的{material}炒锅，一家三四口炒菜刚好。",
                "At {size}, this {material} wok is right for a family of three or four.",
            ),
        ],
        &[text(
            "{point}，{point2}，配{handle}。",
            "It has {point} and {point2}; handle: {handle}.",
        )],
        &[text("套餐：{sets}。", "Sold as: {sets}.")],
    ],
};

pub(super) const RICE_COOKER: Kind = Kind {
    category: "家用电器/厨房小电/电饭煲",
    code: "RC",
    model_attribute: "型号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand("MIDEA", "美的", "Midea", &[series("MB-{n}E###", "MB-{n}E###", 199, 399)]),
        brand("SUPOR", "苏泊尔", "Supor", &[series("SF{n}HC##", "SF{n}HC##", 229, 459)]),
        brand("JOYOUNG", "九阳", "Joyoung", &[series("F-{n}TD##", "F-{n}TD##", 189, 369)]),
        brand("PANA", "松下", "Panasonic", &[series("SR-{n}H#", "SR-{n}H#", 499, 1099)]),
        brand("MI", "米家", "Mijia", &[series("MFB{n}#", "MFB{n}#", 149, 299)]),
        brand("HEYU", "禾屿", "Heyu", &[series("HY-{n}##", "HY-{n}##", 119, 229)]),
    ],
    choices: &[
        choice(
            "heating",
            "加热方式",
            &[
                value("IH电磁加热", "induction heating").percent(25),
                value("底盘加热", "base heating"),
                value("三维立体加热", "3D heating").percent(10),
            ],
        ),
        choice(
            "volume",
            "容量",
            &[
                value("1.6L", "1.6-litre").percent(-20).with(&[
                    fact("n", "", "16", "16"),
                    fact("people", "适用人数", "1-2人", "1 to 2 people"),
                ]),
                value("3L", "3-litre").with(&[
                    fact("n", "", "30", "30"),
                    fact("people", "适用人数", "2-4人", "2 to 4 people"),
                ]),
                value("4L", "4-litre").percent(10).with(&[
                    fact("n", "", "40", "40"),
                    fact("people", "适用人数", "3-6人", "3 to 6 people"),
                ]),
                value("5L", "5-litre").percent(20).with(&[
                    fact("n", "", "50", "50"),
                    fact("people", "适用人数", "4-8人", "4 to 8 people"),
                ]),
            ],
        ),
        choice(
            "pot",
            "内胆材质",
            &[
                value("不粘涂层内胆", "non-stick pot"),
                value("铁釜内胆", "cast-iron pot").percent(12),
                value("316不锈钢无涂层内胆", "uncoated 316 steel pot").percent(22),
            ],
        ),
        choice(
            "power",
            "功率",
            &[value("500W", "500 W"), value("860W", "860 W"), value("1200W", "1200 W").percent(4)],
        ),
    ],
    axes: &[any_of("colours", "颜色", 3, &[WHITE, BLACK, SILVER, GREEN, PINK])],
    points: &[
        text("24小时预约", "24-hour delay start"),
        text("柴火饭口感", "a wood-fire taste"),
        text("低糖饭", "a low-sugar rice mode"),
        text("快速饭", "a quick-cook mode"),
        text("可拆洗内盖", "a removable inner lid"),
        text("煲粥煲汤", "porridge and soup programmes"),
    ],
    titles: &[
        text(
            "{maker} {model} 电饭煲 {volume} {heating} {point} {pot} 家用电饭锅",
            "{maker} {model} {volume} Rice Cooker, {heating}, {pot}, {point}",
        ),
        text(
            "{maker} {model} {volume}智能电饭煲 {people} {pot} {point} {point2}",
            "{maker} {model} Smart Rice Cooker, {volume}, for {people}, {point} and {point2}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand} {model} 电饭煲容量{volume}，适合{people}，{heating}，米饭粒粒分明。",
                "The {brand} {model} rice cooker, a {volume} model for {people}, uses {heating} for fluffy rice.",
            ),
            text(
                "{volume}电饭煲，{heating}，适合{people}的家庭。",
                "A {volume} rice cooker with {heating}, for homes of {people}.",
            ),
        ],
        &[text(
            "{pot}好清洗，支持{point}和{point2}。",
            "The {pot} cleans easily, and there is {point} as well as {point2}.",
        )],
        &[text("额定功率{power}，颜色有{colours}。", "Rated power: {power}. Colours: {colours}.")],
    ],
};

const CLEANER_GRADE: Choice = choice(
    "grade",
    "",
    &[
        value("", ""),
        value(" Pro", " Pro").percent(22),
        value(" Max", " Max").percent(35),
        value(" Lite", " Lite").percent(-15),
        value(" Plus", " Plus").percent(12),
    ],
);

pub(super) const VACUUM_CLEANER: Kind = Kind {
    category: "家用电器/清洁电器/吸尘器",
    code: "VC",
    model_attribute: "型号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand(
            "DYSON",
            "戴森",
            "Dyson",
            &[
                series("V#{grade}", "V#{grade}", 1999, 3299),
                series("V1#{grade}", "V1#{grade}", 2499, 3999),
            ],
        ),
        brand(
            "DREAME",
            "追觅",
            "Dreame",
            &[
                series("V#0{grade}", "V#0{grade}", 799, 1399),
                series("Z#0{grade}", "Z#0{grade}", 1499, 2499),
            ],
        ),
        brand("MIDEA", "美的", "Midea", &[series("P#{grade}", "P#{grade}", 299, 599)]),
        brand("MI", "米家", "Mijia", &[series("G#{grade}", "G#{grade}", 499, 999)]),
        brand("PUPPY", "小狗", "Puppyoo", &[series("T1#{grade}", "T1#{grade}", 399, 899)]),
        brand("FENGXUN", "风循", "Fengxun", &[series("X#0{grade}", "X#0{grade}", 259, 499)]),
    ],
    choices: &[
        CLEANER_GRADE,
        choice(
            "suction",
            "吸力",
            &[
                value("120AW", "120 AW").percent(-8),
                value("150AW", "150 AW"),
                value("185AW", "185 AW").percent(8),
                value("230AW", "230 AW").percent(18),
            ],
        ),
        choice(
            "life",
            "续航",
            &[
                value("40分钟", "40 minutes"),
                value("60分钟", "60 minutes"),
                value("70分钟", "70 minutes").percent(4),
                value("90分钟", "90 minutes").percent(8),
            ],
        ),
        choice(
            "weight",
            "重量",
            &[
                value("1.3kg", "1.3 kg").percent(6),
                value("1.5kg", "1.5 kg"),
                value("1.9kg", "1.9 kg"),
            ],
        ),
        choice(
            "bin",
            "尘杯容量",
            &[value("0.5L", "0.5-litre"), value("0.6L", "0.6-litre"), value("0.76L", "0.76-litre")],
        ),
    ],
    axes: &[any_of(
        "sets",
        "套餐",
        3,
        &[
            option("STD", "标配", "standard"),
            option("MITE", "标配+除螨刷", "with mite brush").percent(10),
            option("FULL", "全套刷头+立式收纳架", "with all brushes and stand").percent(22),
        ],
    )],
    points: &[
        text("强力除螨", "strong mite removal"),
        text("绿光显尘", "a dust-revealing green light"),
        text("防缠绕刷头", "a tangle-free brush"),
        text("低噪音", "low noise"),
        text("HEPA过滤", "HEPA filtration"),
        text("一键倒尘", "one-touch emptying"),
    ],
    titles: &[
        text(
            "{maker} {model} 无线吸尘器 {suction}大吸力 {life}续航 {point} 家用手持",
            "{maker} {model} Cordless Vacuum Cleaner, {suction}, {life} Runtime, {point}",
        ),
        text(
            "{maker} {model} 手持无线吸尘器 {point} {point2} {suction} 车家两用",
            "{maker} {model} Handheld Cordless Vacuum, {suction}, {point} and {point2}",
        ),
    ],
    story: &[
        &[text(
            "{brand} {model} 无线吸尘器吸力{suction}，单手重约{weight}，上下打扫都轻松。",
            "The {brand} {model} cordless vacuum has {suction} of suction and weighs about {weight}, light enough for high corners.",
        )],
        &[
            text(
                "续航最长{life}，{bin}尘杯，{point}，{point2}。",
                "It runs for up to {life} and has {point}, {point2} and a {bin} bin.",
            ),
            text(
                "{point}，{point2}，日常打扫更省心，最长可用{life}。",
                "With {point} and {point2}, daily cleaning gets easier; it runs for up to {life}.",
            ),
        ],
        &[text("套餐可选：{sets}。", "Sold as: {sets}.")],
    ],
};

pub(super) const ROBOT_VACUUM: Kind = Kind {
    category: "家用电器/清洁电器/扫地机器人",
    code: "RV",
    model_attribute: "型号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand(
            "ROBOROCK",
            "石头",
            "Roborock",
            &[
                series("G#0{grade}", "G#0{grade}", 2799, 3999),
                series("P#0{grade}", "P#0{grade}", 1999, 2999),
            ],
        ),
        brand(
            "ECOVACS",
            "科沃斯",
            "Ecovacs",
            &[
                series("X#{grade}", "X#{grade}", 2999, 4299),
                series("T#0{grade}", "T#0{grade}", 1999, 3199),
            ],
        ),
        brand(
            "DREAME",
            "追觅",
            "Dreame",
            &[
                series("S#0{grade}", "S#0{grade}", 2499, 3699),
                series("X#0{grade}", "X#0{grade}", 3299, 4599),
            ],
        ),
        brand("NARWAL", "云鲸", "Narwal", &[series("J#{grade}", "J#{grade}", 2499, 3499)]),
        brand("MI", "米家", "Mijia", &[series("M#0{grade}", "M#0{grade}", 1299, 2299)]),
    ],
    choices: &[
        CLEANER_GRADE,
        choice(
            "suction",
            "吸力",
            &[
                value("8000Pa", "8000 Pa").percent(-6),
                value("12000Pa", "12000 Pa"),
                value("18500Pa", "18500 Pa").percent(8),
                value("22000Pa", "22000 Pa").percent(12),
            ],
        ),
        choice(
            "navigation",
            "导航",
            &[
                value("激光导航", "laser navigation"),
                value("激光+视觉避障", "laser and camera obstacle avoidance").percent(8),
            ],
        ),
        choice(
            "height",
            "机身高度",
            &[
                value("7.98cm", "7.98 cm").percent(6),
                value("9.5cm", "9.5 cm"),
                value("10.3cm", "10.3 cm"),
            ],
        ),
        choice(
            "mop",
            "拖地方式",
            &[
                value("双圆盘拖布", "twin spinning mops"),
                value("活水滚筒", "self-rinsing roller mop").percent(8),
                value("震动拖布", "vibrating mop").percent(-8),
            ],
        ),
    ],
    axes: &[
        any_of(
            "docks",
            "版本",
            2,
            &[
                option("TANK", "水箱版", "tank version"),
                option("PIPE", "上下水版", "plumbed-in version").percent(15),
            ],
        ),
        any_of("colours", "颜色", 2, &[WHITE, BLACK]),
    ],
    points: &[
        text("自动集尘", "self-emptying"),
        text("热水洗拖布", "hot mop washing"),
        text("热风烘干", "hot-air drying"),
        text("机械臂贴边清洁", "edge cleaning"),
        text("越障爬坎", "threshold climbing"),
        text("手机远程控制", "app control"),
    ],
    titles: &[
        text(
            "{maker} {model} 扫地机器人 扫拖一体 {suction} {point} {mop} 全自动",
            "{maker} {model} Robot Vacuum and Mop, {suction}, {point}, {mop}",
        ),
        text(
            "{maker} {model} 扫拖一体扫地机器人 {navigation} {point} {point2}",
            "{maker} {model} Robot Vacuum with {navigation}, {point} and {point2}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand} {model} 扫地机器人吸力{suction}，{mop}，扫拖一次完成。",
                "The {brand} {model} robot vacuum sweeps with {suction} of suction and mops in the same run; mop: {mop}.",
            ),
            text(
                "机身高{height}，床底沙发底都能进，{suction}吸力，{mop}。",
                "At {height} it gets under beds and sofas, with {suction} of suction and {mop}.",
            ),
        ],
        &[text(
            "采用{navigation}，支持{point}和{point2}。",
            "It finds its way by {navigation} and offers {point} and {point2}.",
        )],
        &[text("可选{docks}。", "Available as {docks}.")],
    ],
};

pub(super) const THERMOS: Kind = Kind {
    category: "家居厨具/水具/保温杯",
    code: "VF",
    model_attribute: "型号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand("TIGER", "虎牌", "Tiger", &[series("MMJ-A#{n}", "MMJ-A#{n}", 159, 269)]),
        brand("THERMOS", "膳魔师", "Thermos", &[series("TCD-#{n}", "TCD-#{n}", 169, 299)]),
        brand("HAERS", "哈尔斯", "Haers", &[series("HB-{n}-#", "HB-{n}-#", 59, 119)]),
        brand("FUGUANG", "富光", "Fuguang", &[series("WFZ#0##", "WFZ#0##", 39, 89)]),
        brand("QINGHE", "清禾", "Qinghe", &[series("QH{n}#", "QH{n}#", 29, 69)]),
    ],
    choices: &[
        choice(
            "n",
            "",
            &[
                value("10", "10"),
                value("20", "20"),
                value("35", "35"),
                value("48", "48"),
                value("50", "50"),
            ],
        ),
        choice(
            "material",
            "内胆材质",
            &[
                value("316不锈钢", "316 stainless steel"),
                value("304不锈钢", "304 stainless steel").percent(-12),
                value("纯钛", "pure titanium").percent(90),
                value("陶瓷涂层", "ceramic-lined steel").percent(10),
            ],
        ),
        choice(
            "life",
            "保温时长",
            &[
                value("6小时", "6 hours"),
                value("12小时", "12 hours").percent(5),
                value("24小时", "24 hours").percent(10),
            ],
        ),
        choice(
            "lid",
            "杯盖",
            &[
                value("弹跳盖", "flip lid"),
                value("旋盖", "screw lid"),
                value("吸管盖", "straw lid").percent(4),
            ],
        ),
    ],
    axes: &[
        run_of(
            "volumes",
            "容量",
            1,
            3,
            &[
                option("350", "350ml", "350 ml").percent(-8),
                option("480", "480ml", "480 ml"),
                option("600", "600ml", "600 ml").percent(10),
                option("1000", "1000ml", "1000 ml").percent(30),
            ],
        ),
        any_of("colours", "颜色", 3, &[BLACK, WHITE, PINK, BLUE, GREEN, GREY, BEIGE]),
    ],
    points: &[
        text("不漏水", "a leak-proof seal"),
        text("轻量便携", "a light body"),
        text("可泡茶", "a tea strainer"),
        text("食品级材质", "food-grade materials"),
        text("防烫杯口", "a burn-safe rim"),
    ],
    titles: &[text(
        "{maker} {model} 保温杯 {material} {lid} {life}保温 {point} {point2} 水杯",
        "{maker} {model} Vacuum Flask, {material}, {lid}, Warm for {life}, {point}",
    )],
    story: &[
        &[text(
            "{brand} {model} 保温杯采用{material}内胆，约{life}后仍温热。",
            "The {brand} {model} flask is lined with {material} and keeps drinks warm for about {life}.",
        )],
        &[
            text(
                "{lid}单手开合，{point}，{point2}。",
                "The {lid} opens with one hand; {point} and {point2} complete it.",
            ),
            text(
                "配{lid}，{point}，通勤开车都合适。",
                "With its {lid} and {point}, it is fit for commutes and car trips.",
            ),
        ],
        &[text("容量可选{volumes}。", "Volumes: {volumes}.")],
    ],
};
