//! Phones and what goes with them.

use super::colours::{BLACK, BLUE, GREEN, ORANGE, PINK, PURPLE, SILVER, WHITE};
use crate::kind::{
    Axis, Kind, Value, any_of, brand, choice, fact, option, run_of, series, text, value,
};

const STORAGE: Axis = run_of(
    "storage",
    "存储容量",
    1,
    3,
    &[
        option("12G256", "12GB+256GB", "12GB + 256GB"),
        option("12G512", "12GB+512GB", "12GB + 512GB").percent(12),
        option("16G512", "16GB+512GB", "16GB + 512GB").percent(18),
        option("16G1T", "16GB+1TB", "16GB + 1TB").percent(32),
    ],
);

pub(super) const ANDROID_PHONE: Kind = Kind {
    category: "数码/手机通讯/智能手机",
    code: "PH",
    model_attribute: "型号",
    edition: Some(text("（第{n}代）", "(Gen {n})")),
    brands: &[
        brand(
            "HUAWEI",
            "华为",
            "Huawei",
            &[
                series("Mate #0{grade}", "Mate #0{grade}", 4499, 5999).with(&[
                    fact("chip", "处理器", "麒麟9020", "Kirin 9020"),
                    fact("system", "操作系统", "HarmonyOS", "HarmonyOS"),
                ]),
                series("nova 1#{grade}", "nova 1#{grade}", 2499, 3299).with(&[
                    fact("chip", "处理器", "麒麟8020", "Kirin 8020"),
                    fact("system", "操作系统", "HarmonyOS", "HarmonyOS"),
                ]),
            ],
        ),
        brand(
            "MI",
            "小米",
            "Xiaomi",
            &[
                series("1#{grade}", "1#{grade}", 3299, 4499).with(&[fact(
                    "chip",
                    "处理器",
                    "骁龙8 至尊版",
                    "Snapdragon 8 Elite",
                )]),
                series("Redmi Note 1#{grade}", "Redmi Note 1#{grade}", 1099, 1699),
            ],
        ),
        brand(
            "HONOR",
            "荣耀",
            "Honor",
            &[
                series("Magic#{grade}", "Magic#{grade}", 3999, 5299).with(&[fact(
                    "chip",
                    "处理器",
                    "骁龙8 至尊版",
                    "Snapdragon 8 Elite",
                )]),
                series("X#0{grade}", "X#0{grade}", 1199, 1799),
            ],
        ),
        brand(
            "OPPO",
            "OPPO",
            "OPPO",
            &[
                series("Reno1#{grade}", "Reno1#{grade}", 2299, 3499),
                series("Find X#{grade}", "Find X#{grade}", 4199, 5499).with(&[fact(
                    "chip",
                    "处理器",
                    "天玑9400",
                    "Dimensity 9400",
                )]),
            ],
        ),
        brand(
            "VIVO",
            "vivo",
            "vivo",
            &[
                series("X#00{grade}", "X#00{grade}", 3999, 5299).with(&[fact(
                    "chip",
                    "处理器",
                    "天玑9400",
                    "Dimensity 9400",
                )]),
                series("S#0{grade}", "S#0{grade}", 2199, 2999),
            ],
        ),
        brand("XINGYAO", "星曜", "Starray", &[series("N#0{grade}", "N#0{grade}", 1299, 2199)]),
    ],
    choices: &[
        choice(
            "grade",
            "",
            &[
                value("", ""),
                value(" Pro", " Pro").percent(22),
                value(" Pro+", " Pro Plus").percent(40),
                value(" 青春版", " Lite").percent(-15),
            ],
        ),
        choice(
            "chip",
            "处理器",
            &[
                value("骁龙7s", "Snapdragon 7s"),
                value("骁龙8s", "Snapdragon 8s").percent(15),
                value("天玑8400", "Dimensity 8400").percent(6),
            ],
        ),
        choice("system", "操作系统", &[value("Android", "Android")]),
        choice(
            "screen",
            "屏幕尺寸",
            &[
                value("6.36英寸", "6.36-inch"),
                value("6.59英寸", "6.59-inch"),
                value("6.7英寸", "6.7-inch"),
                value("6.78英寸", "6.78-inch").percent(3),
            ],
        ),
        choice(
            "battery",
            "电池容量",
            &[
                value("5100mAh", "5100mAh"),
                value("5500mAh", "5500mAh"),
                value("6000mAh", "6000mAh"),
                value("7000mAh", "7000mAh").percent(3),
            ],
        ),
        choice(
            "charging",
            "充电功率",
            &[
                value("45W", "45 W").percent(-3),
                value("67W", "67 W"),
                value("90W", "90 W"),
                value("100W", "100 W").percent(2),
            ],
        ),
    ],
    axes: &[
        STORAGE,
        any_of(
            "colours",
            "颜色",
            3,
            &[
                option("BLK", "曜石黑", "obsidian black"),
                option("WHT", "云锦白", "brocade white"),
                option("BLU", "远山蓝", "mountain blue"),
                option("GRN", "松烟绿", "pine green"),
                option("PUR", "暮云紫", "dusk purple"),
                option("GLD", "流沙金", "quicksand gold"),
            ],
        ),
    ],
    points: &[
        text("5000万像素影像", "a 50-megapixel camera"),
        text("直屏护眼", "a flat eye-care screen"),
        text("潜望长焦", "a periscope telephoto lens"),
        text("IP68防水", "IP68 water resistance"),
        text("红外遥控", "an infrared remote"),
        text("无线充电", "wireless charging"),
        text("卫星通信", "satellite messaging"),
    ],
    titles: &[
        text(
            "{maker} {model} 5G手机 {chip} {battery}大电池 {charging}快充 {point}",
            "{maker} {model} 5G Smartphone, {chip}, {battery} Battery, {charging} Fast Charging",
        ),
        text(
            "{maker} {model} 智能手机 {screen}屏 {point} {point2} 全网通",
            "{maker} {model} Unlocked Smartphone, {screen} Display, {point} and {point2}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand} {model} 搭载{chip}，{screen}屏幕单手握持舒适。",
                "The {brand} {model} is built on {chip} with a {screen} screen that sits well in one hand.",
            ),
            text(
                "{screen}屏幕的5G手机，{chip}处理器，运行{system}系统流畅不卡顿。",
                "This 5G phone with a {screen} screen runs {system} smoothly on {chip}.",
            ),
        ],
        &[text(
            "{battery}电池配合{charging}快充，一天一充足够。",
            "The {battery} battery charges at up to {charging} and lasts a full day.",
        )],
        &[
            text(
                "支持{point}和{point2}，可选{storage}。",
                "It has {point} and {point2}. Memory: {storage}.",
            ),
            text(
                "拍照有{point}，另有{point2}。颜色：{colours}。",
                "Highlights are {point} and {point2}. Colours: {colours}.",
            ),
        ],
    ],
};

