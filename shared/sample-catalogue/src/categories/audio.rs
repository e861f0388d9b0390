//! Headphones and speakers.

use super::colours::{BEIGE, BLACK, BLUE, GREEN, GREY, ORANGE, PINK, PURPLE, RED, WHITE};
use crate::kind::{Choice, Kind, any_of, brand, choice, series, text, value};

const GRADE: Choice = choice(
    "grade",
    "",
    &[
        value("", ""),
        value(" Pro", " Pro").percent(35),
        value(" Lite", " Lite").percent(-20),
        value(" SE", " SE").percent(-12),
        value(" Plus", " Plus").percent(15),
    ],
);

const BLUETOOTH: Choice = choice(
    "bluetooth",
    "蓝牙版本",
    &[value("5.3", "5.3"), value("5.4", "5.4"), value("6.0", "6.0").percent(3)],
);

pub(super) const EARBUDS: Kind = Kind {
    category: "数码/影音娱乐/真无线耳机",
    code: "EB",
    model_attribute: "型号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand(
            "HUAWEI",
            "华为",
            "Huawei",
            &[
                series("FreeBuds #{grade}", "FreeBuds #{grade}", 499, 999),
                series("FreeBuds SE #{grade}", "FreeBuds SE #{grade}", 169, 299),
            ],
        ),
        brand(
            "MI",
            "小米",
            "Xiaomi",
            &[
                series("Buds #{grade}", "Buds #{grade}", 299, 699),
                series("Redmi Buds #{grade}", "Redmi Buds #{grade}", 99, 229),
            ],
        ),
        brand("SONY", "索尼", "Sony", &[series("WF-C###{grade}", "WF-C###{grade}", 499, 899)]),
        brand(
            "EDIFIER",
            "漫步者",
            "Edifier",
            &[
                series("X#{grade}", "X#{grade}", 99, 199),
                series("NeoBuds #{grade}", "NeoBuds #{grade}", 399, 699),
            ],
        ),
        brand(
            "SOUNDCORE",
            "声阔",
            "Soundcore",
            &[series("Liberty #{grade}", "Liberty #{grade}", 349, 799)],
        ),
        brand("QCY", "QCY", "QCY", &[series("T##{grade}", "T##{grade}", 79, 169)]),
        brand("TINGLAN", "听澜", "Tinglan", &[series("Air #{grade}", "Air #{grade}", 129, 259)]),
    ],
    choices: &[
        GRADE,
        choice(
            "wearing",
            "佩戴方式",
            &[
                value("入耳式", "in-ear"),
                value("半入耳式", "semi-in-ear").percent(-5),
                value("耳夹式", "clip-on").percent(8),
                value("挂耳式", "over-ear hook").percent(5),
            ],
        ),
        choice(
            "noise",
            "降噪",
            &[
                value("主动降噪", "active noise cancelling").percent(15),
                value("通话降噪", "call noise reduction"),
                value("自适应降噪", "adaptive noise cancelling").percent(25),
            ],
        ),
        BLUETOOTH,
        choice(
            "life",
            "续航",
            &[
                value("24小时", "24 hours"),
                value("30小时", "30 hours"),
                value("36小时", "36 hours").percent(4),
                value("45小时", "45 hours").percent(6),
            ],
        ),
    ],
    axes: &[any_of("colours", "颜色", 4, &[BLACK, WHITE, BLUE, PINK, PURPLE, GREEN])],
    points: &[
        text("高清通话", "clear calls"),
        text("低延迟游戏模式", "a low-latency game mode"),
        text("双设备连接", "two-device pairing"),
        text("空间音频", "spatial audio"),
        text("IP55防水防尘", "IP55 protection"),
        text("LDAC高清音质", "LDAC high-resolution sound"),
    ],
    titles: &[
        text(
            "{maker} {model} 真无线蓝牙耳机 {wearing} {noise} {life}续航 {point}",
            "{maker} {model} True Wireless Bluetooth Earbuds, {wearing}, {noise}, {life} of Battery",
        ),
        text(
            "{maker} {model} {noise}蓝牙耳机 {wearing}无线耳机 {point} {point2} 运动跑步",
            "{maker} {model} {wearing} Bluetooth Earphones with {noise}, {point} and {point2}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand} {model} 是一副{wearing}真无线蓝牙耳机，支持{noise}。",
                "The {brand} {model} true wireless earbuds have a comfortable {wearing} fit and {noise}.",
            ),
            text(
                "{wearing}设计久戴不胀，{noise}让地铁里也能听清。",
                "The {wearing} design stays comfortable, and {noise} keeps music clear even on the underground.",
            ),
        ],
        &[text(
            "蓝牙{bluetooth}，配合充电盒续航约{life}。",
            "They use Bluetooth {bluetooth} and last about {life} with the case.",
        )],
        &[text(
            "{point}，{point2}，通勤运动都好用。",
            "With {point} and {point2}, they suit both commuting and sports.",
        )],
    ],
};

