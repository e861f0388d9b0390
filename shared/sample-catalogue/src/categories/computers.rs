//! Laptops and tablets.

use super::colours::{BLUE, GREEN, GREY, PINK, PURPLE, SILVER, WHITE};
use crate::kind::{Axis, Kind, any_of, brand, choice, fact, option, run_of, series, text, value};

const MEMORY: Axis = run_of(
    "memory",
    "内存硬盘",
    1,
    3,
    &[
        option("16G512", "16GB+512GB", "16GB + 512GB"),
        option("16G1T", "16GB+1TB", "16GB + 1TB").percent(8),
        option("32G1T", "32GB+1TB", "32GB + 1TB").percent(20),
    ],
);

pub(super) const LAPTOP: Kind = Kind {
    category: "数码/电脑整机/笔记本电脑",
    code: "NB",
    model_attribute: "型号",
    edition: Some(text("（第{n}代）", "(Gen {n})")),
    brands: &[
        brand(
            "LENOVO",
            "联想",
            "Lenovo",
            &[
                series("小新 {size}{grade} 20{year}", "Xiaoxin {size}{grade} 20{year}", 4299, 5799),
                series(
                    "ThinkBook {size}{grade} 20{year}",
                    "ThinkBook {size}{grade} 20{year}",
                    4599,
                    6499,
                ),
            ],
        ),
        brand(
            "HUAWEI",
            "华为",
            "Huawei",
            &[series(
                "MateBook {size}{grade} 20{year}",
                "MateBook {size}{grade} 20{year}",
                4999,
                7999,
            )],
        ),
        brand(
            "ASUS",
            "华硕",
            "ASUS",
            &[
                series("无畏{size}{grade} 20{year}", "Vivobook {size}{grade} 20{year}", 3999, 5499),
                series("灵耀{size}{grade} 20{year}", "Zenbook {size}{grade} 20{year}", 5499, 7999),
            ],
        ),
        brand(
            "HP",
            "惠普",
            "HP",
            &[series(
                "星Book {size}{grade} 20{year}",
                "StarBook {size}{grade} 20{year}",
                3799,
                5299,
            )],
        ),
        brand(
            "MI",
            "小米",
            "Xiaomi",
            &[series("Book {size}{grade} 20{year}", "Book {size}{grade} 20{year}", 3999, 5999)],
        ),
        brand(
            "MECHREVO",
            "机械革命",
            "Mechrevo",
            &[series("无界{size}{grade} 20{year}", "Wujie {size}{grade} 20{year}", 3299, 4799)],
        ),
    ],
    choices: &[
        choice(
            "inches",
            "屏幕尺寸",
            &[
                value("13.3英寸", "13.3-inch").with(&[
                    fact("size", "", "13", "13"),
                    fact("weight", "重量", "1.18kg", "1.18 kg"),
                ]),
                value("14英寸", "14-inch").with(&[
                    fact("size", "", "14", "14"),
                    fact("weight", "重量", "1.36kg", "1.36 kg"),
                ]),
                value("15.6英寸", "15.6-inch").with(&[
                    fact("size", "", "15", "15"),
                    fact("weight", "重量", "1.65kg", "1.65 kg"),
                ]),
                value("16英寸", "16-inch").percent(5).with(&[
                    fact("size", "", "16", "16"),
                    fact("weight", "重量", "1.82kg", "1.82 kg"),
                ]),
            ],
        ),
        choice(
            "grade",
            "",
            &[
                value("", ""),
                value(" Pro", " Pro").percent(15),
                value(" Air", " Air").percent(5),
                value(" SE", " SE").percent(-10),
                value("+", " Plus").percent(8),
            ],
        ),
        choice("year", "", &[value("24", "24").percent(-12), value("25", "25")]),
        choice(
            "cpu",
            "处理器",
            &[
                value("酷睿 Ultra 5", "Core Ultra 5"),
                value("酷睿 Ultra 7", "Core Ultra 7").percent(18),
                value("酷睿 i5", "Core i5").percent(-10),
                value("锐龙 5", "Ryzen 5").percent(-12),
                value("锐龙 7", "Ryzen 7").percent(4),
            ],
        ),
        choice(
            "screen",
            "屏幕",
            &[
                value("2.8K OLED屏", "2.8K OLED display").percent(8),
                value("2.5K 120Hz屏", "2.5K 120Hz display").percent(3),
                value("1200P护眼屏", "1200P eye-care display"),
            ],
        ),
        choice(
            "battery",
            "电池容量",
            &[value("56Wh", "56 Wh"), value("70Wh", "70 Wh"), value("80Wh", "80 Wh").percent(3)],
        ),
    ],
    axes: &[MEMORY, any_of("colours", "颜色", 2, &[SILVER, GREY, BLUE])],
    points: &[
        text("轻薄机身", "a slim body"),
        text("全金属外壳", "an all-metal case"),
        text("背光键盘", "a backlit keyboard"),
        text("指纹开机", "fingerprint login"),
        text("100W快充", "100 W fast charging"),
        text("双风扇散热", "dual-fan cooling"),
        text("Wi-Fi 7", "Wi-Fi 7"),
    ],
    titles: &[
        text(
            "{maker} {model} {inches}轻薄本 {cpu} {screen} {point} 学生办公笔记本电脑",
            "{maker} {model} {inches} Laptop, {cpu}, {screen}, for Study and Work",
        ),
        text(
            "{maker} {model} 笔记本电脑 {cpu} {inches} {screen} {point} {point2}",
            "{maker} {model} {inches} Notebook with {cpu}, {screen}, {point} and {point2}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand} {model} 搭载{cpu}处理器，{inches}{screen}，整机约{weight}。",
                "The {brand} {model} runs on {cpu} and pairs it with a {inches} {screen}; it weighs about {weight}.",
            ),
            text(
                "重约{weight}的{inches}笔记本电脑，{cpu}处理器足够应付日常办公和轻度剪辑。",
                "At about {weight}, this {inches} laptop has enough power in its {cpu} for office work and light editing.",
            ),
        ],
        &[
            text(
                "{battery}电池，{point}，{point2}，出差上课都方便。",
                "A battery of {battery}, {point} and {point2} make it handy on trips and in class.",
            ),
            text(
                "配{point}与{point2}，电池{battery}。",
                "It has {point}, {point2} and a battery of {battery}.",
            ),
        ],
        &[text("可选配置：{memory}。", "Configurations: {memory}.")],
    ],
};

