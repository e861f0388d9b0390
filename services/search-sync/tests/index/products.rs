//! A catalogue of 32 invented products.

use std::collections::BTreeMap;

use search_sync::index::{
    Attribute, AttributeFilter, Change, Document, Index, Localized, Price, Query, Results,
};
use uuid::Uuid;
use vocabulary::Currency;

/// Number, Chinese title, English title, brand, category, price in yuan, in stock, popularity, attributes.
type Row =
    (u128, &'static str, &'static str, &'static str, &'static str, i64, bool, f64, &'static str);

const ROWS: [Row; 32] = [
    (
        1,
        "AULA狼蛛F87 三模机械键盘 客制化热插拔",
        "AULA F87 Tri-mode Mechanical Keyboard",
        "AULA",
        "数码/键盘/机械键盘",
        259,
        true,
        900.0,
        "颜色=黑色;轴体=红轴;keys=87",
    ),
    (
        2,
        "AULA狼蛛F99 机械键盘 Gasket结构 全键热插拔 长续航",
        "AULA F99 Tri-mode Mechanical Keyboard with Display",
        "AULA",
        "数码/键盘/机械键盘",
        329,
        true,
        300.0,
        "颜色=白色;轴体=灰木轴;keys=99",
    ),
    (
        3,
        "罗技MX Keys 无线键盘",
        "Logitech MX Keys Wireless Keyboard",
        "罗技",
        "数码/键盘/薄膜键盘",
        699,
        true,
        400.0,
        "颜色=黑色;keys=108",
    ),
    (
        4,
        "罗技MX Master 3S 无线鼠标",
        "Logitech MX Master 3S Wireless Mouse",
        "罗技",
        "数码/鼠标",
        749,
        true,
        800.0,
        "颜色=黑色;dpi=8000",
    ),
    (
        5,
        "罗技G304 无线游戏鼠标",
        "Logitech G304 Wireless Gaming Mouse",
        "罗技",
        "数码/鼠标",
        199,
        false,
        700.0,
        "颜色=白色;dpi=12000",
    ),
    (
        6,
        "雷蛇毒蝰V3 有线电竞鼠标",
        "Razer Viper V3 Wired Gaming Mouse",
        "雷蛇",
        "数码/鼠标",
        349,
        true,
        200.0,
        "颜色=黑色;dpi=30000",
    ),
    (
        7,
        "MX-400 便携蓝牙音箱 重低音",
        "MX-400 Portable Bluetooth Speaker",
        "漫步者",
        "数码/音频/音箱",
        299,
        true,
        50.0,
        "颜色=蓝色",
    ),
    (
        8,
        "索尼WH-1000XM5 头戴式降噪耳机",
        "Sony WH-1000XM5 Noise Cancelling Headphones",
        "索尼",
        "数码/音频/耳机",
        2299,
        true,
        600.0,
        "颜色=黑色",
    ),
    (
        9,
        "小米蓝牙耳机 降噪版",
        "Xiaomi Buds Bluetooth Earphones",
        "小米",
        "数码/音频/耳机",
        199,
        true,
        500.0,
        "颜色=白色",
    ),
    (
        10,
        "华为FreeBuds Pro 3 真无线蓝牙耳机",
        "Huawei FreeBuds Pro 3",
        "华为",
        "数码/音频/耳机",
        1199,
        true,
        450.0,
        "颜色=白色",
    ),
    (
        11,
        "小米充电宝 20000mAh 大容量移动电源",
        "Xiaomi Power Bank 20000mAh",
        "小米",
        "数码/电源",
        129,
        true,
        650.0,
        "颜色=黑色",
    ),
    (
        12,
        "安克充电宝 10000mAh 磁吸",
        "Anker MagGo Power Bank 10000mAh",
        "安克",
        "数码/电源",
        249,
        true,
        350.0,
        "颜色=白色",
    ),
    (
        13,
        "Apple iPhone 15 Pro 手机壳 透明",
        "Clear Case for Apple iPhone 15 Pro",
        "品胜",
        "配件/手机壳",
        39,
        true,
        100.0,
        "颜色=透明",
    ),
    (
        14,
        "iPhone15 钢化膜 高清",
        "Tempered Glass for iPhone15",
        "品胜",
        "配件/贴膜",
        29,
        true,
        90.0,
        "",
    ),
    (
        15,
        "华为Mate 60 Pro 手机壳 素皮",
        "Leather Case for Huawei Mate 60 Pro",
        "图拉斯",
        "配件/手机壳",
        69,
        true,
        80.0,
        "颜色=绿色",
    ),
    (
        16,
        "乐扣保温杯 500ml 不锈钢",
        "Lock Stainless Steel Vacuum Flask 500ml",
        "乐扣",
        "家居/水杯",
        89,
        true,
        120.0,
        "颜色=银色;材质=不锈钢",
    ),
    (
        17,
        "富光玻璃茶杯 双层隔热",
        "Double-wall Glass Tea Cup",
        "富光",
        "家居/水杯",
        49,
        true,
        70.0,
        "材质=玻璃",
    ),
    (
        18,
        "欧普LED台灯 护眼学习",
        "Opple LED Desk Lamp",
        "欧普",
        "家居/灯具",
        159,
        true,
        60.0,
        "颜色=白色",
    ),
    (19, "米家台灯 1S", "Mijia Desk Lamp 1S", "小米", "家居/灯具", 169, true, 150.0, "颜色=白色"),
    (
        20,
        "李宁运动跑步鞋 男款 轻便",
        "Li-Ning Running Shoes for Men",
        "李宁",
        "服饰/鞋",
        399,
        true,
        220.0,
        "颜色=黑色,白色;尺码=42",
    ),
    (
        21,
        "安踏篮球鞋 女款",
        "Anta Basketball Shoes for Women",
        "安踏",
        "服饰/鞋",
        459,
        false,
        180.0,
        "颜色=红色;尺码=38",
    ),
    (
        22,
        "纯棉短袖T恤 白色",
        "Cotton T-Shirt White",
        "优衣库",
        "服饰/上衣",
        79,
        true,
        260.0,
        "颜色=白色;材质=棉",
    ),
    (
        23,
        "三只松鼠每日坚果 混合装",
        "Three Squirrels Daily Mixed Nuts",
        "三只松鼠",
        "食品/坚果",
        99,
        true,
        310.0,
        "",
    ),
    (
        24,
        "西湖龙井绿茶 250g",
        "West Lake Longjing Green Tea 250g",
        "狮峰",
        "食品/茶叶",
        268,
        true,
        130.0,
        "产地=杭州",
    ),
    (25, "重庆火锅底料 牛油", "Chongqing Hotpot Base", "桥头", "食品/调味", 19, true, 140.0, ""),
    (
        26,
        "Samsung 55寸4K电视机",
        "Samsung 55 inch 4K Television",
        "三星",
        "家电/电视",
        3499,
        true,
        240.0,
        "分辨率=4K",
    ),
    (
        27,
        "美的电饭煲 4L 智能预约",
        "Midea Rice Cooker 4L",
        "美的",
        "家电/厨房",
        299,
        true,
        190.0,
        "颜色=白色",
    ),
    (
        28,
        "<script>alert(1)</script> 测试贴纸 & 标签",
        "Sticker <b>bold</b> & \"quotes\"",
        "Ａ＆Ｂ",
        "文具/贴纸",
        9,
        true,
        1.0,
        "",
    ),
    (
        29,
        "HDMI 2.1 高清线 2米",
        "HDMI 2.1 Cable 2m",
        "绿联",
        "数码/线材",
        59,
        true,
        110.0,
        "长度=2米",
    ),
    (30, "USB-C 转 HDMI 转换器", "USB-C to HDMI Adapter", "绿联", "数码/线材", 99, true, 105.0, ""),
    (
        31,
        "Wi-Fi 6 路由器 千兆",
        "Wi-Fi 6 Gigabit Router",
        "TP-LINK",
        "数码/网络",
        289,
        true,
        210.0,
        "",
    ),
    (
        32,
        "无线充电器 15W 快充",
        "Wireless Charger 15W",
        "绿联",
        "数码/电源",
        119,
        true,
        95.0,
        "功率=15",
    ),
];

/// All products of the catalogue.
pub fn documents() -> Vec<Document> {
    ROWS.iter().map(document).collect()
}

fn document(row: &Row) -> Document {
    let (number, zh, en, brand, category, yuan, in_stock, popularity, attributes) = *row;
    let price = Price { amount: yuan * 100, currency: Currency::CNY };
    Document {
        product_id: id(number),
        version: 1,
        title: Localized { zh: Some(zh.to_owned()), en: Some(en.to_owned()) },
        description: Localized::default(),
        brand: brand.to_owned(),
        category: category.to_owned(),
        attributes: attributes
            .split(';')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, values)| (key.to_owned(), attribute(values)))
            .collect::<BTreeMap<_, _>>(),
        skus: vec![format!("SKU-{number:03}-A")],
        prices: vec![price],
        in_stock,
        popularity,
        ..Document::default()
    }
}