pub(super) const IPHONE: Kind = Kind {
    edition: None,
    brands: &[brand(
        "APPLE",
        "苹果",
        "Apple",
        &[
            series("iPhone 15", "iPhone 15", 4599, 4799).with(&[fact(
                "screen",
                "屏幕尺寸",
                "6.1英寸",
                "6.1-inch",
            )]),
            series("iPhone 15 Plus", "iPhone 15 Plus", 5299, 5499).with(&[fact(
                "screen",
                "屏幕尺寸",
                "6.7英寸",
                "6.7-inch",
            )]),
            series("iPhone 15 Pro", "iPhone 15 Pro", 6299, 6699).with(&[fact(
                "screen",
                "屏幕尺寸",
                "6.1英寸",
                "6.1-inch",
            )]),
            series("iPhone 15 Pro Max", "iPhone 15 Pro Max", 7299, 7799).with(&[fact(
                "screen",
                "屏幕尺寸",
                "6.7英寸",
                "6.7-inch",
            )]),
            series("iPhone 16", "iPhone 16", 5199, 5499).with(&[fact(
                "screen",
                "屏幕尺寸",
                "6.1英寸",
                "6.1-inch",
            )]),
            series("iPhone 16 Plus", "iPhone 16 Plus", 5899, 6199).with(&[fact(
                "screen",
                "屏幕尺寸",
                "6.7英寸",
                "6.7-inch",
            )]),
            series("iPhone 16 Pro", "iPhone 16 Pro", 6999, 7499).with(&[fact(
                "screen",
                "屏幕尺寸",
                "6.3英寸",
                "6.3-inch",
            )]),
            series("iPhone 16 Pro Max", "iPhone 16 Pro Max", 8299, 8999).with(&[fact(
                "screen",
                "屏幕尺寸",
                "6.9英寸",
                "6.9-inch",
            )]),
            series("iPhone 17", "iPhone 17", 5899, 5999).with(&[fact(
                "screen",
                "屏幕尺寸",
                "6.3英寸",
                "6.3-inch",
            )]),
            series("iPhone 17 Pro", "iPhone 17 Pro", 8499, 8999).with(&[fact(
                "screen",
                "屏幕尺寸",
                "6.3英寸",
                "6.3-inch",
            )]),
            series("iPhone 17 Pro Max", "iPhone 17 Pro Max", 9499, 9999).with(&[fact(
                "screen",
                "屏幕尺寸",
                "6.9英寸",
                "6.9-inch",
            )]),
        ],
    )],
    choices: &[choice("system", "操作系统", &[value("iOS", "iOS")])],
    axes: &[
        run_of(
            "storage",
            "存储容量",
            2,
            3,
            &[
                option("128", "128GB", "128GB"),
                option("256", "256GB", "256GB").percent(12),
                option("512", "512GB", "512GB").percent(35),
                option("1T", "1TB", "1TB").percent(58),
            ],
        ),
        any_of("colours", "颜色", 3, &[BLACK, WHITE, BLUE, PINK, ORANGE, SILVER]),
    ],
    points: &[
        text("双卡双待", "dual SIM"),
        text("面容解锁", "Face ID"),
        text("磁吸无线充电", "magnetic wireless charging"),
        text("4800万像素影像", "a 48-megapixel camera"),
    ],
    titles: &[text(
        "{maker} {model} {screen}屏 5G智能手机 {point} {point2}",
        "{maker} {model} 5G Smartphone, {screen} Display, {point} and {point2}",
    )],
    story: &[
        &[text(
            "{model} 采用{screen}屏幕，运行{system}，支持5G网络。",
            "The {model} has a {screen} screen, runs {system} and supports 5G.",
        )],
        &[text("配备{point}与{point2}。", "It comes with {point} and {point2}.")],
        &[text("容量可选{storage}，颜色有{colours}。", "Storage: {storage}. Colours: {colours}.")],
    ],
    ..ANDROID_PHONE
};