pub(super) const MACBOOK: Kind = Kind {
    category: "数码/电脑整机/笔记本电脑",
    code: "NB",
    model_attribute: "型号",
    edition: None,
    brands: &[brand(
        "APPLE",
        "苹果",
        "Apple",
        &[
            series("MacBook Air 13 M{chip}", "MacBook Air 13 M{chip}", 6999, 7999).with(&[
                fact("inches", "屏幕尺寸", "13.6英寸", "13.6-inch"),
                fact("weight", "重量", "1.24kg", "1.24 kg"),
            ]),
            series("MacBook Air 15 M{chip}", "MacBook Air 15 M{chip}", 8499, 9499).with(&[
                fact("inches", "屏幕尺寸", "15.3英寸", "15.3-inch"),
                fact("weight", "重量", "1.51kg", "1.51 kg"),
            ]),
            series("MacBook Pro 14 M{chip}", "MacBook Pro 14 M{chip}", 11999, 13499).with(&[
                fact("inches", "屏幕尺寸", "14.2英寸", "14.2-inch"),
                fact("weight", "重量", "1.55kg", "1.55 kg"),
            ]),
        ],
    )],
    choices: &[
        choice(
            "chip",
            "",
            &[value("3", "3").percent(-12), value("4", "4"), value("5", "5").percent(8)],
        ),
        choice("system", "操作系统", &[value("macOS", "macOS")]),
    ],
    axes: &[MEMORY, any_of("colours", "颜色", 2, &[SILVER, GREY, BLUE])],
    points: &[
        text("全天续航", "all-day battery life"),
        text("视网膜屏", "a Retina display"),
        text("触控ID", "Touch ID"),
        text("MagSafe充电", "MagSafe charging"),
    ],
    titles: &[text(
        "{maker} {model} {inches}笔记本电脑 {point} {point2} 轻薄本",
        "{maker} {model} {inches} Laptop with {point} and {point2}",
    )],
    story: &[
        &[text(
            "{model} 采用{inches}屏幕，机身约{weight}，出门携带轻松。",
            "The {model} has a {inches} screen and weighs about {weight}, easy to carry around.",
        )],
        &[text(
            "支持{point}和{point2}，运行{system}。",
            "It offers {point} and {point2} and runs {system}.",
        )],
        &[text("可选配置：{memory}。", "Configurations: {memory}.")],
    ],
};

