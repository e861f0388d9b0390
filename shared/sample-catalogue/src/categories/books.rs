//! Books: titles, authors and publishers are all made up.

use crate::kind::{Choice, Kind, Text, any_of, brand, choice, fact, option, series, text, value};

const AUTHOR: Choice = choice(
    "author",
    "作者",
    &[
        value("林知远", "Lin Zhiyuan"),
        value("陈一诺", "Chen Yinuo"),
        value("周牧野", "Zhou Muye"),
        value("沈青禾", "Shen Qinghe"),
        value("许南乔", "Xu Nanqiao"),
        value("顾平川", "Gu Pingchuan"),
        value("叶小满", "Ye Xiaoman"),
        value("何望舒", "He Wangshu"),
        value("唐以宁", "Tang Yining"),
        value("陆星河", "Lu Xinghe"),
        value("苏见微", "Su Jianwei"),
        value("方既白", "Fang Jibai"),
    ],
);

const EDITION: Option<Text> = Some(text("（第{n}版）", "(Edition {n})"));

pub(super) const COMPUTING: Kind = Kind {
    category: "图书/科技/计算机",
    code: "BK",
    model_attribute: "书名",
    edition: EDITION,
    brands: &[
        brand(
            "YUNFAN",
            "云帆出版社",
            "Yunfan Press",
            &[
                series("{subject}从入门到实践", "{subject} from First Steps to Practice", 59, 99),
                series("图解{subject}", "{subject} Illustrated", 49, 79),
            ],
        ),
        brand(
            "BEIDOU",
            "北斗科技出版社",
            "Beidou Technical Press",
            &[
                series("深入理解{subject}", "Understanding {subject} in Depth", 79, 139),
                series("{subject}原理与实现", "{subject}: Principles and Implementation", 69, 119),
            ],
        ),
        brand(
            "HAISHI",
            "海石出版社",
            "Haishi Press",
            &[
                series("{subject}实战手册", "The {subject} Field Guide", 69, 109),
                series("{subject}面试指南", "The {subject} Interview Guide", 45, 69),
            ],
        ),
        brand(
            "MAYUAN",
            "码园图书",
            "Mayuan Books",
            &[
                series("写给程序员的{subject}", "{subject} for Programmers", 59, 99),
                series("动手学{subject}", "Hands-On {subject}", 65, 109),
            ],
        ),
    ],
    choices: &[
        choice(
            "subject",
            "主题",
            &[
                value("Rust编程", "Rust Programming"),
                value("Python编程", "Python Programming"),
                value("Go语言", "Go"),
                value("分布式系统", "Distributed Systems"),
                value("数据库", "Databases"),
                value("机器学习", "Machine Learning"),
                value("算法", "Algorithms"),
                value("计算机网络", "Computer Networks"),
                value("操作系统", "Operating Systems"),
                value("消息队列", "Message Queues"),
                value("搜索引擎", "Search Engines"),
                value("推荐系统", "Recommender Systems"),
                value("云原生", "Cloud Native"),
                value("前端工程", "Frontend Engineering"),
                value("数据分析", "Data Analysis"),
            ],
        ),
        AUTHOR,
        choice(
            "pages",
            "页数",
            &[
                value("286页", "286").percent(-10),
                value("352页", "352"),
                value("428页", "428").percent(8),
                value("560页", "560").percent(20),
            ],
        ),
        choice(
            "year",
            "出版时间",
            &[value("2023年", "2023"), value("2024年", "2024"), value("2025年", "2025")],
        ),
        choice("language", "语言", &[value("中文", "Chinese")]),
    ],
    axes: &[any_of(
        "binding",
        "装帧",
        2,
        &[
            option("PB", "平装", "paperback"),
            option("HC", "精装", "hardcover").percent(35),
            option("SET", "平装+配套视频", "paperback with videos").percent(50),
        ],
    )],
    points: &[
        text("附示例代码", "sample code"),
        text("章末习题", "exercises after each chapter"),
        text("大量插图", "many figures"),
        text("案例丰富", "plenty of case studies"),
        text("零基础可读", "beginner-friendly explanations"),
    ],
    titles: &[
        text(
            "{model} {author}著 {point} {point2} 计算机图书 {maker}",
            "{model} by {author}, with {point}, {maker}",
        ),
        text(
            "正版 {model} {author} {maker} 计算机编程书籍 {point}",
            "{model}, a Computing Book by {author}, {point}, {maker}",
        ),
    ],
    story: &[
        &[
            text(
                "《{model}》由{author}撰写，{brand}{year}出版，共{pages}。",
                "“{model}” by {author}, published by {brand} in {year}, has {pages} pages.",
            ),
            text(
                "{author}在《{model}》里从动机讲起，一步步讲到实现。",
                "In “{model}”, {author} starts from the motivation and goes step by step to a working system.",
            ),
        ],
        &[text(
            "本书{point}，{point2}，适合想系统学习的读者。",
            "It offers {point} and {point2}, for readers who want to learn the whole subject.",
        )],
    ],
};

