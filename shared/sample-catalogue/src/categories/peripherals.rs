//! What stands around a computer: keyboards, mice, monitors.

use super::colours::{BLACK, BLUE, GREEN, GREY, PINK, PURPLE, WHITE};
use crate::kind::{Choice, Kind, any_of, brand, choice, fact, option, series, text, value};

const GRADE: Choice = choice(
    "grade",
    "",
    &[
        value("", ""),
        value("", ""),
        value(" Pro", " Pro").percent(25),
        value(" Max", " Max").percent(40),
        value(" SE", " SE").percent(-10),
        value(" V2", " V2").percent(5),
    ],
);

pub(super) const MECHANICAL_KEYBOARD: Kind = Kind {
    category: "数码/电脑外设/机械键盘",
    code: "KB",
    model_attribute: "型号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand(
            "AULA",
            "狼蛛",
            "AULA",
            &[
                series("F{n}{grade}", "F{n}{grade}", 149, 279),
                series("S{n}{grade}", "S{n}{grade}", 99, 189),
            ],
        ),
        brand(
            "KEYC",
            "Keychron",
            "Keychron",
            &[
                series("K#{grade}", "K#{grade}", 298, 498),
                series("Q#{grade}", "Q#{grade}", 599, 998),
            ],
        ),
        brand(
            "DAREU",
            "达尔优",
            "Dareu",
            &[
                series("EK8##{grade}", "EK8##{grade}", 129, 259),
                series("A{n}{grade}", "A{n}{grade}", 259, 459),
            ],
        ),
        brand("RAPOO", "雷柏", "Rapoo", &[series("V7##{grade}", "V7##{grade}", 119, 299)]),
        brand("LOGI", "罗技", "Logitech", &[series("G5##{grade}", "G5##{grade}", 399, 899)]),
        brand("CHRY", "樱桃", "Cherry", &[series("MX #.0{grade}", "MX #.0{grade}", 399, 799)]),
        brand("VARM", "阿米洛", "Varmilo", &[series("VA{n}{grade}", "VA{n}{grade}", 499, 799)]),
        brand("AJAZZ", "黑爵", "Ajazz", &[series("AK{n}{grade}", "AK{n}{grade}", 119, 249)]),
        brand("MOXUN", "墨寻", "Moxun", &[series("MX-{n}{grade}", "MX-{n}{grade}", 169, 359)]),
    ],
    choices: &[
        choice(
            "keys",
            "键数",
            &[
                value("68键", "68-key").percent(-10).with(&[fact("n", "", "68", "68")]),
                value("75键", "75-key").percent(-5).with(&[fact("n", "", "75", "75")]),
                value("84键", "84-key").with(&[fact("n", "", "84", "84")]),
                value("87键", "87-key").with(&[fact("n", "", "87", "87")]),
                value("98键", "98-key").percent(5).with(&[fact("n", "", "98", "98")]),
                value("104键", "104-key").percent(5).with(&[fact("n", "", "104", "104")]),
                value("108键", "108-key").percent(8).with(&[fact("n", "", "108", "108")]),
            ],
        ),
        GRADE,
        choice(
            "connection",
            "连接方式",
            &[
                value("三模无线", "tri-mode wireless").percent(8).with(&[
                    fact("battery", "电池容量", "8000mAh", "8000mAh"),
                    fact(
                        "power",
                        "",
                        "内置8000mAh电池，有线、2.4G和蓝牙一键切换",
                        "an 8000mAh battery and one switch between cable, 2.4 GHz and Bluetooth",
                    ),
                ]),
                value("三模无线", "tri-mode wireless").with(&[
                    fact("battery", "电池容量", "4000mAh", "4000mAh"),
                    fact(
                        "power",
                        "",
                        "内置4000mAh电池，有线、2.4G和蓝牙随心切换",
                        "a 4000mAh battery and a choice of cable, 2.4 GHz and Bluetooth",
                    ),
                ]),
                value("蓝牙双模", "dual-mode Bluetooth").percent(-8).with(&[
                    fact("battery", "电池容量", "3000mAh", "3000mAh"),
                    fact(
                        "power",
                        "",
                        "内置3000mAh电池，插线和蓝牙都能用",
                        "a 3000mAh battery and both cable and Bluetooth",
                    ),
                ]),
                value("有线", "wired").percent(-25).with(&[fact(
                    "power",
                    "",
                    "配1.8米可拆卸Type-C线，即插即用",
                    "a detachable 1.8 m USB-C cable that needs no driver",
                )]),
            ],
        ),
        choice(
            "structure",
            "结构",
            &[
                value("Gasket结构", "gasket mount").percent(15),
                value("Top结构", "top mount").percent(8),
                value("船型结构", "tray mount"),
            ],
        ),
        choice(
            "caps",
            "键帽材质",
            &[
                value("PBT键帽", "PBT keycaps").percent(5),
                value("PBT热升华键帽", "dye-sublimated PBT keycaps").percent(8),
                value("ABS双色键帽", "double-shot ABS keycaps"),
            ],
        ),
    ],
    axes: &[
        any_of(
            "switches",
            "轴体",
            3,
            &[
                option("RED", "红轴", "red"),
                option("BLU", "青轴", "blue"),
                option("BRN", "茶轴", "brown"),
                option("SLV", "银轴", "silver"),
                option("SRD", "静音红轴", "silent red").percent(8),
                option("MAG", "磁轴", "magnetic").percent(25),
            ],
        ),
        any_of(
            "colours",
            "颜色",
            2,
            &[
                BLACK,
                WHITE,
                GREY,
                option("WBL", "白蓝双拼", "white and blue"),
                option("BGR", "黑灰双拼", "black and grey"),
            ],
        ),
    ],
    points: &[
        text("全键热插拔", "hot-swappable switches"),
        text("RGB灯光", "RGB lighting"),
        text("全键无冲", "N-key rollover"),
        text("旋钮调音", "a volume knob"),
        text("多层消音棉", "layered sound dampening"),
        text("驱动改键", "remappable keys"),
        text("Mac/Win双系统", "Mac and Windows layouts"),
    ],
    titles: &[
        text(
            "{maker} {model} {connection}机械键盘 {keys} {structure} {point} {caps} 电竞游戏办公",
            "{maker} {model} {connection} Mechanical Keyboard, {keys}, {structure}, {caps}",
        ),
        text(
            "{maker} {model} 客制化机械键盘 {keys} {connection} {point} {point2}",
            "{maker} {model} {keys} {connection} Custom Mechanical Keyboard with {point} and {point2}",
        ),
        text(
            "{maker} {model} {keys}{connection}机械键盘 {caps} {point} 台式笔记本电脑通用",
            "{maker} {model} {keys} {connection} Mechanical Keyboard with {caps} for PC and Laptop",
        ),
    ],
    story: &[
        &[
            text(
                "{brand} {model} 是一款{keys}机械键盘，采用{structure}，搭配{caps}。",
                "The {brand} {model} is a mechanical keyboard in {keys} layout with {structure} and {caps}.",
            ),
            text(
                "{keys}布局的{brand} {model} 机械键盘，{structure}敲起来声音干净，{caps}手感温润。",
                "This {keys} mechanical keyboard from {brand} combines {structure} for a clean sound with {caps} that feel smooth.",
            ),
        ],
        &[text("{power}。", "It comes with {power}.")],
        &[
            text(
                "提供{switches}可选，{point}，{point2}，游戏和打字都合适。",
                "Choose from {switches} switches; {point} and {point2} make it fit for games and typing alike.",
            ),
            text(
                "可选轴体：{switches}；另有{point}和{point2}。",
                "Available switches: {switches}. Other features are {point} and {point2}.",
            ),
        ],
    ],
};