const TABLET_STORAGE: Axis = run_of(
    "storage",
    "存储容量",
    2,
    3,
    &[
        option("128", "8GB+128GB", "8GB + 128GB"),
        option("256", "8GB+256GB", "8GB + 256GB").percent(10),
        option("256P", "12GB+256GB", "12GB + 256GB").percent(20),
        option("512", "12GB+512GB", "12GB + 512GB").percent(35),
    ],
);

pub(super) const TABLET: Kind = Kind {
    category: "数码/电脑整机/平板电脑",
    code: "TB",
    model_attribute: "型号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand(
            "HUAWEI",
            "华为",
            "Huawei",
            &[
                series("MatePad {size}{grade}", "MatePad {size}{grade}", 1799, 2999).with(&[fact(
                    "system",
                    "操作系统",
                    "HarmonyOS",
                    "HarmonyOS",
                )]),
                series("MatePad SE {size}{grade}", "MatePad SE {size}{grade}", 1099, 1599)
                    .with(&[fact("system", "操作系统", "HarmonyOS", "HarmonyOS")]),
            ],
        ),
        brand(
            "MI",
            "小米",
            "Xiaomi",
            &[series("Pad #{grade} {size}", "Pad #{grade} {size}", 1499, 2499)],
        ),
        brand(
            "HONOR",
            "荣耀",
            "Honor",
            &[series("平板 #{grade} {size}", "Pad #{grade} {size}", 1199, 2199)],
        ),
        brand(
            "LENOVO",
            "联想",
            "Lenovo",
            &[series("小新 Pad {size}{grade}", "Xiaoxin Pad {size}{grade}", 999, 1799)],
        ),
        brand(
            "VIVO",
            "vivo",
            "vivo",
            &[series("Pad #{grade} {size}", "Pad #{grade} {size}", 1499, 2599)],
        ),
    ],
    choices: &[
        choice(
            "inches",
            "屏幕尺寸",
            &[
                value("10.4英寸", "10.4-inch")
                    .percent(-15)
                    .with(&[fact("size", "", "10.4", "10.4")]),
                value("11英寸", "11-inch").with(&[fact("size", "", "11", "11")]),
                value("11.5英寸", "11.5-inch").percent(5).with(&[fact("size", "", "11.5", "11.5")]),
                value("12.2英寸", "12.2-inch")
                    .percent(30)
                    .with(&[fact("size", "", "12.2", "12.2")]),
                value("13.2英寸", "13.2-inch")
                    .percent(60)
                    .with(&[fact("size", "", "13.2", "13.2")]),
            ],
        ),
        choice(
            "grade",
            "",
            &[
                value("", ""),
                value(" Pro", " Pro").percent(30),
                value(" Air", " Air").percent(12),
                value("s", "s"),
            ],
        ),
        choice("system", "操作系统", &[value("Android", "Android")]),
        choice(
            "screen",
            "屏幕",
            &[
                value("2.8K 144Hz高刷屏", "2.8K 144Hz display").percent(10),
                value("2.5K 120Hz护眼屏", "2.5K 120Hz eye-care display"),
                value("2K柔光屏", "2K paper-matte display").percent(6),
            ],
        ),
        choice(
            "battery",
            "电池容量",
            &[
                value("8300mAh", "8300mAh"),
                value("8850mAh", "8850mAh"),
                value("10100mAh", "10100mAh").percent(4),
            ],
        ),
    ],
    axes: &[TABLET_STORAGE, any_of("colours", "颜色", 2, &[GREY, SILVER, BLUE, GREEN, WHITE])],
    points: &[
        text("手写笔书写", "stylus input"),
        text("四扬声器", "four speakers"),
        text("PC级键盘配件", "a keyboard accessory"),
        text("儿童模式", "a children's mode"),
        text("多屏协同", "multi-screen collaboration"),
        text("67W快充", "67 W fast charging"),
    ],
    titles: &[
        text(
            "{maker} {model} {inches}平板电脑 {screen} {point} 学习办公影音娱乐",
            "{maker} {model} {inches} Tablet, {screen}, with {point}",
        ),
        text(
            "{maker} {model} 平板电脑 {inches} {screen} {battery}大电池 {point} {point2}",
            "{maker} {model} Tablet, {inches}, {screen}, {battery} Battery, {point}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand} {model} 采用{inches} {screen}，看书追剧都舒服。",
                "On its {inches} {screen}, the {brand} {model} is comfortable for books and films.",
            ),
            text(
                "{inches}大屏平板，运行{system}，{screen}细腻顺滑。",
                "A large {inches} tablet running {system}, its {screen} sharp and smooth.",
            ),
        ],
        &[text(
            "内置{battery}电池，支持{point}和{point2}。",
            "The battery holds {battery}, and there is {point} as well as {point2}.",
        )],
        &[text("存储可选{storage}。", "Storage: {storage}.")],
    ],
};