pub(super) const HEADPHONES: Kind = Kind {
    category: "数码/影音娱乐/头戴式耳机",
    code: "HP",
    model_attribute: "型号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand(
            "SONY",
            "索尼",
            "Sony",
            &[
                series("WH-C###{grade}", "WH-C###{grade}", 699, 1299),
                series("WH-X#00{grade}", "WH-X#00{grade}", 1599, 2499),
            ],
        ),
        brand("BOSE", "Bose", "Bose", &[series("QC ##{grade}", "QC ##{grade}", 1699, 2699)]),
        brand(
            "EDIFIER",
            "漫步者",
            "Edifier",
            &[series("W8##BT{grade}", "W8##BT{grade}", 169, 399)],
        ),
        brand(
            "SENN",
            "森海塞尔",
            "Sennheiser",
            &[series("Accent #{grade}", "Accent #{grade}", 899, 1799)],
        ),
        brand(
            "SOUNDCORE",
            "声阔",
            "Soundcore",
            &[series("Space #{grade}", "Space #{grade}", 399, 799)],
        ),
        brand("HECATE", "漫步者HECATE", "Hecate", &[series("G#0{grade}", "G#0{grade}", 149, 399)]),
        brand(
            "TINGLAN",
            "听澜",
            "Tinglan",
            &[series("Studio #{grade}", "Studio #{grade}", 259, 559)],
        ),
    ],
    choices: &[
        GRADE,
        choice(
            "noise",
            "降噪",
            &[
                value("主动降噪", "active noise cancelling").percent(12),
                value("混合降噪", "hybrid noise cancelling").percent(18),
                value("物理隔音", "passive isolation").percent(-8),
            ],
        ),
        BLUETOOTH,
        choice("driver", "驱动单元", &[value("40mm", "40 mm"), value("50mm", "50 mm").percent(5)]),
        choice(
            "life",
            "续航",
            &[
                value("40小时", "40 hours"),
                value("60小时", "60 hours"),
                value("70小时", "70 hours").percent(3),
            ],
        ),
        choice(
            "weight",
            "重量",
            &[value("220g", "220 g"), value("250g", "250 g"), value("285g", "285 g")],
        ),
    ],
    axes: &[any_of("colours", "颜色", 4, &[BLACK, WHITE, BEIGE, BLUE, GREY, PINK])],
    points: &[
        text("可折叠收纳", "a folding design"),
        text("有线无线双模", "both cable and wireless use"),
        text("记忆海绵耳罩", "memory foam cushions"),
        text("重低音", "deep bass"),
        text("双设备连接", "two-device pairing"),
        text("Hi-Res认证", "Hi-Res certification"),
    ],
    titles: &[
        text(
            "{maker} {model} 头戴式蓝牙耳机 {noise} {life}续航 {point}",
            "{maker} {model} Over-Ear Bluetooth Headphones, {noise}, {life} of Battery",
        ),
        text(
            "{maker} {model} {noise}头戴式无线耳机 {driver}单元 {point} {point2}",
            "{maker} {model} Wireless Headphones with {noise}, {driver} Drivers, {point}",
        ),
    ],
    story: &[
        &[text(
            "{brand} {model} 头戴式耳机采用{driver}驱动单元，{noise}，重约{weight}。",
            "The {brand} {model} headphones use {driver} drivers and {noise}, and weigh about {weight}.",
        )],
        &[
            text(
                "一次充满可用{life}，蓝牙{bluetooth}连接稳定。",
                "A charge lasts {life}, and Bluetooth {bluetooth} keeps the link stable.",
            ),
            text(
                "蓝牙{bluetooth}，续航{life}，长途飞行也够用。",
                "Bluetooth {bluetooth} and {life} of battery last through long flights.",
            ),
        ],
        &[text(
            "{point}，{point2}，颜色有{colours}。",
            "With {point} and {point2}. Colours: {colours}.",
        )],
    ],
};