const CASE_COLOURS: Axis = any_of(
    "colours",
    "颜色",
    2,
    &[
        option("CLR", "半透明", "translucent"),
        BLACK,
        option("FOG", "雾霾蓝", "misty blue"),
        option("MAT", "抹茶绿", "matcha green"),
        PINK,
        option("TTN", "原色钛", "natural titanium").percent(10),
        PURPLE,
    ],
);

const IPHONES: &[Value] = &[
    option("IP15", "iPhone 15", "iPhone 15"),
    option("IP15P", "iPhone 15 Pro", "iPhone 15 Pro"),
    option("IP15PM", "iPhone 15 Pro Max", "iPhone 15 Pro Max"),
    option("IP16", "iPhone 16", "iPhone 16"),
    option("IP16P", "iPhone 16 Pro", "iPhone 16 Pro"),
    option("IP16PM", "iPhone 16 Pro Max", "iPhone 16 Pro Max"),
    option("IP17", "iPhone 17", "iPhone 17"),
    option("IP17P", "iPhone 17 Pro", "iPhone 17 Pro"),
    option("IP17PM", "iPhone 17 Pro Max", "iPhone 17 Pro Max"),
];

pub(super) const IPHONE_CASE: Kind = Kind {
    category: "数码/手机配件/手机壳",
    code: "PCI",
    model_attribute: "系列",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand(
            "TORRAS",
            "图拉斯",
            "Torras",
            &[
                series("{style}支点系列", "{style} Pivot", 99, 169),
                series("{style}随行系列", "{style} Journey", 59, 99),
            ],
        ),
        brand("PITAKA", "Pitaka", "Pitaka", &[series("{style} Aero", "{style} Aero", 169, 299)]),
        brand(
            "BENKS",
            "邦克仕",
            "Benks",
            &[
                series("{style}晶盾系列", "{style} Crystal Shield", 49, 99),
                series("{style}绒感系列", "{style} Velvet", 39, 79),
            ],
        ),
        brand(
            "UGREEN",
            "绿联",
            "Ugreen",
            &[
                series("{style}透感系列", "{style} Clear View", 29, 59),
                series("{style}铠甲系列", "{style} Armour", 39, 69),
            ],
        ),
        brand(
            "MANKE",
            "漫壳",
            "Manke",
            &[
                series("{style}插画系列", "{style} Sketchbook", 19, 39),
                series("{style}奶油系列", "{style} Cream", 15, 29),
            ],
        ),
    ],
    choices: &[
        choice(
            "style",
            "",
            &[
                value("轻云", "Cloud"),
                value("极光", "Aurora"),
                value("星野", "Starfield"),
                value("晴川", "Riverside"),
                value("山岚", "Mist"),
                value("月白", "Moon"),
                value("青柠", "Lime"),
                value("海盐", "Sea Salt"),
                value("樱落", "Blossom"),
            ],
        ),
        choice(
            "material",
            "材质",
            &[
                value("液态硅胶", "liquid silicone"),
                value("TPU软胶", "soft TPU").percent(-10),
                value("磨砂PC", "frosted polycarbonate"),
                value("TPU+PC双料", "TPU and polycarbonate").percent(8),
                value("超薄玻璃", "thin tempered glass").percent(15),
            ],
        ),
        choice(
            "magnet",
            "磁吸",
            &[
                value("支持磁吸", "magnetic").percent(20),
                value("不支持磁吸", "non-magnetic").percent(-5),
            ],
        ),
    ],
    axes: &[run_of("phones", "适用机型", 2, 3, IPHONES), CASE_COLOURS],
    points: &[
        text("镜头全包", "a raised camera frame"),
        text("气囊防摔", "air-cushioned corners"),
        text("不易发黄", "resistance to yellowing"),
        text("亲肤手感", "a soft touch"),
        text("超薄不厚重", "a slim profile"),
        text("防指纹", "an anti-fingerprint coating"),
    ],
    titles: &[
        text(
            "{maker} {model} 适用苹果iPhone手机壳 {material} {point} {point2} 保护套",
            "{maker} {model} Phone Case for iPhone, {material}, with {point}",
        ),
        text(
            "{maker} {model} iPhone手机壳 {material}保护壳 {point} {magnet} 男女款",
            "{maker} {model} {magnet} iPhone Case in {material} with {point}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand}{model}手机壳采用{material}材质，{point}，{point2}。",
                "This {brand} {model} phone case is made of {material}, with {point} and {point2}.",
            ),
            text(
                "{material}做的手机壳，日常磕碰不怕，还有{point}。",
                "A phone case in {material} that shrugs off daily knocks, with {point}.",
            ),
        ],
        &[text("适用机型：{phones}。", "Fits {phones}.")],
        &[text("颜色有{colours}，{magnet}。", "Colours: {colours}. Back: {magnet}.")],
    ],
};