pub(super) const IPAD: Kind = Kind {
    edition: None,
    brands: &[brand(
        "APPLE",
        "苹果",
        "Apple",
        &[
            series("iPad {n}", "iPad {n}", 2599, 3299).with(&[
                fact("inches", "屏幕尺寸", "10.9英寸", "10.9-inch"),
                fact("screen", "屏幕", "视网膜屏", "Retina display"),
            ]),
            series("iPad mini {m}", "iPad mini {m}", 3799, 4299).with(&[
                fact("inches", "屏幕尺寸", "8.3英寸", "8.3-inch"),
                fact("screen", "屏幕", "视网膜屏", "Retina display"),
            ]),
            series("iPad Air 11 M{chip}", "iPad Air 11 M{chip}", 4499, 4999).with(&[
                fact("inches", "屏幕尺寸", "11英寸", "11-inch"),
                fact("screen", "屏幕", "视网膜屏", "Retina display"),
            ]),
            series("iPad Air 13 M{chip}", "iPad Air 13 M{chip}", 5999, 6499).with(&[
                fact("inches", "屏幕尺寸", "13英寸", "13-inch"),
                fact("screen", "屏幕", "视网膜屏", "Retina display"),
            ]),
            series("iPad Pro 11 M4", "iPad Pro 11 M4", 7499, 7999).with(&[
                fact("inches", "屏幕尺寸", "11英寸", "11-inch"),
                fact("screen", "屏幕", "OLED高刷屏", "high-refresh OLED display"),
            ]),
            series("iPad Pro 11 M5", "iPad Pro 11 M5", 8499, 8999).with(&[
                fact("inches", "屏幕尺寸", "11英寸", "11-inch"),
                fact("screen", "屏幕", "OLED高刷屏", "high-refresh OLED display"),
            ]),
        ],
    )],
    choices: &[
        choice("chip", "", &[value("2", "2").percent(-8), value("3", "3")]),
        choice("n", "", &[value("10", "10"), value("11", "11").percent(8)]),
        choice("m", "", &[value("6", "6"), value("7", "7").percent(8)]),
        choice("system", "操作系统", &[value("iPadOS", "iPadOS")]),
    ],
    axes: &[
        run_of(
            "storage",
            "存储容量",
            2,
            3,
            &[
                option("128", "128GB", "128GB"),
                option("256", "256GB", "256GB").percent(18),
                option("512", "512GB", "512GB").percent(40),
            ],
        ),
        any_of("colours", "颜色", 2, &[SILVER, BLUE, PINK, PURPLE, GREY]),
    ],
    points: &[
        text("手写笔书写", "Pencil input"),
        text("全天续航", "all-day battery life"),
        text("Type-C接口", "a USB-C port"),
        text("指纹解锁", "fingerprint unlocking"),
    ],
    titles: &[text(
        "{maker} {model} {inches}平板电脑 {screen} {point} {point2}",
        "{maker} {model} {inches} Tablet, {screen}, with {point} and {point2}",
    )],
    story: &[
        &[text(
            "{model} 配备{inches}{screen}，运行{system}，画画、记笔记和看视频都顺手。",
            "Its {inches} {screen} and {system} make the {model} a good companion for drawing, notes and films.",
        )],
        &[text("支持{point}和{point2}。", "It offers {point} and {point2}.")],
        &[text("存储可选{storage}，颜色有{colours}。", "Storage: {storage}. Colours: {colours}.")],
    ],
    ..TABLET
};