pub(super) const WIRELESS_MOUSE: Kind = Kind {
    category: "数码/电脑外设/无线鼠标",
    code: "MS",
    model_attribute: "型号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand(
            "LOGI",
            "罗技",
            "Logitech",
            &[
                series("M#50{grade}", "M#50{grade}", 89, 199),
                series("G3##{grade}", "G3##{grade}", 199, 499),
            ],
        ),
        brand("RAZER", "雷蛇", "Razer", &[series("Cobra ##{grade}", "Cobra ##{grade}", 249, 699)]),
        brand(
            "RAPOO",
            "雷柏",
            "Rapoo",
            &[
                series("M3##{grade}", "M3##{grade}", 59, 129),
                series("VT#{grade}", "VT#{grade}", 199, 399),
            ],
        ),
        brand("DAREU", "达尔优", "Dareu", &[series("A9##{grade}", "A9##{grade}", 129, 299)]),
        brand("LENOVO", "联想", "Lenovo", &[series("WL#00{grade}", "WL#00{grade}", 49, 129)]),
        brand("LUTU", "鹿途", "Lutu", &[series("MX-#00{grade}", "MX-#00{grade}", 69, 169)]),
        brand("MI", "小米", "Xiaomi", &[series("XM#0{grade}", "XM#0{grade}", 59, 149)]),
    ],
    choices: &[
        GRADE,
        choice(
            "connection",
            "连接方式",
            &[
                value("蓝牙双模", "dual-mode Bluetooth"),
                value("三模连接", "tri-mode link").percent(15),
                value("2.4G连接", "2.4 GHz radio").percent(-12),
            ],
        ),
        choice(
            "dpi",
            "分辨率",
            &[
                value("1600DPI", "1600 DPI").percent(-10),
                value("4000DPI", "4000 DPI"),
                value("12000DPI", "12000 DPI").percent(15),
                value("26000DPI", "26000 DPI").percent(35),
            ],
        ),
        choice(
            "weight",
            "重量",
            &[
                value("59g", "59 g").percent(15),
                value("68g", "68 g").percent(8),
                value("82g", "82 g"),
                value("99g", "99 g"),
            ],
        ),
        choice(
            "power",
            "供电方式",
            &[
                value("Type-C充电", "USB-C charging").percent(8),
                value("单节5号电池", "single AA battery"),
            ],
        ),
    ],
    axes: &[any_of("colours", "颜色", 4, &[BLACK, WHITE, GREY, BLUE, PINK, GREEN, PURPLE])],
    points: &[
        text("静音按键", "silent buttons"),
        text("人体工学握感", "an ergonomic grip"),
        text("多设备切换", "multi-device switching"),
        text("侧键自定义", "programmable side buttons"),
        text("长续航", "long battery life"),
        text("轻量化机身", "a lightweight body"),
    ],
    titles: &[
        text(
            "{maker} {model} 无线鼠标 {point} {dpi} {connection} 笔记本电脑办公",
            "{maker} {model} Wireless Mouse, {dpi}, {connection}, {point}",
        ),
        text(
            "{maker} {model} 无线鼠标 {connection} {power} {point} {point2}",
            "{maker} {model} Wireless Mouse with {point} and {point2}, {power}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand} {model} 无线鼠标重约{weight}，{connection}，桌面少一根线。",
                "The {brand} {model} wireless mouse weighs about {weight} and works over {connection}, one cable less on the desk.",
            ),
            text(
                "一款手感轻巧的无线鼠标，机身约{weight}，最高{dpi}，{connection}稳定不断连。",
                "A handy wireless mouse of about {weight} with up to {dpi} and a stable connection over {connection}.",
            ),
        ],
        &[
            text(
                "{point}加上{point2}，长时间使用不累手。",
                "With {point} and {point2}, long days stay comfortable.",
            ),
            text("主打{point}，同时支持{point2}。", "Its strengths are {point} and {point2}."),
        ],
        &[text("供电方式为{power}，颜色有{colours}。", "Power: {power}. Colours: {colours}.")],
    ],
};