pub(super) const HUAWEI_CASE: Kind = Kind {
    code: "PCH",
    axes: &[
        run_of(
            "phones",
            "适用机型",
            2,
            3,
            &[
                option("P70", "Pura 70", "Pura 70"),
                option("P70P", "Pura 70 Pro", "Pura 70 Pro"),
                option("P80P", "Pura 80 Pro", "Pura 80 Pro"),
                option("M60P", "Mate 60 Pro", "Mate 60 Pro"),
                option("M70", "Mate 70", "Mate 70"),
                option("M70P", "Mate 70 Pro", "Mate 70 Pro"),
            ],
        ),
        CASE_COLOURS,
    ],
    titles: &[
        text(
            "{maker} {model} 适用华为手机壳 {material} {point} {point2} 保护套",
            "{maker} {model} Phone Case for Huawei, {material}, with {point}",
        ),
        text(
            "{maker} {model} 华为Mate/Pura手机壳 {material}保护壳 {point} {magnet}",
            "{maker} {model} {magnet} Case for Huawei Mate and Pura in {material} with {point}",
        ),
    ],
    ..IPHONE_CASE
};

pub(super) const XIAOMI_CASE: Kind = Kind {
    code: "PCM",
    axes: &[
        run_of(
            "phones",
            "适用机型",
            2,
            3,
            &[
                option("MI14", "小米14", "Xiaomi 14"),
                option("MI14P", "小米14 Pro", "Xiaomi 14 Pro"),
                option("MI15", "小米15", "Xiaomi 15"),
                option("MI15P", "小米15 Pro", "Xiaomi 15 Pro"),
                option("MI15U", "小米15 Ultra", "Xiaomi 15 Ultra"),
            ],
        ),
        CASE_COLOURS,
    ],
    titles: &[text(
        "{maker} {model} 适用小米手机壳 {material} {point} {point2} 保护套",
        "{maker} {model} Phone Case for Xiaomi, {material}, with {point}",
    )],
    ..IPHONE_CASE
};