pub(super) const SPEAKER: Kind = Kind {
    category: "数码/影音娱乐/蓝牙音箱",
    code: "SP",
    model_attribute: "型号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand(
            "JBL",
            "JBL",
            "JBL",
            &[
                series("Flip #{grade}", "Flip #{grade}", 499, 899),
                series("GO #{grade}", "Go #{grade}", 229, 359),
            ],
        ),
        brand(
            "MARSHALL",
            "马歇尔",
            "Marshall",
            &[series("Emberton #{grade}", "Emberton #{grade}", 999, 1499)],
        ),
        brand("EDIFIER", "漫步者", "Edifier", &[series("M##0{grade}", "M##0{grade}", 129, 349)]),
        brand("MI", "小米", "Xiaomi", &[series("Sound #{grade}", "Sound #{grade}", 149, 399)]),
        brand("MAOWANG", "猫王", "Mao King", &[series("OTR #{grade}", "OTR #{grade}", 299, 599)]),
    ],
    choices: &[
        GRADE,
        BLUETOOTH,
        choice(
            "power",
            "输出功率",
            &[
                value("8W", "8 W").percent(-15),
                value("20W", "20 W"),
                value("30W", "30 W").percent(15),
            ],
        ),
        choice(
            "life",
            "续航",
            &[
                value("10小时", "10 hours"),
                value("15小时", "15 hours"),
                value("24小时", "24 hours").percent(5),
            ],
        ),
        choice(
            "water",
            "防水等级",
            &[
                value("IPX5", "IPX5"),
                value("IPX7", "IPX7").percent(4),
                value("IP67", "IP67").percent(6),
            ],
        ),
    ],
    axes: &[any_of("colours", "颜色", 4, &[BLACK, BLUE, RED, GREEN, ORANGE, GREY])],
    points: &[
        text("双低音振膜", "twin bass radiators"),
        text("立体声组网", "stereo pairing"),
        text("户外便携", "an outdoor carry loop"),
        text("氛围灯", "mood lighting"),
        text("免提通话", "hands-free calls"),
    ],
    titles: &[text(
        "{maker} {model} 蓝牙音箱 {power} {water}防水 {point} {point2} 便携小音响",
        "{maker} {model} Portable Bluetooth Speaker, {power}, {water} Waterproof, with {point}",
    )],
    story: &[
        &[
            text(
                "{brand} {model} 蓝牙音箱输出{power}，声音饱满，体积却不大。",
                "The {brand} {model} Bluetooth speaker puts out {power}, a full sound from a small box.",
            ),
            text(
                "小身材大声音：{power}输出，{water}防水，浴室露营都能带。",
                "Small but loud: {power} of output and {water} protection for bathroom and camping.",
            ),
        ],
        &[text(
            "续航约{life}，支持{point}和{point2}。",
            "It plays for about {life} and offers {point} and {point2}.",
        )],
    ],
};