fn attribute(values: &str) -> Attribute {
    values.parse().map_or_else(
        |_| Attribute::Words(values.split(',').map(str::to_owned).collect()),
        Attribute::Number,
    )
}

/// The id of a product by its number.
pub fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number)
}

/// An index of the catalogue in memory, written in three commits.
pub fn index() -> Index {
    let index = Index::in_memory().unwrap();
    let mut writer = index.writer().unwrap();
    for (number, part) in documents().chunks(11).enumerate() {
        let changes: Vec<Change> =
            part.iter().map(|document| Change::Upsert(Box::new(document.clone()))).collect();
        writer.apply(&changes, &number.to_string()).unwrap();
    }
    index
}

/// An index of these products in memory.
pub fn index_of(documents: impl IntoIterator<Item = Document>) -> Index {
    let index = Index::in_memory().unwrap();
    let changes = documents.into_iter().map(|document| Change::Upsert(Box::new(document)));
    index.writer().unwrap().apply(&changes.collect::<Vec<_>>(), "1").unwrap();
    index
}

/// A product in stock with a Chinese title only.
pub fn titled(number: u128, title: &str) -> Document {
    Document {
        product_id: id(number),
        version: 1,
        title: Localized { zh: Some(title.to_owned()), en: None },
        in_stock: true,
        ..Document::default()
    }
}

/// A filter by the values of an attribute.
pub fn values(name: &str, values: &[&str]) -> AttributeFilter {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    AttributeFilter { name: name.to_owned(), values, range: None }
}

/// Searches for a text.
pub fn search(index: &Index, q: &str) -> Results {
    index.search(&Query { q: q.to_owned(), ..Query::default() }).unwrap()
}

/// The product numbers of the hits, in order.
pub fn numbers(results: &Results) -> Vec<u128> {
    results.items.iter().map(|hit| hit.product_id.as_u128() - id(0).as_u128()).collect()
}

/// The product numbers of the hits for a text, in order.
pub fn hits_for(index: &Index, q: &str) -> Vec<u128> {
    numbers(&search(index, q))
}