pub(super) const POWER_BANK: Kind = Kind {
    category: "数码/手机配件/充电宝",
    code: "PB",
    model_attribute: "型号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand("ANKER", "安克", "Anker", &[series("A1###", "A1###", 149, 249)]),
        brand("UGREEN", "绿联", "Ugreen", &[series("PB7##", "PB7##", 99, 189)]),
        brand("ROMOSS", "罗马仕", "Romoss", &[series("PPD##", "PPD##", 69, 129)]),
        brand("BASEUS", "倍思", "Baseus", &[series("BS-P#0#", "BS-P#0#", 89, 159)]),
        brand("MI", "小米", "Xiaomi", &[series("PB#0##MI", "PB#0##MI", 79, 149)]),
        brand("DIANXIAOMAN", "电小满", "Dianman", &[series("X# Pro {n}", "X# Pro {n}", 59, 119)]),
    ],
    choices: &[
        choice(
            "capacity",
            "容量",
            &[
                value("5000mAh", "5000mAh").percent(-25).with(&[fact("n", "", "5K", "5K")]),
                value("10000mAh", "10000mAh").with(&[fact("n", "", "10K", "10K")]),
                value("20000mAh", "20000mAh").percent(35).with(&[fact("n", "", "20K", "20K")]),
                value("27000mAh", "27000mAh").percent(80).with(&[fact("n", "", "27K", "27K")]),
            ],
        ),
        choice(
            "power",
            "输出功率",
            &[
                value("22.5W", "22.5 W"),
                value("30W", "30 W").percent(10),
                value("45W", "45 W").percent(20),
                value("65W", "65 W").percent(35),
            ],
        ),
        choice(
            "cable",
            "自带线",
            &[
                value("自带Type-C线", "built-in USB-C cable").percent(8),
                value("双接口", "two ports"),
            ],
        ),
        choice("safety", "认证", &[value("3C认证", "CCC certified")]),
    ],
    axes: &[any_of("colours", "颜色", 3, &[BLACK, WHITE, BLUE, PURPLE, GREEN])],
    points: &[
        text("可上飞机", "carry-on approval"),
        text("数显电量", "a digital charge display"),
        text("小巧便携", "a pocket-sized body"),
        text("双向快充", "two-way fast charging"),
        text("支架设计", "a fold-out stand"),
    ],
    titles: &[
        text(
            "{maker} {model} 充电宝 {capacity} {power}快充 {cable} {point} 移动电源",
            "{maker} {model} Power Bank, {capacity}, {power} Fast Charging, {cable}",
        ),
        text(
            "{maker} {model} {capacity}移动电源 {power}双向快充充电宝 {point} {safety}",
            "{maker} {model} {capacity} {power} Power Bank with {point}, {safety}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand} {model} 充电宝容量{capacity}，最高{power}输出，{cable}，出门不用再找线。",
                "The {brand} {model} power bank holds {capacity} and delivers up to {power}; it has {cable}.",
            ),
            text(
                "{capacity}移动电源，{power}快充，手机平板都能用。",
                "A power bank of {capacity} with {power} fast charging for phones and tablets.",
            ),
        ],
        &[text(
            "{point}，{point2}，已通过{safety}。",
            "It offers {point} and {point2} and is {safety}.",
        )],
    ],
};