pub(super) const MONITOR: Kind = Kind {
    category: "数码/电脑外设/显示器",
    code: "MN",
    model_attribute: "型号",
    edition: Some(text("{n}代", "Gen {n}")),
    brands: &[
        brand(
            "AOC",
            "AOC",
            "AOC",
            &[
                series("{n}G#{letter}", "{n}G#{letter}", 699, 1099),
                series("U{n}N#{letter}", "U{n}N#{letter}", 899, 1399),
            ],
        ),
        brand("DELL", "戴尔", "Dell", &[series("S{n}2#{letter}", "S{n}2#{letter}", 999, 1699)]),
        brand(
            "MI",
            "小米",
            "Xiaomi",
            &[series("G{n}{letter} 20{year}", "G{n}{letter} 20{year}", 649, 999)],
        ),
        brand("HKC", "惠科", "HKC", &[series("G{n}H#{letter}", "G{n}H#{letter}", 599, 999)]),
        brand(
            "SAMSUNG",
            "三星",
            "Samsung",
            &[series("S{n}D#00{letter}", "S{n}D#00{letter}", 799, 1599)],
        ),
        brand(
            "XINGMU",
            "星幕",
            "Xingmu",
            &[series("V{n}-#00{letter}", "V{n}-#00{letter}", 549, 899)],
        ),
    ],
    choices: &[
        choice(
            "size",
            "屏幕尺寸",
            &[
                value("23.8英寸", "23.8-inch").percent(-10).with(&[fact("n", "", "24", "24")]),
                value("27英寸", "27-inch").with(&[fact("n", "", "27", "27")]),
                value("27英寸", "27-inch").with(&[fact("n", "", "27", "27")]),
                value("31.5英寸", "31.5-inch").percent(35).with(&[fact("n", "", "32", "32")]),
                value("34英寸", "34-inch").percent(70).with(&[
                    fact("n", "", "34", "34"),
                    fact("resolution", "分辨率", "3440×1440", "ultrawide 3440×1440"),
                ]),
            ],
        ),
        choice("letter", "", &[value("", ""), value("Q", "Q"), value("S", "S"), value("X", "X")]),
        choice("year", "", &[value("24", "24"), value("25", "25"), value("26", "26")]),
        choice(
            "resolution",
            "分辨率",
            &[
                value("1920×1080", "Full HD 1920×1080").percent(-25),
                value("2K 2560×1440", "2K 2560×1440"),
                value("2K 2560×1440", "2K 2560×1440"),
                value("4K 3840×2160", "4K 3840×2160").percent(45),
            ],
        ),
        choice(
            "refresh",
            "刷新率",
            &[
                value("75Hz", "75 Hz").percent(-15),
                value("100Hz", "100 Hz").percent(-8),
                value("165Hz", "165 Hz").percent(5),
                value("180Hz", "180 Hz").percent(8),
                value("240Hz", "240 Hz").percent(25),
            ],
        ),
        choice(
            "panel",
            "面板类型",
            &[
                value("Fast IPS", "Fast IPS"),
                value("IPS", "IPS"),
                value("VA", "VA").percent(-6),
                value("Mini LED", "Mini LED").percent(45),
            ],
        ),
    ],
    axes: &[any_of(
        "stand",
        "支架",
        3,
        &[
            option("STD", "标准底座", "fixed stand"),
            option("LFT", "升降旋转支架", "height-adjustable stand").percent(12),
            option("ARM", "壁挂支架套装", "wall mount set").percent(18),
        ],
    )],
    points: &[
        text("低蓝光护眼", "low blue light"),
        text("Type-C反向充电", "USB-C charging"),
        text("HDR显示", "HDR"),
        text("广色域", "a wide colour gamut"),
        text("三边微边框", "thin bezels on three sides"),
        text("内置音箱", "built-in speakers"),
    ],
    titles: &[
        text(
            "{maker} {model} {size} {resolution} {refresh} {panel} 电脑显示器 {point}",
            "{maker} {model} {size} {resolution} {refresh} {panel} Monitor with {point}",
        ),
        text(
            "{maker} {model} {size}显示器 {resolution} {refresh}高刷 {point} {point2} 台式电脑屏幕",
            "{maker} {model} {size} Computer Monitor, {resolution}, {refresh}, {point} and {point2}",
        ),
    ],
    story: &[
        &[
            text(
                "{brand} {model} 配备{size} {panel}面板，分辨率{resolution}，刷新率{refresh}。",
                "The {brand} {model} has a {size} {panel} panel with {resolution} pixels and a refresh rate of {refresh}.",
            ),
            text(
                "{size}大小正适合书桌，{resolution}画面细腻，{refresh}刷新率滚动和游戏都顺滑。",
                "On {size} glass this monitor shows {resolution} at {refresh}, smooth for scrolling and games.",
            ),
        ],
        &[
            text("支持{point}和{point2}。", "It offers {point} and {point2}."),
            text("{point}、{point2}一应俱全。", "Both {point} and {point2} are on board."),
        ],
        &[text(
            "可选{stand}，接口包含HDMI与DP。",
            "Stand: {stand}. Inputs are HDMI and DisplayPort.",
        )],
    ],
};