pub(super) const FICTION: Kind = Kind {
    category: "图书/文学/小说",
    code: "BF",
    brands: &[
        brand(
            "QINGHE",
            "青禾文艺出版社",
            "Qinghe Literary Press",
            &[
                series("{place}的{thing}", "The {thing} of {place}", 39, 59),
                series("再见，{place}", "Farewell, {place}", 36, 56),
            ],
        ),
        brand(
            "LANXI",
            "兰溪文学社",
            "Lanxi Literature",
            &[
                series("{place}来信", "Letters from {place}", 38, 55),
                series("{place}的{thing}", "The {thing} of {place}", 42, 62),
            ],
        ),
        brand(
            "JINGZHE",
            "惊蛰书坊",
            "Jingzhe Books",
            &[
                series("寻找{place}的{thing}", "Looking for the {thing} of {place}", 45, 68),
                series("{place}往事", "Tales of {place}", 42, 58),
            ],
        ),
        brand(
            "CHANGHE",
            "长河出版社",
            "Changhe Press",
            &[
                series("{place}三部曲", "The {place} Trilogy", 88, 138),
                series("{place}的{thing}", "The {thing} of {place}", 39, 65),
            ],
        ),
    ],
    choices: &[
        choice(
            "place",
            "",
            &[
                value("雾港", "Fog Harbour"),
                value("南城", "South Town"),
                value("白鹭镇", "Egret Town"),
                value("北纬四十度", "Latitude Forty"),
                value("松花江畔", "Songhua River"),
                value("旧码头", "Old Wharf"),
                value("第七号街", "Seventh Street"),
                value("青石巷", "Bluestone Lane"),
            ],
        ),
        choice(
            "thing",
            "",
            &[
                value("灯塔", "Lighthouse"),
                value("钟表匠", "Watchmaker"),
                value("旧书店", "Old Bookshop"),
                value("夏天", "Summer"),
                value("邮差", "Postman"),
                value("最后一班车", "Last Bus"),
                value("秘密花园", "Hidden Garden"),
                value("守夜人", "Night Watchman"),
            ],
        ),
        choice(
            "genre",
            "类型",
            &[
                value("悬疑小说", "mystery novel"),
                value("科幻小说", "science fiction novel"),
                value("历史小说", "historical novel"),
                value("都市小说", "city novel"),
                value("成长小说", "coming-of-age novel"),
            ],
        ),
        AUTHOR,
        choice(
            "pages",
            "页数",
            &[value("248页", "248"), value("312页", "312"), value("396页", "396").percent(8)],
        ),
        choice(
            "year",
            "出版时间",
            &[
                value("2022年", "2022"),
                value("2023年", "2023"),
                value("2024年", "2024"),
                value("2025年", "2025"),
            ],
        ),
        choice("language", "语言", &[value("中文", "Chinese")]),
    ],
    axes: &[any_of(
        "binding",
        "装帧",
        2,
        &[
            option("PB", "平装", "paperback"),
            option("HC", "精装", "hardcover").percent(40),
            option("SIGN", "精装签名版", "signed hardcover").percent(90),
        ],
    )],
    points: &[
        text("一口气读完", "a story hard to put down"),
        text("文笔细腻", "delicate prose"),
        text("多线叙事", "several interwoven plots"),
        text("结局反转", "a surprising end"),
        text("附作者后记", "an afterword by the author"),
    ],
    titles: &[
        text(
            "{model} {author}著 {genre} {point} {maker}",
            "{model} by {author}, {genre}, {point}, {maker}",
        ),
        text(
            "正版书籍 {model} {author} {genre} 文学畅销书 {maker}",
            "{model}, {genre} by {author}, {maker}",
        ),
    ],
    story: &[
        &[
            text(
                "《{model}》是{author}的{genre}，{brand}{year}出版，共{pages}。",
                "“{model}” is the {year} {genre} by {author}, {pages} pages, published by {brand}.",
            ),
            text(
                "{author}用{pages}的篇幅写下这部{genre}。",
                "Over {pages} pages, {author} unfolds this {genre}.",
            ),
        ],
        &[text(
            "{point}，{point2}，适合周末慢慢读。",
            "Readers find {point} and {point2}, right for a quiet weekend.",
        )],
    ],
    ..COMPUTING
};