pub(super) const CHARGER: Kind = Kind {
    category: "数码/手机配件/充电器",
    code: "CH",
    model_attribute: "型号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand("ANKER", "安克", "Anker", &[series("Nano A2###", "Nano A2###", 79, 129)]),
        brand("UGREEN", "绿联", "Ugreen", &[series("CD###", "CD###", 59, 109)]),
        brand("BASEUS", "倍思", "Baseus", &[series("GaN#-{n}", "GaN#-{n}", 59, 119)]),
        brand("MI", "小米", "Xiaomi", &[series("AD#0##", "AD#0##", 49, 89)]),
        brand("PINENG", "品胜", "Pisen", &[series("TS-C###", "TS-C###", 39, 69)]),
    ],
    choices: &[
        choice(
            "power",
            "输出功率",
            &[
                value("20W", "20 W").percent(-30).with(&[
                    fact("n", "", "20", "20"),
                    fact("ports", "接口", "单口Type-C", "single USB-C port"),
                    fact("devices", "", "手机耳机平板", "phones, earphones and tablets"),
                ]),
                value("33W", "33 W").percent(-10).with(&[
                    fact("n", "", "33", "33"),
                    fact("ports", "接口", "单口Type-C", "single USB-C port"),
                    fact("devices", "", "手机耳机平板", "phones, earphones and tablets"),
                ]),
                value("65W", "65 W").percent(30).with(&[
                    fact("n", "", "65", "65"),
                    fact("devices", "", "手机平板笔记本", "phones, tablets and laptops"),
                ]),
                value("100W", "100 W").percent(90).with(&[
                    fact("n", "", "100", "100"),
                    fact("devices", "", "手机平板笔记本", "phones, tablets and laptops"),
                ]),
                value("140W", "140 W").percent(160).with(&[
                    fact("n", "", "140", "140"),
                    fact("devices", "", "手机平板笔记本", "phones, tablets and laptops"),
                ]),
            ],
        ),
        choice(
            "ports",
            "接口",
            &[
                value("单口Type-C", "single USB-C port"),
                value("2C1A三口", "two USB-C and one USB-A port").percent(20),
                value("1C1A双口", "one USB-C and one USB-A port").percent(10),
            ],
        ),
        choice(
            "technology",
            "技术",
            &[value("氮化镓", "GaN"), value("氮化镓三代", "third-generation GaN").percent(15)],
        ),
    ],
    axes: &[
        any_of(
            "set",
            "套餐",
            2,
            &[
                option("HD", "单充电头", "charger only"),
                option("SET", "充电头+1米C to C线", "charger with a 1 m USB-C cable").percent(18),
            ],
        ),
        any_of("colours", "颜色", 2, &[WHITE, BLACK, PURPLE]),
    ],
    points: &[
        text("折叠插脚", "folding prongs"),
        text("低温快充", "cool fast charging"),
        text("宽电压出国可用", "worldwide voltage"),
        text("多重保护", "layered protection"),
        text("迷你体积", "a tiny body"),
    ],
    titles: &[
        text(
            "{maker} {model} {power}充电器 {ports} {point} 快充头 适用苹果华为小米手机",
            "{maker} {model} {power} Charger, {ports}, for iPhone, Huawei and Xiaomi",
        ),
        text(
            "{maker} {model} 手机充电器 {power}快充 {technology} {ports} {point} {point2}",
            "{maker} {model} Phone Charger, {power} {technology}, with {point} and {point2}",
        ),
    ],
    story: &[
        &[text(
            "{brand} {model} 充电器最高输出{power}，{ports}，{devices}都能充。",
            "The {brand} {model} charger delivers up to {power} to {devices}. Output: {ports}.",
        )],
        &[
            text(
                "{point}，{point2}，放进口袋也不占地方。",
                "With {point} and {point2}, it fits in any pocket.",
            ),
            text(
                "采用{technology}方案，{point}，{point2}。",
                "It uses {technology} and offers {point} and {point2}.",
            ),
        ],
    ],
};