pub(super) const PICTURE_BOOK: Kind = Kind {
    category: "图书/童书/绘本",
    code: "BKC",
    brands: &[
        brand(
            "LANJING",
            "蓝鲸童书",
            "Blue Whale Children's Books",
            &[
                series("{hero}的{place}冒险", "{hero}'s {place} Adventure", 29, 49),
                series("{hero}不怕黑", "{hero} Is Not Afraid of the Dark", 28, 42),
            ],
        ),
        brand(
            "XIAOYA",
            "小芽童书馆",
            "Little Sprout",
            &[
                series("{hero}去{place}", "{hero} Goes to the {place}", 26, 45),
                series("晚安，{hero}", "Good Night, {hero}", 29, 45),
            ],
        ),
        brand(
            "PENGPENG",
            "蓬蓬绘本",
            "Pengpeng Picture Books",
            &[
                series("{hero}和{place}的朋友", "{hero} and the Friends from the {place}", 32, 52),
                series("{hero}学刷牙", "{hero} Learns to Brush", 22, 36),
            ],
        ),
    ],
    choices: &[
        choice(
            "hero",
            "主角",
            &[
                value("小兔米米", "Mimi Rabbit"),
                value("恐龙豆豆", "Doudou the Dinosaur"),
                value("熊猫团团", "Tuantuan the Panda"),
                value("小狐狸阿橘", "Tangerine the Fox"),
                value("刺猬波波", "Bobo the Hedgehog"),
                value("小鲸鱼蓝蓝", "Lanlan the Whale"),
            ],
        ),
        choice(
            "place",
            "",
            &[
                value("月亮", "Moon"),
                value("森林", "Forest"),
                value("海底", "Deep Sea"),
                value("面包店", "Bakery"),
                value("雪山", "Snow Mountain"),
                value("图书馆", "Library"),
            ],
        ),
        choice(
            "age",
            "适读年龄",
            &[
                value("0-3岁", "0 to 3").with(&[fact("pages", "页数", "24页", "24")]),
                value("3-6岁", "3 to 6").with(&[fact("pages", "页数", "32页", "32")]),
                value("5-8岁", "5 to 8").with(&[fact("pages", "页数", "40页", "40")]),
            ],
        ),
        AUTHOR,
        choice(
            "language",
            "语言",
            &[value("中文", "Chinese"), value("中英双语", "Chinese and English").percent(12)],
        ),
    ],
    axes: &[any_of(
        "binding",
        "装帧",
        2,
        &[
            option("PB", "平装", "paperback"),
            option("HC", "精装硬壳", "hardcover").percent(45),
            option("AUD", "精装+有声音频", "hardcover with audio").percent(60),
        ],
    )],
    points: &[
        text("圆角不划手", "safe rounded corners"),
        text("睡前故事", "a bedtime story"),
        text("大豆油墨印刷", "soy-based inks"),
        text("亲子共读", "reading aloud together"),
        text("培养好习惯", "a lesson in good habits"),
    ],
    titles: &[text(
        "{model} 儿童绘本 {age} {author}著 {point} {point2} {maker}",
        "{model}, Picture Book for Ages {age} by {author}, {point}, {maker}",
    )],
    story: &[
        &[
            text(
                "《{model}》讲的是{hero}的故事，共{pages}，适合{age}的孩子。",
                "“{model}” tells a story of {hero} on {pages} pages for ages {age}.",
            ),
            text(
                "跟着{hero}翻开《{model}》，{pages}全彩插画，适合{age}。",
                "Open “{model}” and follow {hero} through {pages} colour pages, for ages {age}.",
            ),
        ],
        &[text(
            "{point}，{point2}，语言为{language}。",
            "Parents value {point} and {point2}. Language: {language}.",
        )],
    ],
    ..COMPUTING
};