pub(super) const SMART_WATCH: Kind = Kind {
    category: "数码/智能穿戴/智能手表",
    code: "SW",
    model_attribute: "型号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand(
            "HUAWEI",
            "华为",
            "Huawei",
            &[
                series("WATCH GT #{grade}", "Watch GT #{grade}", 999, 1599),
                series("WATCH FIT #{grade}", "Watch Fit #{grade}", 599, 999),
            ],
        ),
        brand("MI", "小米", "Xiaomi", &[series("Watch S#{grade}", "Watch S#{grade}", 599, 999)]),
        brand("AMAZFIT", "跃我", "Amazfit", &[series("GTR #{grade}", "GTR #{grade}", 499, 1099)]),
        brand(
            "GARMIN",
            "佳明",
            "Garmin",
            &[series("Forerunner ##5{grade}", "Forerunner ##5{grade}", 1480, 2980)],
        ),
        brand("OPPO", "OPPO", "OPPO", &[series("Watch #{grade}", "Watch #{grade}", 899, 1499)]),
        brand("SHISU", "时溯", "Shisu", &[series("T#0{grade}", "T#0{grade}", 199, 399)]),
    ],
    choices: &[
        choice(
            "grade",
            "",
            &[value("", ""), value(" Pro", " Pro").percent(40), value(" SE", " SE").percent(-15)],
        ),
        choice(
            "screen",
            "屏幕",
            &[
                value("1.43英寸AMOLED", "1.43-inch AMOLED"),
                value("1.32英寸AMOLED", "1.32-inch AMOLED"),
                value("1.82英寸AMOLED", "1.82-inch AMOLED").percent(5),
            ],
        ),
        choice(
            "life",
            "续航",
            &[
                value("7天", "7 days"),
                value("10天", "10 days"),
                value("14天", "14 days").percent(5),
                value("21天", "21 days").percent(8),
            ],
        ),
        choice("water", "防水等级", &[value("5ATM", "5 ATM"), value("10ATM", "10 ATM").percent(6)]),
        choice(
            "gps",
            "定位",
            &[value("双频GPS", "dual-band GPS").percent(10), value("独立GPS", "built-in GPS")],
        ),
    ],
    axes: &[
        any_of(
            "case",
            "表盘尺寸",
            2,
            &[option("42", "42mm", "42 mm"), option("46", "46mm", "46 mm").percent(8)],
        ),
        any_of(
            "strap",
            "表带",
            3,
            &[
                option("RB", "黑色橡胶表带", "black rubber strap"),
                option("NY", "尼龙表带", "nylon strap").percent(3),
                option("LE", "棕色皮表带", "brown leather strap").percent(12),
                option("ST", "不锈钢表带", "steel strap").percent(25),
            ],
        ),
    ],
    points: &[
        text("心率血氧监测", "heart rate and blood oxygen monitoring"),
        text("蓝牙通话", "Bluetooth calls"),
        text("睡眠监测", "sleep tracking"),
        text("百种运动模式", "a hundred sports modes"),
        text("NFC门禁公交", "NFC for doors and transit"),
        text("专业跑步指导", "running coaching"),
    ],
    titles: &[
        text(
            "{maker} {model} 智能手表 {gps} {point} {life}长续航 运动手表",
            "{maker} {model} Smartwatch, {gps}, {point}, {life} of Battery",
        ),
        text(
            "{maker} {model} 运动智能手表 {screen} {point} {point2} {water}防水",
            "{maker} {model} Sports Smartwatch, {screen}, {point}, Waterproof to {water}",
        ),
    ],
    story: &[
        &[text(
            "{brand} {model} 智能手表配{screen}屏，{gps}记录每一公里。",
            "The {brand} {model} smartwatch has a bright {screen} screen and {gps} to record every kilometre.",
        )],
        &[
            text(
                "支持{point}和{point2}，防水等级{water}。",
                "It offers {point} and {point2} and resists water to {water}.",
            ),
            text(
                "{point}、{point2}都有，游泳也能戴，防水{water}。",
                "With {point}, {point2} and water resistance of {water}, it may go swimming too.",
            ),
        ],
        &[text("典型续航{life}，可选{strap}。", "A charge lasts about {life}. Straps: {strap}.")],
    ],
};
